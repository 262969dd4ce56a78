"""DKIM signatures: vectors of RFC 6376 and RFC 8463, what dkimpy signs, and all that can be wrong."""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import dkim
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from fakemail.dkim.canonicalization import signed_header
from fakemail.dkim.dkim_verify import MAX_SIGNATURES, SignatureCheck, SignedMessage, verify
from fakemail.dkim.key_record import TxtAnswer

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)

JOE = b"""\
From: Joe SixPack <joe@football.example.com>
To: Suzie Q <suzie@shopping.example.net>
Subject: Is dinner ready?
Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)
Message-ID: <20030712040037.46341.5F8J@football.example.com>

Hi.

We lost the game. Are you hungry yet?

Joe.
"""
# RFC 6376 appendix A.2; the figure has lost the indentation of six and a space of the body.
RFC_6376 = (
    b"""\
DKIM-Signature: v=1; a=rsa-sha256; s=brisbane; d=example.com;
      c=simple/simple; q=dns/txt; i=joe@football.example.com;
      h=Received : From : To : Subject : Date : Message-ID;
      bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
      b=AuUoFEfDxTDkHlLXSZEpZj79LICEps6eda7W3deTVFOk4yAUoqOB
      4nujc7YopdG5dWLSdNg6xNAZpOPr+kHxt1IrE+NahM6L/LbvaHut
      KVdkLLkpVaVVQPzeRDI009SO2Il5Lu7rDNH6mZckBdrIx0orEtZV
      4bmp/YzhwvcubU4=;
Received: from client1.football.example.com  [192.0.2.1]
      by submitserver.example.com with SUBMISSION;
      Fri, 11 Jul 2003 21:01:54 -0700 (PDT)
"""
    + JOE
).replace(b"\n", b"\r\n")
# RFC 8463 appendix A.3
RFC_8463 = (
    b"""\
DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=brisbane; t=1528637909; h=from : to :
 subject : date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus
 Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==
DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=test; t=1528637909; h=from : to : subject :
 date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3
 DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz
 dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=
"""
    + JOE
).replace(b"\n", b"\r\n")
RFC_KEYS = {
    # RFC 6376 appendix C
    "brisbane._domainkey.example.com": (
        b"v=DKIM1; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDwIRP/UC3SBsEmGqZ9ZJW3/DkMoGeLnQg1fWn7/zYt"
        b"IxN2SnFCjxOCKG9v3b4jYfcTNh5ijSsq631uBItLa7od+v/RtdC2UzJ1lWT947qR+Rcac2gbto/NMqJ0fzfVjH4OuKhi"
        b"tdY9tf6mcwGjaNBcWToIMmPSPDdQPNUYckcQ2QIDAQAB"
    ),
    # RFC 8463 appendix A.2
    "brisbane._domainkey.football.example.com": (
        b"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
    ),
    "test._domainkey.football.example.com": (
        b"v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWR"
        b"iGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutAC"
        b"DfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3"
        b"Ip3G+2kryOTIKT+l/K4w3QIDAQAB"
    ),
}

