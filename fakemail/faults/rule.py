"""Fault rules: their connection, schedule, action and counters."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import field
from datetime import datetime
from types import TracebackType
from typing import Any, Final

from fakemail.faults.action import FaultAction
from fakemail.faults.context import EVERYWHERE, FaultContext, Match
from fakemail.types.dataclass import dataclass
from fakemail.types.domains import u_labels
from fakemail.types.seeded_random import SeededRandom
from fakemail.types.stage import Stage
from fakemail.types.suggestions import Suggests

PER: Final[dict[str, Any]] = {
    "sender": lambda context: context.sender,
    "recipient": lambda context: context.recipients,
    "connection": lambda context: context.connection,
    "login": lambda context: context.login,
    "client": lambda context: context.client and context.client.name,
    "query": lambda context: (context.query, context.query_type),
}
"""Keys of ``once_per``, each with the function that finds it."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """Which of the fitting moments it takes: all, unless something is given."""

    skip: int = 0
    """So many pass first."""
    every: int = 1
    """Of the others, every n-th counts."""
    times: int | None = None
    """So many are taken, then no more."""
    probability: float = 1.0
    """Probability that each is taken, from the seed of the fake internet."""
    once_per: str | None = None
    """Each recipient, for example, meets the fault once only."""
    since: datetime | None = None
    """On the fake clock; before that it is not active."""
    until: datetime | None = None
    """On the fake clock; from then on it is not active any more."""

    def counts(self, occasion: int) -> bool:
        """Whether the fitting moment of that number, counted from 1, is one of those that may be taken."""
        return occasion > self.skip and (occasion - self.skip) % self.every == 0

    def is_on(self, now: datetime) -> bool:
        """Whether it is active at that time."""
        return (self.since is None or self.since <= now) and (self.until is None or now < self.until)

    def keys(self, context: FaultContext) -> set[Hashable]:
        """Key for which the fault fires once only: one thing, or each of the recipients."""
        if self.once_per == "recipient":
            return set(context.recipients)
        return {None if self.once_per is None else PER[self.once_per](context)}

    def __str__(self) -> str:
        parts = (
            (self.skip, f"not the first {self.skip}"),
            (self.every != 1, f"one in {self.every}"),
            (self.times is not None, f"{how_often(self.times or 0)} at most"),
            (self.probability != 1, f"with probability {self.probability}"),
            (self.once_per, f"once for each {self.once_per}"),
            (self.since, f"from {self.since:%Y-%m-%d %H:%M:%S}" if self.since else ""),
            (self.until, f"until {self.until:%Y-%m-%d %H:%M:%S}" if self.until else ""),
        )
        return "".join(f", {text}" for given, text in parts if given)


def how_often(count: int) -> str:
    """A count in words."""
    return "once" if count == 1 else f"{count} times"


ALWAYS: Final = Schedule()
NEVER: Final = 10**9
"""Schedule of a rule that only counts."""


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
    """Number of times that every condition matched."""
    fired: int = field(default=0, init=False)
    """Number of times that it fired."""
    closest: str = field(default="", init=False)
    """Condition that failed at the closest match, in words."""
    asked: int = field(default=0, init=False, repr=False)
    """Number of evaluations."""
    skipped: list[Callable[[], int]] = field(default_factory=list, init=False, repr=False)
    """Functions that count evaluations that were skipped, one of each host that counts them."""
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
        """Number of times that its stage was reached while it was active, with or without a match."""
        return self.asked + sum(count() for count in self.skipped)

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
        """Description without its counts."""
        return f"{self.stage}{self.where}{self.when}: {self.action}"

    def __str__(self) -> str:
        return f"{self.title} (fired {how_often(self.fired)})"


class Fault(Suggests):
    """Active fault. Use it in a ``with`` block to have it removed at the end of the block."""

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
        """Number of times that it has fired. The system's refusal of a connection cannot be counted."""
        return sum(rule.fired for rule in self._rules)

    @property
    def evaluated(self) -> int:
        """Number of times that its stage was reached while it was active, fired or not."""
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
