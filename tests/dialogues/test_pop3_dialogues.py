r"""Plays the POP3 dialogues: in memory, octet by octet in memory, and over a socket.

The files are as those of SMTP (see ``test_dialogues.py``), and besides:

``@ port NAME``  pop3 (the default) or pop3s
``M: text``      a message that is in the mailbox of bob, with escapes
``S: text``      a line with a status, ``...`` stands for anything; ``S| text`` is a line of what follows it
``=> text``      a message that is there in the end; ``=> nothing`` if none is. Without one nobody looks.
``{apop:secret}``  the digest of the banner's timestamp and that secret
"""

from __future__ import annotations

import base64
import hashlib
import re
import socket
import ssl
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import pytest

from credentials import Passwords
from fakemail.clock import VirtualClock
from fakemail.events.kinds import CommandCompleted
from fakemail.model.host import SERVICES, HostOptions, HostSpec, Security
from fakemail.model.world import WorldSpec
from fakemail.pop3.capabilities import Pop3Profile
from fakemail.pop3.session import Pop3Session
from fakemail.runtime.protocols import READABLE
from fakemail.runtime.simulation import Simulation
from fakemail.sasl.passwords import cram_md5_response
from fakemail.store.account import AccountStore
from fakemail.store.mailbox import Mailbox
from fakemail.tls.authority import process_authority
from fakemail.types.address import Address, address
from fakemail.types.channel import Channel
from fakemail.types.peer import Peer
from fakemail.types.seeded_random import SeededRandom
from fakemail.wire.loop import loop_thread

FILES = sorted((Path(__file__).parent / "pop3").glob("*.txt"))
PASSWORD = "s3cret"
PATIENCE = 20.0  # real seconds, until a test that would hang fails instead
BOB = address("bob@example.org")
PEER = Peer("203.0.113.250", 50000, "app")
CHANNEL = Channel("TLSv1.3", "TLS_AES_128_GCM_SHA256", end_point=b"x" * 32)


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

    def of(self, kind: str) -> list[str]:
        return [step.text for step in self.steps if step.kind == kind]


def read_script(path: Path) -> Script:
    steps: list[Step] = []
    port = "pop3"
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
        elif kind in ("C:", "C+", "C=", "S:", "S|", "S.", "TLS", "=>", "M:"):
            steps.append(Step(number, kind, text))
        else:
            raise ValueError(f"{path.name}:{number}: what is {line!r}?")
    return Script(steps, port, replace(HostOptions(), **fields))


def unescape(text: str) -> bytes:
    simple = {"r": b"\r", "n": b"\n", "\\": b"\\"}
    parts = re.split(r"\\(x[0-9a-f]{2}|.)", re.sub(r"\{(.)\*(\d+)\}", lambda m: m[1] * int(m[2]), text))
    return b"".join(
        part.encode() if place % 2 == 0 else simple.get(part) or bytes.fromhex(part[1:])
        for place, part in enumerate(parts)
    )


def octets_of(text: str, banner: str, last: str) -> bytes:
    """The octets that a client's line stands for."""

    def apop(match: re.Match[str]) -> str:
        stamp = re.search("<.*>", banner)
        assert stamp is not None
        return hashlib.md5((stamp[0] + match[1]).encode()).hexdigest()

    def cram(match: re.Match[str]) -> str:
        challenge = base64.b64decode(last.removeprefix("+ "))
        return base64.b64encode(cram_md5_response(match[1], match[2], challenge)).decode()

    text = re.sub(r"\{b64:(.*?)\}", lambda match: base64.b64encode(unescape(match[1])).decode(), text)
    text = re.sub(r"\{cram:(.*?):(.*?)\}", cram, text)
    return unescape(re.sub(r"\{apop:(.*?)\}", apop, text))


def populate(world: WorldSpec, options: HostOptions) -> HostSpec:
    world.add_domain("example.org")
    for local in ("bob", "ann", "jörg"):
        world.add_account(Address(local, "example.org"), PASSWORD)
    domain = world.ensure_reading_host("example.org", READABLE)
    return world.change_host(replace(world.host(domain.imap_host), options=options))


class Player(Protocol):
    """Something that a dialogue can be played to."""

    def send(self, octets: bytes) -> None: ...
    def line(self) -> str: ...
    def start_tls(self) -> None: ...
    def leftovers(self) -> str: ...
    def inbox(self) -> Mailbox: ...
    def commands(self) -> list[str]: ...
    def close(self) -> None: ...


