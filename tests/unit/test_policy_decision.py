"""Of several findings that weigh the same the first decides: its sentence and its reason are what the client hears."""

from __future__ import annotations

import pytest

from fakemail.model.policy import Disposition
from fakemail.policy.chain import DisposedFinding, PolicyDecision, most_severe, of
from fakemail.policy.finding import AuthStatus, Finding


def finding(check: str) -> Finding:
    return Finding(check, AuthStatus.FAIL, sentence=f"{check} said so")


@pytest.mark.parametrize("outcome", [each for each in Disposition if each is not Disposition.ACCEPT])
def test_the_first_of_equally_severe_findings_decides(outcome: Disposition) -> None:
    first, second = finding("first"), finding("second")
    light = DisposedFinding(finding("light"), Disposition.ACCEPT)
    decision = of([light, DisposedFinding(first, outcome), DisposedFinding(second, outcome)])
    assert (decision.outcome, decision.decisive) == (outcome, first)


def test_the_first_of_equally_severe_decisions_counts() -> None:
    decisions = [PolicyDecision(Disposition.TAG, finding(name)) for name in ("first", "second")]
    assert most_severe(decisions) is decisions[0]


def test_the_most_severe_finding_decides_wherever_it_stands() -> None:
    mild, severe = finding("mild"), finding("severe")
    for found in (
        [(mild, Disposition.TAG), (severe, Disposition.REFUSE)],
        [(severe, Disposition.REFUSE), (mild, Disposition.TAG)],
    ):
        assert of([DisposedFinding(*each) for each in found]).decisive is severe
