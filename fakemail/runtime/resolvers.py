"""The resolvers of the hosts: how each asks the fake DNS, what it remembers, and when it forgets.

Mail on its way is asked for with :class:`~fakemail.wire.dns_client.DnsClient` over a real socket; a decision in the
middle of a session asks a :class:`Resolver`, which answers at once. Both are on record.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from fakemail.dns.cache import Cache, time_to_live
from fakemail.dns.lookup import LookupAnswer, lookup
from fakemail.dns.names import name_key
from fakemail.environment import Environment
from fakemail.errors import DeclarationError
from fakemail.events.kinds import Query
from fakemail.model.addresses import APP_IPV4
from fakemail.runtime.network import Endpoint, Network
from fakemail.types.peer import Peer
from fakemail.wire.dns_client import ClientAnswer, DnsClient
from fakemail.zones.name_server_faults import NameServerFaults
from fakemail.zones.zone_provisioning import NAME_SERVER, LazyZoneProvisioning

_A = TypeVar("_A")

APP = "app"
"""The program under test, which is no host."""


class ResolverCache(Generic[_A]):
    """Cache of one host's resolver, used as the host's option ``dns_cache`` says."""

    def __init__(
        self,
        environment: Environment,
        host: str,
        *,
        zones: LazyZoneProvisioning,
        faults: NameServerFaults,
    ) -> None:
        self._world = environment.world
        self._host = host
        self._zones = zones
        self._faults = faults
        self._cache: Cache[_A] = Cache(environment.clock.now)

    @property
    def _habit(self) -> str:
        host = self._world.hosts.get(self._host)
        return "off" if host is None else host.options.dns_cache

    def mark(self) -> object:
        """State of the DNS under which an answer that is asked for now has to be kept."""
        # What comes while the name server has a fault is nothing to go by when it has none.
        return object() if self._faults.is_at_work else self._zones.zones.revision

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

    def __init__(
        self,
        environment: Environment,
        *,
        zones: LazyZoneProvisioning,
        faults: NameServerFaults,
        network: Network,
        name_server: Callable[[], tuple[str, int]],
    ) -> None:
        """``name_server`` is the real address and port of the name server."""
        self._environment = environment
        self._zones = zones
        self._faults = faults
        self._network = network
        self._name_server = name_server
        self._clients: dict[str, DnsClient] = {}
        self._memories: dict[str, ResolverCache[LookupAnswer]] = {}

    def client(self, host: str) -> DnsClient:
        """The one that asks over a socket."""
        client = self._clients.get(host)
        if client is None:
            network, described = self._network, self._environment.world.hosts[host]

            def asks_from(end: tuple[str, int]) -> None:
                network.calls_from(Endpoint(*end), Peer(described.ipv4, end[1], host))

            memory: ResolverCache[ClientAnswer] = self._new_cache(host)
            client = self._clients[host] = DnsClient(
                *self._name_server(), chance=self._environment.random, asks_from=asks_from, memory=memory
            )
        return client

    def asking(self, host: str) -> DnsClient | None:
        """The one that asks over a socket, if it has asked something."""
        return self._clients.get(host)

    def resolver(self, host: str) -> Resolver:
        """The one that answers at once."""
        memory = self._memories.get(host)
        if memory is None:
            memory = self._memories[host] = self._new_cache(host)
        return Resolver(self._environment, host, zones=self._zones, faults=self._faults, memory=memory)

    def _new_cache(self, host: str) -> ResolverCache[_A]:
        return ResolverCache(self._environment, host, zones=self._zones, faults=self._faults)

    async def aclose(self) -> None:
        """Close them at once."""
        for client in self._clients.values():
            await client.aclose()


class Resolver:
    """The resolver of one host, or of the program under test; a :data:`fakemail.policy.sender_facts.Resolve`."""

    def __init__(
        self,
        environment: Environment,
        host: str,
        *,
        zones: LazyZoneProvisioning,
        faults: NameServerFaults,
        memory: ResolverCache[LookupAnswer],
    ) -> None:
        address = APP_IPV4 if host == APP else environment.world.hosts[host].ipv4
        self._log = environment.log
        self._client = Peer(address, 0, host)
        self._zones = zones
        self._faults = faults
        self._memory = memory

    def __call__(self, name: str, type: str) -> LookupAnswer:
        """The answer to a question; a name that is none does not exist."""
        try:
            key = name_key(name)
        except DeclarationError:
            return LookupAnswer("NXDOMAIN", "NXDOMAIN")
        known = self._memory.recall(key, type)
        return self._ask(key, type) if known is None else known

    def _ask(self, key: str, type: str) -> LookupAnswer:
        mark = self._memory.mark()
        answer = lookup(self._zones.zones, key, type)
        answer = self._faults.resolved(self._client, key, type, answer)
        self._log.append(
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
