"""What a host knows about a message that it has received, for whoever has to look at it outside of the session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fakemail.engine.resolving import Resolver
from fakemail.mail.envelope import Envelope
from fakemail.policy.facts import Facts

if TYPE_CHECKING:
    from fakemail.engine.internet import Internet


def facts_of(internet: Internet, host: str, envelope: Envelope, content: bytes) -> Facts:
    """The facts of a message at its host, now."""
    origin = envelope.origin
    facts = Facts(
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
