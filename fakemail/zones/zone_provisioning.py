"""Puts a described internet into DNS: the records that every host and domain has without being asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import cache, partial

from fakemail.dns.names import name_key, reverse_name
from fakemail.dns.rdata import txt
from fakemail.dns.records import DEFAULT_TTL, LateRecord, Record, record
from fakemail.dns.zones import Zones
from fakemail.model.dkim import Dkim
from fakemail.model.domain import DomainSpec, Routing
from fakemail.model.host import HostSpec, Service
from fakemail.model.world import WorldSpec
from fakemail.zones.dkim_keys import DkimKeyRing

INFRASTRUCTURE = "mailnet.example.net"
"""The domain of the fake internet's own machinery: its name server and its smarthost.

Not under ``.test``, nor another special-use name (RFC 6761), which validators of addresses refuse.
"""
NAME_SERVER = f"ns.{INFRASTRUCTURE}"
SMARTHOST = f"app@{INFRASTRUCTURE}"
"""The login of the smarthost."""

_ROOT = ""
# The zones that hold PTR records (RFC 1035 §3.5, RFC 3596 §2.5), for each range of the address plan.
_REVERSE_ZONES = (
    "100.51.198.in-addr.arpa",
    "2.0.192.in-addr.arpa",
    "113.0.203.in-addr.arpa",
    "18.198.in-addr.arpa",
    "19.198.in-addr.arpa",
    "8.b.d.0.1.0.0.2.ip6.arpa",
)


def is_infrastructure(name: str) -> bool:
    """Whether a domain or a host belongs to the fake internet's own machinery."""
    return name == INFRASTRUCTURE or name.endswith(f".{INFRASTRUCTURE}")


