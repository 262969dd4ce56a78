"""The resolvers of the hosts: how each asks the fake DNS, what it remembers, and when it forgets.

Mail on its way is asked for with :class:`~fakemail.wire.dns_client.DnsClient` over a real socket; a decision in the
middle of a session asks a :class:`Resolver`, which answers at once. Both are on record.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from fakemail.dns.cache import Cache, time_to_live
from fakemail.dns.lookup import LookupAnswer, lookup
from fakemail.dns.names import name_key
from fakemail.errors import DeclarationError
from fakemail.events.kinds import Query
from fakemail.model.addresses import APP_IPV4
from fakemail.runtime.network import Endpoint
from fakemail.types.peer import Peer
from fakemail.wire.dns_client import ClientAnswer, DnsClient
from fakemail.zones.zone_provisioning import NAME_SERVER

if TYPE_CHECKING:
    from fakemail.runtime.simulation import Simulation

_A = TypeVar("_A")

APP = "app"
"""The program under test, which is no host."""


class ResolverCache(Generic[_A]):
    """What the resolver of one host remembers, as the host's option ``dns_cache`` has it."""

    def __init__(self, internet: Simulation, host: str) -> None:
        self._internet = internet
        self._host = host
        self._cache: Cache[_A] = Cache(internet.clock.now)

    @property
    def _habit(self) -> str:
        host = self._internet.world.hosts.get(self._host)
        return "off" if host is None else host.options.dns_cache

    def mark(self) -> object:
        """What an answer that is asked for now has to be kept under."""
        # What comes while the name server has a fault is nothing to go by when it has none.
        return object() if self._internet.spoiled_dns.is_at_work else self._internet.zones.revision

    def recall(self, name: str, type: str) -> _A | None:
        """The answer that is remembered."""
        habit = self._habit
        if habit == "off":
            return None
        return self._cache.recall(name, type, mark=None if habit == "for_ttl" else self.mark())

    def keep(self, name: str, type: str, answer: _A, *, ttl: int, mark: object) -> None:
        """Remember an answer for that many seconds."""
        if self._habit != "off":
            self._cache.keep(name, type, answer, ttl=ttl, mark=mark)


class Resolvers:
    """The resolvers of all hosts of one fake internet, each made when its host first asks something."""

    def __init__(self, internet: Simulation) -> None:
        self._internet = internet
        self._clients: dict[str, DnsClient] = {}
        self._memories: dict[str, ResolverCache[LookupAnswer]] = {}

    def client(self, host: str) -> DnsClient:
        """The one that asks over a socket."""
        client = self._clients.get(host)
        if client is None:
            internet = self._internet
            described = internet.world.hosts[host]

            def asks_from(end: tuple[str, int]) -> None:
                internet.network.calls_from(Endpoint(*end), Peer(described.ipv4, end[1], host))

            memory: ResolverCache[ClientAnswer] = ResolverCache(internet, host)
            client = self._clients[host] = DnsClient(
                internet.dns.address,
                internet.dns.port,
                chance=internet.random,
                asks_from=asks_from,
                memory=memory,
            )
        return client

    def asking(self, host: str) -> DnsClient | None:
        """The one that asks over a socket, if it has asked something."""
        return self._clients.get(host)

    def memory(self, host: str) -> ResolverCache[LookupAnswer]:
        """What the one that answers at once remembers."""
        memory = self._memories.get(host)
        if memory is None:
            memory = self._memories[host] = ResolverCache(self._internet, host)
        return memory

    async def aclose(self) -> None:
        """Close them at once."""
        for client in self._clients.values():
            await client.aclose()


class Resolver:
    """The resolver of one host, or of the program under test; a :data:`fakemail.policy.transaction_facts.Resolve`."""

    def __init__(self, internet: Simulation, host: str) -> None:
        self._internet = internet
        address = APP_IPV4 if host == APP else internet.world.hosts[host].ipv4
        self._client = Peer(address, 0, host)
        self._memory = internet.resolvers.memory(host)

    def __call__(self, name: str, type: str) -> LookupAnswer:
        """The answer to a question; a name that is none does not exist."""
        try:
            key = name_key(name)
        except DeclarationError:
            return LookupAnswer("NXDOMAIN", "NXDOMAIN")
        known = self._memory.recall(key, type)
        return self._ask(key, type) if known is None else known

    def _ask(self, key: str, type: str) -> LookupAnswer:
        internet, mark = self._internet, self._memory.mark()
        answer = lookup(internet.zones, key, type)
        answer = internet.spoiled_dns.resolved(self._client, key, type, answer)
        internet.log.append(
            Query(
                host=NAME_SERVER,
                client=self._client,
                transport="udp",
                name=key,
                type=type,
                answer=answer.kind,
                records=tuple(record.text for record in answer.answer),
            )
        )
        negative = next((record.ttl for record in answer.authority if record.type == "SOA"), None)
        ttl = time_to_live(answer.kind, [record.ttl for record in answer.answer], negative)
        self._memory.keep(key, type, answer, ttl=ttl, mark=mark)
        return answer
