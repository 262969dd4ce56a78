"""ENVELOPE: what stays as written, what is defaulted, and how every shape of address list is printed."""

from __future__ import annotations

import pytest

from fakemail.imap.content.envelope import EMPTY_ENVELOPE, envelope
from fakemail.imap.content.strings import nstring, string, without_nul

_A = b'((NIL NIL "a" "b.test"))'


def _from(value: bytes, *, utf8: bool = False) -> bytes:
    """The From member for a From field."""
    printed = envelope(b"From: " + value + b"\r\n\r\n", utf8=utf8)
    assert printed.startswith(b"(NIL NIL ")
    assert printed.endswith(b" NIL NIL NIL NIL NIL)")
    third = printed[len(b"(NIL NIL ") : -len(b" NIL NIL NIL NIL NIL)")]
    size = (len(third) - 2) // 3  # From, Sender and Reply-To are equal
    assert third[:size] == third[size + 1 : 2 * size + 1] == third[-size:]
    return third[:size]


def test_the_example_of_the_rfc() -> None:
    # RFC 9051 §8
    raw = (
        b"Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\r\nFrom: Terry Gray <gray@cac.washington.edu>\r\n"
        b"Subject: IMAP4rev2 WG mtg summary and minutes\r\nTo: imap@cac.washington.edu\r\n"
        b"cc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>\r\n"
        b"Message-Id: <B27397-0100000@cac.washington.ed>\r\n\r\nText\r\n"
    )
    gray = b'(("Terry Gray" NIL "gray" "cac.washington.edu"))'
    assert envelope(raw) == (
        b'("Wed, 17 Jul 1996 02:23:25 -0700 (PDT)" "IMAP4rev2 WG mtg summary and minutes" '
        + b" ".join([gray] * 3)
        + b' ((NIL NIL "imap" "cac.washington.edu"))'
        b' ((NIL NIL "minutes" "CNRI.Reston.VA.US")("John Klensin" NIL "KLENSIN" "MIT.EDU"))'
        b' NIL NIL "<B27397-0100000@cac.washington.ed>")'
    )


@pytest.mark.parametrize(
    "raw", [b"", b"\r\n", b"Hello, no header here.\r\n", b"X: y\r\n\r\nSubject: body\r\n"]
)
def test_a_message_without_any_of_it_is_all_nil(raw: bytes) -> None:
    assert envelope(raw) == EMPTY_ENVELOPE


def test_absent_is_nil_and_empty_is_the_empty_string() -> None:
    # RFC 9051 §7.5.2; an empty address list is NIL all the same.
    raw = b"Date:\r\nSubject: \r\nFrom:\r\nTo: \r\nIn-Reply-To:\r\nMessage-ID: \r\n\r\n"
    assert envelope(raw) == b'("" "" NIL NIL NIL NIL NIL NIL "" "")'


def test_encoded_words_and_the_date_stay_as_written() -> None:
    raw = b"Date:  Mon, 1 Jan 2001\r\n  10:00 (x)\r\nSubject: =?utf-8?q?caf=C3=A9?=\r\n\tx\r\n\r\n"
    assert envelope(raw).startswith(b'("Mon, 1 Jan 2001  10:00 (x)" "=?utf-8?q?caf=C3=A9?=\tx" NIL')


def test_sender_and_reply_to_default_to_from() -> None:
    raw = b"From: a@b.test\r\nSender:\r\n\r\n"
    assert envelope(raw) == b"(NIL NIL %b %b %b NIL NIL NIL NIL NIL)" % (_A, _A, _A)
    raw = b"From: a@b.test\r\nSender: s@b.test\r\nReply-To: r@b.test\r\n\r\n"
    assert envelope(raw) == (
        b'(NIL NIL %b ((NIL NIL "s" "b.test")) ((NIL NIL "r" "b.test")) NIL NIL NIL NIL NIL)' % _A
    )


