"""What a test holds of a fake internet: handles, which can be shown at any time."""

from __future__ import annotations

from fakemail.errors import ClosedError
from fakemail.types.suggestions import Suggests


class Handle(Suggests):
    """Something in a fake internet, by name. It can be printed before, while and after that runs."""

    def _name(self) -> str:
        """What it is: known without a look at the fake internet."""
        raise NotImplementedError

    def _state(self) -> str:
        """How it is at this moment, with the separator in front; may raise ``ClosedError``."""
        return ""

    def __repr__(self) -> str:
        try:
            state = self._state()
        except ClosedError:  # closed, not started yet, or another process's
            state = ", not running"
        return f"<{self._name()}{state}>"