class ZoneProvisioning:
    """Keeps the zones in step with the world."""

    def __init__(self, world: WorldSpec, zones: Zones, keys: DkimKeyRing) -> None:
        self._world = world
        self._zones = zones
        self._keys = keys
        self._named: set[str] = set()
        self._sink: HostSpec | None = None
        self._spf: dict[str, Record] = {}
        """The SPF record that each domain has by default."""
        for origin in _REVERSE_ZONES:
            self.ensure_zone(origin)

    def ensure_zone(self, origin: str) -> None:
        """Make a zone unless it is there. What is not in it leads to the sink, where there is one."""
        if self._zones.has_zone(origin):
            return
        self._zones.add_zone(origin, name_servers=[NAME_SERVER])
        if self._sink is not None and not is_infrastructure(origin):
            self._wildcard(origin, self._sink)

    def lead_to(self, sink: HostSpec) -> None:
        """Let every name that is not there lead to a host, in all zones that are made from now on and in the root."""
        self._sink = sink
        self.ensure_zone(_ROOT)

    def _wildcard(self, origin: str, host: HostSpec) -> None:
        """Mail and addresses of all names of a zone that are not there (RFC 4592), and the mail of the zone's own."""
        name = f"*.{origin}" if origin else "*"
        self._zones.add(
            _record(name, "MX", f"10 {host.name}."),
            _record(name, "A", host.ipv4),
            _record(name, "AAAA", host.ipv6),
        )
        if origin:
            self._zones.add(_record(origin, "MX", f"10 {host.name}."))

    def host(self, host: HostSpec) -> None:
        """Addresses and reverse names of a host."""
        if host.name in self._named:
            return
        self._named.add(host.name)
        if not self._zones.is_delegated(name_key(host.name)):
            self.ensure_zone(host.name.partition(".")[2] or host.name)
        self._zones.add(
            _record(host.name, "A", host.ipv4),
            _record(host.name, "AAAA", host.ipv6),
            _record(reverse_name(host.ipv4), "PTR", f"{host.name}."),
            _record(reverse_name(host.ipv6), "PTR", f"{host.name}."),
        )

    def remove_host(self, host: HostSpec) -> None:
        """Remove the addresses and reverse names of a host, and what is below its name."""
        self._named.discard(host.name)
        for type in ("A", "AAAA"):
            self._zones.remove(host.name, type)
        zone = self._zones.zone_of(name_key(host.name))
        for name in () if zone is None else tuple(zone.nodes):
            if name.endswith(f"._tcp.{host.name}"):
                self._zones.remove(name, "TLSA")
        for address in (host.ipv4, host.ipv6):
            self._zones.remove(reverse_name(address), "PTR")

    def remove_domain(self, domain: DomainSpec) -> None:
        """Remove the zone of a domain, or where hosts are left inside, all but them."""
        self._spf.pop(domain.name, None)
        if not self._zones.has_zone(domain.name):
            return
        left = [each for each in self._named if each == domain.name or each.endswith(f".{domain.name}")]
        if not left:
            self._zones.remove_zone(domain.name)
            return
        for type in ("MX", "TXT"):
            self._zones.remove(domain.name, type)
        for name in self._zones.names(domain.name):
            if name != domain.name and not any(name == each or name.endswith(f".{each}") for each in left):
                self._zones.remove(name)

    def domain(self, domain: DomainSpec) -> None:
        """The zone of a domain, its mail routing, and what its owner publishes about its mail."""
        if not self._zones.has_zone(domain.name):  # what is declared is as strict in a sink as everywhere
            self._zones.add_zone(domain.name, name_servers=[NAME_SERVER])
        self.route(domain)
        for host in {*domain.mail_hosts, domain.submission_host}:
            self.host(self._world.hosts[host])
        self.senders(domain)
        self._zones.add(*_published(domain))
        for dkim in domain.dkim:
            self.dkim(domain.name, dkim)

    def senders(self, domain: DomainSpec) -> None:
        """The SPF record of a domain, unless its owner says something else on purpose."""
        new = _record(domain.name, "TXT", txt(_spf(self._world, domain)))
        old = self._spf.get(domain.name)
        self._spf[domain.name] = new
        if old is None:
            self._zones.add(new)
            return
        present = self._zones.records(domain.name, "TXT")
        if old in present and new != old:
            self._zones.replace(domain.name, "TXT", [new if each == old else each for each in present])

    def dkim(self, domain: str, dkim: Dkim) -> None:
        """The record of a DKIM key in place of what is there; the key is made when it is first looked at."""
        name = name_key(f"{dkim.selector}._domainkey.{domain}")  # RFC 6376 §3.6.2.1

        def make() -> str:
            return txt(self._keys.of(domain, dkim).record)

        self._zones.remove(name, "TXT")
        self._zones.add(LateRecord(name, "TXT", domain, dkim.selector, dkim.algorithm, make=make))

    def route(self, domain: DomainSpec) -> None:
        """The MX records of a domain, in place of those that are there."""
        records: list[Record] = []
        if domain.routing is Routing.MX:
            records = [_record(domain.name, "MX", f"{mx.preference} {mx.host}.") for mx in domain.mx]
        elif domain.routing is Routing.NULL_MX:
            records = [_record(domain.name, "MX", "0 .")]  # RFC 7505 §3
        self._zones.replace(domain.name, "MX", records)

    def reading(self, domain: DomainSpec, services: Iterable[Service]) -> None:
        """SRV records of the POP3 and IMAP servers of a domain (RFC 6186 §3.2, §3.3)."""
        for service in services:
            name = f"_{service.name}._tcp.{domain.name}"
            if not self._zones.records(name, "SRV"):  # or else a test has published something else
                self._zones.add(_record(name, "SRV", f"0 1 {service.port} {domain.imap_host}."))


