"""The fields by which a mail host marks what it delivers in spite of a finding."""

from __future__ import annotations

import re
from email.header import Header
from typing import Final

from fakemail.message.headers import body_offset, split_fields
from fakemail.message.trace import prepend, without_fields

_NOT_TEXT: Final = re.compile(r"[^\x20-\x7e]+")


def tag(raw: bytes, why: str, *, subject: str = "") -> bytes:
    """The message with ``X-Spam-Flag`` and ``X-Spam-Report`` in front, and perhaps a text before its Subject."""
    if subject:
        raw = _with_subject(raw, subject)
    report = _NOT_TEXT.sub(" ", why).strip()[:900]
    raw = without_fields(
        raw, "x-spam-flag"
    )  # a filter has written the same before, or a sender something else
    return prepend(raw, b"X-Spam-Flag: YES\r\nX-Spam-Report: " + report.encode() + b"\r\n")


def _with_subject(raw: bytes, prefix: str) -> bytes:
    for field in split_fields(raw, 0, body_offset(raw)):
        if field.name.lower() == "subject":
            colon = raw.index(b":", field.start) + 1
            rest = raw[colon:].lstrip(b" ")
            # RFC 2047 §6.2: the space between two encoded words is not shown, so it has to be in one of them.
            shown = f"{prefix} " if rest.startswith(b"=?") and not prefix.isascii() else prefix
            return raw[:colon] + b" " + _encoded(shown) + b" " + rest
    return prepend(raw, b"Subject: " + _encoded(prefix) + b"\r\n")


def _encoded(text: str) -> bytes:
    """A text as a header field has it (RFC 2047)."""
    if text.isascii():
        return text.encode()
    return Header(text, "utf-8", maxlinelen=75).encode(linesep="\r\n").encode()