@pytest.mark.parametrize(
    ("value", "printed"),
    [
        (b"Ann <a@b.test>", b'(("Ann" NIL "a" "b.test"))'),
        (b'"Last, First" <a@b.test>', b'(("Last, First" NIL "a" "b.test"))'),
        (b"=?utf-8?q?J=2C?= <a@b.test>", b'(("=?utf-8?q?J=2C?=" NIL "a" "b.test"))'),
        (b"=?utf-8?q?a,b?= <a@b.test>", b'(("=?utf-8?q?a,b?=" NIL "a" "b.test"))'),
        (b"Hans   Peter <a@b.test>", b'(("Hans Peter" NIL "a" "b.test"))'),
        (b"a@b.test (Joe Q. Public)", b'(("Joe Q. Public" NIL "a" "b.test"))'),
        (b'"say \\"hi\\"" <a@b.test>', b'(("say \\"hi\\"" NIL "a" "b.test"))'),
        (b'"a b"@c.test', b'((NIL NIL "a b" "c.test"))'),
        (b"<a@[1.2.3.4]>", b'((NIL NIL "a" "[1.2.3.4]"))'),
        (b"<@x,@y:a@b.test>", b'((NIL "@x,@y" "a" "b.test"))'),
        (b"a@b.test,\r\n\tc@d.test", b'((NIL NIL "a" "b.test")(NIL NIL "c" "d.test"))'),
        # A host of NIL would mean a group.
        (b"postmaster", b'((NIL NIL "postmaster" "MISSING_DOMAIN"))'),
        (b"Some Body", b'(("Some Body" NIL "MISSING_MAILBOX" "MISSING_DOMAIN"))'),
        (b"undisclosed-recipients:;", b'((NIL NIL "undisclosed-recipients" NIL)(NIL NIL NIL NIL))'),
        (
            b"Us: a@b.test, C <c@d.test>;, e@f.test",
            b'((NIL NIL "Us" NIL)(NIL NIL "a" "b.test")("C" NIL "c" "d.test")(NIL NIL NIL NIL)'
            b'(NIL NIL "e" "f.test"))',
        ),
        (b"Ren\xe9 <r@b.test>", b'(({4}\r\nRen\xe9 NIL "r" "b.test"))'),
        (b"Ren\xc3\xa9 <r@b.test>", b'(({5}\r\nRen\xc3\xa9 NIL "r" "b.test"))'),
    ],
)
def test_addresses(value: bytes, printed: bytes) -> None:
    assert _from(value) == printed


def test_address_fields_that_are_repeated_are_one_list() -> None:
    assert b'((NIL NIL "a" "b")(NIL NIL "c" "d"))' in envelope(b"To: a@b\r\nTo: c@d\r\n\r\n")


def test_utf8_is_quoted_only_for_clients_that_asked_for_it() -> None:
    # RFC 6855 §3; octets that are no UTF-8 stay in a literal.
    assert _from("René <rené@exämple.test>".encode(), utf8=True) == (
        '(("René" NIL "rené" "exämple.test"))'.encode()
    )
    assert _from(b"Ren\xe9 <r@b.test>", utf8=True) == b'(({4}\r\nRen\xe9 NIL "r" "b.test"))'


def test_lf_only_headers_are_read() -> None:
    assert envelope(b"Subject: x\nFrom: a@b.test\n\nHello\n").startswith(b'(NIL "x" ((NIL NIL "a" "b.test"))')


@pytest.mark.parametrize(
    ("data", "printed"),
    [
        (b"", b'""'),
        (b"a b\t!", b'"a b\t!"'),
        (b'"\\', b'"\\"\\\\"'),
        (b"\x01\x7f", b'"\x01\x7f"'),
        (b"a\r\nb", b"{4}\r\na\r\nb"),
        (b"a\rb", b"{3}\r\na\rb"),
        (b"\x80", b"{1}\r\n\x80"),
        (b"a\x00b", b"{5}\r\na\xef\xbf\xbdb"),
        (b"x" * 5000, b"{5000}\r\n" + b"x" * 5000),
    ],
)
def test_strings(data: bytes, printed: bytes) -> None:
    assert string(data) == nstring(data) == printed


def test_utf8_strings_and_nil() -> None:
    assert string("é".encode(), utf8=True) == '"é"'.encode()
    assert string("é\r".encode(), utf8=True) == b"{3}\r\n\xc3\xa9\r"
    assert nstring(None) == b"NIL"
    assert without_nul(b"a\x00b") == b"a\x80b"
