"""A fake internet as somebody wrote it down: entries in the order of the text, nothing resolved, nothing run.

How text becomes a description is in :mod:`fakemail.model.toml`. Here is how a description becomes part
of a :class:`~fakemail.model.world.WorldSpec`, by the same checked steps that everybody else uses, and back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

from fakemail.errors import DeclarationError
from fakemail.model.account import AccountSpec, AutoReply, ForwardTo
from fakemail.model.dkim import Dkim
from fakemail.model.domain import DomainSpec, Routing
from fakemail.model.host import HostOptions, HostSpec, Service
from fakemail.model.mailing_list import MailingListSpec
from fakemail.model.policy import Policy
from fakemail.model.schema import Problems
from fakemail.model.transport_security import MtaSts, Signed
from fakemail.model.world import WorldSpec
from fakemail.types.address import Address, is_domain_name
from fakemail.types.domains import a_labels

DEFAULT_RECORD_TTL = 300
"""Seconds."""
# Stands in for the targets of every alias while the aliases are declared, so that they may name each
# other in any order. An address literal is nobody's domain.
_NOBODY = Address("nobody", "[0.0.0.0]")


@dataclass(frozen=True, slots=True)
class DomainEntry:
    """A mail domain. ``mx``, ``submission`` and local parts are as written: complete, or inside the domain."""

    name: str
    routing: Routing = Routing.MX
    mx: tuple[str, ...] = ()
    """Its mail hosts, the preferred first; none for the usual ``mx1``."""
    submission: str | None = None
    """The host where its accounts hand in mail; ``None`` for the usual ``smtp``."""
    detail_separator: str = "+"
    aliases: tuple[tuple[Address, tuple[Address, ...]], ...] = ()
    catch_all: Address | None = None
    spf: str | None = None
    """``None`` for the usual record, empty for none."""
    dmarc: str | None = None
    zone: str = ""
    """Zone-file text, its relative names inside the domain."""
    ignore_dots: bool = False
    behind: tuple[str, ...] = ()
    """Hosts that deliver its mail and are in no MX record."""
    policy: Policy = Policy()
    where: str = field(default="", compare=False)
    """Where it was written, for messages: ``world.toml:4: [domains."example.org"]``."""
    dkim: tuple[Dkim, ...] = (Dkim(),)
    mta_sts: MtaSts | None = None
    """The policy that it publishes; whoever runs the domain publishes it."""
    dnssec: Signed = False
    """Whether its zone is signed, or with which flaw; whoever holds the zones signs it."""
    auth_flaws: tuple[str, ...] = ()
    """How its sender authentication is broken, by name; whoever runs the domain breaks it."""


@dataclass(frozen=True, slots=True)
class HostEntry:
    """A host; ``None`` for an address leaves the choice to the fake internet."""

    name: str
    services: tuple[Service, ...] = ()
    ipv4: str | None = None
    ipv6: str | None = None
    relay_for: frozenset[str] = frozenset()
    smarthost: bool = False
    options: HostOptions = field(default_factory=HostOptions)
    routes: tuple[tuple[str, str], ...] = ()
    """Domain, or ``*``, and the host that its mail is handed to."""
    relay_from: frozenset[str] = frozenset()
    where: str = field(default="", compare=False)
    policy: Policy | None = None
    """What is checked of mail that is submitted to it."""


@dataclass(frozen=True, slots=True)
class AccountEntry:
    """An account; ``None`` for the password leaves it to whoever runs the fake internet."""

    address: Address
    password: str | None = field(default=None, repr=False)
    may_send_as: frozenset[str] = frozenset()
    tokens: frozenset[str] = field(default=frozenset(), repr=False)
    disabled: bool = False
    quota: int | None = None
    quota_messages: int | None = None
    sent_copy: bool = False
    auto_reply: AutoReply | None = None
    forward: ForwardTo | None = None
    moved_to: Address | None = None
    where: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class ListEntry:
    """A mailing list."""

    mailing_list: MailingListSpec
    where: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class FaultEntry:
    """A fault, as its table says it; what may stand in it only those know who declare it."""

    table: dict[str, object]
    where: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class RecordEntry:
    """DNS records of one name, type and time to live (in seconds)."""

    name: str
    type: str
    values: tuple[str, ...] = ()
    ttl: int = DEFAULT_RECORD_TTL
    replace: bool = False
    """Whether they stand in place of all others of that name and type, or beside them."""
    where: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class ZoneEntry:
    """A zone, whether it is signed (that of a mail domain says so itself), and who may have it."""

    name: str
    dnssec: Signed = False
    where: str = field(default="", compare=False)
    allow_transfer: frozenset[str] = frozenset()
    """Who may have all of it (AXFR)."""


@dataclass(frozen=True, slots=True)
class Description:
    """A whole fake internet as it was written down."""

    domains: tuple[DomainEntry, ...] = ()
    hosts: tuple[HostEntry, ...] = ()
    accounts: tuple[AccountEntry, ...] = ()
    records: tuple[RecordEntry, ...] = ()
    zone: str = ""
    """Zone-file text with absolute names."""
    seed: int | None = None
    lists: tuple[ListEntry, ...] = ()
    zones: tuple[ZoneEntry, ...] = ()
    faults: tuple[FaultEntry, ...] = ()
    source: str = field(default="", compare=False)
    """The name of the file it was read from, empty for none."""
    grease: bool | str | None = None
    """What is legal and not usual: see :mod:`fakemail.grease`. ``None`` where nothing is said of it."""


# Into a world ----------------------------------------------------------------------------------------


def declare(
    world: WorldSpec, description: Description, *, password: Callable[[Address], str], problems: Problems
) -> None:
    """Declare in a world what a description names, in an order in which everything finds what it needs.

    ``password`` gives the passwords that were not written down. Entries that cannot be are noted in
    ``problems``, and the rest is looked at all the same; a world with problems is not to be used.
    """
    # Addresses that were chosen come first, or a host that takes any free one might get them.
    for host in sorted(description.hosts, key=lambda entry: entry.ipv4 is None and entry.ipv6 is None):
        with problems.at(host.where):
            _declare_host(world, host)
    domains = {a_labels(entry.name): entry for entry in description.domains}
    for name, domain in domains.items():
        for host_name in _hosts_of(name, domain):
            if host_name not in world.hosts and _is_inside(host_name, name):
                world.add_host(host_name)
    for domain in description.domains:
        with problems.at(domain.where):
            _declare_domain(world, domain)
    for account in description.accounts:
        home = account.address.domain
        if home in domains and home not in world.domains:
            continue  # what is wrong with the domain has been told
        with problems.at(account.where):
            if account.address.key in world.accounts:
                raise DeclarationError(f"account {str(account.address)!r} is declared twice.")
            # As everywhere, an account brings its domain with it.
            if home not in world.domains:
                world.add_domain(home)
            world.add_account(
                account.address,
                password(account.address) if account.password is None else account.password,
                may_send_as=account.may_send_as,
                tokens=account.tokens,
                disabled=account.disabled,
                quota=account.quota,
                quota_messages=account.quota_messages,
                sent_copy=account.sent_copy,
                auto_reply=account.auto_reply,
                forward=account.forward,
                moved_to=account.moved_to,
            )
    for each in description.lists:
        with problems.at(each.where):
            if each.mailing_list.address.domain not in world.domains:
                world.add_domain(each.mailing_list.address.domain)
            world.put_list(each.mailing_list)
    _declare_aliases(world, [entry for name, entry in domains.items() if name in world.domains], problems)


def _declare_host(world: WorldSpec, host: HostEntry) -> None:
    world.add_host(
        host.name,
        services=host.services,
        ipv4=host.ipv4,
        ipv6=host.ipv6,
        options=host.options,
        open_relay_for=host.relay_for,
        smarthost=host.smarthost,
        routes=dict(host.routes),
        relay_from=host.relay_from,
        policy=host.policy,
    )


def _declare_domain(world: WorldSpec, domain: DomainEntry) -> None:
    for host in _hosts_of(domain.name, domain):
        if host not in world.hosts:
            raise DeclarationError(
                f"domain {domain.name!r}: the host {host!r} is not declared and not inside the domain, so "
                f'mail would go nowhere; declare it as [hosts."{host}"].'
            )
    world.add_domain(
        domain.name,
        routing=domain.routing,
        mx=domain.mx,
        submission_host=domain.submission,
        detail_separator=domain.detail_separator,
        ignore_dots=domain.ignore_dots,
        behind=domain.behind,
    )
    world.set_policy(domain.name, domain.policy)
    world.change_domain(replace(world.domain(domain.name), dkim=domain.dkim))


def _hosts_of(domain: str, entry: DomainEntry) -> Iterator[str]:
    """The complete names of the hosts that a domain names, those that are no names left out."""
    for written in (*entry.mx, *entry.behind, *([entry.submission] if entry.submission else [])):
        name = a_labels(written)
        name = name if "." in name else f"{name}.{domain}"
        if is_domain_name(name):
            yield name


def _is_inside(host: str, domain: str) -> bool:
    """Whether a host is the domain's own, and comes with it."""
    return host == domain or host.endswith(f".{domain}")


