"""Faults of the name server: what goes wrong with its answers, as far as the client can notice it.

A host of the fake internet goes by the fake clock, on which no time passes while it waits: an answer that comes too
late for it, or never, is a timeout to it at once, and one that is only slow is no different from any other.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, partial
from typing import TYPE_CHECKING, Protocol

from fakemail.dns.codec import DnsQuestion
from fakemail.dns.lookup import LookupAnswer
from fakemail.dns.responder import ChangeAnswer, DnsResponse, Transport
from fakemail.faults import actions
from fakemail.faults.action import FaultAction
from fakemail.faults.context import FaultContext
from fakemail.faults.host_faults import HostFaults
from fakemail.types.peer import Peer
from fakemail.types.seeded_random import SeededRandom
from fakemail.types.stage import Stage
from fakemail.zones.zone_provisioning import LazyZoneProvisioning

if TYPE_CHECKING:
    from fakemail.faults.dns_injector import DnsFaultInjector


class PatientResolver(Protocol):
    """Resolver of a host that waits for answers, and can be told that one will not come."""

    def give_up(self, question: int) -> None:
        """The answer to the question of that number is lost."""
        ...


class NameServerFaults:
    """Faults in the answers of the name server of one fake internet."""

    def __init__(
        self,
        *,
        random: SeededRandom,
        faults: HostFaults,
        zones: LazyZoneProvisioning,
        client_at: Callable[[str, int], Peer],
        resolver_of: Callable[[str], PatientResolver | None],
    ) -> None:
        """``client_at`` is the client at an address and port, ``resolver_of`` the resolver of a host that has asked."""
        self._random = random
        self._faults = faults
        self._zones = zones
        self._client_at = client_at
        self._resolver_of = resolver_of

    @property
    def is_at_work(self) -> bool:
        """Whether something can go wrong with answers now."""
        return bool(self._faults.active)

    @cached_property
    def _injector(self) -> DnsFaultInjector:
        from fakemail.faults.dns_injector import DnsFaultInjector  # most worlds never need it

        return DnsFaultInjector(lambda: self._zones.zones, self._random)

    def change_for(self, address: str, port: int, transport: Transport) -> ChangeAnswer | None:
        """The faults for an answer to a client at an address and port; ``None`` when there are none."""
        if not self._faults.active:
            return None
        return partial(self._changed, self._client_at(address, port), transport)

    def resolved(self, client: Peer, name: str, type: str, answer: LookupAnswer) -> LookupAnswer:
        """The answer that a host gets to a question that it asks without a socket."""
        if not self._faults.active:
            return answer
        action = self._decide(client, name, type, "udp")
        if isinstance(action, actions.truncate_answer):
            action = self._decide(client, name, type, "tcp")
        return answer if action is None else self._injector.resolved(action, name, type, answer)

    def _decide(self, client: Peer, name: str, type: str, transport: Transport) -> FaultAction | None:
        context = FaultContext(client=client, service="dns", query=name, query_type=type, transport=transport)
        return self._faults.decide(Stage.DNS_QUERY, context)

    def _changed(
        self, client: Peer, transport: Transport, question: DnsQuestion, answer: LookupAnswer
    ) -> DnsResponse | None:
        action = self._decide(client, question.name, question.type, transport)
        if action is None:
            return None
        injector = self._injector
        asking = self._resolver_of(client.name)
        if asking is None:
            return injector.respond(action, question, answer, transport=transport)
        if injector.is_lost(action):
            asking.give_up(question.id)
        return injector.respond(action, question, answer, transport=transport, is_patient=False)
