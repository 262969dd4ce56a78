"""The bytes of a message, shared by all its copies, and a cache of what readers have worked out of them.

What the bytes mean is for the readers. They cache values with :meth:`Content.remember`; a budget for the whole store
drops those that were not used for the longest time.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from itertools import count

DEFAULT_BUDGET = 16 * 1024 * 1024
"""Bytes of cached values in one store."""

_ENTRY_COST = 100  # what the tables cost for each value, roughly


class _ContentCache(dict[str, object]):
    """Cached values of one content. They do not refer to the content, so that no expunged message is held."""

    __slots__ = ("cost", "fresh")

    def __init__(self) -> None:
        super().__init__()
        self.cost = 0
        self.fresh = False


class Budget:
    """Size limit of the cached values, which drops those least lately used (the second-chance rule)."""

    def __init__(self, limit: int = DEFAULT_BUDGET) -> None:
        self.limit = limit
        self.used = 0
        """Bytes in use, by the costs that callers gave."""
        self._queue: OrderedDict[int, _ContentCache] = OrderedDict()

    def charge(self, cached: _ContentCache, cost: int) -> None:
        """Count some more bytes for the values of one content; drop others if it is too much."""
        if cached.cost:
            cached.fresh = True
        else:  # not fresh: a reader that goes through everything once drives out nothing used
            self._queue[id(cached)] = cached
        cached.cost += cost
        self.used += cost
        # Every turn drops one or makes one stale, so this ends.
        while self.used > self.limit:
            key, oldest = self._queue.popitem(last=False)
            if oldest.fresh:
                oldest.fresh = False
                self._queue[key] = oldest
            else:
                self.used -= oldest.cost
                oldest.cost = 0
                oldest.clear()

    def release(self, cached: _ContentCache) -> None:
        """Forget the values of a content that is no more."""
        if self._queue.pop(id(cached), None) is not None:
            self.used -= cached.cost


class ContentPool:
    """Serial numbers, cache budget and threads, shared by the contents of one account."""

    __slots__ = ("budget", "place_in_thread", "serials")

    def __init__(
        self,
        *,
        serials: Callable[[], int] | None = None,
        budget: Budget | None = None,
        place_in_thread: Callable[[Content], None] | None = None,
    ) -> None:
        self.serials = serials or count(1).__next__
        self.budget = budget or Budget()
        self.place_in_thread = place_in_thread
        """Gives a content its ``thread``; ``None`` where every message is a thread of its own."""


class Content:
    """The bytes of one message. They never change; copies of a message share them."""

    __slots__ = ("_cached", "home", "raw", "serial", "thread")

    def __init__(self, raw: bytes, home: ContentPool | None = None) -> None:
        self._cached: _ContentCache | None = None
        self.raw = raw
        self.home = home or ContentPool()
        self.serial = self.home.serials()
        """A number that no other content of the store has, in the order of arrival."""
        self.thread = 0
        """The number of its thread, 0 until it is asked for; readers use :attr:`thread_id`."""

    @property
    def size(self) -> int:
        """Its length in bytes (RFC822.SIZE)."""
        return len(self.raw)

    @property
    def email_id(self) -> str:
        """The id of its bytes, the same in every mailbox of the account (EMAILID, RFC 8474 §5.1)."""
        return f"M{self.serial}"

    @property
    def thread_id(self) -> str:
        """The id of its thread (THREADID, RFC 8474 §5.2); it stays once it was given out."""
        if not self.thread:
            if self.home.place_in_thread is not None:
                self.home.place_in_thread(self)
            self.thread = self.thread or self.serial
        return f"T{self.thread}"

    def recall(self, key: str) -> object:
        """The cached value of that key, or ``None`` when there is none, or it was dropped."""
        cached = self._cached
        if cached is None:
            return None
        cached.fresh = True
        return cached.get(key)

    def remember(self, key: str, value: object, cost: int) -> None:
        """Cache a value that can be worked out again. ``bytes`` is its weight in memory, roughly."""
        cached = self._cached
        if cached is None:
            cached = self._cached = _ContentCache()
        cached[key] = value
        self.home.budget.charge(cached, cost + _ENTRY_COST)

    def __del__(self) -> None:
        if self._cached is not None:
            self.home.budget.release(self._cached)

    def __repr__(self) -> str:
        return f"<Content {self.email_id}, {len(self.raw)} octets>"
