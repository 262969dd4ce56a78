"""Internationalised domain names (IDNA): the one form that is compared, and the one that is shown.

``bücher.example``, ``BÜCHER.example.`` and ``xn--bcher-kva.example`` are one name. Everything here compares and
keeps the last form; texts for people have the first. This is the door to ``idna``: IDNA 2008 (RFC 5891) with
the mapping of UTS 46 before it (non-transitional), which folds case, normalises, and takes U+3002 and its kin for dots.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

# UTS 46 §2.3: what an input method for Chinese or Japanese may give for a dot.
_DOTS = str.maketrans(dict.fromkeys("\u3002\uff0e\uff61", "."))
_A_LABEL = re.compile(r"(?<![A-Za-z0-9-])xn--[a-z0-9-]*[a-z0-9]")


@lru_cache(maxsize=4096)
def a_labels(name: str) -> str:
    """The canonical form of a domain name: A-labels (RFC 5890 §2.3.2.1), lower case, no final dot.

    Labels in ASCII, such as ``*`` and ``_dmarc``, are only made lower-case. Of what has no A-labels the whole name is
    only folded: whether it is a name at all is asked elsewhere.
    """
    if not name.isascii():
        name = split_dots(name)
        try:
            name = ".".join(label if label.isascii() else to_a_label(label) for label in name.split("."))
        except ValueError:
            name = unicodedata.normalize("NFC", name)
    name = name.lower()
    return name[:-1] if name.endswith(".") and not name.endswith("\\.") else name


def u_labels(text: str) -> str:
    """A name, an address or a sentence as people read it: U-labels (RFC 5890 §2.3.2.1) for the A-labels in it."""
    return _A_LABEL.sub(_to_u_label, text) if "xn--" in text else text


def split_dots(name: str) -> str:
    """The name with full stops for the other dots of UTS 46 §2.3."""
    return name.translate(_DOTS)


def to_a_label(label: str) -> str:
    """The A-label of one label beyond ASCII. Raises :class:`ValueError` with what is wrong with it."""
    import idna  # only names beyond ASCII need its tables

    found = idna.encode(label, uts46=True).decode()
    if "." in found:
        raise ValueError(f"{label!r} is no label")
    return found


def _to_u_label(found: re.Match[str]) -> str:
    import idna

    try:
        return idna.decode(found[0])
    except UnicodeError:
        return found[0]  # RFC 5890 §2.3.2.1: what merely looks like an A-label
