"""No octets make a check of content raise, and nothing that is unpacked goes over the bounds."""

from __future__ import annotations

import zipfile
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from fakemail.message import samples
from fakemail.message.envelope import BodyType
from fakemail.model.content_rules import (
    BULK_PACKS,
    BULK_RULES,
    CHECK_GROUPS,
    CHECK_NAMES,
    SCANNERS,
    STEPS,
    ContentRules,
)
from fakemail.model.policy_schema import DOMAIN_POLICY, OUTCOMES, read_policy
from fakemail.policy.content.archives import ArchiveScan, CarriedFile
from fakemail.policy.content.checks import CHECKS, score
from fakemail.policy.content.content_view import ContentView
from judging import facts, findings, packed, resolver

_PIECES = st.sampled_from(
    [
        b"\r\n", b"\n", b"\r", b"\r\n\r\n", b" ", b"\t", b"\x00", b"\xff", b":", b";", b"=", b'"', b"From: ", b"Date: ",
        b"Subject: ", b"Content-Type: ", b"multipart/mixed; boundary=b", b"text/html; charset=", b"utf-8", b"idna",
        b"--b\r\n", b"--b--", b"Content-Transfer-Encoding: base64\r\n", b"Content-Disposition: attachment; filename=",
        b"a.zip", b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06", b"<a href=", b"http://", b"http://[", b"://@:x", b"%FF",
        b"example.org", b"192.0.2.1", b"</a>", b"<img", b"17 May 99999 25:00 +9999", b"0001", b"\xe2\x80\xae", b"!!!",
    ]
)  # fmt: skip
GARBAGE = st.one_of(
    st.binary(max_size=200), st.lists(st.one_of(_PIECES, st.binary(max_size=4)), max_size=60).map(b"".join)
)
_ARCHIVE = packed({"a.txt": b"x" * 500, "b.zip": packed({"c.exe": b"MZ"}), "d.pdf": bytes(5000)})
_RULES = ContentRules(url_blocklists=("uribl.test",))


@given(GARBAGE)
@settings(max_examples=150)
def test_garbage_raises_nothing(raw: bytes) -> None:
    found = findings(raw, _RULES, resolve=resolver(), body=BodyType.SEVEN_BIT)
    assert set(found) == set(CHECKS)
    for each in found.values():
        assert each.sentence.isascii()
        assert each.sentence.isprintable()
        assert len(each.sentence) <= 300
    score(found.values()).fields().decode("ascii")


@given(GARBAGE)
@settings(max_examples=100)
def test_garbage_behind_a_header_raises_nothing(raw: bytes) -> None:
    head = b"MIME-Version: 1.0\r\nContent-Type: text/html\r\n\r\n"
    assert set(findings(head + raw, _RULES)) == set(CHECKS)


@given(st.data())
@settings(max_examples=100)
def test_a_broken_archive_is_read_within_its_bounds(data: st.DataObject) -> None:
    octets = bytearray(_ARCHIVE)
    for _ in range(data.draw(st.integers(0, 5))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(octets[: data.draw(st.integers(4, len(octets)))])
    look = ArchiveScan(members_left=10, octets_left=1000, max_ratio=10, max_nesting=2)
    files = list(look.into(CarriedFile("a.zip", cut)))
    assert sum(len(file.content) for file in files) <= 1000
    assert len(files) <= 10


_NAMES = st.text(st.characters(min_codepoint=48, max_codepoint=0x2FFF, exclude_categories=["Cs"]), min_size=1)


@given(st.dictionaries(_NAMES, st.binary(max_size=50), max_size=5))
def test_what_is_packed_is_found(files: dict[str, bytes]) -> None:
    raw = samples.with_attachment(filename="a.zip", content=packed(files, how=zipfile.ZIP_STORED))
    inside = {file.content for file in ContentView(facts(raw), ContentRules()).files if file.inside}
    assert inside == set(files.values())


_NUMBER = st.integers(0, 10**6)
_WORDS = st.lists(st.from_regex(r"[a-z]{1,8}", fullmatch=True), max_size=3)
_POINTS = st.integers(-9, 99).map(float)
_PLAIN = st.fixed_dictionaries(
    {},
    optional={
        "content": st.dictionaries(
            st.sampled_from([*CHECK_NAMES, *CHECK_GROUPS]), st.sampled_from(OUTCOMES), min_size=1
        ),
        "spam": st.lists(_POINTS, min_size=3, max_size=3).map(
            lambda limits: dict(zip(STEPS, sorted(limits), strict=True))
        ),
        "content_rules": st.fixed_dictionaries(
            {},
            optional={
                "max_links": _NUMBER,
                "max_unpacked": _NUMBER,
                "points": st.dictionaries(st.sampled_from(CHECK_NAMES), _POINTS),
                "keywords": st.dictionaries(st.sampled_from(["act now", "blue socks", "red"]), _POINTS),
                "extensions": _WORDS,
                "shorteners": _WORDS,
                "url_blocklists": _WORDS,
            },
        ),
        "scanners": st.dictionaries(
            st.sampled_from(SCANNERS), st.sampled_from(["127.0.0.1:783", "[::1]:9", "/run/x"])
        ),
        "bulk_sender": st.sampled_from(BULK_PACKS)
        | st.fixed_dictionaries(
            {"like": st.sampled_from(BULK_PACKS)},
            optional={
                "counts_from": _NUMBER,
                "outcomes": st.dictionaries(st.sampled_from(BULK_RULES), st.sampled_from(OUTCOMES)),
                "rate": st.tuples(_NUMBER, st.integers(1, 86400)),
            },
        ),
    },
)


@given(_PLAIN)
def test_what_a_policy_says_of_content_is_written_as_it_is_read(keywords: dict[str, Any]) -> None:
    policy = read_policy("example.org", keywords)
    assert read_policy("example.org", DOMAIN_POLICY.write(policy)) == policy
    assert hash(policy) == hash(read_policy("example.org", keywords))
