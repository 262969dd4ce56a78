r"""Plays the dialogue files of this directory: in memory, octet by octet in memory, and over a socket.

A file is read line by line:

``# text``         a comment; say which section of which RFC the dialogue shows
``@ port NAME``    the service that is talked to: smtp (the default), submission, submissions
``@ hide WORDS``   keywords that the host hides; ``@ FIELD=VALUE`` sets another of its options
``@ auth_mechanisms WORDS``  the SASL mechanisms that it offers
``C: line``        the client sends a line, CRLF is added; it begins a new segment
``C+ line``        the same, in the segment of the line before (pipelined)
``C= octets``      octets without CRLF, in the segment of the line before
``S: reply``       a whole reply is expected; its lines are joined by `` / ``, ``...`` stands for anything
``S.``             the server closes the connection
``TLS``            the client does a TLS handshake
``=> address FACTS "content"``  a message was taken for that address, with those envelope facts

Escapes: ``\r \n \t \\ \" \xNN``, ``{text*N}`` (repeated), ``{b64:text}``, ``{cram:login:password}``.
"""

from __future__ import annotations

import base64
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import pytest

from fakemail.clock import VirtualClock
from fakemail.events.kinds import Event, MessageDelivered, SmtpCommand
from fakemail.message.envelope import Envelope, Recipient
from fakemail.model.host import SERVICES, HostOptions, HostSpec, Security
from fakemail.model.world import WorldSpec
from fakemail.mta.inbound.recipients import resolve
from fakemail.runtime.simulation import Simulation
from fakemail.sasl.passwords import cram_md5_response
from fakemail.smtp.backend import Receipt
from fakemail.smtp.client import ReplyReader
from fakemail.smtp.extensions import SmtpProfile
from fakemail.smtp.session import SmtpSession
from fakemail.tls.authority import process_authority
from fakemail.types.address import Address, address
from fakemail.types.address import Path as MailPath
from fakemail.types.channel import Channel
from fakemail.types.peer import Peer
from fakemail.types.reason import Reason
from fakemail.types.reply import Reply
from fakemail.types.seeded_random import SeededRandom
from fakemail.types.verdict import ACCEPTED, Verdict, refused
from fakemail.wire.loop import loop_thread
from smtp_backend import AcceptingBackend

HERE = Path(__file__).parent
FILES = sorted(path for path in HERE.glob("*/*.txt") if path.parent.name not in ("imap", "pop3"))
PASSWORD = "s3cret"
PATIENCE = 20.0  # real seconds, until a test that would hang fails instead


# Reading ------------------------------------------------------------------------------------------


class Step(NamedTuple):
    """One line of a dialogue file."""

    number: int
    kind: str
    text: str


class Script(NamedTuple):
    """A dialogue file."""

    steps: list[Step]
    port: str
    options: HostOptions

    @property
    def expected(self) -> list[str]:
        return [step.text for step in self.steps if step.kind == "=>"]


def read_script(path: Path) -> Script:
    steps: list[Step] = []
    port = "smtp"
    fields: dict[str, Any] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        kind, _, text = line.partition(" ")
        if kind == "@":
            word, _, rest = text.partition(" ")
            if word == "port":
                port = rest
            elif word in ("hide", "auth_mechanisms"):
                fields[word] = frozenset(rest.split())
            else:
                name, _, value = word.partition("=")
                fields[name] = int(value) if value.isdigit() else value == "True"
        elif kind in ("C:", "C+", "C=", "S:", "S.", "TLS", "=>"):
            steps.append(Step(number, kind, text))
        else:
            raise ValueError(f"{path.name}:{number}: what is {line!r}?")
    return Script(steps, port, replace(HostOptions(), **fields))


def octets_of(text: str, last: Reply | None) -> bytes:
    """The octets that a client's line stands for."""
    text = re.sub(r"\{(.+?)\*(\d+)\}", lambda match: match[1] * int(match[2]), text)
    text = re.sub(r"\{b64:(.*?)\}", lambda match: base64.b64encode(unescape(match[1])).decode(), text)

    def cram(match: re.Match[str]) -> str:
        challenge = base64.b64decode(last.text if last is not None else "")
        return base64.b64encode(cram_md5_response(match[1], match[2], challenge)).decode()

    return unescape(re.sub(r"\{cram:(.*?):(.*?)\}", cram, text))


