"""The whole of it: from the log to findings, in the order in which the app did what it did."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace
from typing import Final

from fakemail.events.kinds import Event
from fakemail.events.secrets import mask_line
from fakemail.lint import commands, connections, content
from fakemail.lint.conversations import Conversation, conversations
from fakemail.lint.finding import LintFinding, RuleViolation, explain
from fakemail.lint.rules import RULES, Severity

_Check = Callable[[Conversation], Iterator[RuleViolation]]
_SMTP: Final[tuple[_Check, ...]] = (connections.check, commands.check, content.check)
_READING: Final[tuple[_Check, ...]] = (connections.check, commands.check_reading)
_CHECKS: Final = {
    "smtp": _SMTP,
    "submission": _SMTP,
    "submissions": _SMTP,
    "imap": _READING,
    "imaps": _READING,
    "pop3": _READING,
    "pop3s": _READING,
}


# How programs greet that are not told a name: they ask the machine for its own.
_OF_THE_MACHINE: Final = frozenset(
    {"helo_localhost", "helo_unqualified", "helo_malformed", "helo_bare_address"}
)


def lint(
    events: Iterable[Event], *, machine_names: Callable[[], Collection[str]] = frozenset
) -> list[LintFinding]:
    """Findings about the app that a stricter server would mind, in the order of events.

    ``machine_names`` is asked, where it matters, how the machine calls itself, in lower case.
    """
    found = _lint(events)
    if any(finding.name in _OF_THE_MACHINE for finding in found):
        names = machine_names()
        found = [_of_machine(finding) if _greets_as(finding, names) else finding for finding in found]
    return found


def _greets_as(finding: LintFinding, names: Collection[str]) -> bool:
    greeting = finding.line.partition(" ")[2].strip().lower().removesuffix(".")
    return finding.name in _OF_THE_MACHINE and greeting in names


def _of_machine(finding: LintFinding) -> LintFinding:
    """It would be another one, or none, on another machine."""
    return replace(
        finding,
        severity=Severity.HINT.value,
        is_machines=True,
        what=f"{finding.what}, which is what this machine calls itself",
    )


def _lint(events: Iterable[Event]) -> list[LintFinding]:
    found: list[LintFinding] = []
    everything = conversations(events)
    for conversation in everything:
        for check in _CHECKS.get(conversation.service, ()):
            found += [_finding(conversation, hit) for hit in check(conversation)]
    found += [_finding(conversation, hit) for conversation, hit in connections.check_together(everything)]
    return sorted(found, key=lambda finding: finding.event)


def _finding(conversation: Conversation, hit: RuleViolation) -> LintFinding:
    rule = RULES[hit.rule]
    return LintFinding(
        name=rule.name,
        severity=rule.severity.value,
        host=conversation.connected.host,
        service=conversation.service,
        connection=conversation.connected.connection,
        line=mask_line(hit.event.stage, hit.line),
        recipients=hit.recipients,
        message=hit.event.message,
        event=hit.event.number,
        what=rule.what,
        why=explain(rule),
        fix=rule.fix,
    )
