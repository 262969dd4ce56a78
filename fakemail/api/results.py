"""What questions about the past return: a list that can insist on having one entry."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, TypeVar

from fakemail.errors import MailAssertionError
from fakemail.types.suggestions import Suggests

_T = TypeVar("_T")


class Results(list[_T], Suggests, Generic[_T]):
    """A list of what was found, with the question that found it."""

    def __init__(self, found: Iterable[_T], *, question: str) -> None:
        super().__init__(found)
        self.question = question

    def one(self) -> _T:
        """The only entry. Raises :class:`~fakemail.errors.MailAssertionError` if there is none, or another."""
        __tracebackhide__ = True
        if len(self) == 1:
            return self[0]
        if not self:
            raise MailAssertionError(f"expected one of {self.question}, but there is none.")
        lines = "\n".join(f"  {entry}" for entry in self[:20])
        raise MailAssertionError(f"expected one of {self.question}, but there are {len(self)}:\n{lines}")
