"""Names of mailboxes in a tree: what a name may be, parents and children. Names are Unicode text, ``/`` divides."""

from __future__ import annotations

import re
from collections.abc import Iterator

from fakemail.store.errors import InvalidName

SEPARATOR = "/"
MAX_LENGTH = 1000
MAX_DEPTH = 100

# RFC 9051 §5.1: no control characters; surrogates are no characters; U+2028 and U+2029 are line ends.
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029]")


def canonical(name: str) -> str:
    """The name with INBOX in capitals (RFC 9051 §5.1), at the root only."""
    first, slash, rest = name.partition(SEPARATOR)
    return f"INBOX{slash}{rest}" if first.upper() == "INBOX" and first.isascii() else name


def checked(name: str) -> str:
    """The canonical name of a mailbox that is to be made. Raises ``InvalidName`` with what is wrong."""
    parts = name.split(SEPARATOR)
    if not name:
        raise InvalidName(name, "the empty text is no name of a mailbox.")
    if len(name) > MAX_LENGTH:
        raise InvalidName(name, f"a name of {len(name)} characters is too long; {MAX_LENGTH} are allowed.")
    if "" in parts:
        raise InvalidName(name, f"{name!r} is no name of a mailbox: there is an empty level in it.")
    if len(parts) > MAX_DEPTH:
        raise InvalidName(name, f"a name of {len(parts)} levels is too deep; {MAX_DEPTH} are allowed.")
    if found := _FORBIDDEN.search(name):
        raise InvalidName(name, f"{name!r} is no name of a mailbox: U+{ord(found[0]):04X} is in it.")
    return canonical(name)


def parents(name: str) -> Iterator[str]:
    """The names above a name, the nearest first."""
    while (cut := name.rfind(SEPARATOR)) > 0:
        name = name[:cut]
        yield name


def is_below(name: str, top: str) -> bool:
    """Whether the name is somewhere below the other."""
    return name.startswith(top + SEPARATOR)


def order(name: str) -> tuple[bool, list[str]]:
    """The key by which a listing is sorted: INBOX first, children right behind their parents."""
    parts = name.split(SEPARATOR)
    return parts[0] != "INBOX", parts
