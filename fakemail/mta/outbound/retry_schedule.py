"""Retry schedule of the queue: next attempts, the warning to the sender, and the end.

A table of (outcome, age) to what happens next; nothing here knows a clock or a queue.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from enum import Enum
from types import MappingProxyType
from typing import Final

from fakemail.types.dataclass import dataclass
from fakemail.types.duration import days, hours, minutes
from fakemail.types.reason import FINAL_REASONS, Reason
from fakemail.types.reply import Reply
from fakemail.types.stage import Stage


class AttemptResult(Enum):
    """Result of an attempt for one recipient, as the table distinguishes them."""

    TAKEN = "taken"
    """The next host has responsibility now."""
    NOT_NOW = "not now"
    """A 4yz reply, no host reached, or DNS failed for now."""
    NEVER = "never"
    """A 5yz reply, or no host can ever take it."""


class NextStep(Enum):
    """Next step for the recipient."""

    DONE = "done"
    RETRY = "retry"
    RETURN = "return"
    """A non-delivery report goes to the sender."""
    EXPIRE = "expire"
    """The same, because it has been tried for long enough (RFC 5321 §4.5.4.1)."""


# (how it ended, whether the message is as old as it may get) -> what happens next
TABLE: Final[Mapping[tuple[AttemptResult, bool], NextStep]] = MappingProxyType(
    {
        (AttemptResult.TAKEN, False): NextStep.DONE,
        (AttemptResult.TAKEN, True): NextStep.DONE,
        (AttemptResult.NOT_NOW, False): NextStep.RETRY,
        (AttemptResult.NOT_NOW, True): NextStep.EXPIRE,
        (AttemptResult.NEVER, False): NextStep.RETURN,
        (AttemptResult.NEVER, True): NextStep.RETURN,
    }
)


def attempt_result(
    reply: Reply | None, reason: Reason | None, *, at: Stage = Stage.SMTP_END
) -> AttemptResult:
    """The result of an attempt, from the last reply and where it came, or from the reason if there was no reply.

    A positive reply with a reason is one that does not fit what was sent: the next host has taken nothing.
    """
    if reply is not None:
        if reply.is_positive:
            return AttemptResult.TAKEN if reason is None else AttemptResult.NOT_NOW
        is_transient = reply.is_transient or (at is Stage.SMTP_RCPT and _means_too_many(reply))
        return AttemptResult.NOT_NOW if is_transient else AttemptResult.NEVER
    return AttemptResult.NEVER if reason in FINAL_REASONS else AttemptResult.NOT_NOW


def _means_too_many(reply: Reply) -> bool:
    """Whether an answer to RCPT is the 552 of RFC 821 for too many recipients (RFC 5321 §4.5.3.1.10).

    An enhanced code can say that it means what it says since: a full mailbox (X.2.2), a message that is too
    big for it (X.2.3, X.3.4), a policy (X.7.z).
    """
    if reply.code != 552:
        return False
    _, subject, detail = (reply.enhanced or "5.0.0").split(".")
    return subject not in ("2", "7") and (subject, detail) != ("3", "4")


@dataclass(frozen=True, slots=True)
class RetrySchedule:
    """The habits of a host that retries. The defaults are like those of large hosts."""

    gaps: tuple[timedelta, ...] = (
        minutes(5),
        minutes(10),
        minutes(20),
        minutes(40),
        hours(1),
        hours(2),
        hours(4),
    )
    """From one attempt to the next; the last is repeated."""
    give_up_after: timedelta = days(5)
    """RFC 5321 §4.5.4.1: at least four or five days."""
    warn_after: timedelta | None = hours(4)
    """Time at which the sender is warned of the delay; ``None`` for never."""

    def gap(self, attempts: int) -> timedelta:
        """The time from the attempt of that number (from 1) to the next."""
        return self.gaps[min(attempts, len(self.gaps)) - 1]

    def decide(self, tried: AttemptResult, *, age: timedelta, attempts: int) -> tuple[NextStep, timedelta]:
        """The next step, and for a retry the time until then.

        The last retry is at the very end of the message's life, so that it is given its whole time.
        """
        step = TABLE[tried, age >= self.give_up_after]
        if step is not NextStep.RETRY:
            return step, timedelta()
        return step, min(self.gap(attempts), self.give_up_after - age)
