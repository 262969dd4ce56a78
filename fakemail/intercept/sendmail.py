"""The command ``sendmail``, as programs have called it for forty years: run as a script, with the standard library.

It hands the message on at once and keeps no queue: what cannot be handed over now is the caller's to try again, which
the exit status says (``sysexits.h``).

    python -I -S sendmail.py HOST:PORT NAME ARGUMENT...

NAME is what the command was called: ``mailq`` and ``newaliases`` are modes of it.
"""

from __future__ import annotations

import os
import re
import smtplib
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from email.message import Message
from email.parser import HeaderParser
from email.utils import formataddr, getaddresses, parseaddr
from ipaddress import ip_address, ip_network
from typing import NamedTuple

# sysexits.h
EX_OK, EX_USAGE, EX_DATAERR, EX_NOUSER, EX_UNAVAILABLE = 0, 64, 65, 67, 69
EX_IOERR, EX_TEMPFAIL, EX_PROTOCOL, EX_NOPERM, EX_CONFIG = 74, 75, 76, 77, 78

LOCAL = "127.0.0.1:25"
"""The port of a machine's own mail server."""
PATIENCE = 60.0
"""Real seconds for each reply."""
WITH_VALUE = "ABCFLNORVXfhpr"
"""Options that take a value, in their word or in the next one."""
FLAGS = "GIUimntvx"
"""Options that stand alone, and may stand together."""
OURS = tuple(
    ip_network(each)
    for each in (
        "127.0.0.0/8",
        "::1/128",
        "192.0.2.0/24",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "2001:db8::/32",
    )
)
"""Addresses of fake internets: on loopback, and in the ranges for documentation (RFC 5737, RFC 3849)."""

_FIELD = re.compile(rb"[!-9;-~]+[ \t]*:")  # RFC 5322 §2.2, §4.5
_DATA_ERROR = re.compile(r"5\d\d 5\.6\.")


