"""The decisions of a host that nobody asked to judge anything, for tests of the SMTP session without an engine."""

from __future__ import annotations

from fakemail.terms.channel import Channel
from fakemail.terms.verdict import ACCEPTED, Verdict


class Unjudging:
    """The questions about the client and about DATA, all answered with yes."""

    def check_client(self) -> Verdict | None:
        return ACCEPTED

    def check_hello(self, name: str, channel: Channel | None) -> Verdict | None:
        return ACCEPTED

    def check_data(self) -> Verdict | None:
        return ACCEPTED
