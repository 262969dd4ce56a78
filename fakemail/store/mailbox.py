"""One mailbox: its messages in the order of their unique ids, counters, and the changes that it announces.

Names, parents and annotations are the account's business (:mod:`fakemail.store.account`).
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime

from fakemail.clock import RealClock, TimeSource
from fakemail.store.content import Content, ContentPool
from fakemail.store.errors import LimitReached, NoSuchMailbox
from fakemail.store.listeners import Announcer, Listeners, Subscription
from fakemail.store.message import (
    DELETED,
    NO_FLAGS,
    SEEN,
    Delivery,
    FlagAction,
    FlagNames,
    NewMessage,
    StoredMessage,
)
from fakemail.store.metadata import Metadata
from fakemail.store.ordered import OrderedMessages
from fakemail.store.quota import QuotaRoot
from fakemail.store.rights import AccessControlList
from fakemail.types.dataclass import dataclass


class ExpungeHistory:
    """The expunged uids of one mailbox, by mod-sequence."""

    __slots__ = ("_first", "_last", "_modseq")

    def __init__(self) -> None:
        self._modseq = array("Q")
        self._first = array("Q")
        self._last = array("Q")

    def add(self, modseq: int, uids: Sequence[int]) -> None:
        """Note ascending uids under a mod-sequence that is not lower than any before."""
        first = last = uids[0]
        for uid in uids:
            if uid > last + 1:
                self._note(modseq, first, last)
                first = uid
            last = uid
        self._note(modseq, first, last)

    def _note(self, modseq: int, first: int, last: int) -> None:
        self._modseq.append(modseq)
        self._first.append(first)
        self._last.append(last)

    def since(self, modseq: int) -> list[tuple[int, int]]:
        """The uids expunged after that mod-sequence, as ascending runs ``(first, last)``."""
        start = bisect_right(self._modseq, modseq)
        runs: list[tuple[int, int]] = []
        for first, last in sorted(zip(self._first[start:], self._last[start:], strict=True)):
            if runs and first <= runs[-1][1] + 1:
                runs[-1] = runs[-1][0], last
            else:
                runs.append((first, last))
        return runs

    def clear(self) -> None:
        """Forget everything: the uids mean something else now."""
        for column in (self._modseq, self._first, self._last):
            del column[:]

    def __len__(self) -> int:
        return len(self._modseq)


INBOX = "INBOX"
_FEW = 32  # so many messages are cut out one by one; with more, the list is made anew


# Changes ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Arrived:
    """Messages were added at the end: delivered, appended, copied or moved here."""

    mailbox: Mailbox
    messages: tuple[StoredMessage, ...]
    modseq: int


@dataclass(frozen=True, slots=True)
class FlagsChanged:
    """Flags of messages changed; the messages are as they are now, in the order of their uids."""

    mailbox: Mailbox
    messages: tuple[StoredMessage, ...]
    modseq: int


@dataclass(frozen=True, slots=True)
class Expunged:
    """Messages were removed: expunged, moved away or replaced. The uids ascend."""

    mailbox: Mailbox
    uids: tuple[int, ...]
    modseq: int
    messages: tuple[StoredMessage, ...] = ()
    """Expunged messages in the order of their uids: a session may have to answer for them once more."""


@dataclass(frozen=True, slots=True)
class UidValidityChanged:
    """Every message has got a new uid; what a client knew is worth nothing."""

    mailbox: Mailbox
    old: int
    new: int


@dataclass(frozen=True, slots=True)
class MailboxCreated:
    """A mailbox was made."""

    mailbox: Mailbox
    name: str


@dataclass(frozen=True, slots=True)
class MailboxDeleted:
    """A mailbox was deleted, with its messages."""

    mailbox: Mailbox
    name: str


@dataclass(frozen=True, slots=True)
class MailboxRenamed:
    """A mailbox has another name; its ids, messages and annotations stayed."""

    mailbox: Mailbox
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class SubscriptionChanged:
    """A name was subscribed or unsubscribed."""

    name: str
    subscribed: bool


@dataclass(frozen=True, slots=True)
class MetadataChanged:
    """Annotations changed; ``name`` is empty for those of the server (RFC 5464 §4.4)."""

    name: str
    entries: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RightsChanged:
    """The access control list of a mailbox changed (RFC 4314)."""

    mailbox: Mailbox
    identifier: str


Change = (
    Arrived
    | FlagsChanged
    | Expunged
    | UidValidityChanged
    | MailboxCreated
    | MailboxDeleted
    | MailboxRenamed
    | SubscriptionChanged
    | MetadataChanged
    | RightsChanged
)
Listener = Callable[[Change], None]


# The mailbox --------------------------------------------------------------------------------------


class AccountContext:
    """The clock, the quota, the listeners and the contents' home of one account."""

    __slots__ = ("announcer", "clock", "home", "keyword_limit", "quota")

    def __init__(
        self,
        *,
        clock: TimeSource | None = None,
        quota: QuotaRoot | None = None,
        home: ContentPool | None = None,
        keyword_limit: int = 500,
    ) -> None:
        self.clock: TimeSource = clock or RealClock()
        self.quota = quota or QuotaRoot()
        self.home = home or ContentPool()
        self.announcer: Announcer[Change] = Announcer()
        self.keyword_limit = keyword_limit
        """Different keywords in one mailbox."""

    def beside_quota(self) -> AccountContext:
        """A context for a mailbox whose messages are counted in other mailboxes already."""
        other = AccountContext(clock=self.clock, home=self.home, keyword_limit=1_000_000)
        other.announcer = self.announcer
        return other


