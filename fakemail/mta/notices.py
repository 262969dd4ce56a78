"""Ready notices about a message, as bounce processors get them: octets with CRLF line ends, the same at every call.

``original`` is the message that a notice is about, as octets or as anything with ``raw``. Put a notice into a
mailbox with ``inbox.put(...)``, or send it with an empty reverse-path, as real servers do.
"""

from __future__ import annotations

import zlib
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import TYPE_CHECKING, Final, Protocol

from fakemail.errors import DeclarationError, nearest
from fakemail.message.envelope import Recipient
from fakemail.message.headers import body_offset
from fakemail.message.message import MessageView
from fakemail.message.samples import Who, plain
from fakemail.model.account import AutoReply
from fakemail.model.host import BOUNCE_STYLES
from fakemail.mta.inbound import auto_reply
from fakemail.mta.outbound import bounce_styles
from fakemail.mta.outbound.dsn import DeliveryStatusReport, DsnAction, RecipientStatus, join
from fakemail.types.address import Address, address
from fakemail.types.reply import Reply
from fakemail.types.suggestions import suggesting

_DATE: Final = datetime(2024, 5, 17, 9, 45, tzinfo=UTC)
_NO_USER: Final = "550 5.1.1 no such user here"
_NO_ANSWER: Final = "451 4.4.1 no answer so far"
_HOST: Final = "mx1.example.org"


class HasRaw(Protocol):
    """A message that was received."""

    @property
    def raw(self) -> bytes:
        """Its octets."""
        ...


Original = bytes | HasRaw


def bounce(
    original: Original | None = None,
    *,
    recipient: Who | None = None,
    to: Who | None = None,
    reply: str | None = None,
    style: str = "standard",
    host: str = _HOST,
    remote: str = "",
    action: str = "failed",
    date: datetime = _DATE,
) -> bytes:
    """A delivery report in one of the styles ``standard``, ``postfix``, ``exchange``, ``gmail``, ``qmail``, ``plain``.

    ``recipient`` is who did not get it, by default whom the message names in To; ``to`` is the sender who is
    told; ``reply`` is what the server ``remote`` said, by default ``550 5.1.1`` or, of a delay, ``451 4.4.1``;
    ``action`` may be ``delayed``, ``delivered``, ``relayed`` or
    ``expanded`` as well. Raises :class:`~fakemail.errors.DeclarationError` where a style has no such report.
    """
    raw = _raw(original)
    view = MessageView(raw)
    if style not in BOUNCE_STYLES:
        raise DeclarationError(f"there are no bounces {style!r}; {nearest(style, BOUNCE_STYLES)}")
    kind = DsnAction(action)
    if reply is None:
        reply = _NO_ANSWER if kind is DsnAction.DELAYED else _NO_USER
    code, _, text = reply.partition(" ")
    enhanced, _, rest = text.partition(" ")
    has_enhanced = enhanced.count(".") == 2 and enhanced.replace(".", "").isdigit()
    said = Reply(int(code), enhanced, rest) if has_enhanced else Reply(int(code), None, text)
    number = _number(b"bounce", raw, repr((str(recipient), reply, style, host, action)).encode())
    status = RecipientStatus(
        Recipient(_who(recipient, view.to)),
        kind,
        said if kind in (DsnAction.FAILED, DsnAction.DELAYED) else None,
        remote=remote,
    )
    report = DeliveryStatusReport(
        host=host,
        to=_who(to, [view.sender]),
        statuses=(status,),
        original=raw,
        arrived=date,
        now=date,
        message_id=f"<{number}@{host}>",
        boundary=f"=_{number}/{host}",
        queue_id=number.upper(),
    )
    written = bounce_styles.write(report, style)
    if written is None:
        raise DeclarationError(f"servers of the style {style!r} report failures only, not {action!r}.")
    return written


def complaint(
    original: Original | None = None,
    *,
    kind: str = "abuse",
    recipient: Who | None = None,
    to: Who = "abuse@example.com",
    host: str = "fbl.example.org",
    source_ip: str = "198.51.100.1",
    is_redacted: bool = False,
    date: datetime = _DATE,
) -> bytes:
    """A complaint of a feedback loop in the Abuse Reporting Format (RFC 5965): a recipient called it spam.

    A redacted one does not tell who complained, and returns the header only (RFC 6590).
    """
    raw = _raw(original)
    view = MessageView(raw)
    who = _who(recipient, view.to)
    number = _number(b"complaint", raw, repr((kind, str(who), host, is_redacted)).encode())
    fields = [
        f"Feedback-Type: {kind}",
        "User-Agent: fakemail-feedback/1.0",
        "Version: 1",
        f"Original-Mail-From: <{view.sender}>",
        *([] if is_redacted else [f"Original-Rcpt-To: <{who}>"]),
        f"Arrival-Date: {format_datetime(date)}",
        f"Reporting-MTA: dns; {host}",
        f"Source-IP: {source_ip}",
        f"Reported-Domain: {view.sender.rpartition('@')[2]}",
    ]
    enclosed = raw[: body_offset(raw)] if is_redacted else raw
    enclosed_type = "text/rfc822-headers" if is_redacted else "message/rfc822"
    text = f"This is an abuse report for a message that came from {source_ip}.\r\n"
    rows = [
        ("From", f"<complaints@{host}>"),
        ("To", _text(to)),
        ("Subject", f"FW: {view.subject}" if view.subject.isascii() else "FW: a message"),
    ]
    return _report(
        "feedback-report",
        "message/feedback-report",
        rows,
        text,
        fields,
        (enclosed_type, enclosed),
        number=number,
        host=host,
        date=date,
    )


