"""Whatever is signed verifies, and any change of what was signed is seen: dkimpy is the judge."""

from __future__ import annotations

from datetime import UTC, datetime

import dkim
from hypothesis import given
from hypothesis import strategies as st

from fakemail.dkim.arc_sign import arc_set
from fakemail.dkim.arc_verify import verify_chain
from fakemail.dkim.canonicalization import relaxed_body, relaxed_field, with_crlf
from fakemail.dkim.dkim_sign import signatures
from fakemail.dkim.dkim_verify import SignedMessage
from fakemail.dkim.key_record import TxtAnswer
from fakemail.dkim.keys import process_key
from fakemail.model.dkim import CANONICALIZATIONS, Dkim

NOW = datetime(2026, 1, 2, tzinfo=UTC)
names = st.sampled_from(["Subject", "subject", "To", "X-Odd", "List-Id", "Content-Type", "DATE"])
# What a field may hold after its colon: no line of white space alone (RFC 5322 §3.2.2), any folding.
words = st.text("abc:;= é", min_size=1, max_size=8).filter(lambda text: text.strip())
folds = st.sampled_from([" ", "\t", "  ", "\r\n ", "\r\n\t "])
values = st.lists(st.tuples(folds, words), min_size=1, max_size=4).map(
    lambda parts: "".join(fold + word for fold, word in parts)
)
lines = st.sampled_from(["", " ", "\t", "x", "x ", " x  y\t", "é", ".", "From x"])
ends = st.sampled_from(["\r\n", "\n", "\r\n\r\n"])
bodies = st.lists(st.tuples(lines, ends), max_size=8).map(
    lambda parts: "".join(line + end for line, end in parts)
)
messages = st.builds(
    lambda fields, body, tail: (
        "From: a@shop.test\r\n"
        + "".join(f"{name}:{value}\r\n" for name, value in fields)
        + "\r\n"
        + body
        + tail
    ).encode(),
    st.lists(st.tuples(names, values), max_size=5),
    bodies,
    st.sampled_from(["", "no end", " "]),
)
ways = st.builds(
    Dkim,
    algorithm=st.sampled_from(["rsa-1024", "ed25519"]),
    canonicalization=st.sampled_from(CANONICALIZATIONS),
    oversign=st.sampled_from([("From",), (), ("From", "Subject", "X-None")]),
    body_length=st.booleans(),
)


def verifies(raw: bytes, algorithm: str) -> bool:
    record = process_key(algorithm, 0).record.encode()
    return bool(dkim.verify(raw, dnsfunc=lambda name, timeout=5: record))


@given(messages, ways)
def test_what_is_signed_verifies(message: bytes, how: Dkim) -> None:
    by = [(how, process_key(how.algorithm, 0))]
    raw = signatures(message, by, domain="shop.test", now=NOW) + with_crlf(message)
    raw = raw if raw.endswith(b"\r\n") else raw + b"\r\n"  # as it goes over the wire
    assert verifies(raw, how.algorithm)
    assert not verifies(raw.replace(b"\r\nFrom: a@", b"\r\nFrom: b@", 1), how.algorithm)


@given(bodies.map(str.encode), values.map(str.encode))
def test_a_canonical_form_stays_as_it_is(body: bytes, value: bytes) -> None:
    once = relaxed_body(with_crlf(body))
    assert relaxed_body(once) == once
    field = relaxed_field(b"Subject:" + value)
    assert relaxed_field(field) == field


@given(messages, st.lists(st.sampled_from(["rsa-1024", "ed25519"]), min_size=1, max_size=3), st.data())
def test_chains_of_any_length_are_whole_until_something_changes(
    message: bytes, sealers: list[str], data: st.DataObject
) -> None:
    raw = with_crlf(message)
    raw = raw if raw.endswith(b"\r\n") else raw + b"\r\n"
    for place, algorithm in enumerate(sealers):
        how, key = Dkim(f"s{place}", algorithm), process_key(algorithm, 0)
        claim = "pass" if place else "none"
        options = {"results": "mx.test; none", "claim": claim, "domain": "mx.test", "key": key, "now": NOW}
        raw = arc_set(raw, how, **options) + raw

    def chain(octets: bytes) -> str:
        return verify_chain(SignedMessage(octets), look_up).result

    def look_up(name: str) -> TxtAnswer:
        algorithm = sealers[int(name[1])]
        return TxtAnswer("NOERROR", (process_key(algorithm, 0).record.encode(),))

    assert chain(raw) == "pass"
    # Any octet of the newest set that means something: its claim, its results, the author.
    old, new = data.draw(
        st.sampled_from([(b"; none", b"; nono"), (b"From: a@", b"From: b@"), (b"d=mx.test", b"d=my.test")])
    )
    assert chain(raw.replace(old, new, 1)) == "fail"
