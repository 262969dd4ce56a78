"""What a host can hide: the names in the tables of all protocols, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache

from fakemail.errors import DeclarationError, nearest


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


def read_hide(host: str, names: Iterable[str]) -> frozenset[str]:
    """The names as the tables spell them.

    Raises :class:`~fakemail.errors.DeclarationError` for what no protocol has, which would hide nothing.
    """
    known = hideable()
    for name in names:
        if name.upper() not in known:
            # Without AUTH= it would hide nothing, and it is what one writes first.
            meant = f"AUTH={name}".upper()
            help = f"did you mean {meant!r}?" if meant in known else _nearest(name, known)
            raise DeclarationError(f"host {host!r}: there is no {name!r} to hide; {help}")
    return frozenset(known[name.upper()] for name in names)


def _nearest(name: str, known: Mapping[str, str]) -> str:
    found = nearest(name.upper(), known)
    if found.startswith("did"):
        return found
    return "EHLO keywords, capabilities of POP3 and IMAP, and mechanisms such as 'AUTH=LOGIN' can be hidden."
