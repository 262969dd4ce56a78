"""The book of faults: whom a rule concerns, when it strikes, what it counts."""

from __future__ import annotations

import pytest

from fakemail.faults.book import Book
from fakemail.faults.rule import Drop, Facts, GiveReply, RefuseConnections, Rule, When, Where
from fakemail.terms.address import NULL_PATH, Address
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
    assert Where(recipient=pattern).fits(Facts(recipient=BOB)) is fits
    assert Where(sender=pattern).fits(Facts(sender=BOB)) is fits


def test_the_null_sender_can_be_meant():
    assert Where(sender="<>").fits(Facts(sender=NULL_PATH))
    assert not Where(sender="*@*").fits(Facts(sender=NULL_PATH))


@pytest.mark.parametrize(
    ("when", "struck"),
    [
        (When(), [1, 2, 3, 4, 5]),
        (When(times=2), [1, 2]),
        (When(skip=1), [2, 3, 4, 5]),
        (When(skip=2, times=1), [3]),
        (When(times=0), []),
    ],
)
def test_when_it_strikes(when, struck):
    assert [occasion for occasion in range(1, 6) if when.strikes(occasion)] == struck


def test_the_first_rule_that_strikes_decides_and_all_is_counted():
    book = Book()
    assert not book
    first = book.add(Rule(Stage.SMTP_RCPT, NO, Where(recipient="bob@example.org"), When(times=1)))
    second = book.add(Rule(Stage.SMTP_RCPT, Drop()))
    decided = [book.decide(Stage.SMTP_RCPT, Facts(recipient=BOB)) for _ in range(3)]
    assert decided == [NO, Drop(), Drop()]
    assert (first.occasions, first.fired, second.occasions, second.fired) == (3, 1, 2, 2)
    assert book.decide(Stage.SMTP_MAIL, Facts()) is None
    assert book.rules() == [first, second]
    book.lift(first)
    book.lift(first)
    book.lift(second)
    assert not book
    assert str(first) == "smtp.rcpt, recipient bob@example.org: 550 5.7.1 (fired 1 times)"


def test_refusing_connections():
    book = Book()
    rule = book.add(Rule(Stage.CONNECT, RefuseConnections()))
    assert book.refuses_connections
    book.lift(rule)
    assert not book.refuses_connections
