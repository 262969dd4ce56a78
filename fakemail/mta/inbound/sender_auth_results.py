"""Results of SPF, DKIM, DMARC and ARC for received mail: made when it came, or when they are asked for.

Most mail is never looked at, so a check that cannot change what becomes of a message waits until a test looks at
its result. The answer must be the same then as it would have been at once: every delivery notes which state of
the DNS it came under, and a state that mail came under is kept when the DNS changes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from fakemail.dns.lookup import LookupAnswer, lookup
from fakemail.dns.names import name_key
from fakemail.dns.records import LateRecord
from fakemail.environment import Environment
from fakemail.errors import DeclarationError
from fakemail.message.envelope import Envelope
from fakemail.message.headers import body_offset, split_fields
from fakemail.model.host import HostOptions
from fakemail.policy.sender_facts import Resolve
from fakemail.policy.transaction_facts import TransactionFacts
from fakemail.policy.txt import joined
from fakemail.store.message import StoredMessage
from fakemail.zones.name_server_faults import NameServerFaults
from fakemail.zones.zone_provisioning import LazyZoneProvisioning

if TYPE_CHECKING:
    from fakemail.policy.authentication import SenderAuthentication
    from fakemail.policy.results import AuthResult

# What a DMARC record has in it that asks for more than reports, in whatever case.
_DEMAND: Final = re.compile(r"=[ \t]*(?:quarantine|reject)", re.IGNORECASE)


class SenderAuthResults:
    """The results for all mail of one fake internet."""

    def __init__(
        self,
        environment: Environment,
        *,
        zones: LazyZoneProvisioning,
        dns_faults: NameServerFaults,
        resolver: Callable[[str], Resolve],
    ) -> None:
        """``resolver`` is that of a host, which answers at once."""
        self._environment = environment
        self._zones = zones
        self._dns_faults = dns_faults
        self._resolver = resolver
        self._known: dict[tuple[str, str], SenderAuthentication] = {}
        """By host and queue id: what was looked at, when it came or later."""
        self._is_demanded = False
        self._looked_through = -1

    def _resolve_later(self, state: int) -> Resolve:
        """Answers as they were then, and not on record, since no host asks anything now."""

        def resolve(name: str, type: str) -> LookupAnswer:
            try:
                key = name_key(name)
            except DeclarationError:
                return LookupAnswer("NXDOMAIN", "NXDOMAIN")
            return lookup(self._zones.at(state), key, type)

        return resolve

    # When mail comes -----------------------------------------------------------------------------

    @property
    def is_demanded(self) -> bool:
        """Whether the DMARC record of any domain asks for more than reports, so that mail must be looked at.

        A fake internet into whose DNS nobody has looked has only the records that every domain begins with.
        """
        zones = self._zones.published
        if zones is not None and self._looked_through != zones.revision:
            self._looked_through = zones.revision
            self._is_demanded = any(
                _demands(joined(each.value))
                for each in zones.records(type="TXT")
                if not isinstance(each, LateRecord)  # a key that was not needed so far
            )
        return self._is_demanded

    def is_urgent(self, host: str) -> bool:
        """Whether a host gets answers now that cannot be found out later: by faults of the DNS, or from its cache."""
        habit = self._environment.world.hosts[host].options.dns_cache
        return habit == "for_ttl" or self._dns_faults.is_at_work

    def of_facts(self, facts: TransactionFacts) -> SenderAuthentication:
        """The results for a message while policies are evaluated."""
        from fakemail.policy.authentication import SenderAuthentication
        from fakemail.policy.dmarc_record import Method

        host = self._environment.world.hosts.get(facts.host)
        options = host.options if host is not None else HostOptions()
        probability = self._environment.random.probability
        return SenderAuthentication(
            facts,
            method=Method(options.dmarc_discovery),
            own_suffixes=options.public_suffixes,
            draw=lambda: int(probability() * 100),
        )

    def facts_of(self, host: str, envelope: Envelope, content: bytes) -> TransactionFacts:
        """The facts of a message at its host, now, for what looks at it outside of its session."""
        origin = envelope.origin
        facts = TransactionFacts(
            host,
            origin.peer,
            self._environment.clock.now(),
            self._resolver(host),
            helo=origin.helo,
            login=origin.login,
            sender=envelope.sender,
            recipients=envelope.addresses,
            content=content,
        )
        facts.authentication = self.of_facts(facts)
        return facts

    def keep(self, host: str, queue_id: str, found: SenderAuthentication) -> None:
        """Keep what was found out about a message that a host has taken, and what can be found out yet."""
        from fakemail.policy.authentication import complete, freeze

        if self.is_urgent(host):
            complete(found)
        freeze(found, self._resolve_later(self._zones.use_state()))
        self._known[host, queue_id] = found

    def hold(self, host: str, queue_id: str, envelope: Envelope, content: bytes) -> None:
        """A message is here that may lie in the queue for a while before it is delivered: note how it came."""
        self.keep(host, queue_id, self.facts_of(host, envelope, content).authentication)

    def made(self, host: str, queue_id: str) -> tuple[AuthResult, ...]:
        """The results that are there for a message, without looking for more."""
        found = self._known.get((host, queue_id))
        if found is None:
            return ()
        from fakemail.policy.authentication import made

        return made(found)

    # When a test looks ---------------------------------------------------------------------------

    def of(self, stored: StoredMessage) -> SenderAuthentication | None:
        """The results for a message in a mailbox; ``None`` where no host has received it."""
        delivery = stored.delivery
        if delivery is None or delivery.envelope is None or not delivery.host:
            return None
        key = (delivery.host, delivery.queue_id)
        found = self._known.get(key)
        if found is None:
            origin = delivery.envelope.origin
            found = self.of_facts(
                TransactionFacts(
                    delivery.host,
                    origin.peer,
                    stored.internal_date,
                    self._resolve_later(delivery.dns_state),
                    helo=origin.helo,
                    sender=delivery.envelope.sender,
                    content=as_it_came(stored.raw),
                )
            )
            self._known[key] = found
        return found


def as_it_came(raw: bytes) -> bytes:
    """A delivered message without what its last host has put in front: Return-Path and Received (RFC 5321 §4.4)."""
    fields = split_fields(raw, 0, body_offset(raw))
    names = [field.name.lower() for field in fields[:2]]
    if names != ["return-path", "received"]:
        return raw
    return raw[raw.find(b"\n", fields[1].end) + 1 :]


def _demands(text: str) -> bool:
    """Whether a TXT record may be a DMARC record that asks for something; data given as bytes may be any."""
    return text.startswith("\\#") or ("DMARC1" in text and _DEMAND.search(text) is not None)
