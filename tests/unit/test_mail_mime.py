"""The MIME tree: every border that parsers get wrong."""

from __future__ import annotations

import pytest

from fakemail.message import samples
from fakemail.message.mime import MAX_DEPTH, Part, parse


def mixed(body: bytes, *, boundary: bytes = b"b", sub: bytes = b"mixed") -> Part:
    return parse(b"Content-Type: multipart/" + sub + b'; boundary="' + boundary + b'"\r\n\r\n' + body)


def bodies(part: Part) -> list[bytes]:
    return [child.body for child in part.children]


def test_the_line_end_before_a_delimiter_is_not_content() -> None:
    root = mixed(b"preamble\r\n--b\r\n\r\nHello\r\n--b\r\n\r\nWorld\r\n\r\n--b--\r\nepilogue\r\n")
    assert bodies(root) == [b"Hello", b"World\r\n"]
    assert [(child.size, child.lines) for child in root.children] == [(5, 0), (7, 1)]


def test_without_a_close_delimiter_the_last_line_end_is_content() -> None:
    assert bodies(mixed(b"--b\r\n\r\nHello\r\n")) == [b"Hello\r\n"]


def test_a_close_delimiter_may_end_the_message() -> None:
    assert bodies(mixed(b"--b\r\n\r\nHello\r\n--b--")) == [b"Hello"]


def test_a_boundary_that_begins_with_another_one() -> None:
    inner = (
        b'Content-Type: multipart/mixed; boundary="b-inner"\r\n\r\n--b-inner\r\n\r\nHello\r\n--b-inner--\r\n'
    )
    root = mixed(b"--b\r\n" + inner + b"--b\r\n\r\nWorld\r\n--b--\r\n")
    assert len(root.children) == 2
    assert bodies(root.children[0]) == [b"Hello"]
    assert root.children[1].body == b"World"


def test_blanks_behind_a_boundary() -> None:
    assert bodies(mixed(b"--b \t \r\n\r\nHello\r\n--b-- \r\n--b\r\n\r\nno\r\n")) == [b"Hello"]


def test_text_behind_a_boundary_makes_it_content() -> None:
    assert bodies(mixed(b"--b\r\n\r\n--bb\r\n --b\r\n--b x\r\n--b--\r\n")) == [b"--bb\r\n --b\r\n--b x"]


def test_line_feeds_only() -> None:
    root = parse(b"Content-Type: multipart/mixed; boundary=b\n\n--b\n\nHello\n--b\nA: 1\n\nWorld\n--b--\n")
    assert bodies(root) == [b"Hello", b"World"]


def test_the_default_type_inside_a_digest_is_a_message() -> None:
    root = mixed(
        b"--b\r\n\r\nSubject: x\r\n\r\nHello\r\n--b\r\nContent-Type: text/html\r\n\r\n\r\n--b--",
        sub=b"digest",
    )
    assert [child.content_type for child in root.children] == ["message/rfc822", "text/html"]
    assert root.children[0].children[0].headers["Subject"] == "x"
    assert root.children[0].children[0].body == b"Hello"


def test_an_encoded_message_is_not_taken_apart() -> None:
    root = parse(
        b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nU3ViamVjdDogeA0KDQo=\r\n"
    )
    assert root.children == ()
    assert root.content == b"Subject: x\r\n\r\n"


def test_an_enclosed_message_is_taken_apart() -> None:
    root = parse(
        b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 8Bit (c)\r\n\r\nSubject: x\r\n\r\nHello\r\n"
    )
    assert root.encoding == "8bit"
    assert root.children[0].headers["Subject"] == "x"
    assert root.children[0].body == b"Hello\r\n"


@pytest.mark.parametrize(
    ("field", "kind"),
    [
        (b"Content-Type: text/plain (hi); charset=utf-8\r\n", "text/plain"),
        (b"Content-Type: ;;;\r\n", "text/plain"),
        (b"content-type:\r\n text/html\r\n", "text/html"),
        (b"this line has no colon\r\nContent-Type: text/html\r\n", "text/plain"),
        (b"", "text/plain"),
    ],
)
def test_types(field: bytes, kind: str) -> None:
    assert parse(b"Subject: x\r\n" + field + b"\r\nHello\r\n").content_type == kind


