"""Mailboxes in memory, with the unique ids that IMAP and POP3 clients rely on (RFC 9051 §2.3.1.1)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from fakemail.mail.envelope import Envelope
from fakemail.terms.address import Address

INBOX = "INBOX"


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """One message in one mailbox."""

    uid: int
    raw: bytes = field(repr=False)
    """Return-Path and Received, then the octets as they came."""
    received_at: datetime
    envelope: Envelope | None
    """``None`` for a message that was put into the mailbox without any transport."""
    recipient: Address
    """The address of the envelope for which it is here."""
    host: str
    """The name of the host that delivered it, empty if none did."""
    queue_id: str
    flags: frozenset[str] = frozenset()


class Mailbox:
    """The messages of one mailbox, in the order of their unique ids."""

    def __init__(self, name: str, uid_validity: int) -> None:
        self.name = name
        self.uid_validity = uid_validity
        self.uid_next = 1
        self._messages: list[StoredMessage] = []

    def append(
        self,
        raw: bytes,
        *,
        received_at: datetime,
        recipient: Address,
        envelope: Envelope | None = None,
        host: str = "",
        queue_id: str = "",
        flags: frozenset[str] = frozenset(),
    ) -> StoredMessage:
        """Add a message at the end."""
        message = StoredMessage(self.uid_next, raw, received_at, envelope, recipient, host, queue_id, flags)
        self._messages.append(message)
        self.uid_next += 1
        return message

    def snapshot(self) -> tuple[StoredMessage, ...]:
        """The messages as they are now; safe to call from any thread."""
        return tuple(self._messages)

    def __len__(self) -> int:
        return len(self._messages)


class MailStore:
    """Every mailbox of one fake internet, by account and name."""

    def __init__(self) -> None:
        self._accounts: dict[str, dict[str, Mailbox]] = {}
        self._owners: dict[str, Address] = {}

    def mailbox(self, account: Address, name: str = INBOX) -> Mailbox:
        """The mailbox of that name, made when it is first asked for."""
        boxes = self._accounts.setdefault(account.key, {})
        self._owners.setdefault(account.key, account)
        box = boxes.get(name)
        if box is None:
            box = boxes.setdefault(name, Mailbox(name, uid_validity=len(boxes) + 1))
        return box

    def mailboxes(self) -> list[tuple[Address, str]]:
        """Every mailbox that was ever used: whose, and its name."""
        return [(self._owners[key], name) for key, boxes in self._accounts.copy().items() for name in boxes.copy()]
