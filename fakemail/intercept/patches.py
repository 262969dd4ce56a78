"""Replacing attributes of other people's modules and classes, and putting them back exactly as they were."""

from __future__ import annotations

from typing import Any, Final

_MISSING: Final = object()


class Patches:
    """Replacements in the order in which they were made."""

    def __init__(self) -> None:
        self._made: list[tuple[Any, str, Any]] = []

    def put(self, owner: Any, name: str, value: Any) -> Any:
        """Replace an attribute; what was found there before is returned."""
        before = getattr(owner, name)
        # What a class inherits is not its own, and must not become so.
        self._made.append((owner, name, vars(owner).get(name, _MISSING)))
        setattr(owner, name, value)
        return before

    def undo(self) -> None:
        """Put everything back, the last first."""
        while self._made:
            owner, name, before = self._made.pop()
            if before is _MISSING:
                delattr(owner, name)
            else:
                setattr(owner, name, before)