def unescape(text: str) -> bytes:
    simple = {"r": b"\r", "n": b"\n", "t": b"\t", "\\": b"\\", '"': b'"'}
    parts = re.split(r"\\(x[0-9a-f]{2}|.)", text)
    return b"".join(
        part.encode() if place % 2 == 0 else simple.get(part) or bytes.fromhex(part[1:])
        for place, part in enumerate(parts)
    )


# Who lives there, for both players ------------------------------------------------------------------


def populate(world: WorldSpec, options: HostOptions) -> None:
    world.add_domain("example.org")
    for local in ("bob", "ann", "jörg"):
        world.add_account(Address(local, "example.org"), PASSWORD)
    world.add_alias(address("team@example.org"), [address("bob@example.org"), address("ann@example.org")])
    world.add_alias(address("alle@example.org"), [address("jörg@example.org"), address("bob@example.org")])
    for name in ("mx1.example.org", "smtp.example.org"):
        world.change_host(replace(world.host(name), options=options))


def host_of(world: WorldSpec, port: str) -> HostSpec:
    return world.host("mx1.example.org" if port == "smtp" else "smtp.example.org")


class Taken(NamedTuple):
    """A message that was taken for one recipient."""

    recipient: Recipient
    envelope: Envelope
    content: bytes


# In memory ------------------------------------------------------------------------------------------


class Backend(AcceptingBackend):
    """The decisions of a host, from a world without engine."""

    def __init__(self, world: WorldSpec, *, submission: bool) -> None:
        self.world = world
        self.chance = SeededRandom(1)
        self.credentials = self
        self.taken: list[Taken] = []
        self._submission = submission

    def check_sender(self, sender: MailPath, login: str) -> Verdict | None:
        return ACCEPTED

    def check_recipient(self, recipient: Address, login: str) -> Verdict | None:
        if self._submission or not recipient.domain:
            return ACCEPTED
        if recipient.domain not in self.world.domains:
            return refused(Reason.RELAY_DENIED, f"<{recipient}>")
        reason = resolve(self.world, recipient).reason
        return ACCEPTED if reason is None else refused(reason, f"<{recipient}>")

    def take(self, envelope: Envelope, content: bytes) -> Receipt | None:
        self.taken += [Taken(recipient, envelope, content) for recipient in envelope.recipients]
        return Receipt(ACCEPTED, "Q1", "delivered as Q1")

    def verify(self, name: str) -> tuple[Address, ...]:
        local, _, domain = name.partition("@")
        return resolve(self.world, Address(local, domain or "example.org")).accounts

    def expand(self, name: str) -> tuple[Address, ...]:
        return self.world.domain("example.org").aliases.get(name.partition("@")[0], ())

    def password_of(self, login: str) -> str | None:
        account = self.world.accounts.get(login)
        return None if account is None else account.password


def at_home(recipient: Address) -> Address:
    """``<postmaster>`` without a domain is the host's own (RFC 5321 §4.5.1)."""
    return recipient if recipient.domain else Address("postmaster", "example.org")


class Player(Protocol):
    """Something that a dialogue can be played to."""

    def send(self, octets: bytes) -> None: ...
    def reply(self) -> Reply: ...
    def start_tls(self) -> None: ...
    def closed(self) -> bool: ...
    def leftovers(self) -> list[Reply]: ...
    def taken(self, number: int) -> list[Taken]: ...
    def lines(self) -> list[str]: ...


CHANNEL = Channel("TLSv1.3", "TLS_AES_128_GCM_SHA256", end_point=b"x" * 32)