# A key that nothing makes any more; it is of this test alone.
WEAK_KEY = b"""\
-----BEGIN RSA PRIVATE KEY-----
MIIByQIBAAJhAL3JXtuU/YCAz+5N+R4LuHBtpjiE92aWfA6DtmTb7X/TCfmJUerr
KdiQGOHjiB8JIeYVItq+cqOOXGoGLB42mYwrNDHLM9KhAkxFPf0NRnd9r6dKA4yM
CD5b7ztB2T7ToQIDAQABAmA48cLUf8/QTtYU2rB0o2+jzEKjksHoth5i/IItoQ+R
2vCTPvClXAoiQJo2rN6a8VIFQAu3EzrjDBp0ZcrqJHu7hlpSIEBnB9VtbI2XCFot
9O3Wny+ZaV/scwQ4i+qHFwECMQD5TSo6lGyiGGwKusMq6dA/ELGmavOhTXpHUjWb
3/RVMCCpbd9S74SHeLF1DpdRGl0CMQDC4tRJ8SHWCx0mbPSDCM3iOAMpwRO6562n
MFZx+NBIBEq6M4vYoqRXcsA6OKIfshUCMD47rRcChjvQrOfgx2enBn03xaEtgbP6
i1PSid9ngK7jXMPu0Zj6gbLvxhzaj5uHYQIwEnwBNqIwW2TiduqOpn8HSBWX9zXg
8TFYPytOh7DZ0HrXu6F3+iwy+jhgEyWb+vWhAjBHGwtKth4guEACMzw5gZv1cAlB
vBDPL++WjmdFxZ/mNHTMNLY98D47JuWsQBoC/ls=
-----END RSA PRIVATE KEY-----
"""
WEAK_RECORD = (
    b"v=DKIM1; p=MHwwDQYJKoZIhvcNAQEBBQADawAwaAJhAL3JXtuU/YCAz+5N+R4LuHBtpjiE92aWfA6DtmTb7X/TCfmJUerrKdiQGO"
    b"HjiB8JIeYVItq+cqOOXGoGLB42mYwrNDHLM9KhAkxFPf0NRnd9r6dKA4yMCD5b7ztB2T7ToQIDAQAB"
)

MESSAGE = (
    b"From: Ann <ann@shop.test>\r\nTo: bob@example.org\r\nSubject: News \t of\r\n\tthe   week\r\n"
    b"Date: Sun, 1 Mar 2026 12:00:00 +0000\r\nMessage-ID: <1@shop.test>\r\n"
    b"\r\nDear Bob,  \r\n\r\n  a line\twith\t\t space \r\n\r\n\r\n"
)


@lru_cache
def rsa_key(bits: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


@lru_cache
def ed_key() -> ed25519.Ed25519PrivateKey:
    return ed25519.Ed25519PrivateKey.generate()


def rsa_record(bits: int = 2048) -> bytes:
    der = rsa_key(bits).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return b"v=DKIM1; k=rsa; p=" + base64.b64encode(der)


def ed_record() -> bytes:
    raw = ed_key().public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return b"v=DKIM1; k=ed25519; p=" + base64.b64encode(raw)


def signed(
    raw: bytes = MESSAGE,
    *,
    kind: str = "rsa",
    bits: int = 2048,
    selector: str = "s1",
    domain: str = "shop.test",
    canonical: tuple[bytes, bytes] = (b"relaxed", b"relaxed"),
    length: bool = False,
    identity: str | None = None,
) -> bytes:
    """A message with a signature that dkimpy has made."""
    if kind == "rsa":
        pem = rsa_key(bits).private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    else:
        pem = base64.b64encode(ed_key().private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption()))
    field = dkim.sign(
        raw,
        selector.encode(),
        domain.encode(),
        pem,
        signature_algorithm=f"{kind}-sha256".encode(),
        canonicalize=canonical,
        length=length,
        identity=identity.encode() if identity else None,
        include_headers=[b"from", b"to", b"subject", b"date", b"message-id"],
    )
    return bytes(field) + raw


def by_hand(raw: bytes, **tags: str) -> bytes:
    """A message with a good signature that says just these things of itself."""
    known = {"v": "1", "a": "rsa-sha256", "c": "relaxed/relaxed", "d": "shop.test", "s": "s1", "h": "from:to"}
    known |= tags
    digest = known["a"].partition("-")[2]
    message = SignedMessage(raw)
    header, _, body = known["c"].partition("/")
    length = int(known["l"]) if "l" in known else None
    known["bh"] = base64.b64encode(message.body_hash(body or "simple", digest, length)).decode()
    own = (
        b"DKIM-Signature: " + "; ".join(f"{name}={value}" for name, value in known.items()).encode() + b"; b="
    )
    data = signed_header(message.stack.select(known["h"].split(":")), own, header)
    value = rsa_key(2048).sign(data, PKCS1v15(), hashes.SHA1() if digest == "sha1" else hashes.SHA256())
    return own + base64.b64encode(value) + b"\r\n" + raw


