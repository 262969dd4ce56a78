"""A host that accepts, for tests of the SMTP session without a simulation."""

from __future__ import annotations

from credentials import Passwords
from fakemail.message.envelope import Envelope
from fakemail.smtp.backend import Receipt
from fakemail.smtp.xclient import Introduction
from fakemail.types.address import Address, Path
from fakemail.types.channel import Channel
from fakemail.types.peer import Peer
from fakemail.types.reason import Reason
from fakemail.types.seeded_random import SeededRandom
from fakemail.types.verdict import ACCEPTED, Verdict, refused


class AcceptingBackend(Passwords):
    """Takes everything for everybody but ``gone@...``."""

    def __init__(self) -> None:
        self.chance = SeededRandom(1)
        self.credentials = self
        self.taken: list[tuple[Envelope, bytes]] = []

    def introduce(self, said: Introduction, peer: Peer) -> Peer:
        return Peer(said.address or peer.address, said.port or peer.port, said.name or peer.name)

    def check_client(self) -> Verdict | None:
        return ACCEPTED

    def check_hello(self, name: str, channel: Channel | None) -> Verdict | None:
        return ACCEPTED

    def check_sender(self, sender: Path, login: str) -> Verdict | None:
        return ACCEPTED

    def check_recipient(self, recipient: Address, login: str) -> Verdict | None:
        return refused(Reason.NO_SUCH_USER) if recipient.local == "gone" else ACCEPTED

    def check_data(self) -> Verdict | None:
        return ACCEPTED

    def take(self, envelope: Envelope, content: bytes) -> Receipt | None:
        self.taken.append((envelope, content))
        return Receipt(ACCEPTED, "Q1", "queued as Q1")

    def verify(self, name: str) -> tuple[Address, ...]:
        return ()

    def expand(self, name: str) -> tuple[Address, ...]:
        return ()
