"""Outcomes of a sweep: how an app handled one failure point, by the log and by the end of the run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import field
from enum import Enum
from typing import TypeAlias

from fakemail.events.journey import Journey, Journeys
from fakemail.events.kinds import Event, MessageDelivered
from fakemail.events.text_layout import columns, shown
from fakemail.message.headers import field_in_head
from fakemail.sweep.points import FailurePoint
from fakemail.types import fate as fates
from fakemail.types.dataclass import dataclass


class SweepVerdict(Enum):
    """Result of a failure point."""

    DELIVERED = "delivered"
    """Everything arrived once all the same: the app tried again, or did not need what failed."""
    REPORTED = "reported"
    """Something did not arrive or may not have, and the app said so."""
    NOT_REACHED = "not reached"
    """The run did not come to this point: it is not the same each time."""
    ESCAPED = "exception escaped"
    """Undeclared exception of the app."""
    LOST = "mail lost"
    """Mail that did not arrive, without any error or bounce."""
    DUPLICATED = "mail duplicated"
    """Message that arrived more than once."""
    HUNG = "hung"
    """Nothing happened for longer than the sweep's hang timeout, or it did not come to an end."""
    MISTAKEN = "assertion failed"
    """Everything arrived once, and the test's own assertion failed."""

    @property
    def is_mishandled(self) -> bool:
        """Whether the app should have done better."""
        return self not in _FINE


_FINE = frozenset({SweepVerdict.DELIVERED, SweepVerdict.REPORTED, SweepVerdict.NOT_REACHED})

Mail: TypeAlias = tuple[str, str]
"""A recipient, in the form in which addresses are compared, and a subject: what is the same in every run."""


@dataclass(frozen=True)
class Run:
    """Record of one run."""

    events: list[Event] = field(repr=False)
    error: BaseException | None = None
    """Exception that it raised."""
    unreached: frozenset[str] = frozenset()
    """Whom the app says it could not reach, in the form in which addresses are compared."""
    hung: str = ""
    """Reason for ending it, if it did not end by itself."""
    fired: int = 1
    """Number of times that the fault fired."""


@dataclass(frozen=True)
class SweepOutcome:
    """One failure point, and what the app made of it."""

    name: str
    """Of the point, such as ``smtp.rcpt-reset``."""
    verdict: str
    """``delivered``, ``reported``, ``mail lost``..."""
    is_mishandled: bool
    detail: str

    def __str__(self) -> str:
        return f"{self.name}: {self.verdict}{f', {self.detail}' if self.detail else ''}"


def deliveries(events: Iterable[Event]) -> Counter[Mail]:
    """Number of arrivals of each mail, counted by mailboxes. Bounces and other notices do not count."""
    return Counter(
        (event.recipient.key, event.subject)
        for event in events
        if isinstance(event, MessageDelivered) and field_in_head(event.head, "return-path") != "<>"
    )


def outcome_of(
    point: FailurePoint, wanted: Counter[Mail], run: Run, *, expected_errors: tuple[type[BaseException], ...]
) -> SweepOutcome:
    """The verdict on a run with a fault. ``wanted`` is what arrives when nothing fails."""
    verdict, detail = _verdict(wanted, run, expected_errors)
    return SweepOutcome(point.name, verdict.value, verdict.is_mishandled, detail)


def _verdict(
    wanted: Counter[Mail], run: Run, expected_errors: tuple[type[BaseException], ...]
) -> tuple[SweepVerdict, str]:
    error = run.error
    said_no = error is not None and isinstance(error, expected_errors)
    if run.hung:
        return SweepVerdict.HUNG, run.hung
    if error is not None and not said_no and not isinstance(error, AssertionError):
        return SweepVerdict.ESCAPED, _of_error(error)
    found = Journeys(run.events).all()
    arrived = deliveries(run.events)
    more = [mail for mail in arrived if arrived[mail] > max(wanted[mail], 1)]
    if more:
        (who, subject), times = more[0], arrived[more[0]]
        return SweepVerdict.DUPLICATED, f"{who} got {shown(subject)!r} {times} times"
    missing = [mail for mail in wanted if arrived[mail] < wanted[mail] and not _waits(mail, found)]
    if said_no:
        in_vain = ", though everything arrived" if wanted and not missing else ""
        return SweepVerdict.REPORTED, _of_error(error) + in_vain
    lost = [mail for mail in missing if mail[0] not in run.unreached]
    if lost:
        return SweepVerdict.LOST, _of_lost(lost[0], found)
    if missing:
        return SweepVerdict.REPORTED, f"not sent to {', '.join(who for who, _ in missing)}"
    if error is not None:
        return SweepVerdict.MISTAKEN, _of_error(error)
    return (SweepVerdict.DELIVERED, "") if run.fired else (SweepVerdict.NOT_REACHED, "")


def _waits(mail: Mail, found: list[Journey]) -> bool:
    """Whether a host has it and will try again."""
    return any(
        (journey.recipient.key, journey.subject) == mail and isinstance(journey.fate, fates.Queued)
        for journey in found
    )


def _of_lost(mail: Mail, found: list[Journey]) -> str:
    who, subject = mail
    last = next((journey for journey in reversed(found) if journey.recipient.key == who), None)
    story = "no host ever heard of it" if last is None else str(last.fate)
    return f"{who} never got {shown(subject)!r}, and nobody was told ({story})"


def _of_error(error: BaseException | None) -> str:
    text = " ".join(str(error).split())
    return shown(f"{type(error).__name__}: {text}" if text else type(error).__name__, limit=90)


def table(outcomes: Iterable[SweepOutcome]) -> str:
    """One line for each point, in columns, and the sum below."""
    found = list(outcomes)
    rows = [
        (outcome.name, outcome.verdict.upper() if outcome.is_mishandled else outcome.verdict, outcome.detail)
        for outcome in found
    ]
    bad = sum(outcome.is_mishandled for outcome in found)
    points = "1 failure point" if len(found) == 1 else f"{len(found)} failure points"
    return "\n".join([*columns(rows), f"{points}, {bad or 'none'} mishandled"])
