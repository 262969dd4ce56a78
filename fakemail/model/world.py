"""The world: every host, domain and account of one fake internet, and the rules between them.

Its parts are frozen; the world itself grows and changes while it runs, one checked step at a time.
Each step either holds or raises :class:`~fakemail.errors.DeclarationError` and changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from types import MappingProxyType
from typing import Any, TypeVar

from fakemail.errors import DeclarationError, UnknownNameError, nearest
from fakemail.model.account import AccountSpec, ForwardTo
from fakemail.model.addresses import AddressPlan
from fakemail.model.domain import DomainSpec, MxTarget, Routing
from fakemail.model.host import SMTP, SUBMISSION, SUBMISSIONS, HostOptions, HostSpec, Service
from fakemail.model.mailing_list import ROLES, MailingListSpec
from fakemail.model.policy import DEFAULT_POLICY, Policy
from fakemail.types.address import Address, is_domain_name, local_key, quote_local
from fakemail.types.domains import a_labels, u_labels

_T = TypeVar("_T")


class DeclaredSpecs(dict[str, _T]):
    """Declared things by name. One that was removed is no longer in it; ``[]`` finds it for work that is under way."""

    def __init__(self) -> None:
        super().__init__()
        self._removed: dict[str, _T] = {}

    def remove(self, name: str) -> None:
        """Remove one."""
        self._removed[name] = self.pop(name)

    def __missing__(self, name: str) -> _T:
        return self._removed[name]


class WorldSpec:
    """Every declared thing by its name."""

    def __init__(self) -> None:
        self.addresses = AddressPlan()
        self.hosts: DeclaredSpecs[HostSpec] = DeclaredSpecs()
        self.domains: DeclaredSpecs[DomainSpec] = DeclaredSpecs()
        self.accounts: dict[str, AccountSpec] = {}
        self.lists: dict[str, MailingListSpec] = {}
        self.has_policies = False
        """Whether any domain has a policy other than the usual one, so that mail is to be checked."""
        self.undotted: dict[str, str] = {}
        """The key of an account by that key without the dots of its local part."""

    # Looking up ----------------------------------------------------------------------------------

    def host(self, name: str) -> HostSpec:
        """The host of that name; raises ``UnknownNameError`` with the nearest one."""
        return _look_up(self.hosts, a_labels(name), "host")

    def domain(self, name: str) -> DomainSpec:
        """The domain of that name; raises ``UnknownNameError`` with the nearest one."""
        return _look_up(self.domains, a_labels(name), "domain")

    def account(self, address: Address) -> AccountSpec:
        """The account of that address; raises ``UnknownNameError`` with the nearest one."""
        return _look_up(self.accounts, address.key, "account")

    def mail_hosts(self, domain: DomainSpec) -> tuple[HostSpec, ...]:
        """The hosts that take mail for a domain, the preferred first."""
        return tuple(self.hosts[name] for name in domain.mail_hosts)

    # Declaring -----------------------------------------------------------------------------------

    def add_host(
        self,
        name: str,
        *,
        services: Sequence[Service] = (),
        ipv4: str | None = None,
        ipv6: str | None = None,
        options: HostOptions | None = None,
        open_relay_for: Iterable[str] = (),
        smarthost: bool = False,
        routes: Mapping[str, str] | None = None,
        relay_from: Iterable[str] = (),
        policy: Policy | None = None,
        is_sink: bool = False,
    ) -> HostSpec:
        """Declare a host; free addresses are found where none is given."""
        name = _checked_name(name, "host")
        if name in self.hosts:
            raise DeclarationError(f"host {name!r} is declared already; take it with mailnet.host({name!r}).")
        own4, own6 = self.addresses.assign(name, ipv4=ipv4, ipv6=ipv6)
        host = HostSpec(
            name,
            own4,
            own6,
            tuple(services),
            options or HostOptions(),
            frozenset(a_labels(domain) for domain in open_relay_for),
            smarthost,
            _checked_routes(name, routes or {}),
            frozenset(a_labels(each) for each in relay_from),
            policy,
            is_sink,
        )
        self.hosts[name] = host
        return host

    def add_domain(
        self,
        name: str,
        *,
        routing: Routing = Routing.MX,
        mx: Sequence[str] = (),
        submission_host: str | None = None,
        detail_separator: str = "+",
        ignore_dots: bool = False,
        behind: Sequence[str] = (),
    ) -> DomainSpec:
        """Declare a domain and the hosts of it that do not exist yet.

        ``mx`` names its mail hosts, the preferred first; a name without a dot is inside the domain.
        The default is one host ``mx1``. With ``Routing.IMPLICIT`` the domain's own name is the host.
        """
        name = _checked_name(name, "domain")
        if name in self.domains:
            raise DeclarationError(
                f"domain {name!r} is declared already; take it with mailnet.domain({name!r})."
            )
        _check_routing(name, routing, mx)
        targets = self._targets(name, routing, mx)
        submission = self._qualified(name, submission_host or "smtp")
        inner = tuple(self._qualified(name, host) for host in behind)
        self._require_hosts(name, [*(target.host for target in targets), submission, *inner])
        for host in (*(target.host for target in targets), *inner):
            self._ensure_service(host, SMTP)
        for service in (SUBMISSION, SUBMISSIONS):
            self._ensure_service(submission, service)
        domain = DomainSpec(
            name,
            routing,
            targets,
            submission,
            detail_separator=detail_separator,
            ignore_dots=ignore_dots,
            behind=inner,
        )
        self.domains[name] = domain
        return domain

    def route_domain(self, name: str, routing: Routing, mx: Sequence[str] = ()) -> DomainSpec:
        """Change how mail finds the hosts of a domain."""
        domain = self.domain(name)
        _check_routing(domain.name, routing, mx)
        targets = self._targets(domain.name, routing, mx)
        self._require_hosts(domain.name, [target.host for target in targets])
        for target in targets:
            self._ensure_service(target.host, SMTP)
        return self._put_domain(replace(domain, routing=routing, mx=targets))

    def add_route(self, host: str, domain: str, via: str) -> HostSpec:
        """Let a host hand mail for a domain, or for all others with ``*``, to another host."""
        described = self.host(host)
        routes = {**described.routes, **_checked_routes(described.name, {domain: via})}
        self._ensure_service(a_labels(via), SMTP)
        return self.change_host(replace(self.host(host), routes=MappingProxyType(routes)))

    def chain(self, hosts: Sequence[str], domain: str) -> None:
        """Let each host hand mail for a domain, or for all others with ``*``, to the next one, which takes it.

        Hosts that are not there are made.
        """
        names = [_checked_name(host, "host") for host in hosts]
        for name in names:
            if names.count(name) > 1:
                raise DeclarationError(f"a route goes through {name!r} twice: {' -> '.join(names)}.")
        for name, onward in pairwise(names):
            if name not in self.hosts:
                self.add_host(name)
            self.add_route(name, domain, onward)
            following = self.hosts[onward]
            self.hosts[onward] = replace(following, relay_from=following.relay_from | {name})

    def ensure_reading_host(self, name: str, services: Sequence[Service], *, host: str = "") -> DomainSpec:
        """Give a domain the host where its accounts read their mail, by default ``mail``, unless it has one."""
        domain = self.domain(name)
        host = domain.imap_host or host or usual_reading_host(domain.name)
        for service in services:
            self._ensure_service(host, service)
        return self._put_domain(replace(domain, imap_host=host))

    def add_account(
        self,
        address: Address,
        password: str,
        *,
        may_send_as: Iterable[str] = (),
        tokens: Iterable[str] = (),
        disabled: bool = False,
        **more: Any,
    ) -> AccountSpec:
        """Declare an account of a declared domain. ``more`` are further fields of :class:`AccountSpec`."""
        if address.key in self.accounts:
            raise DeclarationError(
                f"account {address.shown!r} is declared already; take it with mailnet.account({address.shown!r})."
            )
        domain = self.domain(address.domain)
        if local_key(address.local) in domain.aliases:
            raise DeclarationError(f"account {address.shown!r}: an alias has that address already.")
        if self.list_role(address) is not None:
            raise DeclarationError(f"account {address.shown!r}: a mailing list has that address already.")
        separator = domain.detail_separator
        if separator and separator in address.local:
            raise DeclarationError(
                f"account {address.shown!r}: {separator!r} separates the detail from the account in "
                f"{domain.name!r} (RFC 5233), so mail for it would go to "
                f"{quote_local(address.local.partition(separator)[0])}@{domain.name}."
            )
        _check_password(address, password)
        account = AccountSpec(address, password, frozenset(may_send_as), frozenset(tokens), disabled, **more)
        _check_account(account)
        if domain.ignore_dots:
            self._check_dots(address)
        self.accounts[address.key] = account
        self.undotted.setdefault(undotted(address), address.key)
        return account

    def remove_account(self, address: Address) -> None:
        """Remove an account. Its domain's mail for unknown local parts goes to it no more; aliases stay."""
        account = self.account(address)
        del self.accounts[account.address.key]
        if self.undotted.get(undotted(account.address)) == account.address.key:
            del self.undotted[undotted(account.address)]
        for domain in [*self.domains.values()]:
            if domain.catch_all is not None and domain.catch_all.key == account.address.key:
                self._put_domain(replace(domain, catch_all=None))

    def change_account(self, account: AccountSpec) -> AccountSpec:
        """Put a changed account in the place of the one with the same address."""
        self.account(account.address)
        _check_password(account.address, account.password)
        _check_account(account)
        self.accounts[account.address.key] = account
        return account

    def remove_domain(self, name: str) -> None:
        """Remove a domain without accounts, with its aliases and mailing lists; its hosts stay."""
        domain = self.domain(name)
        self.domains.remove(domain.name)
        for key in [key for key, each in self.lists.items() if each.address.domain == domain.name]:
            del self.lists[key]
        self.has_policies = any(each.policy != DEFAULT_POLICY for each in self.domains.values())

    def remove_host(self, name: str) -> HostSpec:
        """Remove a host that no domain uses."""
        host = self.host(name)
        for domain in self.domains.values():
            if host.name in domain.hosts:
                raise DeclarationError(
                    f"host {host.name!r} cannot be removed: it is one of the domain {domain.name!r}; give that "
                    "others with set_mx(), or remove the domain."
                )
        self.hosts.remove(host.name)
        self.addresses.release(host.name)
        return host

    def change_host(self, host: HostSpec) -> HostSpec:
        """Put a changed host in the place of the one with the same name."""
        self.host(host.name)
        self.hosts[host.name] = host
        return host

    def add_alias(self, alias: Address, targets: Sequence[Address]) -> DomainSpec:
        """Let mail for one address go to others; declared again, it goes to the new ones instead."""
        domain = self.domain(alias.domain)
        if not targets:
            raise DeclarationError(f"alias {alias.shown!r}: it stands for no address; name at least one.")
        if alias.key in self.accounts:
            raise DeclarationError(f"alias {alias.shown!r}: an account has that address already.")
        for target in targets:
            if target.domain in self.domains and not self._is_somebody(target):
                raise DeclarationError(
                    f"alias {alias.shown!r}: nobody has the address {target.shown!r}; "
                    + nearest(u_labels(target.key), map(u_labels, self.accounts))
                )
        aliases = {**domain.aliases, local_key(alias.local): tuple(targets)}
        return self._put_domain(replace(domain, aliases=MappingProxyType(aliases)))

    def put_list(self, mailing_list: MailingListSpec) -> MailingListSpec:
        """Declare a mailing list of a declared domain, or put a changed one in the place of the old."""
        address = mailing_list.address
        domain = self.domain(address.domain)
        for each in (address, *(mailing_list.role(role) for role in ROLES)):
            if each.key in self.accounts or local_key(each.local) in domain.aliases:
                raise DeclarationError(
                    f"mailing list {address.shown!r}: the address {each.shown!r} is taken already."
                )
        if any(member.key == address.key for member in mailing_list.members):
            raise DeclarationError(f"mailing list {address.shown!r}: it cannot be its own member.")
        self.lists[address.key] = mailing_list
        return mailing_list

    def list_role(self, address: Address) -> tuple[MailingListSpec, str] | None:
        """The list that has an address, and for what: empty for its mail, else one of ``ROLES``."""
        if not self.lists:
            return None
        local = local_key(address.local).partition("+")[0]
        found = self.lists.get(f"{local}@{address.domain}")
        if found is not None:
            return found, ""
        base, _, role = local.rpartition("-")
        found = self.lists.get(f"{base}@{address.domain}") if role in ROLES else None
        return None if found is None else (found, role)

    def change_domain(self, domain: DomainSpec) -> DomainSpec:
        """Put a changed domain in the place of the one with the same name."""
        self.domain(domain.name)
        if domain.ignore_dots:
            for account in self.accounts.values():
                if account.address.domain == domain.name:
                    self._check_dots(account.address)
        return self._put_domain(domain)

    def set_policy(self, name: str, policy: Policy) -> DomainSpec:
        """Change what a domain's mail hosts check."""
        return self._put_domain(replace(self.domain(name), policy=policy))

    def set_catch_all(self, name: str, account: Address | None) -> DomainSpec:
        """Let one account get the mail for every unknown local part."""
        domain = self.domain(name)
        if account is not None:
            self.account(account)
        return self._put_domain(replace(domain, catch_all=account))

    # Inside --------------------------------------------------------------------------------------

    def _check_dots(self, address: Address) -> None:
        """Two accounts that differ in dots only are one where dots are ignored."""
        known = self.undotted.get(undotted(address), address.key)
        if known != address.key:
            raise DeclarationError(
                f"account {address.shown!r}: it differs from {known!r} in dots only, which "
                f"{address.domain!r} ignores."
            )

    def _is_somebody(self, address: Address) -> bool:
        """Whether an address of a hosted domain has a recipient, loops of aliases apart."""
        domain = self.domains[address.domain]
        local = local_key(address.local)
        base = local.partition(domain.detail_separator)[0] if domain.detail_separator else local
        return (
            domain.catch_all is not None
            or self.list_role(address) is not None
            or (domain.ignore_dots and undotted(Address(base, domain.name)) in self.undotted)
            or local == "postmaster"  # RFC 5321 §4.5.1: every domain has it
            or any(
                f"{name}@{domain.name}" in self.accounts or name in domain.aliases for name in (local, base)
            )
        )

    def _put_domain(self, domain: DomainSpec) -> DomainSpec:
        self.domains[domain.name] = domain
        self.has_policies = any(each.policy != DEFAULT_POLICY for each in self.domains.values())
        return domain

    def _targets(self, name: str, routing: Routing, mx: Sequence[str]) -> tuple[MxTarget, ...]:
        if routing is Routing.IMPLICIT:
            return (MxTarget(0, name),)
        if routing is not Routing.MX:
            return ()
        names = [self._qualified(name, host) for host in (mx or ("mx1",))]
        if len(set(names)) != len(names):
            raise DeclarationError(f"domain {name!r}: a mail host is named twice in {list(mx)!r}.")
        return tuple(MxTarget(10 * place, host) for place, host in enumerate(names, 1))

    def _qualified(self, domain: str, host: str) -> str:
        host = a_labels(host)
        return _checked_name(host if "." in host else f"{host}.{domain}", f"domain {domain!r}: host")

    def _require_hosts(self, domain: str, names: Sequence[str]) -> None:
        for name in names:
            if name not in self.hosts and name != domain and not name.endswith("." + domain):
                raise DeclarationError(
                    f"domain {domain!r}: the host {name!r} is not declared and not inside the domain, so "
                    f"mail would go nowhere; declare it with mailnet.host({name!r}) first, or: "
                    + nearest(name, self.hosts)
                )

    def _ensure_service(self, name: str, service: Service) -> None:
        host = self.hosts.get(name) or self.add_host(name)
        if service not in host.services:
            self.hosts[name] = replace(host, services=(*host.services, service))


