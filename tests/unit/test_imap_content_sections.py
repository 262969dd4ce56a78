"""BODY[...] and BINARY[...]: which octets each section names, and PREVIEW."""

from __future__ import annotations

import pytest

from fakemail.imap.content.fetch_cache import preview
from fakemail.imap.content.sections import (
    HEADER,
    TEXT,
    WHOLE,
    UnknownEncoding,
    binary,
    binary_size,
    binary_string,
    body_string,
    section,
    section_size,
)
from fakemail.imap.syntax.fetch_items import Section, SectionText
from fakemail.message.mime import parse

_INNER = b"From: a@b\r\nSubject: in\r\n\r\nbody"
_DEEP = b"From: c@d\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\nX: z\r\n\r\ndeep\r\n--c--"
_RAW = (
    b"Subject: p\r\nTo: x@y\r\n z\r\nsubject : q\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"--b\r\nContent-Type: text/plain\r\n\r\nHello\r\n"
    b"--b\r\nContent-Type: message/rfc822\r\nX: y\r\n\r\n" + _INNER + b"\r\n"
    b"--b\r\nContent-Type: message/rfc822\r\n\r\n" + _DEEP + b"\r\n--b--\r\n"
)
_ROOT = parse(_RAW)
_FIELDS, _NOT, _MIME = SectionText.HEADER_FIELDS, SectionText.HEADER_FIELDS_NOT, SectionText.MIME


@pytest.mark.parametrize(
    ("wanted", "octets"),
    [
        (WHOLE, _RAW),
        (HEADER, _RAW[: _RAW.index(b"--b\r\n")]),
        (TEXT, _RAW[_RAW.index(b"--b\r\n") :]),
        (Section((1,)), b"Hello"),
        (Section((1,), _MIME), b"Content-Type: text/plain\r\n\r\n"),
        (Section((2,)), _INNER),
        (Section((2,), _MIME), b"Content-Type: message/rfc822\r\nX: y\r\n\r\n"),
        (Section((2,), SectionText.HEADER), b"From: a@b\r\nSubject: in\r\n\r\n"),
        (Section((2,), SectionText.TEXT), b"body"),
        (Section((2,), _FIELDS, ("FROM",)), b"From: a@b\r\n\r\n"),
        (Section((2,), _NOT, ("FROM",)), b"Subject: in\r\n\r\n"),
        (Section((2, 1)), b"body"),
        (Section((2, 1), _MIME), b"From: a@b\r\nSubject: in\r\n\r\n"),
        (Section((3, 1)), b"deep"),
        (Section((3, 1), _MIME), b"X: z\r\n\r\n"),
        (Section((3, 1, 1)), None),
        (Section((1,), SectionText.HEADER), None),
        (Section((1,), SectionText.TEXT), None),
        (Section((4,)), None),
        (Section((1, 1)), None),
        (Section((2, 2)), None),
        (Section((), _FIELDS, ("SUBJECT", "to")), b"Subject: p\r\nTo: x@y\r\n z\r\nsubject : q\r\n\r\n"),
        (Section((), _FIELDS, ("no-such",)), b"\r\n"),
        (Section((), _FIELDS, ("subject: p\r\nto",)), b"\r\n"),
        (Section((), _NOT, ("subject", "CONTENT-TYPE")), b"To: x@y\r\n z\r\n\r\n"),
    ],
)
def test_sections(wanted: Section, octets: bytes | None) -> None:
    assert section(_RAW, wanted, root=_ROOT) == octets
    assert section_size(_RAW, wanted, root=_ROOT) == (None if octets is None else len(octets))
    if octets is not None:
        # RFC 9051 §6.4.5: a partial that begins behind the end is empty, one that ends there is cut.
        for partial in [(0, 3), (2, 5), (1, 100_000), (100_000, 5), (0, 0)]:
            cut = octets[partial[0] : partial[0] + partial[1]]
            assert section(_RAW, wanted, root=_ROOT, partial=partial) == cut


def test_part_one_of_a_message_without_parts_is_its_body() -> None:
    raw = b"Subject: x\r\n\r\nbody"
    root = parse(raw)
    assert section(raw, Section((1,)), root=root) == b"body"
    assert section(raw, Section((1,), _MIME), root=root) == b"Subject: x\r\n\r\n"
    assert section(raw, Section((1, 1)), root=root) is None
    assert section(raw, Section((2,)), root=root) is None


def test_a_whole_message_that_is_an_enclosed_one() -> None:
    raw = b"Content-Type: message/rfc822\r\n\r\n" + _INNER
    root = parse(raw)
    assert section(raw, Section((1,)), root=root) == _INNER
    assert section(raw, Section((1,), SectionText.HEADER), root=root) == b"From: a@b\r\nSubject: in\r\n\r\n"
    assert section(raw, Section((1, 1)), root=root) == b"body"