class InMemory(Passwords):
    """A session without a socket; ``step`` octets are given to it at a time, 0 for all at once."""

    def __init__(self, script: Script, step: int) -> None:
        self._world = WorldSpec()
        host = populate(self._world, script.options)
        service = SERVICES[script.port]
        self.chance = SeededRandom(1)
        self.credentials = self
        self._mailboxes = AccountStore("bob@example.org")
        self._lines: list[str] = []
        for text in script.of("M:"):
            self.inbox().append(unescape(text))
        self._session = Pop3Session(
            Pop3Profile(host, service), self, lambda stage, line, *rest: self._lines.append(line), PEER
        )
        if service.security is Security.TLS:
            self._session.secured(CHANNEL)
        self._step = step
        self._said = self._session.greet()

    def account(self, login: str) -> AccountStore:
        return self._mailboxes if login == str(BOB) else AccountStore(login)

    def admits(self, login: str, delay: int) -> bool:
        return True

    def password_of(self, login: str) -> str | None:
        account = self._world.accounts.get(login)
        return None if account is None else account.password

    def send(self, octets: bytes) -> None:
        assert not self._said, f"not expected before the client speaks: {self._said!r}"
        step = self._step or len(octets)
        for start in range(0, len(octets), step):
            self._said += self._session.feed(octets[start : start + step])
            while self._session.has_more:
                self._said += self._session.more()

    def line(self) -> str:
        line, end, self._said = self._said.partition(b"\r\n")
        assert end, f"a line is expected, and there is {line!r}"
        return line.decode()

    def start_tls(self) -> None:
        assert self._session.wants_tls
        self._session.secured(CHANNEL)

    def leftovers(self) -> str:
        assert not self._session.closing or not self._mailboxes.is_locked
        return self._said.decode()

    def inbox(self) -> Mailbox:
        return self._mailboxes.inbox

    def commands(self) -> list[str]:
        return self._lines

    def close(self) -> None:
        self._session.close()


class OverSocket:
    """A running fake internet, and a plain blocking socket."""

    def __init__(self, script: Script) -> None:
        self._loop = loop_thread()
        self._internet = Simulation(seed=1, clock=VirtualClock())
        self._loop.run(self._start(script))
        target = self._internet.hosts.running["mail.example.org"].ports[script.port].endpoint
        self._socket: socket.socket = socket.create_connection(target, timeout=PATIENCE)
        self._said = b""
        if script.port == "pop3s":
            self.start_tls()

    async def _start(self, script: Script) -> None:
        await self._internet.start()
        world = self._internet.world
        populate(world, script.options)
        await self._internet.hosts.run_domain(world.domain("example.org"))
        await self._internet.hosts.run_reading_host("example.org")
        for text in script.of("M:"):
            self._internet.delivery_agent.put(BOB, unescape(text))

    def send(self, octets: bytes) -> None:
        assert not self._said, f"not expected before the client speaks: {self._said!r}"
        self._socket.sendall(octets)

    def _read(self) -> bool:
        octets = self._socket.recv(65536)
        self._said += octets
        return bool(octets)

    def line(self) -> str:
        while b"\r\n" not in self._said:
            assert self._read(), f"a line is expected, and the server closed the connection: {self._said!r}"
        line, _, self._said = self._said.partition(b"\r\n")
        return line.decode()

    def start_tls(self) -> None:
        context = process_authority().client_context()
        self._socket = context.wrap_socket(self._socket, server_hostname="mail.example.org")

    def leftovers(self) -> str:
        try:
            if isinstance(self._socket, ssl.SSLSocket):
                self._socket = self._socket.unwrap()
            self._socket.shutdown(socket.SHUT_WR)
            while self._read():
                pass
        except OSError:
            pass  # the server was first
        return self._said.decode()

    def inbox(self) -> Mailbox:
        return self._internet.store.mailbox(BOB)

    def commands(self) -> list[str]:
        return [event.line for event in self._internet.log if isinstance(event, CommandCompleted)]

    def close(self) -> None:
        self._socket.close()
        self._loop.run(self._internet.stop())
        self._internet.supervisor.raise_errors()


def matches(pattern: str, line: str) -> bool:
    return re.fullmatch(re.escape(pattern).replace(re.escape("..."), ".*"), line) is not None


def play(script: Script, player: Player) -> None:
    banner = last = ""
    steps = iter([*(step for step in script.steps if step.kind != "M:"), Step(0, "end", "")])
    step = next(steps)
    while step.kind != "end":
        if step.kind.startswith("C"):
            segment = b""
            while True:
                segment += octets_of(step.text, banner, last) + (b"" if step.kind == "C=" else b"\r\n")
                step = next(steps)
                if step.kind not in ("C+", "C="):
                    break
            player.send(segment)
            continue
        if step.kind in ("S:", "S|"):
            last = player.line()
            banner = banner or last
            expected = step.text if step.kind == "S:" else unescape(step.text).decode()
            assert matches(expected, last), f"line {step.number}: expected {expected!r}, came {last!r}"
        elif step.kind == "TLS":
            player.start_tls()
        step = next(steps)
    assert player.leftovers() == ""
    expected_mail = [unescape(text) for text in script.of("=>") if text != "nothing"]
    if script.of("=>"):
        assert [message.raw for message in player.inbox()] == expected_mail


@pytest.mark.parametrize("how", ["at once", "octet by octet", "over a socket"])
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_dialogue(path: Path, how: str) -> None:
    script = read_script(path)
    player: Player = OverSocket(script) if how == "over a socket" else InMemory(script, int(how != "at once"))
    try:
        play(script, player)
        assert not any(PASSWORD in line for line in player.commands())
    finally:
        player.close()


def test_there_are_dialogues() -> None:
    assert len(FILES) > 10
