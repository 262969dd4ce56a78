"""ARC sets as octets: dkimpy checks the chains."""

from __future__ import annotations

from datetime import UTC, datetime

import dkim
import pytest

from fakemail.dkim.arc_sign import arc_set
from fakemail.dkim.dkim_sign import signatures
from fakemail.dkim.keys import process_key
from fakemail.model.dkim import Dkim

NOW = datetime(2026, 1, 2, tzinfo=UTC)
MESSAGE = (
    b"From: a@shop.test\r\nTo: friends@lists.test\r\nSubject: Hi\r\nDate: Fri, 2 Jan 2026 03:04:05 +0000"
    b"\r\n\r\nHello\r\n"
)
KEY = process_key("rsa-2048", 0)


def sealed(raw: bytes, claim: str = "none", domain: str = "lists.test", algorithm: str = "rsa-2048") -> bytes:
    results = f"mx1.{domain}; spf=pass smtp.mailfrom=a@shop.test;\r\n\tdkim=pass header.d=shop.test"
    fields = arc_set(
        raw,
        Dkim(),
        results=results,
        claim=claim,
        domain=domain,
        key=process_key(algorithm, 0),
        now=NOW,
    )
    return fields + raw


def chain(raw: bytes, algorithm: str = "rsa-2048") -> str:
    record = process_key(algorithm, 0).record.encode()
    result, _, _ = dkim.ARC(raw).verify(dnsfunc=lambda name, timeout=5: record)
    return (result or b"fail").decode()


def test_a_sealed_message_has_a_whole_chain():
    """RFC 8617 §5.1."""
    raw = sealed(MESSAGE)
    assert chain(raw) == "pass"
    assert [line.partition(b":")[0] for line in raw.split(b"\r\n") if line.startswith(b"ARC")] == [
        b"ARC-Seal",
        b"ARC-Message-Signature",
        b"ARC-Authentication-Results",
    ]
    assert max(map(len, raw.split(b"\r\n"))) <= 90
    assert chain(raw.replace(b"Hello", b"Hallo")) == "fail"
    assert chain(raw.replace(b"dkim=pass", b"dkim=fail")) == "fail"


@pytest.mark.parametrize("number", [2, 3, 5])
def test_many_seal_one_after_the_other(number):
    """RFC 8617 §5.1.1: each vouches for all sets before it, whatever was altered in between."""
    raw = sealed(signatures(MESSAGE, [(Dkim(), KEY)], domain="shop.test", now=NOW) + MESSAGE)
    for place in range(2, number + 1):
        raw = sealed(raw.replace(b"Subject: ", b"Subject: [x] "), "pass", f"relay{place}.test")
        assert chain(raw) == "pass"
    assert b"i=%d; a=rsa-sha256; cv=pass" % number in raw
    assert chain(raw.replace(b"i=1; mx1.lists.test", b"i=1; mx2.lists.test")) == "fail"


def test_a_broken_chain_is_sealed_as_such_and_ends():
    """RFC 8617 §5.1.2, and §5.1 step 2."""
    broken = sealed(MESSAGE).replace(b"Hello", b"Hallo")
    raw = sealed(broken, "fail")
    assert b"cv=fail" in raw
    assert chain(raw) == "fail"
    assert sealed(raw, "fail") == raw


def test_a_chain_has_fifty_sets_at_most():
    """RFC 8617 §4.2.1."""
    longest = b"".join(b"ARC-Seal: i=%d; cv=pass; b=x\r\n" % number for number in range(50, 0, -1))
    assert sealed(longest + MESSAGE) == longest + MESSAGE
    assert b"i=50; a=" in sealed(longest.partition(b"\r\n")[2] + MESSAGE, "fail")
