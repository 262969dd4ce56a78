"""What a host knows about a message that it has received, for whoever has to look at it outside of the session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fakemail.message.envelope import Envelope
from fakemail.policy.transaction_facts import TransactionFacts
from fakemail.runtime.resolvers import Resolver

if TYPE_CHECKING:
    from fakemail.runtime.simulation import Simulation


def facts_of(internet: Simulation, host: str, envelope: Envelope, content: bytes) -> TransactionFacts:
    """The facts of a message at its host, now."""
    origin = envelope.origin
    facts = TransactionFacts(
        host,
        origin.peer,
        internet.clock.now(),
        Resolver(internet, host),
        helo=origin.helo,
        login=origin.login,
        sender=envelope.sender,
        recipients=envelope.addresses,
        content=content,
    )
    facts.authentication = internet.authentications.of_facts(facts)
    return facts
