"""SORT: the order of messages by the criteria of RFC 5256 §3 and RFC 5957."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from fakemail.imap.content.index import FirstAddress, collation_key, index_of, seconds
from fakemail.imap.syntax.search_keys import SortCriterion, SortField
from fakemail.message.base_subject import base_subject
from fakemail.store.message import StoredMessage

_T = TypeVar("_T", int, str)


def sort_order(messages: Sequence[StoredMessage], criteria: Sequence[SortCriterion]) -> list[int]:
    """Places in ``messages``, which is in mailbox order, sorted; equal messages keep that order.

    RFC 5256 §3: REVERSE reverses its own criterion and not the order of equal messages.
    """
    order = list(range(len(messages)))
    if not criteria:
        return order
    for criterion in reversed(criteria):
        text = _TEXTS.get(criterion.field)
        if text is not None:
            _sort(order, [text(message) for message in messages], criterion.reverse)
        else:
            number = _NUMBERS[criterion.field]
            _sort(order, [number(message) for message in messages], criterion.reverse)
    return order


def _sort(order: list[int], values: list[_T], reverse: bool) -> None:
    order.sort(key=values.__getitem__, reverse=reverse)  # stable in both directions


def sent_time(message: StoredMessage) -> int:
    """The sent date, in seconds since 1970 UTC (RFC 5256 §2.2)."""
    return index_of(message.content).sent(message.internal_date)


def subject_of(message: StoredMessage) -> str:
    """The base subject, as it is sorted."""
    return base_subject(index_of(message.content).folded("subject") or "")


def _mailbox(name: str) -> Callable[[StoredMessage], str]:
    return lambda message: collation_key(index_of(message.content).first_address(name).mailbox)


def _display(name: str) -> Callable[[StoredMessage], str]:
    return lambda message: collation_key(display_value(index_of(message.content).first_address(name)))


def display_value(address: FirstAddress) -> str:
    """The name of an address, else the address itself, else ``""`` (RFC 5957 §3)."""
    if address.name or not address.host:
        return address.name or address.mailbox
    return f"{address.mailbox}@{address.host}"


_TEXTS: Final[dict[SortField, Callable[[StoredMessage], str]]] = {
    SortField.CC: _mailbox("cc"),
    SortField.FROM: _mailbox("from"),
    SortField.TO: _mailbox("to"),
    SortField.SUBJECT: subject_of,
    SortField.DISPLAYFROM: _display("from"),
    SortField.DISPLAYTO: _display("to"),
}
_NUMBERS: Final[dict[SortField, Callable[[StoredMessage], int]]] = {
    SortField.ARRIVAL: lambda message: seconds(message.internal_date),
    SortField.DATE: sent_time,
    SortField.SIZE: lambda message: len(message.content.raw),
}