class Ended(Exception):
    """The command is over, with that status and that text."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Asked:
    """The options of a command line."""

    def __init__(self, name: str, words: Sequence[str]) -> None:
        """Raises :class:`Ended` for what no ``sendmail`` understands."""
        self.mode = {"mailq": "p", "newaliases": "i", "smtpd": "d"}.get(name, "m")
        self.recipients: list[str] = []
        self.from_header = False
        self.dot_ends = True
        self.sender: str | None = None
        self.full_name = os.environ.get("NAME", "")
        self.verbose = False
        self.notify = self.returned = self.envelope_id = ""
        rest = list(words)
        while rest:
            word = rest.pop(0)
            if word == "--":
                self.recipients += rest
                return
            if len(word) > 1 and word[0] == "-":
                self._option(word[1:], rest)
            else:
                self.recipients.append(word)

    def _option(self, text: str, rest: list[str]) -> None:
        letter, value = text[0], text[1:]
        if letter == "b":
            if value not in tuple("dDimpsv"):
                raise Ended(EX_USAGE, f"the mode -b{value} is not supported.")
            self.mode = value.lower()
        elif letter == "o":
            self._set(value)
        elif letter in "qde":  # run the queue, debug, report errors: the value is in the word or missing
            if letter == "q":
                self.mode = "q"
        elif letter in WITH_VALUE:
            if not value:
                if not rest:
                    raise Ended(EX_USAGE, f"the option -{letter} needs a value.")
                value = rest.pop(0)
            self._give(letter, value)
        else:
            for each in text:
                if each not in FLAGS:
                    raise Ended(EX_USAGE, f"there is no option -{each}.")
                self._flag(each)

    def _set(self, value: str) -> None:
        """``-oi`` and its kin; those about errors and delivery mean nothing to one who hands on at once."""
        if value == "i":
            self.dot_ends = False

    def _flag(self, letter: str) -> None:
        if letter == "t":
            self.from_header = True
        elif letter == "i":
            self.dot_ends = False
        elif letter == "v":
            self.verbose = True
        elif letter == "I":
            self.mode = "i"

    def _give(self, letter: str, value: str) -> None:
        if letter in "fr":
            self.sender = value
        elif letter == "F":
            self.full_name = value
        elif letter == "N":
            self.notify = value.upper()
        elif letter == "R":
            self.returned = value.upper()
        elif letter == "V":
            self.envelope_id = value
        elif letter == "O":
            name, _, what = value.partition("=")
            if name.lower() == "ignoredots" and what.lower() in ("true", "yes", ""):
                self.dot_ends = False


class Server(NamedTuple):
    """The server that takes the messages."""

    host: str
    port: int
    login: tuple[str, str] | None = None
    ca_file: str = ""

    def connect(self, *, verbose: bool = False) -> smtplib.SMTP:
        """Greet it; with a login inside TLS. Raises :class:`Ended`."""
        self.require_ours()
        try:
            client = smtplib.SMTP(self.host, self.port, machine(), PATIENCE)
            client.set_debuglevel(int(verbose))
            client.ehlo_or_helo_if_needed()
            if self.login is not None:
                context = ssl.create_default_context(cafile=self.ca_file or None)
                if not self.ca_file:  # it is on this machine, and its authority may be nowhere to be found
                    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
                client.starttls(context=context)
                client.ehlo_or_helo_if_needed()
                client.login(*self.login)
        except smtplib.SMTPAuthenticationError as error:
            raise Ended(EX_NOPERM, f"{self}: the login failed: {error.smtp_code}.") from None
        except smtplib.SMTPResponseException as error:
            raise failed(error.smtp_code, error.smtp_error, "the greeting") from None
        except (OSError, smtplib.SMTPException) as error:
            raise Ended(EX_TEMPFAIL, f"{self} cannot be reached: {error}.") from None
        return client

    def require_ours(self) -> None:
        """Nothing leaves this machine by mistake. Raises :class:`Ended`."""
        try:
            found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise Ended(EX_TEMPFAIL, f"{self.host} is not known: {error}.") from None
        for _, _, _, _, (address, *_) in found:
            if not any(ip_address(str(address).partition("%")[0]) in network for network in OURS):
                raise Ended(EX_CONFIG, f"{self}: {address} is not on this machine, and nothing may leave it.")

    def __str__(self) -> str:
        return f"{self.host} port {self.port}"


def machine() -> str:
    """The name of this machine, which stands behind every name without a domain."""
    return socket.gethostname() or "localhost"


def user() -> str:
    """The user who calls."""
    import pwd

    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def qualified(address: str) -> str:
    """An address with its domain; the null reverse-path stays what it is."""
    plain = address.strip().removeprefix("<").removesuffix(">")
    return plain if not plain or "@" in plain else f"{plain}@{machine()}"


def failed(status: int, text: bytes | str, what: str) -> Ended:
    """The end that a reply means."""
    said = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    line = f"{status} {said}".replace("\n", " / ")
    if 400 <= status < 500:
        return Ended(EX_TEMPFAIL, f"{what}: {line}")
    if status in (550, 551, 553) and re.match(r"5\.1\.|[^5]|5\.[^0-9]", said):
        return Ended(EX_NOUSER, f"{what}: {line}")
    if _DATA_ERROR.match(line):
        return Ended(EX_DATAERR, f"{what}: {line}")
    if 500 <= status < 600:
        return Ended(EX_UNAVAILABLE, f"{what}: {line}")
    return Ended(EX_PROTOCOL, f"{what}: {line}")


# The message ---------------------------------------------------------------------------------------


def lines_of(stream: Iterable[bytes], *, dot_ends: bool) -> Iterator[bytes]:
    """The lines of a message without their ends; a dot alone is the end unless told otherwise."""
    for number, line in enumerate(stream):
        plain = line.removesuffix(b"\n").removesuffix(b"\r")
        if dot_ends and plain == b".":
            return
        if not (number == 0 and plain.startswith(b"From ")):  # the line between messages of a mailbox file
            yield plain


def header_and_body(lines: Sequence[bytes]) -> tuple[list[bytes], list[bytes]]:
    """The fields, each with its folded lines, and the rest; a header ends at the first line that is no field."""
    fields: list[bytes] = []
    for number, line in enumerate(lines):
        if line[:1] in (b" ", b"\t") and fields and line.strip():
            fields[-1] += b"\r\n" + line
        elif _FIELD.match(line):
            fields.append(line)
        else:
            return fields, list(lines[number + 1 :] if not line else lines[number:])
    return fields, []


def name_of(field: bytes) -> str:
    """The name of a field, in small letters."""
    return field.partition(b":")[0].strip().decode("ascii").lower()


def addresses_in(header: Message, names: Iterable[str]) -> list[str]:
    """The addresses in some fields."""
    texts = [str(text) for name in names for text in header.get_all(name, [])]
    return [address for _, address in getaddresses(texts) if address]


class Letter:
    """A message, and from whom to whom it goes."""

    def __init__(self, asked: Asked, stream: Iterable[bytes]) -> None:
        fields, body = header_and_body(list(lines_of(stream, dot_ends=asked.dot_ends)))
        # As text, because the parser of octets gives no addresses beyond ASCII (RFC 6532 §3.2).
        text = b"\r\n".join(fields).decode("utf-8", "surrogateescape")
        header = HeaderParser().parsestr(f"{text}\r\n\r\n")
        self.recipients = list(asked.recipients)
        if asked.from_header:
            again = [f"resent-{name}" for name in ("to", "cc", "bcc")]
            is_resent = any(name in header for name in again)
            self.recipients += addresses_in(header, again if is_resent else ("to", "cc", "bcc"))
            fields = [field for field in fields if name_of(field) not in ("bcc", "resent-bcc")]
        sender = asked.sender
        if sender is None:
            sender = user()
        self.sender = qualified(parseaddr(sender)[1] if "<" in sender.strip("<>") else sender)
        if "from" not in header:
            address = self.sender or qualified(user())
            fields.append(f"From: {formataddr((asked.full_name, address))}".encode())
        self.recipients = list(dict.fromkeys(map(qualified, self.recipients)))
        self.content = b"\r\n".join([*fields, b"", *body, b""])

    def options(self, client: smtplib.SMTP, asked: Asked) -> tuple[list[str], list[str]]:
        """The parameters of MAIL and of RCPT, as far as the server knows them."""
        mail: list[str] = []
        recipient: list[str] = []
        if not self.content.isascii() and client.has_extn("8bitmime"):
            mail.append("BODY=8BITMIME")
        header = self.content.partition(b"\r\n\r\n")[0]
        is_foreign = not header.isascii() or not all(map(str.isascii, (self.sender, *self.recipients)))
        if is_foreign and client.has_extn("smtputf8"):
            mail.append("SMTPUTF8")
        if client.has_extn("dsn"):
            mail += [f"RET={asked.returned}"] if asked.returned in ("FULL", "HDRS") else []
            mail += [f"ENVID={asked.envelope_id}"] if asked.envelope_id else []
            recipient += [f"NOTIFY={asked.notify}"] if asked.notify else []
        return mail, recipient


# What the command does -----------------------------------------------------------------------------


def send(server: Server, asked: Asked, stream: Iterable[bytes]) -> None:
    """Hand a message over. Raises :class:`Ended` if any of its recipients was refused."""
    letter = Letter(asked, stream)
    if not letter.recipients:
        where = "in its header" if asked.from_header else "on the command line; -t takes them from the header"
        raise Ended(EX_USAGE, f"there are no recipients {where}.")
    client = server.connect(verbose=asked.verbose)
    try:
        refused = _transact(client, letter, asked)
    except smtplib.SMTPResponseException as error:
        raise failed(error.smtp_code, error.smtp_error, "the message") from None
    except (OSError, smtplib.SMTPException) as error:
        raise Ended(EX_TEMPFAIL, f"{server}: {error}.") from None
    finally:
        client.close()
    if refused:
        for each in refused[1:]:
            print(f"sendmail: {each}", file=sys.stderr)
        raise refused[0]


def _transact(client: smtplib.SMTP, letter: Letter, asked: Asked) -> list[Ended]:
    """One transaction; the refusals of single recipients."""
    mail, recipient = letter.options(client, asked)
    status, text = client.mail(letter.sender, mail)
    if status != 250:
        raise failed(status, text, f"<{letter.sender}>")
    refused = []
    for each in letter.recipients:
        status, text = client.rcpt(each, recipient)
        if status not in (250, 251):
            refused.append(failed(status, text, f"<{each}>"))
    if len(refused) < len(letter.recipients):
        status, text = client.data(letter.content)
        if status != 250:
            raise failed(status, text, "the message")
    with suppress(OSError, smtplib.SMTPException):  # the message is theirs already
        client.quit()
    return refused


def verify(server: Server, asked: Asked) -> None:
    """``-bv``: ask for each address whether mail would be taken for it."""
    client = server.connect(verbose=asked.verbose)
    with client:
        client.mail("")
        for each in map(qualified, asked.recipients):
            status, text = client.rcpt(each)
            if status not in (250, 251):
                raise failed(status, text, each)
            print(f"{each}... deliverable")


def speak(server: Server) -> None:
    """``-bs``: SMTP on the standard streams."""
    server.require_ours()
    try:
        connection = socket.create_connection((server.host, server.port), timeout=PATIENCE)
    except OSError as error:
        raise Ended(EX_TEMPFAIL, f"{server} cannot be reached: {error}.") from None
    connection.settimeout(None)

    def hand_in() -> None:
        try:
            while octets := os.read(0, 65536):
                connection.sendall(octets)
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the server has closed

    threading.Thread(target=hand_in, daemon=True).start()
    with connection:
        while octets := connection.recv(65536):
            while octets:
                octets = octets[os.write(1, octets) :]


def run(server: Server, name: str, words: Sequence[str]) -> int:
    """Do what a command line asks for; the exit status."""
    modes: dict[str, Callable[[Asked], object]] = {
        "m": lambda asked: send(server, asked, sys.stdin.buffer),
        "s": lambda _: speak(server),
        "v": lambda asked: verify(server, asked),
        "p": lambda _: print("Mail queue is empty"),
        # The aliases of this machine are not those of the fake internet, it has no queue, and its server runs.
        "i": lambda _: None,
        "q": lambda _: None,
        "d": lambda _: None,
    }
    try:
        asked = Asked(name, words)
        modes[asked.mode](asked)
    except Ended as ended:
        print(f"{name}: {ended}", file=sys.stderr)
        return ended.status
    except BrokenPipeError:
        return EX_IOERR
    return EX_OK


def endpoint(text: str) -> tuple[str, int]:
    """``127.0.0.1:25``, ``[::1]:25``."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 1 <= int(port) <= 65535:
        raise ValueError(f"{text!r} is not a host and a port, such as {LOCAL!r}")
    return host.removeprefix("[").removesuffix("]"), int(port)


if __name__ == "__main__":
    sys.exit(run(Server(*endpoint(sys.argv[1])), os.path.basename(sys.argv[2]), sys.argv[3:]))
