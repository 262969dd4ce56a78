"""Finding of a rule: where it was, and what to do."""

from __future__ import annotations

from typing import NamedTuple

from fakemail.events.kinds import Event
from fakemail.events.text_layout import shown
from fakemail.lint.rules import LintRule
from fakemail.types.dataclass import dataclass


class RuleViolation(NamedTuple):
    """A rule that was broken, and the event at which it shows."""

    rule: str
    event: Event
    line: str
    recipients: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class LintFinding:
    """Something that the app did and a stricter server would mind. Print it to read it."""

    name: str
    """The name of the rule, such as ``no_quit``."""
    severity: str
    """``error``, ``warning`` or ``hint``."""
    host: str
    """The host that the app was connected to."""
    service: str
    """``smtp``, ``submission``, ``imaps``..."""
    connection: int
    line: str
    """Bytes that the app sent, secrets masked, or the part of the message; empty where nothing shows it."""
    recipients: tuple[str, ...]
    """The recipients of the message, for ``mailnet.journey(to=...)``; empty where there was none."""
    message: str
    """The queue id of the message, empty where no host took one."""
    event: int
    """The number of the event at which it shows."""
    what: str
    why: str
    fix: str
    """Remedy."""
    is_machines: bool = False
    """Whether the machine is at fault, whose own name the app took: a hint then, for which no test fails."""

    def __str__(self) -> str:
        where = f"connection {self.connection} to {self.host} ({self.service})"
        if self.recipients:
            more = f" and {len(self.recipients) - 3} more" if len(self.recipients) > 3 else ""
            where += f", message to {', '.join(self.recipients[:3])}{more}"
        lines = [f"{self.name} ({self.severity}): the app {self.what}", f"  where: {shown(where)}"]
        if self.line:
            lines.append(f"  line:  {shown(self.line, limit=100)}")
        return "\n".join([*lines, f"  why:   {self.why}", f"  fix:   {self.fix}"])

    def __repr__(self) -> str:
        return f"<LintFinding {self.name} on connection {self.connection}>"


def explain(rule: LintRule) -> str:
    """Why a server would mind, with the source."""
    return f"{rule.why} ({rule.source})"
