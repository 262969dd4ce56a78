"""A maildrop: one account's INBOX as one session sees it, from the login to the end.

The messages, their numbers and sizes are those of the moment of the login (RFC 1939 §3); what arrives later is
for the next session, and what somebody else removes leaves a hole. Nothing is removed before QUIT.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from fakemail.store.account import AccountStore
from fakemail.store.message import SEEN, FlagAction, StoredMessage

PIECE: Final = 64 * 1024
"""Bytes of a message that are worked on in one step."""


class Maildrop:
    """Messages of one session, to be closed with :meth:`close`."""

    def __init__(self, account: AccountStore, owner: object) -> None:
        """Raises nothing: look at :attr:`is_open`, which is false if another session has it."""
        self._account = account
        self._owner = owner
        self._box = account.inbox
        self.is_open = account.lock(owner)
        self._messages = self._box.snapshot() if self.is_open else ()
        self._validity = self._box.uid_validity
        self._deleted: set[int] = set()
        self._total = self.octets = sum(map(size_of, self._messages))
        """``octets``: of all messages that are not marked."""

    # What there is. Numbers count from 1 ------------------------------------------------------------

    def __len__(self) -> int:
        """The messages that are not marked."""
        return len(self._messages) - len(self._deleted)

    @property
    def is_intact(self) -> bool:
        """Whether the uids of the snapshot still mean the same messages."""
        return self._box.uid_validity == self._validity and not self._box.is_deleted

    def numbered(self) -> Iterator[tuple[int, StoredMessage]]:
        """The messages that are not marked, with their numbers."""
        for number, message in enumerate(self._messages, 1):
            if number not in self._deleted:
                yield number, message

    def get(self, number: int) -> StoredMessage | None:
        """The message of that number, ``None`` if there is none or it is marked."""
        if not 0 < number <= len(self._messages) or number in self._deleted:
            return None
        return self._messages[number - 1]

    def is_deleted(self, number: int) -> bool:
        """Whether it is marked."""
        return number in self._deleted

    def is_there(self, message: StoredMessage) -> bool:
        """Whether it is still in the mailbox."""
        return self.is_intact and self._box.index(message.uid) is not None

    def unique_id(self, message: StoredMessage) -> str:
        """Unique id of a message of this maildrop (UIDL)."""
        return self._box.unique_id(message.uid)

    # Changing ---------------------------------------------------------------------------------------

    def saw(self, message: StoredMessage) -> None:
        """Note that it was read, for IMAP clients of the mailbox."""
        if self.is_intact:
            self._box.store([message.uid], FlagAction.ADD, [SEEN])

    def delete(self, number: int) -> None:
        """Mark a message that :meth:`get` finds."""
        self._deleted.add(number)
        self.octets -= size_of(self._messages[number - 1])

    def reset(self) -> None:
        """Take all marks away."""
        self._deleted.clear()
        self.octets = self._total

    def update(self) -> bool:
        """Remove what is marked (RFC 1939 §6). Whether nothing that is marked is left."""
        if not self._deleted:
            return True
        if not self.is_intact:
            return False
        self._box.expunge([self._messages[number - 1].uid for number in self._deleted])
        self._deleted.clear()
        return True

    def close(self) -> None:
        """Let others have it."""
        self._account.unlock(self._owner)


# Bytes ---------------------------------------------------------------------------------------------


def size_of(message: StoredMessage) -> int:
    """The bytes that RETR sends for it, without the dots that are put in and the end mark (RFC 1939 §11)."""
    raw = message.content.raw
    return len(raw) if not raw or raw.endswith(b"\r\n") else len(raw) + 2


def multiline(content: bytes, end: int) -> Iterator[bytes]:
    """The first ``end`` bytes of a text as a multi-line response, in pieces (RFC 1939 §3).

    Dots are doubled behind a bare LF as well: most clients take it for a line end, and none of them may take
    a dot of the message for the end of it.
    """
    at_line_start = True
    for start in range(0, end, PIECE):
        piece = content[start : min(start + PIECE, end)]
        stuffed = piece.replace(b"\n.", b"\n..")
        if at_line_start and piece.startswith(b"."):
            stuffed = b"." + stuffed
        at_line_start = piece.endswith(b"\n")
        yield stuffed
    yield b".\r\n" if not end or content.endswith(b"\r\n", 0, end) else b"\r\n.\r\n"


def end_of_lines(raw: bytes, start: int, number: int) -> int:
    """End of that many lines that begin at ``start``."""
    while number > 0 and start < len(raw):
        piece = raw[start : start + PIECE]
        there = piece.count(b"\n")
        if there < number:
            number -= there
            start += len(piece)
            continue
        place = -1
        for _ in range(number):
            place = piece.index(b"\n", place + 1)
        return start + place + 1
    return min(start, len(raw))
