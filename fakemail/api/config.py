"""A written description put into a running fake internet, and a running one written down.

Every entry goes through the operation that a test would call for it. How a description is read and
printed is in :mod:`fakemail.model`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from fakemail.api import faults
from fakemail.api.accounts import Account
from fakemail.api.dns import Dns
from fakemail.api.domains import Domain
from fakemail.api.mail_files import FiledMessage, put_all, read_mail
from fakemail.api.message_bytes import message_bytes
from fakemail.api.portal import Portal
from fakemail.dns.names import name_key
from fakemail.dns.rdata import read_zone_text
from fakemail.dns.records import DEFAULT_TTL, Record, record
from fakemail.dns.zones import Zones
from fakemail.errors import DeclarationError
from fakemail.faults.actions import as_address_says
from fakemail.faults.declaration import write_rule
from fakemail.faults.rule import FaultRule
from fakemail.model.description import (
    Description,
    FaultEntry,
    MessageEntry,
    RecordEntry,
    ZoneEntry,
    declare,
    describe,
)
from fakemail.model.schema import Problems
from fakemail.model.toml import read_toml
from fakemail.model.transport_security import Signed
from fakemail.runtime.option_words import spelled, unknown_words
from fakemail.runtime.sink import SINK
from fakemail.store.errors import StoreError
from fakemail.tls import mta_sts
from fakemail.zones.zone_provisioning import ZoneProvisioning, is_infrastructure

if TYPE_CHECKING:
    from fakemail.runtime.simulation import Simulation

Config: TypeAlias = str | Path | Description
"""A file, its text, or what was read from it already."""


def load(config: Config) -> Description:
    """Read a description. A string with a line feed or ``=`` in it is TOML text, any other the name of a file.

    Raises :class:`~fakemail.errors.DeclarationError` with everything that is wrong with it.
    """
    if isinstance(config, Description):
        return config
    if isinstance(config, str) and ("\n" in config or "=" in config):
        return read_toml(config, unknown_words=unknown_words)
    try:
        text = Path(config).read_text(encoding="utf-8")
    except OSError as error:
        raise DeclarationError(f"{config}: the configuration cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        raise DeclarationError(
            f"{config}: not TOML: the octet at place {error.start} is not UTF-8, which TOML must be."
        ) from None
    return read_toml(text, source=str(config), unknown_words=unknown_words)


def apply(portal: Portal, description: Description) -> None:
    """Declare everything of a description in a fake internet that has just started.

    Raises one :class:`~fakemail.errors.DeclarationError` with all that cannot be, by line.
    """
    problems = Problems(description.source)
    simulation = portal.simulation
    description = _with_known_hidden(description, problems)
    portal.call(
        lambda: declare(
            simulation.world,
            description,
            password=lambda _: simulation.random.token(12),
            problems=problems,
        )
    )
    _check_records(description, problems)
    problems.raise_all()
    portal.perform(_run(portal))
    _publish(portal, description, problems)
    for entry in description.faults:
        with problems.at(entry.where):
            faults.declare(portal, entry.table)
    folder = Path(description.source).parent
    for message in description.messages:
        with problems.at(message.where):
            _put(portal, message, folder)
    problems.raise_all()


def _put(portal: Portal, entry: MessageEntry, folder: Path) -> None:
    """Put a message into its mailbox, or all that are in its file."""
    owner = portal.simulation.world.account(entry.account).address
    if entry.file:
        try:
            filed = read_mail(folder / entry.file, entry.folder)
        except OSError as error:
            raise DeclarationError(f"{entry.file!r} cannot be read: {error.strerror}.") from None
    else:
        filed = [FiledMessage(entry.folder, message_bytes(entry.text))]
    changed = [
        replace(each, flags=entry.flags or each.flags, received_at=entry.received_at or each.received_at)
        for each in filed
    ]
    try:
        put_all(portal, owner, changed)
    except StoreError as error:
        raise DeclarationError(str(error)) from None


async def _run(portal: Portal) -> None:
    simulation = portal.simulation
    for domain in tuple(simulation.world.domains.values()):
        await simulation.hosts.run_domain(domain)
    for host in tuple(simulation.world.hosts.values()):
        if host.services or host.name not in simulation.hosts.running:
            await simulation.hosts.run_host(host)
    for account in simulation.world.accounts.values():
        if account.quota is not None or account.quota_messages is not None:
            simulation.delivery_agent.limit(account.address)


def _with_known_hidden(description: Description, problems: Problems) -> Description:
    """Extensions that hosts hide, by their names in the protocols."""
    hosts = []
    for host in description.hosts:
        options = host.options
        wrong = [
            text for option in ("hide", "imap") for text in unknown_words(option, getattr(options, option))
        ]
        problems.lines += [f"{host.where}: {text}" if host.where else text for text in wrong]
        if options.hide and not wrong:
            host = replace(host, options=replace(options, hide=spelled(options.hide)))
        hosts.append(host)
    return replace(description, hosts=tuple(hosts))


def _check_records(description: Description, problems: Problems) -> None:
    """Find records that are none, before anything runs."""
    for entry in description.records:
        with problems.at(entry.where):
            for value in entry.values:
                record(entry.name, entry.type, value, ttl=entry.ttl)
    for text, origin, where in _zone_texts(description):
        with problems.at(where):
            read_zone_text(text, name_key(origin or "."), DEFAULT_TTL)


def _publish(portal: Portal, description: Description, problems: Problems) -> None:
    dns = Dns(portal)
    for domain in description.domains:
        with problems.at(domain.where):
            handle = Domain(portal, domain.name, Account).publish(spf=domain.spf, dmarc=domain.dmarc)
            if domain.auth_flaws:
                handle.add_auth_flaw(*domain.auth_flaws)
    for text, origin, where in _zone_texts(description):
        with problems.at(where):
            dns.zone_text(text, origin=origin)
    for entry in description.records:
        with problems.at(entry.where):
            put = dns.replace if entry.replace else dns.add
            put(entry.name, entry.type, *entry.values, ttl=entry.ttl)
    _secure(portal, description, problems)


def _secure(portal: Portal, description: Description, problems: Problems) -> None:
    """Policies and signatures come last: a TLSA record that was written down goes before the usual one."""
    for domain in description.domains:
        with problems.at(domain.where):
            if domain.mta_sts is not None:
                portal.perform(portal.simulation.mta_sts_hosts.publish(domain.name, domain.mta_sts))
            if domain.dnssec is not False:
                Domain(portal, domain.name, Account).enable_dnssec(flaw=_flaw(domain.dnssec))
    for zone in description.zones:
        if zone.dnssec is not False:
            with problems.at(zone.where):
                Dns(portal).enable_dnssec(zone.name, flaw=_flaw(zone.dnssec))
        if zone.allow_transfer:
            with problems.at(zone.where):
                Dns(portal).allow_transfer(zone.name, *zone.allow_transfer)


def _flaw(signed: Signed) -> str | None:
    return signed if isinstance(signed, str) else None


def _zone_texts(description: Description) -> Iterator[tuple[str, str | None, str]]:
    """Each zone-file text, with its origin and where it was written."""
    if description.zone:
        yield description.zone, None, f"{description.source}: zone" if description.source else "zone"
    for domain in description.domains:
        if domain.zone:
            yield domain.zone, domain.name, domain.where


def write_down(portal: Portal, *, seed: int, grease: bool | str, sink: bool) -> Description:
    """Describe a fake internet as it is now, without its own machinery and without the mail in it."""

    def look() -> Description:
        simulation = portal.simulation
        whole = describe(simulation.world, records=_unusual(portal), seed=seed)
        signed = {
            origin: zone.signer.flaw or True
            for origin in simulation.zones.origins()
            if (zone := simulation.zones.zone_of(origin)) is not None and zone.signer is not None
        }
        transfers = {
            origin: zone.transfer_to
            for origin in simulation.zones.origins()
            if (zone := simulation.zones.zone_of(origin)) is not None and zone.transfer_to
        }
        return Description(
            tuple(
                replace(each, dnssec=signed.pop(each.name, False))
                for each in whole.domains
                if not is_infrastructure(each.name)
            ),
            tuple(each for each in whole.hosts if not is_infrastructure(each.name)),
            tuple(each for each in whole.accounts if not is_infrastructure(each.address.domain)),
            whole.records,
            seed=whole.seed,
            grease=grease or None,
            sink=sink or None,
            lists=whole.lists,
            zones=tuple(
                ZoneEntry(
                    origin, signed.get(origin, False), allow_transfer=transfers.get(origin, frozenset())
                )
                for origin in dict.fromkeys([*signed, *transfers])
            ),
            faults=tuple(
                FaultEntry(table)
                for rule in simulation.faults.rules()
                if not _is_of_sink(rule) and (table := write_rule(rule)) is not None
            ),
        )

    return portal.call(look)


def _unusual(portal: Portal) -> Iterator[RecordEntry]:
    """The records that differ from those that the world has without being asked."""
    simulation = portal.simulation
    usual = Zones()
    naming = ZoneProvisioning(simulation.world, usual, simulation.keys)
    if SINK in simulation.world.hosts:
        naming.lead_to(simulation.world.hosts[SINK])
    for origin in simulation.zones.origins():
        if not usual.has_zone(origin):
            naming.ensure_zone(origin)
    for domain in simulation.world.domains.values():
        naming.domain(domain)
    for host in simulation.world.hosts.values():
        naming.host(host)
    have, want = _sets(usual), _sets(simulation.zones)
    # Without the private keys, which nobody writes down, the public ones are of no use.
    keys = {key.name for key in simulation.zones.keys()}  # noqa: SIM118 - a method of its own
    for name, type in dict.fromkeys([*want, *have]):
        records = want.get((name, type), ())
        if name in keys and type in ("DNSKEY", "DS"):
            continue
        if _is_secured(simulation, name, type, records):
            continue
        if is_infrastructure(name) or set(records) == set(have.get((name, type), ())):
            continue
        yield from _entries(name, type, records)


def _is_secured(simulation: Simulation, name: str, type: str, records: tuple[Record, ...]) -> bool:
    """Whether records come anew with a policy or with a signature: the id of one, the certificate of the other."""
    label, _, rest = name.partition(".")
    if type == "TXT" and label == "_mta-sts":
        domain = simulation.world.domains.get(rest)
        texts = [each.wire[1:] for each in records]  # one string, its length in front (RFC 1035 §3.3.14)
        return domain is not None and domain.mta_sts is not None and mta_sts.read_id(texts) is not None
    if type == "TLSA" and name.startswith("_25._tcp."):
        return records == (simulation.tls_policy_records.usual_tlsa(name.removeprefix("_25._tcp.")),)
    return False


def _entries(name: str, type: str, records: tuple[Record, ...]) -> Iterator[RecordEntry]:
    """Entries that put these records in place of any others: one for each time to live."""
    if not records:
        yield RecordEntry(name, type, replace=True)
    by_ttl = groupby(sorted(records, key=lambda each: each.ttl), key=lambda each: each.ttl)
    for place, (ttl, group) in enumerate(by_ttl):
        yield RecordEntry(name, type, tuple(each.value for each in group), ttl, place == 0)


def _sets(zones: Zones) -> dict[tuple[str, str], tuple[Record, ...]]:
    found: dict[tuple[str, str], list[Record]] = {}
    for each in zones.records():
        found.setdefault((each.name, each.type), []).append(each)
    return {key: tuple(records) for key, records in found.items()}


def _is_of_sink(rule: FaultRule) -> bool:
    """Whether it is one of those that every sink has."""
    return rule.scope.host == SINK and isinstance(rule.action, as_address_says)
