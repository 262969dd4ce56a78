"""The words of options that only the protocols know: what a host can hide, and kinds of IMAP servers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from fakemail.errors import nearest
from fakemail.imap.server_kinds import SERVER_KINDS


@cache
def hideable() -> Mapping[str, str]:
    """Every name that can be hidden, under its capitals: keywords and capabilities have no case."""
    # Here, because a world in which nothing is hidden need not load them.
    from fakemail.imap.capabilities import CAPABILITIES as IMAP
    from fakemail.pop3.capabilities import CAPABILITIES as POP3
    from fakemail.sasl.mechanisms import MECHANISMS
    from fakemail.smtp.extensions import EXTENSIONS

    names = [
        *(row.keyword for row in EXTENSIONS),
        # APOP and CAPA are commands that can be missing though CAPA does not list them.
        *(row.keyword for row in POP3),
        *("APOP", "CAPA"),
        *(row.name for row in IMAP),
        *(f"AUTH={name}" for name in MECHANISMS),
    ]
    return {name.upper(): name for name in names}


def spelled(names: Iterable[str]) -> frozenset[str]:
    """Names that can be hidden, as the tables spell them."""
    known = hideable()
    return frozenset(known[name.upper()] for name in names)


def unknown_words(option: str, value: Any) -> list[str]:
    """Mistakes in an option whose words only the protocols know, a sentence for each.

    A name that no protocol has would hide nothing.
    """
    if option == "imap" and value not in SERVER_KINDS:
        return [f"there is no kind of IMAP server {value!r}; {nearest(value, SERVER_KINDS)}"]
    if option != "hide" or not value:
        return []
    known = hideable()
    return [
        f"there is no {name!r} to hide; {_meant(name, known)}"
        for name in sorted(value)
        if name.upper() not in known
    ]


def _meant(name: str, known: Mapping[str, str]) -> str:
    # Without AUTH= it would hide nothing, and it is what one writes first.
    mechanism = f"AUTH={name}".upper()
    if mechanism in known:
        return f"did you mean {mechanism!r}?"
    found = nearest(name.upper(), known)
    if found.startswith("did"):
        return found
    return "EHLO keywords, capabilities of POP3 and IMAP, and mechanisms such as 'AUTH=LOGIN' can be hidden."