@pytest.mark.parametrize(
    "raw", [b"Content-Type: multipart/mixed\r\n\r\nx", b"Content-Type: multipart/x; boundary=b\r\n\r\n"]
)
def test_the_empty_part_that_a_broken_multipart_shows_can_be_fetched(raw: bytes) -> None:
    root = parse(raw)
    assert section(raw, Section((1,)), root=root) == b""
    assert section(raw, Section((1,), _MIME), root=root) == b""
    assert binary(root, (1,)) == b""
    assert section(raw, Section((2,)), root=root) is None
    assert section(raw, Section((1, 1)), root=root) is None


def test_the_whole_message_is_not_copied() -> None:
    assert section(_RAW, WHOLE) is _RAW


def test_a_header_without_blank_line_stays_without_in_subsets() -> None:
    # RFC 9051 §6.4.5.1
    raw = b"Subject: x\r\nTo: a@b"
    assert section(raw, Section((), _FIELDS, ("subject",))) == b"Subject: x\r\n"
    assert section(raw, Section((), _NOT, ("subject",))) == b"To: a@b"
    assert section(raw, TEXT) == b""
    assert section(b"\r\nbody", Section((), _FIELDS, ("subject",))) == b"\r\n"
    assert section(b"Subject: x\n\nbody", Section((), _FIELDS, ("subject",))) == b"Subject: x\n\n"


def test_a_part_number_needs_the_tree() -> None:
    with pytest.raises(ValueError, match="give root=parse"):
        section(_RAW, Section((1,)))


@pytest.mark.parametrize(
    ("encoding", "body", "content"),
    [
        (b"7bit", b"a=00", b"a=00"),
        (b"BASE64", b"SGVs\r\nbG8=\r\n", b"Hello"),
        (b"quoted-printable", b"a=00b=\r\nc\r\n", b"a\x00bc\r\n"),
        (b"binary", b"\x00\xff", b"\x00\xff"),
    ],
)
def test_binary_is_decoded(encoding: bytes, body: bytes, content: bytes) -> None:
    root = parse(b"Content-Transfer-Encoding: " + encoding + b"\r\n\r\n" + body)
    assert binary(root, (1,)) == content
    assert binary_size(root, (1,)) == len(content)
    assert binary(root, (1,), partial=(1, 2)) == content[1:3]
    assert binary(root, (2,)) is None
    assert binary_size(root, (2,)) is None


def test_binary_of_an_unknown_encoding_is_an_error() -> None:
    # RFC 3516 §4.3
    root = parse(b"Content-Transfer-Encoding: rot13\r\n\r\nUryyb")
    with pytest.raises(UnknownEncoding, match="rot13"):
        binary(root, (1,))
    assert binary(root, ()) == root.raw


def test_what_has_no_encoding_of_its_own_comes_as_it_is() -> None:
    assert binary(_ROOT, ()) == _RAW
    assert binary(_ROOT, (2,)) == _INNER
    assert binary(_ROOT, (), partial=(0, 7)) == b"Subject"


def test_octets_in_a_response() -> None:
    # RFC 3516 §4.2: literal8 where there is a NUL; BODY[...] has no such form.
    assert body_string(b"a\x00b") == b"{3}\r\na\x80b"
    assert binary_string(b"a\x00b") == b"~{3}\r\na\x00b"
    assert body_string(b"") == binary_string(b"") == b"{0}\r\n"


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"\r\n  Hello\r\n\r\nWorld\t! \r\n", "Hello World !"),
        (b"\r\n> quoted\r\nAnswer\r\n", "Answer"),
        (b"\r\n> only\r\n>> quoted\r\n", "only quoted"),
        (b"Content-Type: text/html\r\n\r\n<style>p{}</style><p>Hello <b>you</b></p>", "Hello you"),
        (b"Content-Type: image/png\r\n\r\nxyz", ""),
        (b"", ""),
        (b"\r\n" + b"word " * 100, ("word " * 40).strip()),
        (b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + "é".encode() * 10_000, "é" * 200),
        (b"Content-Transfer-Encoding: base64\r\n\r\nSGVsbG8gV29ybGQ=", "Hello World"),
        (
            b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
            b"--b\r\nContent-Disposition: attachment\r\n\r\nfile\r\n"
            b"--b\r\nContent-Type: multipart/alternative; boundary=c\r\n\r\n"
            b"--c\r\nContent-Type: text/html\r\n\r\n<p>H</p>\r\n--c\r\n\r\nP\r\n--c--\r\n--b--",
            "P",
        ),
        (
            b"Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\n\r\n \r\n"
            b"--b\r\nContent-Type: text/html\r\n\r\n<p>H</p>\r\n--b--",
            "H",
        ),
    ],
)
def test_previews(raw: bytes, text: str) -> None:
    # RFC 8970 §3.3
    assert preview(parse(raw)) == text
