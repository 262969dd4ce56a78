"""MX routing: the mail hosts of a domain (RFC 5321 §5.1, RFC 7505), as a generator of DNS questions."""

from __future__ import annotations

from collections.abc import Generator
from functools import lru_cache
from ipaddress import ip_address
from typing import Any, NamedTuple, Protocol, TypeAlias

from fakemail.types.domains import a_labels
from fakemail.types.reason import Reason
from fakemail.types.seeded_random import SeededRandom

_LOOPBACK = ("127.0.0.1", "::1")


class DnsQuery(NamedTuple):
    """A question to DNS."""

    name: str
    type: str


class DnsAnswer(NamedTuple):
    """Answer of the DNS: the kind of answer and the values of the type asked for.

    An MX value is ``(preference, exchange)``, an address value is text.
    """

    kind: str
    """``NOERROR``, ``NODATA``, ``NXDOMAIN``, or anything else for a failure."""
    values: tuple[tuple[int, str] | str, ...] = ()
    authentic: bool = False
    """Whether DNSSEC vouches for it."""
    remembered: bool = False
    """Whether it comes from the cache of the host."""


class DnsReply(Protocol):
    """Result of a query over the network, as :class:`fakemail.wire.dns_client.ClientAnswer` is one."""

    @property
    def kind(self) -> str:
        """``NOERROR``, ``NODATA``, ``NXDOMAIN``, or anything else for a failure."""
        ...

    @property
    def transport(self) -> str:
        """``udp``, ``tcp``, or ``memory`` when the resolver still knew."""
        ...

    @property
    def authentic(self) -> bool:
        """Whether DNSSEC vouches for it."""
        ...

    @property
    def is_temporary(self) -> bool:
        """Whether it says nothing about the name, so that it is worth asking again."""
        ...

    def values(self) -> tuple[Any, ...]:
        """The values of the records of the type asked for."""
        ...


class DnsResolver(Protocol):
    """The resolver of a host, which asks over the network."""

    async def query(self, name: str, type: str) -> DnsReply:
        """Ask a question."""
        ...


class MailHost(NamedTuple):
    """One host to try."""

    preference: int
    name: str


class Addresses(NamedTuple):
    """The addresses of a mail host, in the order in which to try them."""

    found: tuple[str, ...]
    failed: bool = False
    """Whether DNS failed for now, so that there may be more."""
    authentic: bool = False
    """Whether DNSSEC vouches for all of them."""


class Route(NamedTuple):
    """The hosts to try, in order; or why there are none."""

    hosts: tuple[MailHost, ...] = ()
    reason: Reason | None = None
    detail: str = ""
    authentic: bool = False
    """Whether DNSSEC vouches for it."""
    by_mx: bool = False
    """Whether MX records named the hosts."""


Questions: TypeAlias = Generator[DnsQuery, DnsAnswer, Route]
AddressQuestions: TypeAlias = Generator[DnsQuery, DnsAnswer, "Addresses"]


def find_route(domain: str, *, own_name: str, chance: SeededRandom) -> Questions:
    """Ask for the MX records of a domain, and choose its mail hosts.

    ``own_name`` is the host that asks: itself and all hosts that are less preferred are left out
    (RFC 5321 §5.1), so that mail does not go round in circles.
    """
    if domain.startswith("["):
        return Route((MailHost(0, domain),))  # an address literal names its host (RFC 5321 §2.3.5)
    found = yield DnsQuery(domain, "MX")
    source = "as it remembers" if found.remembered else ""
    if found.kind == "NXDOMAIN":
        detail = f"{domain} does not exist{source and ', '}{source}"
        return Route(reason=Reason.NO_SUCH_DOMAIN, detail=detail)
    if found.kind not in ("NOERROR", "NODATA"):
        return Route(reason=Reason.DNS_TEMPORARY, detail=f"MX of {domain}: {found.kind}")
    records = [MailHost(*value) for value in found.values if not isinstance(value, str)]
    named = [record for record in records if record.name not in ("", ".")]
    if records and not named:
        return Route(reason=Reason.NULL_MX, detail=f"{domain} has a null MX")  # RFC 7505 §3
    # A null MX among others means nothing (RFC 7505 §3 forbids it); no MX at all means the domain itself.
    ordered = _in_order(named, chance) or [MailHost(0, domain)]
    usable = _before(ordered, own_name)
    if not usable:
        return Route(reason=Reason.MAIL_LOOP, detail=f"{own_name} is the best mail host of {domain} itself")
    return Route(tuple(usable), detail=source, authentic=found.authentic, by_mx=bool(named))


def find_addresses(host: str) -> AddressQuestions:
    """Ask for the addresses of a mail host, IPv4 first."""
    if host.startswith("["):
        literal = host[1:-1]
        # RFC 5321 §4.1.3: the tag has no case, and an IPv6 address has many spellings.
        try:
            return Addresses((str(ip_address(literal[5:] if literal[:5].lower() == "ipv6:" else literal)),))
        except ValueError:
            return Addresses(())  # some other kind of literal, which cannot be reached here
    if host.lower() == "localhost" or host.lower().endswith(".localhost"):
        return Addresses(_LOOPBACK)  # RFC 6761 §6.3: that name is not asked for
    addresses: list[str] = []
    failed, authentic = False, True
    for record_type in ("A", "AAAA"):
        found = yield DnsQuery(host, record_type)
        addresses += [value for value in found.values if isinstance(value, str)]
        failed = failed or found.kind not in ("NOERROR", "NODATA", "NXDOMAIN")
        authentic = authentic and found.authentic
    return Addresses(tuple(addresses), failed, authentic)


@lru_cache(maxsize=256)
def leads_back(address: str) -> bool:
    """Whether an address leads back to the client itself (RFC 1122 §3.2.1.3), so that no mail gets anywhere by it."""
    read = ip_address(address)
    return read.is_loopback or read.is_unspecified


def _in_order(records: list[MailHost], chance: SeededRandom) -> list[MailHost]:
    """By preference; equal preferences in random order (RFC 5321 §5.1)."""
    shuffled = list(records)
    if len({record.preference for record in records}) != len(records):
        chance.shuffle(shuffled)
    return sorted(shuffled, key=lambda record: record.preference)


def _before(records: list[MailHost], own_name: str) -> list[MailHost]:
    """The records that are preferred to the asking host's own, all if it is not among them."""
    for record in records:
        if a_labels(record.name) == own_name:
            return [other for other in records if other.preference < record.preference]
    return records
