"""Handles on mailing lists."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fakemail.api.accounts import BaseInbox
from fakemail.api.handles import Handle
from fakemail.api.hosts import Host, read_address
from fakemail.model.mailing_list import MailingListSpec as DescribedList
from fakemail.mta.inbound.mailing_lists import unsubscribe_url
from fakemail.store.mailbox import INBOX
from fakemail.types.address import Address

if TYPE_CHECKING:
    from fakemail.api.accounts import BaseAccount
    from fakemail.api.mailnet import AnyNet


class MailingList(Handle):
    """An address that sends what it gets to its members, as mailing list programs do.

    The subject gets a prefix and the text a footer, which breaks the author's DKIM signature; the fields are
    those of RFC 2369, RFC 2919 and RFC 8058. Bounces go to the list: see :attr:`bounces`. Who writes to
    ``friends-unsubscribe`` is a member no more.
    """

    def __init__(self, net: AnyNet, address: Address) -> None:
        self._net = net
        self._address = address

    @property
    def _described(self) -> DescribedList:
        return self._net.internet.world.lists[self._address.key]

    @property
    def address(self) -> str:
        """Where mail for the members goes."""
        return str(self._address)

    @property
    def members(self) -> list[str]:
        """Who gets the mail."""
        return [str(member) for member in self._described.members]

    @property
    def hosts(self) -> tuple[Host, ...]:
        """The hosts that take its mail."""
        domain = self._net.internet.world.domain(self._address.domain)
        return tuple(Host(self._net, name) for name in domain.mail_hosts)

    @property
    def bounces(self) -> BaseInbox:
        """What came back: delivery reports about the members, and nothing else."""
        return BaseInbox(self._net, self._described.role("bounces"), INBOX)

    @property
    def unsubscribe_url(self) -> str:
        """What stands in List-Unsubscribe for one click (RFC 8058); nobody answers there."""
        return unsubscribe_url(self._described)

    def add(self, *members: str | Address | BaseAccount[Any]) -> MailingList:
        """Add members; those who are there already stay. Returns the list."""
        old = {member.key: member for member in self._described.members}
        for member in map(read_address, members):
            old.setdefault(member.key, member)
        return self._change(members=tuple(old.values()))

    def remove(self, *members: str | Address | BaseAccount[Any]) -> MailingList:
        """Take members away. Returns the list."""
        gone = {read_address(member).key for member in members}
        return self._change(members=tuple(each for each in self._described.members if each.key not in gone))

    def _change(self, **changes: Any) -> MailingList:
        world = self._net.internet.world
        self._net.call(lambda: world.put_list(replace(self._described, **changes)))
        return self

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, MailingList):
            return NotImplemented
        return self._net.is_one_with(other._net) and self._address == other._address

    def __hash__(self) -> int:
        return hash(self._address)

    def __str__(self) -> str:
        return self.address

    def _name(self) -> str:
        return f"MailingList {self._address.shown}"

    def _state(self) -> str:
        return f" of {len(self.members)} members"
