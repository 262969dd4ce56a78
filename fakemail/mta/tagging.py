"""The fields by which a mail host marks what it delivers in spite of a finding."""

from __future__ import annotations

import re
from typing import Final

from fakemail.mail.headers import body_offset, split_fields
from fakemail.mail.trace import prepend, without_fields

_NOT_TEXT: Final = re.compile(r"[^\x20-\x7e]+")


def tag(raw: bytes, why: str, *, subject: str = "") -> bytes:
    """The message with ``X-Spam-Flag`` and ``X-Spam-Report`` in front, and perhaps a text before its Subject."""
    if subject:
        raw = _with_subject(raw, subject.encode("ascii", "replace"))
    report = _NOT_TEXT.sub(" ", why).strip()[:900]
    raw = without_fields(
        raw, "x-spam-flag"
    )  # a filter has written the same before, or a sender something else
    return prepend(raw, b"X-Spam-Flag: YES\r\nX-Spam-Report: " + report.encode() + b"\r\n")


def _with_subject(raw: bytes, prefix: bytes) -> bytes:
    for field in split_fields(raw, 0, body_offset(raw)):
        if field.name.lower() == "subject":
            colon = raw.index(b":", field.start) + 1
            return raw[:colon] + b" " + prefix + b" " + raw[colon:].lstrip(b" ")
    return prepend(raw, b"Subject: " + prefix + b"\r\n")