class InMemory:
    """A session without a socket; ``step`` octets are given to it at a time, 0 for all at once."""

    def __init__(self, script: Script, step: int) -> None:
        world = WorldSpec()
        populate(world, script.options)
        service = SERVICES[script.port]
        profile = SmtpProfile(host_of(world, script.port), service)
        self._backend = Backend(world, submission=profile.is_submission)
        self._lines: list[str] = []
        channel = CHANNEL if service.security is Security.TLS else None
        peer = Peer("203.0.113.250", 50000, "app")
        self._session = SmtpSession(profile, self._backend, self._record, peer, channel)
        self._step = step
        self._reader = ReplyReader()
        self._replies = self._reader.feed(self._session.greet())

    def _record(self, stage: object, line: str, *_: object, **__: object) -> None:
        self._lines.append(line)

    def send(self, octets: bytes) -> None:
        assert not self._replies, f"not expected before the client speaks: {self._replies}"
        step = self._step or len(octets)
        for start in range(0, len(octets), step):
            self._replies += self._reader.feed(self._session.feed(octets[start : start + step]))

    def reply(self) -> Reply:
        assert self._replies, "a reply is expected, and none has come"
        return self._replies.pop(0)

    def start_tls(self) -> None:
        assert self._session.wants_tls
        self._session.secured(CHANNEL)

    def closed(self) -> bool:
        return self._session.closing

    def leftovers(self) -> list[Reply]:
        return self._replies

    def taken(self, number: int) -> list[Taken]:
        return self._backend.taken

    def lines(self) -> list[str]:
        return self._lines


# Over a socket --------------------------------------------------------------------------------------


class OverSocket:
    """A running fake internet, and a plain blocking socket."""

    def __init__(self, script: Script) -> None:
        self._loop = loop_thread()
        self.internet = Simulation(seed=1, clock=VirtualClock())
        self._delivered: list[MessageDelivered] = []
        self._changed = threading.Condition()
        self._loop.run(self._start(script))
        host = host_of(self.internet.world, script.port).name
        self._host = host
        target = self.internet.hosts.running[host].ports[script.port].endpoint
        self._socket: socket.socket = socket.create_connection(target, timeout=PATIENCE)
        self._reader = ReplyReader()
        self._replies: list[Reply] = []
        if script.port == "submissions":
            self.start_tls()

    async def _start(self, script: Script) -> None:
        await self.internet.start()
        populate(self.internet.world, script.options)
        self.internet.log.subscribe(self._note)
        await self.internet.hosts.run_domain(self.internet.world.domain("example.org"))

    def _note(self, event: Event) -> None:
        if isinstance(event, MessageDelivered):
            with self._changed:
                self._delivered.append(event)
                self._changed.notify_all()

    def close(self) -> None:
        self._socket.close()
        self._loop.run(self.internet.stop())
        self.internet.supervisor.raise_errors()

    def send(self, octets: bytes) -> None:
        assert not self._replies, f"not expected before the client speaks: {self._replies}"
        self._socket.sendall(octets)

    def _read(self) -> bool:
        try:
            octets = self._socket.recv(65536)
        except ConnectionResetError:
            return False
        self._replies += self._reader.feed(octets)
        return bool(octets)

    def reply(self) -> Reply:
        while not self._replies:
            assert self._read(), "a reply is expected, and the server closed the connection"
        return self._replies.pop(0)

    def start_tls(self) -> None:
        context: ssl.SSLContext = process_authority().client_context()
        self._socket = context.wrap_socket(self._socket, server_hostname=self._host)

    def closed(self) -> bool:
        while self._read():
            pass
        return True

    def leftovers(self) -> list[Reply]:
        if isinstance(self._socket, ssl.SSLSocket):
            self._socket = self._socket.unwrap()
        self._socket.shutdown(socket.SHUT_WR)
        self.closed()
        return self._replies

    def taken(self, number: int) -> list[Taken]:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self._delivered) >= number, PATIENCE), self._delivered
            delivered = list(self._delivered)
        found: dict[tuple[str, Address], Taken] = {}  # an alias of two accounts is one recipient
        for event in delivered:
            for stored in self.internet.store.mailbox(event.account).snapshot():
                if stored.uid == event.uid and stored.envelope and stored.recipient:
                    envelope = stored.envelope
                    (recipient, *_) = [
                        each for each in envelope.recipients if at_home(each.address) == stored.recipient
                    ]
                    found[stored.queue_id, stored.recipient] = Taken(recipient, envelope, stored.raw)
        return list(found.values())

    def lines(self) -> list[str]:
        return [event.line for event in self.internet.log if isinstance(event, SmtpCommand)]


