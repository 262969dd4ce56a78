"""Who may log in at a host, to hand in mail or to read it, and with which secret."""

from __future__ import annotations

from fakemail.model.domain import DomainSpec
from fakemail.model.host import READING
from fakemail.model.world import WorldSpec
from fakemail.types.address import address_key


class HostCredentials:
    """Who may log in at a host, with which secret."""

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
        """Whether the accounts of a domain log in here: to hand in mail, or to read it."""
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
