"""Delivery reports as different kinds of server write them, and bounces that have no part for programs.

What they have in common is in :mod:`fakemail.message.reports.dsn`. Written are facts of form (which fields, which
parts, where the reply stands), with words of our own; each style is a function in the table ``_WRITERS``. Read are the
text format of qmail (QSBMF), which is a format, and for the rest only what such texts have in common: an address, a
reply, a status code where they stand.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping
from email.header import Header
from email.utils import format_datetime
from types import MappingProxyType
from typing import Final

from fakemail.message.headers import Headers, body_offset, message_ids, split_fields
from fakemail.message.mime import Part
from fakemail.message.reports.dsn import (
    SENTENCES,
    DeliveryReport,
    DeliveryStatusReport,
    DsnAction,
    RecipientReport,
    RecipientStatus,
    for_programs,
    is_other_report,
    join,
    one_line,
    original,
    part,
    read_standard,
    status_type,
)
from fakemail.message.reports.dsn import write as write_standard

# Writing ---------------------------------------------------------------------------------------------

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
    subject = _headers(report).get("Subject", "")
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
    message_id = _message_id(report)
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
    headers = _headers(report)
    lines = ["Sorry, your message could not be delivered.", ""]
    for status in report.statuses:
        lines += [f"Recipient: {status.recipient.address}", f"Reason: {_answer(status)}", ""]
    lines += ["The beginning of your message:", ""]
    for name in ("From", "To", "Subject", "Date", "Message-ID"):
        if value := headers.get(name):
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
    """Reply of the other server, or the reason why there is none."""
    if status.reply is not None:
        return one_line(str(status.reply))
    why = f"{status.reason or SENTENCES[status.action]} {status.detail}".strip()
    return one_line(f"{status.code} {why}")


def _headers(report: DeliveryStatusReport) -> Headers:
    return Headers(split_fields(report.original, 0, body_offset(report.original)))


def _message_id(report: DeliveryStatusReport) -> str:
    return next(iter(message_ids(_headers(report).get("Message-ID", ""))), "")


def _thread(report: DeliveryStatusReport) -> _Fields:
    message_id = _message_id(report)
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

# Reading ---------------------------------------------------------------------------------------------

_QSBMF: Final = "Hi. This is the"
# The paragraphs of the recipients: "<address>:" on a line of its own, some without brackets, then what happened.
_QSBMF_RECIPIENT: Final = re.compile(r"<?([^<>\s@]{1,64}@[^<>\s:]{1,255})>?:[ \t]*\n(.+)", re.DOTALL)
_STATUS: Final = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.])")
_REPLY: Final = re.compile(r"(?<![\d.])([45]\d\d)[ -](?:#?[45]\.\d{1,3}\.\d{1,3}\b)?[^\n]*")
_ADDRESS: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")
_MESSAGE_ID: Final = re.compile(r"^[> \t]*Message-ID:[ \t]*(<[^<>\s]+>)", re.IGNORECASE | re.MULTILINE)
_FAILURE: Final = re.compile(
    r"undeliver|not (?:be )?delivered|delivery (?:has )?failed|delivery failure|failure notice"
    r"|returned mail|delivery status notification|could not deliver|mail delivery failed",
    re.IGNORECASE,
)
# Exim: the address of a list or an alias that the one before it came from, which has not failed.
_ORIGIN: Final = re.compile(r"\((?:ultimately )?generated from [^\s()]++\)")
_DAEMON: Final = re.compile(r"(?:mailer-daemon|postmaster|mail-daemon|mailerdaemon)@", re.IGNORECASE)
# What comes behind is the message that was sent, and full of addresses that mean nothing here.
_QUOTED: Final = re.compile(
    r"^(?:>|-{2,}.*(?:message|below|forwarded)|.*(?:original message|your message:|beginning of your message))",
    re.IGNORECASE | re.MULTILINE,
)


def read_report(
    root: Part, *, sender: str = "", subject: str = "", failed: str = "", own: frozenset[str] = frozenset()
) -> DeliveryReport | None:
    """The report that a message is, ``None`` if it is none or names no recipient.

    For what has no part for programs, ``sender`` and ``subject`` are those of the notice, ``failed`` is
    its field X-Failed-Recipients, and ``own`` the addresses (in lower case) of the notice itself.
    """
    standard = read_standard(root)
    if standard is not None or is_other_report(root):
        return standard
    text_part = root
    while text_part.is_multipart and text_part.children:
        text_part = text_part.children[0]
    if text_part.content_type != "text/plain":
        return None
    words = text_part.text
    found = _read_qsbmf(words) or _read_plain(
        words, sender=sender, subject=subject, own=own - {failed.strip().lower()}
    )
    if found is None:
        return None
    recipients, message_id = found
    host = sender.rpartition("@")[2]
    return DeliveryReport(host, "", recipients, message_id, is_standard=False)


def _read_qsbmf(text: str) -> tuple[tuple[RecipientReport, ...], str] | None:
    """The recipients and the Message-ID of a bounce in the format of qmail; ``None`` for any other text."""
    if not text.lstrip().startswith(_QSBMF):
        return None
    found: list[RecipientReport] = []
    told, _, original = text.lstrip().partition("\n-")
    for paragraph in re.split(r"\n[ \t]*\n", told):
        match = _QSBMF_RECIPIENT.match(paragraph.strip())
        if match:
            words = " ".join(match[2].split())
            _, _, said = words.partition("Remote host said: ")
            found.append(RecipientReport(match[1], "failed", _status(words), said or words))
    return (tuple(found), _quoted_id(original)) if found else None


def _read_plain(
    text: str, *, sender: str, subject: str, own: frozenset[str]
) -> tuple[tuple[RecipientReport, ...], str] | None:
    """The same for a text of any form, from a daemon; ``None`` if it does not read like a bounce.

    ``own`` are addresses, in lower case, that are not meant: those of the notice itself.
    """
    if not _DAEMON.match(sender) or not (_FAILURE.search(subject) or _FAILURE.search(text)):
        return None
    quoted = _QUOTED.search(text)
    told = text[: quoted.start()] if quoted else text
    lead, sections = _sections(_ORIGIN.sub("", told), own)
    if not sections:
        return None
    # What is said before the first recipient, or of nobody else, is about all of them.
    is_shared = len(sections) == 1 or not any(_has_answer(said) for _, said in sections)
    found = []
    for recipient, said in sections:
        match = _REPLY.search(said) or (_REPLY.search(lead) if is_shared else None)
        reply = match[0].strip(" \t\r,;") if match else ""
        status = _status(reply or (told if is_shared else said))
        action = "delayed" if status.startswith("4") and "again" in told.lower() else "failed"
        found.append(RecipientReport(recipient, action, status, reply))
    return tuple(found), _quoted_id(text)


def _sections(text: str, own: frozenset[str]) -> tuple[str, list[tuple[str, str]]]:
    """Text before the first recipient, and for each one the words from there to the next recipient.

    A section begins with its line, because a reply may quote the address in its middle.
    """
    names: dict[str, str] = {}
    words: dict[str, list[str]] = {}
    lead, last, start = text, "", 0
    for match in _ADDRESS.finditer(text):
        address = match[0].rstrip(".")
        key = address.lower()
        if key == last or key in own or _DAEMON.match(address):
            continue
        line = text.rfind("\n", start, match.start()) + 1
        begin = line or (match.start() if last else 0)
        if last:
            words[last].append(text[start:begin])
        else:
            lead = text[:begin]
        names.setdefault(key, address)
        words.setdefault(key, [])
        last, start = key, begin
    if last:
        words[last].append(text[start:])
    return lead, [(name, "\n".join(words[key])) for key, name in names.items()]


def _has_answer(words: str) -> bool:
    return _REPLY.search(words) is not None or _STATUS.search(words) is not None


def _status(words: str) -> str:
    """The enhanced status code, made from a plain code where there is none."""
    match = _STATUS.search(words)
    if match:
        return match[1]
    reply = _REPLY.search(words)
    return f"{reply[1][0]}.0.0" if reply else "5.0.0"


def _quoted_id(text: str) -> str:
    match = _MESSAGE_ID.search(text)
    return match[1] if match else ""
