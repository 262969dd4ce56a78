"""SPF: our part of it, and each case of a table that follows RFC 7208 section by section."""

from __future__ import annotations

from typing import Any

import pytest

from fake_dns import NOON, FakeDns
from fakemail.dns.records import record
from fakemail.policy.spf import check_spf
from fakemail.types.reason import Reason
from spf_table import SpfCase, SpfGroup, groups


@pytest.mark.parametrize(
    ("group", "case"),
    [
        pytest.param(group, case, id=f"{case.about}: {case.name}")
        for group in groups()
        for case in group.cases
    ],
)
def test_table(group: SpfGroup, case: SpfCase) -> None:
    dns = FakeDns(f"{group.zone}\n{case.zone}")
    for name in group.timeout:
        dns.fail(name, kind="TIMEOUT")
    found = check_spf(dns.facts(client=case.client, sender=case.sender or None, helo=case.helo))
    assert found.result in case.results, found.describe()
    if case.explanation is not None:
        assert found.explanation == case.explanation
    assert found.sentence


def spf(zone: str, **facts: Any) -> Any:
    return check_spf(FakeDns(zone).facts(**facts))


def test_result_knows_why() -> None:
    found = spf('shop.test TXT "v=spf1 ip4:192.0.2.0/24 -all"')
    assert found == "fail"
    assert (found.domain, found.identity, found.sender) == ("shop.test", "mailfrom", "ann@shop.test")
    assert (found.mechanism, found.reason) == ("-all", Reason.SPF_FAIL)
    assert found.sentence == "shop.test does not let 203.0.113.5 send for it (-all)"
    assert found.trace == (
        "203.0.113.5 for shop.test",
        'TXT shop.test: "v=spf1 ip4:192.0.2.0/24 -all"',
        "ip4:192.0.2.0/24 does not match",
        "-all matches: fail",
    )
    assert repr(found) == "<spf=fail: shop.test does not let 203.0.113.5 send for it (-all)>"


def test_null_reverse_path_is_checked_by_the_name_of_helo() -> None:
    found = spf('app.shop.test TXT "v=spf1 ip4:203.0.113.5 -all"', sender=None)
    assert (found.result, found.identity, found.sender) == ("pass", "helo", "postmaster@app.shop.test")
    nameless = spf("", sender=None, helo="")
    assert nameless == "none"
    assert spf("", sender=None, helo="[203.0.113.5]") == "none"


def test_include_is_told_in_the_trace() -> None:
    found = spf(
        'shop.test TXT "v=spf1 include:bulk.example -all"\nbulk.example TXT "v=spf1 ip4:203.0.113.5 -all"'
    )
    assert (found.result, found.mechanism) == ("pass", "include:bulk.example")
    assert "  ip4:203.0.113.5 matches: pass" in found.trace
    assert "include bulk.example gives pass" in found.trace


def test_strings_of_a_record_are_joined_without_a_space() -> None:
    assert spf('shop.test TXT "v=spf1 ip4:203.0." "113.5 -all"') == "pass"


def test_explanation_with_spaces_and_the_time_of_the_fake_clock() -> None:
    found = spf(
        'shop.test TXT "v=spf1 -all exp=why.shop.test"\n'
        'why.shop.test TXT "%{i} is not one of %{d}, said %{r} at %{t}"'
    )
    assert found.explanation == (
        f"203.0.113.5 is not one of shop.test, said mx.example at {int(NOON.timestamp())}"
    )


@pytest.mark.parametrize("kind", ["SERVFAIL", "TIMEOUT", "REFUSED", "REFERRAL"])
def test_dns_that_fails(kind: str) -> None:
    dns = FakeDns('shop.test TXT "v=spf1 a:mail.shop.test -all"')
    dns.fail("mail.shop.test", kind=kind)
    found = check_spf(dns.facts())
    assert (found.result, found.reason) == ("temperror", Reason.DNS_TEMPORARY)
    assert kind in found.sentence
    assert any(kind in line for line in found.trace)


def test_a_loop_of_includes_ends() -> None:
    dns = FakeDns('shop.test TXT "v=spf1 include:shop.test -all"')
    found = check_spf(dns.facts())
    assert (found.result, "lookup limit exceeded" in found.sentence) == ("permerror", True)
    assert len(dns.asked) == 1


def test_number_that_nobody_can_read() -> None:
    digits = "9" * 200
    text = '" "'.join([digits] * 30)
    found = spf(f'shop.test TXT "v=spf1 exists:%{{d" "{text}" "}}.shop.test -all"')
    assert found.result == "permerror"
    assert found.sentence


@pytest.mark.parametrize("octets", [b"", b"\x00", b"\xffv=spf1", b"\x05v=spf", b"\x0bv=spf1 \xe9=x\x00"])
def test_malformed_data(octets: bytes) -> None:
    dns = FakeDns()
    dns.zones.add(record("shop.test", "TXT", octets))
    assert check_spf(dns.facts()).result in ("none", "neutral", "permerror")
