"""Whatever stands in zones and messages: a result with a sentence, and never an error."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st

from fake_dns import FakeDns
from fakemail.dkim.key_record import KeyProblem, read_key
from fakemail.dkim.tag_list import TagError, read_tags
from fakemail.dns.records import record
from fakemail.policy.authentication import METHODS, SenderAuthentication
from fakemail.policy.dmarc_record import read_dmarc_record

TERMS = st.sampled_from(
    [
        "a",
        "mx/24//64",
        "ptr",
        "include:shop.test",
        "redirect=shop.test",
        "exp=shop.test",
        "exists:%{i}.%{l}.test",
        "a:%{d99r.-}.test",
        "ip4:203.0.113.5",
        "ip6:::1/0",
        "-all",
        "%",
        "%{",
        "a:" + "x" * 70 + ".test",
        "ip4:1.2.3.4/99999999999999999999",
        "mx:%{p}.test",
        "\x7f",
        "é",
    ]
)
RECORDS = st.one_of(
    st.lists(TERMS, max_size=14).map(lambda terms: ("v=spf1 " + " ".join(terms)).encode("latin-1")),
    st.text(max_size=60).map(lambda text: b"v=DMARC1; p=" + text.encode()),
    st.text(max_size=60).map(lambda text: b"v=DKIM1; p=" + text.encode()),
    st.binary(max_size=100),
)
WIRES = st.one_of(
    st.binary(max_size=60),
    RECORDS.map(
        lambda text: b"".join(
            bytes([len(text[at : at + 200])]) + text[at : at + 200] for at in range(0, len(text), 200)
        )
    ),
)
NAMES = st.sampled_from(
    ["shop.test", "_dmarc.shop.test", "_dmarc.test", "s._domainkey.shop.test", "default._bimi.shop.test"]
)
FIELDS = st.sampled_from(
    [
        "From: ann@shop.test",
        "From: ann@shop.test, eve@eve.test",
        "From: <",
        "DKIM-Signature: v=1; a=rsa-sha256; d=shop.test; s=s; h=from; bh=AAAA; b=AAAA",
        "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed; d=shop.test; s=s; h=from:from; l=1; bh=AA==; b=AA==",
        "DKIM-Signature: v=1;;",
        "ARC-Seal: i=1; a=rsa-sha256; cv=none; d=shop.test; s=s; b=AAAA",
        "ARC-Message-Signature: i=1; a=rsa-sha256; d=shop.test; s=s; h=from; bh=AAAA; b=AAAA",
        "ARC-Authentication-Results: i=1; mx.test; spf=pass",
        "ARC-Authentication-Results: i=99",
        "ARC-Seal: i=; b",
        "BIMI-Selector: v=BIMI1; s=" + "x" * 80,
    ]
)
HEADERS = st.one_of(
    st.lists(FIELDS, max_size=8).map(lambda fields: "\r\n".join(fields).encode() + b"\r\n\r\nbody\r\n"),
    st.binary(max_size=200),
    st.binary(max_size=100).map(
        lambda octets: b"DKIM-Signature: " + octets + b"\r\nFrom: a@shop.test\r\n\r\n"
    ),
)


@settings(max_examples=75, deadline=None)
@given(
    zone=st.lists(st.tuples(NAMES, WIRES), max_size=5),
    failing=st.lists(st.tuples(NAMES, st.sampled_from(["SERVFAIL", "TIMEOUT"])), max_size=1),
    content=HEADERS,
    helo=st.text(max_size=80),
    sender=st.sampled_from([None, "ann@shop.test", "ann@a.b.c.shop.test", '"a b@c"@shop.test']),
)
def test_every_check_has_a_result(
    zone: list[tuple[str, bytes]],
    failing: list[tuple[str, str]],
    content: bytes,
    helo: str,
    sender: str | None,
) -> None:
    dns = FakeDns()
    for name, wire in zone:
        dns.zones.add(record(name, "TXT", wire))
    for name, kind in failing:
        dns.fail(name, kind=kind)
    found = SenderAuthentication(dns.facts(content=content, helo=helo, sender=sender))
    assert [result.method for result in found] == list(METHODS)
    assert all(result.sentence for result in found)
    assert str(found)


@given(st.text())
def test_records_are_read_or_refused_with_a_reason(text: str) -> None:
    made, why = read_dmarc_record(text)
    assert (made is None) == bool(why)
    with suppress(TagError):
        read_tags(text)


@given(st.binary())
def test_keys_are_read_or_refused_with_a_reason(octets: bytes) -> None:
    for text in (octets, b"v=DKIM1; k=ed25519; p=" + octets, b"p=" + octets):
        with suppress(KeyProblem):
            read_key(text, "s._domainkey.shop.test")


def test_such_data_reaches_the_checks() -> None:
    dns = FakeDns()
    dns.zones.add(record("shop.test", "TXT", b"\x0bv=spf1 -all"))
    assert SenderAuthentication(dns.facts()).spf == "fail"
