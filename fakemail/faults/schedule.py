"""Schedule of a rule: which of the moments that fit it takes."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from fakemail.faults.context import FaultContext

PER: Final[dict[str, Any]] = {
    "sender": lambda context: context.sender,
    "recipient": lambda context: context.recipients,
    "connection": lambda context: context.connection,
    "login": lambda context: context.login,
    "client": lambda context: context.client and context.client.name,
    "query": lambda context: (context.query, context.query_type),
}
"""What ``once_per`` may name, with how it is found."""


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
    """How likely each is taken, from the seed of the fake internet."""
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
        """What meets the fault once only: one thing, or each of the recipients."""
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
"""What a rule skips that is there to count only."""
