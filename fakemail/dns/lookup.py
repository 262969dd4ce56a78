"""Lookup of a question in the zones: the algorithm of RFC 1034 §4.3.2 with the wildcards of RFC 4592 and
the negative answers of RFC 2308. No messages, no limits of size, no faults.

What a zone holds below a delegation is hidden, unless the child zone is here too: then it answers.
DNAME (RFC 6672) is served as data and not followed.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from fakemail.dns.names import ancestors, parent_of
from fakemail.dns.records import Record
from fakemail.dns.zones import ROOT_SOA, Node, Zone, Zones
from fakemail.types.dataclass import dataclass

MAX_CHAIN: Final = 16
"""Limit of CNAME records that are followed before the answer is SERVFAIL."""


@dataclass(frozen=True, slots=True)
class LookupAnswer:
    """The answer to a question, before it becomes a message."""

    rcode: str
    """``NOERROR``, ``NXDOMAIN``, ``SERVFAIL``..."""
    kind: str
    """As ``rcode``, but ``NODATA`` when the name exists without such records (RFC 2308 §2.2), and
    ``REFERRAL`` when other name servers are to be asked (RFC 1034 §4.3.1)."""
    answer: tuple[Record, ...] = ()
    authority: tuple[Record, ...] = ()
    additional: tuple[Record, ...] = ()
    authoritative: bool = False
    authentic: bool = False
    """Whether all of it is signed, and validates (RFC 4035 §3.2.3)."""


class LookupStep(NamedTuple):
    """One name that a lookup came to."""

    zone: Zone | None
    """Zone in which it lies, ``None`` outside of every zone."""
    name: str
    source: str | None
    """Owner of the records that were taken: the name itself or a wildcard; ``None`` when the name does not exist."""


def failure(rcode: str) -> LookupAnswer:
    """An answer without records."""
    return LookupAnswer(rcode, rcode)


def lookup(zones: Zones, name: str, type: str, trail: list[LookupStep] | None = None) -> LookupAnswer:
    """Answer a question. ``name`` is a key: lower-case, without the final dot.

    ``trail`` is given the names that the lookup came to, in order.
    """
    if trail is None:
        trail = []
    chain: list[Record] = []
    visited = {name}
    zone = _zone_for(zones, name, type)
    authoritative = zone is not None
    while zone is not None:
        cut = _delegation(zone, name, type)
        if cut:
            trail.append(LookupStep(zone, name, None))
            if chain:
                break
            return LookupAnswer("NOERROR", "REFERRAL", (), cut, _addresses(zones, cut))
        source, node = _node(zone, name)
        trail.append(LookupStep(zone, name, source))
        if node is None:
            return LookupAnswer("NXDOMAIN", "NXDOMAIN", tuple(chain), zone.negative, (), authoritative)
        aliases = node.get("CNAME") if type not in ("CNAME", "ANY") else None
        target = aliases[0].target if aliases else None
        if not aliases or target is None:
            # An alias whose data is malformed is served as it is: there is nothing to follow.
            return _found(zones, zone, name, "CNAME" if aliases else type, node, chain)
        # RFC 1034 §4.3.2 step 3a: copy the CNAME and start again with its target.
        chain += _owned(aliases, name)
        if target in visited or len(chain) > MAX_CHAIN:
            return failure("SERVFAIL")
        visited.add(target)
        name, zone = target, _zone_for(zones, target, type)
    if zone is not None:
        # An alias into a delegation that leads nowhere: a resolver could not finish.
        return failure("SERVFAIL")
    # A domain that nobody declared does not exist.
    trail.append(LookupStep(None, name, None))
    return LookupAnswer("NXDOMAIN", "NXDOMAIN", tuple(chain), (ROOT_SOA,), (), authoritative)


def _zone_for(zones: Zones, name: str, type: str) -> Zone | None:
    zone = zones.zone_of(name)
    # RFC 4035 §3.1.4.1: the DS records of a zone are in its parent.
    if type == "DS" and zone is not None and zone.origin == name and name:
        return zones.zone_of(parent_of(name)) or zone
    return zone


def _delegation(zone: Zone, name: str, type: str) -> tuple[Record, ...]:
    """The NS records of the highest cut at or above a name, below the apex of the zone."""
    if not zone.cuts or name == zone.origin:
        return ()
    cut: tuple[Record, ...] = ()
    for above in ancestors(name):
        if above == zone.origin:
            break
        found = zone.nodes.get(above, {}).get("NS", ())
        if found and not (type == "DS" and above == name):
            cut = found
    return cut


def _node(zone: Zone, name: str) -> tuple[str | None, Node | None]:
    """The records of a name and whose they are, by wildcard if need be; ``None`` when it does not exist."""
    node = zone.nodes.get(name)
    if node is not None:
        return name, node
    if zone.exists(name):
        return name, {}
    # RFC 4592 §3.3.1: only the wildcard right below the closest encloser can be the source.
    while name != zone.origin:
        name = parent_of(name)
        if zone.exists(name):
            break
    wildcard = f"*.{name}" if name else "*"
    node = zone.nodes.get(wildcard)
    if node is None and not zone.exists(wildcard):
        return None, None
    return wildcard, node or {}


def _found(zones: Zones, zone: Zone, name: str, type: str, node: Node, chain: list[Record]) -> LookupAnswer:
    if type == "ANY":
        matches = tuple([each for records in list(node.values()) for each in records])
    else:
        matches = node.get(type, ())
    if not matches:
        return LookupAnswer("NOERROR", "NODATA", tuple(chain), zone.negative, (), True)
    answer = (*chain, *_owned(matches, name))
    return LookupAnswer("NOERROR", "NOERROR", answer, (), _addresses(zones, answer), True)


def _owned(records: tuple[Record, ...], name: str) -> tuple[Record, ...]:
    if records[0].name == name:
        return records
    return tuple([each.at(name) for each in records])


def _addresses(zones: Zones, records: tuple[Record, ...]) -> tuple[Record, ...]:
    """RFC 1034 §4.3.2 step 6: the addresses of the hosts that the records name."""
    # Each host once, and nothing that is in the answer already.
    hosts = dict.fromkeys([each.host for each in records if each.host is not None])
    found: list[Record] = []
    for host in hosts:
        zone = zones.zone_of(host)
        node = zone.nodes.get(host) if zone is not None else None
        if node is not None:
            found += node.get("A", ())
            found += node.get("AAAA", ())
    return tuple([each for each in found if each not in records]) if found else ()
