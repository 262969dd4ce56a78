"""All faults of one fake internet, and those that are active at each of its hosts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from fakemail.faults.context import FaultContext
from fakemail.faults.host_faults import HostFaults
from fakemail.faults.rule import FaultRule, FaultScope
from fakemail.types.seeded_random import SeededRandom, seed_from
from fakemail.types.stage import Stage


class FaultRegistry:
    """Every rule that was ever added, and which of them are active where."""

    def __init__(
        self,
        *,
        now: Callable[[], datetime],
        seed: int = 0,
        hosts_of: Callable[[str, Stage], tuple[str, ...]] = lambda _, __: (),
        on_fired: Callable[[str, FaultRule, FaultContext], object] = lambda *_: None,
    ) -> None:
        """``hosts_of`` tells at which hosts of a domain a stage is met, ``on_fired`` which rule fired at which host."""
        self._now = now
        self._seed = seed
        self._hosts_of = hosts_of
        self._on_fired = on_fired
        self._hosts: dict[str, HostFaults] = {}
        self._present: list[FaultRule] = []
        self.added: list[FaultRule] = []
        """All that were ever added, those that are removed included."""

    def at_host(self, host: str) -> HostFaults:
        """The faults of a host, or of the name server; made when they are first asked for."""
        faults = self._hosts.get(host)
        if faults is None:
            faults = self._hosts[host] = HostFaults(host, self._note_fired)
            self.refresh()
        return faults

    def add(self, rule: FaultRule) -> FaultRule:
        """Add a rule."""
        if rule.chance is None:
            rule.chance = SeededRandom(seed_from(f"fault {len(self.added)} of {self._seed}"))
        self.added.append(rule)
        self._present.append(rule)
        self.refresh()
        return rule

    def remove(self, *rules: FaultRule) -> None:
        """Remove rules; those that are not there are left out."""
        self._present = [rule for rule in self._present if rule not in rules]
        self.refresh()

    def refresh(self) -> None:
        """Look again which rules are active where: time has passed, or a domain has other mail hosts."""
        now = self._now()
        active = [rule for rule in self._present if rule.is_active(now)]
        for host, faults in self._hosts.items():
            faults.activate(rule for rule in active if self._covers(rule, host))

    def rules(self, scope: FaultScope | None = None) -> list[FaultRule]:
        """The rules that are active or will be, all of them or those of one scope."""
        return [
            rule
            for rule in self._present
            if (scope is None or rule.scope == scope) and not rule.is_used_up and not self._is_past(rule)
        ]

    def next_change(self) -> datetime | None:
        """Time at which the active rules change next by time alone; ``None`` without one."""
        now = self._now()
        times = [time for rule in self._present for time in (rule.when.since, rule.when.until) if time]
        return min((time for time in times if time > now), default=None)

    def _is_past(self, rule: FaultRule) -> bool:
        return rule.when.until is not None and rule.when.until <= self._now()

    def _covers(self, rule: FaultRule, host: str) -> bool:
        scope = rule.scope
        if scope.host:
            return scope.host == host
        return not scope.domain or host in self._hosts_of(scope.domain, rule.stage)

    def _note_fired(self, faults: HostFaults, rule: FaultRule, context: FaultContext) -> None:
        if rule.is_used_up:
            self.refresh()
        self._on_fired(faults.host, rule, context)