# Playing --------------------------------------------------------------------------------------------


def matches(pattern: str, reply: Reply) -> bool:
    return re.fullmatch(re.escape(pattern).replace(re.escape("..."), ".*"), str(reply)) is not None


def play(script: Script, player: Player) -> None:
    last: Reply | None = None
    steps = iter([*script.steps, Step(0, "end", "")])
    step = next(steps)
    ended = False
    while step.kind != "end":
        if step.kind.startswith("C"):
            segment = b""
            while True:
                segment += octets_of(step.text, last) + (b"" if step.kind == "C=" else b"\r\n")
                step = next(steps)
                if step.kind not in ("C+", "C="):
                    break
            player.send(segment)
            continue
        if step.kind == "S:":
            last = player.reply()
            assert matches(step.text, last), f"line {step.number}: expected {step.text!r}, came {str(last)!r}"
        elif step.kind == "TLS":
            player.start_tls()
        elif step.kind == "S.":
            assert player.closed(), f"line {step.number}: the server should have closed the connection"
            ended = True
        step = next(steps)
    if ended:
        assert player.closed()
    else:
        assert player.leftovers() == []


def check_taken(script: Script, taken: list[Taken], *, exact: bool) -> None:
    """Compare what was taken with the ``=>`` lines."""
    found = list(taken)
    for expected in script.expected:
        match = re.fullmatch(r'(\S+) ((?:\S+=\S+ )*)"(.*)"', expected)
        assert match is not None, f"cannot read {expected!r}"
        content = octets_of(match[3], None)
        for place, (recipient, envelope, octets) in enumerate(found):
            same = octets == content if exact else octets.endswith(content)
            facts = facts_of(envelope, recipient)
            if str(at_home(recipient.address)) == match[1] and same and set(match[2].split()) <= facts:
                del found[place]
                break
        else:
            raise AssertionError(f"nobody took {expected!r}; left are {found}")
    assert found == []


def facts_of(envelope: Envelope, recipient: Recipient) -> set[str]:
    """Envelope facts as they are written in ``=>`` lines."""
    values = {
        "from": str(envelope.sender),
        "body": envelope.body.value,
        "size": envelope.size,
        "ret": envelope.ret,
        "envid": envelope.envid,
        "utf8": envelope.smtputf8,
        "auth": envelope.auth,
        "notify": ",".join(recipient.notify),
        "orcpt": recipient.original,
        "with": envelope.origin.protocol,
        "login": envelope.origin.login,
        "helo": envelope.origin.helo,
    }
    return {f"{name}={value}" for name, value in values.items()}


def check_secrets(lines: list[str]) -> None:
    """No password may be written down."""
    secrets = [
        PASSWORD,
        *(
            base64.b64encode(PASSWORD.rjust(n + len(PASSWORD), "\0").encode()).decode().rstrip("=")
            for n in range(3)
        ),
    ]
    for line in lines:
        assert not any(secret in line for secret in secrets), line


NAMED = [pytest.param(path, id=f"{path.parent.name}/{path.stem}") for path in FILES]


@pytest.mark.parametrize("path", NAMED)
@pytest.mark.parametrize("step", [0, 1, 7], ids=["segments", "octets", "sevens"])
def test_in_memory(path: Path, step: int) -> None:
    script = read_script(path)
    player = InMemory(script, step)
    play(script, player)
    check_taken(script, player.taken(0), exact=True)
    check_secrets(player.lines())


@pytest.fixture
def over_socket() -> Iterator[Callable[[Script], OverSocket]]:
    opened: list[OverSocket] = []

    def connect(script: Script) -> OverSocket:
        opened.append(OverSocket(script))
        return opened[-1]

    yield connect
    for player in opened:
        player.close()


@pytest.mark.parametrize("path", NAMED)
def test_over_a_socket(path: Path, over_socket: Callable[[Script], OverSocket]) -> None:
    script = read_script(path)
    player = over_socket(script)
    play(script, player)
    check_taken(script, player.taken(len(script.expected)), exact=False)
    check_secrets(player.lines())


def test_there_are_dialogues() -> None:
    assert len(FILES) >= 40
