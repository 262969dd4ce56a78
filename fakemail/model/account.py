"""Accounts: who has a mailbox, and how they prove who they are."""

from __future__ import annotations

from dataclasses import field

from fakemail.types.address import Address, address_key, local_key
from fakemail.types.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class AutoReply:
    """Answer of an account while its owner is away (RFC 3834)."""

    text: str
    subject: str | None = None
    """``None`` for ``Auto:`` and the subject of the message."""
    days: int = 7
    """After how many days the same sender is answered again (RFC 3834 §2 asks for seven by default)."""


@dataclass(frozen=True, slots=True)
class ForwardTo:
    """Addresses to which mail for an account is forwarded."""

    to: tuple[Address, ...]
    keep_copy: bool = True
    """Whether it is put into the mailbox as well."""
    srs: bool = False
    """Whether the reverse-path is rewritten so that SPF holds at the next host (Sender Rewriting Scheme)."""
    arc: bool = False
    """Whether what is forwarded gets an ARC set, so that the next host can know how it came (RFC 8617)."""


@dataclass(frozen=True, slots=True)
class AccountSpec:
    """Account with a mailbox. The login is the whole address."""

    address: Address
    password: str = field(repr=False)
    may_send_as: frozenset[str] = field(default=frozenset())
    """Further addresses (their keys) or domains (``@example.org``) it may use as a sender; ``*`` for all."""
    tokens: frozenset[str] = field(default=frozenset(), repr=False)
    """OAuth 2.0 access tokens that are good for it (RFC 6750)."""
    disabled: bool = False
    """Whether it can neither log in nor get mail. Its address is taken all the same: no catch-all gets its mail."""
    quota: int | None = None
    """The bytes that it may hold, ``None`` for any number."""
    quota_messages: int | None = None
    """The messages that it may hold."""
    sent_copy: bool = False
    """Whether the submission server puts what it sends into its mailbox ``Sent``, as some providers do."""
    auto_reply: AutoReply | None = None
    forward: ForwardTo | None = None
    moved_to: Address | None = None
    """Present address of its owner: its mail is refused, and the sender told that address (551, RFC 5321 §3.4)."""
    is_plain: bool = field(init=False, repr=False, compare=False)
    """Whether its mail goes into the mailbox, whatever it is, and nothing else happens."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "may_send_as", frozenset(map(address_key, self.may_send_as)))
        unusual = (self.quota, self.quota_messages, self.auto_reply, self.forward, self.moved_to)
        # Made here, because it is asked twice for each message.
        object.__setattr__(self, "is_plain", not self.disabled and unusual == (None,) * 5)

    def owns(self, sender: Address, *, detail_separator: str = "+") -> bool:
        """Whether the account may send as that address (RFC 6409 §6.1); ``bob+detail`` is bob's own.

        ``detail_separator`` is that of the domain, empty where it has none (RFC 5233).
        """
        mine = self.address
        base = sender.local.partition(detail_separator)[0] if detail_separator else sender.local
        if sender.domain == mine.domain and local_key(mine.local) in (
            local_key(sender.local),
            local_key(base),
        ):
            return True
        allowed = self.may_send_as
        return bool(allowed) and not allowed.isdisjoint(("*", sender.key, f"@{sender.domain}"))
