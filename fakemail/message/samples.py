"""Ready messages for tests: bytes with CRLF line ends, the same at every call.

Senders and recipients are addresses as strings, or anything with an ``address`` (an account).
Every function takes ``sender``, ``to`` (one or several), ``subject`` and ``date``.
"""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.header import Header
from email.utils import format_datetime
from typing import TYPE_CHECKING, Final

from fakemail.message.headers import field_in_head, head_of, message_ids
from fakemail.types.address import HasAddress
from fakemail.types.suggestions import suggesting

GTUBE: Final = b"".join(
    (b"XJS*C4JDBQADN1.NSBN3*2IDNEN*", b"GTUBE-STANDARD-", b"ANTI-UBE-TEST-EMAIL", b"*C.34X")
)
"""The line that makes any message spam (Generic Test for Unsolicited Bulk Email)."""
EICAR: Final = b"".join(
    (b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$", b"EICAR-STANDARD-", b"ANTIVIRUS-TEST-FILE", b"!$H+H*")
)
"""The file that every scanner takes for a virus (EICAR test file), 68 bytes."""


Who = str | HasAddress

_SENDER: Final = "hello@example.com"
_TO: Final = "bob@example.org"
_DATE: Final = datetime(2024, 5, 17, 9, 30, tzinfo=UTC)
# One pixel, so that a picture is a picture.
_PNG: Final = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
_MIME: Final = (("MIME-Version", "1.0"),)
_TEXT: Final = (
    *_MIME,
    ("Content-Type", "text/plain; charset=us-ascii"),
    ("Content-Transfer-Encoding", "7bit"),
)
_TEXT_8BIT: Final = (
    *_MIME,
    ("Content-Type", "text/plain; charset=utf-8"),
    ("Content-Transfer-Encoding", "8bit"),
)
_LINE_END: Final = re.compile(r"\r\n|\r|\n")


def plain(
    *,
    sender: Who = _SENDER,
    to: Who | Sequence[Who] = _TO,
    subject: str = "Hello",
    text: str = "Hello Bob,\n\nnice to meet you.\n",
    date: datetime = _DATE,
    headers: Sequence[tuple[str, str]] = (),
) -> bytes:
    """A message of plain text, in UTF-8 where it must be. ``headers`` are further fields."""
    more = _TEXT if text.isascii() else _TEXT_8BIT
    return _head(sender, to, subject, date, [*headers, *more]) + b"\r\n" + _lines(text)


def html(
    *,
    sender: Who = _SENDER,
    to: Who | Sequence[Who] = _TO,
    subject: str = "Welcome, Bob",
    html: str = '<p>Welcome, Bob.</p><p><a href="https://example.com/confirm/4711">Confirm</a></p>',
    text: str | None = "Welcome, Bob.\n\nConfirm: https://example.com/confirm/4711\n",
    date: datetime = _DATE,
) -> bytes:
    """A message of HTML with a plain text beside it; ``text=None`` sends the HTML alone."""
    rich = ("text/html; charset=utf-8", "8bit", _lines(html))
    if text is None:
        kind, encoding, content = rich
        fields = [*_MIME, ("Content-Type", kind), ("Content-Transfer-Encoding", encoding)]
        return _head(sender, to, subject, date, fields) + b"\r\n" + content
    parts = [_part("text/plain; charset=utf-8", "8bit", _lines(text)), _part(*rich)]
    return _multipart("alternative", sender, to, subject, date, parts)


def question(
    *,
    sender: Who = _TO,
    to: Who | Sequence[Who] = "desk@example.com",
    subject: str = "Where is my parcel?",
    text: str = "Hello,\n\nmy parcel has not come yet. Where is it?\n\nBob\n",
    date: datetime = _DATE,
) -> bytes:
    """A customer's question, which wants an answer."""
    return plain(sender=sender, to=to, subject=subject, text=text, date=date)


def code(
    *,
    sender: Who = _SENDER,
    to: Who | Sequence[Who] = _TO,
    subject: str = "Your sign-in code",
    code: str = "493817",
    date: datetime = _DATE,
) -> bytes:
    """A one-time code, as a site sends it to somebody who signs in."""
    text = f"Your sign-in code is {code}.\n\nIt is valid for ten minutes.\n"
    return plain(sender=sender, to=to, subject=subject, text=text, date=date)


def reply(
    original: bytes | None = None,
    *,
    sender: Who = _TO,
    to: Who | Sequence[Who] = _SENDER,
    subject: str = "Re: Hello",
    text: str = "Nice to meet you too.\n",
    date: datetime = _DATE + timedelta(hours=1),
) -> bytes:
    """A reply to a message, by default to ``plain()``, in its thread (In-Reply-To, References, RFC 5322 §3.6.4)."""
    head = head_of(plain() if original is None else original)
    answered = message_ids(field_in_head(head, "message-id"))[:1]
    thread = [*message_ids(field_in_head(head, "references")), *answered]
    fields = [("In-Reply-To", answered[0]), ("References", "\r\n ".join(thread))] if answered else []
    return plain(sender=sender, to=to, subject=subject, text=text, date=date, headers=fields)


def forwarded(
    original: bytes | None = None,
    *,
    sender: Who = _TO,
    to: Who | Sequence[Who] = "ann@example.org",
    subject: str = "Fwd: Hello",
    text: str = "Do you know them?\n",
    date: datetime = _DATE + timedelta(hours=1),
) -> bytes:
    """A text with a whole message attached (``message/rfc822``, RFC 2046 §5.2.1), by default ``plain()``."""
    enclosed = plain() if original is None else original
    parts = [
        _part("text/plain; charset=utf-8", "8bit", _lines(text)),
        _part("message/rfc822", "8bit", enclosed),
    ]
    return _multipart("mixed", sender, to, subject, date, parts)


def invitation(
    *,
    sender: Who = _SENDER,
    to: Who | Sequence[Who] = _TO,
    subject: str = "Invitation: Lunch",
    start: datetime = _DATE + timedelta(days=3),
    duration: timedelta = timedelta(hours=1),
    date: datetime = _DATE,
) -> bytes:
    """An invitation to a meeting, which calendars read (iMIP, RFC 6047)."""
    several = [to] if isinstance(to, str) or not isinstance(to, Sequence) else to
    stamps = [f"{each.astimezone(UTC):%Y%m%dT%H%M%SZ}" for each in (date, start, start + duration)]
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//example.com//Calendar//EN",
        "METHOD:REQUEST",
        "BEGIN:VEVENT",
        f"UID:{zlib.crc32(repr((subject, stamps)).encode('utf-8', 'replace')):08x}@example.com",
        f"DTSTAMP:{stamps[0]}",
        f"DTSTART:{stamps[1]}",
        f"DTEND:{stamps[2]}",
        f"SUMMARY:{subject.removeprefix('Invitation: ')}",
        f"ORGANIZER:mailto:{_address(sender)}",
        *(f"ATTENDEE;RSVP=TRUE:mailto:{_address(each)}" for each in several),
        "END:VEVENT",
        "END:VCALENDAR",
    ]
    text = f"You are invited.\n\nWhen: {start:%d %B %Y, %H:%M %Z}\n"
    parts = [
        _part("text/plain; charset=utf-8", "8bit", _lines(text)),
        _part("text/calendar; charset=utf-8; method=REQUEST", "8bit", _lines("\n".join(lines) + "\n")),
    ]
    return _multipart("alternative", sender, to, subject, date, parts)


