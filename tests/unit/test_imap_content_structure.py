"""BODY and BODYSTRUCTURE: each trap of MIME, the defaults, the extension data."""

from __future__ import annotations

import pytest

from fakemail.imap.content.bodystructure import body, bodystructure, wire_parameters
from fakemail.message.mime import parse

_TEXT = b'("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" %d %d)'
_MIXED = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
_NO_ENVELOPE = b"(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"


def _body(raw: bytes, *, utf8: bool = False) -> bytes:
    return body(parse(raw), utf8=utf8)


def test_plain_text_has_the_default_charset() -> None:
    assert _body(b"\r\nHello\r\nWorld") == _TEXT % (12, 1)
    assert _body(b"") == _TEXT % (0, 0)
    assert _body(b"Content-Type: text/html; format=x\r\n\r\na") == (
        b'("text" "html" ("format" "x" "charset" "us-ascii") NIL NIL "7bit" 1 0)'
    )


def test_the_example_of_the_rfc() -> None:
    # RFC 9051 §7.5.2, with small parts
    raw = (
        _MIXED
        + b'--b\r\nContent-Type: TEXT/PLAIN; charset="US-ASCII"\r\n\r\nOne\r\nTwo\r\n'
        + b"--b\r\nContent-Type: text/plain; charset=us-ascii; name=cc.diff\r\n"
        + b"Content-ID: <960723163407.20117h@cac.washington.edu>\r\nContent-Description: Compiler diff\r\n"
        + b"Content-Transfer-Encoding: BASE64\r\n\r\nSGVsbG8=\r\n\r\n--b--\r\n"
    )
    assert _body(raw) == (
        b'(("text" "plain" ("charset" "US-ASCII") NIL NIL "7bit" 8 1)'
        b'("text" "plain" ("charset" "us-ascii" "name" "cc.diff") "<960723163407.20117h@cac.washington.edu>"'
        b' "Compiler diff" "base64" 10 1) "mixed")'
    )


def test_extension_data() -> None:
    raw = (
        b"Content-Type: image/png\r\nContent-MD5: abc=\r\nContent-Language: en (a), de\r\n"
        b'Content-Location: http://x.test/\r\n y\r\nContent-Disposition: Attachment (c); FileName="f (1).png"\r\n\r\n'
    )
    assert bodystructure(parse(raw)) == (
        b'("image" "png" NIL NIL NIL "7bit" 0 "abc=" ("attachment" ("filename" "f (1).png"))'
        b' ("en" "de") "http://x.test/ y")'
    )
    assert body(parse(raw)) == b'("image" "png" NIL NIL NIL "7bit" 0)'
    multipart = b"Content-Disposition: inline\r\n" + _MIXED + b"--b\r\n\r\nx\r\n--b--\r\n"
    assert bodystructure(parse(multipart)) == (
        b'(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 1 0 NIL NIL NIL NIL)'
        b' "mixed" ("boundary" "b") ("inline" NIL) NIL NIL)'
    )


def test_comments_are_no_part_of_a_type_or_parameter() -> None:
    raw = b"Content-Type: text/plain (hi); charset=utf-8 (c)\r\nContent-Transfer-Encoding: (c) 8bit\r\n\r\nx"
    assert _body(raw) == b'("text" "plain" ("charset" "utf-8") NIL NIL "8bit" 1 0)'


def test_a_type_that_cannot_be_read_is_text() -> None:
    # RFC 2045 §5.2
    assert _body(b"Content-Type: ;;; =\r\n\r\nx") == _TEXT % (1, 0)


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        # Size is that of the body alone; the line end before a delimiter is the delimiter's.
        (b"--b\r\nX: y\r\n\r\nHello\r\n--b--\r\n", [(5, 0)]),
        # Without a close delimiter the last line end stays.
        (b"--b\r\n\r\nHello\r\n", [(7, 1)]),
        # White space behind a boundary is padding; a longer boundary is another one.
        (b"--b \t\r\n\r\nx\r\n--bb\r\n--b--\r\n", [(7, 1)]),
        (b"preamble\r\n--b\r\n\r\nx\r\n--b\r\n\r\ny\r\n--b--\r\nepilogue\r\n", [(1, 0), (1, 0)]),
        # No part at all: a multipart must have one, so an empty one is shown.
        (b"nothing\r\n", [(0, 0)]),
        (b"--b--\r\n", [(0, 0)]),
    ],
)
def test_multiparts(content: bytes, parts: list[tuple[int, int]]) -> None:
    assert _body(_MIXED + content) == b'(%b "mixed")' % b"".join(_TEXT % part for part in parts)


