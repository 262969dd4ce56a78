"""Local domains of each host: those for which it accepts mail and delivers it (Postfix: mydestination)."""

from __future__ import annotations

from collections import defaultdict

from fakemail.model.domain import DomainSpec
from fakemail.model.world import WorldSpec
from fakemail.types.address import Address
from fakemail.types.peer import Peer


class LocalDomains:
    """The local domains of every host of one fake internet."""

    def __init__(self, world: WorldSpec) -> None:
        self._world = world
        self._domains: defaultdict[str, dict[str, None]] = defaultdict(dict)
        """By host: keys only, in the order of their declaration."""

    def of(self, host: str) -> dict[str, None]:
        """The local domains of a host, in the order of their declaration; always the same object."""
        return self._domains[host]

    def is_local(self, host: str, domain: str) -> bool:
        """Whether a host takes mail for a domain, and delivers it."""
        return domain in self._domains[host]

    def add(self, domain: DomainSpec) -> None:
        """Make a domain local at its hosts, except where a route passes its mail on."""
        for name in (*domain.mail_hosts, *domain.behind):
            if domain.name not in self._world.hosts[name].routes:
                self._domains[name][domain.name] = None

    def remove(self, domain: str) -> None:
        """Make a domain local nowhere."""
        for domains in self._domains.values():
            domains.pop(domain, None)

    def apply_routes(self, host: str) -> None:
        """Remove the domains for which a host has routes: their mail is passed on, and delivered here no more."""
        for domain in self._world.hosts[host].routes:
            self._domains[host].pop(domain, None)

    def postmaster(self, host: str) -> Address:
        """The recipient of mail for ``<postmaster>`` without a domain (RFC 5321 §4.5.1)."""
        return Address("postmaster", next(iter(self._domains[host]), host))

    def is_inside(self, host: str, peer: Peer) -> bool:
        """Whether a client belongs to the local domains of a host, or is one whose mail the host relays."""
        world = self._world
        return peer.name in world.hosts[host].relay_from or any(
            peer.name in (*domain.mail_hosts, domain.submission_host, domain.imap_host, *domain.behind)
            for domain in (world.domains[name] for name in self._domains[host])
        )
