r"""Plays the IMAP dialogue files of this directory in memory, whole commands at a time and octet by octet, and over
a socket.

A file is read line by line:

``# text``           a comment; say which section of which RFC the dialogue shows
``@ port NAME``      the service that is talked to: imap (the default, after TLS), imap-clear, imaps
``@ like NAME``      the options of the server; ``@ hide WORDS`` hides capabilities of it
``@ login``          every session begins after LOGIN; ``@ select NAME``, after SELECT too
``@ enable WORDS``   ... and after ENABLE
``@ messages N``     INBOX begins with so many messages, ``<1@example.org>`` and so on
``C: line``          the client sends a line, CRLF is added; ``C2:`` is another session of the same account
``C= octets``        octets without CRLF
``S: line``          exactly this line comes back; ``...`` stands for anything. ``S2:`` for the other session
``S.``               the server closes the connection
``P.``               the shell asks what may be told now (``P2.``); over a socket it does so by itself
``TLS``              the client does a TLS handshake
``PUT name {flags} text``  somebody delivers a message with that text to a mailbox

Escapes: ``\r \n \t \\ \" \xNN``, ``{text*N}`` (repeated), ``{b64:text}``.
"""

from __future__ import annotations

import re
import socket
from base64 import b64encode
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, NamedTuple

import pytest

from fakemail import MailNet
from fakemail.clock import VirtualClock
from fakemail.imap.server_kinds import SERVER_KINDS, ImapProfile
from fakemail.imap.session import ImapSession
from fakemail.model.host import HostOptions, HostSpec, Security, Service
from fakemail.store.account import AccountStore
from fakemail.store.mailstore import MailStore
from fakemail.types.address import address
from fakemail.types.channel import Channel
from fakemail.types.peer import Peer
from fakemail.types.seeded_random import SeededRandom

HERE = Path(__file__).parent / "imap"
FILES = sorted(HERE.glob("*.txt"))
PASSWORD = "s3cret"
CHANNEL = Channel("TLSv1.3", "TLS_AES_128_GCM_SHA256", end_point=b"x" * 32)
PATIENCE = 20.0  # real seconds, until a test that would hang fails instead
BEGIN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class Step(NamedTuple):
    """One line of a dialogue file."""

    number: int
    kind: str
    session: int
    text: str


class Script(NamedTuple):
    """A dialogue file."""

    steps: list[Step]
    facts: dict[str, str]


def read_script(path: Path) -> Script:
    steps: list[Step] = []
    facts: dict[str, str] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        kind, _, text = line.partition(" ")
        found = re.fullmatch(r"(C|S|P)(\d?)([:=.])", kind)
        if kind == "@":
            word, _, rest = text.partition(" ")
            facts[word] = rest
        elif found:
            steps.append(Step(number, found[1] + found[3], int(found[2] or 1), text))
        elif kind in ("TLS", "PUT"):
            steps.append(Step(number, kind, 1, text))
        else:
            raise ValueError(f"{path.name}:{number}: what is {line!r}?")
    return Script(steps, facts)


def octets_of(text: str) -> bytes:
    """The octets that a client's line stands for."""
    text = re.sub(r"\{([^{}]+?)\*(\d+)\}", lambda match: match[1] * int(match[2]), text)
    text = re.sub(r"\{b64:(.*?)\}", lambda match: b64encode(unescape(match[1])).decode(), text)
    return unescape(text)


def unescape(text: str) -> bytes:
    simple = {"r": b"\r", "n": b"\n", "t": b"\t", "\\": b"\\", '"': b'"', "0": b"\0"}
    parts = re.split(r"\\(x[0-9a-f]{2}|[rnt0\\\"])", text)
    return b"".join(
        part.encode() if place % 2 == 0 else simple.get(part) or bytes.fromhex(part[1:])
        for place, part in enumerate(parts)
    )


class Backend:
    """A host with one account."""

    def __init__(self, folders: dict[str, str]) -> None:
        self.chance = SeededRandom(1)
        self.credentials = self
        self.clock = VirtualClock(BEGIN)
        self.store = MailStore(clock=self.clock, folders=lambda _: folders)

    def open(self, login: str) -> AccountStore | None:
        return self.store.account(address("bob@example.org"))

    def now(self) -> datetime:
        return self.clock.now()

    def password_of(self, login: str) -> str | None:
        return PASSWORD if login == "bob@example.org" else None

    def token_owner(self, token: str) -> str | None:
        return "bob@example.org" if token == "t0ken" else None

    def owner_of_certificate(self, subject: str) -> str | None:
        return None

    def may_act_as(self, authentication_id: str, authorization_id: str) -> bool:
        return False