def test_a_multipart_without_boundary_has_one_empty_part() -> None:
    assert _body(b"Content-Type: multipart/mixed\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n") == (
        b'(%b "mixed")' % (_TEXT % (0, 0))
    )


def test_a_boundary_that_begins_with_the_outer_one() -> None:
    inner = b"Content-Type: multipart/alternative; boundary=bb\r\n\r\n--bb\r\n\r\nx\r\n--bb--\r\n"
    assert _body(_MIXED + b"--b\r\n" + inner + b"\r\n--b\r\n\r\ny\r\n--b--") == (
        b'((%b "alternative")%b "mixed")' % (_TEXT % (1, 0), _TEXT % (1, 0))
    )


def test_parts_of_a_digest_are_messages_by_default() -> None:
    raw = b"Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\nSubject: in\r\n\r\nbody\r\n--b--\r\n"
    assert _body(raw) == (
        b'(("message" "rfc822" NIL NIL NIL "7bit" 19 (NIL "in" NIL NIL NIL NIL NIL NIL NIL NIL) %b 2) "digest")'
        % (_TEXT % (4, 0))
    )


def test_an_enclosed_message_comes_with_envelope_structure_and_lines() -> None:
    inner = b"From: a@b\r\n" + _MIXED + b"--b\r\n\r\nHi\r\n--b--\r\n"
    envelope = b"(NIL NIL " + b" ".join([b'((NIL NIL "a" "b"))'] * 3) + b" NIL NIL NIL NIL NIL)"
    assert _body(b"Content-Type: message/rfc822\r\n\r\n" + inner) == (
        b'("message" "rfc822" NIL NIL NIL "7bit" %d %b (%b "mixed") 7)'
        % (len(inner), envelope, _TEXT % (2, 0))
    )


@pytest.mark.parametrize("header", [b"Content-Transfer-Encoding: base64\r\n", b""])
def test_an_encoded_or_empty_message_is_not_looked_into(header: bytes) -> None:
    content = b"U3ViamVjdDogeA0KDQp5\r\n" if header else b""
    encoding = b"base64" if header else b"7bit"
    assert _body(b"Content-Type: message/rfc822\r\n" + header + b"\r\n" + content) == (
        b'("message" "rfc822" NIL NIL NIL "%b" %d %b %b %d)'
        % (encoding, len(content), _NO_ENVELOPE, _TEXT % (0, 0), content.count(b"\n"))
    )


def test_message_global_is_a_message_for_clients_of_rev2_only() -> None:
    raw = b"Content-Type: message/global\r\n\r\nSubject: x\r\n\r\nx"
    assert _body(raw) == b'("message" "global" NIL NIL NIL "7bit" 15)'
    assert _body(raw, utf8=True) == (
        b'("message" "global" NIL NIL NIL "7bit" 15 (NIL "x" NIL NIL NIL NIL NIL NIL NIL NIL) %b 2)'
        % (_TEXT % (1, 0))
    )


def test_octets_beyond_ascii_come_as_they_were() -> None:
    latin = b'Content-Type: text/x; name="caf\xe9"\r\nContent-Description: caf\xe9\r\n\r\n'
    assert b'("name" {4}\r\ncaf\xe9 "charset" "us-ascii") NIL {4}\r\ncaf\xe9 ' in _body(latin)
    utf8 = 'Content-Type: text/x; name="café"\r\n\r\n'.encode()
    assert b'("name" {5}\r\ncaf\xc3\xa9 ' in _body(utf8)
    assert '("name" "café" '.encode() in _body(utf8, utf8=True)


@pytest.mark.parametrize(
    ("raw", "joined"),
    [
        ((("a", "1"), ("b", "2")), (("a", "1"), ("b", "2"))),
        ((("name*1", "def"), ("name*0", "abc"), ("x", "y")), (("name", "abcdef"), ("x", "y"))),
        ((("f*", "utf-8''%e2"),), (("f*", "utf-8''%e2"),)),
        ((("f*0*", "utf-8'en'%41"), ("f*1", "50% b")), (("f*", "utf-8'en'%4150%25%20b"),)),
        ((("f*0", "a"), ("f*1*", "%42")), (("f*", "''a%42"),)),
        ((("f*0", "a"), ("f*2", "c")), (("f", "a"),)),
        ((("f*1*", "x"),), (("f*1*", "x"),)),
    ],
)
def test_continued_parameters_are_joined(
    raw: tuple[tuple[str, str], ...], joined: tuple[tuple[str, str], ...]
) -> None:
    assert wire_parameters(raw) == joined
