"""How fast IMAP answers, beside Dovecot, and for APPEND beside pymap.

Run it: ``python benchmarks/imap.py``. It takes a minute and a half. It needs Linux and Dovecot's ``imapd``, and
for one line the program ``pymap`` (or ``--pymap PATH``), which may live in a virtual environment of its own.
``--quick`` runs each case twice only.

Each server is a process of its own; the load comes from this one over raw sockets, one connection at a time, in
clear text. The servers take turns at each case. Dovecot keeps its mail in an mdbox, never calls fsync, and has
a process waiting for the next login. Processor time is that of the server's processes.
"""

from __future__ import annotations

import argparse
import base64
import os
import quopri
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from measure import median, print_table, verdict

SIZES = (1_000, 10_000)
TAG = b"zq7 "  # no line of the mail starts so
USER, PASSWORD = "bob@example.org", "s3cret"
SEEN = (b"", rb"\Seen")  # every second message
_TEXT = """
the parcel invoice is on its way and will reach you by friday please find attached our terms of delivery
with kind regards from all of us at the shop if you have questions about your order number write to this
address meeting report quarter numbers look better than expected said anna when she had read them twice
"""
_WORDS = _TEXT.split()


# The mail ------------------------------------------------------------------------------------------


def text(chance: random.Random, octets: int) -> str:
    """Lines of words, about that many octets."""
    lines = []
    while octets > 0:
        line = " ".join(chance.choices(_WORDS, k=chance.randint(8, 13)))
        lines.append(line)
        octets -= len(line) + 2
    return "\r\n".join(lines) + "\r\n"


def message(number: int, octets: int = 0) -> bytes:
    """A mail as hosts deliver it, the same for the same number: text, HTML beside text, or an attachment."""
    chance = random.Random(number)
    subject = " ".join(chance.choices(_WORDS, k=chance.randint(2, 7)))
    if number % 5 == 0:
        subject = f"=?utf-8?q?Gr=C3=BC=C3=9Fe_{subject.replace(' ', '_')}?="
    token = f"{chance.getrandbits(64):016x}"
    head = (
        f"Return-Path: <sender{number % 97}@shop.test>\r\n"
        f"Received: from mail.shop.test (mail.shop.test [203.0.113.7])\r\n"
        f"\tby mx.example.org with ESMTPS id {token}\r\n"
        f"\tfor <bob@example.org>; Fri, 17 May 2024 10:{number % 60:02d}:05 +0000\r\n"
        f"Received: from app.shop.test by mail.shop.test with ESMTPA id {token[::-1]};\r\n"
        f"\tFri, 17 May 2024 10:{number % 60:02d}:04 +0000\r\n"
        "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=shop.test; s=s1;\r\n"
        "\th=from:to:subject:date:message-id; bh=frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=;\r\n"
        f"\tb={base64.b64encode(chance.randbytes(128)).decode()}\r\n"
        f"Date: Fri, 17 May 2024 10:{number % 60:02d}:03 +0000\r\n"
        f'From: "The Shop, Desk {number % 7}" <sender{number % 97}@shop.test>\r\n'
        "To: Bob Example <bob@example.org>, ann@example.org\r\n"
        f"Subject: {subject}\r\n"
        f"Message-ID: <{token}.{number}@shop.test>\r\n"
        "MIME-Version: 1.0\r\n"
    )
    plain = text(chance, octets or chance.randint(800, 3500))
    kind = number % 10
    if kind < 5 or octets:
        head += "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 7bit\r\n"
        return f"{head}\r\n{plain}".encode()
    boundary = f"=_{token}"
    if kind < 8:
        rich = quopri.encodestring(
            f"<html><body><p>{plain} \u2014 Gr\u00fc\u00dfe</p></body></html>".encode()
        )
        kinds, second = (
            "alternative",
            "text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable",
        )
        content = rich.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    else:
        kinds = "mixed"
        second = (
            'application/pdf; name="invoice.pdf"\r\nContent-Transfer-Encoding: base64\r\n'
            f'Content-Disposition: attachment; filename="invoice-{number}.pdf"'
        )
        content = base64.encodebytes(chance.randbytes(1500)).replace(b"\n", b"\r\n")
    head += f'Content-Type: multipart/{kinds}; boundary="{boundary}"\r\n'
    return (
        f"{head}\r\n--{boundary}\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{plain}\r\n"
        f"--{boundary}\r\nContent-Type: {second}\r\n\r\n"
    ).encode() + b"%b\r\n--%b--\r\n" % (content, boundary.encode())


