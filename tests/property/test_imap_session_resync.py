"""A client that comes back with what it knew: QRESYNC, and CHANGEDSINCE with VANISHED, make it know all (RFC 7162)."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from fakemail.clock import VirtualClock
from fakemail.imap.personality import PERSONALITIES, Profile
from fakemail.imap.session import Session
from fakemail.model.host import Host as ModelHost
from fakemail.model.host import Personality, Security, Service
from fakemail.store.account import AccountStore
from fakemail.store.mailstore import MailStore
from fakemail.terms.address import address
from fakemail.terms.channel import Channel
from fakemail.terms.ids import Chance
from fakemail.terms.peer import Peer

CHANNEL = Channel("TLSv1.3", "TLS_AES_128_GCM_SHA256", end_point=b"x" * 32)


class Host:
    """A host with one account, who is told what its sessions record."""

    def __init__(self, personality: str = "default", **traits: object) -> None:
        self.chance = Chance(1)
        self.credentials = self
        self.clock = VirtualClock(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
        imap = PERSONALITIES[personality]
        self.store = MailStore(clock=self.clock, folders=lambda _: dict(imap.folders))
        self.account = self.store.account(address("bob@example.org"))
        host = ModelHost("imap.example.org", "203.0.113.1", "2001:db8::1", personality=Personality(**traits))  # type: ignore[arg-type]
        self.profile = Profile(host, Service("imap", 143, Security.STARTTLS), imap)
        self.told: list[tuple[object, ...]] = []

    def open(self, login: str) -> AccountStore | None:
        return self.account

    def now(self) -> datetime:
        return self.clock.now()

    def password_of(self, login: str) -> str | None:
        return "s3cret" if login == "bob@example.org" else None

    def token_owner(self, token: str) -> str | None:
        return None

    def owner_of_certificate(self, subject: str) -> str | None:
        return None

    def may_act_as(self, authentication_id: str, authorization_id: str) -> bool:
        return False

    def connect(self, channel: Channel | None = CHANNEL) -> Session:
        peer = Peer("203.0.113.250", 50000, "app")
        session = Session(self.profile, self, lambda *told: self.told.append(told), peer, channel)
        session.greet()
        return session

    def selected(self, name: str = "INBOX") -> Session:
        session = self.connect()
        assert b" OK " in say(session, "in LOGIN bob@example.org s3cret")
        assert b" OK " in say(session, f"in SELECT {name}")
        return session


def say(session: Session, line: str) -> bytes:
    """Send a line and take all that comes back."""
    out = session.feed(line.encode() + b"\r\n")
    while session.has_more:
        out += session.more()
    return out


FLAGS = ("\\Seen", "\\Flagged", "Work")
# What others do meanwhile: deliver, change a flag of the nth message, expunge the nth, move the nth away.
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["deliver", "flag", "expunge", "move"]), st.integers(0, 30), st.sampled_from(FLAGS)
    ),
    max_size=12,
)


class Cache:
    """What a client keeps between two connections: flags by uid, and where it stood."""

    def __init__(self) -> None:
        self.flags: dict[int, frozenset[str]] = {}
        self.modseq = 1

    def hear(self, lines: list[str]) -> None:
        for line in lines:
            if found := re.match(r"\* VANISHED (?:\(EARLIER\) )?(\S+)", line):
                for part in found[1].split(","):
                    first, _, last = part.partition(":")
                    for uid in range(int(first), int(last or first) + 1):
                        self.flags.pop(uid, None)
            elif found := re.match(r"\* \d+ FETCH \(UID (\d+) FLAGS \((.*?)\) MODSEQ", line):
                self.flags[int(found[1])] = frozenset(found[2].split()) - {"\\Recent"}
            elif found := re.search(r"\[HIGHESTMODSEQ (\d+)\]", line):
                self.modseq = int(found[1])


def lines_of(session: Session, command: str) -> list[str]:
    lines = say(session, command).decode().split("\r\n")[:-1]
    assert " OK" in lines[-1], lines
    return lines


def live(host: Host, steps: list[tuple[str, int, str]]) -> None:
    session = host.selected()
    for what, place, flag in steps:
        count = len(host.account.inbox)
        if what == "deliver" or not count:
            host.account.inbox.append(b"Subject: new\r\n\r\n")
            continue
        say(session, "n NOOP")
        number = place % count + 1
        if what == "flag":
            sign = "-" if place % 3 == 0 else "+"
            say(session, f"s STORE {number} {sign}FLAGS ({flag})")
        elif what == "expunge":
            say(session, f"d STORE {number} +FLAGS.SILENT (\\Deleted)")
            say(session, "e EXPUNGE")
        else:
            say(session, f"m MOVE {number} Trash")


def truth(host: Host) -> dict[int, frozenset[str]]:
    return {message.uid: message.flags for message in host.account.inbox}


@settings(max_examples=60, deadline=None)
@given(st.lists(STEPS, min_size=1, max_size=5))
def test_coming_back_with_qresync(visits: list[list[tuple[str, int, str]]]) -> None:
    host = Host()
    cache = Cache()
    for steps in visits:
        live(host, steps)
        session = host.connect()
        say(session, "a LOGIN bob@example.org s3cret")
        say(session, "b ENABLE QRESYNC")
        validity = host.account.inbox.uid_validity
        cache.hear(lines_of(session, f"c SELECT INBOX (QRESYNC ({validity} {cache.modseq}))"))
        assert cache.flags == truth(host)
        session.close()


@settings(max_examples=40, deadline=None)
@given(st.lists(STEPS, min_size=1, max_size=4), st.booleans())
def test_staying_and_asking(visits: list[list[tuple[str, int, str]]], by_fetch: bool) -> None:
    host = Host()
    cache = Cache()
    session = host.connect()
    say(session, "a LOGIN bob@example.org s3cret")
    say(session, "b ENABLE QRESYNC")
    cache.hear(lines_of(session, "c SELECT INBOX"))
    for steps in visits:
        before = cache.modseq
        live(host, steps)
        if by_fetch:
            lines_of(session, "d NOOP")
            cache.hear(lines_of(session, f"e UID FETCH 1:* (FLAGS) (CHANGEDSINCE {before} VANISHED)"))
            cache.modseq = host.account.inbox.highest_modseq
        else:
            cache.hear(lines_of(session, "d NOOP"))
            for uid in truth(host).keys() - cache.flags.keys():  # EXISTS tells of new ones by number only
                cache.hear(lines_of(session, f"e UID FETCH {uid} (FLAGS MODSEQ)"))
        assert cache.flags == truth(host)
