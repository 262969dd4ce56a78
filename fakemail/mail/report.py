"""Reads delivery reports: what a bounce says, for whom, and about which message (RFC 3464, RFC 6522)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from fakemail.mail.bounce_text import read_plain, read_qsbmf
from fakemail.mail.decoding import field_text
from fakemail.mail.headers import Headers, body_offset, split_fields
from fakemail.mail.mime import Part
from fakemail.mail.recipient_report import RecipientReport

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
class DeliveryReport:
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


def read_report(
    root: Part, *, sender: str = "", subject: str = "", failed: str = "", own: frozenset[str] = frozenset()
) -> DeliveryReport | None:
    """The report that a message is, ``None`` if it is none or names no recipient.

    For what has no part for programs, ``sender`` and ``subject`` are those of the notice, ``failed`` is
    its field X-Failed-Recipients, and ``own`` the addresses (in lower case) of the notice itself.
    """
    if root.content_type == "multipart/report":
        return _read_standard(root)
    text_part = root
    while text_part.is_multipart and text_part.children:
        text_part = text_part.children[0]
    if text_part.content_type != "text/plain":
        return None
    words = text_part.text
    found = read_qsbmf(words) or read_plain(
        words, sender=sender, subject=subject, own=own - {failed.strip().lower()}
    )
    if found is None:
        return None
    recipients, message_id = found
    host = sender.rpartition("@")[2]
    return DeliveryReport(host, "", recipients, message_id, is_standard=False)


def _read_standard(root: Part) -> DeliveryReport | None:
    groups = report_groups(root, *_STATUS_TYPES)
    if not groups:
        return None
    whole, *each = groups
    recipients = tuple(_recipient(group) for group in each if "final-recipient" in group)
    if not recipients:
        return None
    return DeliveryReport(
        typed(whole, "reporting-mta"), text(whole, "original-envelope-id"), recipients, original_id(root)
    )


def report_groups(root: Part, *types: str) -> list[Headers]:
    """The groups of fields in the part for programs of a report, none if it has no part of those types."""
    found = next((part for part in root.children if part.content_type in types), None)
    return [] if found is None else _groups(found.content)


def original_id(root: Part) -> str:
    """The Message-ID of the message that a report encloses, or ``""``."""
    return _original_id(next((part for part in root.children if part.content_type in _ORIGINAL_TYPES), None))


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
        typed(group, "final-recipient"),
        text(group, "action").lower(),
        text(group, "status").partition(" ")[0],
        typed(group, "diagnostic-code"),
        typed(group, "remote-mta"),
        typed(group, "original-recipient"),
    )


def text(group: Headers, name: str) -> str:
    """The value of a field of a group, or ``""``."""
    return (group.get(name) or "").strip()


def typed(group: Headers, name: str) -> str:
    """The value of a field of the form ``type; value``."""
    kind, semicolon, value = text(group, name).partition(";")
    return value.strip() if semicolon else kind


def _original_id(original: Part | None) -> str:
    if original is None:
        return ""
    content = original.content
    headers = Headers(split_fields(content, 0, body_offset(content) or len(content)))
    first = headers.first("message-id")
    return "" if first is None else field_text(first.raw).strip()
