"""Messages and zones that are made to be a burden: each check ends with a reason, and in proportion to the size.

None of these would end within the time limit of the tests if the work grew faster than what it is given.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fake_dns import FakeDns
from fakemail.dkim.dkim_verify import SignedMessage
from fakemail.dns.records import record
from fakemail.policy.authentication import SenderAuthentication, complete

KEY = 's._domainkey.shop.test TXT "v=DKIM1; p=" "' + "A" * 100 + '"\n'
SIGNATURE = (
    b"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=shop.test; s=s; h=from; bh=AAAA; b=AAAA\r\n"
)
FROM = b"From: ann@shop.test\r\n"
SIZES = [
    pytest.param(200_000, id="small", marks=pytest.mark.timeout(20)),
    pytest.param(1_000_000, id="large", marks=pytest.mark.slow),
]


def auth(content: bytes, zone: str = "") -> SenderAuthentication:
    return SenderAuthentication(FakeDns(KEY + zone).facts(content=content))


BODIES = {
    "letters": (b"x", 30),
    "spaces": (b" ", 30),
    "lines": (b"\r\n", 3),
    "space-lines": (b" \r\n", 5),
    "cr": (b"\r", 10),
    "lf": (b"\n", 10),
    "mixed": (b"\t \r", 2),
}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("piece", "times"), BODIES.values(), ids=BODIES)
def test_large_bodies(piece: bytes, times: int, size: int) -> None:
    body = piece * times * size
    found = auth(SIGNATURE + FROM + b"\r\n" + body)
    assert found.dkim == "permerror"
    ending = SIGNATURE.replace(b"bh=AAAA", b"l=0; bh=AAAA")
    assert auth(ending + FROM + b"\r\n" + body).dkim == "permerror"
    message = SignedMessage(FROM + b"\r\n" + body)
    assert len(message.body_hash("relaxed", "sha256", None)) == 32
    assert len(message.body_hash("simple", "sha256", 10)) == 32


FIELDS: dict[str, Callable[[int], bytes]] = {
    "tags": lambda size: b"DKIM-Signature: " + b"a=b;" * size + b"\r\n",
    "folds": lambda size: b"DKIM-Signature: " + b" \r\n\t" * (size // 4) + b"\r\n",
    "h=": lambda size: SIGNATURE.replace(b"h=from", b"h=" + b"from:" * size + b"from"),
    "b=": lambda size: SIGNATURE.replace(b"b=AAAA", b"b=" + b" A" * size),
    "d=": lambda size: SIGNATURE.replace(b"d=shop.test", b"d=" + b"a." * size + b"test"),
    "signatures": lambda size: SIGNATURE * (size // 100),
    "fields": lambda size: b"X: y\r\n" * (size // 4) + SIGNATURE,
    "seals": lambda size: b"ARC-Seal: i=1; cv=none\r\n" * (size // 20),
    "comments of results": lambda size: b"ARC-Authentication-Results: " + b"(" * size + b"\r\n",
    "instances": lambda _: b"".join(b"ARC-Seal: i=%d; a=b\r\n" % number for number in range(1, 100)),
    "authors": lambda size: b"From: " + b"a@b.test, " * (size // 10) + b"\r\n",
    "comments": lambda size: b"From: " + b"(" * size + b"\r\n",
    "selector": lambda size: b"BIMI-Selector: v=BIMI1; s=" + b"x" * size + b"\r\n",
}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("field", FIELDS.values(), ids=FIELDS)
def test_large_headers(field: Callable[[int], bytes], size: int) -> None:
    found = auth(field(size) + FROM + b"\r\nbody\r\n")
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
    complete(found)
    assert found.spf == "fail"
    # RFC 7208 §4.6.4 allows ten terms with ten names each.
    assert len(dns.asked) < 150
