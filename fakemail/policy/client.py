"""Checks of who is connecting: lists in the DNS, the name of the address, the name in HELO, limits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from fakemail.model.policy import Outcome, Policy
from fakemail.policy.chain import Link
from fakemail.policy.facts import Facts
from fakemail.policy.finding import Finding, Status
from fakemail.terms.reason import Reason
from fakemail.terms.stage import Stage


def _connections(facts: Facts, policy: Policy) -> Iterator[Finding]:
    most, there = policy.max_connections, facts.surroundings.open_connections
    if most is not None and there > most:
        sentence = f"{facts.peer.address} has {there} connections, of {most} at most"
        yield Finding("max_connections", Status.POLICY, sentence, Reason.TOO_MANY_CONNECTIONS)


LINKS: Final = (Link("max_connections", Stage.SMTP_BANNER, _connections, otherwise=Outcome.DEFER),)
