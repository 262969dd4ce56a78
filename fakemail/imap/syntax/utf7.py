"""Modified UTF-7, in which IMAP4rev1 writes mailbox names (RFC 3501 §5.1.3).

Here live the two directions and nothing else.
"""

from __future__ import annotations

import binascii
import re

# Runs of what cannot stand for itself: all but printable US-ASCII.
_SHIFTED = re.compile(r"[^\x20-\x7e]+")
# "&" begins a shift, "-" ends it; "&-" is "&". A run ends at the first byte that is no modified base64.
_SHIFT = re.compile(r"&([A-Za-z0-9+,]*)(-?)")


def encode_utf7(name: str) -> str:
    """Return a mailbox name in modified UTF-7. Surrogates that stand alone are encoded as they are."""
    name = name.replace("&", "&-")
    if name.isascii() and name.isprintable():
        return name
    return _SHIFTED.sub(_encode_run, name)


def decode_utf7(name: str) -> str:
    """Return the Unicode form of a mailbox name.

    Raises :class:`ValueError` for anything that :func:`encode_utf7` does not write: bytes beyond printable
    US-ASCII, a shift that does not end, printable US-ASCII in base64, or one shift right after another. So
    each name has one spelling.
    """
    if not (name.isascii() and (name.isprintable() or not name)):
        raise ValueError("it has octets that are not printable US-ASCII")
    if "&" not in name:
        return name
    decoded = _SHIFT.sub(_decode_run, name)
    if encode_utf7(decoded) != name:
        raise ValueError("it is not in the one form that modified UTF-7 has for it")
    return decoded


def _encode_run(found: re.Match[str]) -> str:
    raw = found[0].encode("utf-16-be", "surrogatepass")
    text = binascii.b2a_base64(raw, newline=False).decode().rstrip("=").replace("/", ",")
    return f"&{text}-"


def _decode_run(found: re.Match[str]) -> str:
    run, end = found.groups()
    if not end:
        raise ValueError("a shift from '&' has no '-' at its end")
    if not run:
        return "&"
    padded = run.replace(",", "/") + "=" * (-len(run) % 4)
    try:
        return binascii.a2b_base64(padded, strict_mode=True).decode("utf-16-be")
    except ValueError:  # both what base64 and what UTF-16 refuse
        raise ValueError("a shift from '&' holds no UTF-16") from None
