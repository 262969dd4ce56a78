"""Messages in the order of their uids, and the ways to find them. Nothing here changes them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator

from fakemail.store.message import StoredMessage


class OrderedMessages:
    """Messages by uid and by place. Uids that are not there are passed over."""

    __slots__ = ("_messages", "_uids")

    def __init__(self) -> None:
        self._messages: list[StoredMessage] = []
        self._uids: list[int] = []

    def __len__(self) -> int:
        return len(self._messages)

    def __bool__(self) -> bool:
        return True  # a mailbox is there even when nothing is in it

    def __iter__(self) -> Iterator[StoredMessage]:
        return iter(self._messages.copy())

    def snapshot(self) -> tuple[StoredMessage, ...]:
        """The messages as they are now; safe to call from any thread."""
        return tuple(self._messages)

    def uids(self) -> list[int]:
        """The uids as they are now, a list of your own."""
        return self._uids.copy()

    def get(self, uid: int) -> StoredMessage | None:
        """The message of that uid."""
        index = self.index(uid)
        return None if index is None else self._messages[index]

    def index(self, uid: int) -> int | None:
        """Its place, counted from 0."""
        index = bisect_left(self._uids, uid)
        return index if index < len(self._uids) and self._uids[index] == uid else None

    def at(self, start: int, stop: int | None = None) -> list[StoredMessage]:
        """The messages at places ``start`` up to, not including, ``stop``, counted from 0."""
        return self._messages[start:stop]

    def between(self, first: int, last: int | None = None) -> list[StoredMessage]:
        """The messages with uids from ``first`` to ``last`` inclusive, or to the end."""
        start = bisect_left(self._uids, first)
        return self._messages[start : None if last is None else bisect_right(self._uids, last)]

    def find(self, uids: Iterable[int]) -> list[StoredMessage]:
        """The messages of those uids, in the order asked for."""
        known, messages = self._uids, self._messages
        end = len(known)
        found = []
        for uid in uids:
            index = bisect_left(known, uid)
            if index < end and known[index] == uid:
                found.append(messages[index])
        return found

    def chosen(self, uids: Iterable[int]) -> list[StoredMessage]:
        """Messages for a change: each once, ascending. A range may be as long as it likes."""
        if isinstance(uids, range) and uids.step == 1:
            return self.between(uids.start, uids.stop - 1)
        return self.find(sorted(set(uids)))
