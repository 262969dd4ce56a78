"""Mailbox filters of NOTIFY and ESEARCH: values, grammar and matching (RFC 5465 §6, RFC 7377 §2.2)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import Enum
from typing import Final

from fakemail.imap.selected_mailbox import SelectedMailbox
from fakemail.imap.syntax.scanner import Scanner
from fakemail.store import names
from fakemail.store.account import AccountStore
from fakemail.store.mailbox import INBOX, Mailbox
from fakemail.types.dataclass import dataclass

_WORD: Final = re.compile(r"[A-Za-z-]+")


class FilterKind(Enum):
    """The mailboxes that an event group or a multi-mailbox search covers; the value is the name on the wire."""

    SELECTED = "selected"
    SELECTED_DELAYED = "selected-delayed"
    INBOXES = "inboxes"
    PERSONAL = "personal"
    SUBSCRIBED = "subscribed"
    SUBTREE = "subtree"
    SUBTREE_ONE = "subtree-one"
    MAILBOXES = "mailboxes"


_KINDS: Final = {kind.value.upper(): kind for kind in FilterKind}
_NAMED: Final = (FilterKind.SUBTREE, FilterKind.SUBTREE_ONE, FilterKind.MAILBOXES)


@dataclass(frozen=True, slots=True)
class MailboxFilter:
    """A kind of mailboxes; ``mailboxes`` are named for SUBTREE, SUBTREE_ONE and MAILBOXES."""

    kind: FilterKind
    mailboxes: tuple[str, ...] = ()

    @classmethod
    def parse(cls, scan: Scanner) -> MailboxFilter:
        """filter-mailboxes (RFC 5465 §8, RFC 7377 §4).

        one-or-more-mailbox = mailbox / "(" mailbox *(SP mailbox) ")".
        """
        word = scan.take(_WORD, "a mailbox filter")[0].upper()
        kind = _KINDS.get(word)
        if kind is None:
            scan.refuse(f"{word} is no mailbox filter; there are {', '.join(_KINDS)}.")
        if kind not in _NAMED:
            return cls(kind)
        scan.space()
        if scan.peek() != "(":
            return cls(kind, (scan.mailbox(),))
        scan.open("mailbox names")
        found = [scan.mailbox()]
        while scan.more("a mailbox name"):
            found.append(scan.mailbox())
        return cls(kind, tuple(found))

    @property
    def is_selected(self) -> bool:
        """Whether it is one of the two for the selected mailbox."""
        return self.kind is FilterKind.SELECTED or self.kind is FilterKind.SELECTED_DELAYED

    def matches(self, name: str, account: AccountStore) -> bool:
        """Whether it covers a name; for the selected mailbox the answer is no."""
        match self.kind:
            case FilterKind.INBOXES:
                return name == INBOX  # the only one that mail is delivered to of itself
            case FilterKind.PERSONAL:
                return True
            case FilterKind.SUBSCRIBED:
                return name in account.subscriptions()
            case FilterKind.MAILBOXES:
                return name in self.mailboxes
            case FilterKind.SUBTREE:
                return any(name == top or names.is_below(name, top) for top in self.mailboxes)
            case FilterKind.SUBTREE_ONE:
                return any(
                    name == top or (names.is_below(name, top) and names.SEPARATOR not in name[len(top) + 1 :])
                    for top in self.mailboxes
                )
            case _:
                return False


def filtered_mailboxes(
    filters: Iterable[MailboxFilter], account: AccountStore, view: SelectedMailbox | None
) -> list[Mailbox]:
    """The mailboxes that any of the filters covers, each once, in the order of a listing."""
    found = []
    wanted = list(filters)
    for entry in account.entries():
        box = entry.mailbox
        if box is None:
            continue
        own = view is not None and view.mailbox is box
        if any(
            own if one.kind is FilterKind.SELECTED else one.matches(entry.name, account) for one in wanted
        ):
            found.append(box)
    return found
