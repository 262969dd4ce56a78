"""Threads of the messages of an account (THREADID, RFC 8474 §5.2).

As mail services do: a message joins the thread of an earlier one that it names (Message-ID, In-Reply-To,
References), or that names it, if both have the same base subject. Nothing is worked out before the first
question. Threading for display (RFC 5256) is the protocol's business.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from fakemail.message.base_subject import base_subject
from fakemail.message.decoding import field_text
from fakemail.message.headers import body_offset
from fakemail.store.content import Content

_FIELD = re.compile(
    rb"^(subject|message-id|in-reply-to|references)[ \t]*+:(.*(?:\n[ \t].*)*)", re.IGNORECASE | re.MULTILINE
)
_ID = re.compile(rb"<[^<>\s]++>")
_MOST_IDS = 1000  # of one message; the first and the last ones count
_SUBJECT_SIZE = 1000  # a difference behind them makes no other subject


class ThreadNumbers:
    """Gives thread numbers to the contents of one account, in the order of their arrival."""

    def __init__(self, new_contents: Callable[[], Iterable[Content]]) -> None:
        self._new_contents = new_contents
        self._by_id: dict[tuple[bytes, str], int] = {}

    def place(self, content: Content) -> None:
        """Give a content its thread, after all that came before it."""
        for earlier in sorted({*self._new_contents(), content}, key=lambda found: found.serial):
            if not earlier.thread:
                self._place_one(earlier)

    def _place_one(self, content: Content) -> None:
        raw = content.raw
        ids: dict[bytes, None] = {}
        subject = ""
        for field in _FIELD.finditer(raw, 0, body_offset(raw)):
            if field[1].lower() == b"subject":
                subject = subject or base_subject(field_text(field[2][:_SUBJECT_SIZE])).casefold()
            else:
                ids.update(dict.fromkeys(_ID.findall(field[2])))
        named = list(ids)
        if len(named) > _MOST_IDS:
            named = named[: _MOST_IDS // 2] + named[-_MOST_IDS // 2 :]
        keys = [(message_id, subject) for message_id in named]
        known = (self._by_id[key] for key in keys if key in self._by_id)
        content.thread = next(known, content.serial)
        for key in keys:
            self._by_id.setdefault(key, content.thread)