def check(
    raw: bytes, records: dict[str, bytes | str] | None = None, *, now: datetime = NOW
) -> tuple[SignatureCheck, ...]:
    """Check against these TXT records; one given as text is how the question ends."""

    def look_up(name: str) -> TxtAnswer:
        found = (records or {}).get(name)
        if isinstance(found, str):
            return TxtAnswer(found)
        return TxtAnswer("NXDOMAIN") if found is None else TxtAnswer("NOERROR", (found,))

    return verify(SignedMessage(raw), look_up, now)


def one(raw: bytes, record: bytes | str | None = None, *, now: datetime = NOW) -> SignatureCheck:
    (found,) = check(raw, {"s1._domainkey.shop.test": rsa_record() if record is None else record}, now=now)
    return found


def with_tags(raw: bytes, **tags: str) -> bytes:
    """The message with tags of its signature replaced or added; the signature will not fit any more."""
    head, _, rest = raw.partition(b"\r\nFrom:")
    for name, value in tags.items():
        head, count = re.subn(rb"(?<=[ ;])%s=[^;]*" % name.encode(), f"{name}={value}".encode(), head)
        if not count:
            head = head.replace(b": v=1;", f": v=1; {name}={value};".encode())
    return head + b"\r\nFrom:" + rest


def test_vector_of_rfc_6376_appendix_a() -> None:
    (found,) = check(RFC_6376, dict(RFC_KEYS))
    assert (found.result, found.sentence) == ("pass", "the signature of example.com is good")
    assert found.identity == "joe@football.example.com"
    assert found.signed == ("received", "from", "to", "subject", "date", "message-id")


def test_vectors_of_rfc_8463_appendix_a() -> None:
    found = check(RFC_8463, dict(RFC_KEYS))
    assert [(each.algorithm, each.selector, each.result) for each in found] == [
        ("ed25519-sha256", "brisbane", "pass"),
        ("rsa-sha256", "test", "pass"),
    ]


@pytest.mark.parametrize("vector", [RFC_6376, RFC_8463])
@pytest.mark.parametrize(
    ("old", "new", "why"),
    [(b"hungry", b"angry", "the body was changed"), (b"Suzie", b"Susie", "the signature does not fit")],
)
def test_vectors_do_not_pass_when_they_are_altered(vector: bytes, old: bytes, new: bytes, why: str) -> None:
    for found in check(vector.replace(old, new), dict(RFC_KEYS)):
        assert found.result == "fail"
        assert why in found.sentence


