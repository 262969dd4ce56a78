"""The active faults of one host: they decide what goes wrong at a stage.

A host may have thousands of rules, each about one recipient, of which a message meets few. So rules are found by stage,
and by the address of the recipient where a rule names one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial

from fakemail.faults import actions
from fakemail.faults.action import FaultAction
from fakemail.faults.context import FaultContext
from fakemail.faults.rule import FaultRule
from fakemail.types.address import canonical
from fakemail.types.stage import Stage


class HostFaults:
    """Rules in the order in which they were added; the first that fits and fires decides."""

    def __init__(
        self, host: str = "", on_fired: Callable[[HostFaults, FaultRule, FaultContext], object] | None = None
    ) -> None:
        self.host = host
        self.active: dict[Stage, list[FaultRule]] = {}
        """Rules by stage; hot paths test whether it is empty before they evaluate anything."""
        self._stages: dict[Stage, _StageRules] = {}
        self._on_fired = on_fired

    def __bool__(self) -> bool:
        return bool(self.active)

    def activate(self, rules: Iterable[FaultRule]) -> None:
        """Let these rules and no others be active from now on."""
        active: dict[Stage, list[FaultRule]] = {}
        for rule in rules:
            active.setdefault(rule.stage, []).append(rule)
        for stage in self._stages.keys() - active.keys():
            self._stages.pop(stage).close()
        for stage, of_stage in active.items():
            known = self._stages.get(stage)
            if known is not None and known.extend(of_stage):
                continue
            if known is not None:
                known.close()
            self._stages[stage] = _StageRules(of_stage)
        self.active = active

    def decide(self, stage: Stage, context: FaultContext) -> FaultAction | None:
        """Fault that fires here and now, if any."""
        rules = self._stages.get(stage)
        rule = None if rules is None else rules.first_to_fire(context)
        if rule is None:
            return None
        if self._on_fired is not None:
            self._on_fired(self, rule, context)
        return rule.action

    def refuses(self, service: str) -> bool:
        """Whether a service refuses connections."""
        return self._has(actions.refuse_connections, service)

    def hangs(self, service: str) -> bool:
        """Whether connections to a service are left waiting."""
        return self._has(actions.hang_connections, service)

    def _has(self, kind: type[FaultAction], service: str) -> bool:
        context = FaultContext(service=service)
        return any(
            isinstance(rule.action, kind) and rule.where.fits(context)
            for rule in self.active.get(Stage.CONNECT, ())
        )


class _StageRules:
    """The rules of one stage.

    A rule about one recipient is asked only when that recipient is there, as soon as a miss tells nothing new about it
    (:attr:`FaultRule.is_explained`). How often its stage was reached is then worked out from the number of moments.
    """

    def __init__(self, rules: list[FaultRule]) -> None:
        self._rules: list[FaultRule] = []
        self._moments = 0
        self._decided: Counter[int] = Counter()
        """Number of times that the rule of a position was the one that fired."""
        self._asked: list[int] = []
        """The positions of the rules that are asked at every moment, in order."""
        self._by_recipient: dict[str, list[int]] = {}
        """The positions of the others."""
        self._skipped: dict[int, Callable[[], int]] = {}
        """Number of evaluations that those would have had."""
        self._keys: dict[int, str] = {}
        """The recipients of the rules that are about one, and are asked at every moment yet."""
        self.extend(rules)

    def extend(self, rules: list[FaultRule]) -> bool:
        """Take more rules behind those that there are; ``False`` if the rules do not begin with these."""
        count = len(self._rules)
        if rules[:count] != self._rules:
            return False
        for at, rule in enumerate(rules[count:], count):
            self._asked.append(at)
            if key := rule.where.recipient_key:
                self._keys[at] = key
        self._rules = rules
        return True

    def first_to_fire(self, context: FaultContext) -> FaultRule | None:
        """The first rule that fires at a moment."""
        fired = None
        for position in self._positions(context):
            rule = self._rules[position]
            if position not in self._skipped:
                rule.asked += 1
            if rule.fires(context):
                fired = position
                self._decided[position] += 1
                break
        self._moments += 1
        if self._keys:
            self._index()
        return None if fired is None else self._rules[fired]

    def close(self) -> None:
        """Give the rules their counts."""
        for position, count in self._skipped.items():
            rule = self._rules[position]
            rule.asked += count()
            rule.skipped.remove(count)

    def _reached(self, position: int) -> int:
        """At how many moments no rule before this one had decided."""
        return self._moments - sum(count for at, count in self._decided.items() if at < position)

    def _positions(self, context: FaultContext) -> Iterable[int]:
        if not self._by_recipient:
            return self._asked
        found: set[int] = set()
        for recipient in context.recipients:
            key = canonical(str(recipient))
            if not key.isascii():  # which has more than one form, and cases of its own
                return range(len(self._rules))
            found.update(self._by_recipient.get(key.lower(), ()))
        return sorted(found.union(self._asked)) if found else self._asked

    def _index(self) -> None:
        """Find rules by their recipient that need not be asked any more when it is another one."""
        done = [at for at in self._keys if self._rules[at].is_explained]
        for at in done:
            self._by_recipient.setdefault(self._keys.pop(at), []).append(at)
            self._skipped[at] = partial(self._reached_since, at, self._reached(at))
            self._rules[at].skipped.append(self._skipped[at])
        if done:
            self._asked = [at for at in self._asked if at not in self._skipped]

    def _reached_since(self, position: int, before: int) -> int:
        return self._reached(position) - before
