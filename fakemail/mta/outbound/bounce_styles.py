"""Delivery reports as different kinds of server write them.

What they have in common is in :mod:`fakemail.mta.outbound.dsn`. Here are facts of form (which fields, which parts,
where the reply stands), with words of our own; each style is a function in the table ``_WRITERS``.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from email.header import Header
from email.utils import format_datetime
from types import MappingProxyType
from typing import Final

from fakemail.message.headers import body_offset
from fakemail.message.message import MessageView
from fakemail.mta.outbound.dsn import (
    SENTENCES,
    DeliveryStatusReport,
    DsnAction,
    RecipientStatus,
    for_programs,
    join,
    one_line,
    original,
    part,
    status_type,
)
from fakemail.mta.outbound.dsn import write as write_standard

_Fields = list[tuple[str, str]]
# qmail knows no DSN extension, and the servers that write plain text only mostly neither.
_FAILURES_ONLY: Final = frozenset({"qmail", "plain"})


def write(report: DeliveryStatusReport, style: str) -> bytes | None:
    """The report as a message with CRLF line ends; ``None`` if such a server never reports that.

    ``style`` is one of :data:`~fakemail.model.host.BOUNCE_STYLES`.
    """
    if style in _FAILURES_ONLY and report.action is not DsnAction.FAILED:
        return None
    return _WRITERS[style](report)


def _postfix(report: DeliveryStatusReport) -> bytes:
    subjects = {
        DsnAction.FAILED: "Undelivered Mail Returned to Sender",
        DsnAction.DELAYED: "Delayed Mail (still being retried)",
    }
    people = [f"This is the mail system at host {report.host}.", ""]
    people += ["Your message went no further. It is attached below; its problem follows.", ""]
    for status in report.statuses:
        people += [_said(status, report), ""]
    people += ["                   The mail system"]
    lines = for_programs(report)
    extra = [f"X-Postfix-Queue-ID: {report.queue_id}", f"X-Postfix-Sender: rfc822; {report.to}"]
    return _multipart(
        report,
        [
            ("From", f"MAILER-DAEMON@{report.host} (Mail Delivery System)"),
            ("Subject", subjects.get(report.action, "Successful Mail Delivery Report")),
        ],
        [
            part("text/plain; charset=us-ascii", people, "Content-Description: Notification"),
            part(status_type(report), [lines[0], *extra, *lines[1:]], "Content-Description: Delivery report"),
            original(report, "Content-Description: Undelivered Message"),
        ],
    )


def _said(status: RecipientStatus, report: DeliveryStatusReport) -> str:
    if status.reply is not None and status.remote:
        reply = one_line(str(status.reply))
        return f"<{status.recipient.address}>: host {status.remote} said: {reply} (in reply to a command)"
    if status.reply is not None:
        return f"<{status.recipient.address}>: {one_line(str(status.reply))}"
    why = one_line(f"{status.reason or SENTENCES[report.action]} {status.detail}".strip())
    return f"<{status.recipient.address}>: {why}"


def _exchange(report: DeliveryStatusReport) -> bytes:
    subject = MessageView(report.original).subject
    words = {DsnAction.FAILED: "Undeliverable", DsnAction.DELAYED: "Delivery delayed"}
    word = words.get(report.action, "Delivered" if report.action is DsnAction.DELIVERED else "Relayed")
    rows = [f"{word} to these recipients or groups:", ""]
    for status in report.statuses:
        rows += [
            f"{status.recipient.address}",
            f"The message {SENTENCES[status.action]}.",
            "",
        ]
    rows += ["Diagnostic information for administrators:", "", f"Generating server: {report.host}", ""]
    for status in report.statuses:
        who = status.remote or report.host
        rows += [
            f"{status.recipient.address}",
            f"{who}",
            f"Remote server returned '{_answer(status)}'",
            "",
        ]
    header = report.original[: body_offset(report.original)].decode("utf-8", "replace")
    text = [*rows, "Original message headers:", "", *header.splitlines()]
    page = "".join(f"<p>{html.escape(row)}</p>\r\n" for row in rows if row)
    inner = f"{report.boundary}-text"
    alternative = [
        part("text/plain; charset=utf-8", text),
        part("text/html; charset=utf-8", [f"<html><body>\r\n{page}</body></html>"]),
    ]
    wrapped = f'Content-Type: multipart/alternative; boundary="{inner}"\r\n\r\n'.encode() + join(
        alternative, inner
    )
    lines = [line.replace("; ", ";", 1) if _is_typed(line) else line for line in for_programs(report)]
    return _multipart(
        report,
        [
            ("From", f"<postmaster@{report.host}>"),
            ("Subject", _encoded(f"{word}: {subject}")),
            ("Content-Language", "en-US"),
            ("X-MS-Exchange-Message-Is-Ndr", ""),
            *_thread(report),
        ],
        [wrapped, part(status_type(report), lines), original(report)],
    )


def _is_typed(line: str) -> bool:
    return line.startswith(
        ("Reporting-MTA:", "Remote-MTA:", "Final-Recipient:", "Original-Recipient:", "Diagnostic-Code:")
    )


def _gmail(report: DeliveryStatusReport) -> bytes:
    words = {DsnAction.FAILED: "Failure", DsnAction.DELAYED: "Delay"}
    word = words.get(report.action, "Success")
    who = ", ".join(str(status.recipient.address) for status in report.statuses)
    text: list[str] = []
    for status in report.statuses:
        text += [
            f"** {'Address not found' if status.code == '5.1.1' else 'Message not delivered'} **"
            if report.action is DsnAction.FAILED
            else f"** Delivery: {word} **",
            "",
            f"Your message to {status.recipient.address} {SENTENCES[status.action]}.",
            "",
            "The response from the remote server was:",
            _answer(status),
            "",
        ]
    page = "".join(f"<p>{html.escape(row)}</p>\r\n" for row in text if row)
    alternative, related = f"{report.boundary}-text", f"{report.boundary}-page"
    body = join(
        [
            part("text/plain; charset=utf-8", text),
            part("text/html; charset=utf-8", [f"<html><body>\r\n{page}</body></html>"]),
        ],
        alternative,
    )
    shown = f'Content-Type: multipart/alternative; boundary="{alternative}"\r\n\r\n'.encode() + body
    wrapped = f'Content-Type: multipart/related; boundary="{related}"\r\n\r\n'.encode() + join(
        [shown], related
    )
    lines = for_programs(report)
    message_id = MessageView(report.original).message_id
    extra = [f"X-Original-Message-ID: {message_id}"] if message_id else []
    end = lines.index("")
    return _multipart(
        report,
        [
            ("From", f"Mail Delivery Subsystem <mailer-daemon@{report.host}>"),
            ("Subject", f"Delivery Status Notification ({word})"),
            ("X-Failed-Recipients", who),
            *_thread(report),
        ],
        [wrapped, part(status_type(report), [*lines[:end], *extra, *lines[end:]]), original(report)],
    )


def _qmail(report: DeliveryStatusReport) -> bytes:
    # QSBMF: the first paragraph starts with these four words; each recipient has a paragraph that starts
    # with its address and a colon; the paragraph that starts with a hyphen ends them, the message follows.
    lines = [
        f"Hi. This is the qmail-send program at {report.host}.",
        "Your message did not get to the addresses below, and will not be tried again.",
        "",
    ]
    for status in report.statuses:
        lines += [f"<{status.recipient.address}>:"]
        if status.reply is not None and status.remote:
            lines += [f"{status.remote} does not like recipient.", f"Remote host said: {_answer(status)}"]
        else:
            lines += [f"{_answer(status)} (#{status.code})"]
        lines += [""]
    lines += ["--- Below this line is a copy of the message.", "", f"Return-Path: <{report.to}>"]
    fields: _Fields = [
        ("From", f"MAILER-DAEMON@{report.host}"),
        ("To", str(report.to)),
        ("Subject", "failure notice"),
        ("Date", format_datetime(report.now)),
        ("Message-ID", report.message_id),
    ]
    text = "\r\n".join(lines).encode("utf-8", "replace")
    return _head(fields) + b"\r\n" + text + b"\r\n" + report.original


def _plain(report: DeliveryStatusReport) -> bytes:
    message = MessageView(report.original)
    lines = ["Sorry, your message could not be delivered.", ""]
    for status in report.statuses:
        lines += [f"Recipient: {status.recipient.address}", f"Reason: {_answer(status)}", ""]
    lines += ["The beginning of your message:", ""]
    for name in ("From", "To", "Subject", "Date", "Message-ID"):
        if value := message.headers.get(name):
            lines.append(f"> {name}: {one_line(value)}")
    fields: _Fields = [
        ("From", f"Mail Server <postmaster@{report.host}>"),
        ("To", str(report.to)),
        ("Subject", "Your message was not delivered"),
        ("Date", format_datetime(report.now)),
        ("Message-ID", report.message_id),
        ("MIME-Version", "1.0"),
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Transfer-Encoding", "8bit"),
    ]
    return _head(fields) + b"\r\n" + "".join(f"{line}\r\n" for line in lines).encode("utf-8", "replace")


def _answer(status: RecipientStatus) -> str:
    """What the other server said, or why there is nothing to tell of it."""
    if status.reply is not None:
        return one_line(str(status.reply))
    why = f"{status.reason or SENTENCES[status.action]} {status.detail}".strip()
    return one_line(f"{status.code} {why}")


def _thread(report: DeliveryStatusReport) -> _Fields:
    message_id = MessageView(report.original).message_id
    return [("In-Reply-To", message_id), ("References", message_id)] if message_id else []


def _multipart(report: DeliveryStatusReport, fields: _Fields, parts: list[bytes]) -> bytes:
    rows = [
        *fields,
        ("To", str(report.to)),
        ("Date", format_datetime(report.now)),
        ("Message-ID", report.message_id),
        ("Auto-Submitted", "auto-replied"),  # RFC 3834 §5
        ("MIME-Version", "1.0"),
        (
            "Content-Type",
            f'multipart/report; report-type=delivery-status;\r\n\tboundary="{report.boundary}"',
        ),
    ]
    return _head(rows) + b"\r\n" + join(parts, report.boundary)


def _head(rows: _Fields) -> bytes:
    return "".join(f"{name}: {value}\r\n" for name, value in rows).encode("utf-8", "replace")


def _encoded(text: str) -> str:
    title = " ".join(text.split())
    return title if title.isascii() else Header(title, "utf-8", header_name="Subject").encode(linesep="\r\n")


_WRITERS: Final[Mapping[str, Callable[[DeliveryStatusReport], bytes]]] = MappingProxyType(
    {
        "standard": write_standard,
        "postfix": _postfix,
        "exchange": _exchange,
        "gmail": _gmail,
        "qmail": _qmail,
        "plain": _plain,
    }
)
