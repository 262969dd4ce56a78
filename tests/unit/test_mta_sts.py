"""MTA-STS texts: the TXT record and the policy file (RFC 8461 §3)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from fakemail.errors import ProtocolError
from fakemail.model.transport_security import LONGEST_AGE
from fakemail.tls.mta_sts import MAX_SIZE, CachedPolicy, StsPolicy, read_id, read_policy, write_policy

GOOD = "version: STSv1\nmode: enforce\nmx: mail.example.com\nmx: *.example.net\nmax_age: 604800\n"


@pytest.mark.parametrize(
    ("texts", "id"),
    [
        ([b"v=STSv1; id=20160831085700Z;"], "20160831085700Z"),
        ([b"v=STSv1;id=1"], "1"),
        ([b"v=STSv1 ; other=x; id=2"], "2"),
        ([b"v=spf1 -all", b"v=STSv1; id=3"], "3"),  # others are left out
        ([b"v=STSv1; id=1", b"v=STSv1; id=2"], None),  # exactly one
        ([b"v=STSv1; id="], None),
        ([b"v=STSv1; id=" + b"a" * 33], None),
        ([b"v=STSv1; id=a-b"], None),
        ([b"v=STSv1"], None),
        ([b"V=STSV1; id=1"], None),
        ([b"v=STSv1; \xff=1"], None),
        ([], None),
    ],
)
def test_ids(texts: list[bytes], id: str | None) -> None:
    assert read_id(texts) == id


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_the_example_of_the_standard(ends: str) -> None:
    policy = read_policy(GOOD.replace("\n", ends).encode())
    assert policy == StsPolicy("enforce", 604800, ("mail.example.com", "*.example.net"))


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("version: STSv1\n", "", "version"),
        ("STSv1", "STSv2", "version"),
        ("enforce", "enforced", "mode"),
        ("mode: enforce\n", "", "mode"),
        ("max_age: 604800\n", "", "max_age"),
        ("604800", "a week", "max_age"),
        ("604800", "12345678901", "max_age"),
        ("mx: mail.example.com\nmx: *.example.net\n", "", "mx"),
        ("*.example.net", "*.*.example.net", "line 4 of the policy: mx is no host name"),
        ("mode: enforce", "mode enforce", "line 2 of the policy is no field"),
    ],
)
def test_what_is_no_policy(old: str, new: str, what: str) -> None:
    assert old in GOOD
    with pytest.raises(ProtocolError, match=what):
        read_policy(GOOD.replace(old, new).encode())


def test_other_octets_are_no_policy() -> None:
    with pytest.raises(ProtocolError, match="not UTF-8"):
        read_policy(GOOD.encode() + b"\xff")
    with pytest.raises(ProtocolError, match=f"more than {MAX_SIZE} octets"):
        read_policy(GOOD.encode().ljust(MAX_SIZE + 1))


def test_what_does_not_matter() -> None:
    extra = "future: value\n\nmode: testing\nmx\t:  Mail.Example.COM \n"
    assert read_policy((GOOD + extra).encode()) == StsPolicy(
        "enforce", 604800, ("mail.example.com", "*.example.net", "mail.example.com")
    )


def test_mode_none_needs_no_mx_and_age_has_an_end() -> None:
    policy = read_policy(b"version: STSv1\nmode: none\nmax_age: 9999999999\n")
    assert policy == StsPolicy("none", LONGEST_AGE)


@pytest.mark.parametrize(
    ("host", "fits"),
    [
        ("mail.example.com", True),
        ("MAIL.example.com.", True),
        ("a.example.net", True),
        ("a.b.example.net", False),
        ("example.net", False),
        ("other.example.com", False),
    ],
)
def test_hosts_of_a_policy(host: str, fits: bool) -> None:  # RFC 8461 §4.1
    assert read_policy(GOOD.encode()).lets(host) is fits


def test_a_policy_is_read_as_it_is_written() -> None:
    policy = StsPolicy("testing", 1, ("*.example.org",))
    assert read_policy(write_policy(policy).encode()) == policy
    assert str(policy) == write_policy(policy)


def test_a_policy_grows_old() -> None:
    start = datetime(2026, 5, 1, tzinfo=UTC)
    kept = CachedPolicy("1", StsPolicy("enforce", 60, ("a.test",)), start)
    assert kept.is_fresh(start + timedelta(seconds=59))
    assert not kept.is_fresh(start + timedelta(seconds=60))
