"""A host with one account and IMAP sessions on it without sockets, for the tests of the session."""

from __future__ import annotations

from datetime import UTC, datetime

from credentials import Passwords
from fakemail.clock import VirtualClock
from fakemail.imap.server_kinds import SERVER_KINDS, ImapProfile
from fakemail.imap.session import ImapSession
from fakemail.model.host import HostOptions, Security, Service
from fakemail.model.host import HostSpec as ModelHost
from fakemail.store.account import AccountStore
from fakemail.store.mailstore import MailStore
from fakemail.types.address import address
from fakemail.types.channel import Channel
from fakemail.types.peer import Peer
from fakemail.types.seeded_random import SeededRandom

CHANNEL = Channel("TLSv1.3", "TLS_AES_128_GCM_SHA256", end_point=b"x" * 32)


class Host(Passwords):
    """A host with one account, who is told what its sessions record."""

    def __init__(self, kind: str = "default", **options: object) -> None:
        self.chance = SeededRandom(1)
        self.credentials = self
        self.clock = VirtualClock(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
        imap = SERVER_KINDS[kind]
        self.store = MailStore(clock=self.clock, folders=lambda _: dict(imap.folders))
        self.account = self.store.account(address("bob@example.org"))
        host = ModelHost("imap.example.org", "203.0.113.1", "2001:db8::1", options=HostOptions(**options))  # type: ignore[arg-type]
        self.profile = ImapProfile(host, Service("imap", 143, Security.STARTTLS), imap)
        self.told: list[tuple[object, ...]] = []

    def open(self, login: str) -> AccountStore | None:
        return self.account

    def now(self) -> datetime:
        return self.clock.now()

    def password_of(self, login: str) -> str | None:
        return "s3cret" if login == "bob@example.org" else None

    def connect(self, channel: Channel | None = CHANNEL) -> ImapSession:
        peer = Peer("203.0.113.250", 50000, "app")
        session = ImapSession(self.profile, self, lambda *told: self.told.append(told), peer, channel)
        session.greet()
        return session

    def selected(self, name: str = "INBOX") -> ImapSession:
        session = self.connect()
        assert b" OK " in say(session, "in LOGIN bob@example.org s3cret")
        assert b" OK " in say(session, f"in SELECT {name}")
        return session


def say(session: ImapSession, line: str) -> bytes:
    """Send a line and take all that comes back."""
    out = session.feed(line.encode() + b"\r\n")
    while session.has_more:
        out += session.more()
    return out
