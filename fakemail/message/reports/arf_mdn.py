"""Complaints about spam and reports of failed authentication (ARF: RFC 5965, RFC 6591, RFC 9991), and notices that a
message was read (MDN: RFC 8098).
"""

from __future__ import annotations

from datetime import datetime
from email.utils import format_datetime

from fakemail.message.headers import body_offset, parse_date
from fakemail.message.mime import Part
from fakemail.message.reports.dmarc import DkimAuthResult
from fakemail.message.reports.dsn import address, join, original_id, report_groups, text, typed
from fakemail.types.address import Address
from fakemail.types.dataclass import dataclass

# Writing ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AuthFailure:
    """One message that failed, as its domain is told at once."""

    host: str
    to: Address
    now: datetime
    id: str
    """Unique; also the left side of the Message-ID."""
    domain: str
    """Domain at which the DMARC record was found."""
    results: str
    """Results behind the name in Authentication-Results."""
    not_aligned: tuple[str, ...]
    """Methods without an aligned pass: ``dkim``, ``spf``."""
    source_ip: str
    sender: str
    """The reverse-path, in brackets."""
    recipients: tuple[Address, ...]
    delivery: str
    """``delivered``, ``spam``, ``policy`` or ``reject`` (RFC 6591 §3.2.2)."""
    signature: DkimAuthResult | None
    """One that failed, if there was one."""
    spf_record: str
    """Name of the SPF query, and its record."""
    original: bytes


def _feedback(failure: AuthFailure) -> list[str]:
    """Machine-readable fields of the report (RFC 5965 §3, RFC 6591 §3.1, RFC 9991 §4)."""
    fields = [
        "Feedback-Type: auth-failure",
        "User-Agent: fakemail-dmarc/1.0",
        "Version: 1",
        "Auth-Failure: dmarc",
        f"Authentication-Results: {failure.host}; {failure.results}",
        f"Identity-Alignment: {', '.join(failure.not_aligned) or 'none'}",
        f"Original-Mail-From: {failure.sender}",
        *(f"Original-Rcpt-To: <{each}>" for each in failure.recipients),
        f"Arrival-Date: {format_datetime(failure.now)}",
        f"Reporting-MTA: dns; {failure.host}",
        f"Source-IP: {failure.source_ip}",
        f"Reported-Domain: {failure.domain}",
        f"Delivery-Result: {failure.delivery}",
    ]
    if failure.signature is not None and "dkim" in failure.not_aligned:
        fields += [f"DKIM-Domain: {failure.signature.domain}", f"DKIM-Selector: {failure.signature.selector}"]
    if failure.spf_record and "spf" in failure.not_aligned:
        fields.append(f"SPF-DNS: {failure.spf_record}")  # RFC 6591 §3.2.6
    return fields


def write_failure(failure: AuthFailure) -> bytes:
    """The report as a message: ARF with what is special to DMARC, and the header of the original."""
    boundary = f"=_{failure.id}/{failure.host}"
    head = failure.original[: body_offset(failure.original)]
    lines = [
        f"From: DMARC reports of {failure.host} <dmarc-reports@{failure.host}>",
        f"To: <{failure.to}>",
        f"Subject: A message in the name of {failure.domain} failed DMARC",
        f"Date: {format_datetime(failure.now)}",
        f"Message-ID: <{failure.id}@{failure.host}>",
        "Auto-Submitted: auto-generated",
        "MIME-Version: 1.0",
        'Content-Type: multipart/report; report-type="feedback-report";',
        f'\tboundary="{boundary}"',
        "",
        f"--{boundary}",
        "Content-Type: text/plain; charset=utf-8",
        "",
        f"A message from {failure.source_ip} in the name of {failure.domain} failed DMARC.",
        f"--{boundary}",
        "Content-Type: message/feedback-report",
        "",
        *_feedback(failure),
        "",
        f"--{boundary}",
        "Content-Type: text/rfc822-headers",
        "",
        "",
    ]
    return (
        "\r\n".join(lines).encode("utf-8", "replace")
        + head.rstrip(b"\r\n")
        + f"\r\n\r\n--{boundary}--\r\n".encode()
    )


