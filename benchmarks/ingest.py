"""How fast mail is taken in, with everything recorded, beside a plain aiosmtpd ``Controller``.

Run it: ``python benchmarks/ingest.py``. It takes about half a minute; with names of cases, only those.

Each server is a process of its own, the load comes from this one over raw sockets, and the servers
take turns, so that what else the machine does hits both. Processor time is the server's alone.
The peer's handler keeps the envelope's paths and octets in a list and does nothing else.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from measure import median, print_table, verdict

CONNECTIONS = 10
BUDGET = 120  # microseconds of processor time for one mail of 1 KiB

_HEAD = (
    b"From: <ann@shop.test>\r\nTo: <bob@example.org>\r\nSubject: News\r\nMessage-ID: <1@shop.test>\r\n\r\n"
)
_LINE = b"All work and no play makes a dull mail, and this line is as long as they are.\r\n"
_MAIL, _RCPT = b"MAIL FROM:<ann@shop.test>\r\n", b"RCPT TO:<bob@example.org>\r\n"


def message(size: int) -> bytes:
    """A message of about that many octets, with its end marker."""
    return _HEAD + _LINE * max(1, (size - len(_HEAD)) // len(_LINE)) + b".\r\n"


# The servers --------------------------------------------------------------------------------------


@contextmanager
def fakemail_server() -> Iterator[tuple[str, int, Callable[[], int]]]:
    """One fake internet; where its mail host listens, and how many messages it has."""
    from fakemail import MailNet

    with MailNet() as net:
        bob = net.account("bob@example.org")
        mx = net.mx("example.org")
        yield mx.host, mx.port, lambda: len(bob.inbox)


@contextmanager
def aiosmtpd_server() -> Iterator[tuple[str, int, Callable[[], int]]]:
    """A ``Controller`` with a handler that keeps messages in a list."""
    from aiosmtpd.controller import Controller

    kept = []

    class Keep:
        async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
            kept.append((envelope.mail_from, envelope.rcpt_tos, envelope.content))
            return "250 OK"

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]  # it connects to itself while it starts, so port 0 will not do
    controller = Controller(Keep(), hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield "127.0.0.1", port, lambda: len(kept)
    finally:
        controller.stop()


SERVERS = {"fakemail": fakemail_server, "aiosmtpd": aiosmtpd_server}


def serve(name: str) -> None:
    """The server process: for each line of input a new server, and when the next line comes, its figures."""
    for _ in sys.stdin:
        with SERVERS[name]() as (host, port, count):
            before = time.process_time()
            print(host, port, flush=True)
            sys.stdin.readline()
            print(time.process_time() - before, count(), flush=True)


# The load -----------------------------------------------------------------------------------------


class Client:
    """One raw connection."""

    def __init__(self, host: str, port: int) -> None:
        self._socket = socket.create_connection((host, port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._left = b""
        self.send = self._socket.sendall

    def replies(self, number: int) -> None:
        """Wait for that many replies; each must be positive."""
        while number:
            line, end, rest = self._left.partition(b"\n")
            if not end:
                octets = self._socket.recv(65536)
                if not octets:
                    raise SystemExit("the server hung up")
                self._left += octets
                continue
            self._left = rest
            if line[:1] not in b"23":
                raise SystemExit(f"the server said {line!r}")
            number -= line[3:4] != b"-"

    def close(self) -> None:
        """Hang up."""
        self._socket.close()


def greeted(host: str, port: int) -> list[Client]:
    """Ten connections that have said EHLO."""
    clients = [Client(host, port) for _ in range(CONNECTIONS)]
    for client in clients:
        client.replies(1)
        client.send(b"EHLO client.test\r\n")
    hear_all(clients, 1)
    return clients


def hear_all(clients: list[Client], number: int) -> None:
    """Wait for replies on every connection.

    The last is heard first: its reply comes last, so this process sleeps once for all of them, and
    the server does not pay for waking it up ten times.
    """
    for client in reversed(clients):
        client.replies(number)


def in_step(clients: list[Client], *turns: bytes) -> None:
    """Send to all, then hear all, for each turn."""
    for octets in turns:
        for client in clients:
            client.send(octets)
        hear_all(clients, 1)


def kept(host: str, port: int, mails: int, octets: bytes) -> None:
    """Ten connections that stay, one command at a time."""
    clients = greeted(host, port)
    for _ in range(mails // CONNECTIONS):
        in_step(clients, _MAIL, _RCPT, b"DATA\r\n", octets)
    in_step(clients, b"QUIT\r\n")
    for client in clients:
        client.close()


def one_each(host: str, port: int, mails: int, octets: bytes) -> None:
    """A connection for each mail, ten at a time."""
    for _ in range(mails // CONNECTIONS):
        clients = greeted(host, port)
        in_step(clients, _MAIL, _RCPT, b"DATA\r\n", octets, b"QUIT\r\n")
        for client in clients:
            client.close()


def pipelined(host: str, port: int, mails: int, octets: bytes) -> None:
    """Ten connections that stay; a message goes out together with the next one's commands (RFC 2920)."""
    clients = greeted(host, port)
    commands = _MAIL + _RCPT + b"DATA\r\n"
    for client in clients:
        client.send(commands)
    for turn in range(rounds := mails // CONNECTIONS):
        last = turn == rounds - 1
        hear_all(clients, 4 if turn else 3)
        for client in clients:
            client.send(octets if last else octets + commands)
    hear_all(clients, 1)
    in_step(clients, b"QUIT\r\n")
    for client in clients:
        client.close()


class Case(NamedTuple):
    """One kind of load."""

    title: str
    load: Callable[[str, int, int, bytes], None]
    size: int
    mails: int
    ratio: float


CASES = {
    "kept": Case("1 KiB, kept connections", kept, 1024, 1000, 3.5),
    "single": Case("1 KiB, one a connection", one_each, 1024, 500, 2.5),
    "large": Case("100 KiB, kept connections", kept, 100 * 1024, 200, 8),
    "pipelined": Case("1 KiB, pipelined", pipelined, 1024, 1000, 4),
}


class Server:
    """A server process."""

    def __init__(self, name: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__, "--serve", name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def _ask(self) -> list[str]:
        if self._process.stdin is None or self._process.stdout is None:
            raise SystemExit("a server without pipes")
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().split()

    def take(self, case: Case, mails: int) -> tuple[float, float]:
        """Let it take that load: microseconds of its processor time for a mail, mails a second."""
        host, port = self._ask()
        octets = message(case.size)
        began = time.perf_counter()
        case.load(host, int(port), mails, octets)
        wall = time.perf_counter() - began
        cpu, count = self._ask()
        if int(count) != mails:
            raise SystemExit(f"{count} messages arrived, {mails} were sent")
        return float(cpu) / mails * 1e6, mails / wall

    def close(self) -> None:
        """End the process."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait(10)


def main(wanted: list[str]) -> None:
    """Print one table."""
    servers = {name: Server(name) for name in SERVERS}
    rows = []
    for name in wanted or CASES:
        case = CASES[name]
        measured: dict[str, list[tuple[float, float]]] = {server: [] for server in servers}
        for server in servers.values():
            server.take(case, case.mails // 5)
        for _ in range(ROUNDS):
            for server_name, server in servers.items():
                measured[server_name].append(server.take(case, case.mails))
        cpu = {each: median(cpu for cpu, _ in figures) for each, figures in measured.items()}
        rate = {each: median(rate for _, rate in figures) for each, figures in measured.items()}
        ratio = median(
            theirs / ours
            for (ours, _), (theirs, _) in zip(measured["fakemail"], measured["aiosmtpd"], strict=True)
        )
        rows.append(
            [
                case.title,
                f"{cpu['fakemail']:.0f}",
                f"{cpu['aiosmtpd']:.0f}",
                f"{rate['fakemail']:.0f}",
                f"{rate['aiosmtpd']:.0f}",
                f"{rate['fakemail'] / rate['aiosmtpd']:.1f}",
                f"{ratio:.1f}",
                verdict(ratio, case.ratio, at_least=True),
                verdict(cpu["fakemail"], BUDGET) if name == "kept" else "",
            ]
        )
    for server in servers.values():
        server.close()
    print_table(
        f"Mail taken in (medians of {ROUNDS} rounds, taking turns)",
        ["", "µs CPU", "aiosmtpd", "mails/s", "aiosmtpd", "ratio", "CPU ratio", "target", "µs CPU target"],
        rows,
    )


ROUNDS = 7

if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        serve(sys.argv[2])
    else:
        main(sys.argv[1:])
