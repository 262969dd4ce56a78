"""``mailnet.lint()``: what the app did that a stricter server would mind, and the text of a test that fails for it.

The rules are those of :mod:`fakemail.lint.rules`; nothing is looked for before somebody asks.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from typing import TYPE_CHECKING

from fakemail.api.handles import Results
from fakemail.api.hosts import Host, name_of
from fakemail.api.portal import Portal
from fakemail.errors import DeclarationError, nearest

if TYPE_CHECKING:
    from fakemail.lint.finding import LintFinding

SEVERITIES = ("hint", "warning", "error")
"""The mildest first."""

# The loop takes one look at its sockets in each round: one to see that a client has hung up, one for a
# connection that it has not accepted yet, and one for what that has sent.
_ROUNDS = 4


def lint(
    portal: Portal,
    *,
    name: str | None,
    severity: str | None,
    host: str | Host | None,
    connection: int | None,
    allow: Iterable[str],
) -> Results[LintFinding]:
    """The findings of ``mailnet.lint()``."""
    from fakemail.lint import linting

    __tracebackhide__ = True
    allow = frozenset(allow)
    check_names([*allow, *([] if name is None else [name])])
    wanted = SEVERITIES if severity is None else at_least(severity)
    for _ in range(_ROUNDS):
        portal.call(lambda: None)
    where = None if host is None else name_of(host)
    every = linting.lint(portal.simulation.log.events(), machine_names=lambda: _machine_names(portal))
    found = [
        finding
        for finding in every
        if finding.name not in allow
        and finding.severity in wanted
        and name in (None, finding.name)
        and where in (None, finding.host)
        and connection in (None, finding.connection)
    ]
    return Results(found, question=f"the findings{'' if name is None else f' of {name}'}")


def _machine_names(portal: Portal) -> frozenset[str]:
    """Names of the machine where the app runs: this one, or a namespace."""
    names = [
        socket.gethostname(),
        socket.getfqdn(),
        *(each.name for each in portal.simulation.namespaces.opened),
    ]
    return frozenset(name.lower().removesuffix(".") for name in names)


def check_names(names: Iterable[str]) -> None:
    """Raise :class:`~fakemail.errors.DeclarationError` for a name that no rule has."""
    from fakemail.lint.rules import RULES

    __tracebackhide__ = True
    for name in names:
        if name not in RULES:
            raise DeclarationError(f"there is no lint rule {name!r}; {nearest(name, RULES)}")


def at_least(severity: str) -> tuple[str, ...]:
    """The severities that are that or worse."""
    __tracebackhide__ = True
    if severity not in SEVERITIES:
        raise DeclarationError(f"there is no severity {severity!r}; {nearest(severity, SEVERITIES)}")
    return SEVERITIES[SEVERITIES.index(severity) :]


def failure(found: Iterable[LintFinding]) -> str:
    """The text for a test that fails because of them, the same finding told once."""
    first: dict[tuple[str, str], LintFinding] = {}
    times: dict[tuple[str, str], int] = {}
    for finding in found:
        key = finding.name, finding.line
        first.setdefault(key, finding)
        times[key] = times.get(key, 0) + 1
    number = sum(times.values())
    head = f"a stricter server would mind {'this' if number == 1 else f'these {number} things'}:"
    parts = [
        f"{each}{f'{chr(10)}  times: {times[key]}' if times[key] > 1 else ''}" for key, each in first.items()
    ]
    names = ", ".join(f'"{name}"' for name in dict.fromkeys(name for name, _ in first))
    return "\n\n".join([head, *parts, f"To let it pass: @pytest.mark.mailnet(allow=[{names}])"])
