"""SASLprep (RFC 4013): how logins and passwords are made comparable. Nothing else."""

from __future__ import annotations

import stringprep
import unicodedata
from collections.abc import Callable
from functools import lru_cache

from fakemail.errors import ProtocolError

# RFC 4013 §2.3: the tables of RFC 3454 whose characters are prohibited.
_PROHIBITED: tuple[Callable[[str], bool], ...] = (
    stringprep.in_table_c12,  # non-ASCII space characters
    stringprep.in_table_c21_c22,  # control characters
    stringprep.in_table_c3,  # private use
    stringprep.in_table_c4,  # non-character code points
    stringprep.in_table_c5,  # surrogates
    stringprep.in_table_c6,  # inappropriate for plain text
    stringprep.in_table_c7,  # inappropriate for canonical representation
    stringprep.in_table_c8,  # change display properties or deprecated
    stringprep.in_table_c9,  # tagging characters
)


def saslprep(text: str) -> str:
    """Prepare a string as a "query", in which unassigned code points are allowed (RFC 5802 §2.2, §5.1).

    Raises :class:`~fakemail.errors.ProtocolError` when it holds a character that RFC 4013 prohibits, or
    mixes writing directions as RFC 3454 §6 forbids.
    """
    if text.isascii() and text.isprintable():
        return text
    # RFC 4013 §2.1: non-ASCII spaces become U+0020, "commonly mapped to nothing" disappears.
    mapped = "".join(
        " " if stringprep.in_table_c12(character) else character
        for character in text
        if not stringprep.in_table_b1(character)
    )
    # RFC 4013 §2.2. The tables are those of Unicode 3.2, and so is this normalization.
    prepared = unicodedata.ucd_3_2_0.normalize("NFKC", mapped)
    for character in prepared:
        if any(prohibits(character) for prohibits in _PROHIBITED):
            raise ProtocolError(f"SASLprep prohibits U+{ord(character):04X}")
    _check_direction(prepared)
    return prepared


def _check_direction(text: str) -> None:
    """RFC 3454 §6: right-to-left text holds no left-to-right letter, and starts and ends right to left."""
    if not any(map(stringprep.in_table_d1, text)):
        return
    if any(map(stringprep.in_table_d2, text)):
        raise ProtocolError("SASLprep forbids left-to-right letters in right-to-left text")
    if not (stringprep.in_table_d1(text[0]) and stringprep.in_table_d1(text[-1])):
        raise ProtocolError("SASLprep wants right-to-left text to start and end with right-to-left letters")


@lru_cache(maxsize=512)
def comparable(text: str) -> str:
    """The prepared form, or the text as it is when SASLprep does not allow it.

    RFC 4616 §2 leaves the preparation to the server, "including none", and servers in the field take
    a password with a tab in it. An empty result must not be taken for a password.
    """
    try:
        return saslprep(text)
    except ProtocolError:
        return text
