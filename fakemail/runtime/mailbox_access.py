"""Mailboxes of a host's accounts, for the sessions of POP3 and IMAP."""

from __future__ import annotations

from datetime import timedelta

from fakemail.clock import datetime
from fakemail.environment import Environment
from fakemail.runtime.credentials import HostCredentials
from fakemail.store.account import AccountStore
from fakemail.store.mailstore import MailStore
from fakemail.types.seeded_random import SeededRandom


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
        """The mailboxes of somebody who has logged in.

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
