"""Base subject (RFC 5256 §2.1), by which messages are sorted and threaded.

One pass with indexes over the text, so that hostile subjects cost time in proportion to their length.
"""

from __future__ import annotations

import re
from typing import Final

_SPACES: Final = re.compile(r"[ \t\r\n]+")
# RFC 5256 §5: subj-blob = "[" *BLOBCHAR "]" *WSP; BLOBCHAR is any character except "[" and "]".
_BLOB: Final = re.compile(r"\[[^\[\]]*+\] *+")
_BLOBS: Final = re.compile(r"(?:\[[^\[\]]*+\] *+)++")
# subj-refwd = ("re" / ("fw" ["d"])) *WSP [subj-blob] ":"
_REFWD: Final = re.compile(r"(?:re|fwd?+) *+(?:\[[^\[\]]*+\] *+)?+:", re.IGNORECASE | re.ASCII)
# subj-trailer = "(fwd)" / WSP
_FWD_TRAILER: Final = "(fwd)"
# subj-fwd = subj-fwd-hdr subject subj-fwd-trl; subj-fwd-hdr = "[fwd:"; subj-fwd-trl = "]"
_FWD_HEADER: Final = "[fwd:"


def base_subject(text: str) -> str:
    """The base subject of a decoded subject."""
    return read_subject(text)[0]


def read_subject(text: str) -> tuple[str, bool]:
    """The base subject of a decoded subject, and whether it is that of a reply or forward.

    RFC 5256 §3: it is one when a ``Re:`` or ``Fwd:``, a ``(fwd)`` or a ``[fwd: ...]`` was removed.
    """
    text = _SPACES.sub(" ", text)  # (1)
    start, end = 0, len(text)
    replied = False
    while True:
        end, removed = _without_trailers(text, start, end)  # (2)
        replied = replied or removed
        start, removed = _without_leaders(text, start, end)  # (3) to (5)
        replied = replied or removed
        # (6)
        head = text[start : min(start + len(_FWD_HEADER), end)]
        if head.lower() != _FWD_HEADER or not text.startswith("]", end - 1):
            return text[start:end], replied
        start += len(_FWD_HEADER)
        end -= 1
        replied = True


def _without_trailers(text: str, start: int, end: int) -> tuple[int, bool]:
    removed = False
    while end > start:
        if text[end - 1] == " ":
            end -= 1
        elif text[max(start, end - len(_FWD_TRAILER)) : end].lower() == _FWD_TRAILER:
            end -= len(_FWD_TRAILER)
            removed = True
        else:
            break
    return end, removed


def _without_leaders(text: str, start: int, end: int) -> tuple[int, bool]:
    # subj-leader = (*subj-blob subj-refwd) / WSP. Blobs begin with "[" and a subj-refwd does not, so that
    # only the end of a run of blobs can be the place of one.
    removed = False
    while start < end:
        if text[start] == " ":
            start += 1
            continue
        blobs = _BLOBS.match(text, start, end)
        refwd = _REFWD.match(text, blobs.end() if blobs else start, end)
        if refwd is not None:
            start = refwd.end()
            removed = True
            continue
        if blobs is None:
            break
        # (4): take blobs away one by one, while something is left behind them.
        while (blob := _BLOB.match(text, start, end)) is not None and blob.end() < end:
            start = blob.end()
        break
    return start, removed
