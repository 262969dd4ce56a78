"""Checks of a message as it came from the app, before any server completed it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from fakemail.errors import ProtocolError
from fakemail.events.kinds import SmtpCommand
from fakemail.lint.conversations import Conversation, Turn, turns
from fakemail.lint.finding import RuleViolation
from fakemail.message.headers import ONCE_AT_MOST, Headers, blank_line, body_offset, parse_date, split_fields
from fakemail.smtp.body import has_bare_line_ends
from fakemail.smtp.grammar import read_path_argument
from fakemail.types.stage import Stage

# RFC 5322 §2.1.1: 998 bytes and the CRLF.
_LONG_LINE: Final = re.compile(rb"[^\r\n]{999}")
_BARE: Final = re.compile(rb"[^\r\n]*(?:(?<!\r)\n|\r(?!\n))")
# RFC 5322 §2.2: field-name ":"; a folded line starts with white space.
_FIELD_LINE: Final = re.compile(rb"[!-9;-~]+[ \t]*:|[ \t]")
# RFC 5322 §3.6.4: msg-id = [CFWS] "<" id-left "@" id-right ">" [CFWS]
_MESSAGE_ID: Final = re.compile(r"<[^<>\s@]+@[^<>\s@]+>")


class _LintedMessage(NamedTuple):
    content: bytes
    body: int
    """Offset of the body."""
    headers: Headers
    parameters: frozenset[str]
    """Those of MAIL, in upper case, each with its value."""
    is_unstuffed: bool

    @property
    def head(self) -> bytes:
        return self.content[: self.body]


def check(conversation: Conversation) -> Iterator[RuleViolation]:
    """Everything that the messages of one connection show, refused ones too."""
    for turn in turns(conversation):
        exchange = turn.exchange
        if (
            exchange.stage is not Stage.SMTP_END
            or exchange.client_bytes is None
            or not exchange.client_bytes.message
        ):
            continue
        message = _read(turn)
        for look in _CHECKS:
            for rule, line in look(message):
                yield RuleViolation(rule, exchange, line, turn.accepted)


def _read(turn: Turn) -> _LintedMessage:
    content, is_unstuffed = b"", False
    if turn.exchange.client_bytes is not None:
        content, is_unstuffed = turn.exchange.client_bytes.content, turn.exchange.client_bytes.is_unstuffed
    body = body_offset(content)
    headers = Headers(split_fields(content, 0, body))
    return _LintedMessage(content, body, headers, _parameters(turn.mail), is_unstuffed)


def _parameters(mail: SmtpCommand | None) -> frozenset[str]:
    if mail is None:
        return frozenset()
    try:
        read = read_path_argument(mail.line.partition(" ")[2].strip(" "), "FROM:")
    except ProtocolError:
        return frozenset()
    return frozenset(
        name if value is None else f"{name}={value.upper()}" for name, value in read.parameters.items()
    )


def _text(content: bytes) -> str:
    return content.decode("utf-8", "surrogateescape").strip("\r\n")


_Found = Iterator[tuple[str, str]]


def _lines(message: _LintedMessage) -> _Found:
    if "BODY=BINARYMIME" in message.parameters:
        return  # RFC 3030 §3: it has no lines
    if has_bare_line_ends(message.content) and (bare := _BARE.search(message.content)):
        yield "bare_line_end", _text(bare[0])
    if long := _LONG_LINE.search(message.content):
        yield "line_too_long", _text(long[0])


def _dots(message: _LintedMessage) -> _Found:
    if message.is_unstuffed:
        yield "missing_dot_stuffing", ""


def _eight_bit(message: _LintedMessage) -> _Found:
    head, body = message.head, message.content[message.body :]
    if not head.isascii() and "SMTPUTF8" not in message.parameters:
        line = next(line for line in head.splitlines() if not line.isascii())
        yield "header_not_ascii", _text(line)
    if not body.isascii() and not message.parameters & {"BODY=8BITMIME", "BODY=BINARYMIME"}:
        line = next(line for line in body.splitlines() if not line.isascii())
        yield "eight_bit_undeclared", _text(line)


def _header(message: _LintedMessage) -> _Found:
    content, body = message.content, message.body
    if len(content) - body > 0 and not blank_line(content, 0, body):
        # The header ends with a line that is no field.
        yield "malformed_header", _text(content[body:].partition(b"\n")[0])
        return
    for line in message.head.splitlines():
        if line and not _FIELD_LINE.match(line):
            yield "malformed_header", _text(line)
            break


def _fields(message: _LintedMessage) -> _Found:
    headers = message.headers
    for name in ONCE_AT_MOST:
        if len(headers.fields_named(name)) > 1:
            yield "duplicate_field", f"{name}: {headers.all(name)[1]}"
    if "Date" not in headers:
        yield "no_date", ""
    elif parse_date(headers["Date"]) is None:
        yield "bad_date", f"Date: {headers['Date']}"
    if "Message-ID" not in headers:
        yield "no_message_id", ""
    elif not _MESSAGE_ID.search(headers["Message-ID"]):
        yield "bad_message_id", f"Message-ID: {headers['Message-ID']}"
    if "From" not in headers:
        yield "no_from", ""
    if "To" not in headers and "Cc" not in headers:
        yield "no_to", ""
    if headers.get("Bcc"):
        yield "bcc_left_in", f"Bcc: {headers['Bcc']}"
    if "Return-Path" in headers:
        yield "return_path_left_in", f"Return-Path: {headers['Return-Path']}"
    if "Content-Type" in headers and "MIME-Version" not in headers:
        yield "no_mime_version", f"Content-Type: {headers['Content-Type']}"


_CHECKS: Final[tuple[Callable[[_LintedMessage], _Found], ...]] = (_lines, _dots, _eight_bit, _header, _fields)
