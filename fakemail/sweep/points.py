"""The failure points of a journey: each moment at which the app met a server, with each thing that can fail then."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from fakemail.faults import actions
from fakemail.faults.action import FaultAction
from fakemail.faults.catalogue import rows
from fakemail.faults.context import EVERYWHERE, Match
from fakemail.faults.rule import NEVER, FaultRule, Schedule
from fakemail.types.reply import Reply
from fakemail.types.stage import Stage

ACTIONS: Final[Mapping[str, FaultAction]] = {
    "refuse": actions.refuse_connections(),
    "reset": actions.reset(),
    "close": actions.close(),
    "4yz": actions.reply(Reply(451, "4.3.0", "not now, try again later")),
    "5yz": actions.reply(Reply(554, "5.3.0", "no")),
    "unavailable": actions.refuse("UNAVAILABLE"),
    "hang": actions.no_reply(),
    "lost-reply": actions.drop_reply(),
    "cut": actions.truncate_literal(),
    "servfail": actions.rcode("SERVFAIL"),
}
"""Kind of failure, as it stands in the name of a point."""
_IN_POP3: Final[Mapping[str, FaultAction]] = {"unavailable": actions.refuse("SYS/TEMP")}
"""Reasons for which POP3 has another word (RFC 3206 §4)."""
# A message comes in as many pieces as the network likes: one point for the whole of it.
_ONCE: Final = frozenset({Stage.SMTP_BODY})
_APP: Final = Match(client="app")


class FailurePoint(NamedTuple):
    """One thing that goes wrong at one moment."""

    stage: Stage
    number: int
    """The how-manyth time the app comes to that stage."""
    action: str

    @property
    def name(self) -> str:
        """Name, for example ``smtp.rcpt-reset``, or ``smtp.rcpt.2-reset`` for the second RCPT."""
        number = f".{self.number}" if self.number > 1 else ""
        return f"{self.stage.value}{number}-{self.action}"

    @property
    def rule(self) -> FaultRule:
        """The fault that makes it happen."""
        when = Schedule(skip=self.number - 1, times=1)
        action = ACTIONS[self.action]
        if self.stage.value.startswith("pop3."):
            action = _IN_POP3.get(self.action, action)
        # The system does not ask who connects before it refuses.
        return FaultRule(self.stage, action, EVERYWHERE if self.stage is Stage.CONNECT else _APP, when)

    def __str__(self) -> str:
        return self.name


def counters() -> list[FaultRule]:
    """Faults that never fire and count how often the app comes to each stage."""
    return [
        FaultRule(stage, actions.reset(), _APP, Schedule(skip=NEVER))
        for stage in rows()
        if stage is not Stage.CONNECT
    ]


def points(counted: Iterable[FaultRule]) -> list[FailurePoint]:
    """All failure points of a journey on which the counters were in force, in the order of the table of stages."""
    table = rows()
    found = [FailurePoint(Stage.CONNECT, 1, "refuse")]
    for rule in counted:
        times = min(rule.occasions, 1) if rule.stage in _ONCE else rule.occasions
        for number in range(1, times + 1):
            found += [
                FailurePoint(rule.stage, number, name)
                for name, action in ACTIONS.items()
                if type(action) in table[rule.stage].actions
            ]
    return found