def usual_reading_host(domain: str) -> str:
    """The host where the mail of a domain is read unless something else is said."""
    return f"mail.{domain}"


def _look_up(known: dict[str, _T], name: str, kind: str) -> _T:
    found = known.get(name)
    if found is None:
        shown = u_labels(name)
        hint = nearest(shown, map(u_labels, known))
        raise UnknownNameError(f"no {kind} {shown!r} is declared; {hint}")
    return found


def undotted(address: Address) -> str:
    """The key of an address without the dots of its local part."""
    return f"{local_key(address.local).replace('.', '')}@{address.domain}"


def _checked_routes(host: str, routes: Mapping[str, str]) -> Mapping[str, str]:
    found = {}
    for domain, onward in routes.items():
        target = domain if domain == "*" else _checked_name(domain, f"host {host!r}: route for")
        found[target] = _checked_name(onward, f"host {host!r}: route to")
        if found[target] == host:
            raise DeclarationError(f"host {host!r}: its route for {domain!r} leads to itself.")
    return MappingProxyType(found)


def _check_account(account: AccountSpec) -> None:
    name = account.address.shown
    match account.forward:
        case ForwardTo(to=()):
            raise DeclarationError(
                f"account {name!r}: it is to forward to nobody; name at least one address."
            )
        case ForwardTo(to=to) if any(target.key == account.address.key for target in to):
            raise DeclarationError(
                f"account {name!r}: it cannot forward to itself; keep_copy=True keeps a copy."
            )
    if account.moved_to is not None and account.moved_to.key == account.address.key:
        raise DeclarationError(f"account {name!r}: it cannot have moved to where it is.")
    for limit in (account.quota, account.quota_messages):
        if limit is not None and limit < 0:
            raise DeclarationError(f"account {name!r}: a quota is no less than 0, not {limit}.")
    if account.auto_reply is not None and account.auto_reply.days < 0:
        raise DeclarationError(f"account {name!r}: the days of an automatic reply are 0 or more.")


def _checked_name(name: str, what: str) -> str:
    name = a_labels(name)
    if not is_domain_name(name):
        raise DeclarationError(
            f"{what} {name!r}: not a domain name; labels of letters, digits and inner hyphens, "
            "63 octets at most each, joined by dots."
        )
    return name


def _check_routing(name: str, routing: Routing, mx: Sequence[str]) -> None:
    if mx and routing is not Routing.MX:
        raise DeclarationError(
            f"domain {name!r}: mail hosts are named, but its routing is {routing.value!r}."
        )


def _check_password(address: Address, password: str) -> None:
    for sign, word in (("\n", "a line feed"), ("\r", "a carriage return"), ("\0", "a NUL")):
        if sign in password:
            raise DeclarationError(
                f"account {address.shown!r}: the password has {word} in it, which no client can send."
            )
    if not password:
        raise DeclarationError(f"account {address.shown!r}: the password is empty.")