def write_complaint(
    original: bytes,
    *,
    sender: str,
    subject: str,
    kind: str,
    recipient: Address | None,
    to: str,
    host: str,
    source_ip: str,
    date: datetime,
    number: str,
) -> bytes:
    """A complaint of a feedback loop (RFC 5965); without a ``recipient`` it is a redacted one (RFC 6590)."""
    fields = [
        f"Feedback-Type: {kind}",
        "User-Agent: fakemail-feedback/1.0",
        "Version: 1",
        f"Original-Mail-From: <{sender}>",
        *([] if recipient is None else [f"Original-Rcpt-To: <{recipient}>"]),
        f"Arrival-Date: {format_datetime(date)}",
        f"Reporting-MTA: dns; {host}",
        f"Source-IP: {source_ip}",
        f"Reported-Domain: {sender.rpartition('@')[2]}",
    ]
    enclosed = original[: body_offset(original)] if recipient is None else original
    enclosed_type = "text/rfc822-headers" if recipient is None else "message/rfc822"
    text = f"This is an abuse report for a message that came from {source_ip}.\r\n"
    rows = [
        ("From", f"<complaints@{host}>"),
        ("To", to),
        ("Subject", f"FW: {subject}" if subject.isascii() else "FW: a message"),
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


def write_disposition(
    original: bytes,
    *,
    subject: str,
    message_id: str,
    recipient: Address,
    to: str,
    what: str,
    is_automatic: bool,
    date: datetime,
    number: str,
) -> bytes:
    """A disposition notification (RFC 8098)."""
    mode = "automatic-action/MDN-sent-automatically" if is_automatic else "manual-action/MDN-sent-manually"
    fields = [
        f"Reporting-UA: {recipient.domain}; fakemail reader",
        f"Original-Recipient: rfc822; {recipient}",
        f"Final-Recipient: rfc822; {recipient}",
        *([f"Original-Message-ID: {message_id}"] if message_id else []),
        f"Disposition: {mode}; {what}",
    ]
    words = {"displayed": "Read", "deleted": "Not read"}.get(what, what.capitalize())
    text = f"The message that you sent to {recipient} was {what}.\r\nThat does not tell whether it was understood.\r\n"
    rows = [
        ("From", f"<{recipient}>"),
        ("To", to),
        (
            "Subject",
            f"{words}: {subject}" if subject.isascii() else f"{words}: your message",
        ),
        *([("In-Reply-To", message_id), ("References", message_id)] if message_id else []),
    ]
    return _report(
        "disposition-notification",
        "message/disposition-notification",
        rows,
        text,
        fields,
        ("text/rfc822-headers", original[: body_offset(original)]),
        number=number,
        host=recipient.domain,
        date=date,
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
    header = "".join(f"{name}: {value}\r\n" for name, value in head).encode("utf-8", "replace")
    lines = "".join(f"{field}\r\n" for field in fields).encode("utf-8", "replace")
    enclosed_type, content = enclosed
    parts = [
        b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + text.encode("utf-8", "replace"),
        f"Content-Type: {fields_type}\r\n\r\n".encode() + lines,
        f"Content-Type: {enclosed_type}\r\n\r\n".encode() + content,
    ]
    return header + b"\r\n" + join(parts, boundary)


# Reading ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ComplaintReport:
    """Report of a feedback loop: a recipient called a message spam (RFC 5965 §3)."""

    kind: str
    """The feedback type: ``abuse``, ``fraud``, ``virus``, ``other``, ``not-spam`` (RFC 6430)."""
    user_agent: str
    recipients: tuple[str, ...]
    """Recipients of the message, if the report tells (Original-Rcpt-To)."""
    sender: str
    """Its reverse-path, without brackets; ``<>`` for the null one."""
    arrival_date: datetime | None
    source_ip: str
    """The address from which it came."""
    reported_domains: tuple[str, ...]
    reporting_host: str
    envelope_id: str
    incidents: int
    """Number of similar incidents."""
    original_message_id: str
    """Of the message that it is about, with brackets; empty if the report does not show it."""


@dataclass(frozen=True, slots=True)
class FailureReport:
    """A report that a message failed authentication (RFC 6591 §3.1, RFC 9991 §4)."""

    kind: str
    """Failed method: ``dmarc``, ``signature``, ``spf``, ``adsp``, ``bodyhash``, ``revoked``."""
    domain: str
    """In whose name it came."""
    source_ip: str
    """The address from which it came."""
    sender: str
    """Its reverse-path, without brackets; ``<>`` for the null one."""
    recipients: tuple[str, ...]
    arrival_date: datetime | None
    not_aligned: tuple[str, ...]
    """Methods without a pass aligned with the author: ``dkim``, ``spf``."""
    results: str
    """The Authentication-Results of the reporting host."""
    delivery: str
    """Delivery result: ``delivered``, ``spam``, ``policy``, ``reject``, ``other``; empty if it does not tell."""
    dkim_domain: str
    dkim_selector: str
    spf_record: str
    """The name that was asked for SPF, and what was there (SPF-DNS)."""
    reporting_host: str
    original_message_id: str
    """Of the message that it is about, with brackets; empty if the report does not show it."""


@dataclass(frozen=True, slots=True)
class DispositionReport:
    """A message disposition notification: what became of a message after its delivery (RFC 8098 §3)."""

    disposition: str
    """``displayed``, ``deleted``, ``dispatched`` or ``processed``."""
    modifiers: tuple[str, ...]
    """For example ``error``."""
    is_automatic: bool
    """Whether a program decided it, and no person (action-mode)."""
    was_sent_automatically: bool
    """Whether it was sent without a person's consent to each (sending-mode)."""
    recipient: str
    original_recipient: str
    original_message_id: str
    """Of the message that it is about, with brackets."""
    user_agent: str


def read_complaint(root: Part) -> ComplaintReport | None:
    """The complaint that a message is, ``None`` if it is none."""
    if root.content_type != "multipart/report":
        return None
    groups = report_groups(root, "message/feedback-report")
    if not groups or "feedback-type" not in groups[0]:
        return None
    fields = groups[0]
    sender = text(fields, "original-mail-from")
    incidents = text(fields, "incidents")
    return ComplaintReport(
        kind=text(fields, "feedback-type").lower(),
        user_agent=text(fields, "user-agent"),
        recipients=tuple(each.strip().strip("<>") for each in fields.all("original-rcpt-to")),
        sender=sender if sender == "<>" else sender.strip("<>"),
        arrival_date=parse_date(text(fields, "arrival-date") or text(fields, "received-date")),
        source_ip=text(fields, "source-ip"),
        reported_domains=tuple(each.strip().lower() for each in fields.all("reported-domain")),
        reporting_host=typed(fields, "reporting-mta"),
        envelope_id=text(fields, "original-envelope-id"),
        incidents=int(incidents) if incidents.isascii() and incidents.isdigit() else 1,
        original_message_id=original_id(root),
    )


def read_failure(root: Part) -> FailureReport | None:
    """The report of failed authentication that a message is, ``None`` if it is none."""
    if root.content_type != "multipart/report":
        return None
    groups = report_groups(root, "message/feedback-report")
    if not groups or text(groups[0], "feedback-type").lower() != "auth-failure":
        return None
    fields = groups[0]
    sender = text(fields, "original-mail-from")
    alignment = [each.strip().lower() for each in text(fields, "identity-alignment").split(",")]
    return FailureReport(
        kind=text(fields, "auth-failure").lower(),
        domain=text(fields, "reported-domain").lower(),
        source_ip=text(fields, "source-ip"),
        sender=sender if sender == "<>" else sender.strip("<>"),
        recipients=tuple(each.strip().strip("<>") for each in fields.all("original-rcpt-to")),
        arrival_date=parse_date(text(fields, "arrival-date")),
        not_aligned=tuple(each for each in alignment if each not in ("", "none")),
        results=text(fields, "authentication-results"),
        delivery=text(fields, "delivery-result").lower(),
        dkim_domain=text(fields, "dkim-domain"),
        dkim_selector=text(fields, "dkim-selector"),
        spf_record=text(fields, "spf-dns"),
        reporting_host=typed(fields, "reporting-mta"),
        original_message_id=original_id(root),
    )


def read_disposition(root: Part) -> DispositionReport | None:
    """The disposition notification that a message is, ``None`` if it is none."""
    if root.content_type != "multipart/report":
        return None
    groups = report_groups(
        root, "message/disposition-notification", "message/global-disposition-notification"
    )
    if not groups or "disposition" not in groups[0]:
        return None
    fields = groups[0]
    # RFC 8098 §3.2.6: disposition-mode ";" disposition-type [ "/" disposition-modifier *( "," ... ) ]
    # disposition-mode = action-mode "/" sending-mode
    mode, _, what = text(fields, "disposition").partition(";")
    action, _, sending = (each.strip().lower() for each in mode.partition("/"))
    kind, _, modifiers = what.partition("/")
    return DispositionReport(
        disposition=kind.strip().lower(),
        modifiers=tuple(each.strip().lower() for each in modifiers.split(",") if each.strip()),
        is_automatic=action == "automatic-action",
        was_sent_automatically=sending == "mdn-sent-automatically",
        recipient=address(fields, "final-recipient"),
        original_recipient=address(fields, "original-recipient"),
        original_message_id=text(fields, "original-message-id") or original_id(root),
        user_agent=text(fields, "reporting-ua"),
    )