def message(number: int) -> bytes:
    return (
        f"From: Ann <ann@example.org>\r\nTo: bob@example.org\r\nSubject: Message {number}\r\n"
        f"Date: Fri, 2 Jan 2026 03:0{number % 10}:00 +0000\r\nMessage-ID: <{number}@example.org>\r\n\r\n"
        f"This is message {number}.\r\n"
    ).encode()


class Player:
    """The sessions of one file; ``step`` octets are given to them at a time, 0 for all at once."""

    def __init__(self, script: Script, step: int) -> None:
        facts = script.facts
        self._step = step
        self._facts = facts
        imap = SERVER_KINDS[facts.get("like", "default")]
        port = facts.get("port", "imap")
        security = Security.TLS if port == "imaps" else Security.STARTTLS
        hide = frozenset(facts.get("hide", "").split())
        errors = int(facts.get("max_errors", 100))
        size = int(facts.get("max_message_size", 50 * 1024 * 1024))
        options = HostOptions(
            hide=hide, max_errors=errors, max_message_size=size, auth_in_clear="clear" in facts
        )
        host = HostSpec("imap.example.org", "203.0.113.1", "2001:db8::1", options=options)
        self._profile = ImapProfile(host, Service(port, 143, security), imap)
        self._channel = CHANNEL if port != "imap-clear" else None
        self.backend = Backend(dict(imap.folders))
        account = self.backend.store.account(address("bob@example.org"))
        for number in range(1, int(facts.get("messages", 0)) + 1):
            account.inbox.append(message(number))
        if "quota" in facts:
            account.quota.limit("STORAGE", int(facts["quota"]))
        self.account = account
        self._sessions: dict[int, ImapSession] = {}
        self._output: dict[int, list[str]] = {}

    def session(self, number: int) -> ImapSession:
        if number not in self._sessions:
            peer = Peer("203.0.113.250", 50000, "app")
            session = ImapSession(self._profile, self.backend, lambda *told: None, peer, self._channel)
            self._sessions[number] = session
            self._output[number] = []
            greeting = session.greet()
            facts = self._facts
            if "login" in facts or "select" in facts or "enable" in facts:
                assert b"OK" in session.feed(b"login LOGIN bob@example.org s3cret\r\n")
            elif "banner" in facts:
                self._took(number, greeting)
            if "enable" in facts:
                assert b"OK" in session.feed(f"enable ENABLE {facts['enable']}\r\n".encode())
            if "select" in facts:
                assert b"OK" in session.feed(f"select SELECT {facts['select']}\r\n".encode())
        return self._sessions[number]

    def _took(self, number: int, octets: bytes) -> None:
        session = self._sessions[number]
        while session.has_more:
            octets += session.more()
        if octets:
            assert octets.endswith(b"\r\n"), octets
            self._output[number] += octets.decode("utf-8", "backslashreplace").split("\r\n")[:-1]

    def send(self, number: int, octets: bytes) -> None:
        session = self.session(number)
        left = self._output[number]
        assert not left, f"not expected before the client speaks: {left}"
        step = self._step or max(len(octets), 1)
        for start in range(0, len(octets), step):
            self._took(number, session.feed(octets[start : start + step]))

    def poll(self, number: int) -> None:
        self._took(number, self.session(number).poll())

    def line(self, number: int) -> str:
        self.session(number)
        assert self._output[number], "a response is expected, and none has come"
        return self._output[number].pop(0)

    def put(self, text: str) -> None:
        found = re.fullmatch(r"(\S+) (?:\{(.*?)\} )?(.*)", text)
        assert found is not None
        self.account.get(found[1]).append(unescape(found[3]), flags=(found[2] or "").split())

    def start_tls(self) -> None:
        session = self._sessions[1]
        assert session.wants_tls
        session.secured(CHANNEL)

    def is_closed(self, number: int) -> bool:
        return self.session(number).closing

    def leftovers(self) -> dict[int, list[str]]:
        return {number: left for number, left in self._output.items() if left}


def matches(pattern: str, line: str) -> bool:
    return re.fullmatch(re.escape(pattern).replace(re.escape("..."), ".*"), line) is not None


def play(script: Script, player: Player | OverSocket) -> None:
    for step in script.steps:
        match step.kind:
            case "C:":
                player.send(step.session, octets_of(step.text) + b"\r\n")
            case "C=":
                player.send(step.session, octets_of(step.text))
            case "S:":
                line = player.line(step.session)
                assert matches(step.text, line), f"line {step.number}: expected {step.text!r}, came {line!r}"
            case "S.":
                assert player.is_closed(step.session), f"line {step.number}: the server should close"
            case "P.":
                player.poll(step.session)
            case "TLS":
                player.start_tls()
            case "PUT":
                player.put(step.text)
    assert not player.leftovers()


