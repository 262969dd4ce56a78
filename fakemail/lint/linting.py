"""The whole of it: from the log to findings, in the order in which the app did what it did."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from fakemail.lint import commands, connections, content, reading
from fakemail.lint.conversations import Conversation, conversations
from fakemail.lint.finding import Hit, LintFinding, explain
from fakemail.lint.rules import RULES
from fakemail.record.events import Event
from fakemail.record.secrets import mask_line

_Check = Callable[[Conversation], Iterator[Hit]]
_SMTP: Final[tuple[_Check, ...]] = (connections.check, commands.check, content.check)
_READING: Final[tuple[_Check, ...]] = (connections.check, reading.check)
_CHECKS: Final = {
    "smtp": _SMTP,
    "submission": _SMTP,
    "submissions": _SMTP,
    "imap": _READING,
    "imaps": _READING,
    "pop3": _READING,
    "pop3s": _READING,
}


def lint(events: Iterable[Event]) -> list[LintFinding]:
    """What the app did that a stricter server would mind, in the order in which it shows."""
    found: list[LintFinding] = []
    everything = conversations(events)
    for conversation in everything:
        for check in _CHECKS.get(conversation.service, ()):
            found += [_finding(conversation, hit) for hit in check(conversation)]
    found += [_finding(conversation, hit) for conversation, hit in connections.check_together(everything)]
    return sorted(found, key=lambda finding: finding.event)


def _finding(conversation: Conversation, hit: Hit) -> LintFinding:
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
