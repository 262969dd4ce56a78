"""Signatures as octets: dkimpy checks them, with the record that the key says of itself."""

from __future__ import annotations

import re
from base64 import b64decode
from datetime import UTC, datetime, timedelta

import dkim
import pytest

from fakemail.dkim.canonicalization import relaxed_body, relaxed_field, simple_body, with_crlf
from fakemail.dkim.dkim_sign import signatures
from fakemail.dkim.keys import make_key, process_key
from fakemail.errors import DeclarationError
from fakemail.model.dkim import ALGORITHMS, CANONICALIZATIONS, Dkim

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
MESSAGE = (
    b"From: Bob <bob@shop.test>\r\nTo: a@example.org\r\nSubject: a\r\n\t folded  one\r\n"
    b"Date: Fri, 2 Jan 2026 03:04:05 +0000\r\nX-Other: 1\r\n\r\nHello \t you \r\n\r\n\r\n"
)


def signed(raw: bytes = MESSAGE, **how: object) -> bytes:
    options = Dkim(**how)  # type: ignore[arg-type]
    key = process_key(options.algorithm, 0)
    return signatures(raw, [(options, key)], domain="shop.test", now=NOW) + raw


def verifies(raw: bytes, algorithm: str = "rsa-2048") -> bool:
    record = process_key(algorithm, 0).record.encode()
    return bool(dkim.verify(raw, dnsfunc=lambda name, timeout=5: record))


def tags(raw: bytes) -> dict[str, str]:
    field = re.sub(rb"\s+", b"", raw[: raw.index(b"\r\nFrom:")]).decode()
    return dict(tag.split("=", 1) for tag in field.partition(":")[2].split(";"))


@pytest.mark.parametrize("algorithm", [each for each in ALGORITHMS if each != "rsa-4096"])
@pytest.mark.parametrize("canonicalization", CANONICALIZATIONS)
def test_dkimpy_takes_what_is_signed(algorithm, canonicalization):
    """RFC 6376 §3.4, §3.7; RFC 8463 §3."""
    raw = signed(algorithm=algorithm, canonicalization=canonicalization)
    assert verifies(raw, algorithm)
    assert not verifies(raw.replace(b"Hello", b"Hallo"), algorithm)
    assert not verifies(raw.replace(b"folded", b"Folded"), algorithm)


def test_a_signature_says_who_when_and_over_what():
    raw = signed(selector="2026.eu", expires=timedelta(hours=1), canonicalization="relaxed/simple")
    found = tags(raw)
    assert {name: found[name] for name in "vacdstx"} == {
        "v": "1",
        "a": "rsa-sha256",
        "c": "relaxed/simple",
        "d": "shop.test",
        "s": "2026.eu",
        "t": "1767323045",
        "x": "1767326645",
    }
    assert found["h"] == "from:to:subject:date:from"


def test_no_line_of_a_signature_is_long():
    """RFC 5322 §2.1.1: 78 characters."""
    many = b"".join(b"Resent-Message-ID: <%d@shop.test>\r\n" % number for number in range(30))
    raw = signed(many + MESSAGE)
    assert verifies(raw)
    assert max(map(len, raw.split(b"\r\n"))) <= 78


def test_a_second_author_breaks_what_is_oversigned():
    """RFC 6376 §8.15."""
    raw = signed(oversign=["From", "Subject", "Cc"])
    assert verifies(raw)
    for added in (b"Subject: other\r\n", b"Cc: eve@evil.test\r\n"):
        assert not verifies(added + raw)
        assert verifies(added + signed(oversign=["From"]))


def test_text_can_be_added_behind_a_length():
    """RFC 6376 §3.5 ``l=``, §8.2."""
    assert verifies(signed(body_length=True) + b"more\r\n")
    assert not verifies(signed() + b"more\r\n")


def test_chosen_fields_alone_are_signed():
    raw = signed(headers=["from", "X-Other"])
    assert tags(raw)["h"] == "from:x-other:from"
    assert verifies(raw.replace(b"Subject: a", b"Subject: b"))
    assert not verifies(raw.replace(b"X-Other: 1", b"X-Other: 2"))


def test_two_keys_sign_the_same_message():
    ways = [Dkim(), Dkim("second", "ed25519")]
    raw = signatures(
        MESSAGE, [(how, process_key(how.algorithm, 0)) for how in ways], domain="shop.test", now=NOW
    )
    both = raw + MESSAGE
    records = {
        f"{how.selector}._domainkey.shop.test.".encode(): process_key(how.algorithm, 0).record.encode()
        for how in ways
    }
    verifier = dkim.DKIM(both)
    assert [verifier.verify(idx=place, dnsfunc=lambda name, timeout=5: records[name]) for place in (0, 1)]
    assert both.count(b"DKIM-Signature:") == 2


@pytest.mark.parametrize(
    ("body", "simple", "relaxed"),
    [  # RFC 6376 §3.4.3, §3.4.4, §3.4.5
        (b"", b"\r\n", b""),
        (b"\r\n\r\n", b"\r\n", b""),
        (b" \r\n\t\r\n", b" \r\n\t\r\n", b""),
        (b" C \r\nD \t E\r\n\r\n\r\n", b" C \r\nD \t E\r\n", b" C\r\nD E\r\n"),
        (b"no end", b"no end\r\n", b"no end\r\n"),
        (b"blank at the end ", b"blank at the end \r\n", b"blank at the end\r\n"),
        (b"lone\tTAB\r\n", b"lone\tTAB\r\n", b"lone TAB\r\n"),
    ],
)
def test_bodies_as_the_standard_has_them(body, simple, relaxed):
    assert (simple_body(body), relaxed_body(body)) == (simple, relaxed)


def test_fields_as_the_standard_has_them():
    """RFC 6376 §3.4.5, example 1."""
    assert relaxed_field(b"A: X ") == b"a:X"
    assert relaxed_field(b"B : Y\t\r\n\tZ  ") == b"b:Y Z"


def test_line_ends_become_those_of_the_wire():
    assert with_crlf(b"a\nb\rc\r\nd\n\n") == b"a\r\nb\r\nc\r\nd\r\n\r\n"
    assert with_crlf(MESSAGE) is MESSAGE
    assert verifies(with_crlf(signed(MESSAGE.replace(b"\r\n", b"\n"))))


def test_keys_are_made_once_for_the_process():
    assert process_key("rsa-2048", 0) is process_key("rsa-2048", 0)
    assert process_key("ed25519", 0).record != process_key("ed25519", 1).record
    assert len(b64decode(process_key("ed25519", 0).private_seed)) == 32
    assert process_key("ed25519", 0).private_pem.startswith("-----BEGIN PRIVATE KEY-----")
    assert process_key("rsa-1024", 0).public not in repr(process_key("rsa-1024", 0))


def test_what_could_never_be_signed_with_is_refused():
    with pytest.raises(DeclarationError, match="no algorithm 'rsa'; known: ed25519, rsa-1024"):
        Dkim(algorithm="rsa")
    with pytest.raises(DeclarationError, match="no canonicalization 'relaxed'"):
        Dkim(canonicalization="relaxed")
    with pytest.raises(DeclarationError, match="'a b' is not a selector"):
        Dkim("a b")
    with pytest.raises(DeclarationError, match="'Sub:ject' is not the name of a header field"):
        Dkim(headers=("Sub:ject",))
    with pytest.raises(DeclarationError, match="no seed; take its private_pem"):
        _ = process_key("rsa-1024", 0).private_seed
    with pytest.raises(DeclarationError, match="no algorithm 'dsa'"):
        make_key("dsa")
