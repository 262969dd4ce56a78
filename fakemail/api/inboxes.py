"""Mailboxes of accounts: looking into them, waiting for mail in them, and putting mail there."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime
from typing import Self

from fakemail.api.failures import Where
from fakemail.api.message_bytes import AnyMessage, raw_bytes, read_flags, require_zone
from fakemail.api.message_lists import AsyncMessages, BaseMessages, Messages
from fakemail.api.messages import Message
from fakemail.api.portal import Portal
from fakemail.store.mailbox import Mailbox
from fakemail.store.message import NO_FLAGS, StoredMessage
from fakemail.types.address import Address
from fakemail.types.domains import u_labels
from fakemail.types.stage import Stage


class MailboxSource:
    """The messages of one mailbox; none while it is not there."""

    stages: Collection[Stage] = frozenset(
        {
            *(Stage.DELIVER, Stage.IMAP_APPEND, Stage.IMAP_COPY, Stage.IMAP_MOVE),
            *(Stage.IMAP_REPLACE, Stage.IMAP_RENAME, Stage.IMAP_STORE),
        }
    )

    def __init__(self, portal: Portal, account: Address, name: str) -> None:
        self._portal = portal
        self._account = account
        self._name = name
        self._known: dict[int, Message] = {}

    @property
    def key(self) -> tuple[str, str]:
        """The key of the account's address, and the name of the mailbox."""
        return self._account.key, self._name

    @property
    def where(self) -> Where:
        """The mailbox and its owner."""
        return Where(f"{self._name} of {u_labels(str(self._account))}", self._account, self._name)

    @property
    def _box(self) -> Mailbox | None:
        return self._portal.simulation.store.find(self._account, self._name)

    def count(self) -> int:
        """Number of messages."""
        box = self._box
        return 0 if box is None else len(box)

    def all(self) -> list[Message]:
        """All of them, oldest first."""
        box = self._box
        return [] if box is None else [self._message(stored) for stored in box.snapshot()]

    def at(self, index: int) -> Message:
        """The one at that place, negative from the end."""
        box = self._box
        if box is None:
            raise IndexError(index)
        (stored,) = box.at(index, index + 1 or None) or (None,)
        if stored is None:
            raise IndexError(index)
        return self._message(stored)

    def arrivals(self) -> Callable[[], list[Message]]:
        """A function that returns what has come since its last call."""
        last, of = 0, ("", 0)

        def new() -> list[Message]:
            nonlocal last, of
            box = self._box
            if box is None:
                return []
            if of != (now := (box.mailbox_id, box.uid_validity)):  # UIDs begin again
                last, of = 0, now
            found = box.between(last + 1)
            if found:
                last = found[-1].uid
            return [self._message(stored) for stored in found]

        return new

    def has(self, message: Message) -> bool:
        """Whether it is still there."""
        box = self._box
        stored = None if box is None else box.get(message.uid)
        return stored is not None and stored.content is message._stored.content

    def is_of(self, message: Message) -> bool:
        """Whether a message is one of this mailbox, or was."""
        box = self._box
        return box is not None and box.mailbox_id == message._stored.mailbox_id

    def _message(self, stored: StoredMessage) -> Message:
        message = self._known.get(stored.uid)
        if message is None or message._stored is not stored:
            message = self._known[stored.uid] = Message(self._portal, stored, self._account)
        return message


class BaseInbox(BaseMessages[Message]):
    """The messages of one mailbox. Two handles on the same mailbox are equal."""

    _source: MailboxSource

    def __init__(self, portal: Portal, address: Address, name: str) -> None:
        super().__init__(portal, MailboxSource(portal, address, name))
        self._address = address
        self.name = name
        """Its name, such as ``INBOX``."""

    @property
    def special_use(self) -> frozenset[str]:
        """Its special uses, such as ``\\Sent`` (RFC 6154 §2); none while it is not there."""
        box = self._source._box
        return NO_FLAGS if box is None else box.special_use

    @property
    def address(self) -> str:
        """The address of its account."""
        return str(self._address)

    def put(
        self, message: AnyMessage, *, flags: Collection[str] = NO_FLAGS, received_at: datetime | None = None
    ) -> Message:
        """Put a message into the mailbox, which is made if it is not there, and return it.

        The message is bytes, a text (header and body), an :class:`email.message.EmailMessage`, one in another mailbox,
        or the ``Path`` of an ``.eml`` file; line ends become CRLF. ``flags`` are such as ``\\Seen``; ``received_at`` is
        its internal date, with a time zone, by default the present time on the clock of the fake internet.
        """
        raw, wanted = raw_bytes(message), read_flags(flags)
        if b"\n" in raw.replace(b"\r\n", b""):
            raw = raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        require_zone(received_at)
        agent, owner = self._portal.simulation.delivery_agent, self._address
        self._portal.simulation.world.account(owner)  # which may have been removed

        def put() -> StoredMessage:
            return agent.put(owner, raw, self.name, flags=wanted, received_at=received_at)

        return Message(self._portal, self._portal.call(put), owner)

    def clear(self) -> None:
        """Remove all its messages, as EXPUNGE does: sessions that look at it are told."""
        box = self._source._box
        if box is not None:
            self._portal.call(lambda: box.expunge(box.uids()))

    def delete(self) -> None:
        """Delete the mailbox with its messages (RFC 9051 §6.3.5); mailboxes below it stay. INBOX cannot be deleted."""
        store, owner = self._portal.simulation.store, self._address
        self._portal.call(lambda: store.account(owner).delete(self.name))

    def rename(self, name: str) -> Self:
        """Give the mailbox another name (RFC 9051 §6.3.6), mailboxes below it included, and return it by that name.

        Renaming INBOX moves its messages into a new mailbox.
        """
        store, owner = self._portal.simulation.store, self._address
        self._portal.call(lambda: store.account(owner).rename(self.name, name))
        return type(self)(self._portal, owner, name)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, BaseInbox):
            return NotImplemented
        is_same_account = self._portal is other._portal and self._address == other._address
        return is_same_account and self.name == other.name

    def __hash__(self) -> int:
        return hash((self._address, self.name))


class Inbox(BaseInbox, Messages[Message]):
    """A mailbox whose waits block."""


class AsyncInbox(BaseInbox, AsyncMessages[Message]):
    """A mailbox whose waits are awaited, under asyncio or trio."""