def list_post(
    *,
    sender: Who = _SENDER,
    to: Who | Sequence[Who] = "friends@lists.example.net",
    subject: str = "[friends] Hello",
    text: str = "Hello all,\n\nwho is coming?\n",
    date: datetime = _DATE,
) -> bytes:
    """A post to a mailing list, as its members get it (RFC 2369, RFC 2919)."""
    fields = [
        ("Sender", "friends-bounces@lists.example.net"),
        ("Precedence", "list"),
        ("List-Id", "Friends <friends.lists.example.net>"),
        ("List-Post", "<mailto:friends@lists.example.net>"),
        ("List-Unsubscribe", "<mailto:friends-leave@lists.example.net>"),
    ]
    text = f"{text}\n-- \nfriends mailing list\n"
    return plain(sender=sender, to=to, subject=subject, text=text, date=date, headers=fields)


def newsletter(
    *,
    sender: Who = "news@example.com",
    to: Who | Sequence[Who] = _TO,
    subject: str = "News",
    date: datetime = _DATE,
) -> bytes:
    """Bulk mail with the fields that large receivers ask for (RFC 2369, RFC 8058, RFC 2919)."""
    fields = [
        ("List-Id", "News of the shop <news.example.com>"),
        ("List-Unsubscribe", "<https://example.com/unsubscribe/4711>, <mailto:unsubscribe@example.com>"),
        ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
        ("Precedence", "bulk"),
    ]
    text = "All socks are blue this week.\n\nUnsubscribe: https://example.com/unsubscribe/4711\n"
    return plain(sender=sender, to=to, subject=subject, text=text, date=date, headers=fields)