class LazyZoneProvisioning:
    """Zones that are filled when they are first looked at, and kept in step with the world from then on.

    Most tests never ask DNS anything, and its records are half of what a world costs. States under which mail has
    come are kept, for what is found out about the mail later.
    """

    def __init__(
        self, world: WorldSpec, keys: DkimKeyRing, *, lock: AbstractContextManager[object] | None = None
    ) -> None:
        """``lock`` is for a test that looks from its own thread; it can be taken again by the thread that has it."""
        self._world = world
        self._keys = keys
        self._zones = Zones()
        self._state = 0
        self._is_state_used = False
        self._past: dict[int, Callable[[], Zones]] = {}
        self.published: Zones | None = None
        """The zones, once they were looked at."""
        self._naming: ZoneProvisioning | None = None
        self._steps: list[Callable[[ZoneProvisioning], None]] = []
        self._lock = nullcontext() if lock is None else lock

    def do(self, step: Callable[[ZoneProvisioning], None]) -> None:
        """Take a step now, or when the zones are first looked at."""
        with self._lock:
            if self._naming is None:
                self._before_change()
                self._steps.append(step)
            else:
                step(self._naming)

    def key(self, domain: str, dkim: Dkim) -> None:
        """Put the key of a selector into DNS, in place of what is there."""
        self.do(lambda naming: naming.dkim(domain, dkim))

    def ensure_zone(self, origin: str) -> None:
        """Make a zone unless it is there."""
        self.do(lambda naming: naming.ensure_zone(origin))

    def senders(self) -> None:
        """Let the SPF records of the domains name those by whose hands their mail goes now."""
        for domain in self._world.domains.values():
            self.do(partial(ZoneProvisioning.senders, domain=domain))

    @property
    def zones(self) -> Zones:
        """The zones, with everything in them that was declared."""
        with self._lock:
            if self._naming is None:
                self._naming = self._done(self._steps, self._zones)
                self._steps.clear()
                # To be filled is no change, for the zones were not seen before.
                self._zones.before_change = self._before_change
                self.published = self._zones
        return self._zones

    # States --------------------------------------------------------------------------------------

    def use_state(self) -> int:
        """The number of the present state of the zones, which :meth:`at` knows from now on."""
        self._is_state_used = True
        return self._state

    def at(self, state: int) -> Zones:
        """The zones as they were in a state that was used."""
        past = self._past.get(state)
        return self.zones if past is None else past()

    def _before_change(self) -> None:
        if self._is_state_used:
            self._past[self._state] = self._present()
            self._state += 1
            self._is_state_used = False

    def _present(self) -> Callable[[], Zones]:
        """The zones as they are now, filled when they are asked for."""
        with self._lock:
            if self._naming is not None:
                kept = self._zones.copy()
                return lambda: kept
            steps = tuple(self._steps)

        @cache
        def filled() -> Zones:
            zones = Zones()
            self._done(steps, zones)
            return zones

        return filled

    def _done(self, steps: Iterable[Callable[[ZoneProvisioning], None]], zones: Zones) -> ZoneProvisioning:
        naming = ZoneProvisioning(self._world, zones, self._keys)
        for step in steps:
            step(naming)
        return naming


def _spf(world: WorldSpec, domain: DomainSpec) -> str:
    """SPF record of a domain (RFC 7208): its mail hosts, its submission host, and the hosts that send for that one."""
    who = {Routing.MX: ["mx"], Routing.IMPLICIT: ["a"]}.get(domain.routing, [])
    hosts = [domain.submission_host, *_exits(world, domain.submission_host)]
    hosts += [host.name for host in world.hosts.values() if host.smarthost]
    return " ".join(["v=spf1", *who, *(f"a:{name_key(host)}" for host in dict.fromkeys(hosts)), "-all"])


def _exits(world: WorldSpec, host: str) -> Iterator[str]:
    """The hosts by which mail that starts at one leaves its chains of routes."""
    waiting, seen = [host], {host}
    while waiting:
        name = waiting.pop(0)
        described = world.hosts.get(name)
        if described is None:
            continue
        if name != host and "*" not in described.routes:
            yield name
        onward = [each for each in described.routes.values() if each not in seen]
        seen.update(onward)
        waiting += onward


def _published(domain: DomainSpec) -> Iterator[Record]:
    yield _record(f"_dmarc.{domain.name}", "TXT", txt("v=DMARC1; p=none"))  # RFC 7489 §6.3
    # RFC 6186 §3.1, RFC 8314 §5.1: where a mail program finds the submission server.
    yield _record(f"_submission._tcp.{domain.name}", "SRV", f"0 1 587 {domain.submission_host}.")
    yield _record(f"_submissions._tcp.{domain.name}", "SRV", f"0 1 465 {domain.submission_host}.")


def _record(name: str, type: str, value: str) -> Record:
    """A record of names and addresses that the world has checked and spelled already.

    Only names beyond ASCII need to be turned into what DNS carries.
    """
    if name.isascii() and value.isascii():
        return Record(name, type, DEFAULT_TTL, value)
    return record(name, type, value)
