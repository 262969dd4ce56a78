"""The DKIM keys of the domains of one fake internet."""

from __future__ import annotations

from collections import Counter
from contextlib import AbstractContextManager, nullcontext

from fakemail.dkim.keys import Key, process_key
from fakemail.model.dkim import Dkim


class DkimKeyRing:
    """The process's keys by domain and selector, given out in the order in which they are needed."""

    def __init__(self, *, lock: AbstractContextManager[object] | None = None) -> None:
        """``lock`` is for a test that looks at a record from its own thread."""
        self._taken: dict[tuple[str, str, str], Key] = {}
        self._next: Counter[str] = Counter()
        self._lock = nullcontext() if lock is None else lock

    def of(self, domain: str, how: Dkim) -> Key:
        """The key of a domain for a selector and an algorithm, always the same one."""
        who = (domain, how.selector, how.algorithm)
        with self._lock:
            key = self._taken.get(who)
            if key is None:
                key = self._taken[who] = self._another(how.algorithm)
            return key

    def another(self, algorithm: str) -> Key:
        """A key that no domain has."""
        with self._lock:
            return self._another(algorithm)

    def _another(self, algorithm: str) -> Key:
        place = self._next[algorithm]
        self._next[algorithm] += 1
        return process_key(algorithm, place)
