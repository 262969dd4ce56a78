"""POP3 whatever comes: any chunking, any garbage, and a maildrop against a naive model."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from credentials import Passwords
from fakemail.message.headers import body_offset
from fakemail.model.host import POP3, HostOptions, HostSpec
from fakemail.pop3.capabilities import Pop3Profile
from fakemail.pop3.commands import Pop3Reply
from fakemail.pop3.maildrop import end_of_lines, multiline
from fakemail.pop3.session import Pop3Session
from fakemail.store.account import AccountStore
from fakemail.types.peer import Peer
from fakemail.types.reason import Reason
from fakemail.types.seeded_random import SeededRandom
from fakemail.types.stage import Stage

PEER = Peer("203.0.113.250", 50000, "app")
HOST = HostSpec("mail.example.org", "192.0.2.1", "2001:db8::1", (POP3,), HostOptions(auth_in_clear=True))


class Backend(Passwords):
    """One account, ``bob``."""

    def __init__(self) -> None:
        self.chance = SeededRandom(1)
        self.credentials = self
        self.mailboxes = AccountStore("bob@example.org")

    def account(self, login: str) -> AccountStore:
        return self.mailboxes

    def admits(self, login: str, delay: int) -> bool:
        return True

    def password_of(self, login: str) -> str | None:
        return "s3cret" if login == "bob" else None


class Desk:
    """A session with a record."""

    def __init__(self, backend: Backend) -> None:
        self.record: list[tuple[Stage, str, Pop3Reply, int, int]] = []
        self.session = Pop3Session(
            Pop3Profile(HOST, POP3), backend, lambda *told: self.record.append(told), PEER
        )
        self.session.greet()

    def feed(self, octets: bytes) -> bytes:
        out = self.session.feed(octets)
        while self.session.has_more:
            out += self.session.more()
        return out

    def say(self, line: str) -> list[str]:
        return self.feed(f"{line}\r\n".encode()).decode().split("\r\n")[:-1]


MAILS = [b"Subject: one\r\n\r\n.\r\n..two\r\n", b"", b"Subject: no end", b"x\n.\n" * 20]

LINES = st.one_of(
    st.sampled_from(
        [
            "CAPA", "USER bob", "PASS s3cret", "PASS no", "STAT", "LIST", "UIDL", "RETR 1", "RETR 2", "TOP 1 1",
            "DELE 1", "RSET", "NOOP", "AUTH PLAIN", "AUTH PLAIN AGJvYgBzM2NyZXQ=", "*", "AGJvYgBzM2NyZXQ=",
            "AUTH LOGIN", "UTF8", "LANG", "QUIT", "APOP bob 0",
        ]
    ).map(str.encode),
    st.binary(max_size=300),
).map(lambda line: line.replace(b"\n", b"") + b"\r\n")  # fmt: skip


@settings(max_examples=75, deadline=None)
@given(st.lists(LINES, max_size=12), st.lists(st.integers(1, 40), min_size=1, max_size=20))
def test_any_chunking_gives_the_same_octets_and_the_same_record(lines: list[bytes], sizes: list[int]) -> None:
    whole, pieces = Backend(), Backend()
    for mail in MAILS:
        whole.mailboxes.inbox.append(mail)
        pieces.mailboxes.inbox.append(mail)
    octets = b"USER bob\r\nPASS s3cret\r\n" + b"".join(lines)
    first, second = Desk(whole), Desk(pieces)
    expected = first.feed(octets)
    said, place = b"", 0
    while place < len(octets):
        size = sizes[place % len(sizes)]
        said += second.feed(octets[place : place + size])
        place += size
    assert said == expected
    assert second.record == first.record
    assert len(whole.mailboxes.inbox) == len(pieces.mailboxes.inbox)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.binary(max_size=600), max_size=10))
def test_garbage_gets_an_answer_and_never_an_exception(chunks: list[bytes]) -> None:
    desk = Desk(Backend())
    for chunk in chunks:
        for line in desk.feed(chunk).split(b"\r\n")[:-1]:
            assert re.match(rb"(\+OK|-ERR|\+) |[A-Z0-9-]+|\.", line), line
    assert all("s3cret" not in line for _, line, *_ in desk.record)


OCTETS = st.lists(st.sampled_from([b".", b"\r\n", b"\n", b"\r", b"a", b""]), max_size=40).map(b"".join)


@given(OCTETS)
def test_what_is_stuffed_can_be_unstuffed(raw: bytes) -> None:
    sent = b"".join(multiline(raw, len(raw)))
    lines = sent.split(b"\n")[:-1]  # as a client does that reads up to a line feed
    assert lines.index(b".\r") == len(lines) - 1
    found = b"".join((line[1:] if line.startswith(b".") else line) + b"\n" for line in lines[:-1])
    assert found == (raw if raw.endswith(b"\r\n") or not raw else raw + b"\r\n")


@given(OCTETS, st.integers(0, 20))
def test_lines_are_counted_as_they_are_split(raw: bytes, number: int) -> None:
    start = body_offset(raw)
    lines = re.findall(rb"[^\n]*\n|[^\n]+$", raw[start:])
    assert end_of_lines(raw, start, number) == start + sum(map(len, lines[:number]))


class Maildrop(RuleBasedStateMachine):
    """A POP3 session beside somebody who delivers and somebody who expunges."""

    def __init__(self) -> None:
        super().__init__()
        self.backend = Backend()
        self.inbox = self.backend.mailboxes.inbox
        self.desk = Desk(self.backend)
        self.serial = 0
        self.there: dict[int, bytes] = {}
        self.names: dict[int, str] = {}
        self.drop: list[tuple[int, bytes]] | None = None
        self.marked: set[int] = set()

    @rule()
    def deliver(self) -> None:
        self.serial += 1
        raw = b"Subject: %d\r\n\r\n" % self.serial + b".line\r\n" * self.serial
        self.there[self.inbox.append(raw).uid] = raw

    @precondition(lambda self: self.there)
    @rule(data=st.data())
    def expunge(self, data: st.DataObject) -> None:
        uid = data.draw(st.sampled_from(sorted(self.there)))
        self.inbox.expunge([uid])
        del self.there[uid]

    @precondition(lambda self: self.drop is None)
    @rule()
    def log_in(self) -> None:
        self.desk.say("USER bob")
        assert self.desk.say("PASS s3cret")[0].startswith(f"+OK {len(self.there)} messages")
        self.drop = sorted(self.there.items())
        self.marked = set()

    @precondition(lambda self: self.drop)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        number = data.draw(st.integers(1, len(self.drop or ())))
        answer = self.desk.say(f"DELE {number}")[0]
        assert answer.startswith("-ERR" if number in self.marked else "+OK")
        self.marked.add(number)

    @precondition(lambda self: self.drop)
    @rule(data=st.data())
    def read(self, data: st.DataObject) -> None:
        number = data.draw(st.integers(1, len(self.drop or ())))
        uid, raw = (self.drop or [])[number - 1]
        said = self.desk.say(f"RETR {number}")
        if number in self.marked or uid not in self.there:
            assert said[0].startswith("-ERR")
            return
        assert said[0] == f"+OK {len(raw)} octets"
        lines = [line[1:] if line.startswith(".") else line for line in said[1:-1]]
        assert "".join(f"{line}\r\n" for line in lines).encode() == raw

    @precondition(lambda self: self.drop is not None)
    @rule()
    def reset(self) -> None:
        self.desk.say("RSET")
        self.marked = set()

    @precondition(lambda self: self.drop is not None)
    @rule()
    def look(self) -> None:
        left = [(n, raw) for n, (_, raw) in enumerate(self.drop or [], 1) if n not in self.marked]
        assert self.desk.say("STAT")[0] == f"+OK {len(left)} {sum(len(raw) for _, raw in left)}"
        assert self.desk.say("LIST")[1:-1] == [f"{n} {len(raw)}" for n, raw in left]
        for line in self.desk.say("UIDL")[1:-1]:
            number, name = line.split()
            uid = (self.drop or [])[int(number) - 1][0]
            assert self.names.setdefault(uid, name) == name
        assert len(set(self.names.values())) == len(self.names)

    @precondition(lambda self: self.drop is not None)
    @rule()
    def quit(self) -> None:
        assert self.desk.say("QUIT")[0].startswith("+OK")
        for number in self.marked:
            self.there.pop((self.drop or [])[number - 1][0], None)
        self._connect()

    @precondition(lambda self: self.drop is not None)
    @rule(how=st.sampled_from(["lost", "timeout"]))
    def break_off(self, how: str) -> None:
        if how == "lost":
            self.desk.session.close()
        else:
            assert self.desk.session.hang_up(Reason.TIMEOUT) == b""
        self._connect()

    def _connect(self) -> None:
        self.desk, self.drop, self.marked = Desk(self.backend), None, set()

    @invariant()
    def mailbox_is_as_it_should_be(self) -> None:
        assert {message.uid: message.raw for message in self.inbox} == self.there
        assert self.backend.mailboxes.is_locked is (self.drop is not None)


TestMaildrop = Maildrop.TestCase
TestMaildrop.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
