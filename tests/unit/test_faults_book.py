"""The book of faults: whom a rule concerns, when it strikes, what it counts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from fakemail.faults.actions.connections import Drop, RefuseConnections
from fakemail.faults.actions.smtp import GiveReply
from fakemail.faults.facts import Facts, Where
from fakemail.faults.register import Register
from fakemail.faults.rule import Rule, Scope
from fakemail.faults.when import When
from fakemail.terms.address import NULL_PATH, Address
from fakemail.terms.peer import Peer
from fakemail.terms.reply import Reply
from fakemail.terms.stage import Stage

NO = GiveReply(Reply(550, "5.7.1"))
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
    assert Where(recipient=pattern).fits(Facts(recipients=(BOB,))) is fits
    assert Where(sender=pattern).fits(Facts(sender=BOB)) is fits


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
    assert Where(subject=pattern).fits(Facts(subject=subject)) is fits


def test_a_domain_may_be_a_pattern():
    assert Where(recipient="@*.org").fits(Facts(recipients=(BOB,)))
    assert not Where(recipient="@*.net").fits(Facts(recipients=(BOB,)))


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
    assert Where(message=wanted).fits(Facts(message=asked)) is fits


def test_the_null_sender_can_be_meant():
    assert Where(sender="<>").fits(Facts(sender=NULL_PATH))
    assert not Where(sender="*@*").fits(Facts(sender=NULL_PATH))


START = datetime(2026, 1, 5, 8, tzinfo=UTC)


def test_each_of_the_recipients_is_struck_once():
    ann, bob, eve = (Address(name, "example.org") for name in ("ann", "bob", "eve"))
    moments = [(ann, bob), (bob, ann), (ann,), (ann, eve), (eve,)]
    rule = Rule(Stage.SMTP_END, NO, when=When(once_per="recipient"))
    assert struck_of(rule, range(5), lambda number: Facts(recipients=moments[number])) == [0, 3]


def register(now=START, **options):
    return Register(now=lambda: now, **options)


def struck_of(rule, moments=range(1, 8), facts=lambda _: Facts()):
    """The numbers of the moments, from 1, at which it struck."""
    made = register(seed=7)
    made.add(rule)
    book = made.book("mx1.example.org")
    return [number for number in moments if book.decide(rule.stage, facts(number)) is not None]


@pytest.mark.parametrize(
    ("when", "struck"),
    [
        (When(), [1, 2, 3, 4, 5, 6, 7]),
        (When(times=2), [1, 2]),
        (When(skip=1), [2, 3, 4, 5, 6, 7]),
        (When(skip=2, times=1), [3]),
        (When(every=3), [3, 6]),
        (When(skip=1, every=2), [3, 5, 7]),
        (When(every=2, times=2), [2, 4]),
        (When(once_per="connection"), [1, 2, 5]),
    ],
)
def test_when_it_strikes(when, struck):
    connections = (0, 1, 2, 1, 1, 3, 2, 3)
    assert (
        struck_of(Rule(Stage.SMTP_RCPT, NO, when=when), facts=lambda n: Facts(connection=connections[n]))
        == struck
    )


def test_probability_obeys_the_seed_and_each_rule_has_its_own_chance():
    when = When(probability=0.5)
    alone = struck_of(Rule(Stage.SMTP_RCPT, NO, when=when), range(1, 101))
    assert 30 < len(alone) < 70
    assert struck_of(Rule(Stage.SMTP_RCPT, NO, when=when), range(1, 101)) == alone
    made = register(seed=7)
    first = made.add(Rule(Stage.SMTP_RCPT, NO, when=when))
    other = made.add(Rule(Stage.SMTP_MAIL, NO, when=when))
    book = made.book("mx1.example.org")
    struck = []
    for number in range(1, 101):
        struck += [number] if book.decide(first.stage, Facts()) else []
        book.decide(other.stage, Facts())
    assert struck == alone


def test_the_first_rule_that_strikes_decides_and_all_is_counted():
    made = register()
    book = made.book("mx1.example.org")
    assert not book
    first = made.add(Rule(Stage.SMTP_RCPT, NO, Where(recipient="bob@example.org"), When(times=1)))
    second = made.add(Rule(Stage.SMTP_RCPT, Drop()))
    decided = [book.decide(Stage.SMTP_RCPT, Facts(recipients=(BOB,))) for _ in range(3)]
    assert decided == [NO, Drop(), Drop()]
    assert (first.occasions, first.fired, second.occasions, second.fired) == (1, 1, 2, 2)
    assert book.decide(Stage.SMTP_MAIL, Facts()) is None
    assert made.added == [first, second]
    assert made.rules() == [second]
    made.lift(first)
    made.lift(second)
    made.lift(second)
    assert not book
    assert str(first) == "smtp.rcpt, recipient bob@example.org, once at most: 550 5.7.1 (fired once)"


def test_a_rule_that_is_used_up_is_in_force_no_more():
    made = register()
    book = made.book("mx1.example.org")
    made.add(Rule(Stage.SMTP_RCPT, NO, when=When(times=2)))
    assert book.decide(Stage.SMTP_RCPT, Facts()) == NO
    assert book
    assert book.decide(Stage.SMTP_RCPT, Facts()) == NO
    assert not book


def test_whose_fault_it_is():
    made = register(hosts_of=lambda domain, stage: ("mx1.example.org",) if domain == "example.org" else ())
    mx, other = made.book("mx1.example.org"), made.book("mail.shop.test")
    everywhere = made.add(Rule(Stage.SMTP_RCPT, NO))
    of_domain = made.add(Rule(Stage.SMTP_RCPT, NO, scope=Scope(domain="example.org")))
    of_host = made.add(Rule(Stage.SMTP_RCPT, NO, scope=Scope(host="mail.shop.test")))
    assert mx.in_force[Stage.SMTP_RCPT] == [everywhere, of_domain]
    assert other.in_force[Stage.SMTP_RCPT] == [everywhere, of_host]
    assert made.rules(Scope(domain="example.org")) == [of_domain]


def test_between_two_times():
    time = [START]
    made = Register(now=lambda: time[0])
    book = made.book("mx1.example.org")
    when = When(since=START + timedelta(minutes=5), until=START + timedelta(minutes=9))
    rule = made.add(Rule(Stage.SMTP_RCPT, NO, when=when))
    seen = []
    while (due := made.next_change()) is not None:
        seen.append((bool(book), made.rules() == [rule]))
        time[0] = due
        made.refresh()
    assert [*seen, (bool(book), made.rules())] == [(False, True), (True, True), (False, [])]


def test_what_came_closest():
    made = register()
    book = made.book("mx1.example.org")
    rule = made.add(Rule(Stage.SMTP_RCPT, NO, Where(client="app", recipient="ann@example.org")))
    book.decide(Stage.SMTP_RCPT, Facts(client=Peer("203.0.113.5", 25, "app"), recipients=(BOB,)))
    book.decide(Stage.SMTP_RCPT, Facts(client=Peer("192.0.2.5", 25, "mx.shop.test"), recipients=(BOB,)))
    assert (rule.reached, rule.occasions, rule.closest) == (2, 0, "recipient was Bob@example.org")


def test_refusing_connections():
    made = register()
    book = made.book("mx1.example.org")
    rule = made.add(Rule(Stage.CONNECT, RefuseConnections()))
    assert book.refuses("smtp")
    assert not book.hangs("smtp")
    made.lift(rule)
    assert not book.refuses("smtp")
    made.add(Rule(Stage.CONNECT, RefuseConnections(), Where(service="submission*")))
    assert book.refuses("submissions")
    assert not book.refuses("smtp")
