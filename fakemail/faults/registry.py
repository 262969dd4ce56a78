"""All faults of one fake internet, and the book of each of its hosts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from fakemail.faults.context import FaultContext
from fakemail.faults.host_faults import HostFaults
from fakemail.faults.rule import FaultRule, FaultScope
from fakemail.types.seeded_random import SeededRandom, seed_from
from fakemail.types.stage import Stage


class FaultRegistry:
    """Every rule that was ever added, and which of them is in force where."""

    def __init__(
        self,
        *,
        now: Callable[[], datetime],
        seed: int = 0,
        hosts_of: Callable[[str, Stage], tuple[str, ...]] = lambda _, __: (),
        on_strike: Callable[[str, FaultRule, FaultContext], object] = lambda *_: None,
    ) -> None:
        """``hosts_of`` tells at which hosts of a domain a stage is met, ``on_strike`` who was struck by what."""
        self._now = now
        self._seed = seed
        self._hosts_of = hosts_of
        self._on_strike = on_strike
        self._books: dict[str, HostFaults] = {}
        self._in_force: list[FaultRule] = []
        self.added: list[FaultRule] = []
        """All that were ever added, those that are lifted included."""

    def book(self, host: str) -> HostFaults:
        """The book of a host, or of a server that is none (``dns``); made when it is first asked for."""
        book = self._books.get(host)
        if book is None:
            book = self._books[host] = HostFaults(host, self._struck)
            self.refresh()
        return book

    def add(self, rule: FaultRule) -> FaultRule:
        """Put a rule in force."""
        if rule.chance is None:
            rule.chance = SeededRandom(seed_from(f"fault {len(self.added)} of {self._seed}"))
        self.added.append(rule)
        self._in_force.append(rule)
        self.refresh()
        return rule

    def remove(self, *rules: FaultRule) -> None:
        """Take rules out of force; one that is not in force stays so."""
        self._in_force = [rule for rule in self._in_force if rule not in rules]
        self.refresh()

    def refresh(self) -> None:
        """Look again which rules are in force where: time has passed, or a domain has other mail hosts."""
        now = self._now()
        active = [rule for rule in self._in_force if rule.is_active(now)]
        for host, book in self._books.items():
            book.put_in_force(rule for rule in active if self._covers(rule, host))

    def rules(self, scope: FaultScope | None = None) -> list[FaultRule]:
        """The rules in force or still to come, all of them or those of one scope."""
        return [
            rule
            for rule in self._in_force
            if (scope is None or rule.scope == scope) and not rule.is_used_up and not self._is_past(rule)
        ]

    def next_change(self) -> datetime | None:
        """When time alone will change what is in force; ``None`` when it will not."""
        now = self._now()
        times = [time for rule in self._in_force for time in (rule.when.since, rule.when.until) if time]
        return min((time for time in times if time > now), default=None)

    def _is_past(self, rule: FaultRule) -> bool:
        return rule.when.until is not None and rule.when.until <= self._now()

    def _covers(self, rule: FaultRule, host: str) -> bool:
        scope = rule.scope
        if scope.host:
            return scope.host == host
        return not scope.domain or host in self._hosts_of(scope.domain, rule.stage)

    def _struck(self, book: HostFaults, rule: FaultRule, facts: FaultContext) -> None:
        if rule.is_used_up:
            self.refresh()
        self._on_strike(book.host, rule, facts)
