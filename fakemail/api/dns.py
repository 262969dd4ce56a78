"""The fake DNS as a test sees it: records to change, queries to look at, resolvers to hand out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fakemail.api.handles import Handle, Results
from fakemail.api.portal import Portal
from fakemail.dns.names import ancestors, name_key, parent_of
from fakemail.dns.records import Record, record
from fakemail.errors import DeclarationError, nearest
from fakemail.events.kinds import Query
from fakemail.types.address import HasName
from fakemail.types.domains import a_labels
from fakemail.types.stage import Stage

if TYPE_CHECKING:
    import dns.asyncresolver
    import dns.resolver

    from fakemail.api.blocklists import Blocklist
    from fakemail.api.faults import DnsFaults


class Dns(Handle):
    """The zones of the fake internet and its name server."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal

    def _name(self) -> str:
        return "Dns"

    def _state(self) -> str:
        return f" at {self.host} port {self.port}"

    @property
    def host(self) -> str:
        """The loopback address of the name server."""
        return self._portal.simulation.dns.address

    @property
    def port(self) -> int:
        """Its port, the same for UDP and TCP."""
        return self._portal.simulation.dns.port

    @property
    def faults(self) -> DnsFaults:
        """Faults of its answers; none by default."""
        from fakemail.api.faults import DnsFaults

        return DnsFaults(self._portal)

    def add(self, name: str, type: str, *values: str | bytes, ttl: int = 300) -> None:
        """Publish records beside those that are there. A zone is made where none is.

        A value is in zone-file form (``"10 mx1.example.org."``), the text of a TXT record as it is
        meant, however long; ``bytes`` are rdata that nobody checks. ``ttl`` is in seconds.
        Raises :class:`~fakemail.errors.DeclarationError` for what is no record.
        """
        new = [record(name, type, value, ttl=ttl) for value in values]
        self._portal.call(lambda: self._put(name, new))

    def _put(self, name: str, records: list[Record]) -> None:
        internet = self._portal.simulation
        if records and not internet.zones.is_delegated(records[0].name):
            internet.zone_provisioning.ensure_zone(_zone_for(records[0].name))
        internet.zones.add(*records)

    def replace(self, name: str, type: str, *values: str | bytes, ttl: int = 300) -> None:
        """Publish records in place of those of that name and type."""
        new = [record(name, type, value, ttl=ttl) for value in values]

        def put() -> None:
            self._portal.simulation.zones.remove(name, type)
            self._put(name, new)

        self._portal.call(put)

    def remove(self, name: str, type: str | None = None) -> None:
        """Take records away: all of a name, or those of one type."""
        self._portal.call(lambda: self._portal.simulation.zones.remove(name, type))

    def zone_text(self, text: str, *, origin: str | None = None) -> None:
        """Publish the records of a zone file (RFC 1035 §5)."""
        self._portal.call(lambda: self._portal.simulation.zones.load_text(text, origin=origin))

    def records(self, name: str, type: str | None = None) -> tuple[str, ...]:
        """The records of a name, in zone-file form."""
        return self._portal.call(lambda: tuple(map(str, self._portal.simulation.zones.records(name, type))))

    def enable_dnssec(self, zone: str, *, flaw: str | None = None) -> None:
        """Sign a zone with DNSSEC, whose records are signed from now on; it is made if it is not there.

        Where the zone above it is here too, that one publishes a DS record. ``flaw`` is ``"expired"``,
        ``"bogus"`` or ``"missing_signature"``: validation fails, so this name server answers SERVFAIL, and the
        data only to those who set CD. Signing again makes a new key. See ``domain.enable_dnssec()``.
        """
        self._portal.call(
            lambda: self._portal.simulation.tls_policy_records.enable_dnssec(name_key(zone), flaw)
        )

    def disable_dnssec(self, zone: str) -> None:
        """Take the signatures of a zone away, and the DS record above it."""
        self._portal.call(lambda: self._portal.simulation.zones.unsign(zone))

    def allow_transfer(self, zone: str, *clients: str | HasName) -> None:
        """Let some clients have all of a zone by AXFR over TCP (RFC 5936), and no others; none by default.

        A client is a host or its name (``"app"`` for the program under test), an address, a network, or ``"*"`` for
        everybody. Without clients it ends. Raises :class:`~fakemail.errors.UnknownNameError` for what is no zone.
        """
        names = [each if isinstance(each, str) else each.name for each in clients]
        self._portal.call(lambda: self._portal.simulation.zones.allow_transfer(zone, names))

    def trust_anchor(self, *zones: str, form: str = "bind") -> str:
        """The public keys of signed zones, of all unless some are named, as the text of a trust anchor file.

        ``form`` is ``"bind"`` (``trust-anchors { ... };`` as ``delv -a`` and BIND read it) or ``"zone"``
        (DNSKEY records, as unbound's ``trust-anchor-file`` reads them).
        Raises :class:`~fakemail.errors.DeclarationError` for a zone that is not signed.
        """
        known = {key.name: key for key in self._portal.call(lambda: self._portal.simulation.zones.keys())}
        keys = []
        for zone in map(name_key, zones) if zones else known:
            if zone not in known:
                raise DeclarationError(f"zone {zone!r} is not signed; {nearest(zone, known)}")
            keys.append(known[zone])
        if form == "zone":
            return "".join(f"{key}\n" for key in keys)
        if form != "bind":
            raise DeclarationError(
                f"there is no form {form!r} of trust anchors; 'bind' and 'zone' there are."
            )
        lines = []
        for key in keys:
            flags, protocol, algorithm, octets = key.value.split(" ", 3)
            said = f'{key.name}. static-key {flags} {protocol} {algorithm} "{octets.replace(" ", "")}";'
            lines.append(f"    {said}\n")
        return "trust-anchors {\n" + "".join(lines) + "};\n"

    def blocklist(self, zone: str) -> Blocklist:
        """A list of addresses or domains in the DNS (RFC 5782), made if it is not there; see :class:`Blocklist`."""
        from fakemail.api.blocklists import Blocklist

        return Blocklist(self._portal, zone)

    def queries(self, *, name: str | None = None, type: str | None = None) -> Results[Query]:
        """The questions that were asked, with their answers, oldest first."""
        wanted = a_labels(name) if name is not None else None
        found = [
            event
            for event in self._portal.simulation.log.events(Stage.DNS_QUERY)
            if isinstance(event, Query)
            and wanted in (None, event.name)
            and (type is None or event.type == type.upper())
        ]
        return Results(found, question=f"the DNS queries for {name or 'any name'} {type or ''}".rstrip())

    def resolver(self) -> dns.resolver.Resolver:
        """A dnspython resolver that asks this name server and no other."""
        import dns.resolver

        resolver = dns.resolver.Resolver(configure=False)
        self._aim(resolver)
        return resolver

    def async_resolver(self) -> dns.asyncresolver.Resolver:
        """The same for asyncio and trio."""
        import dns.asyncresolver

        resolver = dns.asyncresolver.Resolver(configure=False)
        self._aim(resolver)
        return resolver

    def _aim(self, resolver: dns.resolver.BaseResolver) -> None:
        resolver.nameservers = [self.host]
        resolver.port = self.port


def _zone_for(name: str) -> str:
    """The zone that is made for a name: above labels that are no host's, such as ``_dmarc`` and ``*``."""
    found = name
    for each in ancestors(name):
        if each.startswith(("_", "*")):
            found = parent_of(each)
    return found or name
