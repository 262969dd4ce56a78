"""Faults that never fired: they fail a test that passed and needed them, and are told in the report of a failure.

Loaded where a fake internet is used.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from fakemail.faults.actions import UNCOUNTED, as_address_says
from fakemail.faults.rule import NEVER, how_often

if TYPE_CHECKING:
    from fakemail.faults.rule import FaultRule
    from pytest_fakemail.worlds import World


def require_fired(worlds: Iterable[World]) -> None:
    """Fail a test that passed, if a fault that must fire never did."""
    __tracebackhide__ = True
    missed = [(world, rule) for world in worlds for rule in unfired(world) if rule.must_fire]
    for world in {world for world, _ in missed}:
        with suppress(Exception):  # it may just be about to fire; if that cannot be said, it has not
            world.let_settle()
    found = [rule for _, rule in missed if not rule.has_fired]
    if not found:
        return
    head = "a fault never fired:" if len(found) == 1 else f"{len(found)} faults never fired:"
    advice = (
        "The test passed without what it was to be about. If that is as it should be, "
        "say must_fire=False where the fault is declared."
    )
    pytest.fail("\n".join([head, *map(tell, found), advice]), pytrace=False)


def unfired(world: World) -> list[FaultRule]:
    """The faults that this test declared and that never fired, as far as that can be known."""
    return [
        rule
        for rule in world.new_faults
        if not rule.has_fired
        and not isinstance(rule.action, (*UNCOUNTED, as_address_says))
        and rule.when.skip != NEVER
    ]


def tell(rule: FaultRule) -> str:
    """The condition that it waited for, and the event that came closest."""
    times = how_often(rule.evaluated)
    if not rule.evaluated:
        seen = f"{rule.stage} was never reached while it was in force"
    elif rule.occasions:
        seen = f"{rule.stage} was reached {times}, and everything fitted {how_often(rule.occasions)}: not yet its turn"
    else:
        seen = f"{rule.stage} was reached {times}, but never so; the closest: {rule.closest}"
    return f"  {rule.title}, at {rule.scope}\n    {seen}"
