"""The kinds of action, by what a server that is struck does with the command before it."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar

from fakemail.faults.write_script import Step

if TYPE_CHECKING:
    from fakemail.faults.context import FaultContext
    from fakemail.types.stage import Stage


class FaultAction:
    """What happens when a rule strikes; each protocol's session does the ones that are of neither kind below."""

    __slots__ = ()
    name: ClassVar[str]
    """How tests and configurations call it: the function of :mod:`fakemail.faults` that makes it."""

    def concerns(self, stage: Stage, facts: FaultContext) -> bool:
        """Whether it has anything to do there, when all that a rule asks for fits."""
        return True

    def __init_subclass__(cls) -> None:
        if "name" not in cls.__dict__:
            cls.name = re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()

    def __str__(self) -> str:
        fields: dict[str, dataclasses.Field[Any]] = getattr(self, "__dataclass_fields__", {})
        values = ((field.default, getattr(self, name)) for name, field in fields.items())
        given = [shown(value) for default, value in values if value != default]
        return f"{self.name.replace('_', ' ')} {', '.join(given)}".rstrip()


class Instead(FaultAction):
    """The command is not carried out and nothing is answered: the script is all there is."""

    __slots__ = ()

    def script(self) -> Sequence[Step]:
        """What the connection does."""
        raise NotImplementedError


class OnAnswer(FaultAction):
    """The command is carried out, and only its answer suffers."""

    __slots__ = ()
    arrives: ClassVar[bool] = True
    """Whether the client gets an answer that it can read."""

    def script(self, answer: bytes) -> Sequence[Step]:
        """What becomes of the answer."""
        raise NotImplementedError


def shown(value: object) -> str:
    """A value of an action as people read it."""
    if isinstance(value, bytes):
        return repr(value[:40]).removeprefix("b")
    if isinstance(value, tuple | frozenset):
        return " ".join(sorted(map(shown, value)))
    return str(value.value) if isinstance(value, Enum) else str(value)
