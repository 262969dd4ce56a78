"""ARC chains: those that dkimpy seals, and all that can be wrong with one (RFC 8617 §5.2)."""

from __future__ import annotations

import base64
import re
from functools import lru_cache

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from fakemail.dkim.arc_verify import ArcChain, verify_chain
from fakemail.dkim.dkim_verify import SignedMessage
from fakemail.dkim.key_record import TxtAnswer

MESSAGE = (
    b"From: Ann <ann@shop.test>\r\nTo: list@lists.example\r\nSubject: News\r\n"
    b"Date: Sun, 1 Mar 2026 12:00:00 +0000\r\nMessage-ID: <1@shop.test>\r\n"
    b"\r\nHello all.\r\n"
)
SEALERS = ("lists.example", "relay.example", "mx.example")


@lru_cache
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def record() -> bytes:
    public = key().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return b"v=DKIM1; p=" + b"".join(public.splitlines()[1:-1])


def sealed(raw: bytes = MESSAGE, *, by: str = SEALERS[0], found: str = "arc=none") -> bytes:
    """The message with one ARC set more, sealed by dkimpy."""
    pem = key().private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    raw = f"Authentication-Results: {by}; {found}; spf=pass smtp.mailfrom=shop.test\r\n".encode() + raw
    fields = dkim.arc_sign(
        raw,
        b"arc",
        by.encode(),
        pem,
        by.encode(),
        include_headers=[b"from", b"to", b"subject", b"date", b"message-id"],
    )
    return b"".join(fields) + raw


def chain_of(count: int) -> bytes:
    raw = sealed()
    for by in SEALERS[1:count]:
        raw = sealed(raw, by=by, found="arc=pass")
    return raw


def check(raw: bytes, answer: str | bytes | None = None) -> ArcChain:
    def look_up(name: str) -> TxtAnswer:
        if isinstance(answer, str):
            return TxtAnswer(answer)
        return TxtAnswer("NOERROR", (record() if answer is None else answer,))

    return verify_chain(SignedMessage(raw), look_up)


def test_message_without_a_chain() -> None:
    assert check(MESSAGE) == ArcChain("none", "there is no ARC set in it")


@pytest.mark.parametrize("count", [1, 2, 3])
def test_chains_that_dkimpy_seals(count: int) -> None:
    found = check(chain_of(count))
    assert (found.result, len(found.sets)) == ("pass", count), found.sentence
    assert [each.instance for each in found.sets] == list(range(1, count + 1))
    assert [each.domain for each in found.sets] == list(SEALERS[:count])
    assert [each.claim for each in found.sets] == ["none", "pass", "pass"][:count]
    assert found.oldest_pass == 0
    assert found.sets[0].authentication.startswith("lists.example;")


def test_who_altered_the_message_is_seen_from_the_oldest_set_that_holds() -> None:
    altered = sealed().replace(b"Hello all.", b"Hello all.\r\n-- \r\nthe list")
    found = check(sealed(altered, by=SEALERS[1], found="arc=pass"))
    assert (found.result, found.oldest_pass) == ("pass", 2)
    assert [each.message_signature for each in found.sets] == ["fail", "pass"]
    assert "the body was changed" in found.sets[0].sentence


@pytest.mark.parametrize(
    ("what", "old", "new", "why"),
    [
        ("body", b"Hello", b"Hullo", "set 2: the body was changed"),
        ("subject", b"Subject: News", b"Subject: Olds", "set 2: the signature does not fit"),
        (
            "results",
            b"ARC-Authentication-Results: i=1; lists",
            b"ARC-Authentication-Results: i=1; mists",
            "set 2",
        ),
    ],
)
def test_what_is_altered_after_the_last_seal(what: str, old: bytes, new: bytes, why: str) -> None:
    raw = chain_of(2)
    assert old in raw, what
    found = check(raw.replace(old, new))
    assert (found.result, why in found.sentence) == ("fail", True), found.sentence


def remove(raw: bytes, name: bytes, instance: int) -> bytes:
    return re.sub(rb"%s: i=%d;(?:.*\r\n[ \t])*.*\r\n" % (name, instance), b"", raw)


@pytest.mark.parametrize("name", [b"ARC-Seal", b"ARC-Message-Signature", b"ARC-Authentication-Results"])
@pytest.mark.parametrize("instance", [1, 2])
def test_incomplete_sets(name: bytes, instance: int) -> None:
    raw = chain_of(2)
    shorter = remove(raw, name, instance)
    assert len(shorter) < len(raw)
    found = check(shorter)
    assert found.result == "fail"
    assert f"set {instance} of the chain is not complete" in found.sentence


def test_missing_and_double_sets() -> None:
    raw = chain_of(2)
    without = raw
    for name in (b"ARC-Seal", b"ARC-Message-Signature", b"ARC-Authentication-Results"):
        without = remove(without, name, 1)
    assert check(without).sentence == "set 1 of the chain is missing"
    seal = re.search(rb"ARC-Seal: i=2;(?:.*\r\n[ \t])*.*\r\n", raw)
    assert seal is not None
    assert "two fields ARC-Seal" in check(seal[0] + raw).sentence


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        (b"cv=none", b"cv=pass", "set 1 says cv=pass, which cannot be"),
        (b"cv=pass", b"cv=none", "set 2 says cv=none, which cannot be"),
        (b"cv=pass", b"cv=fail", "has sealed it as broken"),
        (b"ARC-Seal: i=2", b"ARC-Seal: i=0", "has the number 0"),
        (b"ARC-Seal: i=2", b"ARC-Seal: i=51", "has the number 51"),
        (b"ARC-Seal: i=2", b"ARC-Seal: i=x", "has no number i="),
        (b"ARC-Seal: i=2;", b"ARC-Seal: ;;;", "is malformed"),
        (b"ARC-Seal: i=2;", b"ARC-Seal: i=2; h=from;", "has h="),
        (b"ARC-Seal: i=2;", b"ARC-Seal: i=2; q", "malformed"),
    ],
)
def test_malformed_chains(old: bytes, new: bytes, why: str) -> None:
    raw = chain_of(2)
    assert old in raw
    found = check(raw.replace(old, new))
    assert (found.result, why in found.sentence) == ("fail", True), found.sentence


