"""The faults that are in force at one host: decides, and has every stroke told."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from fakemail.faults import actions
from fakemail.faults.action import FaultAction
from fakemail.faults.context import FaultContext
from fakemail.faults.rule import FaultRule
from fakemail.types.stage import Stage


class HostFaults:
    """Rules in the order in which they were added; the first that fits and strikes decides."""

    def __init__(
        self, host: str = "", on_strike: Callable[[HostFaults, FaultRule, FaultContext], object] | None = None
    ) -> None:
        self.host = host
        self.active: dict[Stage, list[FaultRule]] = {}
        """The rules by stage; those who have to be quick look whether it is empty before they ask anything."""
        self._on_strike = on_strike

    def __bool__(self) -> bool:
        return bool(self.active)

    def put_in_force(self, rules: Iterable[FaultRule]) -> None:
        """These and no others are in force from now on."""
        in_force: dict[Stage, list[FaultRule]] = {}
        for rule in rules:
            in_force.setdefault(rule.stage, []).append(rule)
        self.active = in_force

    def decide(self, stage: Stage, facts: FaultContext) -> FaultAction | None:
        """What goes wrong here and now, if anything does."""
        for rule in self.active.get(stage, ()):
            if rule.fires(facts):
                if self._on_strike is not None:
                    self._on_strike(self, rule, facts)
                return rule.action
        return None

    def refuses(self, service: str) -> bool:
        """Whether nobody shall be able to connect to a service."""
        return self._has(actions.refuse_connections, service)

    def hangs(self, service: str) -> bool:
        """Whether whoever connects to a service shall wait."""
        return self._has(actions.hang_connections, service)

    def _has(self, kind: type[FaultAction], service: str) -> bool:
        facts = FaultContext(service=service)
        return any(
            isinstance(rule.action, kind) and rule.where.fits(facts)
            for rule in self.active.get(Stage.CONNECT, ())
        )
