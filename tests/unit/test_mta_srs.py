"""The Sender Rewriting Scheme."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakemail.mta.inbound.srs import Srs
from fakemail.types.address import Address, address

NOW = datetime(2024, 5, 17, tzinfo=UTC)
SRS = Srs(b"secret")
ANN = address("ann@shop.test")


def test_there_and_back():
    there = SRS.forward(ANN, "example.org", now=NOW)
    assert there.domain == "example.org"
    assert there.local.startswith("SRS0=")
    assert there.local.endswith("=shop.test=ann")
    assert SRS.reverse(there, now=NOW) == ANN


def test_a_second_forwarder_hands_back_to_the_first():
    first = SRS.forward(ANN, "one.test", now=NOW)
    second = SRS.forward(first, "two.test", now=NOW)
    third = SRS.forward(second, "three.test", now=NOW)
    assert second.local.startswith("SRS1=")
    assert third.local.startswith("SRS1=")
    assert SRS.reverse(third, now=NOW) == first == SRS.reverse(second, now=NOW)


def test_no_need_for_it():
    assert SRS.forward(ANN, "shop.test", now=NOW) == ANN
    assert SRS.reverse(ANN, now=NOW) == ANN


def test_forged_old_and_broken_ones():
    there = SRS.forward(ANN, "example.org", now=NOW)
    assert SRS.reverse(there, now=NOW + timedelta(days=21)) == ANN
    assert SRS.reverse(there, now=NOW + timedelta(days=22)) is None
    assert Srs(b"other").reverse(there, now=NOW) is None
    assert SRS.reverse(Address(there.local.replace("ann", "bob"), there.domain), now=NOW) is None
    for local in ("SRS0=", "SRS0=a=b", "SRS1=x", "SRS1=abcd=one.test==x", "SRS0=abcd=11=x=y"):
        assert SRS.reverse(Address(local, "example.org"), now=NOW) is None


@pytest.mark.parametrize("change", [str.lower, str.upper])
def test_case_may_be_lost(change):
    there = SRS.forward(ANN, "example.org", now=NOW)
    back = SRS.reverse(Address(change(there.local), there.domain), now=NOW)
    assert back is not None
    assert back.key == ANN.key


@given(local=st.text("abcXYZ019.=+-_", min_size=1), later=st.integers(0, 21))
def test_any_sender_comes_back(local, later):
    sender = Address(local, "shop.test")
    there = SRS.forward(sender, "one.test", now=NOW)
    if not local.upper().startswith(("SRS0", "SRS1")):
        assert SRS.reverse(there, now=NOW + timedelta(days=later)) == sender
