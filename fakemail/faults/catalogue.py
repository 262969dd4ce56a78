"""Catalogue of faults: for each stage the actions that are possible there, and the conditions that can be met.

It is read from the actions, which say where they are possible, and from the table of stages. The reference page prints
it, and the tests walk through it.
"""

from __future__ import annotations

from functools import cache
from types import MappingProxyType
from typing import Final, NamedTuple

from fakemail.faults.action import FaultAction, OnAnswer
from fakemail.faults.actions import ACTIONS
from fakemail.faults.stages import COMMANDS, CONDITIONS_AT
from fakemail.types.stage import Stage


class FaultSupport(NamedTuple):
    """Fault that is possible at a stage."""

    stage: Stage
    actions: frozenset[type[FaultAction]]
    conditions: frozenset[str]
    """The fields of :class:`~fakemail.faults.context.Match` that can be met there."""


_EVERYWHERE: Final = frozenset(kind for kind in ACTIONS.values() if kind.at >= COMMANDS)
ON_ANSWERS: Final = frozenset(kind for kind in _EVERYWHERE if issubclass(kind, OnAnswer))
"""Possible wherever a server of mail answers."""
ENDINGS: Final = _EVERYWHERE - ON_ANSWERS
"""Possible there as well: the server ends the connection, or says nothing more."""


@cache
def rows() -> MappingProxyType[Stage, FaultSupport]:
    """The whole table."""
    return MappingProxyType(
        {
            stage: FaultSupport(
                stage, frozenset(kind for kind in ACTIONS.values() if stage in kind.at), conditions
            )
            for stage, conditions in CONDITIONS_AT.items()
        }
    )