def test_keys_that_cannot_be_had() -> None:
    raw = chain_of(2)
    assert check(raw, "SERVFAIL").result == "temperror"
    assert check(raw, "NXDOMAIN").result == "fail"
    assert "there is no key arc._domainkey.relay.example" in check(raw, "NXDOMAIN").sentence
    assert "is revoked" in check(raw, b"v=DKIM1; p=").sentence


# RFC 8617 appendix B, shortened to its ARC fields; nobody has the keys of its sealers.
APPENDIX_B = b"""\
ARC-Seal: i=3; a=rsa-sha256; cv=pass; d=clochette.example.org; s=
 clochette; t=12345; b=CU87XzXlNlk5X/yW4l73UvPUcP9ivwYWxyBWcVrRs7
 +HPx3K05nJhny2fvymbReAmOA9GTH/y+k9kEc59hAKVg==
ARC-Message-Signature: i=3; a=rsa-sha256; c=relaxed/relaxed; d=
 clochette.example.org; h=message-id:date:from:to:subject; s=
 clochette; t=12345; bh=KWSe46TZKCcDbH4klJPo+tjk5LWJnVRlP5pvjXFZY
 LQ=; b=o71vwyLsK+Wm4cOSlirXoRwzEvi0vqIjd/2/GkYFYlSd/GGfKzkAgPqxf
 K7ccBMP7Zjb/mpeggswHjEMS8x5NQ==
ARC-Authentication-Results: i=3; clochette.example.org; spf=fail
 smtp.from=jqd@d1.example; dkim=fail (512-bit key)
 header.i=@d1.example; dmarc=fail; arc=pass (as.2.gmail.example=pass,
 ams.2.gmail.example=pass, as.1.lists.example.org=pass,
 ams.1.lists.example.org=fail (message has been altered))
ARC-Seal: i=2; a=rsa-sha256; cv=pass; d=gmail.example; s=20120806; t=
 12345; b=Zpukh/kJL4Q7Kv391FKwTepgS56dgHIcdhhJZjsalhqkFIQQAJ4T9BE
 8jjLXWpRNuh81yqnT1/jHn086RwezGw==
ARC-Message-Signature: i=2; a=rsa-sha256; c=relaxed/relaxed; d=
 gmail.example; h=message-id:date:from:to:subject; s=20120806; t=
 12345; bh=KWSe46TZKCcDbH4klJPo+tjk5LWJnVRlP5pvjXFZYLQ=; b=CVoG44
 cVZvoSs2mMig2wwqPaJ4OZS5XGMCegWqQs1wvRZJS894tJM0xO1RJLgCPsBOxdA5
 9WSqI9s9DfyKDfWg==
ARC-Authentication-Results: i=2; gmail.example; spf=fail
 smtp.from=jqd@d1.example; dkim=fail (512-bit key)
 header.i=@example.org; dmarc=fail; arc=pass
 (as.1.lists.example.org=pass, ams.1.lists.example.org=pass)
ARC-Seal: i=1; a=rsa-sha256; cv=none; d=lists.example.org; s=dk-lists;
 t=12345; b=TlCCKzgk3TrAa+G77gYYO8Fxk4q/Ml0biqduZJeOYh6+0zhwQ8u/
 lHxLi21pxu347isLSuNtvIagIvAQna9a5A==
ARC-Message-Signature: i=1; a=rsa-sha256; c=relaxed/relaxed; d=
 lists.example.org; h=message-id:date:from:to:subject; s=
 dk-lists; t=12345; bh=KWSe46TZKCcDbH4klJPo+tjk5LWJnVRlP5pvjXFZYL
 Q=; b=DsoD3n3hiwlrN1ma8IZQFgZx8EDO7Wah3hUjIEsYKuShRKYB4LwGUiKD5Y
 yHgcIwGHhSc/4+ewYqHMWDnuFxiQ==
ARC-Authentication-Results: i=1; lists.example.org; spf=pass
 smtp.mfrom=jqd@d1.example; dkim=pass (512-bit key)
 header.i=@d1.example; dmarc=pass
Message-ID: <54B84785.1060301@d1.example>
Date: Thu, 14 Jan 2015 15:00:01 -0800
From: John Q Doe <jqd@d1.example>
To: arc@dmarc.example
Subject: [List 2] Example 1

Hey gang,
This is a test message.
--J.
""".replace(b"\n", b"\r\n")


def test_the_example_of_rfc_8617_appendix_b_is_read() -> None:
    found = check(APPENDIX_B, "NXDOMAIN")
    assert [(each.domain, each.selector, each.claim) for each in found.sets] == [
        ("lists.example.org", "dk-lists", "none"),
        ("gmail.example", "20120806", "pass"),
        ("clochette.example.org", "clochette", "pass"),
    ]
    assert (found.result, found.sentence) == (
        "fail",
        "set 3: there is no key clochette._domainkey.clochette.example.org",
    )
    # The hash of its body is that of the example, so the canonical form is right.
    message = SignedMessage(APPENDIX_B)
    assert base64.b64encode(message.body_hash("relaxed", "sha256", None)) == (
        b"KWSe46TZKCcDbH4klJPo+tjk5LWJnVRlP5pvjXFZYLQ="
    )