# The client ----------------------------------------------------------------------------------------


class Client:
    """One raw connection, which looks at nothing but the end of each answer."""

    def __init__(self, host: str, port: int) -> None:
        self.socket = socket.create_connection((host, port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = bytearray(1 << 20)

    def until(self, mark: bytes) -> bytes:
        """Read until the last line starts with the mark and has ended; return that line."""
        tail = b"\n"
        view = memoryview(self._buffer)
        while True:
            count = self.socket.recv_into(self._buffer)
            if not count:
                raise SystemExit("the server hung up")
            tail = (tail + view[max(0, count - 2000) : count])[-2000:]
            if tail.endswith(b"\n"):
                last = tail[tail.rfind(b"\n", 0, -1) + 1 :]
                if last.startswith(mark):
                    return last

    def say(self, command: bytes) -> None:
        """Give a command and wait for its OK."""
        self.socket.sendall(TAG + command + b"\r\n")
        answer = self.until(TAG)
        if not answer.startswith(TAG + b"OK"):
            raise SystemExit(f"{command[:60]!r} was answered {answer!r}")

    def append(self, box: bytes, octets: bytes) -> None:
        """Put a message into a mailbox."""
        self.say(b"APPEND %b {%d+}\r\n%b" % (box, len(octets), octets))


# The servers ---------------------------------------------------------------------------------------


def processor_time(pid: int) -> float:
    """Seconds of processor time of a process, all its threads, in small units."""
    return (
        sum(int(task.read_text().split()[0]) for task in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9
    )


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


class Server:
    """A server process with one mailbox for each size, named by it."""

    name = ""
    user = USER
    password = PASSWORD
    host = "127.0.0.1"
    port = 0
    process: subprocess.Popen[str]

    def cpu(self) -> float:
        """Seconds of processor time so far."""
        return sum(map(processor_time, [self.process.pid, *children(self.process.pid)]))

    def fresh(self, size: int) -> None:
        """Forget all that was worked out for that mailbox."""
        raise NotImplementedError

    def connect(self, box: str = "") -> Client:
        """A connection that is logged in, and perhaps has selected a mailbox."""
        client = Client(self.host, self.port)
        client.until(b"* OK")
        client.say(f"LOGIN {self.user} {self.password}".encode())
        if box:
            client.say(f"SELECT {box}".encode())
        return client

    def close(self) -> None:
        """End it."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(10)


class FakemailServer(Server):
    """This program once more, with a fake internet."""

    name = "fakemail"

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.host, port, self.smtp_host, smtp_port = self._ask("ports").split()
        self.port, self.smtp_port = int(port), int(smtp_port)

    def _ask(self, line: str) -> str:
        if self.process.stdin is None or self.process.stdout is None:
            raise SystemExit("a server without pipes")
        print(line, file=self.process.stdin, flush=True)
        return self.process.stdout.readline()

    def fresh(self, size: int) -> None:
        self._ask(str(size))

    def resident(self) -> float:
        """MiB in memory."""
        return (
            int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
            * os.sysconf("SC_PAGESIZE")
            / 2**20
        )


def serve() -> None:
    """The process of :class:`FakemailServer`: for each size on a line, that mailbox anew."""
    from fakemail import MailNet

    mail: list[bytes] = []
    with MailNet() as net:
        bob = net.account(USER, password=PASSWORD)
        bob.imap.server.configure(auth_in_clear=True)
        store = net._portal.simulation.store.account(bob._address)

        def fill(size: int) -> None:
            if store.find(str(size)) is not None:
                store.delete(str(size))
            box = store.create(str(size))
            for number, octets in enumerate(mail[:size]):
                box.append(octets, flags=SEEN[number % 2].decode().split())

        for line in sys.stdin:
            if line == "ports\n":
                mx = net.mx("example.org")
                print(bob.imap.host, bob.imap.port, mx.host, mx.port, flush=True)
                continue
            mail.extend(map(message, range(len(mail), int(line))))
            net._portal.call(lambda size=int(line): fill(size))  # type: ignore[misc]
            print(flush=True)


_DOVECOT = """\
base_dir = {home}/run
state_dir = {home}/run
log_path = {home}/log
protocols = imap
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
mail_fsync = never
mail_location = mdbox:{home}/mail
mail_uid = {user}
mail_gid = {group}
first_valid_uid = 1
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={home}
}}
namespace inbox {{
  inbox = yes
  separator = /
}}
service imap-login {{
  chroot =
  service_count = 0
  process_min_avail = 1
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service imap {{
  service_count = 1000
  process_min_avail = 1
  process_limit = 10
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
"""


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


class DovecotServer(Server):
    """A Dovecot of our own, with its mail in a temporary directory."""

    name = "dovecot"

    def __init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="fakemail-dovecot-"))
        self.home.chmod(0o755)
        self.port = free_port()
        root = os.geteuid() == 0  # Dovecot does not serve mail as root
        self.owner = ("nobody", "nogroup") if root else (str(os.geteuid()), str(os.getegid()))
        config = self.home / "dovecot.conf"
        config.write_text(
            _DOVECOT.format(
                home=self.home, port=self.port, user=self.owner[0], group=self.owner[1], password=PASSWORD
            )
        )
        self._own(self.home)
        program = shutil.which("dovecot") or "/usr/sbin/dovecot"
        self.process = subprocess.Popen(
            [program, "-F", "-c", str(config)], text=True, stderr=subprocess.DEVNULL
        )
        _wait_for(self.port)

    def fresh(self, size: int) -> None:
        box = self.home / "mail" / "mailboxes" / str(size)
        if not box.exists():
            client = self.connect()
            client.say(b"CREATE %d" % size)
            parts = [b"APPEND %d" % size]  # one command for all of them (RFC 3502)
            for number in range(size):
                octets = message(number)
                parts.append(b" (%b) {%d+}\r\n%b" % (SEEN[number % 2], len(octets), octets))
            client.say(b"".join(parts))
            client.say(b"LOGOUT")
        for kept in box.rglob("dovecot.index.cache*"):
            kept.unlink()

    def _own(self, folder: Path) -> None:
        if os.geteuid() == 0:
            for path in [folder, *folder.rglob("*")]:
                shutil.chown(path, *self.owner)

    def close(self) -> None:
        super().close()
        shutil.rmtree(self.home, ignore_errors=True)


class PymapServer(Server):
    """pymap with its backend in memory."""

    name = "pymap"
    user, password = "demouser", "demopass"

    def __init__(self, program: str) -> None:
        self.port = free_port()
        self.process = subprocess.Popen(
            [program, "--host", "127.0.0.1", "--port", str(self.port), "--no-tls", "dict"],
            text=True,
            stderr=subprocess.DEVNULL,
        )
        _wait_for(self.port)


def _wait_for(port: int) -> None:
    end = time.monotonic() + 10
    while time.monotonic() < end:
        with socket.socket() as probe:
            if not probe.connect_ex(("127.0.0.1", port)):
                return
        time.sleep(0.05)
    raise SystemExit("a server does not start")


# The cases -----------------------------------------------------------------------------------------

Figure = tuple[float, float]
"""Seconds on the wall and of the server's processor."""


class Case(NamedTuple):
    """Something to ask, whose time grows with the mailbox or does not."""

    title: str
    command: bytes = b""
    cold: bool = False
    ratio: float = 1.0
    """How much of Dovecot's speed is aimed at; 0 for no aim."""


CASES = (
    Case("all bodies", b"FETCH 1:* BODY.PEEK[]"),
    Case("SEARCH TEXT", b"SEARCH TEXT friday"),
    Case("SEARCH TEXT, not there", b"SEARCH TEXT zebra"),
    Case("SEARCH SUBJECT, first", b"SEARCH SUBJECT invoice", cold=True),
    Case("SEARCH SUBJECT", b"SEARCH SUBJECT invoice"),
    Case("FLAGS", b"FETCH 1:* FLAGS"),
    Case("ENVELOPE, first", b"FETCH 1:* ENVELOPE", cold=True, ratio=0.5),
    Case("ENVELOPE", b"FETCH 1:* ENVELOPE"),
    Case("BODYSTRUCTURE, first", b"FETCH 1:* BODYSTRUCTURE", cold=True, ratio=0.5),
    Case("BODYSTRUCTURE", b"FETCH 1:* BODYSTRUCTURE"),
    Case(
        "header fields, first", b"FETCH 1:* BODY.PEEK[HEADER.FIELDS (FROM SUBJECT DATE)]", cold=True, ratio=0
    ),
    Case("header fields", b"FETCH 1:* BODY.PEEK[HEADER.FIELDS (FROM SUBJECT DATE)]", ratio=0),
)
ONES = 200


@contextmanager
def timed(server: Server, figures: list[Figure]) -> Iterator[None]:
    """Add what the block took."""
    cpu, wall = server.cpu(), time.perf_counter()
    yield
    wall = time.perf_counter() - wall
    figures.append((wall, server.cpu() - cpu))


class Results:
    """Figures by case, size and server."""

    def __init__(self, servers: Sequence[Server]) -> None:
        self.servers = servers
        self._figures: dict[tuple[str, int, str], list[Figure]] = {}

    def of(self, title: str, size: int, server: Server) -> list[Figure]:
        """The list to add to."""
        return self._figures.setdefault((title, size, server.name), [])

    def wall(self, title: str, size: int, name: str) -> float:
        """The median, in milliseconds."""
        return 1000 * median(wall for wall, _ in self._figures[title, size, name])

    def cpu(self, title: str, size: int, name: str) -> float:
        """The median of processor time, in milliseconds."""
        return 1000 * median(cpu for _, cpu in self._figures[title, size, name])

    def row(self, title: str, aim: float) -> list[str]:
        """A line of the table."""
        small, large = SIZES
        ours, theirs = (self.wall(title, large, name) for name in ("fakemail", "dovecot"))
        ours_cpu, theirs_cpu = (self.cpu(title, large, name) for name in ("fakemail", "dovecot"))
        growth = ours / self.wall(title, small, "fakemail") / (large / small)
        return [
            title,
            f"{self.wall(title, small, 'fakemail'):.1f}",
            f"{self.wall(title, small, 'dovecot'):.1f}",
            f"{ours:.1f}",
            f"{theirs:.1f}",
            f"{theirs / ours:.2f}",
            f"{ours_cpu:.1f}",
            f"{theirs_cpu:.1f}",
            f"{theirs_cpu / ours_cpu:.2f}",
            verdict(theirs_cpu / ours_cpu, aim, at_least=True) if aim else "",
            f"{growth:.2f}",
        ]


def run_cases(results: Results, size: int) -> None:
    """One round."""
    for case in CASES:
        for server in results.servers:
            if case.cold:
                server.fresh(size)
            client = server.connect(str(size))
            with timed(server, results.of(case.title, size, server)):
                client.say(case.command)
            client.say(b"LOGOUT")
    for server in results.servers:
        client = server.connect(str(size))
        numbers = random.Random(1).choices(range(1, size + 1), k=ONES)
        with timed(server, results.of(f"{ONES} times one body", size, server)):
            for number in numbers:
                client.say(b"UID FETCH %d BODY.PEEK[]" % number)
        client.say(b"LOGOUT")
    for server in results.servers:
        figures = results.of("login and SELECT", size, server)
        with timed(server, figures):
            clients = [server.connect(str(size)) for _ in range(5)]
        for client in clients:
            client.say(b"LOGOUT")
        figures[-1] = figures[-1][0] / 5, figures[-1][1] / 5


def measure_mailboxes(servers: Sequence[Server], rounds: int) -> None:
    """Everything that is asked of a mailbox."""
    results = Results(servers)
    for server in servers:
        for size in SIZES:
            server.fresh(size)
    for _ in range(rounds):
        for size in SIZES:
            run_cases(results, size)
    print_table(
        f"One connection, ms for the whole mailbox (medians of {rounds} rounds, taking turns)",
        [
            "messages",
            "1,000",
            "dovecot",
            "10,000",
            "dovecot",
            "ratio",
            "CPU",
            "dovecot",
            "ratio",
            "target",
            "growth",
        ],
        [
            *(results.row(case.title, case.ratio) for case in CASES),
            results.row(f"{ONES} times one body", 1),
            results.row("login and SELECT", 1),
        ],
    )
    print(
        "  ratio: Dovecot's time in terms of fakemail's, with 10,000 messages. "
        "growth: time a message with 10,000, in terms of that with 1,000."
    )


def measure_append(servers: Sequence[Server], rounds: int) -> None:
    """Messages put into a mailbox, one after the other."""
    mail = [message(number) for number in range(ONES)]
    figures: dict[str, list[Figure]] = {server.name: [] for server in servers}
    for _ in range(rounds):
        for server in servers:
            client = server.connect("INBOX")
            with timed(server, figures[server.name]):
                for octets in mail:
                    client.append(b"INBOX", octets)
            client.say(b"LOGOUT")
    each = {name: 1e6 * median(wall for wall, _ in taken) / ONES for name, taken in figures.items()}
    aims = {"dovecot": 1, "pymap": 4}
    print_table(
        f"APPEND, µs for a message (medians of {rounds} rounds, taking turns)",
        ["", "wall", "CPU", "ratio", "target"],
        [
            [
                name,
                f"{wall:.0f}",
                f"{1e6 * median(cpu for _, cpu in figures[name]) / ONES:.0f}",
                f"{wall / each['fakemail']:.2f}",
                verdict(wall / each["fakemail"], aims[name], at_least=True) if name in aims else "",
            ]
            for name, wall in each.items()
        ],
    )


def measure_idle(fakemail: FakemailServer, dovecot: DovecotServer, times: int) -> None:
    """How soon an idling client hears of mail: from SMTP, and with Dovecot from another connection's APPEND."""
    waits: dict[str, list[float]] = {"fakemail": [], "dovecot": []}
    smtp = Client(fakemail.smtp_host, fakemail.smtp_port)
    smtp.until(b"220 ")
    smtp.socket.sendall(b"EHLO app.shop.test\r\n")
    smtp.until(b"250 ")

    def post(octets: bytes) -> Callable[[], None]:
        for line in (b"MAIL FROM:<ann@shop.test>\r\n", b"RCPT TO:<bob@example.org>\r\n", b"DATA\r\n"):
            smtp.socket.sendall(line)
            smtp.until(b"354 " if line == b"DATA\r\n" else b"250 ")
        return lambda: smtp.socket.sendall(octets + b".\r\n")

    writer = dovecot.connect()
    for server, count in ((fakemail, times), (dovecot, times // 10)):
        idler = server.connect("INBOX")
        idler.socket.sendall(TAG + b"IDLE\r\n")
        idler.until(b"+ ")
        for number in range(count):
            octets = message(number)
            if server is fakemail:
                give = post(octets)
            else:
                line = b"%bAPPEND INBOX {%d+}\r\n%b\r\n" % (TAG, len(octets), octets)
                give = lambda line=line: writer.socket.sendall(line)  # type: ignore[misc] # noqa: E731
            before = time.perf_counter()
            give()
            idler.until(b"* ")
            waits[server.name].append(1000 * (time.perf_counter() - before))
            (smtp.until(b"250 ") if server is fakemail else writer.until(TAG + b"OK"))
    rows = []
    for name, how in (("fakemail", "end of DATA"), ("dovecot", "APPEND elsewhere")):
        middle = median(waits[name])
        rows.append(
            [
                name,
                how,
                f"{middle:.2f}",
                f"{max(waits[name]):.2f}",
                verdict(middle, 2) if name == "fakemail" else "",
            ]
        )
    print_table("Notice to an idling client, ms", ["", "from", "median", "worst", "target"], rows)


def measure_memory() -> None:
    """What 10,000 messages of 10 KiB weigh, put in by APPEND."""
    server = FakemailServer()
    client = server.connect("INBOX")
    client.append(b"INBOX", message(0))
    before = server.resident()
    for number in range(10_000):
        octets = message(number, 10 * 1024)
        client.append(b"INBOX", octets[: 10 * 1024])
    filled = server.resident() - before
    client.say(b"SELECT INBOX")
    client.say(b"FETCH 1:* (FLAGS ENVELOPE BODYSTRUCTURE)")
    client.say(b"SEARCH TEXT zebra")
    read = server.resident() - before
    server.close()
    print_table(
        "Memory of 10,000 messages of 10 KiB (97.7 MiB of octets), growth of the process in MiB",
        ["", "MiB", "target"],
        [
            ["put in", f"{filled:.0f}", verdict(filled, 125)],
            ["after ENVELOPE, BODYSTRUCTURE and SEARCH TEXT of all", f"{read:.0f}", verdict(read, 125)],
        ],
    )


def main() -> None:
    """Print the tables."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    options.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options.add_argument("--quick", action="store_true", help="two rounds of each case")
    options.add_argument("--pymap", default=shutil.which("pymap"), help="the program pymap")
    given = options.parse_args()
    if given.serve:
        serve()
        return
    rounds = 2 if given.quick else 7
    fakemail, dovecot = FakemailServer(), DovecotServer()
    servers: list[Server] = [fakemail, dovecot]
    try:
        measure_mailboxes(servers, rounds)
        if given.pymap:
            servers.append(PymapServer(given.pymap))
        measure_append(servers, rounds)
        if not given.pymap:
            print("  pymap is not installed, and not measured")
        measure_idle(fakemail, dovecot, 200)
    finally:
        for server in servers:
            server.close()
    measure_memory()


if __name__ == "__main__":
    main()