@dataclass(frozen=True, slots=True)
class StoreResult:
    """Result of :meth:`Mailbox.store`; every list ascends by uid."""

    changed: list[StoredMessage]
    """Messages with their new flags."""
    same: list[StoredMessage]
    """Messages that had these flags already; they keep their mod-sequence."""
    failed: list[int]
    """Uids that changed after ``unchanged_since`` (MODIFIED, RFC 7162 §3.1.3)."""


class Mailbox(OrderedMessages):
    """The messages of one mailbox. Uids that are not there are passed over everywhere."""

    __slots__ = (
        "_first_recent", "_flags", "_history", "_listeners", "_metadata", "_rights", "_shared",
        "_unseen_from", "deleted", "deleted_size", "highest_modseq", "is_deleted", "mailbox_id", "name", "size",
        "special_use", "uid_next", "uid_validity", "unseen",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        *,
        uid_validity: int = 1,
        mailbox_id: str = "F1",
        shared: AccountContext | None = None,
        special_use: frozenset[str] = NO_FLAGS,
    ) -> None:
        super().__init__()
        self.name = name
        self.mailbox_id = mailbox_id
        """Stays through renaming (MAILBOXID, RFC 8474 §4)."""
        self.uid_validity = uid_validity
        self.uid_next = 1
        self.highest_modseq = 1
        """Grows with every change of flags, arrival and expunge (RFC 7162 §3.1.1)."""
        self.special_use = special_use
        """Such as ``\\Sent`` (RFC 6154)."""
        self.is_deleted = False
        """Whether it was deleted; then nothing can be added."""
        self.unseen = 0
        """Messages without ``\\Seen``."""
        self.deleted = 0
        """Messages with ``\\Deleted``."""
        self.deleted_size = 0
        """Their bytes (DELETED-STORAGE, RFC 9208 §4.1.4)."""
        self.size = 0
        """Bytes of all messages (STATUS=SIZE, RFC 8438)."""
        self._shared = shared or AccountContext()
        self._flags = FlagNames()
        self._history = ExpungeHistory()
        self._first_recent = 1
        self._unseen_from = 1
        self._listeners: Listeners[Change] | None = None
        self._metadata: Metadata | None = None
        self._rights: AccessControlList | None = None

    # Reading -------------------------------------------------------------------------------------

    def unique_id(self, uid: int) -> str:
        """An id that no other message of this mailbox ever has (UIDL, RFC 1939 §7)."""
        return f"{self.uid_validity}.{uid}"

    @property
    def recent(self) -> int:
        """Messages that no session has claimed as its recent ones (RFC 3501 §2.3.2)."""
        return len(self._uids) - bisect_left(self._uids, self._first_recent)

    def claim_recent(self) -> int:
        """Take the recent messages for one session: those from the uid that is returned on."""
        first, self._first_recent = self._first_recent, self.uid_next
        return first

    @property
    def first_unseen(self) -> int | None:
        """The uid of the first message without ``\\Seen``."""
        if not self.unseen:
            return None
        index = bisect_left(self._uids, self._unseen_from)
        messages = self._messages
        while SEEN in messages[index].flags:
            index += 1
        self._unseen_from = messages[index].uid  # the search goes on here next time
        return self._unseen_from

    @property
    def keywords(self) -> tuple[str, ...]:
        """Every keyword used here so far, as first spelled (for FLAGS and PERMANENTFLAGS)."""
        return self._flags.keywords

    @property
    def metadata(self) -> Metadata:
        """Its annotations; the account changes them."""
        if self._metadata is None:
            self._metadata = Metadata()
        return self._metadata

    @property
    def rights(self) -> AccessControlList:
        """Its access control list; the account changes it."""
        if self._rights is None:
            self._rights = AccessControlList()
        return self._rights

    def deleted_uids(self, among: Iterable[int] | None = None) -> list[int]:
        """The uids of messages marked ``\\Deleted``, all or among some, ascending."""
        if not self.deleted:
            return []
        messages = self._messages if among is None else self.chosen(among)
        return [message.uid for message in messages if DELETED in message.flags]

    def changed_since(self, modseq: int) -> list[StoredMessage]:
        """The messages that arrived or changed after that mod-sequence (RFC 7162 §3.1.4)."""
        if modseq >= self.highest_modseq:
            return []
        return [message for message in self._messages if message.modseq > modseq]

    def runs_expunged_since(self, modseq: int) -> list[tuple[int, int]]:
        """The uids expunged after that mod-sequence, as ascending runs ``(first, last)``, exactly (VANISHED)."""
        return self._history.since(modseq)

    def expunged_since(self, modseq: int) -> list[int]:
        """The uids expunged after that mod-sequence, ascending, exactly (RFC 7162 §3.2)."""
        return [uid for first, last in self._history.since(modseq) for uid in range(first, last + 1)]

    # Listening -----------------------------------------------------------------------------------

    @property
    def listeners(self) -> Listeners[Change] | None:
        """The listeners of this mailbox alone."""
        return self._listeners

    def listen(self, listener: Listener) -> Subscription[Change]:
        """Call a function with every change of this mailbox, until the subscription is cancelled."""
        if self._listeners is None:
            self._listeners = Listeners()
        return self._listeners.add(listener)

    @property
    def _is_watched(self) -> bool:
        return bool((self._listeners and self._listeners.places) or self._shared.announcer.everything.places)

    # Adding --------------------------------------------------------------------------------------

    def append(
        self,
        content: bytes | Content,
        *,
        flags: Collection[str] = NO_FLAGS,
        internal_date: datetime | None = None,
        delivery: Delivery | None = None,
    ) -> StoredMessage:
        """Add a message at the end. Raises ``OverQuota``, ``LimitReached``, ``NoSuchMailbox``."""
        # One message is by far the most common case, and the way of append_many costs three times as much.
        own = self._own(content)
        size = len(own.raw)
        self._admit(size, 1, flags)
        now = self._shared.clock.now()
        return self._add_one(own, self._flags.canonical(flags), internal_date or now, delivery, size, now)

    def append_many(self, messages: Sequence[NewMessage]) -> list[StoredMessage]:
        """Add all of them, or none (MULTIAPPEND, RFC 3502). Raises as :meth:`append`."""
        return self._append_for(messages, spared=None)

    def replace(self, uid: int, message: NewMessage, into: Mailbox | None = None) -> StoredMessage | None:
        """Add a message, here or to another mailbox, and expunge the one of that uid, as one step (RFC 8508).

        ``None`` if that one is not there; then nothing is added. Raises as :meth:`append`.
        """
        old = self.get(uid)
        if old is None:
            return None
        (new,) = (self if into is None else into)._append_for([message], spared=old)
        self.expunge([uid])
        return new

    def _append_for(
        self, messages: Sequence[NewMessage], *, spared: StoredMessage | None
    ) -> list[StoredMessage]:
        """Append; the room of the one that will go does not count."""
        shared = self._shared
        contents = [self._own(message.content) for message in messages]
        more = sum([len(content.raw) for content in contents])
        room, places = (0, 0) if spared is None else (spared.size, 1)
        self._admit(more - room, len(messages) - places, _flags_of(messages))
        now = shared.clock.now()
        return self._add(
            [
                (content, self._flags.canonical(m.flags), m.internal_date or now, m.delivery)
                for m, content in zip(messages, contents, strict=True)
            ],
            more,
            now,
        )

    def _own(self, content: bytes | Content) -> Content:
        """The content as one of this account's."""
        home = self._shared.home
        if isinstance(content, Content):
            return content if content.home is home else Content(content.raw, home)
        return Content(content, home)

    def _admit(self, size: int, number: int, flags: Collection[str]) -> None:
        """Refuse before anything has changed."""
        if self.is_deleted:
            raise NoSuchMailbox(self.name)
        self._shared.quota.check(size, number)
        self._admit_flags(flags)

    def _admit_flags(self, flags: Collection[str]) -> None:
        if not flags:
            return
        new, limit = self._flags.unknown(flags), self._shared.keyword_limit
        if new and len(self._flags.keywords) + new > limit:
            raise LimitReached("keywords", limit)

    def _add(
        self,
        rows: Sequence[tuple[Content, frozenset[str], datetime, Delivery | None]],
        size: int,
        now: datetime,
    ) -> list[StoredMessage]:
        if not rows:
            return []
        self.highest_modseq = modseq = self.highest_modseq + 1
        box = self.mailbox_id
        added = [
            StoredMessage(uid, content, flags, date, modseq, now, delivery, box)
            for uid, (content, flags, date, delivery) in enumerate(rows, self.uid_next)
        ]
        self.uid_next += len(added)
        self._uids += [message.uid for message in added]
        self._messages += added
        self._count(added, 1, size)
        if self._is_watched:
            self._shared.announcer.announce(Arrived(self, tuple(added), modseq), self._listeners)
        return added

    def _add_one(
        self,
        content: Content,
        flags: frozenset[str],
        date: datetime,
        delivery: Delivery | None,
        size: int,
        now: datetime,
    ) -> StoredMessage:
        self.highest_modseq = modseq = self.highest_modseq + 1
        uid = self.uid_next
        self.uid_next = uid + 1
        added = StoredMessage(uid, content, flags, date, modseq, now, delivery, self.mailbox_id)
        self._uids.append(uid)
        self._messages.append(added)
        if flags:
            self._count((added,), 1, size)
        else:
            self.unseen += 1
            self.size += size
            self._shared.quota.add(size, 1)
        if self._is_watched:
            self._shared.announcer.announce(Arrived(self, (added,), modseq), self._listeners)
        return added

    def _count(self, messages: Sequence[StoredMessage], sign: int, size: int) -> None:
        for message in messages:
            if SEEN not in message.flags:
                self.unseen += sign
            if DELETED in message.flags:
                self.deleted += sign
                self.deleted_size += sign * message.size
        self.size += sign * size
        if not self.is_deleted:  # a deleted mailbox has given back its room already
            self._shared.quota.add(sign * size, sign * len(messages))

    # Changing ------------------------------------------------------------------------------------

    def store(
        self,
        uids: Iterable[int],
        action: FlagAction,
        flags: Iterable[str],
        *,
        unchanged_since: int | None = None,
    ) -> StoreResult:
        """Change flags of some messages (RFC 9051 §6.4.6), conditionally if wanted (RFC 7162 §3.1.3).

        All changes get one mod-sequence. Raises ``LimitReached`` for too many keywords.
        """
        wanted = frozenset(flags)
        if action is not FlagAction.REMOVE:
            self._admit_flags(wanted)
        wanted = self._flags.canonical(wanted)
        turned: dict[frozenset[str], frozenset[str]] = {}
        result = StoreResult([], [], [])
        modseq = self.highest_modseq + 1
        for old in self.chosen(uids):
            uid = old.uid
            if unchanged_since is not None and old.modseq > unchanged_since:
                result.failed.append(uid)
                continue
            new_flags = turned.get(old.flags)
            if new_flags is None:
                new_flags = turned[old.flags] = self._turn(old.flags, action, wanted)
            if new_flags == old.flags:
                result.same.append(old)
                continue
            new = StoredMessage(
                uid,
                old.content,
                new_flags,
                old.internal_date,
                modseq,
                old.saved_at,
                old.delivery,
                old.mailbox_id,
            )
            self._messages[bisect_left(self._uids, uid)] = new
            result.changed.append(new)
            self._recount(old, new_flags)
        if result.changed:
            self.highest_modseq = modseq
            if self._is_watched:
                change = FlagsChanged(self, tuple(result.changed), modseq)
                self._shared.announcer.announce(change, self._listeners)
        return result

    def _turn(self, old: frozenset[str], action: FlagAction, flags: frozenset[str]) -> frozenset[str]:
        if action is FlagAction.ADD:
            new = old | flags
        elif action is FlagAction.REMOVE:
            new = old - flags
        else:
            new = flags
        return self._flags.canonical(new)

    def _recount(self, old: StoredMessage, new: frozenset[str]) -> None:
        if (SEEN in old.flags) != (SEEN in new):
            if SEEN in new:
                self.unseen -= 1
            else:
                self.unseen += 1
                self._unseen_from = min(self._unseen_from, old.uid)
        if more := (DELETED in new) - (DELETED in old.flags):
            self.deleted += more
            self.deleted_size += more * old.size

    def expunge(self, uids: Iterable[int]) -> list[int]:
        """Remove the messages of those uids, whatever their flags; return the uids that were there, ascending."""
        removed = self.chosen(uids)
        if not removed:
            return []
        self._remove(removed)
        self.highest_modseq = modseq = self.highest_modseq + 1
        expunged = [message.uid for message in removed]
        self._history.add(modseq, expunged)
        if self._is_watched:
            self._shared.announcer.announce(
                Expunged(self, tuple(expunged), modseq, tuple(removed)), self._listeners
            )
        return expunged

    def _remove(self, removed: Sequence[StoredMessage]) -> None:
        if len(removed) <= _FEW:
            for message in removed:
                index = bisect_left(self._uids, message.uid)
                del self._uids[index], self._messages[index]
        else:
            uids = {message.uid for message in removed}
            self._messages = [message for message in self._messages if message.uid not in uids]
            self._uids = [message.uid for message in self._messages]
        self._count(removed, -1, sum([message.size for message in removed]))

    def copy_to(self, other: Mailbox, uids: Iterable[int]) -> list[tuple[int, int]]:
        """Copy messages with flags and internal date; return ``(uid here, uid there)`` (COPYUID, RFC 4315 §3).

        All or none. Raises as :meth:`append`. Both mailboxes must be of one account.
        """
        messages = self.chosen(uids)
        size = sum([message.size for message in messages])
        other._admit(size, len(messages), _flags_of(messages))
        return self._transfer(other, messages, size)

    def move_to(self, other: Mailbox, uids: Iterable[int]) -> list[tuple[int, int]]:
        """Move messages (RFC 6851); they arrive there before they are removed here. Otherwise as :meth:`copy_to`."""
        messages = self.chosen(uids)
        size = sum([message.size for message in messages])
        other._admit(0, 0, _flags_of(messages))
        pairs = self._transfer(other, messages, size)
        self.expunge([message.uid for message in messages])
        return pairs

    def _transfer(
        self, other: Mailbox, messages: Sequence[StoredMessage], size: int
    ) -> list[tuple[int, int]]:
        canonical = other._flags.canonical
        rows = [(m.content, canonical(m.flags), m.internal_date, m.delivery) for m in messages]
        added = other._add(rows, size, self._shared.clock.now())
        return [(old.uid, new.uid) for old, new in zip(messages, added, strict=True)]

    def renew_uid_validity(self, uid_validity: int) -> None:
        """Give every message a new uid, from 1 on, as a server does that lost its index (RFC 9051 §2.3.1.1)."""
        old, self.uid_validity = self.uid_validity, uid_validity
        self.highest_modseq = modseq = self.highest_modseq + 1
        self._messages = [
            StoredMessage(
                uid, m.content, m.flags, m.internal_date, modseq, m.saved_at, m.delivery, m.mailbox_id
            )
            for uid, m in enumerate(self._messages, 1)
        ]
        self._uids = [message.uid for message in self._messages]
        self.uid_next = len(self._uids) + 1
        self._first_recent = self.uid_next
        self._unseen_from = 1
        self._history.clear()
        self._shared.announcer.announce(UidValidityChanged(self, old, uid_validity), self._listeners)

    def __repr__(self) -> str:
        return f"<Mailbox {self.name!r}, {len(self._messages)} messages>"


def _flags_of(messages: Iterable[NewMessage | StoredMessage]) -> set[str]:
    return {flag for message in messages for flag in message.flags}
