"""The chain: whatever the checks find, one verdict comes out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from fakemail.dns.lookup import Answer
from fakemail.model.policy import STATUSES, Outcome, Policy, Rate, Then
from fakemail.policy.chain import Link, heaviest, judge
from fakemail.policy.facts import Facts
from fakemail.policy.finding import Finding, Status
from fakemail.policy.throughput import Throughput
from fakemail.smtp.replies import at_banner, reply_to
from fakemail.terms.peer import Peer
from fakemail.terms.reason import Reason
from fakemail.terms.stage import Stage
from fakemail.terms.verdict import Action

START = datetime(2030, 1, 1, tzinfo=UTC)
statuses = st.sampled_from(Status)
findings = st.builds(
    Finding,
    st.sampled_from(("a", "b")),
    statuses,
    st.text(max_size=20),
    st.none() | st.sampled_from(Reason),
    about=st.sampled_from(("", "x", "y")),
)
thens = st.dictionaries(st.sampled_from((*STATUSES, "x", "y")), st.sampled_from(Outcome), min_size=1).map(
    lambda table: Then(tuple(table.items()))
)


def facts() -> Facts:
    return Facts("mx.test", Peer("192.0.2.1", 1, "app"), START, lambda _, __: Answer("NXDOMAIN", "NXDOMAIN"))


@given(st.lists(st.tuples(st.lists(findings, max_size=4), st.booleans(), st.booleans()), max_size=5), thens)
def test_any_findings_make_exactly_one_verdict(groups, then):
    links = [
        Link("spf", Stage.SMTP_END, lambda _, __, found=found: found, is_spared=spared, is_trusting=trusting)
        for found, spared, trusting in groups
    ]
    judgement = judge(links, Policy(spf=then), facts())
    verdict = judgement.verdict
    weights = [weighed.outcome.weight for weighed in judgement.judged]
    assert judgement.outcome.weight == max(weights, default=0)
    assert (verdict.action is not Action.ACCEPT) is judgement.outcome.is_final
    assert all(not weighed.outcome.is_final for weighed in judgement.judged[:-1])
    if judgement.outcome is not Outcome.ACCEPT:
        assert judgement.reason is not None
        assert judgement.decisive in [weighed.finding for weighed in judgement.judged]
    if judgement.outcome.is_final:
        wanted = 4 if judgement.outcome is Outcome.DEFER else 5
        assert at_banner(verdict).code // 100 == wanted
        assert reply_to(verdict).code // 100 in (4, 5)
    assert heaviest([judgement]).outcome is judgement.outcome


@given(statuses, st.sampled_from(("", "x")), thens)
def test_a_pass_is_never_held_against_anybody(status, about, then):
    outcome = then.of(status, about)
    assert outcome in Outcome
    if status is Status.PASS:
        assert outcome is Outcome.ACCEPT


@given(st.integers(1, 5), st.lists(st.integers(0, 120), max_size=30))
def test_no_span_holds_more_than_its_rate(most, gaps):
    """Whenever anybody comes: of all spans of a minute none has more than are allowed."""
    throughput, rate, now = Throughput(), Rate(most, timedelta(minutes=1)), START
    passed = []
    for gap in gaps:
        now += timedelta(seconds=gap)
        if throughput.has_room("x", "y", rate, now=now):
            throughput.count("x", "y", (rate,), now=now)
            passed.append(now)
    for first in passed:
        assert sum(first <= each < first + rate.span for each in passed) <= most
    assert len(passed) >= min(most, len(gaps))
