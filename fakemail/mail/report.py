"""Reads delivery reports: what a bounce says, for whom, and about which message (RFC 3464, RFC 6522)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from fakemail.mail.decoding import field_text
from fakemail.mail.headers import Headers, body_offset, split_fields
from fakemail.mail.mime import Part

# RFC 3464 §2.1, RFC 6533 §3
_STATUS_TYPES: Final = ("message/delivery-status", "message/global-delivery-status")
_ORIGINAL_TYPES: Final = (
    "message/rfc822",
    "message/global",
    "text/rfc822-headers",
    "message/global-headers",
)
_BLANK_LINES: Final = re.compile(rb"\n(?:\r?\n)++")


@dataclass(frozen=True, slots=True)
class RecipientReport:
    """What a report says about one recipient."""

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


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """A delivery status notification. The plain attributes are those of its first recipient."""

    reporting_host: str
    envelope_id: str
    recipients: tuple[RecipientReport, ...]
    original_message_id: str
    """Of the message that it is about, with brackets; empty if the report does not show it."""

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


def read_report(root: Part) -> DeliveryReport | None:
    """The report that a message is, ``None`` if it is none or names no recipient."""
    if root.content_type != "multipart/report":
        return None
    status = next((part for part in root.children if part.content_type in _STATUS_TYPES), None)
    if status is None:
        return None
    groups = _groups(status.content)
    if not groups:
        return None
    whole, *each = groups
    recipients = tuple(_recipient(group) for group in each if "final-recipient" in group)
    if not recipients:
        return None
    original = next((part for part in root.children if part.content_type in _ORIGINAL_TYPES), None)
    return DeliveryReport(
        _typed(whole, "reporting-mta"),
        _text(whole, "original-envelope-id"),
        recipients,
        _original_id(original),
    )


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
        _typed(group, "final-recipient"),
        _text(group, "action").lower(),
        _text(group, "status").partition(" ")[0],
        _typed(group, "diagnostic-code"),
        _typed(group, "remote-mta"),
        _typed(group, "original-recipient"),
    )


def _text(group: Headers, name: str) -> str:
    return (group.get(name) or "").strip()


def _typed(group: Headers, name: str) -> str:
    """The value of a field of the form ``type; value``."""
    kind, semicolon, value = _text(group, name).partition(";")
    return value.strip() if semicolon else kind


def _original_id(original: Part | None) -> str:
    if original is None:
        return ""
    content = original.content
    headers = Headers(split_fields(content, 0, body_offset(content) or len(content)))
    first = headers.first("message-id")
    return "" if first is None else field_text(first.raw).strip()