@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
@pytest.mark.parametrize("header", [b"simple", b"relaxed"])
@pytest.mark.parametrize("body", [b"simple", b"relaxed"])
@pytest.mark.parametrize("text", [MESSAGE, MESSAGE.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"])
def test_what_dkimpy_signs_is_good(kind: str, header: bytes, body: bytes, text: bytes) -> None:
    raw = signed(text, kind=kind, canonical=(header, body))
    record = rsa_record() if kind == "rsa" else ed_record()
    found = one(raw, record)
    assert (found.result, found.algorithm) == ("pass", f"{kind}-sha256")
    assert one(raw.replace(b"ann@", b"eve@"), record).result == "fail"


def test_relaxed_form_survives_white_space_and_simple_form_does_not() -> None:
    relaxed, simple = signed(), signed(canonical=(b"simple", b"simple"))
    for raw, result in ((relaxed, "pass"), (simple, "fail")):
        assert one(raw.replace(b"Dear Bob,  \r\n", b"Dear  Bob,\r\n")).result == result
        assert one(raw.replace(b"\r\nTo: bob", b"\r\nTO:   bob")).result == result


def test_each_of_several_signatures_has_its_result() -> None:
    raw = signed(signed(signed(), selector="s2"), kind="ed25519", selector="ed")
    records = {"s1._domainkey.shop.test": rsa_record(), "ed._domainkey.shop.test": ed_record()}
    found = check(raw, dict(records))
    assert [(each.selector, each.result) for each in found] == [
        ("ed", "pass"),
        ("s2", "permerror"),
        ("s1", "pass"),
    ]
    assert found[1].sentence == "there is no key s2._domainkey.shop.test"


def test_text_may_be_appended_where_the_length_is_signed() -> None:
    raw = signed(MESSAGE.rstrip(b"\r\n") + b"\r\n", length=True)
    found = one(raw + b"An advertisement.\r\n")
    assert found.result == "pass"
    assert found.length is not None
    assert f"the first {found.length} octets" in found.sentence
    assert one(raw.replace(b"Dear", b"Dead")).result == "fail"


def test_length_that_the_body_does_not_have() -> None:
    raw = signed(length=True)
    assert "is more than the body has" in one(with_tags(raw, l="9999")).sentence
    assert one(with_tags(raw, l="9" * 77)).result == "permerror"


def test_expiry_is_by_the_given_time() -> None:
    made = int(NOW.timestamp())
    raw = by_hand(MESSAGE, t=str(made), x=str(made + 60))
    assert one(raw, now=NOW + timedelta(seconds=60)).result == "pass"
    late = one(raw, now=NOW + timedelta(seconds=61))
    assert (late.result, late.sentence) == (
        "fail",
        f"the signature has expired: x={made + 60} is before 2026-03-01 12:01:01",
    )
    assert one(with_tags(raw, x=str(made - 1))).result == "permerror"


@pytest.mark.parametrize(
    ("record", "result", "why"),
    [
        ("NXDOMAIN", "permerror", "there is no key s1._domainkey.shop.test"),
        ("NODATA", "permerror", "there is no key"),
        ("SERVFAIL", "temperror", "could not be looked up: SERVFAIL"),
        ("TIMEOUT", "temperror", "could not be looked up: TIMEOUT"),
        (b"v=DKIM1; p=", "permerror", "is revoked"),
        (b"v=DKIM1; k=rsa", "permerror", "it has no p="),
        (b"v=DKIM1; p=!!!!", "permerror", "is malformed: its p= is no base64"),
        (b"v=DKIM1; p=AAAA", "permerror", "is malformed: its p= is no RSA key"),
        (b"v=DKIM1; k=ed25519; p=AAAA", "permerror", "is malformed: its p= is no Ed25519 key"),
        (b"v=DKIM1; k=dsa; p=AAAA", "permerror", "of an unknown kind: k=dsa"),
        (b"v=DKIM2; p=AAAA", "permerror", "v=DKIM1 has to come first"),
        (b"k=rsa; v=DKIM1; p=AAAA", "permerror", "v=DKIM1 has to come first"),
        (b"v=DKIM1; s=tlsrpt; p=AAAA", "permerror", "is not for mail"),
        (b"v=DKIM1; p=A; p=B", "permerror", "p= stands there twice"),
        (b"hello", "permerror", "is no tag"),
        (b"\xff\xfe\x00", "permerror", "is no tag"),
        (b"", "permerror", "it has no p="),
    ],
)
def test_what_can_be_wrong_with_a_key(record: bytes | str, result: str, why: str) -> None:
    found = one(signed(), record)
    assert (found.result, why in found.sentence) == (result, True), found.sentence


def test_keys_that_do_not_fit_the_algorithm() -> None:
    raw = signed()
    assert "its key is of kind ed25519" in one(raw, ed_record()).sentence
    assert "is not for sha256" in one(raw, rsa_record() + b"; h=sha1").sentence
    assert one(raw, rsa_record() + b"; h=sha1:sha256; s=email; n=note").result == "pass"
    assert one(raw, rsa_record(1024)).result == "fail"


def test_weak_keys_do_not_count() -> None:
    field = dkim.sign(MESSAGE, b"s1", b"shop.test", WEAK_KEY, include_headers=[b"from"])
    found = one(bytes(field) + MESSAGE, WEAK_RECORD)
    assert (found.result, found.sentence) == (
        "policy",
        "the key of shop.test has 768 bits, fewer than 1024",
    )  # RFC 8301 §3.2
    assert one(signed(bits=1024), rsa_record(1024)).result == "pass"


def test_domains_on_trial() -> None:
    trial = rsa_record() + b"; t=y"
    good = one(signed(), trial)
    assert (good.result, good.is_testing) == ("pass", True)
    bad = one(signed().replace(b"Dear", b"Dead"), trial)
    assert (bad.result, "on trial" in bad.sentence) == ("neutral", True)


def test_identity_has_to_be_in_the_domain() -> None:
    below = signed(identity="ann@mail.shop.test")
    assert one(below).result == "pass"
    assert "t=s" in one(below, rsa_record() + b"; t=s").sentence
    assert one(signed(identity="ann@shop.test"), rsa_record() + b"; t=s").result == "pass"
    assert "which is not in its domain" in one(with_tags(signed(), i="ann@eve.test")).sentence


@pytest.mark.parametrize(
    ("tags", "why"),
    [
        ({"v": "2"}, "version"),
        ({"a": "rsa-md5"}, "algorithm is unknown"),
        ({"c": "nice/relaxed"}, "canonicalization is unknown"),
        ({"q": "http"}, "cannot be asked for"),
        ({"h": "to:subject"}, "does not cover the From field"),
        ({"d": "localhost"}, "no domain name"),
        ({"d": ""}, "has no d="),
        ({"s": "a..b"}, "no selector"),
        ({"b": "???"}, "b= is no base64"),
        ({"bh": "???"}, "bh= is no base64"),
        ({"t": "now"}, "t= is no number"),
        ({"x": "-1"}, "x= is no number"),
    ],
)
def test_malformed_signatures(tags: dict[str, str], why: str) -> None:
    found = one(with_tags(signed(), **tags))
    assert (found.result, why in found.sentence) == ("permerror", True), found.sentence


@pytest.mark.parametrize(
    "value", [b"", b";;;", b"v", b"v=1; v=1", b"\xff=1", b"=" * 100, b"b=" + b";b=" * 5000]
)
def test_garbage_in_the_place_of_a_signature(value: bytes) -> None:
    (found,) = check(b"DKIM-Signature: " + value + b"\r\n" + MESSAGE)
    assert found.result == "permerror"


def test_a_message_with_fifty_signatures() -> None:
    asked = []

    def look_up(name: str) -> TxtAnswer:
        asked.append(name)
        return TxtAnswer("NXDOMAIN")

    raw = b"".join(signed(selector=f"s{number}")[: -len(MESSAGE)] for number in range(50)) + MESSAGE
    found = verify(SignedMessage(raw), look_up, NOW)
    assert len(found) == 50
    assert len(asked) == MAX_SIGNATURES
    assert [each.result for each in found].count("policy") == 50 - MAX_SIGNATURES
    assert "50 signatures are more than the 10 that are checked" in found[-1].sentence


def test_rsa_sha1_does_not_count() -> None:
    found = one(by_hand(MESSAGE, a="rsa-sha1"))
    assert (found.result, "rsa-sha1" in found.sentence) == ("policy", True)  # RFC 8301 §3.1


@pytest.mark.parametrize("lines", [4_200, pytest.param(42_000, marks=pytest.mark.slow)])
def test_a_large_body_is_hashed_once(lines: int) -> None:
    raw = by_hand(by_hand(MESSAGE + (b"x" * 700 + b" \t\r\n") * lines), c="relaxed/relaxed")
    message = SignedMessage(raw)
    found = verify(message, lambda name: TxtAnswer("NOERROR", (rsa_record(),)), NOW)
    assert [each.result for each in found] == ["pass", "pass"]
    assert len(message._hashes) == 1
