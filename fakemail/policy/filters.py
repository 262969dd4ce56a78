"""Checks at the end of data: real scanners, content, and the score of spam.

What they need is imported when the first message comes to them, since few worlds have any.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from fakemail.model.content_rules import CHECK_GROUPS, CHECK_NAMES
from fakemail.model.policy import Disposition, DispositionMap, Policy
from fakemail.policy.chain import Check
from fakemail.policy.finding import AuthStatus, Finding
from fakemail.policy.transaction_facts import TransactionFacts
from fakemail.types.reason import Reason
from fakemail.types.stage import Stage

_SHOWN: Final = 6
_GROUP_OF: Final = {name: group for group, names in CHECK_GROUPS.items() for name in names}


def _scan(facts: TransactionFacts, policy: Policy) -> Iterator[Finding]:
    asked = {scanner.name for scanner in policy.scanners}
    yield from (each.finding for each in facts.scans if each.scanner in asked)


def _weigh_scan(policy: Policy, finding: Finding) -> Disposition:
    return Disposition.ACCEPT if policy.scan is None else policy.scan.of(finding.status, finding.about)


def _content(facts: TransactionFacts, policy: Policy) -> Iterator[Finding]:
    from fakemail.policy.content.checks import find

    then = policy.content
    if then is None:
        return
    names = tuple(name for name in CHECK_NAMES if _key(name, then))
    for finding in find(facts, policy.content_rules, names):
        if finding.status is not AuthStatus.PASS:
            yield finding


def _weigh_content(policy: Policy, finding: Finding) -> Disposition:
    then = policy.content
    return Disposition.ACCEPT if then is None else dict(then.pairs)[_key(finding.check, then)]


def _key(name: str, then: DispositionMap) -> str:
    """Word of a policy for a check: by its name, by its group, or for all; empty where it has none."""
    said = dict(then.pairs)
    return next((key for key in (name, _GROUP_OF[name], "fail") if key in said), "")


def _spam(facts: TransactionFacts, policy: Policy) -> Iterator[Finding]:
    from fakemail.policy.content.checks import find, score

    thresholds = policy.spam
    if thresholds is None:
        return
    limits = (thresholds.tag, thresholds.quarantine, thresholds.refuse)
    required = next((limit for limit in limits if limit is not None), 5.0)
    found = [each for each in find(facts, policy.content_rules) if each.score]
    result = score(found, required=required)
    step = thresholds.step(result.points)
    yield Finding(
        "spam",
        AuthStatus.FAIL if step else AuthStatus.PASS,
        _summary(result.points, found),
        Reason.SPAM if step else None,
        result.points,
        about=step,
        fields=result.fields(),
    )


def _summary(points: float, found: list[Finding]) -> str:
    most_severe = sorted(found, key=lambda each: -each.score)
    named = [f"{each.check} {each.score:g}" for each in most_severe[:_SHOWN]]
    more = [f"{len(found) - _SHOWN} more"] if len(found) > _SHOWN else []
    return f"{points:g} points" + (f" ({', '.join(named + more)})" if named else "")


def _weigh_spam(_: Policy, finding: Finding) -> Disposition:
    return Disposition(finding.about) if finding.about else Disposition.ACCEPT


CHECKS: Final = (
    Check("scanners", Stage.SMTP_END, _scan, weigh=_weigh_scan),
    Check("content", Stage.SMTP_END, _content, weigh=_weigh_content),
    Check("spam", Stage.SMTP_END, _spam, weigh=_weigh_spam),
)