def _declare_aliases(world: WorldSpec, domains: Iterable[DomainEntry], problems: Problems) -> None:
    entries = list(domains)
    good = []
    for entry in entries:
        for alias, targets in entry.aliases:
            with problems.at(entry.where):
                world.add_alias(alias, [_NOBODY] if targets else [])
                good.append((entry, alias, targets))
    for entry in entries:
        if entry.catch_all is not None:
            with problems.at(entry.where):
                world.set_catch_all(entry.name, entry.catch_all)
    for entry, alias, targets in good:
        with problems.at(entry.where):
            world.add_alias(alias, targets)


# Out of a world --------------------------------------------------------------------------------------


def describe(
    world: WorldSpec, *, records: Iterable[RecordEntry] = (), seed: int | None = None
) -> Description:
    """A description of what is declared in a world; declared anew, it gives an equal world.

    DNS records are no part of a world; whoever holds the zones names those that differ from the usual.
    """
    return Description(
        domains=tuple(_domain_entry(domain) for domain in world.domains.values()),
        hosts=tuple(_host_entry(host) for host in world.hosts.values()),
        accounts=tuple(_account_entry(each) for each in world.accounts.values()),
        lists=tuple(ListEntry(each) for each in world.lists.values()),
        records=tuple(records),
        seed=seed,
    )


