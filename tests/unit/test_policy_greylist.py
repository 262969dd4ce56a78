"""Greylisting: windows, retries that come too late, and networks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from fakemail.policy.greylist import Greylist, triplet
from fakemail.types.address import NULL_PATH, Address

START = datetime(2030, 1, 1, tzinfo=UTC)
BOB = Address("bob", "example.org")
WHO = triplet("198.51.100.7", Address("a", "b.test"), BOB)


def check(grey: Greylist, after: timedelta, who=WHO) -> bool:
    return grey.left(who, now=START + after, window=timedelta(minutes=5)) is None


def test_who_waits_for_the_window_is_taken_and_known():
    """RFC 6647 §2.1."""
    grey = Greylist()
    assert not check(grey, timedelta())
    assert not check(grey, timedelta(minutes=4, seconds=59))
    assert check(grey, timedelta(minutes=5))
    assert check(grey, timedelta(minutes=5, seconds=1))
    assert check(grey, timedelta(days=36))
    assert check(grey, timedelta(days=71)), "each visit renews the memory"
    assert not check(grey, timedelta(days=120))


def test_who_comes_back_too_late_starts_anew():
    grey = Greylist()
    assert not check(grey, timedelta())
    assert not check(grey, timedelta(days=3))
    assert check(grey, timedelta(days=3, minutes=5))


def test_it_says_how_long_is_left():
    grey = Greylist()
    assert grey.left(WHO, now=START, window=timedelta(minutes=5)) == timedelta(minutes=5)
    assert grey.left(WHO, now=START + timedelta(minutes=2), window=timedelta(minutes=5)) == timedelta(
        minutes=3
    )


@pytest.mark.parametrize(
    ("address", "same"),
    [("198.51.100.200", True), ("198.51.101.7", False)],
)
def test_a_network_is_one_client(address, same):
    """RFC 6647 §5."""
    assert (triplet(address, Address("a", "b.test"), BOB) == WHO) is same


def test_ipv6_and_the_null_sender():
    assert triplet("2001:db8::1", NULL_PATH, BOB) == triplet("2001:db8::2", NULL_PATH, BOB)
    assert triplet("2001:db8:1::1", NULL_PATH, BOB) != triplet("2001:db8::1", None, BOB)
