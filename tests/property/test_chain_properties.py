"""The chain: whatever the checks find, one verdict comes out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from fakemail.dns.lookup import LookupAnswer
from fakemail.model.policy import STATUSES, Disposition, DispositionMap, Policy, RateLimit
from fakemail.policy.chain import Check, evaluate, most_severe
from fakemail.policy.finding import AuthStatus, Finding
from fakemail.policy.rate_limiter import RateLimiter
from fakemail.policy.transaction_facts import TransactionFacts
from fakemail.smtp.replies import at_banner, reply_to
from fakemail.types.peer import Peer
from fakemail.types.reason import Reason
from fakemail.types.stage import Stage
from fakemail.types.verdict import VerdictAction

START = datetime(2030, 1, 1, tzinfo=UTC)
statuses = st.sampled_from(AuthStatus)
findings = st.builds(
    Finding,
    st.sampled_from(("a", "b")),
    statuses,
    st.text(max_size=20),
    st.none() | st.sampled_from(Reason),
    about=st.sampled_from(("", "x", "y")),
)
thens = st.dictionaries(st.sampled_from((*STATUSES, "x", "y")), st.sampled_from(Disposition), min_size=1).map(
    lambda table: DispositionMap(tuple(table.items()))
)


def facts() -> TransactionFacts:
    return TransactionFacts(
        "mx.test", Peer("192.0.2.1", 1, "app"), START, lambda _, __: LookupAnswer("NXDOMAIN", "NXDOMAIN")
    )


@given(st.lists(st.tuples(st.lists(findings, max_size=4), st.booleans(), st.booleans()), max_size=5), thens)
def test_any_findings_make_exactly_one_verdict(groups, then):
    links = [
        Check("spf", Stage.SMTP_END, lambda _, __, found=found: found, is_spared=spared, is_trusting=trusting)
        for found, spared, trusting in groups
    ]
    judgement = evaluate(links, Policy(spf=then), facts())
    verdict = judgement.verdict
    weights = [weighed.outcome.weight for weighed in judgement.disposed]
    assert judgement.outcome.weight == max(weights, default=0)
    assert (verdict.action is not VerdictAction.ACCEPT) is judgement.outcome.is_final
    assert all(not weighed.outcome.is_final for weighed in judgement.disposed[:-1])
    if judgement.outcome is not Disposition.ACCEPT:
        assert judgement.reason is not None
        assert judgement.decisive in [weighed.finding for weighed in judgement.disposed]
    if judgement.outcome.is_final:
        wanted = 4 if judgement.outcome is Disposition.DEFER else 5
        assert at_banner(verdict).code // 100 == wanted
        assert reply_to(verdict).code // 100 in (4, 5)
    assert most_severe([judgement]).outcome is judgement.outcome


@given(statuses, st.sampled_from(("", "x")), thens)
def test_a_pass_is_never_held_against_anybody(status, about, then):
    outcome = then.of(status, about)
    assert outcome in Disposition
    if status is AuthStatus.PASS:
        assert outcome is Disposition.ACCEPT


@given(st.integers(1, 5), st.lists(st.integers(0, 120), max_size=30))
def test_no_span_holds_more_than_its_rate(most, gaps):
    """Whenever anybody comes: of all spans of a minute none has more than are allowed."""
    throughput, rate, now = RateLimiter(), RateLimit(most, timedelta(minutes=1)), START
    passed = []
    for gap in gaps:
        now += timedelta(seconds=gap)
        if throughput.has_room("x", "y", rate, now=now):
            throughput.count("x", "y", (rate,), now=now)
            passed.append(now)
    for first in passed:
        assert sum(first <= each < first + rate.span for each in passed) <= most
    assert len(passed) >= min(most, len(gaps))
