"""Declaration of a fake internet: entries in the order of the text, nothing resolved, nothing run.

How text becomes a description is in :mod:`fakemail.model.toml`. Here is how a description becomes part
of a :class:`~fakemail.model.world.WorldSpec`, by the same checked steps that everybody else uses, and back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import field, fields, replace
from datetime import datetime
from typing import Any, TypeVar, cast

from fakemail.errors import DeclarationError
from fakemail.model.account import AutoReply, ForwardTo
from fakemail.model.dkim import Dkim
from fakemail.model.domain import DomainSpec, Routing
from fakemail.model.host import HostOptions, HostSpec, Service
from fakemail.model.mailing_list import MailingListSpec
from fakemail.model.policy import Policy
from fakemail.model.schema import Problems
from fakemail.model.transport_security import MtaSts, Signed
from fakemail.model.world import WorldSpec
from fakemail.types.address import Address, is_domain_name
from fakemail.types.dataclass import dataclass
from fakemail.types.domains import a_labels

_T = TypeVar("_T")

DEFAULT_RECORD_TTL = 300
"""Seconds."""
# Stands in for the targets of every alias while the aliases are declared, so that they may name each
# other in any order. An address literal is nobody's domain.
_NOBODY = Address("nobody", "[0.0.0.0]")


@dataclass(frozen=True, slots=True)
class DomainEntry:
    """A mail domain. Names of hosts and local parts are as written: complete, or inside the domain."""

    name: str
    routing: Routing = Routing.MX
    """``mx``; ``implicit``: no MX record, mail goes to the domain's own address; ``null``: a null MX (RFC 7505);
    ``none``: neither."""
    mx: tuple[str, ...] = ()
    """The mail hosts, the preferred first; ``["mx1"]`` by default."""
    submission: str | None = None
    """The host where its accounts submit mail; ``smtp`` by default."""
    detail_separator: str = "+"
    """``bob+news`` is delivered to ``bob``; ``""`` for no such thing."""
    aliases: tuple[tuple[Address, tuple[Address, ...]], ...] = ()
    """``aliases.sales = ["bob", "x@example.com"]``: who gets the mail for ``sales``."""
    catch_all: Address | None = None
    """Account that gets the mail for every unknown local part."""
    spf: str | None = None
    """The SPF record in place of the default one; ``""`` for none."""
    dmarc: str | None = None
    """The DMARC record in place of the default one; ``""`` for none."""
    zone: str = ""
    """Zone-file text; its relative names are inside the domain."""
    ignore_dots: bool = False
    """Whether ``jane.doe`` and ``janedoe`` are one."""
    behind: tuple[str, ...] = ()
    """Hosts that deliver its mail although no MX record names them; the others need ``routes`` to them."""
    policy: Policy = Policy()
    """``policy.dnsbl = "zen.example"``: what its mail hosts check; ``greylist`` may stand there as well."""
    dkim: tuple[Dkim, ...] = (Dkim(),)
    """Its DKIM keys in place of the default one."""
    mta_sts: MtaSts | None = None
    """The MTA-STS policy that it publishes."""
    dnssec: Signed = False
    """Whether its zone is signed; ``"expired"``, ``"bogus"`` and ``"missing_signature"`` are flaws."""
    auth_flaws: tuple[str, ...] = ()
    """Flaws of its sender authentication, such as ``["spf_two_records"]``."""
    where: str = field(default="", compare=False)
    """Place where it was written, for messages: ``world.toml:4: [domains."example.org"]``."""


@dataclass(frozen=True, slots=True)
class HostEntry:
    """A host; ``None`` for an address leaves the choice to the fake internet."""

    name: str
    services: tuple[Service, ...] = ()
    """``smtp``, ``submission``, ``submissions``, ``imap``, ``imaps``, ``pop3``, ``pop3s``, ``https``. The services that
    its domains need are added."""
    ipv4: str | None = None
    """Its address, from a range for documentation (RFC 5737) or benchmarks (RFC 2544)."""
    ipv6: str | None = None
    """Its address in ``2001:db8::/32`` (RFC 3849)."""
    relay_for: frozenset[str] = frozenset()
    """Domains for which it relays mail from any client; ``"*"`` for all."""
    smarthost: bool = False
    """Whether the accounts of all domains may log in."""
    options: HostOptions = field(default_factory=HostOptions)
    routes: tuple[tuple[str, str], ...] = ()
    """``routes."example.org" = "relay.example"``: the host that mail for a domain is passed to, whatever DNS says;
    ``"*"`` for all others."""
    relay_from: frozenset[str] = frozenset()
    """Hosts whose mail it passes on to anywhere."""
    policy: Policy | None = None
    """Checks of mail that is submitted to it."""
    where: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class AccountEntry:
    """Account; with ``None`` for the password the running fake internet chooses one."""

    address: Address
    """Must be there. It is the login as well."""
    password: str | None = field(default=None, repr=False)
    """By default ``ann-password`` for ``ann@...`` on the command line, and made from the seed in tests."""
    may_send_as: frozenset[str] = frozenset()
    """Further addresses it may use as a sender; ``"@example.org"`` for all of a domain, ``"*"`` for all."""
    tokens: frozenset[str] = field(default=frozenset(), repr=False)
    """OAuth 2.0 access tokens that are good for it."""
    disabled: bool = False
    """It takes no mail and cannot log in."""
    quota: int | None = None
    """The bytes that it may hold."""
    quota_messages: int | None = None
    """The messages that it may hold."""
    sent_copy: bool = False
    """The submission server puts what it sends into its mailbox ``Sent``."""
    auto_reply: AutoReply | None = None
    """``text``, and if wanted ``subject`` and ``days`` (7): what it answers while its owner is away."""
    forward: ForwardTo | None = None
    """``to`` (addresses), ``keep_copy`` (true), ``srs`` and ``arc`` (false): where its mail is forwarded to."""
    moved_to: Address | None = None
    """Present address of its owner: mail for it is refused with 551 and that address."""
    where: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class MessageEntry:
    """Message that lies in a mailbox from the start."""

    account: Address
    """Must be there: the address of a declared account."""
    folder: str = "INBOX"
    """Its mailbox, made if it is not there."""
    text: str = ""
    """The message itself, header and body; or else ``file``."""
    file: str = ""
    """An ``.eml`` file, an mbox, a Maildir or a folder of them, as seen from the folder of the configuration."""
    flags: frozenset[str] = frozenset()
    """Its flags, such as ``'\\Seen'``; by default those that the file says."""
    received_at: datetime | None = None
    """Its internal date; by default that of the file, or the present time."""
    where: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class ListEntry:
    """A mailing list."""

    mailing_list: MailingListSpec
    where: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class FaultEntry:
    """A fault as its table says it; what may stand in it is known where faults are declared."""

    table: dict[str, object]
    where: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class RecordEntry:
    """DNS records of one name, type and time to live."""

    name: str
    """Must be there. A zone is made where there is none."""
    type: str
    """Must be there: ``MX``, ``TXT``..."""
    values: tuple[str, ...] = ()
    """The data of several records, instead of ``value``."""
    ttl: int = DEFAULT_RECORD_TTL
    """Seconds; 300 by default."""
    replace: bool = False
    """Put them in place of all others of that name and type; without values, take those away."""
    where: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class ZoneEntry:
    """A zone that is no mail domain's, which says so itself."""

    name: str
    dnssec: Signed = False
    """As in a domain."""
    allow_transfer: frozenset[str] = frozenset()
    """Clients that may transfer it (AXFR)."""
    where: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Description:
    """A whole fake internet as it was written down."""

    domains: tuple[DomainEntry, ...] = ()
    """``[domains."example.org"]``, one for each."""
    hosts: tuple[HostEntry, ...] = ()
    """``[hosts."mx1.example.org"]``, one for each."""
    accounts: tuple[AccountEntry, ...] = ()
    """``[[accounts]]``, one for each."""
    records: tuple[RecordEntry, ...] = ()
    """``[[records]]``, one for each name and type."""
    zone: str = ""
    """Zone-file text (RFC 1035 §5) with absolute names; an SOA record makes its owner a zone."""
    seed: int | None = None
    """Decides all that is left to chance; 0 by default. An explicit ``seed=`` or ``--seed`` goes before it."""
    lists: tuple[ListEntry, ...] = ()
    """``[lists."friends@lists.example.org"]``, one for each."""
    zones: tuple[ZoneEntry, ...] = ()
    """``[zones.org]``, one for each zone that is no mail domain's."""
    faults: tuple[FaultEntry, ...] = ()
    """``[[faults]]``, one for each."""
    messages: tuple[MessageEntry, ...] = ()
    """``[[messages]]``, one for each."""
    source: str = field(default="", compare=False)
    """The name of the file it was read from, empty for none."""
    grease: bool | str | None = None
    """Whether servers say to the app whatever the standards allow. An explicit ``grease=`` goes before it."""
    sink: bool | None = None
    """Whether mail for every undeclared domain is accepted. An explicit ``sink=`` goes before it."""


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
            given = {
                each.name: getattr(account, each.name) for each in fields(account) if each.name != "where"
            }
            if account.password is None:
                given["password"] = password(account.address)
            world.add_account(**given)
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
        accounts=tuple(_entry(AccountEntry, each) for each in world.accounts.values()),
        lists=tuple(ListEntry(each) for each in world.lists.values()),
        records=tuple(records),
        seed=seed,
    )


def _entry(kind: type[_T], of: object, **different: object) -> _T:
    """An entry with the values of the fields that have the same names in what it is an entry of."""
    names = [each.name for each in fields(cast(Any, kind)) if hasattr(of, each.name)]
    return kind(**{name: getattr(of, name) for name in names} | different)


def _domain_entry(domain: DomainSpec) -> DomainEntry:
    policy = domain.mta_sts
    return _entry(
        DomainEntry,
        domain,
        mx=domain.mail_hosts if domain.routing is Routing.MX else (),
        submission=domain.submission_host,
        aliases=tuple((Address(local, domain.name), targets) for local, targets in domain.aliases.items()),
        mta_sts=policy if policy is None or policy.mx != domain.mail_hosts else replace(policy, mx=None),
    )


def _host_entry(host: HostSpec) -> HostEntry:
    return _entry(HostEntry, host, relay_for=host.open_relay_for, routes=tuple(host.routes.items()))
