"""Every account's mailboxes in one fake internet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import count

from fakemail.clock import TimeSource
from fakemail.store.account import DEFAULT_FOLDERS, AccountStore
from fakemail.store.content import DEFAULT_BUDGET, Budget, ContentPool
from fakemail.store.mailbox import INBOX, AccountContext, Mailbox
from fakemail.types.address import Address


class MailStore:
    """The accounts of one fake internet. Nothing is made for an account before it is asked for."""

    def __init__(
        self,
        *,
        clock: TimeSource | None = None,
        folders: Callable[[Address], Mapping[str, str]] = lambda _: DEFAULT_FOLDERS,
        cache_size: int = DEFAULT_BUDGET,
    ) -> None:
        self.clock = clock
        self.folders = folders
        """Tells the names and special uses that an account has from the start."""
        self.budget = Budget(cache_size)
        self._serials = count(1).__next__
        self._accounts: dict[str, AccountStore] = {}
        self._owners: dict[str, Address] = {}

    def account(self, account: Address) -> AccountStore:
        """The mailboxes of an account, made when they are first asked for."""
        found = self._accounts.get(account.key)
        if found is None:
            home = ContentPool(serials=self._serials, budget=self.budget)
            made = AccountStore(
                str(account),
                shared=AccountContext(clock=self.clock, home=home),
                folders=self.folders(account),
            )
            self._owners.setdefault(account.key, account)
            found = self._accounts.setdefault(account.key, made)
        return found

    def remove(self, account: Address) -> None:
        """Remove the mailboxes of an account with all messages."""
        self._accounts.pop(account.key, None)
        self._owners.pop(account.key, None)

    def accounts(self) -> list[AccountStore]:
        """Every account that was ever used. Safe to call from any thread."""
        return list(self._accounts.copy().values())

    def find(self, account: Address, name: str = INBOX) -> Mailbox | None:
        """The mailbox of that name, if it is there. Makes nothing; safe to call from any thread."""
        known = self._accounts.get(account.key)
        return None if known is None else known.find(name)

    def mailbox(self, account: Address, name: str = INBOX) -> Mailbox:
        """The mailbox of that name, made when it is first asked for. Raises ``InvalidName``."""
        known = self._accounts.get(account.key) or self.account(account)
        if name == INBOX:
            return known.inbox
        box = known.find(name)
        return known.create(name) if box is None else box

    def is_all_mail(self, account: Address, name: str) -> bool:
        """Whether a mailbox is that of all mail (RFC 6154 §2), whose messages are in others as well."""
        known = self._accounts.get(account.key)
        return known is not None and known.is_all_mail(name)

    def mailboxes(self) -> list[tuple[Address, str]]:
        """Every mailbox of every account that was ever used: whose, and its name."""
        return [
            (self._owners[key], box.name)
            for key, known in self._accounts.copy().items()
            for box in known.mailboxes()
        ]

    def expunge_all(self) -> None:
        """Remove every message of every mailbox."""
        for known in self.accounts():
            for box in known.mailboxes():
                box.expunge(box.uids())
