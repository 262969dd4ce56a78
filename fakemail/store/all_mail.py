"""The mailbox of all mail (``\\All``, RFC 6154 §2) of servers where mailboxes are labels, as Gmail's.

What lies anywhere but in the mailboxes for junk and for what is thrown away lies there too: the same content, so
everything that is known of a content (EMAILID, X-GM-MSGID) is the same in both. Flags are those of the message and not
of a copy, but for ``\\Deleted``. What is expunged from a label stays there; what is expunged there, or gets into
the other two, is nowhere else any more.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from fakemail.store.mailbox import (
    Arrived,
    Change,
    Expunged,
    FlagsChanged,
    Mailbox,
    MailboxDeleted,
    UidValidityChanged,
)
from fakemail.store.message import DELETED, FlagAction, StoredMessage

_APART: Final = frozenset({"\\Junk", "\\Trash"})


class AllMail:
    """Keeps the mailbox of all mail of an account complete. It listens to the account."""

    def __init__(self, box: Mailbox) -> None:
        self._box = box
        self._places: dict[
            int, dict[Mailbox, int]
        ] = {}  # content to the uid of its last copy in each mailbox

    def hear(self, change: Change) -> None:
        """Follow a change of any mailbox."""
        match change:
            case Arrived(mailbox=box, messages=messages):
                self._note(box, messages)
                self._arrived(box, messages)
            case FlagsChanged(mailbox=box, messages=messages):
                self._flagged(box, messages)
            case Expunged(mailbox=box, messages=messages):
                for message in messages:
                    self._forget(box, message)
                if box is self._box:
                    self._remove_elsewhere(box, messages)
            case UidValidityChanged(mailbox=box):
                self._note(box, box)
            case MailboxDeleted(mailbox=box):
                for message in box:
                    self._forget(box, message)
            case _:
                pass

    def _note(self, box: Mailbox, messages: Iterable[StoredMessage]) -> None:
        for message in messages:
            self._places.setdefault(message.content.serial, {})[box] = message.uid

    def _forget(self, box: Mailbox, message: StoredMessage) -> None:
        places = self._places.get(message.content.serial, {})
        if places.get(box) == message.uid:
            del places[box]
            if not places:
                del self._places[message.content.serial]

    def _arrived(self, box: Mailbox, messages: tuple[StoredMessage, ...]) -> None:
        if box is self._box:
            return
        if box.special_use & _APART:
            self._remove_elsewhere(box, messages)
            return
        for message in messages:
            if self._box not in self._places.get(message.content.serial, ()):
                self._box.append(
                    message.content,
                    flags=message.flags - {DELETED},
                    internal_date=message.internal_date,
                    delivery=message.delivery,
                )

    def _flagged(self, box: Mailbox, messages: tuple[StoredMessage, ...]) -> None:
        """The others that change with them change nothing in turn, so this ends."""
        wanted: dict[tuple[Mailbox, frozenset[str], bool], list[int]] = {}
        for message in messages:
            for place, uid in self._places.get(message.content.serial, {}).items():
                copy = place.get(uid)
                if place is not box and copy is not None:
                    wanted.setdefault((place, message.flags - {DELETED}, DELETED in copy.flags), []).append(
                        uid
                    )
        for (place, flags, is_deleted), uids in wanted.items():
            place.store(uids, FlagAction.REPLACE, flags | {DELETED} if is_deleted else flags)

    def _remove_elsewhere(self, box: Mailbox, messages: tuple[StoredMessage, ...]) -> None:
        removed: dict[Mailbox, list[int]] = {}
        for message in messages:
            for place, uid in self._places.get(message.content.serial, {}).items():
                if place is not box and (box.special_use & _APART or not place.special_use & _APART):
                    removed.setdefault(place, []).append(uid)
        for place, uids in removed.items():
            place.expunge(uids)
