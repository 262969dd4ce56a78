"""Mailboxes of accounts: looking into them, waiting for mail in them, and putting mail there."""

from __future__ import annotations

from collections.abc import Callable, Collection

from fakemail.api.failures import Where
from fakemail.api.message_lists import AsyncMessages, BaseMessages, Messages
from fakemail.api.messages import Message
from fakemail.api.portal import Portal
from fakemail.store.mailbox import Mailbox
from fakemail.store.message import StoredMessage
from fakemail.types.address import Address
from fakemail.types.domains import u_labels
from fakemail.types.stage import Stage


class MailboxSource:
    """The messages of one mailbox; none while it is not there."""

    stages: Collection[Stage] = frozenset(
        {Stage.DELIVER, Stage.IMAP_APPEND, Stage.IMAP_COPY, Stage.IMAP_MOVE}
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
            message = self._known[stored.uid] = Message(self._portal, stored)
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
    def address(self) -> str:
        """The address of its account."""
        return str(self._address)

    def put(self, message: bytes | str) -> Message:
        """Put a message into the mailbox as if it had arrived, and return it. Line ends become CRLF."""
        if not isinstance(message, str) and not hasattr(message, "__bytes__") and not _is_bytes(message):
            raise TypeError(f"a message is bytes or a text, header and body, not {message!r}.")
        raw = message.encode() if isinstance(message, str) else bytes(message)
        if b"\n" in raw.replace(b"\r\n", b""):
            raw = raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        simulation = self._portal.simulation
        return Message(
            self._portal,
            self._portal.call(lambda: simulation.delivery_agent.put(self._address, raw, self.name)),
        )

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


def _is_bytes(value: object) -> bool:
    return isinstance(value, bytes | bytearray | memoryview)
