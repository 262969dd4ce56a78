"""Access control lists (RFC 4314). The owner has every right, always.

No other account opens the mailbox. Entries of others are stored and listed, as a server with one owner for each
mailbox does.
"""

from __future__ import annotations

from fakemail.store.errors import NotAllowed

OWNER_RIGHTS = "lrswipkxtea"
"""RFC 4314 §2.1: every standard right."""
VIRTUAL_RIGHTS = "cd"
"""RFC 4314 §2.1.1: the rights of RFC 2086, ``c`` for ``kx`` and ``d`` for ``te``."""


def spelled_out(rights: str) -> frozenset[str]:
    """The rights as a set, the old ones replaced by those they stand for. Raises ``ValueError`` for others."""
    letters = set(rights)
    if "c" in letters:
        letters |= set("kx")
    if "d" in letters:
        letters |= set("te")
    letters -= set(VIRTUAL_RIGHTS)
    if unknown := letters - set(OWNER_RIGHTS):
        raise ValueError(f"no right: {''.join(sorted(unknown))}")
    return frozenset(letters)


def in_order(rights: frozenset[str]) -> str:
    """The rights as one word, with the old ones that they make up (RFC 4314 §2.1.1)."""
    word = "".join(letter for letter in OWNER_RIGHTS if letter in rights)
    return word + ("c" if rights & set("kx") else "") + ("d" if rights & set("te") else "")


class AccessControlList:
    """The access control list of one mailbox, without its owner's entry."""

    __slots__ = ("_entries",)

    def __init__(self) -> None:
        self._entries: dict[str, frozenset[str]] = {}

    def entries(self) -> dict[str, str]:
        """The rights of others, by identifier."""
        return {identifier: in_order(rights) for identifier, rights in self._entries.items()}

    def change(self, identifier: str, action: str, rights: str) -> None:
        """``+`` adds, ``-`` removes, and an empty action replaces (SETACL, RFC 4314 §3.1).

        Raises ``NotAllowed`` for an unknown right.
        """
        try:
            wanted = spelled_out(rights)
        except ValueError as error:
            raise NotAllowed(identifier, str(error)) from None
        held = self._entries.get(identifier, frozenset())
        now = held | wanted if action == "+" else held - wanted if action == "-" else wanted
        if now:
            self._entries[identifier] = now
        else:
            self._entries.pop(identifier, None)
