"""Checks of what a message says and how: words, shouting, pictures without text."""

from __future__ import annotations

import re
from typing import Final

from fakemail.policy.content.content_view import ContentView

_PICTURE: Final = re.compile(r"<img\b", re.IGNORECASE)
# What no mail program runs, and what only those send who hope that one does.
_ACTIVE: Final = re.compile(
    r"<(script|iframe|object|embed|form)\b|\bon(?:load|click|error)\s*=", re.IGNORECASE
)
_SHOUTED: Final = 8
"""Letters that a subject must have before it can be called shouting."""


def keywords(matter: ContentView) -> str:
    """Words and phrases that spam is fond of."""
    found = [repr(words) for words, _ in matter.rules.keywords if words in matter.words]
    return f"it says {', '.join(found)}" if found else ""


def keyword_points(matter: ContentView) -> float:
    """The points of the words that are there, each counted once."""
    return sum(points for words, points in matter.rules.keywords if words in matter.words)


def shouted_subject(matter: ContentView) -> str:
    """A subject in capitals."""
    subject = matter.message.subject
    letters = [char for char in subject if char.isalpha()]
    is_shouted = len(letters) >= _SHOUTED and subject.upper() == subject and subject.lower() != subject
    return f"the subject is in capitals: {subject[:60]!r}" if is_shouted else ""


def excited_subject(matter: ContentView) -> str:
    """A subject with marks in rows, such as ``!!!`` or ``$$``."""
    found = re.search(r"[!?]{3,}|\${2,}", matter.message.subject)
    return f"the subject has {found[0][:20]!r} in it" if found else ""


def no_subject(matter: ContentView) -> str:
    """A message without any subject."""
    return "" if matter.message.subject.strip() else "there is no subject"


def no_plain_text(matter: ContentView) -> str:
    """HTML without the same in plain text beside it."""
    kinds = {part.content_type for part in matter.parts}
    return "there is HTML and no plain text" if "text/html" in kinds and "text/plain" not in kinds else ""


def pictures_only(matter: ContentView) -> str:
    """Pictures in place of words, which a filter could read."""
    pictures = sum(part.type.main == "image" for part in matter.parts)
    pictures += len(_PICTURE.findall(matter.message.html))
    if not pictures:
        return ""
    words = len(re.findall(r"\w+", matter.message.text))
    if words >= matter.rules.min_words:
        return ""
    return f"there are {pictures} pictures and {words} words"


def active_html(matter: ContentView) -> str:
    """HTML with scripts, frames or forms."""
    found = _ACTIVE.search(matter.message.html)
    return f"the HTML has {found[0]!r} in it" if found else ""