def test_an_outer_delimiter_ends_an_inner_multipart() -> None:
    inner = b"Content-Type: multipart/mixed; boundary=i\r\n\r\n--i\r\n\r\nHello\r\n"
    root = mixed(b"--b\r\n" + inner + b"--b\r\n\r\nWorld\r\n--b--\r\n")
    assert bodies(root.children[0]) == [b"Hello"]
    assert root.children[1].body == b"World"


def test_empty_parts_and_parts_without_blank_line() -> None:
    root = mixed(b"--b\r\n--b\r\nContent-Type: text/html\r\n--b\r\n\r\n--b\r\nno header\r\n--b--")
    assert bodies(root) == [b"", b"", b"", b"no header"]
    assert root.children[1].content_type == "text/html"


@pytest.mark.parametrize("parameter", [b"", b"; boundary=", b'; boundary=""', b"; boundary=" + b"x" * 2000])
def test_a_multipart_without_a_usable_boundary_has_no_parts(parameter: bytes) -> None:
    root = parse(b"Content-Type: multipart/mixed" + parameter + b"\r\n\r\n--\r\n\r\nHello\r\n----\r\n")
    assert root.children == ()
    assert root.is_multipart


@pytest.mark.parametrize("boundary", [b"=?utf-8?q?x?=", "ü".encode(), b"\xfc", b"a b", b"(b)"])
def test_strange_boundaries(boundary: bytes) -> None:
    assert bodies(mixed(b"--" + boundary + b"\r\n\r\nHello\r\n--" + boundary + b"--", boundary=boundary)) == [
        b"Hello"
    ]


def test_offsets_point_into_the_message() -> None:
    raw = samples.with_attachment(content=b"abc", filename="Ü.txt")
    root = parse(raw)
    text, file = root.children
    assert raw[file.body_start : file.end] == b"YWJj\r\n"
    assert raw[text.header_start :].startswith(b"Content-Type: text/plain")
    assert text.header.endswith(b"\r\n\r\n")
    assert (file.content, file.filename, file.disposition, file.encoding) == (
        b"abc",
        "Ü.txt",
        "attachment",
        "base64",
    )
    assert repr(root) == f"<Part multipart/mixed, {root.size} octets, 2 parts>"


def test_depth_is_bounded() -> None:
    assert sum(1 for _ in parse(samples.deep_mime(depth=20)).walk()) == 21
    assert sum(1 for _ in parse(samples.deep_mime(depth=200)).walk()) == MAX_DEPTH + 1


def test_ten_thousand_parts() -> None:
    assert len(mixed(b"--b\r\n\r\nx\r\n" * 10_000 + b"--b--").children) == 10_000


def test_the_number_of_parts_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fakemail.message.mime.MAX_PARTS", 3)
    assert bodies(mixed(b"--b\r\n\r\nx\r\n" * 4 + b"--b--")) == [
        b"x",
        b"x\r\n--b\r\n\r\nx\r\n--b\r\n\r\nx\r\n--b--",
    ]


def test_section_numbers() -> None:
    inner = (
        b"Content-Type: multipart/mixed; boundary=i\r\n\r\n--i\r\n\r\nin one\r\n--i\r\n\r\nin two\r\n--i--"
    )
    root = mixed(
        b"--b\r\n\r\none\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n" + inner
        + b"\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: s\r\n\r\nsingle\r\n--b--"
    )  # fmt: skip
    assert root.section() is root

    def body(*numbers: int) -> bytes | None:
        part = root.section(*numbers)
        return None if part is None else part.body

    assert body(1) == b"one"
    assert body(2) == inner
    assert body(2, 2) == b"in two"
    assert body(3, 1) == b"single"
    assert [body(0), body(4), body(1, 1), body(2, 3), body(3, 2), body(3, 1, 1)] == [None] * 6
    plain = parse(samples.plain())
    assert plain.section(1) is plain
    assert plain.section(1, 1) is None


def test_text_follows_its_charset_and_encoding() -> None:
    head = (
        b"Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: Quoted-Printable\r\n\r\n"
    )
    assert parse(head + b"na=EFve=\r\n!\r\n").text == "naïve!\n"
