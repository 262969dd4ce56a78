"""Messages and zones that are made to be a burden: each check ends with a reason, and in proportion to the size.

None of these would end within the time limit of the tests if the work grew faster than what it is given.
"""

from __future__ import annotations

import pytest

from fake_dns import FakeDns
from fakemail.dns.records import record
from fakemail.policy.authentication import SenderAuthentication

KEY = 's._domainkey.shop.test TXT "v=DKIM1; p=" "' + "A" * 100 + '"\n'
SIGNATURE = (
    b"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=shop.test; s=s; h=from; bh=AAAA; b=AAAA\r\n"
)
FROM = b"From: ann@shop.test\r\n"
MILLION = 1_000_000


def auth(content: bytes, zone: str = "") -> SenderAuthentication:
    return SenderAuthentication(FakeDns(KEY + zone).facts(content=content))


@pytest.mark.parametrize(
    "body",
    [
        b"x" * 30 * MILLION,
        b" " * 30 * MILLION,
        b"\r\n" * 3 * MILLION,
        b" \r\n" * 5 * MILLION,
        b"\r" * 10 * MILLION,
        b"\n" * 10 * MILLION,
        b"\t \r" * 2 * MILLION,
    ],
    ids=["letters", "spaces", "lines", "space-lines", "cr", "lf", "mixed"],
)
def test_large_bodies(body: bytes) -> None:
    found = auth(SIGNATURE + FROM + b"\r\n" + body)
    assert found.dkim == "permerror"
    ending = SIGNATURE.replace(b"bh=AAAA", b"l=0; bh=AAAA")
    assert auth(ending + FROM + b"\r\n" + body).dkim == "permerror"
    from fakemail.dkim.dkim_verify import SignedMessage

    message = SignedMessage(FROM + b"\r\n" + body)
    assert len(message.body_hash("relaxed", "sha256", None)) == 32
    assert len(message.body_hash("simple", "sha256", 10)) == 32


@pytest.mark.parametrize(
    "field",
    [
        b"DKIM-Signature: " + b"a=b;" * MILLION + b"\r\n",
        b"DKIM-Signature: " + b" \r\n\t" * (MILLION // 4) + b"\r\n",
        SIGNATURE.replace(b"h=from", b"h=" + b"from:" * MILLION + b"from"),
        SIGNATURE.replace(b"b=AAAA", b"b=" + b" A" * MILLION),
        SIGNATURE.replace(b"d=shop.test", b"d=" + b"a." * MILLION + b"test"),
        SIGNATURE * 10_000,
        b"X: y\r\n" * (MILLION // 4) + SIGNATURE,
        b"ARC-Seal: i=1; cv=none\r\n" * 50_000,
        b"ARC-Authentication-Results: " + b"(" * MILLION + b"\r\n",
        b"".join(b"ARC-Seal: i=%d; a=b\r\n" % number for number in range(1, 100)),
        b"From: " + b"a@b.test, " * 100_000 + b"\r\n",
        b"From: " + b"(" * MILLION + b"\r\n",
        b"BIMI-Selector: v=BIMI1; s=" + b"x" * MILLION + b"\r\n",
    ],
)
def test_large_headers(field: bytes) -> None:
    found = auth(field + FROM + b"\r\nbody\r\n")
    for result in (found.dkim, found.arc, found.dmarc, found.bimi):
        assert result.result in ("none", "fail", "policy", "permerror", "neutral"), result
        assert result.sentence
        assert len(result.sentence) < 1000


def test_large_records() -> None:
    dns = FakeDns()
    text = b"v=spf1 " + b"ip4:192.0.2.1 " * 4000 + b"-all"
    for name in ("shop.test", "_dmarc.shop.test"):
        wire = b"".join(
            bytes([len(text[at : at + 250])]) + text[at : at + 250] for at in range(0, len(text), 250)
        )
        dns.zones.add(record(name, "TXT", wire))
    found = SenderAuthentication(dns.facts(content=FROM + b"\r\n"))
    assert (found.spf, found.dmarc) == ("fail", "none")


def test_a_thousand_records_at_one_name() -> None:
    zone = "".join(
        f'shop.test TXT "v=spf1 {number}"\n_dmarc.shop.test TXT "v=DMARC1; x={number}"\n'
        for number in range(1000)
    )
    found = auth(FROM + b"\r\n", zone)
    assert (found.spf, found.dmarc) == ("permerror", "permerror")


def test_the_questions_of_one_message_are_bounded() -> None:
    wide = " ".join(f"mx:m{number}.test" for number in range(10))
    zone = f'shop.test TXT "v=spf1 {wide} exp=x.test -all"\n'
    for number in range(10):
        for host in range(10):
            zone += f"m{number}.test MX {host} h{number}-{host}.test.\nh{number}-{host}.test A 198.51.100.1\n"
    dns = FakeDns(zone)
    content = SIGNATURE * 50 + b"From: ann@a.b.c.d.e.f.g.h.i.j.k.shop.test\r\n\r\n"
    found = SenderAuthentication(dns.facts(content=content))
    found.complete()
    assert found.spf == "fail"
    # RFC 7208 §4.6.4 allows ten terms with ten names each.
    assert len(dns.asked) < 150
