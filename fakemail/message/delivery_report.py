"""Reads delivery reports: what a bounce says, for whom, and about which message (RFC 3464, RFC 6522)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from fakemail.message.addresses import split_addresses
from fakemail.message.bounce_text import read_plain, read_qsbmf
from fakemail.message.decoding import field_text
from fakemail.message.headers import Headers, body_offset, split_fields
from fakemail.message.mime import Part
from fakemail.message.recipient_report import RecipientReport
from fakemail.types.suggestions import Suggests

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


def read_report(
    root: Part, *, sender: str = "", subject: str = "", failed: str = "", own: frozenset[str] = frozenset()
) -> DeliveryReport | None:
    """The report that a message is, ``None`` if it is none or names no recipient.

    For what has no part for programs, ``sender`` and ``subject`` are those of the notice, ``failed`` is
    its field X-Failed-Recipients, and ``own`` the addresses (in lower case) of the notice itself.
    """
    standard = _read_standard(root)
    if standard is not None or _is_other_report(root):
        return standard
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


def _is_other_report(root: Part) -> bool:
    """Whether it says that it reports something else (RFC 6522 §3)."""
    kind = root.parameters.get("report-type", "").lower()
    return root.content_type == "multipart/report" and kind not in ("", "delivery-status")


def _read_standard(root: Part) -> DeliveryReport | None:
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