def with_attachment(
    *,
    sender: Who = _SENDER,
    to: Who | Sequence[Who] = _TO,
    subject: str = "Your invoice",
    text: str = "Your invoice is attached.\n",
    filename: str = "invoice.pdf",
    content: bytes = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n%%EOF\n",
    content_type: str = "application/pdf",
    date: datetime = _DATE,
) -> bytes:
    """A text with one attached file. A name that is not ASCII is written as RFC 2231 says."""
    parts = [_part("text/plain; charset=utf-8", "8bit", _lines(text)), _file(content_type, filename, content)]
    return _multipart("mixed", sender, to, subject, date, parts)


def spam(
    *,
    sender: Who = _SENDER,
    to: Who | Sequence[Who] = _TO,
    subject: str = "An offer",
    date: datetime = _DATE,
) -> bytes:
    """A message that every spam filter takes for spam, by the GTUBE line that they agree on."""
    return plain(sender=sender, to=to, subject=subject, text=f"{GTUBE.decode()}\n", date=date)


def virus(
    *,
    sender: Who = _SENDER,
    to: Who | Sequence[Who] = _TO,
    subject: str = "Your invoice",
    filename: str = "eicar.com",
    date: datetime = _DATE,
) -> bytes:
    """A message with the EICAR test file, which every scanner takes for a virus and which does no harm."""
    return with_attachment(
        sender=sender,
        to=to,
        subject=subject,
        filename=filename,
        content=EICAR,
        content_type="application/octet-stream",
        date=date,
    )