def disposition(
    original: Original | None = None,
    *,
    recipient: Who | None = None,
    to: Who | None = None,
    what: str = "displayed",
    is_automatic: bool = False,
    date: datetime = _DATE,
) -> bytes:
    """A disposition notification (RFC 8098): the recipient's program tells that a message was ``displayed``.

    ``what`` may be ``deleted``, ``dispatched`` or ``processed`` as well.
    """
    raw = _raw(original)
    view = MessageView(raw)
    who = _who(recipient, view.to)
    number = _number(b"disposition", raw, repr((str(who), what, is_automatic)).encode())
    mode = "automatic-action/MDN-sent-automatically" if is_automatic else "manual-action/MDN-sent-manually"
    fields = [
        f"Reporting-UA: {who.domain}; fakemail reader",
        f"Original-Recipient: rfc822; {who}",
        f"Final-Recipient: rfc822; {who}",
        *([f"Original-Message-ID: {view.message_id}"] if view.message_id else []),
        f"Disposition: {mode}; {what}",
    ]
    words = {"displayed": "Read", "deleted": "Not read"}.get(what, what.capitalize())
    text = (
        f"The message that you sent to {who} was {what}.\r\nThat does not tell whether it was understood.\r\n"
    )
    rows = [
        ("From", f"<{who}>"),
        ("To", _text(to if to is not None else view.sender)),
        ("Subject", f"{words}: {view.subject}" if view.subject.isascii() else f"{words}: your message"),
        *([("In-Reply-To", view.message_id), ("References", view.message_id)] if view.message_id else []),
    ]
    return _report(
        "disposition-notification",
        "message/disposition-notification",
        rows,
        text,
        fields,
        ("text/rfc822-headers", raw[: body_offset(raw)]),
        number=number,
        host=who.domain,
        date=date,
    )


def out_of_office(
    original: Original | None = None,
    *,
    sender: Who | None = None,
    to: Who | None = None,
    text: str = "I am away until Monday, and read my mail then.\n",
    subject: str | None = None,
    date: datetime = _DATE,
) -> bytes:
    """An automatic reply of somebody who is away, with all the fields that it has to have (RFC 3834 §3)."""
    raw = _raw(original)
    view = MessageView(raw)
    who = _who(sender, view.to)
    number = _number(b"away", raw, repr((str(who), text, subject)).encode())
    return auto_reply.answer(
        AutoReply(text, subject),
        view,
        account=who,
        to=_who(to, [view.sender]),
        now=date,
        message_id=f"<{number}@{who.domain}>",
    )


def _report(
    kind: str,
    fields_type: str,
    rows: list[tuple[str, str]],
    text: str,
    fields: list[str],
    enclosed: tuple[str, bytes],
    *,
    number: str,
    host: str,
    date: datetime,
) -> bytes:
    """A multipart/report (RFC 6522): for people, for programs, and the message that it is about."""
    boundary = f"=_{number}"
    head = [
        *rows,
        ("Date", format_datetime(date)),
        ("Message-ID", f"<{number}@{host}>"),
        ("Auto-Submitted", "auto-replied"),
        ("MIME-Version", "1.0"),
        ("Content-Type", f'multipart/report; report-type={kind};\r\n\tboundary="{boundary}"'),
    ]
    octets = "".join(f"{name}: {value}\r\n" for name, value in head).encode("utf-8", "replace")
    lines = "".join(f"{field}\r\n" for field in fields).encode("utf-8", "replace")
    enclosed_type, content = enclosed
    parts = [
        b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + text.encode("utf-8", "replace"),
        f"Content-Type: {fields_type}\r\n\r\n".encode() + lines,
        f"Content-Type: {enclosed_type}\r\n\r\n".encode() + content,
    ]
    return octets + b"\r\n" + join(parts, boundary)


def _raw(original: Original | None) -> bytes:
    if original is None:
        return plain()
    return original if isinstance(original, bytes) else original.raw


def _text(who: Who) -> str:
    return who if isinstance(who, str) else str(who.address)


def _who(given: Who | None, found: list[str]) -> Address:
    """An address that was given, or the first one of the message."""
    if given is not None:
        return address(_text(given))
    if not found or not found[0]:
        raise DeclarationError("the message names nobody there; say who is meant.")
    return address(found[0])


def _number(*parts: bytes) -> str:
    """Different content gives a different one, equal content the same."""
    return f"{zlib.crc32(b'|'.join(parts)):08x}"


if not TYPE_CHECKING:  # or every name would seem to be there
    __getattr__ = suggesting(globals())
