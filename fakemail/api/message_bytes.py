"""Bytes and flags of messages that a test gives, in whatever form it has them."""

from __future__ import annotations

import re
from collections.abc import Collection
from email.message import Message as StandardMessage
from pathlib import Path
from typing import Final

from fakemail.clock import datetime
from fakemail.dkim.canonicalization import with_crlf
from fakemail.errors import DeclarationError, nearest
from fakemail.message.message import MessageView
from fakemail.store.message import SYSTEM_FLAGS

# RFC 9051 §9: flag-keyword = "$MDNSent" / ... / atom.
_KEYWORD: Final = re.compile(r'[^\x00-\x20\x7f-\U0010ffff(){%*"\\\]]+')
_SYSTEM: Final = {flag[1:].lower(): flag for flag in SYSTEM_FLAGS}

AnyMessage = bytes | bytearray | memoryview | str | StandardMessage | MessageView | Path
"""Bytes, a text, an :class:`email.message.EmailMessage`, a message in a mailbox, or the path of an ``.eml`` file."""


def message_bytes(message: object) -> bytes:
    """The bytes of a message that a test gives in any form, with CRLF line ends."""
    return with_crlf(raw_bytes(message))


def raw_bytes(message: object) -> bytes:
    """The bytes of a message as they are given."""
    if isinstance(message, StandardMessage):
        return message.as_bytes()
    if isinstance(message, str):
        return message.encode()
    if isinstance(message, MessageView):
        return message.raw
    if isinstance(message, Path):
        return message.read_bytes()
    if isinstance(message, bytes | bytearray | memoryview) or hasattr(message, "__bytes__"):
        return bytes(message)
    raise DeclarationError(
        "a message is bytes, a text (header and body), an email.message.EmailMessage or the Path of an .eml file, "
        f"not {message!r}."
    )


def read_flags(flags: Collection[str]) -> frozenset[str]:
    """System flags and keywords (RFC 9051 §2.3.2). Raises ``DeclarationError`` for anything else."""
    if isinstance(flags, str):
        raise DeclarationError(f"flags are a set such as {{'\\\\Seen'}}, not the text {flags!r}.")
    return frozenset(map(_flag, flags))


def _flag(flag: object) -> str:
    if not isinstance(flag, str):
        raise DeclarationError(f"a flag is a text such as '\\\\Seen', not {flag!r}.")
    known = _SYSTEM.get(flag.removeprefix("\\").lower())
    if known is not None and flag.startswith("\\"):
        return known
    if known is not None:
        raise DeclarationError(f"the flag is written {known!r}, not {flag!r}.")
    if flag.startswith("\\"):
        raise DeclarationError(f"no message can be given the flag {flag!r}; {nearest(flag, SYSTEM_FLAGS)}")
    if not _KEYWORD.fullmatch(flag):
        raise DeclarationError(
            f'{flag!r} cannot be a keyword: it is ASCII without spaces, ( ) {{ % * " \\ and ].'
        )
    return flag


def require_zone(moment: datetime | None) -> None:
    """Raise ``DeclarationError`` for a time without a time zone, ``TypeError`` for what is none."""
    if moment is None:
        return
    if not isinstance(moment, datetime):
        raise TypeError(f"received_at is a datetime with a time zone, not {moment!r}.")
    if moment.utcoffset() is None:
        raise DeclarationError(f"received_at {moment} has no time zone; give it one, such as tzinfo=UTC.")