def large(
    *,
    size: int = 1_500_000,
    sender: Who = _SENDER,
    to: Who | Sequence[Who] = _TO,
    subject: str = "Large",
    date: datetime = _DATE,
) -> bytes:
    """A message of exactly that many bytes (at least some 300), in lines of 78 bytes and less."""
    head = _head(sender, to, subject, date, _TEXT) + b"\r\n"
    room = size - len(head)
    if room < 0:
        raise ValueError(f"a large message has at least {len(head)} octets here, not {size}")
    line = b"0123456789" * 7 + b"012345\r\n"
    body = (line * (room // len(line) + 1))[:room]
    if room >= 2:
        body = body[:-2].removesuffix(b"\r") + b"\r\n"
        body = b"0" * (room - len(body)) + body
    return head + body


def utf8(
    *,
    sender: Who = "grüße@müller.test",
    to: Who | Sequence[Who] = "bøb@example.org",
    subject: str = "Grüße aus 東京 ✉",
    date: datetime = _DATE,
) -> bytes:
    """A message that needs SMTPUTF8: raw UTF-8 in header and addresses (RFC 6532)."""
    return _head(sender, to, subject, date, _TEXT_8BIT, raw_utf8=True) + b"\r\n" + _lines("Grüße!\n")


def eight_bit(
    *,
    sender: Who = _SENDER,
    to: Who | Sequence[Who] = _TO,
    subject: str = "Crème brûlée",
    date: datetime = _DATE,
) -> bytes:
    """A message whose body needs 8BITMIME: Latin-1 bytes, and an encoded-word in the Subject."""
    fields = [
        *_MIME,
        ("Content-Type", "text/plain; charset=iso-8859-1"),
        ("Content-Transfer-Encoding", "8bit"),
    ]
    return _head(sender, to, subject, date, fields) + b"\r\n" + _lines("Crème brûlée à volonté.\n", "latin-1")


def inline_picture(
    *,
    sender: Who = _SENDER,
    to: Who | Sequence[Who] = _TO,
    subject: str = "A picture",
    date: datetime = _DATE,
) -> bytes:
    """HTML that shows a picture from the same message (RFC 2387, RFC 2392)."""
    picture = _file("image/png", "pixel.png", _PNG, inline="<pixel@example.com>")
    page = _part(
        "text/html; charset=utf-8", "8bit", _lines('<p>Look: <img src="cid:pixel@example.com" alt="dot"></p>')
    )
    return _multipart("related", sender, to, subject, date, [page, picture])


def deep_mime(
    *,
    depth: int = 10,
    sender: Who = _SENDER,
    to: Who | Sequence[Who] = _TO,
    subject: str = "Deep",
    date: datetime = _DATE,
) -> bytes:
    """Multiparts inside multiparts, ``depth`` of them, with one text at the bottom."""
    part = _part("text/plain", "7bit", b"At the bottom.\r\n")
    for level in range(depth - 1, 0, -1):
        part = _wrap("mixed", f"level-{level}", [part])
    return _head(sender, to, subject, date, _MIME) + _wrap("mixed", "level-0", [part])


def malformed() -> dict[str, bytes]:
    """Messages that break the rules as real mail does, by what is wrong with them."""
    part = b"--b\r\nContent-Type: text/plain\r\n\r\nHello\r\n"
    mixed = b"Subject: x\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    return {
        "empty": b"",
        "only a blank line": b"\r\n",
        "no header": b"Hello, no header here.\r\n",
        "no blank line": b"Subject: x\r\nFrom: a@b.test\r\n",
        "line without colon": b"Subject: x\r\nthis is no field\r\nFrom: a@b.test\r\n\r\nHello\r\n",
        "line feeds only": b"Subject: x\nFrom: a@b.test\n\nHello\n",
        "NUL octets": b"Subject: a\x00b\r\nFrom: a\x00@b.test\r\n\r\nHel\x00lo\r\n",
        "raw 8-bit header": b"Subject: caf\xe9\r\nFrom: Ren\xe9 <r@b.test>\r\n\r\nHello\r\n",
        "broken encoded-words": b"Subject: =?utf-8?b?4pyT4?= =?no-such?q?=ZZ?= =?utf-8?x?y?=\r\n\r\nHello\r\n",
        "broken addresses": b'From: "Bob <bob@b.test\r\nTo: <<a@b.test>>, @, ;:, (((\r\n\r\nHello\r\n',
        "broken date": b"Date: Tomorrow, 99 Foo 99999 99:99:99 +9999\r\n\r\nHello\r\n",
        "two subjects": b"Subject: first\r\nSubject: second\r\n\r\nHello\r\n",
        "no boundary": b"Content-Type: multipart/mixed\r\n\r\n--b\r\n\r\nHello\r\n--b--\r\n",
        "no delimiter": mixed + b"Hello\r\n",
        "no close delimiter": mixed + part,
        "broken base64": b"Content-Transfer-Encoding: base64\r\n\r\nSGVsbG8*gV29ybGQ\r\n",
        "unknown encoding": b"Content-Transfer-Encoding: rot13\r\n\r\nUryyb\r\n",
        "unknown charset": b"Content-Type: text/plain; charset=klingon\r\n\r\nHello\r\n",
        "broken content type": b"Content-Type: ;;; =\r\n\r\nHello\r\n",
        "very long line": b"Subject: " + b"x" * 20_000 + b"\r\n\r\n" + b"y" * 20_000,
    }


def _address(who: Who) -> str:
    return who if isinstance(who, str) else str(who.address)


def _head(
    sender: Who,
    to: Who | Sequence[Who],
    subject: str,
    date: datetime,
    fields: Sequence[tuple[str, str]],
    *,
    raw_utf8: bool = False,
) -> bytes:
    """The fields of a header, without the blank line."""
    several = [to] if isinstance(to, str) or not isinstance(to, Sequence) else to
    origin = _address(sender)
    target = ", ".join(map(_address, several))
    # Different content gives a different Message-ID, equal content the same one.
    number = zlib.crc32(repr((origin, target, subject, date, list(fields))).encode("utf-8", "replace"))
    title = " ".join(subject.split())
    if not title.isascii() and not raw_utf8:
        title = Header(title, "utf-8", header_name="Subject").encode(linesep="\r\n")
    rows = [
        ("From", origin),
        ("To", target),
        ("Subject", title),
        ("Date", format_datetime(date)),
        ("Message-ID", f"<{number:08x}@{origin.rpartition('@')[2] or 'localhost'}>"),
        *fields,
    ]
    return _fields(rows)


def _fields(rows: Sequence[tuple[str, str]]) -> bytes:
    return "".join(f"{name}: {value}\r\n" for name, value in rows).encode("utf-8", "replace")


def _lines(text: str, charset: str = "utf-8") -> bytes:
    """Bytes with CRLF after each line, the last one too."""
    whole = _LINE_END.sub("\r\n", text)
    return (whole if whole.endswith("\r\n") else whole + "\r\n").encode(charset, "replace")


def _part(kind: str, encoding: str, content: bytes) -> bytes:
    return _fields([("Content-Type", kind), ("Content-Transfer-Encoding", encoding)]) + b"\r\n" + content


def _file(kind: str, filename: str, content: bytes, *, inline: str = "") -> bytes:
    if filename.isascii():
        name = 'filename="' + filename.replace("\\", "\\\\").replace('"', '\\"') + '"'
    else:
        data = filename.encode("utf-8", "replace")
        name = "filename*=utf-8''" + "".join(
            chr(byte) if byte < 128 and chr(byte).isalnum() else f"%{byte:02X}" for byte in data
        )
    rows = [
        ("Content-Type", kind),
        ("Content-Transfer-Encoding", "base64"),
        ("Content-Disposition", f"{'inline' if inline else 'attachment'}; {name}"),
    ]
    if inline:
        rows.append(("Content-ID", inline))
    return _fields(rows) + b"\r\n" + base64.encodebytes(content).replace(b"\n", b"\r\n")


def _wrap(sub: str, boundary: str, parts: Sequence[bytes]) -> bytes:
    """A multipart with its own Content-Type field and blank line in front."""
    mark = boundary.encode()
    head = f'Content-Type: multipart/{sub}; boundary="{boundary}"\r\n\r\n'.encode()
    return (
        head + b"".join(b"--" + mark + b"\r\n" + part + b"\r\n" for part in parts) + b"--" + mark + b"--\r\n"
    )


def _multipart(
    sub: str, sender: Who, to: Who | Sequence[Who], subject: str, date: datetime, parts: Sequence[bytes]
) -> bytes:
    number = zlib.crc32(b"".join(parts))
    return _head(sender, to, subject, date, _MIME) + _wrap(sub, f"=_{number:08x}", parts)


if not TYPE_CHECKING:  # or every name would seem to be there
    __getattr__ = suggesting(globals())
