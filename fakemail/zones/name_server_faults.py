"""Faults of the name server: asks its book, and has the answer spoiled for whoever asked, as far as they notice.

A host of the fake internet goes by the fake clock, on which no time passes while it waits: an answer that comes too
late for it, or never, is a timeout to it at once, and one that is only slow is no different from any other.
"""

from __future__ import annotations

from functools import cached_property, partial
from typing import TYPE_CHECKING

from fakemail.dns.codec import DnsQuestion
from fakemail.dns.lookup import LookupAnswer
from fakemail.dns.responder import DnsResponse, Spoil, Transport
from fakemail.faults import actions
from fakemail.faults.action import FaultAction
from fakemail.faults.context import FaultContext
from fakemail.faults.host_faults import HostFaults
from fakemail.types.peer import Peer
from fakemail.types.stage import Stage
from fakemail.zones.zone_provisioning import NAME_SERVER

if TYPE_CHECKING:
    from fakemail.faults.dns_injector import DnsFaultInjector
    from fakemail.runtime.simulation import Simulation


class NameServerFaults:
    """What goes wrong with the answers of the name server of one fake internet."""

    def __init__(self, internet: Simulation) -> None:
        self._internet = internet
        self._book: HostFaults = internet.faults.book(NAME_SERVER)

    @property
    def is_at_work(self) -> bool:
        """Whether something can go wrong with answers now."""
        return bool(self._book.active)

    @cached_property
    def _spoiler(self) -> DnsFaultInjector:
        from fakemail.faults.dns_injector import DnsFaultInjector  # most worlds never need it

        return DnsFaultInjector(lambda: self._internet.zones, self._internet.random)

    def spoils(self, address: str, port: int, transport: Transport) -> Spoil | None:
        """What may go wrong with an answer to whoever asks from there; ``None`` when nothing can."""
        if not self._book.active:
            return None
        return partial(self._spoil, self._internet.network.who(address, port), transport)

    def resolved(self, client: Peer, name: str, type: str, answer: LookupAnswer) -> LookupAnswer:
        """What a host makes of an answer to a question that it asks without a socket."""
        if not self._book.active:
            return answer
        action = self._decide(client, name, type, "udp")
        if isinstance(action, actions.truncate_answer):
            action = self._decide(client, name, type, "tcp")
        return answer if action is None else self._spoiler.resolved(action, name, type, answer)

    def _decide(self, client: Peer, name: str, type: str, transport: Transport) -> FaultAction | None:
        facts = FaultContext(client=client, service="dns", query=name, query_type=type, transport=transport)
        return self._book.decide(Stage.DNS_QUERY, facts)

    def _spoil(
        self, client: Peer, transport: Transport, question: DnsQuestion, answer: LookupAnswer
    ) -> DnsResponse | None:
        action = self._decide(client, question.name, question.type, transport)
        if action is None:
            return None
        spoiler = self._spoiler
        asking = self._internet.resolvers.asking(client.name)
        if asking is None:
            return spoiler.respond(action, question, answer, transport=transport)
        if spoiler.is_lost(action):
            asking.give_up(question.id)
        return spoiler.respond(action, question, answer, transport=transport, is_patient=False)
