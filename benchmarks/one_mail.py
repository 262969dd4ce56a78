"""What one test costs that sends a plain mail and looks at it: fakemail, smtpdfix, and the bare client.

Run it in a virtual environment of its own, since smtpdfix brings a pytest plugin:
``pip install -e '.[bench]'``, then ``python benchmarks/one_mail.py``. It takes a few seconds.

Each round plays what a function-scoped fixture and a test play together: start, send a message with
smtplib, look at it, stop. The bare client sends the same mail to a server that only answers. All
three take turns in one process, so processor time counts both ends; the client's part is subtracted.
"""

from __future__ import annotations

import contextlib
import os
import smtplib
import socket
import tempfile
import threading
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path

from measure import Stopwatch, median, print_table, verdict

from fakemail import MailNet

ROUNDS = 60
SHARE = 0.5


def welcome() -> EmailMessage:
    """The mail that is sent."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "shop@shop.test", "bob@example.org", "Welcome, Bob"
    mail["Message-ID"] = "<1@shop.test>"
    mail.set_content("Hello Bob,\n\nthank you for joining us.\n")
    return mail


_MAIL = welcome()


class Sink:
    """Answers each command with what a client wants to hear, and keeps nothing."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            client, _ = self._socket.accept()
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with client, contextlib.suppress(OSError):
                self._talk(client)

    def _talk(self, client: socket.socket) -> None:
        client.sendall(b"220 sink\r\n")
        in_data = False
        while octets := client.recv(65536):
            if in_data:
                in_data = not octets.endswith(b"\r\n.\r\n")
                if not in_data:
                    client.sendall(b"250 OK\r\n")
                continue
            verb = octets[:4].upper()
            in_data = verb == b"DATA"
            client.sendall({b"DATA": b"354 go\r\n", b"QUIT": b"221 bye\r\n"}.get(verb, b"250 OK\r\n"))


def with_bare_client(sink: Sink) -> None:
    """Only the client."""
    with smtplib.SMTP("127.0.0.1", sink.port) as client:
        client.send_message(_MAIL)


def with_fakemail(_: Sink) -> None:
    """The fixture ``mailnet`` and a test."""
    with MailNet() as mailnet:
        bob = mailnet.account("bob@example.org")
        mx = mailnet.mx("example.org")
        with smtplib.SMTP(mx.host, mx.port) as client:
            client.send_message(_MAIL)
        if bob.inbox.one().subject != "Welcome, Bob":
            raise SystemExit("the mail did not arrive")


def with_smtpdfix(_: Sink) -> None:
    """The fixture ``smtpd`` and a test."""
    from smtpdfix import SMTPDFix

    with SMTPDFix() as smtpd:
        with smtplib.SMTP(smtpd.hostname, smtpd.port) as client:
            client.send_message(_MAIL)
        if smtpd.messages[0]["Subject"] != "Welcome, Bob":
            raise SystemExit("the mail did not arrive")


def main() -> None:
    """Print one table."""
    ways: dict[str, Callable[[Sink], None]] = {"bare client": with_bare_client, "fakemail": with_fakemail}
    try:
        from smtpdfix.certs import _generate_certs
    except ImportError:
        print("smtpdfix is not installed here, so there is nothing to compare with.")
    else:
        # Its fixture makes a certificate once in a run, and not for each test.
        certificate, _ = _generate_certs(Path(tempfile.mkdtemp()), separate_key=False)
        os.environ["SMTPD_SSL_CERTIFICATE_FILE"] = str(certificate)
        ways["smtpdfix"] = with_smtpdfix
    sink = Sink()
    for play in ways.values():
        play(sink)
    watches: dict[str, list[Stopwatch]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, play in ways.items():
            with Stopwatch() as watch:
                play(sink)
            watches[name].append(watch)
    wall = {name: median(watch.wall for watch in kept) * 1e3 for name, kept in watches.items()}
    cpu = {name: median(watch.cpu for watch in kept) * 1e3 for name, kept in watches.items()}
    rows = []
    for name in ways:
        above = wall[name] - wall["bare client"], cpu[name] - cpu["bare client"]
        row = [name, f"{wall[name]:.2f}", f"{cpu[name]:.2f}", f"{above[0]:.2f}", f"{above[1]:.2f}", ""]
        if name == "fakemail" and "smtpdfix" in ways:
            of_wall = above[0] / (wall["smtpdfix"] - wall["bare client"])
            of_cpu = above[1] / (cpu["smtpdfix"] - cpu["bare client"])
            row[-1] = f"{of_wall:.2f} wall, {of_cpu:.2f} CPU; {verdict(max(of_wall, of_cpu), SHARE)}"
        rows.append(row)
    print_table(
        "One test with one plain mail (milliseconds, medians)",
        ["", "wall", "CPU", "above the client", "CPU above it", "of what smtpdfix costs"],
        rows,
    )


if __name__ == "__main__":
    main()
