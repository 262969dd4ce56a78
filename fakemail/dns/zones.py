"""The zones of one fake internet: which records there are, changed at will. How they are asked for is
in :mod:`fakemail.dns.lookup`.

Names are found by walking up their labels through dictionaries, so that no operation costs more
because there are more zones. Sets of records are replaced whole, never changed in place: a reader in
another thread sees the old set or the new one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Final, NoReturn

from fakemail.dns.names import name_key, parent_of, read_name
from fakemail.dns.rdata import read_zone_text
from fakemail.dns.records import DEFAULT_TTL, Record, record, require_room
from fakemail.dns.rrtypes import read_type
from fakemail.errors import DeclarationError, UnknownNameError, nearest

if TYPE_CHECKING:
    from fakemail.dns.dnssec import ZoneSigner

Node = dict[str, tuple[Record, ...]]
"""The records of one name, by type."""

# RFC 1034 §3.6.2, RFC 4034 §2.5 and RFC 6672 §2.4: what may stand beside a CNAME.
_BESIDE_CNAME: Final = frozenset({"CNAME", "RRSIG", "NSEC", "KEY", "SIG", "NXT"})

ROOT_SOA: Final = Record(
    "", "SOA", 60, "a.root-servers.test. hostmaster.root-servers.test. 1 1800 900 604800 60"
)
"""SOA record of the root: the authority of negative answers outside of every zone."""


class Zone:
    """One zone. Change it through :class:`Zones` only."""

    def __init__(self, origin: str, on_change: Callable[[], object] = lambda: None) -> None:
        self.origin = origin
        self._on_change = on_change
        self.nodes: dict[str, Node] = {}
        # How many names with records lie below a name: what makes it exist without records of its own.
        self._below: dict[str, int] = {}
        self.cuts = 0
        """Number of names below the apex with NS records."""
        self._negative: tuple[Record, ...] | None = None
        self.signer: ZoneSigner | None = None
        """Signer of the zone; ``None`` while it is not signed."""
        self.chain: object | None = None
        """NSEC chain that :mod:`fakemail.dns.nsec` has made of its present names."""
        self.transfer_to: frozenset[str] = frozenset()
        """Clients that may transfer it (AXFR): names, addresses, networks, ``*``."""
        self._copy: Zone | None = None

    def exists(self, name: str) -> bool:
        """Whether a name has records, or names below it that do (RFC 4592 §2.2.2, empty non-terminals)."""
        return name in self.nodes or name in self._below

    @property
    def negative(self) -> tuple[Record, ...]:
        """The SOA record for negative answers, with the TTL of RFC 2308 §3; empty when the SOA was removed."""
        if self._negative is None:
            found = []
            for soa in self.nodes.get(self.origin, {}).get("SOA", ()):
                minimum = soa.value.rpartition(" ")[2]
                ttl = min(soa.ttl, int(minimum)) if not soa.value.startswith("\\#") else soa.ttl
                found.append(Record(soa.name, soa.type, ttl, soa.value))
            self._negative = tuple(found)
        return self._negative

    def put(self, name: str, type: str, records: tuple[Record, ...]) -> None:
        """Set the records of a name and type; none removes them."""
        node = self.nodes.get(name)
        self._on_change()
        # Only now: whoever heard of it may have taken a copy.
        self.chain = self._copy = None
        if type == "NS" and name != self.origin:
            self.cuts += bool(records) - (node is not None and "NS" in node)
        if records:
            if node is None:
                self.nodes[name] = {type: records}
                self._count(name, 1)
            else:
                node[type] = records
        elif node is not None and node.pop(type, None) is not None and not node:
            del self.nodes[name]
            self._count(name, -1)
        if type == "SOA" and name == self.origin:
            self._negative = None

    def copy(self) -> Zone:
        """The zone as it is now, to be read. As long as it does not change, it is always the same copy."""
        if self._copy is None:
            other = self._copy = Zone(self.origin)
            other.nodes = {name: dict(node) for name, node in self.nodes.items()}
            other._below = dict(self._below)
            other.cuts, other.signer = self.cuts, self.signer
            other.transfer_to = self.transfer_to
        return self._copy

    def _count(self, name: str, step: int) -> None:
        while name != self.origin:
            name = parent_of(name)
            count = self._below.get(name, 0) + step
            if count:
                self._below[name] = count
            else:
                del self._below[name]


class Zones:
    """All zones of one fake internet. Changes take effect at once. Names may be given in any case."""

    def __init__(self) -> None:
        self._zones: dict[str, Zone] = {}
        self.is_signed = False
        """Whether a zone was ever signed."""
        self.revision = 0
        """Another number after each change."""
        self.before_change: Callable[[], object] = lambda: None
        """Called before each change."""

    def _change(self) -> None:
        self.before_change()
        self.revision += 1

    def add_zone(
        self,
        origin: str,
        *,
        primary: str | None = None,
        contact: str | None = None,
        serial: int = 1,
        refresh: int = 3600,
        retry: int = 600,
        expire: int = 86400,
        negative_ttl: int = 60,
        ttl: int = DEFAULT_TTL,
        name_servers: Iterable[str] = (),
    ) -> Zone:
        """Add a zone with its SOA record (RFC 1035 §3.3.13) and NS records for the name servers given.

        Times are in seconds. ``primary`` is the first name server unless given, else ``ns1`` in the zone;
        ``contact`` is a name, ``hostmaster`` in the zone by default. A zone within another takes its names
        over. Raises :class:`~fakemail.errors.DeclarationError` when the zone is there already.
        """
        key = name_key(origin)
        if key in self._zones:
            raise DeclarationError(
                f"zone {key or '.'} exists already; change its records instead of adding it."
            )
        servers = tuple(name_servers)
        primary = read_name(primary or (servers[0] if servers else _within("ns1", key)))
        contact = read_name(contact or _within("hostmaster", key))
        value = f"{primary}. {contact}. {serial} {refresh} {retry} {expire} {negative_ttl}"
        zone = Zone(key, self._change)
        zone.put(key, "SOA", (Record(key, "SOA", ttl, value),))
        zone.put(key, "NS", tuple([record(key, "NS", server, ttl=ttl) for server in servers]))
        self._zones[key] = zone
        parent = self.zone_of(parent_of(key)) if key else None
        if parent is not None and parent.signer is not None:
            self._delegate(parent, zone)
        return zone

    def enable_dnssec(self, origin: str, signer: ZoneSigner) -> None:
        """Sign a zone, or sign it anew; where its parent is here too, the parent vouches for the key.

        Raises :class:`~fakemail.errors.UnknownNameError` when there is no such zone.
        """
        key = name_key(origin)
        zone = self._zones.get(key)
        if zone is None:
            raise UnknownNameError(f"there is no zone {key or '.'}; {nearest(key, self._zones)}")
        self._change()
        zone.signer = signer
        self.is_signed = True
        zone.put(key, "DNSKEY", (signer.key,))
        parent = self.zone_of(parent_of(key)) if key else None
        if parent is not None:
            self._delegate(parent, zone)
        for other in self._zones.values():
            if other is not zone and self.zone_of(parent_of(other.origin)) is zone:
                self._delegate(zone, other)

    def unsign(self, origin: str) -> None:
        """Take the keys and signatures of a zone away again, if it has any."""
        key = name_key(origin)
        zone = self._zones.get(key)
        if zone is not None and zone.signer is not None:
            self._change()
            zone.signer = None
            zone.put(key, "DNSKEY", ())
            parent = self.zone_of(parent_of(key)) if key else None
            if parent is not None:
                parent.put(key, "DS", ())

    def keys(self) -> tuple[Record, ...]:
        """The DNSKEY record of each signed zone."""
        return tuple(zone.signer.key for zone in self._zones.values() if zone.signer is not None)

    def allow_transfer(self, origin: str, clients: Iterable[str]) -> None:
        """Permit zone transfers to some clients only. Raises :class:`~fakemail.errors.UnknownNameError`."""
        key = name_key(origin)
        zone = self._zones.get(key)
        if zone is None:
            raise UnknownNameError(f"there is no zone {key or '.'}; {nearest(key, self._zones)}")
        self._change()
        zone.transfer_to, zone._copy = frozenset(clients), None

    def _delegate(self, parent: Zone, child: Zone) -> None:
        """Let a zone say that a part of it is a zone of its own, signed or not (RFC 4035 §2.3, §2.4)."""
        servers = child.nodes.get(child.origin, {}).get("NS", ())
        parent.put(child.origin, "NS", servers)
        parent.put(child.origin, "DS", () if child.signer is None else (child.signer.key_digest,))

    def remove_zone(self, origin: str) -> tuple[Record, ...]:
        """Remove a zone, and return the records that were in it.

        Raises :class:`~fakemail.errors.UnknownNameError` when there is no such zone.
        """
        key = name_key(origin)
        zone = self._zones.get(key)
        if zone is None:
            raise UnknownNameError(f"there is no zone {key or '.'}; {nearest(key, self._zones)}")
        self._change()
        del self._zones[key]
        return tuple(_all_records(zone))

    def copy(self) -> Zones:
        """The zones as they are now, to be read: untouched by what changes later."""
        other = Zones()
        other.is_signed = self.is_signed
        other._zones = {origin: zone.copy() for origin, zone in self._zones.items()}
        return other

    def origins(self) -> tuple[str, ...]:
        """The names of the zones, in the order in which they were added."""
        return tuple(self._zones)

    def has_zone(self, origin: str) -> bool:
        """Whether there is a zone of exactly that name."""
        return name_key(origin) in self._zones

    def zone_of(self, key: str) -> Zone | None:
        """The zone that a name, given as a key, belongs to: the deepest one at or above it."""
        zones = self._zones
        while True:
            zone = zones.get(key)
            if zone is not None or not key:
                return zone
            key = key.partition(".")[2] if "\\" not in key else parent_of(key)

    def is_delegated(self, key: str) -> bool:
        """Whether a name, given as a key, belongs to a zone below the root."""
        zone = self.zone_of(key)
        return zone is not None and zone.origin != ""

    def add(self, *records: Record, unchecked: bool = False) -> None:
        """Add records. One that is there already gets the new one's TTL.

        Raises :class:`~fakemail.errors.DeclarationError` when a name lies in no zone, and when a CNAME would
        stand beside other data (RFC 1034 §3.6.2), which ``unchecked`` permits.
        """
        for new in records:
            zone = self.zone_of(new.name) or self._no_zone(new)
            node = zone.nodes.get(new.name)
            if node is None:
                zone.put(new.name, new.type, (new,))
                continue
            if not unchecked:
                _refuse_beside_cname(new, node)
            others = [old for old in node.get(new.type, ()) if old.value != new.value]
            zone.put(new.name, new.type, (*others, new))

    def remove(self, name: str, type: str | None = None) -> tuple[Record, ...]:
        """Remove a name's records, all or those of one type, and return them; there may be none."""
        key = name_key(name)
        zone = self.zone_of(key)
        if zone is None:
            return ()
        types = list(zone.nodes.get(key, {})) if type is None else [read_type(type)]
        removed: list[Record] = []
        for each in types:
            removed += zone.nodes.get(key, {}).get(each, ())
            zone.put(key, each, ())
        return tuple(removed)

    def replace(
        self, name: str, type: str, records: Iterable[Record], *, unchecked: bool = False
    ) -> tuple[Record, ...]:
        """Put records in the place of those of that name and type, and return the old ones.

        Raises what :meth:`add` raises, and leaves the old ones then.
        """
        key, type, new = (
            name_key(name),
            read_type(type),
            tuple({each.value: each for each in records}.values()),
        )
        for each in new:
            if (each.name, each.type) != (key, type):
                raise DeclarationError(f"record {each} cannot stand for {type} records of {key or '.'}.")
            node = (self.zone_of(key) or self._no_zone(each)).nodes.get(key)
            if node is not None and not unchecked:
                _refuse_beside_cname(each, {other: node[other] for other in node if other != type})
            if type == "CNAME" and len(new) > 1 and not unchecked:
                raise DeclarationError(f"{key or '.'} can have one CNAME record, not {len(new)}.")
        zone = self.zone_of(key)
        if zone is None:
            return ()
        old = zone.nodes.get(key, {}).get(type, ())
        zone.put(key, type, new)
        return old

    def load_text(
        self, text: str, *, origin: str | None = None, ttl: int = DEFAULT_TTL, unchecked: bool = False
    ) -> tuple[Record, ...]:
        """Add the records of zone-file text (RFC 1035 §5) and return them.

        ``origin`` completes relative names, which are absolute without it; it becomes a zone if it lies in
        none. An SOA record makes its owner a zone, or replaces the SOA of that zone. ``ttl`` in seconds is for
        records before the first that states one. Raises :class:`~fakemail.errors.DeclarationError` with
        the line; bad syntax leaves everything as it was.
        """
        base = name_key(origin or ".")
        lines = read_zone_text(text, base, ttl)
        if origin is not None and self.zone_of(base) is None:
            self.add_zone(base)
        loaded: list[Record] = []
        # The apex of a zone need not come first.
        for line in sorted(lines, key=lambda line: line.type != "SOA"):
            new = Record(name_key(line.name), line.type, line.ttl, line.value)
            try:
                require_room(new)
                if new.type == "SOA":
                    if new.name not in self._zones:
                        self.add_zone(new.name)
                    self.replace(new.name, "SOA", [new], unchecked=unchecked)
                else:
                    self.add(new, unchecked=unchecked)
            except DeclarationError as error:
                raise DeclarationError(f"zone text, line {line.line}: {error}") from None
            loaded.append(new)
        return tuple(loaded)

    def names(self, origin: str | None = None) -> tuple[str, ...]:
        """The names that have records, of one zone or of all."""
        if origin is None:
            return tuple(name for zone in self._zones.values() for name in zone.nodes)
        zone = self._zones.get(name_key(origin))
        return tuple(zone.nodes) if zone is not None else ()

    def records(self, name: str | None = None, type: str | None = None) -> tuple[Record, ...]:
        """The records, all or those of a name, of any type or of one; exactly as declared, no wildcards."""
        if name is None:
            found: Iterable[Record] = (each for zone in self._zones.values() for each in _all_records(zone))
        else:
            key = name_key(name)
            zone = self.zone_of(key)
            node = zone.nodes.get(key, {}) if zone is not None else {}
            found = (each for records in node.values() for each in records)
        wanted = read_type(type) if type is not None else None
        return tuple(each for each in found if wanted is None or each.type == wanted)

    def _no_zone(self, new: Record) -> NoReturn:
        raise DeclarationError(
            f"record {new.name or '.'} {new.type} is in no zone: add its zone first; "
            f"{nearest(new.name, self._zones)}"
        )


def _within(label: str, origin: str) -> str:
    return f"{label}.{origin}" if origin else label


def _all_records(zone: Zone) -> Iterator[Record]:
    for node in list(zone.nodes.values()):
        for records in list(node.values()):
            yield from records


def _refuse_beside_cname(new: Record, node: Node) -> None:
    if new.type == "CNAME":
        clash = next((type for type in node if type not in _BESIDE_CNAME), None)
        if clash is None and all(old.value == new.value for old in node.get("CNAME", ())):
            return
    elif "CNAME" in node and new.type not in _BESIDE_CNAME:
        clash = "CNAME"
    else:
        return
    raise DeclarationError(
        f"record {new.name or '.'} {new.type} cannot stand beside the {clash or 'CNAME'} record of the same name "
        f"(RFC 1034 §3.6.2): remove that first, or say unchecked=True to serve both."
    )
