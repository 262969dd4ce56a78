"""What a resolver remembers, and for how long (RFC 1035 §3.2.1, RFC 2308 §5)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakemail.dns import cache
from fakemail.dns.cache import Cache, time_to_live


class Time:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def answers(time: Time) -> Cache[str]:
    return Cache(time)


def test_an_answer_is_good_for_its_time_and_not_for_a_moment_more(answers: Cache[str], time: Time) -> None:
    answers.keep("example.org", "MX", "10 mx1", ttl=300, mark=1)
    time.pass_by(299)
    assert answers.recall("example.org", "MX") == "10 mx1"
    assert answers.recall("example.org", "A") is None
    time.pass_by(1)
    assert answers.recall("example.org", "MX") is None
    assert len(answers) == 0


def test_an_answer_from_before_a_change_is_there_for_those_only_who_do_not_mind(answers: Cache[str]) -> None:
    answers.keep("example.org", "MX", "10 mx1", ttl=300, mark=1)
    assert answers.recall("example.org", "MX", mark=1) == "10 mx1"
    assert answers.recall("example.org", "MX", mark=2) is None
    assert answers.recall("example.org", "MX") == "10 mx1"


def test_a_newer_answer_takes_the_place_of_the_older(answers: Cache[str], time: Time) -> None:
    answers.keep("example.org", "MX", "10 mx1", ttl=300, mark=1)
    answers.keep("example.org", "MX", "10 mx2", ttl=60, mark=2)
    assert answers.recall("example.org", "MX", mark=2) == "10 mx2"
    time.pass_by(60)
    assert answers.recall("example.org", "MX") is None


def test_an_answer_for_no_time_is_not_kept(answers: Cache[str]) -> None:
    answers.keep("example.org", "MX", "10 mx1", ttl=0, mark=1)
    assert answers.recall("example.org", "MX") is None


def test_no_more_than_so_many_are_kept(answers: Cache[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "MAX_KEPT", 2)
    for name in ("a.test", "b.test", "c.test"):
        answers.keep(name, "A", name, ttl=60, mark=1)
    assert [answers.recall(name, "A") for name in ("a.test", "b.test", "c.test")] == [
        None,
        "b.test",
        "c.test",
    ]


@pytest.mark.parametrize(
    ("kind", "ttls", "negative", "seconds"),
    [
        ("NOERROR", [300, 60], None, 60),
        ("NODATA", [], 60, 60),
        ("NXDOMAIN", [], 60, 60),
        ("NXDOMAIN", [30], 60, 30),  # behind an alias that is good for less
        ("NXDOMAIN", [], None, 0),  # RFC 2308 §5: SHOULD NOT be cached
        ("SERVFAIL", [], 60, 0),
        ("REFERRAL", [], 60, 0),
    ],
)
def test_how_long_an_answer_may_be_kept(
    kind: str, ttls: list[int], negative: int | None, seconds: int
) -> None:
    assert time_to_live(kind, ttls, negative) == seconds


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 5), st.integers(0, 3)), max_size=30))
def test_whatever_is_kept_and_however_time_goes_nothing_outlives_its_time(
    steps: list[tuple[str, int, int]],
) -> None:
    time = Time()
    answers: Cache[datetime] = Cache(time)
    for name, ttl, pause in steps:
        answers.keep(name, "A", time() + timedelta(seconds=ttl), ttl=ttl, mark=None)
        time.pass_by(pause)
        for each in "ab":
            until = answers.recall(each, "A")
            assert until is None or until > time()
