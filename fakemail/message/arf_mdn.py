"""Reads complaints about spam and failed authentication (ARF, RFC 5965), and that a message was read (RFC 8098)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from fakemail.message.delivery_report import address, original_id, report_groups, text, typed
from fakemail.message.headers import parse_date
from fakemail.message.mime import Part


@dataclass(frozen=True, slots=True)
class ComplaintReport:
    """A report of a feedback loop: somebody called a message spam (RFC 5965 §3)."""

    kind: str
    """The feedback type: ``abuse``, ``fraud``, ``virus``, ``other``, ``not-spam`` (RFC 6430)."""
    user_agent: str
    recipients: tuple[str, ...]
    """Who got the message, if the report tells (Original-Rcpt-To)."""
    sender: str
    """Its reverse-path, without brackets; ``<>`` for the null one."""
    arrival_date: datetime | None
    source_ip: str
    """The address from which it came."""
    reported_domains: tuple[str, ...]
    reporting_host: str
    envelope_id: str
    incidents: int
    """How often the like of it was reported."""
    original_message_id: str
    """Of the message that it is about, with brackets; empty if the report does not show it."""


@dataclass(frozen=True, slots=True)
class FailureReport:
    """A report that a message failed authentication (RFC 6591 §3.1, RFC 9991 §4)."""

    kind: str
    """What failed: ``dmarc``, ``signature``, ``spf``, ``adsp``, ``bodyhash``, ``revoked``."""
    domain: str
    """In whose name it came."""
    source_ip: str
    """The address from which it came."""
    sender: str
    """Its reverse-path, without brackets; ``<>`` for the null one."""
    recipients: tuple[str, ...]
    arrival_date: datetime | None
    not_aligned: tuple[str, ...]
    """The methods that authenticated nobody who is aligned with the author: ``dkim``, ``spf``."""
    results: str
    """The Authentication-Results of the reporting host."""
    delivery: str
    """What became of it: ``delivered``, ``spam``, ``policy``, ``reject``, ``other``; empty if it does not tell."""
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
