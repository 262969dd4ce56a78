"""X-GM-EXT-1: ids, labels and searches of a Gmail-like server, where mailboxes are labels.

A message has a label when a copy of it lies in the mailbox of that name. Ids are numbers of 64 bits.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import date
from typing import Final

from fakemail.imap.syntax import printing
from fakemail.imap.syntax.search_keys import (
    AddressContains,
    AllMessages,
    And,
    DateField,
    DateIs,
    DateRelation,
    HasFlag,
    HasGmailLabel,
    HeaderContains,
    Not,
    Or,
    SearchKey,
    SizeIs,
    TextContains,
)
from fakemail.store.account import AccountStore
from fakemail.store.errors import NoSuchMailbox
from fakemail.store.mailbox import Mailbox
from fakemail.store.message import FLAGGED, SEEN, FlagAction, StoredMessage

_EPOCH: Final = 1_700_000_000_000_000_000
"""Ids look like those of the real thing."""
_SYSTEM_LABELS: Final = {
    "\\Sent": "\\Sent",
    "\\Drafts": "\\Draft",
    "\\Important": "\\Important",
    "\\Junk": "\\Spam",
    "\\Trash": "\\Trash",
    "\\Flagged": "\\Starred",
}
_USES: Final = {label.lower(): use for use, label in _SYSTEM_LABELS.items()}


def message_id(message: StoredMessage) -> int:
    """X-GM-MSGID: one for all copies."""
    return _EPOCH + int(message.content.email_id[1:])


def thread_id(message: StoredMessage) -> int:
    """X-GM-THRID."""
    return _EPOCH + int(message.content.thread_id[1:])


def labels(account: AccountStore, inside: Mailbox | None, message: StoredMessage) -> list[str]:
    """The labels of a message, without the one of the mailbox in which FETCH looks at it; SEARCH finds that too."""
    return [
        label
        for box in account.places(message.content)
        if box is not inside and (label := _label(box)) is not None
    ]


def label_list(account: AccountStore, inside: Mailbox, message: StoredMessage, utf8: bool) -> bytes:
    """X-GM-LABELS in parentheses."""
    return printing.parenthesised(
        printing.string(label) if label.startswith("\\") else printing.mailbox(label, utf8=utf8)
        for label in labels(account, inside, message)
    )


def _label(box: Mailbox) -> str | None:
    if "\\All" in box.special_use:
        return None
    if box.name == "INBOX":
        return "\\Inbox"
    return next((_SYSTEM_LABELS[use] for use in sorted(box.special_use) if use in _SYSTEM_LABELS), box.name)


def store_labels(
    account: AccountStore, inside: Mailbox, uids: list[int], action: FlagAction, wanted: Iterable[str]
) -> None:
    """STORE X-GM-LABELS: copy messages to the mailboxes of labels, or take them away from there."""
    asked = list(dict.fromkeys(wanted))
    targets = [_mailbox(account, label, make=action is not FlagAction.REMOVE) for label in asked]
    boxes = [box for box in targets if box is not None]
    for message in inside.find(uids):
        places = account.places(message.content)
        if action is not FlagAction.REMOVE:
            for box in boxes:
                if box not in places:
                    inside.copy_to(box, [message.uid])
        if action is FlagAction.ADD:
            continue
        for box in places:
            leaves = box in boxes if action is FlagAction.REMOVE else box not in boxes
            if leaves and box is not inside and _label(box) is not None:
                box.expunge([one.uid for one in box if one.content is message.content])


def _mailbox(account: AccountStore, label: str, *, make: bool) -> Mailbox | None:
    if label.lower() == "\\inbox":
        return account.inbox
    if label.startswith("\\"):
        box = account.with_use(_USES.get(label.lower(), ""))
        if box is None and make:
            raise NoSuchMailbox(label)
        return box
    box = account.find(label)
    return account.create(label) if box is None and make else box


# X-GM-RAW -----------------------------------------------------------------------------------------

_WORD: Final = re.compile(r'(-?)(?:([a-z_]+):)?(?:"([^"]*)"?|\(([^()]*)\)|([^\s()"]+))', re.IGNORECASE)
_SIZES: Final = {"": 1, "k": 1024, "m": 1024 * 1024}


def read_query(text: str) -> SearchKey:
    """The usual operators of Gmail's search field, as keys; what is unknown is searched as text."""
    keys: list[SearchKey] = []
    either = False
    for minus, operator, quoted, group, bare in _WORD.findall(text[:2000]):
        if bare == "OR" and not operator and keys:
            either = True
            continue
        if group and not operator:
            key = read_query(group)
        else:
            key = _operator(operator.lower(), quoted or group or bare)
        key = Not(key) if minus else key
        if either:
            last = keys.pop()
            key = Or((*last.keys, key)) if isinstance(last, Or) else Or((last, key))
            either = False
        keys.append(key)
    if not keys:
        return AllMessages()
    return keys[0] if len(keys) == 1 else And(tuple(keys))


def _operator(name: str, value: str) -> SearchKey:
    make = _OPERATORS.get(name)
    found = make(value) if make is not None else None
    if found is not None:
        return found
    return TextContains(f"{name}:{value}" if name else value)


def _is(value: str) -> SearchKey | None:
    return _STATES.get(value.lower())


_STATES: Final[dict[str, SearchKey]] = {
    "read": HasFlag(SEEN),
    "unread": Not(HasFlag(SEEN)),
    "starred": HasFlag(FLAGGED),
}


def _day(relation: DateRelation) -> Callable[[str], SearchKey | None]:
    def read(value: str) -> SearchKey | None:
        parts = re.fullmatch(r"(\d{4})[/-](\d{1,2})[/-](\d{1,2})", value)
        if parts is None:
            return None
        try:
            return DateIs(DateField.INTERNAL, relation, date(*map(int, parts.groups())))
        except ValueError:
            return None

    return read


def _size(larger: bool) -> Callable[[str], SearchKey | None]:
    def read(value: str) -> SearchKey | None:
        parts = re.fullmatch(r"(\d{1,12})([km]?)b?", value.lower())
        return None if parts is None else SizeIs(larger, int(parts[1]) * _SIZES[parts[2]])

    return read


def _in(value: str) -> SearchKey | None:
    if value.lower() == "anywhere":
        return AllMessages()
    return HasGmailLabel(f"\\{value}" if f"\\{value}".lower() in (*_USES, "\\inbox") else value)


def _has(value: str) -> SearchKey | None:
    if value.lower() == "attachment":
        return HeaderContains("Content-Type", "multipart/mixed")
    return None


_OPERATORS: Final[dict[str, Callable[[str], SearchKey | None]]] = {
    "from": lambda value: AddressContains("From", value),
    "to": lambda value: AddressContains("To", value),
    "cc": lambda value: AddressContains("Cc", value),
    "bcc": lambda value: AddressContains("Bcc", value),
    "subject": lambda value: HeaderContains("Subject", value),
    "rfc822msgid": lambda value: HeaderContains("Message-ID", value),
    "list": lambda value: HeaderContains("List-Id", value),
    "is": _is,
    "in": _in,
    "label": HasGmailLabel,
    "has": _has,
    "larger": _size(True),
    "size": _size(True),
    "smaller": _size(False),
    "before": _day(DateRelation.BEFORE),
    "after": _day(DateRelation.SINCE),
}
