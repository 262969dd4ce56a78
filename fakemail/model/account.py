"""Accounts: who has a mailbox, and how they prove who they are."""

from __future__ import annotations

from dataclasses import dataclass, field

from fakemail.terms.address import Address


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody with a mailbox. The login is the whole address."""

    address: Address
    password: str = field(repr=False)
    may_send_as: frozenset[str] = field(default=frozenset())
    """Further addresses (their keys) or domains (``@example.org``) it may use as a sender; ``*`` for all."""
    tokens: frozenset[str] = field(default=frozenset(), repr=False)
    """OAuth 2.0 access tokens that are good for it (RFC 6750)."""
    disabled: bool = False

    def owns(self, sender: Address) -> bool:
        """Whether the account may send as that address (RFC 6409 §6.1); ``+detail`` forms are its own."""
        mine = self.address
        base, _, _ = sender.local.partition("+")
        if sender.domain == mine.domain and mine.local.casefold() in (
            sender.local.casefold(),
            base.casefold(),
        ):
            return True
        allowed = self.may_send_as
        return bool(allowed) and not allowed.isdisjoint(("*", sender.key, f"@{sender.domain}"))
