"""The retry table: every row, and the habits of the default schedule."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest

from fakemail.mta.outbound.retry_schedule import TABLE, AttemptResult, NextStep, RetrySchedule, attempt_result
from fakemail.types.duration import days, hours, minutes
from fakemail.types.reason import Reason
from fakemail.types.reply import Reply
from fakemail.types.stage import Stage


def test_the_table_has_a_row_for_everything():
    assert set(TABLE) == {(tried, old) for tried in AttemptResult for old in (False, True)}


@pytest.mark.parametrize(
    ("reply", "reason", "tried"),
    [
        (Reply(250, "2.0.0"), None, AttemptResult.TAKEN),
        (Reply(354, None), Reason.PROTOCOL_ERROR, AttemptResult.NOT_NOW),  # it does not fit
        (Reply(250, "2.0.0"), Reason.PROTOCOL_ERROR, AttemptResult.NOT_NOW),
        (Reply(451, "4.7.1"), None, AttemptResult.NOT_NOW),
        (Reply(550, "5.1.1"), Reason.NO_SUCH_USER, AttemptResult.NEVER),
        (None, Reason.NO_SUCH_DOMAIN, AttemptResult.NEVER),
        (None, Reason.NULL_MX, AttemptResult.NEVER),
        (None, Reason.DNS_TEMPORARY, AttemptResult.NOT_NOW),
        (None, Reason.CONNECTION_REFUSED, AttemptResult.NOT_NOW),
        (None, Reason.CONNECTION_LOST, AttemptResult.NOT_NOW),
    ],
)
def test_how_an_attempt_is_judged(reply, reason, tried):
    assert attempt_result(reply, reason) is tried


@pytest.mark.parametrize(
    ("enhanced", "tried"),
    [
        (None, AttemptResult.NOT_NOW),
        ("5.0.0", AttemptResult.NOT_NOW),
        ("5.3.0", AttemptResult.NOT_NOW),
        ("5.5.3", AttemptResult.NOT_NOW),
        ("5.2.2", AttemptResult.NEVER),  # the mailbox is full
        ("5.2.3", AttemptResult.NEVER),  # the message is too long for it
        ("5.3.4", AttemptResult.NEVER),  # the message is too big
        ("5.7.1", AttemptResult.NEVER),
    ],
)
def test_552_to_rcpt_means_too_many_recipients_unless_it_says_otherwise(enhanced, tried):
    """RFC 5321 §4.5.3.1.10."""
    assert attempt_result(Reply(552, enhanced), None, at=Stage.SMTP_RCPT) is tried
    assert attempt_result(Reply(552, enhanced), None, at=Stage.SMTP_END) is AttemptResult.NEVER
    assert attempt_result(Reply(550, enhanced), None, at=Stage.SMTP_RCPT) is AttemptResult.NEVER


def test_retries_come_ever_later_and_the_last_one_at_the_very_end():
    """RFC 5321 §4.5.4.1."""
    schedule = RetrySchedule()
    age, attempts, ages = timedelta(), 0, []
    while True:
        attempts += 1
        step, gap = schedule.decide(AttemptResult.NOT_NOW, age=age, attempts=attempts)
        if step is not NextStep.RETRY:
            break
        age += gap
        ages.append(age)
    assert step is NextStep.EXPIRE
    assert ages[:4] == [minutes(5), minutes(15), minutes(35), minutes(75)]
    assert ages[-1] == days(5)
    assert all(gap <= hours(4) for gap in (b - a for a, b in pairwise(ages)))


def test_a_final_no_is_returned_at_any_age():
    assert RetrySchedule().decide(AttemptResult.NEVER, age=timedelta(), attempts=1)[0] is NextStep.RETURN
    assert RetrySchedule().decide(AttemptResult.NEVER, age=days(9), attempts=40)[0] is NextStep.RETURN
    assert RetrySchedule().decide(AttemptResult.TAKEN, age=days(9), attempts=40)[0] is NextStep.DONE
