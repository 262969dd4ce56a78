"""The base of what a test holds of its fake internet: handles that can be printed at any time, and lists of results."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, TypeVar

from fakemail.errors import ClosedError, MailAssertionError
from fakemail.types.suggestions import Suggests

_T = TypeVar("_T")


class Handle(Suggests):
    """Something in a fake internet, by name. It can be printed before, while and after that runs."""

    def _name(self) -> str:
        """Its class and its name, known without a look at the fake internet."""
        return type(self).__name__

    def _state(self) -> str:
        """Its present state, with the separator in front; may raise ``ClosedError``."""
        return ""

    def __repr__(self) -> str:
        try:
            state = self._state()
        except ClosedError:  # closed, not started yet, or another process's
            state = ", not running"
        return f"<{self._name()}{state}>"


class Results(list[_T], Suggests, Generic[_T]):
    """A list of what was found, with the question that found it."""

    def __init__(self, found: Iterable[_T], *, question: str) -> None:
        super().__init__(found)
        self._question = question

    def one(self) -> _T:
        """The only entry. Raises :class:`~fakemail.errors.MailAssertionError` if there is none, or another."""
        __tracebackhide__ = True
        if len(self) == 1:
            return self[0]
        if not self:
            raise MailAssertionError(f"expected one of {self._question}, but there is none.")
        lines = "\n".join(f"  {entry}" for entry in self[:20])
        raise MailAssertionError(f"expected one of {self._question}, but there are {len(self)}:\n{lines}")
