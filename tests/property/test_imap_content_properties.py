"""What is printed of any mail is a valid response; sections fit the sizes told; threads and sorts lose nothing."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from fakemail.imap.content.bodystructure import body, bodystructure
from fakemail.imap.content.envelope import envelope
from fakemail.imap.content.fetch_cache import preview
from fakemail.imap.content.index import HeaderIndex, collation_key
from fakemail.imap.content.search import SearchContext, compile_search
from fakemail.imap.content.sections import UnknownEncoding, binary, body_string, section
from fakemail.imap.content.sort_thread import ThreadBuilder, sort_order, thread, thread_lists
from fakemail.imap.content.strings import string
from fakemail.imap.syntax.fetch_items import Section, SectionText
from fakemail.imap.syntax.search_keys import (
    BodyContains,
    HeaderContains,
    SortCriterion,
    SortField,
    TextContains,
    ThreadAlgorithm,
)
from fakemail.message.base_subject import base_subject
from fakemail.message.headers import Headers, body_offset, split_fields
from fakemail.message.mime import parse
from fakemail.store.content import Content
from fakemail.store.message import StoredMessage

_WHEN = datetime(2024, 5, 17, tzinfo=UTC)


class Reader:
    """A strict reader of response data (RFC 3501 §9; with ``utf8``, RFC 9051 §9)."""

    def __init__(self, data: bytes, *, utf8: bool = False) -> None:
        self.data, self.at, self.utf8 = data, 0, utf8

    def whole(self) -> Any:
        value = self.value()
        assert self.at == len(self.data), f"octets behind the value: {self.data[self.at :]!r}"
        return value

    def value(self) -> Any:
        mark = self.data[self.at : self.at + 1]
        if mark == b"(":
            return self.list()
        if mark == b'"':
            return self.quoted()
        if mark == b"{":
            return self.literal()
        word = self.take(rb"NIL|0|[1-9][0-9]*")
        return None if word == b"NIL" else int(word)

    def list(self) -> list[Any]:
        """Parentheses; one space between values, none between two lists, as addresses and bodies have it."""
        self.take(rb"\(")
        values = [self.value()]
        while not self.data.startswith(b")", self.at):
            if not (self.data.startswith(b"(", self.at) and isinstance(values[-1], list)):
                self.take(b" ")
            values.append(self.value())
        self.at += 1
        return values

    def quoted(self) -> bytes:
        text = self.take(rb'"(?:[^\x00\r\n"\\]|\\["\\])*"')
        if self.utf8:
            text.decode("utf-8")
        else:
            assert text.isascii()
        return re.sub(rb"\\(.)", rb"\1", text[1:-1], flags=re.DOTALL)

    def literal(self) -> bytes:
        size = int(self.take(rb"\{(?:0|[1-9][0-9]*)\}\r\n")[1:-3])
        text = self.data[self.at : self.at + size]
        assert len(text) == size
        assert b"\x00" not in text
        self.at += size
        return text

    def take(self, pattern: bytes) -> bytes:
        match = re.compile(pattern, re.DOTALL).match(self.data, self.at)
        assert match, f"{pattern!r} expected at {self.data[self.at : self.at + 40]!r}"
        self.at = match.end()
        return match[0]


def _check_envelope(value: Any) -> None:
    assert len(value) == 10
    for place, member in enumerate(value):
        if place in (0, 1, 8, 9):
            assert member is None or isinstance(member, bytes)
        elif member is not None:
            depth = 0
            for name, route, mailbox, host in member:
                assert all(one is None or isinstance(one, bytes) for one in (name, route, mailbox, host))
                if host is None:  # the marks of a group come in pairs
                    assert name is route is None
                    depth += 1 if mailbox is not None else -1
                    assert depth in (0, 1)
                else:
                    assert mailbox is not None
            assert depth == 0


def _check_parameters(value: Any) -> None:
    assert value is None or (len(value) % 2 == 0 and all(isinstance(one, bytes) for one in value))


def _check_common_extension(value: list[Any]) -> None:
    disposition, language, location = value
    if disposition is not None:
        kind, parameters = disposition
        assert isinstance(kind, bytes)
        _check_parameters(parameters)
    assert language is None or all(isinstance(one, bytes) for one in language)
    assert location is None or isinstance(location, bytes)


def _check_body(
    value: Any, extended: bool, utf8: bool, sizes: dict[tuple[int, ...], int], number: tuple[int, ...]
) -> None:
    """Check a body and note the size of each part under its section number."""
    if isinstance(value[0], list):
        children = [one for one in value if isinstance(one, list)]
        parts = next(place for place, one in enumerate(value) if not isinstance(one, list))
        for place, child in enumerate(value[:parts]):
            _check_body(child, extended, utf8, sizes, (*number, place + 1))
        assert children
        assert isinstance(value[parts], bytes)
        rest = value[parts + 1 :]
        if extended:
            _check_parameters(rest[0])
            _check_common_extension(rest[1:])
        else:
            assert not rest
        return
    main, sub, parameters, identity, description, encoding, size, *rest = value
    assert all(isinstance(one, bytes) for one in (main, sub, encoding))
    assert all(one is None or isinstance(one, bytes) for one in (identity, description))
    assert isinstance(size, int)
    _check_parameters(parameters)
    number = number or (1,)
    sizes[number] = size
    if main == b"text":
        assert isinstance(rest.pop(0), int)
    elif main == b"message" and (sub == b"rfc822" or (utf8 and sub == b"global")):
        _check_envelope(rest.pop(0))
        inner = rest.pop(0)
        _check_body(inner, extended, utf8, sizes, number if isinstance(inner[0], list) else (*number, 1))
        assert isinstance(rest.pop(0), int)
    if extended:
        md5 = rest.pop(0)
        assert md5 is None or isinstance(md5, bytes)
        _check_common_extension(rest)
    else:
        assert not rest


_PIECES = st.sampled_from(
    [
        b"\r\n", b"\r\n\r\n", b"\n", b"\r", b" ", b"\t", b"\x00", b"\xff", b"\xc3\xa9", b":", b";", b"=", b'"', b"\\",
        b"(", b")", b"<", b">", b"@", b",", b"=?utf-8?q?=C3=A9?=", b"Subject: ", b"From: ", b"To: ", b"Cc : ",
        b"Reply-To: ", b"Sender: ", b"Message-ID: ", b"References: ", b"In-Reply-To: ", b"Re: ", b"[fwd:", b"]", b"a@b",
        b"Content-Type: ", b"multipart/mixed", b"multipart/digest", b"message/rfc822", b"message/global", b"text/html",
        b"image/png", b"; boundary=b", b"; boundary=bb", b"; charset=utf-7", b"; name*0*=", b"; name*1=", b"--b",
        b"Date: ", b"--bb", b"--b--", b"Content-Transfer-Encoding: ", b"base64", b"quoted-printable", b"x-what",
        b"Content-Disposition: ", b"attachment", b"Content-Language: ", b"en, de", b"Content-Location: ",
        b"Content-MD5: ", b"Content-ID: ", b"Content-Description: ", b"1 Jan 2024", b"x",
    ]
)  # fmt: skip
_GARBAGE = st.one_of(
    st.binary(max_size=100), st.lists(st.one_of(_PIECES, st.binary(max_size=3)), max_size=70).map(b"".join)
)
_TEXTS = st.text(
    st.characters(min_codepoint=32, max_codepoint=0x2FFF, exclude_categories=["Cs", "Cc", "Zl", "Zp"])
)


@st.composite
def _built(draw: st.DrawFn, depth: int = 0) -> EmailMessage:
    """Mail as the standard library builds it."""
    mail = EmailMessage(policy=SMTP)
    mail["Subject"] = draw(_TEXTS)
    mail["From"] = "Ann Example <ann@a.test>"
    mail.set_content(draw(_TEXTS) + "\n", cte=draw(st.sampled_from(["8bit", "quoted-printable", "base64"])))
    if draw(st.booleans()):
        mail.add_alternative("<p>" + draw(_TEXTS) + "</p>", subtype="html")
    if draw(st.booleans()):
        mail.add_attachment(
            draw(st.binary(max_size=60)), maintype="image", subtype="png", filename=draw(_TEXTS) or "x"
        )
    if depth < 2 and draw(st.booleans()):
        mail.add_attachment(draw(_built(depth + 1)))
    return mail


def _octets(mail: EmailMessage) -> bytes:
    for number, part in enumerate(mail.walk()):
        if part.get_content_maintype() == "multipart":
            part.set_boundary(f"b{number}")  # the standard library would throw dice
    return mail.as_bytes()


_MAIL = st.one_of(_GARBAGE, _built().map(_octets))


@given(_MAIL, st.booleans())
@settings(max_examples=100, deadline=None)
def test_responses_are_valid_and_sections_have_the_sizes_they_tell(raw: bytes, utf8: bool) -> None:
    root = parse(raw)
    _check_envelope(Reader(envelope(raw, utf8=utf8), utf8=utf8).whole())
    sizes: dict[tuple[int, ...], int] = {}
    _check_body(Reader(body(root, utf8=utf8), utf8=utf8).whole(), False, utf8, sizes, ())
    extended: dict[tuple[int, ...], int] = {}
    _check_body(Reader(bodystructure(root, utf8=utf8), utf8=utf8).whole(), True, utf8, extended, ())
    assert sizes == extended
    for number, size in sizes.items():
        octets = section(raw, Section(number), root=root)
        assert octets is not None
        assert len(octets) == size
        assert Reader(body_string(octets)).whole() == octets.replace(b"\x00", b"\x80")
        mime = section(raw, Section(number, SectionText.MIME), root=root)
        assert mime is not None
        assert raw.find(mime + octets) >= 0
        try:
            assert binary(root, number) is not None
        except UnknownEncoding as error:
            assert error.encoding  # noqa: PT017
    whole = [section(raw, Section(text=text)) or b"" for text in (SectionText.HEADER, SectionText.TEXT)]
    assert b"".join(whole) == raw


@given(_MAIL)
@settings(max_examples=50, deadline=None)
def test_single_fields_are_read_as_the_whole_header_is(raw: bytes) -> None:
    headers = Headers(split_fields(raw, 0, body_offset(raw)))
    index = HeaderIndex(raw)
    for name in {*headers, "Subject", "From", "X-None"}:
        lower = name.lower()
        assert [body.removesuffix(b"\r") for body in index.fields(lower)] == [
            field.raw for field in headers.fields_named(name)
        ]
        assert index.has(lower) is (name in headers)
        assert index.folded(lower) == (
            "\n".join(collation_key(text) for text in headers.all(name)) if name in headers else None
        )
        assert index.text(lower) == headers.get(name, "")
        chosen = section(raw, Section(text=SectionText.HEADER_FIELDS, fields=(name,)))
        others = section(raw, Section(text=SectionText.HEADER_FIELDS_NOT, fields=(name,)))
        assert chosen is not None
        assert others is not None
        assert [field.raw for field in split_fields(chosen)] == [
            field.raw for field in headers.fields_named(name)
        ]
        assert len(split_fields(chosen)) + len(split_fields(others)) == len(headers)


@given(_GARBAGE, _TEXTS)
@settings(max_examples=50, deadline=None)
def test_garbage_raises_nothing(raw: bytes, text: str) -> None:
    shown = preview(parse(raw))
    assert len(shown) <= 200
    shown.encode()
    message = _message(0, raw)
    context = SearchContext(now=_WHEN)
    for key in (HeaderContains(text, text), BodyContains(text), TextContains(text)):
        assert compile_search(key, context)(message, 1) in (True, False)
    assert base_subject(base_subject(text)) is not None
    assert thread_lists(thread([message], ThreadAlgorithm.REFERENCES), [1]) == b"(1)"


@given(st.binary(max_size=60), st.booleans())
@settings(deadline=None)
def test_any_octets_are_a_string(data: bytes, utf8: bool) -> None:
    assert Reader(string(data, utf8=utf8), utf8=utf8).whole() == data.replace(b"\x00", "\ufffd".encode())


def _message(place: int, raw: bytes) -> StoredMessage:
    when = _WHEN + timedelta(seconds=place % 3)
    return StoredMessage(place + 1, Content(raw), frozenset(), when, 1, when, None, "box")


_IDS = st.integers(0, 9).map(lambda number: f"<{number}@x>")
_HEADERS = st.builds(
    "Message-ID: {}\r\nReferences: {}\r\nSubject: {}\r\nFrom: {}\r\nDate: {} Jan 2024\r\n\r\n".format,
    _IDS,
    st.lists(_IDS, max_size=4).map(" ".join),
    st.sampled_from(["", "a", "Re: a", "[fwd: a]", "A", "b", "Re: [x] b", "é"]),
    st.sampled_from(["", "a@b", "Zed <z@a>", "grp:;"]),
    st.integers(1, 4),
)
_BOX = st.lists(_HEADERS, max_size=14).map(
    lambda headers: [_message(place, header.encode()) for place, header in enumerate(headers)]
)


@given(_BOX, st.sampled_from(ThreadAlgorithm))
@settings(max_examples=75, deadline=None)
def test_threads_hold_each_message_once(box: list[StoredMessage], algorithm: ThreadAlgorithm) -> None:
    threads = thread(box, algorithm)
    printed = thread_lists(threads, range(1, len(box) + 1))
    assert sorted(int(number) for number in re.findall(rb"\d+", printed)) == list(range(1, len(box) + 1))
    assert b"()" not in printed
    assert re.fullmatch(rb"(?:\((?:\d+(?: \d+)*(?: (?=\())?)?|\)(?=\(|\)|\Z))*", printed), printed
    assert printed.count(b"(") == printed.count(b")")
    _no_dummies_below_the_top(threads)


def _no_dummies_below_the_top(threads: ThreadBuilder) -> None:
    for children in threads.children.values():
        assert all(child < threads.messages for child in children)
    for top in threads.tops:
        assert top < threads.messages or len(threads.children[top]) > 1


@given(_BOX, st.lists(st.builds(SortCriterion, st.sampled_from(SortField), st.booleans()), max_size=3))
@settings(max_examples=50, deadline=None)
def test_sorting_is_a_stable_permutation(box: list[StoredMessage], criteria: list[SortCriterion]) -> None:
    order = sort_order(box, criteria)
    assert sorted(order) == list(range(len(box)))
    # Sorting the sorted box changes nothing.
    assert sort_order([box[place] for place in order], criteria) == list(range(len(box)))
