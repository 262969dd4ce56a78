"""Accounts of one host: who may log in with which secret, and the mailboxes behind a login."""

from __future__ import annotations

from datetime import timedelta

from fakemail.clock import datetime
from fakemail.environment import Environment
from fakemail.model.domain import DomainSpec
from fakemail.model.host import READING
from fakemail.model.world import WorldSpec
from fakemail.store.account import AccountStore
from fakemail.store.mailstore import MailStore
from fakemail.types.address import address_key
from fakemail.types.seeded_random import SeededRandom


class HostCredentials:
    """Logins of a host, and their secrets."""

    def __init__(self, world: WorldSpec, host: str) -> None:
        self._world = world
        self._host = host

    def _account(self, login: str) -> str | None:
        """The key of the account that may log in here with that name."""
        world = self._world
        account = world.accounts.get(address_key(login))
        if account is None or account.disabled:
            return None
        domain = world.domains.get(account.address.domain)
        at_home = domain is not None and self._is_home_of(domain)
        return account.address.key if at_home or world.hosts[self._host].smarthost else None

    def _is_home_of(self, domain: DomainSpec) -> bool:
        """Whether the accounts of a domain log in here, to submit mail or to read it."""
        host = self._host
        if host in (domain.submission_host, domain.imap_host):
            return True
        is_inside = host.partition(".")[2] == domain.name
        return is_inside and any(service in READING for service in self._world.hosts[host].services)

    def key_of(self, login: str) -> str:
        """The key of the account that a login means, if there is one."""
        return address_key(login)

    def password_of(self, login: str) -> str | None:
        """The password of that login."""
        key = self._account(login)
        return None if key is None else self._world.accounts[key].password

    def token_owner(self, token: str) -> str | None:
        """The login for which a bearer token is good."""
        for account in self._world.accounts.values():
            if token in account.tokens:
                return self._account(str(account.address))
        return None

    def owner_of_certificate(self, subject: str) -> str | None:
        """The login of the holder of a client certificate with that name."""
        return self._account(subject)

    def may_act_as(self, authentication_id: str, authorization_id: str) -> bool:
        """Whether one login may act as another: only as itself, in whatever case it is written."""
        return address_key(authentication_id) == address_key(authorization_id)


class MailboxBackend:
    """The accounts of a host, for all its sessions."""

    def __init__(self, environment: Environment, *, store: MailStore, credentials: HostCredentials) -> None:
        self._clock = environment.clock
        self._world = environment.world
        self._store = store
        self.credentials = credentials
        self.chance: SeededRandom = environment.random
        self._logins: dict[str, datetime] = {}
        """The time of the last login, by the key of the account."""

    def account(self, login: str) -> AccountStore:
        """The mailboxes behind a login.

        Where a host lets everybody in, a login that belongs to no account finds empty mailboxes.
        """
        account = self._world.accounts.get(self.credentials.key_of(login))
        return AccountStore(login) if account is None else self._store.account(account.address)

    def open(self, login: str) -> AccountStore | None:
        """See :meth:`account`."""
        return self.account(login)

    def now(self) -> datetime:
        """The present time of the fake internet."""
        return self._clock.now()

    def admits(self, login: str, delay: int) -> bool:
        """Whether the last login is at least that many seconds ago; then this one is the last."""
        key = self.credentials.key_of(login)
        now, last = self._clock.now(), self._logins.get(key)
        if last is not None and now - last < timedelta(seconds=delay):
            return False
        self._logins[key] = now
        return True
