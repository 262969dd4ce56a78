"""What a host knows about those who read their mail there, for every protocol of reading."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from fakemail.clock import datetime
from fakemail.store.account import AccountStore
from fakemail.types.seeded_random import SeededRandom

if TYPE_CHECKING:
    from fakemail.runtime.service_port import RunningHost


class MailboxBackend:
    """The accounts of a host. One for each session; it keeps nothing itself."""

    def __init__(self, running: RunningHost) -> None:
        self._running = running
        self.credentials = running.credentials
        self.chance: SeededRandom = running.internet.random

    def account(self, login: str) -> AccountStore:
        """The mailboxes of somebody who has logged in.

        Where a host lets everybody in, who is nobody's account finds empty mailboxes.
        """
        internet = self._running.internet
        account = internet.world.accounts.get(self.credentials.key_of(login))
        return AccountStore(login) if account is None else internet.store.account(account.address)

    def open(self, login: str) -> AccountStore | None:
        """See :meth:`account`."""
        return self.account(login)

    def now(self) -> datetime:
        """The present time of the fake internet."""
        return self._running.internet.clock.now()

    def admits(self, login: str, delay: int) -> bool:
        """Whether the last login is at least that many seconds ago; then this one is the last."""
        running, key = self._running, self.credentials.key_of(login)
        now, last = running.internet.clock.now(), running.logins.get(key)
        if last is not None and now - last < timedelta(seconds=delay):
            return False
        running.logins[key] = now
        return True
