"""A mailbox as one session has selected it: its message numbers, and the changes that were not sent yet.

The mailbox changes under the session at any time; the numbers that the client knows change only when the session
sends updates (RFC 9051 §7.5.1, RFC 2180 §4), which are written in :mod:`fakemail.imap.updates`.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Container, Iterable, Sequence
from typing import Final

from fakemail.imap.syntax.sets import NumberSet, SequenceSet
from fakemail.store.mailbox import (
    Arrived,
    Change,
    Expunged,
    FlagsChanged,
    Mailbox,
    MailboxDeleted,
    UidValidityChanged,
)
from fakemail.store.message import StoredMessage
from fakemail.types.dataclass import dataclass

Numbered = tuple[int, StoredMessage]
"""A message with its sequence number."""
Span = tuple[int, int]
"""Places counted from 0, the last one not included."""

_FEW: Final = 32  # so many numbers are cut out one by one; with more, the list is made anew


class RecentUids(Container[int]):
    """The uids that are ``\\Recent`` in one session, as runs."""

    __slots__ = ("_starts", "_stops")

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._stops: list[int] = []

    def add(self, start: int, stop: int) -> None:
        """Add the uids from ``start`` up to, not including, ``stop``, all above those added before."""
        if start >= stop:
            return
        if self._stops and self._stops[-1] == start:
            self._stops[-1] = stop
        else:
            self._starts.append(start)
            self._stops.append(stop)

    def __contains__(self, uid: object) -> bool:
        if not self._starts or not isinstance(uid, int):
            return False
        index = bisect_right(self._starts, uid) - 1
        return index >= 0 and uid < self._stops[index]

    def __bool__(self) -> bool:
        return bool(self._starts)

    def count(self, uids: Sequence[int]) -> int:
        """Number of the ascending uids that are recent."""
        return sum(
            bisect_left(uids, stop) - bisect_left(uids, start)
            for start, stop in zip(self._starts, self._stops, strict=True)
        )


@dataclass(frozen=True, slots=True)
class Resolved:
    """The messages that a command names."""

    messages: list[Numbered]
    missing: bool = False
    """Whether some of them are expunged, and EXPUNGE was not sent yet."""

    @property
    def uids(self) -> list[int]:
        """Their uids, ascending."""
        return [message.uid for _, message in self.messages]


class SelectedMailbox:
    """A selected mailbox, as one session knows it. ``close`` ends its subscription."""

    def __init__(self, mailbox: Mailbox, *, read_only: bool, wake: Callable[[], object]) -> None:
        self.mailbox = mailbox
        self.read_only = read_only
        self.known = mailbox.uids()
        """The uids that the client knows; the place of each is its number."""
        self.recent = RecentUids()
        self.saved: list[int] = []
        """The messages that ``$`` means: uids, ascending (RFC 5182)."""
        self.lost = ""
        """Why the session cannot go on with the mailbox, empty while it can."""
        self.arrived = 0
        """Number of messages that the client does not know yet."""
        self.expunged: dict[int, StoredMessage] = {}
        """Messages that are known and expunged, by uid, as they were."""
        self.sent_recent = 0
        """The number of the last RECENT response."""
        self.expunged_at = 0
        """The mod-sequence of the first expunge that was not sent; 0 if there is none."""
        self.is_held_back = False
        """Whether the client was sent a HIGHESTMODSEQ below that expunge (RFC 7162 §6)."""
        self.changed: set[int] = set()
        """The uids of messages whose flags others changed. The flags are read when they are sent, so that the last
        ones sent are always those of the message."""
        self.sent_keywords = len(mailbox.keywords)
        """Number of keywords in the last FLAGS response."""
        self.quiet = False
        """While the session itself changes flags, and answers for them."""
        self._wake = wake
        self._flags: dict[frozenset[str], bytes] = {}
        first = mailbox.uid_next
        if read_only:
            if mailbox.recent:
                first = self.known[-mailbox.recent]
        else:
            first = mailbox.claim_recent()
        self.recent.add(first, mailbox.uid_next)
        self._subscription = mailbox.listen(self._on_change)

    def close(self) -> None:
        """End the subscription."""
        self._subscription.cancel()

    # Changes of the mailbox ----------------------------------------------------------------------

    def _on_change(self, change: Change) -> None:
        match change:
            case FlagsChanged():
                if self.quiet:
                    return
                last = self.known[-1] if self.known else 0
                self.changed.update([message.uid for message in change.messages if message.uid <= last])
            case Arrived():
                self.arrived += len(change.messages)
            case Expunged():
                self._expunged(change)
            case MailboxDeleted():
                self.lost = "The selected mailbox was deleted."
            case UidValidityChanged():
                self.lost = "The UIDVALIDITY of the selected mailbox has changed."
            case _:
                return
        self._wake()

    def _expunged(self, change: Expunged) -> None:
        last = self.known[-1] if self.known else 0
        for message in change.messages:
            if message.uid > last:
                self.arrived -= 1  # it came and went without the client's knowledge
            else:
                self.expunged_at = self.expunged_at or change.modseq
                self.expunged[message.uid] = message
                self.changed.discard(message.uid)

    @property
    def has_updates(self) -> bool:
        """Whether there are updates to send."""
        return bool(
            self.lost
            or self.arrived
            or self.expunged
            or self.changed
            or len(self.mailbox.keywords) != self.sent_keywords
        )

    # Numbering -----------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self.known)

    def number(self, uid: int) -> int | None:
        """The sequence number under which the client knows a uid."""
        place = bisect_left(self.known, uid)
        return place + 1 if place < len(self.known) and self.known[place] == uid else None

    def take_expunged(self) -> tuple[list[int], list[int]]:
        """Take the expunged messages out of the numbering; return uids, ascending, and old numbers, descending."""
        uids = sorted(self.expunged)
        self.expunged.clear()
        self.expunged_at = 0
        known = self.known
        numbers = [bisect_left(known, uid) + 1 for uid in reversed(uids)]
        if len(numbers) <= _FEW:
            for number in numbers:
                del known[number - 1]
        else:
            lost = set(uids)
            self.known = [uid for uid in known if uid not in lost]
        if self.saved:
            lost = set(uids)
            self.saved = [uid for uid in self.saved if uid not in lost]
        return uids, numbers

    def take_arrived(self) -> list[StoredMessage]:
        """Take the new messages into the numbering."""
        if not self.arrived:
            return []
        box = self.mailbox
        new = box.between(self.known[-1] + 1 if self.known else 1)
        self.arrived = 0
        if not self.read_only:
            self.recent.add(box.claim_recent(), box.uid_next)
        elif box.recent:
            uids = box.uids()
            self.recent.add(max(uids[-box.recent], new[0].uid), box.uid_next)
        self.known += [message.uid for message in new]
        return new

    # Choosing messages ---------------------------------------------------------------------------

    def spans(self, numbers: NumberSet, *, uid: bool) -> list[Span]:
        """The places that a client's set names, ascending. Numbers that are not there are passed over."""
        known = self.known
        if not isinstance(numbers, SequenceSet):
            places = [place - 1 for uid in self.saved if (place := self.number(uid))]
            return [(place, place + 1) for place in places]
        if not known:
            return []
        if uid:
            pairs = numbers.resolve(known[-1])
            return [
                span
                for a, b in pairs
                if (span := (bisect_left(known, a), bisect_right(known, b)))[0] < span[1]
            ]
        top = len(known)
        return [(a - 1, min(b, top)) for a, b in numbers.resolve(top) if a <= top]

    def resolve(self, numbers: NumberSet, *, uid: bool, with_expunged: bool = False) -> Resolved:
        """The messages that a client's set names, perhaps with those that are expunged, as they were."""
        found: list[Numbered] = []
        if not self.expunged:
            at = self.mailbox.at
            for start, stop in self.spans(numbers, uid=uid):
                found += enumerate(at(start, stop), start + 1)
            return Resolved(found)
        missing = False
        for start, stop in self.spans(numbers, uid=uid):
            for number in range(start + 1, stop + 1):
                known_uid = self.known[number - 1]
                message = self.mailbox.get(known_uid)
                if message is not None:
                    found.append((number, message))
                    continue
                missing = True
                if with_expunged:
                    found.append((number, self.expunged[known_uid]))
        return Resolved(found, missing)

    def everything(self, *, with_expunged: bool = False) -> Iterable[Numbered]:
        """Every message that is known, perhaps with those that are expunged, as they were.

        To go through at once, while the mailbox is what it is.
        """
        if not self.expunged:
            return enumerate(self.mailbox.at(0, len(self.known)), 1)
        get, expunged = self.mailbox.get, self.expunged if with_expunged else {}
        found = ((number, get(uid) or expunged.get(uid)) for number, uid in enumerate(self.known, 1))
        return [(number, message) for number, message in found if message is not None]

    def numbered(self, messages: Iterable[StoredMessage]) -> list[Numbered]:
        """Messages with their numbers; those that the client does not know are left out."""
        return [(number, message) for message in messages if (number := self.number(message.uid))]

    # Flags ---------------------------------------------------------------------------------------

    def flag_text(self, message: StoredMessage, *, with_recent: bool) -> bytes:
        """The flags of a message in parentheses, in one order for every run."""
        flags = message.flags
        text = self._flags.get(flags)
        if text is None:
            text = self._flags[flags] = " ".join(sorted(flags, key=_flag_order)).encode("ascii")
            if len(self._flags) > 1000:
                self._flags.clear()
        if with_recent and message.uid in self.recent:
            return b"(%b \\Recent)" % text if text else b"(\\Recent)"
        return b"(%b)" % text


def _flag_order(flag: str) -> tuple[int, str]:
    return _ORDER.get(flag, 9), flag


_ORDER: Final = {"\\Answered": 0, "\\Flagged": 1, "\\Deleted": 2, "\\Seen": 3, "\\Draft": 4}