class OverSocket:
    """Connections to a running server."""

    def __init__(self, script: Script, net: MailNet) -> None:
        facts = script.facts
        self._facts = facts
        self._net = net
        clear = facts.get("port") == "imap-clear"
        self.account = net.account("bob@example.org", password=PASSWORD)
        self._settings = self.account.imap if clear else self.account.imaps
        self._settings.server.configure(
            imap=facts.get("like", "default"),
            hide=facts.get("hide", "").split(),
            max_errors=int(facts.get("max_errors", 100)),
            max_message_size=int(facts.get("max_message_size", 50 * 1024 * 1024)),
            auth_in_clear="clear" in facts,
        )
        self.account.configure(tokens=["t0ken"])
        for number in range(1, int(facts.get("messages", 0)) + 1):
            self.account.inbox.put(message(number))
        if "quota" in facts:
            store = net._portal.simulation.store.account(address("bob@example.org"))
            net._portal.call(lambda: store.quota.limit("STORAGE", int(facts["quota"])))
        self._sockets: dict[int, socket.socket] = {}
        self._files: dict[int, BinaryIO] = {}

    def session(self, number: int) -> BinaryIO:
        if number not in self._files:
            settings = self._settings
            sock = socket.create_connection((settings.host, settings.port), timeout=PATIENCE)
            if settings.security == "tls":
                sock = settings.ssl_context.wrap_socket(sock, server_hostname=settings.host)
            self._adopt(number, sock)
            facts = self._facts
            if "banner" not in facts:
                assert self.line(number).startswith("* OK")
            if "login" in facts or "select" in facts or "enable" in facts:
                self._ask(number, "LOGIN bob@example.org s3cret")
            for fact in ("enable", "select"):
                if fact in facts:
                    self._ask(number, f"{fact} {facts[fact]}")
        return self._files[number]

    def _adopt(self, number: int, sock: socket.socket) -> None:
        self._sockets[number] = sock
        self._files[number] = sock.makefile("rb")

    def _ask(self, number: int, command: str) -> None:
        self._sockets[number].sendall(f"first {command}\r\n".encode())
        while not (line := self.line(number)).startswith("first "):
            pass
        assert line.startswith("first OK")

    def send(self, number: int, octets: bytes) -> None:
        self.session(number)
        self._sockets[number].sendall(octets)

    def poll(self, number: int) -> None:
        """News comes by itself."""

    def line(self, number: int) -> str:
        line = self.session(number).readline()
        assert line.endswith(b"\r\n"), line
        return line.decode("utf-8", "backslashreplace").removesuffix("\r\n")

    def put(self, text: str) -> None:
        found = re.fullmatch(r"(\S+) (?:\{(.*?)\} )?(.*)", text)
        assert found is not None
        store = self._net._portal.simulation.store.account(address("bob@example.org"))
        flags = (found[2] or "").split()
        self._net._portal.call(lambda: store.get(found[1]).append(unescape(found[3]), flags=flags))

    def start_tls(self) -> None:
        settings = self._settings
        self._files[1].close()
        self._adopt(1, settings.ssl_context.wrap_socket(self._sockets[1], server_hostname=settings.host))

    def is_closed(self, number: int) -> bool:
        return self.session(number).read(1) == b""

    def leftovers(self) -> dict[int, bytes]:
        """What the server says before it closes, too, once we say no more."""
        left = {}
        for number, sock in self._sockets.items():
            with suppress(OSError):
                # Without the end of TLS, behind which nothing of what the server says could be read.
                socket.socket.shutdown(sock, socket.SHUT_WR)
            if octets := self._files[number].read():
                left[number] = octets
        return left

    def close(self) -> None:
        for each in (*self._files.values(), *self._sockets.values()):
            each.close()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_over_a_socket(path: Path) -> None:
    script = read_script(path)
    with MailNet(clock=VirtualClock(BEGIN)) as net, closing(OverSocket(script, net)) as player:
        play(script, player)


@pytest.mark.parametrize("step", [0, 1], ids=["whole", "octets"])
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_dialogue(path: Path, step: int) -> None:
    script = read_script(path)
    play(script, Player(script, step))


def test_every_file_expects_something() -> None:
    assert FILES
    for path in FILES:
        assert any(step.kind == "S:" for step in read_script(path).steps), path.name
