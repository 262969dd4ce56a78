"""TLSA records and certificates, without DNS and connections (RFC 6698, RFC 7672, RFC 6125)."""

from __future__ import annotations

import hashlib
import ssl

import pytest

from fakemail.clock import RealClock
from fakemail.tls.authority import process_authority
from fakemail.tls.dane import (
    Tlsa,
    TlsaUsage,
    association,
    chain_problem,
    covers,
    dane_problem,
    public_key_info,
    read_tlsa,
)
from fakemail.tls.flaws import FLAWS, flawed_leaf

AUTHORITY = process_authority()
ANCHOR = ssl.PEM_cert_to_DER_cert(AUTHORITY.ca_pem.decode())
LEAF = AUTHORITY.leaf("mx.example.org").der
NOW = RealClock().now()


def record(usage: int, selector: int, matching: int, der: bytes) -> Tlsa:
    kind = TlsaUsage(usage, selector, matching)
    return Tlsa(kind, association(der, kind))


def test_associations() -> None:  # RFC 6698 §2.1.2, §2.1.3
    key = public_key_info(LEAF)
    assert key in LEAF
    assert association(LEAF, TlsaUsage(3, 0, 0)) == LEAF
    assert association(LEAF, TlsaUsage(3, 1, 0)) == key
    assert association(LEAF, TlsaUsage(3, 1, 1)) == hashlib.sha256(key).digest()
    assert association(LEAF, TlsaUsage(3, 0, 2)) == hashlib.sha512(LEAF).digest()


def test_wire_form() -> None:
    assert read_tlsa(b"\x03\x01\x01" + b"x" * 32) == Tlsa(TlsaUsage(3, 1, 1), b"x" * 32)
    assert str(read_tlsa(b"\x03\x01\x00\xab")) == "3 1 0 ab"
    assert read_tlsa(b"\x03\x01\x01") is None


@pytest.mark.parametrize(
    ("kind", "size", "usable"),
    [
        ((3, 1, 1), 32, True),
        ((2, 0, 2), 64, True),
        ((3, 1, 0), 1, True),
        ((3, 1, 1), 31, False),
        ((3, 1, 2), 32, False),
        ((3, 2, 1), 32, False),
        ((3, 1, 3), 32, False),
        ((0, 1, 1), 32, False),  # RFC 7672 §3.1.3: PKIX-TA and PKIX-EE are not for SMTP
        ((1, 1, 1), 32, False),
        ((4, 1, 1), 32, False),
    ],
)
def test_which_records_are_usable(kind: tuple[int, int, int], size: int, usable: bool) -> None:
    assert Tlsa(TlsaUsage(*kind), b"x" * size).is_usable is usable


def problem(*records: Tlsa, chain: tuple[bytes, ...] = (LEAF,), name: str = "mx.example.org") -> str | None:
    found = dane_problem(records, chain, anchors=(ANCHOR,), names=(name,), now=NOW)
    return None if found is None else found.type


def test_any_record_that_fits_is_enough() -> None:
    other = AUTHORITY.leaf("other.example.org").der
    assert problem(record(3, 1, 1, other), record(3, 1, 1, LEAF)) is None
    assert problem(record(3, 1, 1, other)) == "validation-failure"
    assert problem(record(3, 1, 1, ANCHOR)) == "validation-failure"  # usage 3 is about the leaf alone


def test_names_count_for_authorities_only() -> None:
    assert problem(record(3, 1, 1, LEAF), name="elsewhere.test") is None
    assert problem(record(2, 1, 1, ANCHOR), name="elsewhere.test") == "certificate-host-mismatch"
    assert problem(record(2, 1, 1, ANCHOR)) is None


def test_an_authority_may_be_in_the_chain() -> None:
    bundle = AUTHORITY.chain_without_intermediate("mx.example.org").der
    stranger = flawed_leaf("unknown_authority", "mx.example.org").der
    assert problem(record(2, 1, 1, ANCHOR), chain=(bundle,)) == "certificate-not-trusted"
    assert problem(record(2, 1, 1, ANCHOR), chain=(stranger, ANCHOR)) == "certificate-not-trusted"
    assert problem(record(2, 0, 1, stranger), chain=(stranger,)) is None  # it vouches for itself


@pytest.mark.parametrize(
    ("flaw", "type"),
    [
        ("expired", "certificate-expired"),
        ("not_yet_valid", "certificate-expired"),
        ("wrong_name", "certificate-host-mismatch"),
        ("unknown_authority", "certificate-not-trusted"),
        ("self_signed", "certificate-not-trusted"),
        ("missing_intermediate", "certificate-not-trusted"),
        ("revoked", "validation-failure"),
        ("weak_key", "validation-failure"),
        ("client_only", "validation-failure"),
        ("email_only", "validation-failure"),
        ("no_san", "certificate-host-mismatch"),
    ],
)
def test_flaws_have_names(flaw: str, type: str) -> None:  # RFC 8460 §4.3
    chain = (flawed_leaf(flaw, "mx.example.org").der,)
    names = ("mx.example.org",)
    found = chain_problem(
        chain, anchors=(ANCHOR,), names=names, now=NOW, is_revoked=process_authority().has_revoked
    )
    assert found is not None
    assert found.type == type


def test_every_flaw_has_a_name() -> None:
    [mark] = test_flaws_have_names.pytestmark
    assert {flaw for flaw, _ in mark.args[1]} == set(FLAWS)


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [
        ("mx.example.org", "MX.example.org.", True),
        ("*.example.org", "mx.example.org", True),
        ("*.example.org", "a.mx.example.org", False),
        ("*.example.org", "example.org", False),
        ("m*.example.org", "mx.example.org", False),
        ("*", "org", False),
        ("mx.example.org", "mx.example.com", False),
    ],
)
def test_names_of_certificates(pattern: str, name: str, fits: bool) -> None:  # RFC 6125 §6.4.3
    assert covers(pattern, name) is fits
