"""Handles on mailing lists."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Self

from fakemail.api.handles import Handle
from fakemail.api.hosts import Host
from fakemail.api.inboxes import BaseInbox
from fakemail.api.portal import Portal
from fakemail.model.mailing_list import MailingListSpec
from fakemail.mta.inbound.mailing_lists import unsubscribe_url
from fakemail.store.mailbox import INBOX
from fakemail.types.address import Address, AddressLike, read_address


class MailingList(Handle):
    """An address that sends what it gets to its members, as mailing list programs do.

    The subject gets a prefix and the text a footer, which breaks the author's DKIM signature; the fields are
    those of RFC 2369, RFC 2919 and RFC 8058. Bounces go to the list: see :attr:`bounces`. Mail to
    ``friends-unsubscribe`` ends the membership of its sender.
    """

    def __init__(self, portal: Portal, address: Address) -> None:
        self._portal = portal
        self._address = address

    @property
    def _spec(self) -> MailingListSpec:
        return self._portal.simulation.world.lists[self._address.key]

    @property
    def address(self) -> str:
        """The address that mail for the members goes to."""
        return str(self._address)

    @property
    def members(self) -> list[str]:
        """The addresses that get the mail."""
        return [str(member) for member in self._spec.members]

    @property
    def hosts(self) -> tuple[Host, ...]:
        """The hosts that take its mail."""
        domain = self._portal.simulation.world.domain(self._address.domain)
        return tuple(Host(self._portal, name) for name in domain.mail_hosts)

    @property
    def bounces(self) -> BaseInbox:
        """The mailbox of what came back: delivery reports about the members, and nothing else."""
        return BaseInbox(self._portal, self._spec.role("bounces"), INBOX)

    @property
    def unsubscribe_url(self) -> str:
        """The address in List-Unsubscribe for one click (RFC 8058); no server answers there."""
        return unsubscribe_url(self._spec)

    def add(self, *members: AddressLike) -> Self:
        """Add members; present ones stay. Returns the list."""
        old = {member.key: member for member in self._spec.members}
        for member in map(read_address, members):
            old.setdefault(member.key, member)
        return self._change(members=tuple(old.values()))

    def remove(self, *members: AddressLike) -> Self:
        """Take members away. Returns the list."""
        gone = {read_address(member).key for member in members}
        return self._change(members=tuple(each for each in self._spec.members if each.key not in gone))

    def _change(self, **changes: Any) -> Self:
        world = self._portal.simulation.world
        self._portal.call(lambda: world.put_list(replace(self._spec, **changes)))
        return self

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, MailingList):
            return NotImplemented
        return self._portal is other._portal and self._address == other._address

    def __hash__(self) -> int:
        return hash(self._address)

    def __str__(self) -> str:
        return self.address

    def _name(self) -> str:
        return f"MailingList {self._address.shown}"

    def _state(self) -> str:
        return f" of {len(self.members)} members"