def _domain_entry(domain: DomainSpec) -> DomainEntry:
    return DomainEntry(
        domain.name,
        domain.routing,
        domain.mail_hosts if domain.routing is Routing.MX else (),
        domain.submission_host,
        domain.detail_separator,
        tuple((Address(local, domain.name), targets) for local, targets in domain.aliases.items()),
        domain.catch_all,
        ignore_dots=domain.ignore_dots,
        behind=domain.behind,
        policy=domain.policy,
        dkim=domain.dkim,
        mta_sts=_mta_sts(domain),
        auth_flaws=domain.auth_flaws,
    )


def _mta_sts(domain: DomainSpec) -> MtaSts | None:
    policy = domain.mta_sts
    return policy if policy is None or policy.mx != domain.mail_hosts else replace(policy, mx=None)


def _account_entry(account: AccountSpec) -> AccountEntry:
    return AccountEntry(
        account.address,
        account.password,
        account.may_send_as,
        account.tokens,
        account.disabled,
        account.quota,
        account.quota_messages,
        account.sent_copy,
        account.auto_reply,
        account.forward,
        account.moved_to,
    )


def _host_entry(host: HostSpec) -> HostEntry:
    return HostEntry(
        host.name,
        host.services,
        host.ipv4,
        host.ipv6,
        host.open_relay_for,
        host.smarthost,
        host.options,
        tuple(host.routes.items()),
        host.relay_from,
        policy=host.policy,
    )
