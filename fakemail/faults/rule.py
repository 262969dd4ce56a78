"""Rules: whom a fault is about, when it fires, what it does, and how often that has happened."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType

from fakemail.faults.action import FaultAction
from fakemail.faults.context import EVERYWHERE, FaultContext, Match
from fakemail.faults.schedule import ALWAYS, Schedule, how_often
from fakemail.types.domains import u_labels
from fakemail.types.seeded_random import SeededRandom
from fakemail.types.stage import Stage
from fakemail.types.suggestions import Suggests


@dataclass(frozen=True, slots=True)
class FaultScope:
    """Scope of a rule: one host, the hosts of a domain, or every host."""

    host: str = ""
    domain: str = ""

    def __str__(self) -> str:
        return u_labels(self.host) or (
            f"the hosts of {u_labels(self.domain)}" if self.domain else "every host"
        )


EVERYBODY = FaultScope()


@dataclass(eq=False)
class FaultRule:
    """A fault, with its counts."""

    stage: Stage
    action: FaultAction
    where: Match = EVERYWHERE
    when: Schedule = ALWAYS
    scope: FaultScope = EVERYBODY
    must_fire: bool = False
    """Whether a test in which it never fires is wrong."""
    chance: SeededRandom | None = None
    """Its own, so that what one rule draws does not shift what others do."""
    allies: list[FaultRule] = field(default_factory=list, init=False, repr=False)
    """Those that are parts of one fault with it: when one has fired, the fault has."""
    occasions: int = field(default=0, init=False)
    """How often everything fitted."""
    fired: int = field(default=0, init=False)
    """How often it fired."""
    closest: str = field(default="", init=False)
    """What did not fit when it came closest, in words."""
    asked: int = field(default=0, init=False, repr=False)
    """How often it was asked whether it fires."""
    spared: list[Callable[[], int]] = field(default_factory=list, init=False, repr=False)
    """How often it need not be asked, of each host that counts it."""
    _met: int = field(default=-1, init=False, repr=False)
    _fired_for: set[Hashable] = field(default_factory=set, init=False, repr=False)

    def fires(self, context: FaultContext) -> bool:
        """Whether it fires now; counted either way."""
        missed = self.where.first_miss(context)
        if missed is not None:
            if not self.is_explained:
                self._note_miss(context, missed)
            return False
        if not self.action.concerns(self.stage, context):
            return False
        self.occasions += 1
        if self.is_used_up or not self.when.counts(self.occasions):
            return False
        # Drawn for each moment that counts, so that nothing else shifts the draws.
        if self.when.probability < 1 and not self._draws():
            return False
        if self.when.once_per is not None:
            keys = self.when.keys(context)
            if keys <= self._fired_for:
                return False
            self._fired_for |= keys
        self.fired += 1
        return True

    def _draws(self) -> bool:
        return self.chance is None or self.chance.probability() < self.when.probability

    @property
    def evaluated(self) -> int:
        """How often its stage was reached while it was active, whether it fitted or not."""
        return self.asked + sum(count() for count in self.spared)

    @property
    def is_explained(self) -> bool:
        """Whether no miss can come closer than one has."""
        return self._met >= len(self.where.conditions) - 1

    @property
    def has_fired(self) -> bool:
        """Whether it has, or another part of the same fault."""
        return self.fired > 0 or any(ally.fired for ally in self.allies)

    @property
    def is_used_up(self) -> bool:
        """Whether it has fired as often as it may."""
        return self.when.times is not None and self.fired >= self.when.times

    def is_active(self, now: datetime) -> bool:
        """Whether it can fire at that time."""
        return not self.is_used_up and self.when.is_on(now)

    def _note_miss(self, context: FaultContext, missed: str) -> None:
        met = sum(Match(**{name: getattr(self.where, name)}).fits(context) for name in self.where.conditions)
        if met > self._met:
            self._met, self.closest = met, missed

    @property
    def title(self) -> str:
        """What it is, without its counts."""
        return f"{self.stage}{self.where}{self.when}: {self.action}"

    def __str__(self) -> str:
        return f"{self.title} (fired {how_often(self.fired)})"


class Fault(Suggests):
    """A fault in force. Use it in a ``with`` block to have it removed at the end of the block."""

    def __init__(self, rule: FaultRule, remove: Callable[[Iterable[FaultRule]], object]) -> None:
        self._rules = [rule]
        self._remove = remove

    def _join(self, other: Fault) -> None:
        """Make another a part of this one."""
        for rule in other._rules:
            rule.allies.append(self._rules[0])
            self._rules[0].allies.append(rule)
        self._rules += other._rules

    @property
    def fired(self) -> int:
        """How often it has fired. The system's refusal of a connection cannot be counted."""
        return sum(rule.fired for rule in self._rules)

    @property
    def evaluated(self) -> int:
        """How often its stage was reached while it was in force, whether it fired or not."""
        return self._rules[0].evaluated

    def remove(self) -> None:
        """End it."""
        self._remove(self._rules)

    def __enter__(self) -> Fault:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()

    def __repr__(self) -> str:
        return f"<Fault of {self._rules[0].scope}: {self._rules[0]}>"
