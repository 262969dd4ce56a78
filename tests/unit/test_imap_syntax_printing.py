"""How values are written in responses."""

from __future__ import annotations

import datetime

import pytest

from fakemail.imap.syntax import printing as p
from fakemail.imap.syntax.fetch_items import (
    FetchBinary,
    FetchBinarySize,
    FetchBody,
    FetchData,
    Section,
    SectionText,
)
from fakemail.imap.syntax.sets import SAVED_RESULT, STAR, SequenceSet


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("", b'""'),
        ("a b", b'"a b"'),
        ('"\\', b'"\\"\\\\"'),
        ("a\r\nb", b"{4}\r\na\r\nb"),
        ("é", b"{2}\r\n\xc3\xa9"),
        (b"\xff", b"{1}\r\n\xff"),
        ("x" * 1025, b"{1025}\r\n" + b"x" * 1025),
    ],
)
def test_strings(text: str | bytes, written: bytes) -> None:
    assert p.string(text) == written


def test_strings_after_utf8_is_accepted() -> None:  # RFC 6855 §3
    assert p.string('"é"', utf8=True) == b'"\\"\xc3\xa9\\""'
    assert p.string(b"\xff", utf8=True) == b"{1}\r\n\xff"
    assert p.string("é\n", utf8=True) == b"{3}\r\n\xc3\xa9\n"


def test_nil() -> None:
    assert p.nstring(None) == b"NIL"
    assert p.nstring("NIL") == b'"NIL"'


@pytest.mark.parametrize(
    ("text", "written"),
    [("a]b", b"a]b"), ("nil", b'"nil"'), ("", b'""'), ("a b", b'"a b"'), ("a*", b'"a*"'), ("(", b'"("')],
)
def test_astrings(text: str, written: bytes) -> None:
    assert p.astring(text) == written


def test_mailbox_names() -> None:
    assert p.mailbox("Entwürfe") == b"Entw&APw-rfe"
    assert p.mailbox("Entwürfe 1", utf8=True) == b'"Entw\xc3\xbcrfe 1"'
    assert p.mailbox("a&b") == b"a&-b"
    assert p.mailbox("a\r\nb") == b"a&AA0ACg-b"


def test_literals_and_nul() -> None:
    assert p.literal(b"a\0", binary=True) == b"~{2}\r\na\0"
    with pytest.raises(ValueError, match="literal8"):
        p.literal(b"a\0")


@pytest.mark.parametrize(
    ("numbers", "written"),
    [
        ([], b""),
        ([7], b"7"),
        ([1, 2, 3, 4, 7], b"1:4,7"),
        ([3, 2, 5, 6], b"3,2,5:6"),
        (range(1, 10_001), b"1:10000"),
    ],
)
def test_sets_are_drawn_together(numbers: list[int], written: bytes) -> None:
    assert p.sequence_set(numbers) == written


def test_sets_as_clients_write_them() -> None:
    assert p.number_set(SAVED_RESULT) == b"$"
    assert p.number_set(SequenceSet(((1, 1), (2, 4), (9, STAR), (STAR, STAR)))) == b"1,2:4,9:*,*"


def test_dates() -> None:
    zone = datetime.timezone(-datetime.timedelta(hours=3, minutes=30))
    assert p.date(datetime.date(2026, 2, 1)) == b"1-Feb-2026"
    assert p.date_time(datetime.datetime(2026, 2, 1, 9, 5, 7, tzinfo=zone)) == b'" 1-Feb-2026 09:05:07 -0330"'
    moment = datetime.datetime(2026, 12, 31, tzinfo=datetime.UTC)
    assert p.date_time(moment) == b'"31-Dec-2026 00:00:00 +0000"'


@pytest.mark.parametrize(
    ("item", "label", "request_"),
    [
        (FetchData.PREVIEW_LAZY, b"PREVIEW", b"PREVIEW (LAZY)"),
        (FetchData.RFC822_SIZE, b"RFC822.SIZE", b"RFC822.SIZE"),
        (FetchBody(Section(), True), b"BODY[]", b"BODY.PEEK[]"),
        (
            FetchBody(Section((1, 2), SectionText.TEXT), False, (9, 5)),
            b"BODY[1.2.TEXT]<9>",
            b"BODY[1.2.TEXT]<9.5>",
        ),
        (
            FetchBody(Section((), SectionText.HEADER_FIELDS, ("To", "X y"))),
            b'BODY[HEADER.FIELDS (To "X y")]',
            b'BODY[HEADER.FIELDS (To "X y")]',
        ),
        (FetchBinary((1,), True, (0, 4)), b"BINARY[1]<0>", b"BINARY.PEEK[1]<0.4>"),
        (FetchBinarySize((1, 3)), b"BINARY.SIZE[1.3]", b"BINARY.SIZE[1.3]"),
    ],
)
def test_fetch_items(item: p.FetchItem, label: bytes, request_: bytes) -> None:
    assert p.fetch_label(item) == label
    assert p.fetch_request(item) == request_


def test_responses() -> None:
    assert p.untagged(b"2", b"EXISTS") == b"* 2 EXISTS\r\n"
    assert p.tagged("A1", "OK", "Done.") == b"A1 OK Done.\r\n"
    assert p.tagged("A1", "NO", "No.", code="CANNOT") == b"A1 NO [CANNOT] No.\r\n"
    assert p.condition("OK", "Yes.", code=b"UIDNEXT 4") == b"* OK [UIDNEXT 4] Yes.\r\n"
    assert p.continuation("Go on.") == b"+ Go on.\r\n"
    assert p.continuation(b"") == b"+ \r\n"
    assert p.flag_list(["\\Seen", "$x"]) == b"(\\Seen $x)"


def test_text_cannot_end_the_line() -> None:
    assert p.tagged("A1", "NO", "x\r\nA2 OK y\0", code="A\r\nB") == b"A1 NO [A B] x A2 OK y \r\n"
    assert p.tagged("A1", "OK", "") == b"A1 OK  \r\n"
    assert p.clean("grün") == b"gr?n"
    assert p.clean("grün\x85", utf8=True) == b"gr\xc3\xbcn "
