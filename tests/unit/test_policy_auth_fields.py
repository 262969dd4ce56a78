"""Authentication-Results (RFC 8601) and Received-SPF (RFC 7208 §9.1) fields."""

from __future__ import annotations

import authres
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_dns import FakeDns
from fakemail.policy.auth_fields import authentication_results, received_spf, without_claims
from fakemail.policy.finding import AuthStatus
from fakemail.policy.results import (
    AuthResult,
    DkimResult,
    DmarcResult,
    IprevResult,
    SignatureResult,
    SpfResult,
)

SIGNED = SignatureResult(
    AuthStatus.PASS,
    domain="shop.test",
    selector="s1",
    identity="@shop.test",
    algorithm="rsa-sha256",
    signature="AuUoFEfD",
)
BAD = SignatureResult(AuthStatus.FAIL, 'the body was "changed"', domain="eve.test", selector="s2")


def test_each_result_is_a_clause() -> None:
    field = authentication_results(
        "mx.example",
        [
            SpfResult(AuthStatus.SOFTFAIL, "rather not", "shop.test", sender="ann@shop.test"),
            DkimResult(AuthStatus.PASS, signatures=(SIGNED, BAD)),
            DmarcResult(AuthStatus.PASS, domain="shop.test", policy="reject"),
            IprevResult(AuthStatus.PERMERROR, "no name", address="2001:db8::1"),
        ],
    )
    assert field == (
        b"Authentication-Results: mx.example;\r\n"
        b'\tspf=softfail reason="rather not" smtp.mailfrom=ann@shop.test;\r\n'
        b"\tdkim=pass header.d=shop.test header.i=@shop.test header.s=s1 header.a=rsa-sha256"
        b" header.b=AuUoFEfD;\r\n"
        b'\tdkim=fail reason="the body was ?changed?" header.d=eve.test header.s=s2;\r\n'
        b"\tdmarc=pass (p=reject dis=none) header.from=shop.test policy.dmarc=reject;\r\n"
        b'\tiprev=permerror reason="no name" policy.iprev="2001:db8::1"\r\n'
    )


def test_others_can_read_it() -> None:
    field = authentication_results("mx.example", [DkimResult(AuthStatus.PASS, signatures=(SIGNED, BAD))])
    read = authres.AuthenticationResultsHeader.parse(field.decode().strip())
    assert read.authserv_id == "mx.example"
    assert [(each.method, each.result) for each in read.results] == [("dkim", "pass"), ("dkim", "fail")]


def test_nothing_was_checked() -> None:
    assert authentication_results("mx.example", []) == b"Authentication-Results: mx.example;\r\n\tnone\r\n"


@given(st.text(), st.text(), st.text())
def test_a_stranger_s_words_end_neither_clause_nor_field(sentence: str, domain: str, sender: str) -> None:
    results: list[AuthResult] = [
        SpfResult(AuthStatus.FAIL, sentence, domain, sender=sender),
        DkimResult(
            AuthStatus.FAIL, signatures=(SignatureResult(AuthStatus.FAIL, sentence, domain, selector=sender),)
        ),
    ]
    field = authentication_results("mx.example", results)
    read = authres.AuthenticationResultsHeader.parse(field.decode().strip())
    assert [(each.method, each.result) for each in read.results] == [("spf", "fail"), ("dkim", "fail")]
    facts = FakeDns().facts(helo=sender)
    line = received_spf(SpfResult(AuthStatus.FAIL, sentence, domain, sender=sender), facts)
    assert line.startswith(b"Received-SPF: fail (mx.example: ")
    assert all(each.startswith(b"\t") for each in line.split(b"\r\n")[1:-1])
    assert line.endswith(b";\r\n")


def test_received_spf() -> None:
    result = SpfResult(
        AuthStatus.PASS, "it may (really)", "shop.test", sender="ann@shop.test", mechanism="mx"
    )
    assert received_spf(result, FakeDns().facts()) == (
        b"Received-SPF: pass (mx.example: it may  really )\r\n"
        b"\tclient-ip=203.0.113.5;\r\n"
        b'\tenvelope-from="ann@shop.test";\r\n'
        b"\thelo=app.shop.test;\r\n"
        b"\treceiver=mx.example;\r\n"
        b"\tidentity=mailfrom;\r\n"
        b'\tmechanism="mx";\r\n'
    )


@pytest.mark.parametrize(
    "claim",
    [
        b"mx.example; spf=pass",
        b"MX.Example; spf=pass",
        b"mx.example 1; spf=pass",
        b"mx.example;\r\n\tspf=pass\r\n\tsmtp.mailfrom=x",
        b'"mx.example"; none',
        b"(we say (it)) mx.example (truly); none",
        b"mx.example",
        b"mx.example.; spf=pass",
    ],
)
def test_claims_of_our_own_are_removed(claim: bytes) -> None:
    other = b"Authentication-Results: mx.other; spf=pass\r\n"
    raw = (
        other
        + b"Authentication-Results: "
        + claim
        + b"\r\nFrom: a\r\n\r\nAuthentication-Results: mx.example\r\n"
    )
    kept = other + b"From: a\r\n\r\nAuthentication-Results: mx.example\r\n"
    assert without_claims(raw, "mx.example") == kept
    assert without_claims(kept, "mx.example") is kept


@given(st.binary(max_size=200))
def test_garbage_in_the_field_is_no_claim_and_no_error(value: bytes) -> None:
    raw = b"Authentication-Results: " + value + b"\r\n\r\n"
    assert raw.startswith(without_claims(raw, "mx.example")[:1])
