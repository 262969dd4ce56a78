"""Faults as tables of plain values: those of a configuration and of the pytest mark, and faults written down."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fakemail.api.faults import Fault, FaultPresets, Faults
from fakemail.errors import DeclarationError, nearest
from fakemail.faults.context import CONDITIONS
from fakemail.faults.plain_values import read_action, write_action
from fakemail.faults.rule import FaultRule, FaultScope
from fakemail.types.stage import Stage

if TYPE_CHECKING:
    from fakemail.api.portal import Portal

_OPTIONS = tuple(
    name for name in inspect.signature(Faults.add).parameters if name not in ("self", "stage", "do")
)
KEYS = ("host", "domain", "stage", "do", *_OPTIONS)
"""What may stand in a table."""


def declare(portal: Portal, table: Mapping[str, Any]) -> Fault:
    """Put a fault in force. Raises :class:`~fakemail.errors.DeclarationError` for one that cannot be."""
    given = dict(table)
    for key in given:
        if key not in KEYS:
            raise DeclarationError(f"a fault has no {key!r}; {nearest(str(key), KEYS)}")
    missing = [key for key in ("stage", "do") if key not in given]
    if missing:
        raise DeclarationError(
            f"a fault needs {' and '.join(missing)}, such as stage = 'smtp.rcpt', do = 'drop'."
        )
    scope = _read_scope(portal, given.pop("host", ""), given.pop("domain", ""))
    stage, action = _read_stage(given.pop("stage")), read_action(given.pop("do"))
    if isinstance(given.get("must_fire", False), bool):
        return FaultPresets(portal, scope).add(stage, action, **given)
    raise DeclarationError(f"must_fire of a fault is true or false, not {given['must_fire']!r}.")


def write(rule: FaultRule) -> dict[str, object] | None:
    """The table of a rule; ``None`` for one that cannot be written down."""
    action = write_action(rule.action)
    if action is None:
        return None
    table: dict[str, object] = {}
    if rule.scope.host or rule.scope.domain:
        table["host" if rule.scope.host else "domain"] = rule.scope.host or rule.scope.domain
    table |= {"stage": rule.stage.value, "do": action}
    for name in CONDITIONS:
        if (value := getattr(rule.where, name)) is not None:
            table["to" if name == "recipient" else name] = value
    for name, usual in (("skip", 0), ("every", 1), ("times", None), ("probability", 1.0), ("once_per", None)):
        if (value := getattr(rule.when, name)) != usual:
            table[name] = value
    table |= {name: value for name in ("since", "until") if (value := getattr(rule.when, name)) is not None}
    return table | ({"must_fire": True} if rule.must_fire else {})


def _read_scope(portal: Portal, host: object, domain: object) -> FaultScope:
    world = portal.simulation.world
    if host and domain:
        raise DeclarationError("a fault is of a 'host' or of a 'domain'; leave one of them out.")
    if host:
        return FaultScope(host=world.host(str(getattr(host, "name", host))).name)
    return (
        FaultScope(domain=world.domain(str(getattr(domain, "name", domain))).name) if domain else FaultScope()
    )


def _read_stage(given: object) -> Stage:
    if isinstance(given, Stage):
        return given
    stages = {stage.value: stage for stage in Stage}
    if given not in stages:
        raise DeclarationError(f"there is no stage {given!r}; {nearest(str(given), stages)}")
    return stages[str(given)]
