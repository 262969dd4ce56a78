"""Reverse DNS (RFC 8601 §2.7.3) and BIMI records."""

from __future__ import annotations

import pytest

from fake_dns import FakeDns
from fakemail.message.message import MessageView
from fakemail.policy.bimi import check_bimi
from fakemail.policy.dmarc_record import Discovery
from fakemail.policy.finding import AuthStatus
from fakemail.policy.iprev import MAX_NAMES, check_iprev
from fakemail.policy.results import BimiResult, DmarcResult

PTR = "5.113.0.203.in-addr.arpa PTR "


@pytest.mark.parametrize(
    ("zone", "result", "why"),
    [
        (PTR + "app.shop.test.\napp.shop.test A 203.0.113.5\n", "pass", "which leads back to it"),
        (PTR + "app.shop.test.\napp.shop.test A 203.0.113.6\n", "fail", "which does not lead back to it"),
        (PTR + "gone.test.\n", "fail", "the name gone.test"),
        ("", "permerror", "has no name in reverse DNS"),
        (PTR + "a.test.\n" + PTR + "b.test.\nb.test A 203.0.113.5\n", "pass", "the name b.test"),
    ],
)
def test_iprev(zone: str, result: str, why: str) -> None:
    found = check_iprev("203.0.113.5", FakeDns(zone))
    assert (found.result, why in found.sentence) == (result, True), found.sentence


def test_iprev_of_ipv6() -> None:
    zone = (
        "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa PTR app.shop.test.\n"
        "app.shop.test AAAA 2001:db8::1\n"
    )
    found = check_iprev("2001:db8::1", FakeDns(zone))
    assert (found.result, found.domain) == ("pass", "app.shop.test")


def test_iprev_when_the_dns_fails() -> None:
    dns = FakeDns(PTR + "app.shop.test.\n")
    dns.fail("app.shop.test", "A")
    assert check_iprev("203.0.113.5", dns).result == "temperror"
    dns.fail("5.113.0.203.in-addr.arpa", kind="TIMEOUT")
    assert check_iprev("203.0.113.5", dns).sentence.endswith("could not be looked up: TIMEOUT")


def test_iprev_asks_about_ten_names_at_most() -> None:
    dns = FakeDns("".join(f"{PTR}n{number}.test.\n" for number in range(50)))
    assert check_iprev("203.0.113.5", dns).result == "fail"
    assert len(dns.asked) == 1 + MAX_NAMES


PASSED = DmarcResult(AuthStatus.PASS, domain="news.shop.test", policy="reject")


def bimi(zone: str, *, dmarc: DmarcResult = PASSED, field: str = "") -> BimiResult:
    dns = FakeDns(zone + '\n_dmarc.shop.test TXT "v=DMARC1; p=reject"\n')
    message = MessageView(f"From: ann@news.shop.test\r\n{field}\r\n\r\n".encode())
    return check_bimi(message, dmarc, Discovery(dns))


def test_bimi_record_of_the_organization() -> None:
    found = bimi(
        'default._bimi.shop.test TXT "v=BIMI1; l=https://shop.test/logo.svg; a=https://shop.test/c.pem"'
    )
    assert (found.result, found.domain) == ("pass", "shop.test")
    assert (found.location, found.evidence) == ("https://shop.test/logo.svg", "https://shop.test/c.pem")


def test_bimi_selector_of_the_message() -> None:
    zone = 'spring._bimi.news.shop.test TXT "v=BIMI1; l=https://shop.test/spring.svg"'
    found = bimi(zone, field="BIMI-Selector: v=BIMI1; s=spring;")
    assert (found.result, found.selector) == ("pass", "spring")
    assert bimi(zone).result == "none"
    assert bimi(zone, field="BIMI-Selector: nonsense").selector == "default"


@pytest.mark.parametrize(
    ("record", "result"),
    [
        ("v=BIMI1; l=", "none"),
        ("v=BIMI1", "permerror"),
        ("v=BIMI1; l=http://x", "permerror"),
        ("v=2", "none"),
    ],
)
def test_bimi_records_without_a_picture(record: str, result: str) -> None:
    assert bimi(f'default._bimi.shop.test TXT "{record}"').result == result


def test_bimi_needs_dmarc() -> None:
    assert "this is fail" in bimi("", dmarc=DmarcResult(AuthStatus.FAIL)).sentence
    assert (
        "p=none" in bimi("", dmarc=DmarcResult(AuthStatus.PASS, domain="shop.test", policy="none")).sentence
    )
