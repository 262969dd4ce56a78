"""Finding the one-time code in a text: the digits or capitals that a person would type in.

Candidates near a word such as "code" or "PIN" win; years, phone numbers, prices, dates and order
numbers are not candidates.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from typing import Final, NamedTuple

# More text than this is no mail with a code in it.
_MAX_TEXT: Final = 200_000
# How far a candidate may stand from its word, in characters with white space folded.
_NEAR: Final = 90
_URL: Final = re.compile(r"\b(?:https?://|mailto:|www\.)\S++|[^\s@<>]{1,64}@[^\s<>]{1,255}")
_SPACE: Final = re.compile(r"\s+")
_WORD: Final = re.compile(
    r"(?<!post)(?<!zip )(?<!area )(?<!country )(?<!promo )(?<!discount )(?<!coupon )(?<!voucher )(?<!qr )"
    r"(?:code|kode|código|codice|passcode|one[- ]time|\bpin\b|\botp\b|\btan\b|\bverification\b|\bpasswor[dt]\b"
    r"|\btoken\b)",
    re.IGNORECASE,
)
_MONEY: Final = r"(?:€|\$|£|¥|\b(?:EUR|USD|GBP|CHF|JPY|CAD|AUD|SEK|NOK|DKK|PLN)\b)"
_LABEL: Final = (
    r"\b(?:order|invoice|booking|reservation|ticket|customer|account|reference|ref|case|phone|tel|call|fax|zip"
    r"|postcode|tracking|since|copyright|©|room|flat|suite)\b"
)
# The first alternative that fits decides what a run of digits is. Every one is bounded.
_NUMBER: Final = re.compile(
    rf"(?P<label>(?:{_LABEL}\.?|©|\(c\))[ ]?(?:(?:no|nr|number|id)\b\.?)?(?:[ ]is)?[ ]?[:#]?[ ]?[#+]?"
    r"\b[A-Z0-9][A-Z0-9-]{0,30}\d[A-Z0-9-]{0,10}\b)"
    r"|(?P<hash>\#[ ]?\d{1,20})"
    r"|(?P<phone>\+\d[\d ().-]{5,20}\d|\(\d{2,5}\)[ -]?\d[\d -]{3,15}\d"
    r"|(?<!\d)\d{2,5}[-. ]\d{3}[-. ]\d{3,5}(?!\d))"
    r"|(?P<date>(?<!\d)\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}(?!\d)|(?<!\d)\d{1,2}:\d{2}(?::\d{2})?(?!\d))"
    rf"|(?P<price>{_MONEY}[ ]?\d{{1,20}}(?:[.,' ]\d{{2,3}}){{0,6}}"
    rf"|(?<!\d)\d{{1,20}}(?:[.,]\d{{1,3}}){{0,6}}[ ]?(?:%|{_MONEY}))"
    r"|(?P<decimal>(?<!\d)\d{1,20}(?:[.,]\d{1,20}){1,4})"
    r"|(?P<split>(?<![\w-])\d{3}[- ]\d{3}(?![\w-])|(?<![\w-])\d{4}[- ]\d{4}(?![\w-]))"
    r"|(?P<mixed>(?<![\w-])(?=[A-Z-]{0,12}\d)(?=[\d-]{0,12}[A-Z])[A-Z0-9]{1,12}(?:-[A-Z0-9]{3,8}){0,4}(?![\w-]))"
    r"|(?P<digits>(?<!\w)\d{3,12}(?!\w))"
    r"|(?P<letters>(?<![\w-])[A-Z]{4,10}(?![\w-]))"
    r"|(?P<other>\d{1,40})",
    re.IGNORECASE,
)
_YEAR: Final = re.compile(r"(?:19|20)\d\d")
# What may stand between a word and a code for the code to be plainly announced.
_ANNOUNCED: Final = re.compile(r"(?: is| lautet| est| es)?:? ?", re.IGNORECASE)


class OtpCandidate(NamedTuple):
    """Something that looks like a code, and how near to a word such as "code" it stands (None: not near)."""

    code: str
    distance: int | None


def candidates(text: str, *, length: int | None = None) -> list[OtpCandidate]:
    """All different candidates of a text, the nearest to such a word first.

    Without ``length``, codes have 4 to 8 characters (capitals with digits up to 10).
    """
    plain = _SPACE.sub(" ", _URL.sub(" ", text[:_MAX_TEXT]))
    words = [(match.start(), match.end()) for match in _WORD.finditer(plain)]
    best: dict[str, int | None] = {}
    for match in _NUMBER.finditer(plain):
        code = _code(match, length)
        if code is None:
            continue
        distance, announced = _distance(plain, match.start(), match.end(), words)
        # Capitals alone, and years, are codes only where they are plainly announced as one.
        if _YEAR.fullmatch(code) and not announced:
            continue
        if code.isalpha() and (not _says_so(announced) or _WORD.fullmatch(code)):
            continue
        known = best.get(code)
        if code not in best or (distance is not None and (known is None or distance < known)):
            best[code] = distance
    found = [OtpCandidate(code, distance) for code, distance in best.items()]
    return sorted(found, key=lambda c: _NEAR + 1 if c.distance is None else c.distance)


def choose(found: list[OtpCandidate]) -> str | None:
    """The one candidate that is plainly the code, or None when there is none or no plain one.

    Plainly: the only one near a word, or twice as near as the next, or the only one at all.
    """
    near = [candidate for candidate in found if candidate.distance is not None]
    pool = near or found
    if len(pool) == 1:
        return pool[0].code
    if len(near) > 1:
        first, second = near[0].distance or 0, near[1].distance or 0
        if (first + 1) * 2 <= second:
            return near[0].code
    return None


def _says_so(announced: str) -> bool:
    # "code: HERE" announces a word in capitals; in "YOUR CODE IS HERE" all words are in capitals.
    return ":" in announced or announced != announced.upper()


def _code(match: re.Match[str], length: int | None) -> str | None:
    kind, code = match.lastgroup, match[0]
    if kind == "split":
        code = code.replace(" ", "").replace("-", "")
    elif kind not in ("mixed", "digits", "letters") or not code.isascii() or code != code.upper():
        return None
    elif re.fullmatch(r"[A-Z]-\d{4,8}", code):
        code = code[2:]  # the brand's letter before a code is not typed in
    size = len(code.replace("-", ""))
    if length is not None:
        return code if size == length else None
    return code if 4 <= size <= (8 if code.isdigit() else 16 if "-" in code else 10) else None


def _distance(text: str, start: int, end: int, words: list[tuple[int, int]]) -> tuple[int | None, str]:
    """Distance to the nearest word, and the text between when the code follows that word directly."""
    at = bisect_left(words, (start, start))
    distances: list[int] = []
    announced = ""
    if at:
        before = words[at - 1][1]
        distances.append(start - before)
        if start - before < 12 and _ANNOUNCED.fullmatch(text, before, start):
            announced = text[before:start]
    if at < len(words):
        distances.append(words[at][0] - end)
    nearest = min(distances, default=_NEAR + 1)
    return (max(nearest, 0) if nearest <= _NEAR else None), announced
