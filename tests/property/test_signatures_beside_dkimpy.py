"""Messages that are signed and then altered somewhere: dkimpy and we agree on whether the signature still holds."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

import dkim
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakemail.dkim.dkim_sign import sign
from fakemail.dkim.dkim_verify import SignedMessage, verify
from fakemail.dkim.key_record import TxtAnswer
from fakemail.dkim.keys import Key, make_key
from fakemail.model.dkim import Dkim

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)

WORDS = st.text(st.sampled_from("aB \t"), max_size=8).map(str.encode)
BODIES = st.lists(WORDS, max_size=6).map(lambda lines: b"".join(line + b"\r\n" for line in lines))
HEADERS = st.lists(WORDS, min_size=1, max_size=3).map(
    lambda lines: (
        b"From: ann@shop.test\r\nSubject: x" + b"\r\n ".join(line + b"y" for line in lines) + b"\r\n\r\n"
    )
)
CANONICAL = st.sampled_from(["simple/simple", "simple/relaxed", "relaxed/simple", "relaxed/relaxed"])
INSERTED = st.sampled_from([b" ", b"\t", b"z", b"\r\n", b"\r\n ", b""])


@lru_cache
def key(algorithm: str) -> Key:
    return make_key(algorithm)


@pytest.mark.parametrize(("kind", "result"), [("simple", "fail"), ("relaxed", "pass")])
def test_white_space_before_the_colon(kind: str, result: str) -> None:
    """RFC 6376 §3.4.2: relaxed signatures do not mind it; dkimpy takes such a line for no field."""
    raw = b"From: ann@shop.test\r\n\r\n"
    how = Dkim("s1", "ed25519", canonicalization=f"{kind}/simple")
    field = sign(raw, how, domain="shop.test", key=key("ed25519"), now=None)
    record = key("ed25519").record.encode()
    altered = field + raw.replace(b"From:", b"From :")
    (ours,) = verify(SignedMessage(altered), lambda name: TxtAnswer("NOERROR", (record,)), NOW)
    assert ours.result == result


@pytest.mark.parametrize("algorithm", ["rsa-2048", "ed25519"])
@given(header=HEADERS, body=BODIES, canonicalization=CANONICAL, inserted=INSERTED, place=st.floats(0, 1))
def test_the_same_alterations_break_a_signature(
    algorithm: str, header: bytes, body: bytes, canonicalization: str, inserted: bytes, place: float
) -> None:
    raw = header + body
    how = Dkim("s1", algorithm, canonicalization=canonicalization)
    field = sign(raw, how, domain="shop.test", key=key(algorithm), now=None)
    record = key(algorithm).record.encode()
    at = int(place * (len(raw) - 2))  # what is behind the last line end never comes over SMTP
    if raw[at - 1 : at + 1] == b"\r\n":
        at += 1  # a bare CR would be no line end to one of the two
    if inserted in (b" ", b"\t") and raw[at : at + 1] == b":":
        return  # RFC 6376 §3.4.2 removes what is before the colon; to dkimpy that line is no field
    altered = field + raw[:at] + inserted + raw[at:]
    (ours,) = verify(SignedMessage(altered), lambda name: TxtAnswer("NOERROR", (record,)), NOW)
    try:
        theirs = dkim.verify(altered, dnsfunc=lambda name, timeout=5: record)
    except (dkim.DKIMException, IndexError):  # a line of the header that is no field
        return
    assert (ours.result == "pass") == theirs, altered
