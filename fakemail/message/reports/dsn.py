"""Delivery status notifications (RFC 3464, RFC 6522): who gets one (RFC 3461), how they are written and read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from email.utils import format_datetime
from enum import Enum
from typing import Final

from fakemail.message.addresses import split_addresses
from fakemail.message.decoding import field_text
from fakemail.message.envelope import Envelope, Recipient
from fakemail.message.headers import Headers, body_offset, split_fields
from fakemail.message.mime import Part
from fakemail.types.address import Address, NullPath
from fakemail.types.dataclass import dataclass
from fakemail.types.reason import Reason
from fakemail.types.reply import Reply
from fakemail.types.suggestions import Suggests

# Writing ---------------------------------------------------------------------------------------------


class DsnAction(Enum):
    """Action for a recipient (RFC 3464 §2.3.3)."""

    FAILED = "failed"
    DELAYED = "delayed"
    DELIVERED = "delivered"
    RELAYED = "relayed"
    EXPANDED = "expanded"


# RFC 3461 §4.1: which word of NOTIFY asks for which report. RELAYED and EXPANDED are kinds of success.
_ASKED_BY: Final = {
    DsnAction.FAILED: "FAILURE",
    DsnAction.DELAYED: "DELAY",
    DsnAction.DELIVERED: "SUCCESS",
    DsnAction.RELAYED: "SUCCESS",
    DsnAction.EXPANDED: "SUCCESS",
}
# RFC 3461 §4.1: without NOTIFY, failures are reported, and delays may be.
_UNASKED: Final = frozenset({DsnAction.FAILED, DsnAction.DELAYED})

_SUBJECTS: Final = {
    DsnAction.FAILED: "Undelivered mail returned to sender",
    DsnAction.DELAYED: "Delayed mail (still being retried)",
    DsnAction.DELIVERED: "Mail was delivered",
    DsnAction.RELAYED: "Mail was relayed",
    DsnAction.EXPANDED: "Mail was expanded to a list",
}
SENTENCES: Final = {
    DsnAction.FAILED: "could not be delivered, and will not be tried again",
    DsnAction.DELAYED: "has not been delivered yet; it is being tried again",
    DsnAction.DELIVERED: "was delivered",
    DsnAction.RELAYED: "was relayed to a server that sends no such notices",
    DsnAction.EXPANDED: "was forwarded to the members of a list",
}
# RFC 3463 §3: what a reason is called where no server gave a code.
_STATUS: Final = {
    Reason.NO_SUCH_DOMAIN: "1.2",
    Reason.NULL_MX: "1.10",  # RFC 7505 §5
    Reason.MAIL_LOOP: "4.6",
    Reason.NOT_NEGOTIATED: "6.3",
    Reason.MESSAGE_TOO_BIG: "3.4",
    Reason.DNS_TEMPORARY: "4.3",
    Reason.NO_ADDRESS: "4.4",
    Reason.CONNECTION_REFUSED: "4.1",
    Reason.CONNECTION_LOST: "4.2",
    Reason.TIMEOUT: "4.2",
    Reason.PROTOCOL_ERROR: "5.0",
    Reason.TLS_FAILED: "7.5",
    Reason.CERTIFICATE_REFUSED: "7.5",
    Reason.DANE_FAILED: "7.5",
    Reason.STS_FAILED: "7.5",
    Reason.STS_WRONG_HOST: "7.5",
    Reason.TLS_REQUIRED: "7.10",
    Reason.REQUIRETLS_FAILED: "7.10",  # RFC 8689 §4.2.1
    Reason.REQUIRETLS_NOT_OFFERED: "7.30",
}


@dataclass(frozen=True, slots=True)
class RecipientStatus:
    """One recipient of a report."""

    recipient: Recipient
    action: DsnAction
    reply: Reply | None = None
    reason: Reason | None = None
    detail: str = ""
    remote: str = ""
    """The host that gave the reply, empty for our own."""
    retry_until: datetime | None = None
    status: str = ""
    """The enhanced status code where the reason stands for several and no server gave one."""

    @property
    def code(self) -> str:
        """The enhanced status code (RFC 3463)."""
        succeeded = self.action in (DsnAction.DELIVERED, DsnAction.RELAYED, DsnAction.EXPANDED)
        # A positive reply that did not fit what was sent says nothing about why there is no delivery.
        reply = None if self.reply is None or self.reply.is_positive is not succeeded else self.reply
        if reply is not None and reply.enhanced is not None:
            # What is tried again has failed for now, whatever the server called it (RFC 3464 §2.3.4).
            return f"4{reply.enhanced[1:]}" if self.action is DsnAction.DELAYED else reply.enhanced
        if self.status:
            return self.status
        if succeeded:
            return "2.0.0"
        digit = "5" if reply is None or reply.is_permanent else "4"
        if self.action is DsnAction.DELAYED:
            digit = "4"
        return f"{digit}.{_STATUS.get(self.reason, '0.0') if self.reason else '0.0'}"


def is_due(action: DsnAction, envelope: Envelope, recipient: Recipient) -> bool:
    """Whether the sender is told (RFC 3461 §4.1, §6.2). The null reverse-path is never told anything."""
    if isinstance(envelope.sender, NullPath):
        return False
    if not recipient.notify:
        return action in _UNASKED
    return _ASKED_BY[action] in recipient.notify


@dataclass(frozen=True, slots=True)
class DeliveryStatusReport:
    """Everything that a report says."""

    host: str
    to: Address
    statuses: tuple[RecipientStatus, ...]
    original: bytes
    arrived: datetime
    now: datetime
    message_id: str
    """Of the report, with its brackets."""
    boundary: str
    envid: str | None = None
    ret: str | None = None
    """``FULL`` or ``HDRS``; failures return the whole message unless HDRS was asked for (RFC 3461 §4.3)."""
    queue_id: str = ""
    """Of the message that it is about."""

    @property
    def action(self) -> DsnAction:
        """Action that all of its recipients share."""
        return self.statuses[0].action


def write(report: DeliveryStatusReport) -> bytes:
    """The report as a message, with CRLF line ends."""
    action = report.action
    head = [
        f"From: Mail Delivery System <MAILER-DAEMON@{report.host}>",
        f"To: <{report.to}>",
        f"Subject: {_SUBJECTS[action]}",
        f"Date: {format_datetime(report.now)}",
        f"Message-ID: {report.message_id}",
        "Auto-Submitted: auto-replied",  # RFC 3834 §5
        "MIME-Version: 1.0",
        "Content-Type: multipart/report; report-type=delivery-status;",
        f'\tboundary="{report.boundary}"',
        "",
        "This is a message in MIME format about the delivery of your mail.",
        "",
    ]
    parts = [
        part("text/plain; charset=utf-8", _for_people(report)),
        part(status_type(report), for_programs(report)),
        original(report),
    ]
    return "\r\n".join(head).encode() + b"\r\n" + join(parts, report.boundary)


def join(parts: list[bytes], boundary: str) -> bytes:
    """The body of a multipart."""
    body = b"".join(f"--{boundary}\r\n".encode() + each + b"\r\n" for each in parts)
    return body + f"--{boundary}--\r\n".encode()


def status_type(report: DeliveryStatusReport) -> str:
    """The media type of the part for programs (RFC 6533 §3 beyond ASCII)."""
    is_ascii = all(status.recipient.address.is_ascii for status in report.statuses)
    return "message/delivery-status" if is_ascii else "message/global-delivery-status"


def part(content_type: str, lines: list[str], *fields: str) -> bytes:
    """One text part, with further header fields."""
    text = "\r\n".join(lines)
    encoding = "7bit" if text.isascii() else "8bit"
    rows = [*fields, f"Content-Type: {content_type}", f"Content-Transfer-Encoding: {encoding}"]
    head = "".join(f"{row}\r\n" for row in rows) + "\r\n"
    return f"{head}{text}\r\n".encode("utf-8", "surrogateescape")


def _for_people(report: DeliveryStatusReport) -> list[str]:
    lines = [f"This is the mail system at host {report.host}.", ""]
    for status in report.statuses:
        lines.append(f"<{status.recipient.address}>: your message {SENTENCES[status.action]}.")
        if status.reply is not None:
            lines.append(f"    {status.remote or report.host} said: {one_line(str(status.reply))}")
        elif status.reason is not None:
            lines.append(
                f"    {one_line(f'{status.reason}: {status.detail}' if status.detail else str(status.reason))}"
            )
        lines.append("")
    return lines


def for_programs(report: DeliveryStatusReport) -> list[str]:
    """The fields of the part for programs."""
    # RFC 3464 §2.2: per-message-fields, a blank line before each group of per-recipient-fields.
    lines = [f"Reporting-MTA: dns; {report.host}"]
    if report.envid is not None:
        lines.append(f"Original-Envelope-Id: {one_line(report.envid)}")
    lines.append(f"Arrival-Date: {format_datetime(report.arrived)}")
    for status in report.statuses:
        recipient = status.recipient
        lines.append("")
        if recipient.original is not None:
            kind, _, address = recipient.original.partition(";")
            lines.append(f"Original-Recipient: {one_line(kind)}; {one_line(address)}")
        form = "rfc822" if recipient.address.is_ascii else "utf-8"
        lines += [
            f"Final-Recipient: {form}; {recipient.address}",
            f"Action: {status.action.value}",
            f"Status: {status.code}",
        ]
        if status.remote:
            lines.append(f"Remote-MTA: dns; {status.remote}")
        if status.reply is not None:
            lines.append(f"Diagnostic-Code: smtp; {one_line(str(status.reply))}")
        lines.append(f"Last-Attempt-Date: {format_datetime(report.now)}")
        if status.retry_until is not None:
            lines.append(f"Will-Retry-Until: {format_datetime(status.retry_until)}")
    return lines


def original(report: DeliveryStatusReport, *fields: str) -> bytes:
    """The part with the message that the report is about, or with its header."""
    more = "".join(f"{field}\r\n" for field in fields).encode()
    # RFC 3461 §4.3: RET concerns failures only; everything else returns the header fields.
    if report.action is DsnAction.FAILED and report.ret != "HDRS":
        eight_bit = "7bit" if report.original.isascii() else "8bit"
        head = f"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: {eight_bit}\r\n\r\n"
        return more + head.encode() + report.original
    header = report.original[: body_offset(report.original)]
    return more + b"Content-Type: text/rfc822-headers\r\n\r\n" + header


def one_line(text: str) -> str:
    """Text without line ends."""
    return " ".join(text.split())


# Reading ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RecipientReport:
    """Status of one recipient in a report."""

    recipient: str
    """Its final address."""
    action: str
    """``failed``, ``delayed``, ``delivered``, ``relayed`` or ``expanded``."""
    status: str
    """The enhanced status code, such as ``5.1.1``."""
    diagnostic: str = ""
    """The words of the server that said no."""
    remote: str = ""
    """That server."""
    original_recipient: str = ""
    """The address that the sender used, if the report tells."""


# RFC 3464 §2.1, RFC 6533 §3
_STATUS_TYPES: Final = ("message/delivery-status", "message/global-delivery-status")
_ORIGINAL_TYPES: Final = (
    "message/rfc822",
    "message/global",
    "text/rfc822-headers",
    "message/global-headers",
)
# RFC 6533 §3: utf-8-addr-xtext has EmbeddedUnicodeChar = %x5C.78 "{" HEXPOINT "}"
_UNICODE: Final = re.compile(r"\\x\{([0-9A-Fa-f]{2,6})\}")
_BLANK_LINES: Final = re.compile(rb"\n(?:\r?\n)++")


@dataclass(frozen=True, slots=True)
class DeliveryReport(Suggests):
    """A delivery status notification. The plain attributes are those of its first recipient."""

    reporting_host: str
    envelope_id: str
    recipients: tuple[RecipientReport, ...]
    original_message_id: str
    """Of the message that it is about, with brackets; empty if the report does not show it."""
    is_standard: bool = True
    """Whether it has a part for programs (RFC 3464); else this is what could be found in its text."""

    @property
    def action(self) -> str:
        """See :class:`RecipientReport`."""
        return self.recipients[0].action

    @property
    def status(self) -> str:
        """See :class:`RecipientReport`."""
        return self.recipients[0].status

    @property
    def recipient(self) -> str:
        """See :class:`RecipientReport`."""
        return self.recipients[0].recipient

    @property
    def diagnostic(self) -> str:
        """See :class:`RecipientReport`."""
        return self.recipients[0].diagnostic


def is_other_report(root: Part) -> bool:
    """Whether it says that it reports something else (RFC 6522 §3)."""
    kind = root.parameters.get("report-type", "").lower()
    return root.content_type == "multipart/report" and kind not in ("", "delivery-status")


def read_standard(root: Part) -> DeliveryReport | None:
    """The report of a message with a part for programs, ``None`` if it has none or names no recipient."""
    # RFC 3464 §2: one part; programs that report for others put one behind the other.
    each = [_groups(part.content) for part in _parts(root, *_STATUS_TYPES)]
    recipients = tuple(
        _recipient(group)
        for groups in each
        for group in groups
        if "final-recipient" in group or "original-recipient" in group
    )
    if not recipients:
        return None
    whole = each[0][0] if each[0] else Headers(())
    return DeliveryReport(
        typed(whole, "reporting-mta"), text(whole, "original-envelope-id"), recipients, original_id(root)
    )


def report_groups(root: Part, *types: str) -> list[Headers]:
    """The groups of fields in the part for programs of a report, none if it has no part of those types."""
    found = next(_parts(root, *types), None)
    return [] if found is None else _groups(found.content)


def _parts(root: Part, *types: str) -> Iterator[Part]:
    """The parts of those types, in whatever multiparts, but not those of enclosed messages."""
    waiting = [root]
    while waiting:
        part = waiting.pop()
        if part.is_multipart:
            waiting.extend(reversed(part.children))
        elif part is not root and part.content_type in types:
            yield part


def original_id(root: Part) -> str:
    """The Message-ID of the message that a report encloses, or ``""``."""
    return _original_id(next(_parts(root, *_ORIGINAL_TYPES), None))


def _groups(content: bytes) -> list[Headers]:
    """The blocks of fields between blank lines."""
    groups: list[Headers] = []
    at, size = 0, len(content)
    while at < size:
        blank = _BLANK_LINES.search(content, at)
        end = size if blank is None else blank.start() + 1
        group = Headers(split_fields(content, at, end))
        if group:
            groups.append(group)
        at = size if blank is None else blank.end()
    return groups


def _recipient(group: Headers) -> RecipientReport:
    return RecipientReport(
        address(group, "final-recipient") or address(group, "original-recipient"),
        text(group, "action").partition(" ")[0].lower(),
        text(group, "status").partition(" ")[0],
        typed(group, "diagnostic-code"),
        typed(group, "remote-mta"),
        address(group, "original-recipient"),
    )


def text(group: Headers, name: str) -> str:
    """The value of a field of a group, or ``""``."""
    return (group.get(name) or "").strip()


def typed(group: Headers, name: str) -> str:
    """The value of a field of the form ``type; value``."""
    kind, semicolon, value = text(group, name).partition(";")
    return value.strip() if semicolon else kind


def address(group: Headers, name: str) -> str:
    """The value of a field of the form ``type; address``: without brackets, ``utf-8`` decoded (RFC 6533 §3)."""
    kind, semicolon, _ = text(group, name).partition(";")
    value = typed(group, name)
    if "<" in value or "(" in value:
        value = next((item.address for item in split_addresses(value) if item.domain), value.strip("<>"))
    is_unicode = semicolon and kind.strip().lower() == "utf-8"
    return _UNICODE.sub(_character, value) if is_unicode else value


def _character(match: re.Match[str]) -> str:
    point = int(match[1], 16)
    return chr(point) if point <= 0x10FFFF and not 0xD800 <= point <= 0xDFFF else match[0]


def _original_id(original: Part | None) -> str:
    if original is None:
        return ""
    content = original.content.lstrip(b"\r\n")
    headers = Headers(split_fields(content, 0, body_offset(content)))
    first = headers.first("message-id")
    return "" if first is None else field_text(first.raw).strip()
