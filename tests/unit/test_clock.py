"""Clocks: they stand, they move forward, they hold jobs in order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from fakemail.clock import RealClock, VirtualClock

START = datetime(2030, 1, 1, tzinfo=UTC)


def test_a_virtual_clock_stands_until_it_is_moved():
    clock = VirtualClock(START)
    assert clock.now() == clock.now() == START
    clock.move(timedelta(days=5))
    assert clock.now() == START + timedelta(days=5)


@pytest.mark.parametrize("clock", [VirtualClock(START), RealClock()])
def test_time_does_not_run_back(clock):
    with pytest.raises(ValueError, match="moves forward only"):
        clock.move(timedelta(seconds=-1))


def test_a_real_clock_can_be_ahead():
    clock = RealClock()
    before = clock.now()
    clock.move(timedelta(hours=3))
    assert clock.now() - before >= timedelta(hours=3)
    assert clock.now().tzinfo is UTC


def test_jobs_come_out_in_the_order_in_which_they_are_due():
    clock = VirtualClock(START)
    done: list[str] = []
    clock.after(timedelta(minutes=2), lambda: done.append("later"), name="later")
    clock.after(timedelta(minutes=1), lambda: done.append("first"), name="first")
    clock.after(timedelta(minutes=1), lambda: done.append("second"), name="second")
    cancelled = clock.after(timedelta(minutes=1), lambda: done.append("never"), name="never")
    cancelled.cancel()
    assert [job.name for job in clock.jobs()] == ["first", "second", "later"]
    assert clock.next_due() == START + timedelta(minutes=1)
    assert clock.take_due(START + timedelta(seconds=59)) == []
    for job in clock.take_due(START + timedelta(hours=1)):
        job.action()
    assert done == ["first", "second"]
    assert [job.name for job in clock.take_due(START + timedelta(hours=1))] == ["later"]
    assert clock.next_due() is None


def test_whoever_runs_the_jobs_hears_of_changes():
    clock = VirtualClock(START)
    heard: list[datetime | None] = []
    clock.on_change = lambda: heard.append(clock.next_due())
    clock.after(timedelta(minutes=1), lambda: None, name="x")
    clock.move(timedelta(seconds=1))
    assert heard == [START + timedelta(minutes=1)] * 2
