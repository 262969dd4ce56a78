"""Trace fields and the other fields that servers add: built as bytes, put in front, nothing altered.

RFC 5321 §4.4 (Return-Path, Received), RFC 6409 §8 (what a submission server completes).
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from email.utils import format_datetime
from functools import lru_cache
from typing import Final

from fakemail.message.headers import body_offset, split_fields, starts_with_body, starts_with_mailbox_line
from fakemail.types.address import Address, Path

# Everything else that a client says of itself could end the clause, the comment or the field.
_NOT_IN_NAME: Final = re.compile(r"(?![A-Za-z0-9._:\[\]\-])[\x00-\xa0]")
_NOT_IN_COMMENT: Final = re.compile(r"[^A-Za-z0-9 ._/:=+,\-]")
_NOT_IN_PATH: Final = re.compile(r"[\x00-\x20\x7f-\x9f<>\u2028\u2029]")
# RFC 5321 §4.1.2: qtextSMTP = %d32-33 / %d35-91 / %d93-126; quoted-pairSMTP = %d92 %d32-126
_NOT_IN_QUOTED: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_RECEIVED: Final = re.compile(rb"\n[Rr][Ee][Cc][Ee][Ii][Vv][Ee][Dd][ \t]*:")
_RECEIVED_FIRST: Final = re.compile(rb"[Rr][Ee][Cc][Ee][Ii][Vv][Ee][Dd][ \t]*:")
_DATE: Final = re.compile(rb"(?:\A|\n)[Dd][Aa][Tt][Ee][ \t]*:")
_MESSAGE_ID: Final = re.compile(rb"(?:\A|\n)[Mm][Ee][Ss][Ss][Aa][Gg][Ee]-[Ii][Dd][ \t]*:")
_MAX_NAME: Final = 255


def return_path(path: Path) -> bytes:
    """The Return-Path line that final delivery puts first: ``Return-Path: <bob@example.org>``."""
    if not isinstance(path, Address):
        return b"Return-Path: <>\r\n"
    return f"Return-Path: <{_path(path)}>\r\n".encode("utf-8", "replace")


def protocol(*, extended: bool = True, tls: bool = False, auth: bool = False, utf8: bool = False) -> str:
    """The ``with`` word of a Received field (RFC 3848; RFC 6531 §4.3 for UTF8SMTP)."""
    if not extended:
        return "SMTP"
    return ("UTF8SMTP" if utf8 else "ESMTP") + ("S" if tls else "") + ("A" if auth else "")


def received(
    *,
    helo: str,
    client_ip: str,
    by: str,
    date: datetime,
    queue_id: str,
    client_name: str = "",
    with_: str = "ESMTP",
    tls: str = "",
    recipient: Address | None = None,
) -> bytes:
    """A Received field, folded, with its line end (RFC 5321 §4.4).

    ``helo`` is what the client called itself and may be hostile; ``client_name`` is its name by reverse
    DNS, ``""`` if unknown; ``tls`` is a description such as ``"TLSv1.3 cipher TLS_AES_256_GCM_SHA384"``;
    ``recipient`` is given only where the message has one recipient, so that no other one learns of it.
    """
    start = received_start(
        helo=helo, client_ip=client_ip, client_name=client_name, by=by, with_=with_, tls=tls
    )
    return received_end(start, queue_id=_name(queue_id), date=date, recipient=recipient)


def received_start(
    *, helo: str, client_ip: str, by: str, client_name: str = "", with_: str = "ESMTP", tls: str = ""
) -> str:
    """Beginning of a Received field up to the queue id: the same for all messages of a connection."""
    # From-domain = "FROM" FWS Extended-Domain; Extended-Domain = Domain / ( Domain FWS "(" TCP-info ")" )
    # TCP-info = address-literal / ( Domain FWS address-literal )
    where = f"from {_name(helo)} ({_name(client_name)} {_literal(client_ip)})"
    comment = f"\r\n\t(using {_NOT_IN_COMMENT.sub('?', tls)[:_MAX_NAME]})" if tls else ""
    # By-domain = CFWS "BY" FWS Extended-Domain; Opt-info = [Via] [With] [ID] [For]
    return f"Received: {where}{comment}\r\n\tby {_name(by)} with {_name(with_)} id "


def received_end(start: str, *, queue_id: str, date: datetime, recipient: Address | None) -> bytes:
    """The whole field; the queue id is one of our own and goes in as it is."""
    target = f"\r\n\tfor <{_path(recipient)}>" if recipient else ""
    line = f"{start}{queue_id}{target};\r\n\t{_date(date, date.utcoffset())}\r\n"
    return line.encode("utf-8", "replace")


def complete(raw: bytes, *, date: datetime, message_id: str) -> bytes:
    """Fields that a submission server adds where absent: Date and Message-ID (RFC 6409 §8.2, §8.3).

    ``message_id`` comes with its angle brackets. The bytes of the message stay as they are.
    """
    head = b"" if starts_with_body(raw) else raw[: body_offset(raw)]
    added = b""
    if _DATE.search(head) is None:
        added = f"Date: {_date(date, date.utcoffset())}\r\n".encode()
    if _MESSAGE_ID.search(head) is None:
        added += f"Message-ID: {message_id}\r\n".encode()
    return prepend(raw, added) if added else raw


def prepend(raw: bytes, fields: bytes) -> bytes:
    """Put complete field lines in front of a message.

    A message that starts with its body gets the blank line that it lacks, so that the body stays one. The line
    of an mbox file becomes a field (both as Postfix does it).
    """
    if raw and starts_with_body(raw):
        return fields + b"\r\n" + raw
    if starts_with_mailbox_line(raw):
        return fields + b"X-Mailbox-Line: " + raw
    return fields + raw


def without_fields(raw: bytes, prefix: str) -> bytes:
    """The message without the fields whose names begin so, in whatever case; all else as it was."""
    kept, at = [], 0
    for field in split_fields(raw, 0, body_offset(raw)):
        if field.name.lower().startswith(prefix):
            end = raw.find(b"\n", field.end)
            kept.append(raw[at : field.start])
            at = len(raw) if end < 0 else end + 1
    return b"".join([*kept, raw[at:]]) if kept else raw


def count_received(raw: bytes) -> int:
    """Number of Received fields in the header block: the hops so far (RFC 5321 §6.3, loop detection)."""
    end = body_offset(raw)
    return len(_RECEIVED.findall(raw, 0, end)) + (_RECEIVED_FIRST.match(raw, 0, end) is not None)


@lru_cache(maxsize=64)
def _date(date: datetime, _offset: timedelta | None) -> str:
    """A date as RFC 5322 §3.3 writes it, kept because the clock of a fake internet mostly stands still.

    Two dates are equal when they are the same moment; the offset keeps the ways to write it apart.
    """
    return format_datetime(date)


def _name(text: str) -> str:
    return _NOT_IN_NAME.sub("?", text[:_MAX_NAME]) or "unknown"


def _literal(ip: str) -> str:
    # RFC 5321 §4.1.3: IPv6-address-literal = "IPv6:" IPv6-addr
    return f"[{'IPv6:' if ':' in ip else ''}{_NOT_IN_NAME.sub('?', ip)}]"


def _path(path: Address) -> str:
    return _clean_path(str(path))


@lru_cache(maxsize=256)
def _clean_path(text: str) -> str:
    local, at, domain = text.rpartition("@")
    # Between quotes a space, "<" and ">" are text like any other.
    unfit = _NOT_IN_QUOTED if local.startswith('"') else _NOT_IN_PATH
    return unfit.sub("?", local) + at + _NOT_IN_PATH.sub("?", domain)
