"""The faults of a host: whom a rule concerns, when it fires, what it counts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from fakemail import faults
from fakemail.faults.context import FaultContext, Match
from fakemail.faults.registry import FaultRegistry
from fakemail.faults.rule import FaultRule, FaultScope, Schedule
from fakemail.types.address import NULL_PATH, Address
from fakemail.types.peer import Peer
from fakemail.types.reply import Reply
from fakemail.types.stage import Stage

NO = faults.reply(Reply(550, "5.7.1"))
BOB = Address("Bob", "example.org")


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [
        (None, True),
        ("bob@example.org", True),
        ("BOB@EXAMPLE.ORG", True),
        ("@example.org", True),
        ("b*@example.org", True),
        ("*@*.org", True),
        ("ann@example.org", False),
        ("@ample.org", False),
        ("b*", True),
    ],
)
def test_whom_a_pattern_means(pattern, fits):
    assert Match(recipient=pattern).fits(FaultContext(recipients=(BOB,))) is fits
    assert Match(sender=pattern).fits(FaultContext(sender=BOB)) is fits


@pytest.mark.parametrize(
    ("pattern", "subject", "fits"),
    [
        ("[Ticket 1]*", "[Ticket 1] Hello", True),
        ("[Ticket 1]*", "T Hello", False),
        ("What?", "what?", True),
        ("What?", "Whatx", False),
        ("(a|b).*", "(A|B).c", True),
        ("@home*", "Somebody @home", False),
    ],
)
def test_nothing_but_a_star_is_special_in_a_pattern(pattern, subject, fits):
    assert Match(subject=pattern).fits(FaultContext(subject=subject)) is fits


def test_a_domain_may_be_a_pattern():
    assert Match(recipient="@*.org").fits(FaultContext(recipients=(BOB,)))
    assert not Match(recipient="@*.net").fits(FaultContext(recipients=(BOB,)))


@pytest.mark.parametrize(
    ("wanted", "asked", "fits"),
    [
        ("2", "2", True),
        ("2", "1:3", True),
        ("2", "3:1", True),
        ("2", "1,3:5", False),
        ("4", "1,3:5", True),
        ("2", "12", False),
        ("5", "2:*", True),
        ("5", "*:2", True),
        ("1", "2:*", False),
        ("1", "*", False),
        ("1", "$", False),
        ("1", "", False),
        ("*", "1:3", True),
    ],
)
def test_a_message_is_met_in_a_set(wanted, asked, fits):
    assert Match(message=wanted).fits(FaultContext(message=asked)) is fits


def test_the_null_sender_can_be_meant():
    assert Match(sender="<>").fits(FaultContext(sender=NULL_PATH))
    assert not Match(sender="*@*").fits(FaultContext(sender=NULL_PATH))


START = datetime(2026, 1, 5, 8, tzinfo=UTC)


def test_each_of_the_recipients_fires_once():
    ann, bob, eve = (Address(name, "example.org") for name in ("ann", "bob", "eve"))
    moments = [(ann, bob), (bob, ann), (ann,), (ann, eve), (eve,)]
    rule = FaultRule(Stage.SMTP_END, NO, when=Schedule(once_per="recipient"))
    assert fired_at(rule, range(5), lambda number: FaultContext(recipients=moments[number])) == [0, 3]


def register(now=START, **options):
    return FaultRegistry(now=lambda: now, **options)


def fired_at(rule, moments=range(1, 8), facts=lambda _: FaultContext()):
    """The numbers of the moments, from 1, at which it fired."""
    made = register(seed=7)
    made.add(rule)
    host_faults = made.at_host("mx1.example.org")
    return [number for number in moments if host_faults.decide(rule.stage, facts(number)) is not None]


@pytest.mark.parametrize(
    ("when", "fired"),
    [
        (Schedule(), [1, 2, 3, 4, 5, 6, 7]),
        (Schedule(times=2), [1, 2]),
        (Schedule(skip=1), [2, 3, 4, 5, 6, 7]),
        (Schedule(skip=2, times=1), [3]),
        (Schedule(every=3), [3, 6]),
        (Schedule(skip=1, every=2), [3, 5, 7]),
        (Schedule(every=2, times=2), [2, 4]),
        (Schedule(once_per="connection"), [1, 2, 5]),
    ],
)
def test_when_it_fires(when, fired):
    connections = (0, 1, 2, 1, 1, 3, 2, 3)
    assert (
        fired_at(
            FaultRule(Stage.SMTP_RCPT, NO, when=when), facts=lambda n: FaultContext(connection=connections[n])
        )
        == fired
    )


def test_probability_obeys_the_seed_and_each_rule_has_its_own_chance():
    when = Schedule(probability=0.5)
    alone = fired_at(FaultRule(Stage.SMTP_RCPT, NO, when=when), range(1, 101))
    assert 30 < len(alone) < 70
    assert fired_at(FaultRule(Stage.SMTP_RCPT, NO, when=when), range(1, 101)) == alone
    made = register(seed=7)
    first = made.add(FaultRule(Stage.SMTP_RCPT, NO, when=when))
    other = made.add(FaultRule(Stage.SMTP_MAIL, NO, when=when))
    host_faults = made.at_host("mx1.example.org")
    fired = []
    for number in range(1, 101):
        fired += [number] if host_faults.decide(first.stage, FaultContext()) else []
        host_faults.decide(other.stage, FaultContext())
    assert fired == alone


def test_the_first_rule_that_fires_decides_and_all_is_counted():
    made = register()
    host_faults = made.at_host("mx1.example.org")
    assert not host_faults
    first = made.add(FaultRule(Stage.SMTP_RCPT, NO, Match(recipient="bob@example.org"), Schedule(times=1)))
    second = made.add(FaultRule(Stage.SMTP_RCPT, faults.drop()))
    decided = [host_faults.decide(Stage.SMTP_RCPT, FaultContext(recipients=(BOB,))) for _ in range(3)]
    assert decided == [NO, faults.drop(), faults.drop()]
    assert (first.occasions, first.fired, second.occasions, second.fired) == (1, 1, 2, 2)
    assert host_faults.decide(Stage.SMTP_MAIL, FaultContext()) is None
    assert made.added == [first, second]
    assert made.rules() == [second]
    made.remove(first)
    made.remove(second)
    made.remove(second)
    assert not host_faults
    assert str(first) == "smtp.rcpt, recipient bob@example.org, once at most: 550 5.7.1 (fired once)"


def test_a_rule_that_is_used_up_is_not_active_any_more():
    made = register()
    host_faults = made.at_host("mx1.example.org")
    made.add(FaultRule(Stage.SMTP_RCPT, NO, when=Schedule(times=2)))
    assert host_faults.decide(Stage.SMTP_RCPT, FaultContext()) == NO
    assert host_faults
    assert host_faults.decide(Stage.SMTP_RCPT, FaultContext()) == NO
    assert not host_faults


def test_whose_fault_it_is():
    made = register(hosts_of=lambda domain, stage: ("mx1.example.org",) if domain == "example.org" else ())
    mx, other = made.at_host("mx1.example.org"), made.at_host("mail.shop.test")
    everywhere = made.add(FaultRule(Stage.SMTP_RCPT, NO))
    of_domain = made.add(FaultRule(Stage.SMTP_RCPT, NO, scope=FaultScope(domain="example.org")))
    of_host = made.add(FaultRule(Stage.SMTP_RCPT, NO, scope=FaultScope(host="mail.shop.test")))
    assert mx.active[Stage.SMTP_RCPT] == [everywhere, of_domain]
    assert other.active[Stage.SMTP_RCPT] == [everywhere, of_host]
    assert made.rules(FaultScope(domain="example.org")) == [of_domain]


def test_between_two_times():
    time = [START]
    made = FaultRegistry(now=lambda: time[0])
    host_faults = made.at_host("mx1.example.org")
    when = Schedule(since=START + timedelta(minutes=5), until=START + timedelta(minutes=9))
    rule = made.add(FaultRule(Stage.SMTP_RCPT, NO, when=when))
    seen = []
    while (due := made.next_change()) is not None:
        seen.append((bool(host_faults), made.rules() == [rule]))
        time[0] = due
        made.refresh()
    assert [*seen, (bool(host_faults), made.rules())] == [(False, True), (True, True), (False, [])]


def test_what_came_closest():
    made = register()
    host_faults = made.at_host("mx1.example.org")
    rule = made.add(FaultRule(Stage.SMTP_RCPT, NO, Match(client="app", recipient="ann@example.org")))
    host_faults.decide(
        Stage.SMTP_RCPT, FaultContext(client=Peer("203.0.113.5", 25, "app"), recipients=(BOB,))
    )
    host_faults.decide(
        Stage.SMTP_RCPT, FaultContext(client=Peer("192.0.2.5", 25, "mx.shop.test"), recipients=(BOB,))
    )
    assert (rule.evaluated, rule.occasions, rule.closest) == (2, 0, "recipient was Bob@example.org")


def test_a_rule_about_another_recipient_is_counted_and_not_asked():
    made = register()
    host_faults = made.at_host("mx1.example.org")
    rules = [
        made.add(FaultRule(Stage.SMTP_RCPT, NO, Match(recipient=f"user{number}@example.org")))
        for number in range(9)
    ]
    everybody = made.add(FaultRule(Stage.SMTP_RCPT, faults.drop(), when=Schedule(every=2)))
    decided = [host_faults.decide(Stage.SMTP_RCPT, FaultContext(recipients=(BOB,))) for _ in range(4)]
    assert decided == [None, faults.drop(), None, faults.drop()]
    assert [rule.asked for rule in rules] == [1] * 9
    assert (
        host_faults.decide(Stage.SMTP_RCPT, FaultContext(recipients=(Address("USER5", "example.org"),))) == NO
    )
    # The rules behind the one that decided were not reached.
    assert [rule.evaluated for rule in rules] == [5] * 6 + [4] * 3
    assert (rules[5].fired, everybody.evaluated) == (1, 4)
    assert {rule.closest for rule in rules} == {"recipient was Bob@example.org"}
    made.remove(rules[0])
    host_faults.decide(Stage.SMTP_RCPT, FaultContext(recipients=(BOB,)))
    assert [rule.evaluated for rule in rules] == [5] + [6] * 5 + [5] * 3


def test_refusing_connections():
    made = register()
    host_faults = made.at_host("mx1.example.org")
    rule = made.add(FaultRule(Stage.CONNECT, faults.refuse_connections()))
    assert host_faults.refuses("smtp")
    assert not host_faults.hangs("smtp")
    made.remove(rule)
    assert not host_faults.refuses("smtp")
    made.add(FaultRule(Stage.CONNECT, faults.refuse_connections(), Match(service="submission*")))
    assert host_faults.refuses("submissions")
    assert not host_faults.refuses("smtp")
