"""Mailing lists: an address that sends what it gets to its members (RFC 5321 §3.9.2)."""

from __future__ import annotations

from typing import Final

from fakemail.types.address import Address
from fakemail.types.dataclass import dataclass

ROLES: Final = ("bounces", "owner", "unsubscribe")
"""Suffixes of the addresses that belong to a list: ``friends-bounces``."""


@dataclass(frozen=True, slots=True)
class MailingListSpec:
    """Mailing list and its members."""

    address: Address
    members: tuple[Address, ...] = ()
    """Recipients of its mail."""
    name: str = ""
    """Display name; the local part by default."""
    prefix: str | None = None
    """Before the subject; the name in square brackets by default, ``""`` for nothing."""
    footer: str | None = None
    """Behind the text; ``""`` for nothing."""
    verp: bool = False
    """Whether each member gets mail with a reverse-path that tells who it was (variable envelope return path)."""
    arc: bool = False
    """Whether what goes to the members gets an ARC set, so that their hosts can know how it came (RFC 8617)."""

    @property
    def title(self) -> str:
        """Its name for people."""
        return self.name or self.address.local

    def role(self, role: str, member: Address | None = None) -> Address:
        """The address of the list for one of the :data:`ROLES`, for one member if that is given."""
        detail = "" if member is None else f"+{member.local}={member.domain}"
        return Address(f"{self.address.local}-{role}{detail}", self.address.domain)
