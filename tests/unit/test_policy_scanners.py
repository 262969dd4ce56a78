"""The protocols of real scanners, as octets: what each is sent, and what its answers mean."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakemail.policy.finding import AuthStatus
from fakemail.policy.scanners import SCANNERS, ScanRequest, ScanResult
from fakemail.types.reason import Reason

spamassassin, rspamd, clamav = (SCANNERS[name] for name in ("spamassassin", "rspamd", "clamav"))

RAW = b"From: ann@shop.test\r\n\r\nHello\r\n"
QUESTION = ScanRequest(
    RAW, "192.0.2.9", "mail.shop.test", "ann@shop.test", ("bob@example.org", "joe@example.org")
)
SPAM = b"SPAMD/1.1 0 EX_OK\r\nContent-length: 20\r\nSpam: True ; 1003.4 / 5.0\r\n\r\nGTUBE,MISSING_DATE\r\n"
HAM = b"SPAMD/1.1 0 EX_OK\r\nContent-length: 2\r\nSpam: False ; -0.1 / 5.0\r\n\r\n\r\n"


def answered(**changes: object) -> bytes:
    found = {"action": "no action", "score": 1.5, "required_score": 15.0, "symbols": {}, **changes}
    body = json.dumps(found).encode()
    return b"HTTP/1.0 200 OK\r\nServer: rspamd/3.4\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def test_spamd_is_asked_for_the_rules_that_match() -> None:
    assert spamassassin.request(QUESTION) == b"SYMBOLS SPAMC/1.5\r\nContent-length: 30\r\n\r\n" + RAW


def test_clamd_is_sent_chunks() -> None:
    assert clamav.request(QUESTION) == b"zINSTREAM\0" + b"\0\0\0\x1e" + RAW + bytes(4)
    large = clamav.request(ScanRequest(b"x" * 100_000))
    assert len(large) == 10 + 100_000 + 3 * 4
    assert large[10:14] == b"\0\x01\0\0"
    assert clamav.request(ScanRequest(b"")) == b"zINSTREAM\0" + bytes(4)


def test_rspamd_is_told_the_envelope() -> None:
    head, _, body = rspamd.request(QUESTION).partition(b"\r\n\r\n")
    assert body == RAW
    assert head.split(b"\r\n") == [
        b"POST /checkv2 HTTP/1.0",
        b"Content-Length: 30",
        b"IP: 192.0.2.9",
        b"Helo: mail.shop.test",
        b"From: ann@shop.test",
        b"Rcpt: bob@example.org",
        b"Rcpt: joe@example.org",
    ]


def test_nothing_in_an_envelope_ends_a_field() -> None:
    request = rspamd.request(ScanRequest(RAW, sender="a\r\nX: 1@shop.test", helo="grüße"))
    assert b"From: a??X: 1@shop.test\r\n" in request
    assert b"Helo: gr??e\r\n" in request.replace("ü".encode(), b"?") or b"Helo: gr??e" in request


@pytest.mark.parametrize(
    ("read", "answer", "scan"),
    [
        (spamassassin.read, SPAM, ScanResult("spamassassin", True, 1003.4, 5.0, ("GTUBE", "MISSING_DATE"))),
        (spamassassin.read, HAM, ScanResult("spamassassin", False, -0.1, 5.0)),
        (clamav.read, b"stream: OK\0", ScanResult("clamav")),
        (
            clamav.read,
            b"stream: Win.Test.EICAR_HDB-1 FOUND\0",
            ScanResult("clamav", True, names=("Win.Test.EICAR_HDB-1",)),
        ),
        (rspamd.read, answered(), ScanResult("rspamd", False, 1.5, 15.0, advice="no action")),
        (rspamd.read, answered(action="greylist", score=5), ScanResult("rspamd", False, 5, 15.0, advice="greylist")),
        (
            rspamd.read,
            answered(action="reject", symbols={"GTUBE": {"score": 0}, "X": {"score": 2.5}, "Y": {}}),
            ScanResult("rspamd", True, 1.5, 15.0, ("X", "Y"), "reject"),
        ),
    ],
)  # fmt: skip
def test_an_answer(read, answer: bytes, scan: ScanResult) -> None:
    assert read(answer) == scan


@pytest.mark.parametrize(
    ("read", "answer", "words"),
    [
        (spamassassin.read, b"", "not one of spamd"),
        (spamassassin.read, b"SPAMD/1.1 " + b"9" * 5000 + b" X\r\n", "not one of spamd"),
        (spamassassin.read, b"220 mx ESMTP\r\n", "not one of spamd"),
        (spamassassin.read, b"SPAMD/1.1 76 Bad header line\r\n", "spamd says Bad header line"),
        (spamassassin.read, b"SPAMD/1.1 0 EX_OK\r\n\r\n", "no verdict"),
        (spamassassin.read, b"SPAMD/1.1 0 EX_OK\r\nSpam: True ; 1.2.3 / 5\r\n\r\n", "no points"),
        (clamav.read, b"", "no answer"),
        (clamav.read, b"INSTREAM size limit exceeded. ERROR\0", "size limit exceeded"),
        (rspamd.read, b"", "not HTTP"),
        (rspamd.read, b"HTTP/1.1 403 Forbidden\r\n\r\n", "status 403"),
        (rspamd.read, b"HTTP/1.1 200 OK\r\n\r\n{", "not the JSON"),
        (rspamd.read, b"HTTP/1.1 200 OK\r\n\r\n[]", "not the JSON"),
        (rspamd.read, answered(score="x"), "not the JSON"),
        (rspamd.read, answered(symbols=[1]), "not the JSON"),
    ],
)
def test_an_answer_that_is_none(read, answer: bytes, words: str) -> None:
    scan = read(answer)
    assert words in scan.failure
    found = scan.finding
    assert (found.status, found.reason) == (AuthStatus.TEMPERROR, Reason.SCANNER_UNAVAILABLE)
    assert words in found.sentence


def test_findings() -> None:
    spam = spamassassin.read(SPAM).finding
    assert (spam.status, spam.reason, spam.about) == (AuthStatus.FAIL, Reason.SPAM, "spamassassin")
    assert spam.sentence == "spamassassin found 1003.4 of 5 points; GTUBE, MISSING_DATE"
    virus = clamav.read(b"stream: Bad FOUND\0").finding
    assert (virus.status, virus.reason, virus.sentence) == (AuthStatus.FAIL, Reason.VIRUS, "clamav found Bad")
    good = clamav.read(b"stream: OK\0").finding
    assert (good.status, good.reason, good.sentence) == (AuthStatus.PASS, None, "clamav found nothing")


@given(st.binary(max_size=200) | st.sampled_from([SPAM, HAM, answered()]).flatmap(
    lambda answer: st.integers(0, len(answer)).map(lambda end: answer[:end])
))  # fmt: skip
def test_no_answer_raises(answer: bytes) -> None:
    for scanner in SCANNERS.values():
        sentence = scanner.read(answer).finding.sentence
        assert sentence.isascii()
        assert "\n" not in sentence
