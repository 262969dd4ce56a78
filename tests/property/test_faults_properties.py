"""Any rules and any facts: deciding never fails, the counts add up, and the same seed gives the same."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from fakemail import Stage, faults
from fakemail.faults.context import FaultContext, Match
from fakemail.faults.registry import FaultRegistry
from fakemail.faults.rule import PER, FaultRule, FaultScope, Schedule
from fakemail.types.address import NULL_PATH, Address
from fakemail.types.peer import Peer

START = datetime(2026, 1, 5, 8, tzinfo=UTC)
STAGES = st.sampled_from([Stage.SMTP_MAIL, Stage.SMTP_RCPT, Stage.SMTP_END])
PATHS = st.sampled_from([NULL_PATH, Address("ann", "shop.test"), Address("Bob", "example.org")])
PATTERNS = (
    st.none() | st.sampled_from(["<>", "@example.org", "bob@example.org", "*", "b*", "[", "@"]) | st.text()
)
TIMES = st.none() | st.integers(-2, 9).map(lambda minutes: START + timedelta(minutes=minutes))
WHERE = st.builds(
    Match,
    client=PATTERNS,
    sender=PATTERNS,
    recipient=PATTERNS,
    argument=PATTERNS,
    connection=st.none() | st.integers(1, 3),
    after=st.none() | st.integers(1, 9),
)
WHEN = st.builds(
    Schedule,
    skip=st.integers(0, 3),
    every=st.integers(1, 3),
    times=st.none() | st.integers(1, 4),
    probability=st.sampled_from([1.0, 0.5, 0.01]),
    once_per=st.none() | st.sampled_from(sorted(PER)),
    since=TIMES,
    until=TIMES,
)
SCOPES = st.sampled_from(
    [FaultScope(), FaultScope(host="mx"), FaultScope(host="other"), FaultScope(domain="example.org")]
)
SPECS = st.lists(st.tuples(STAGES, WHERE, WHEN, SCOPES), max_size=5)
FACTS = st.builds(
    FaultContext,
    client=st.none() | st.sampled_from([Peer("203.0.113.5", 1, "app"), Peer("192.0.2.1", 2, "mx.shop.test")]),
    connection=st.integers(0, 3),
    sender=st.none() | PATHS,
    recipients=st.lists(PATHS, max_size=3).map(tuple),
    argument=st.text(max_size=5),
    octets=st.integers(0, 10),
)
MOMENTS = st.lists(st.tuples(STAGES, FACTS, st.booleans()), max_size=25)


def play(specs, moments, seed):
    """What was decided, and the rules in the end."""
    time = [START]
    told = []
    register = FaultRegistry(
        now=lambda: time[0],
        seed=seed,
        hosts_of=lambda domain, _: {"example.org": ("mx",)}.get(domain, ()),
        on_fired=lambda host, rule, facts: told.append((host, rule.title)),
    )
    host_faults = register.at_host("mx")
    rules = [
        register.add(FaultRule(stage, faults.drop(), where, when, scope))
        for stage, where, when, scope in specs
    ]
    decided = []
    for stage, facts, passes in moments:
        if passes:
            time[0] += timedelta(minutes=1)
            register.refresh()
        decided.append(host_faults.decide(stage, facts) is not None)
    return decided, rules, told, host_faults, time[0]


@given(SPECS, MOMENTS, st.integers(0, 5))
def test_the_counts_add_up(specs, moments, seed):
    decided, rules, told, host_faults, now = play(specs, moments, seed)
    assert sum(decided) == sum(rule.fired for rule in rules) == len(told)
    for rule in rules:
        assert 0 <= rule.fired <= rule.occasions <= rule.evaluated <= len(moments)
        assert rule.when.times is None or rule.fired <= rule.when.times
        if rule.scope == FaultScope(host="other"):
            assert rule.evaluated == 0
    for rules_of_stage in host_faults.active.values():
        assert all(rule.is_active(now) for rule in rules_of_stage)


@given(SPECS, MOMENTS)
def test_rules_found_by_their_recipient_are_those_that_asking_each_would_find(specs, moments):
    specs = [
        (stage, where, replace(when, since=None, until=None), scope) for stage, where, when, scope in specs
    ]
    moments = [(stage, facts, False) for stage, facts, _ in moments]
    decided, rules, *_ = play(specs, moments, 3)
    again = FaultRegistry(now=lambda: START, seed=3)
    asked = [again.add(FaultRule(stage, faults.drop(), *others)) for stage, *others in specs]
    here = [rule for rule in asked if rule.scope != FaultScope(host="other")]
    fired = []
    for stage, facts, _ in moments:
        fired.append(False)
        for rule in here:
            if rule.stage is stage and not rule.is_used_up:
                rule.asked += 1
                if rule.fires(facts):
                    fired[-1] = True
                    break
    assert decided == fired
    counts = [[(each.evaluated, each.occasions, each.fired) for each in some] for some in (rules, asked)]
    assert counts[0] == counts[1]
    missed = [[each.closest for each in some if not each.occasions] for some in (rules, asked)]
    assert missed[0] == missed[1]


@given(SPECS, MOMENTS, st.integers(0, 5))
def test_the_same_seed_gives_the_same(specs, moments, seed):
    first, second = play(specs, moments, seed), play(specs, moments, seed)
    assert first[0] == second[0]
    assert first[2] == second[2]
    assert [str(rule) for rule in first[1]] == [str(rule) for rule in second[1]]
