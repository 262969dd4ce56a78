"""The decisions of a host that nobody asked to judge anything, for tests of the SMTP session without an engine."""

from __future__ import annotations

from fakemail.smtp.xclient import Introduction
from fakemail.types.channel import Channel
from fakemail.types.peer import Peer
from fakemail.types.verdict import ACCEPTED, Verdict


class Unjudging:
    """The questions about the client and about DATA, all answered with yes."""

    def introduce(self, said: Introduction, peer: Peer) -> Peer:
        return Peer(said.address or peer.address, said.port or peer.port, said.name or peer.name)

    def check_client(self) -> Verdict | None:
        return ACCEPTED

    def check_hello(self, name: str, channel: Channel | None) -> Verdict | None:
        return ACCEPTED

    def check_data(self) -> Verdict | None:
        return ACCEPTED
