"""The one seeded source of chance and of names that must differ: queue ids, message ids, nonces.

Everything random in a fake internet comes from here, so that one seed replays it.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import MutableSequence
from itertools import count
from typing import TypeVar

_T = TypeVar("_T")
_ALPHABET = "0123456789ABCDEFGHJKLMNPQRSTUVWXYZ"


def seed_from(text: str) -> int:
    """A stable seed from a text such as a test's name (the same in every process)."""
    return zlib.crc32(text.encode())


class SeededRandom:
    """Seeded chance. Two instances with one seed give the same values in the same order."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._random = random.Random(seed)
        self._serial = count(1)
        self._salt = "".join(self._random.choices(_ALPHABET, k=6))

    def token(self, length: int = 16) -> str:
        """A string of that many letters and digits, hard to guess only for people."""
        return "".join(self._random.choices(_ALPHABET, k=length))

    def randbytes(self, length: int) -> bytes:
        """Random bytes of that number."""
        return self._random.randbytes(length)

    def queue_id(self) -> str:
        """The next queue id: never twice in one fake internet, and in the order of their making."""
        return f"{self._salt}{next(self._serial):05d}"

    def shuffle(self, items: MutableSequence[_T]) -> None:
        """Shuffle in place."""
        self._random.shuffle(items)

    def probability(self) -> float:
        """A number from 0 up to, but not including, 1."""
        return self._random.random()
