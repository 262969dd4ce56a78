"""SORT and THREAD (RFC 5256 §3, RFC 5957), the latter with the algorithms REFERENCES and ORDEREDSUBJECT.

Trees are lists of numbers and every walk is a loop: a thread may be as deep as the mailbox is long.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import field
from typing import Final, TypeVar

from fakemail.imap.content.index import FirstAddress, HeaderIndex, collation_key, index_of, seconds
from fakemail.imap.syntax.search_keys import SortCriterion, SortField, ThreadAlgorithm
from fakemail.message.base_subject import base_subject, read_subject
from fakemail.store.message import StoredMessage
from fakemail.types.dataclass import dataclass

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


_NO_PARENT: Final = -1


@dataclass(slots=True)
class ThreadBuilder:
    """Threads of messages. A message is known by its place in the list that was threaded.

    Nodes beyond the places of messages are dummies: they stand for messages that are not there, and only
    at the top of a thread.
    """

    messages: int
    """The number of messages."""
    tops: list[int] = field(default_factory=list)
    children: dict[int, list[int]] = field(default_factory=dict)


def thread(messages: Sequence[StoredMessage], algorithm: ThreadAlgorithm) -> ThreadBuilder:
    """Thread messages, which are in mailbox order."""
    return _ALGORITHMS[algorithm](messages)


def thread_lists(threads: ThreadBuilder, numbers: Sequence[int]) -> bytes:
    """The thread-lists of a THREAD response; ``numbers`` are sequence numbers or UIDs by place.

    RFC 5256 §5: thread-list = "(" (thread-members / thread-nested) ")".
    """
    out: list[bytes] = []
    waiting: list[int | None] = list(reversed(threads.tops))
    while waiting:
        node = waiting.pop()
        if node is None:
            out.append(b")")
            continue
        out.append(b"(")
        waiting.append(None)
        below = _print_chain(threads, node, numbers, out)
        waiting.extend(reversed(below))
    return b"".join(out)


def _print_chain(threads: ThreadBuilder, node: int, numbers: Sequence[int], out: list[bytes]) -> list[int]:
    """Print a message and its only children, one after the other; the children at the fork are left."""
    between = b""
    while True:
        if node < threads.messages:
            out.append(b"%b%d" % (between, numbers[node]))
            between = b" "
        below = threads.children.get(node, [])
        if len(below) != 1:
            if below and between:
                out.append(b" ")
            return below
        node = below[0]


def ordered_subject(messages: Sequence[StoredMessage]) -> ThreadBuilder:
    """ORDEREDSUBJECT: messages with one base subject make a thread, without grandchildren."""
    subjects = [_subject(index_of(message.content))[0] for message in messages]
    dates = [sent_time(message) for message in messages]
    order = sorted(range(len(messages)), key=lambda place: (dates[place], place))
    threads = ThreadBuilder(len(messages))
    first: dict[str, int] = {}
    for place in order:
        top = first.setdefault(subjects[place], place)
        if top == place:
            threads.tops.append(place)
        else:
            threads.children.setdefault(top, []).append(place)
    return threads


def references(messages: Sequence[StoredMessage]) -> ThreadBuilder:
    """REFERENCES: replies below what they answer, then threads with one base subject put together."""
    indexes = [index_of(message.content) for message in messages]
    threads = _pruned(_linked(indexes), len(messages))  # steps 1 to 3
    dates = [sent_time(message) for message in messages]
    _sort_siblings(threads, dates)  # steps 4 and 6: siblings below the top do not change in step 5
    _merge_subjects(threads, indexes)
    _sort_siblings(threads, dates)
    return threads


class _Links:
    """Parents and children of messages and dummies while references are read."""

    __slots__ = ("_jumps", "children", "nodes", "parents")

    def __init__(self, messages: int) -> None:
        self.nodes: dict[str, int] = {}
        self.parents = [_NO_PARENT] * messages
        self.children: list[dict[int, None]] = [{} for _ in range(messages)]
        # For some nodes an ancestor, valid while no link was cut since: finds the top of a deep thread fast.
        self._jumps: dict[int, int] = {}

    def node(self, message_id: str) -> int:
        """The node of a Message-ID; a new dummy when there is none."""
        found = self.nodes.get(message_id)
        if found is None:
            found = self.nodes[message_id] = len(self.parents)
            self.parents.append(_NO_PARENT)
            self.children.append({})
        return found

    def link(self, parent: int, child: int) -> None:
        """Make a link to a child that has no parent, unless that would be a loop."""
        if parent != child and (not self.children[child] or self._top(parent) != child):
            self.parents[child] = parent
            self.children[parent][child] = None

    def cut(self, child: int) -> None:
        parent = self.parents[child]
        if parent != _NO_PARENT:
            del self.children[parent][child]
            self.parents[child] = _NO_PARENT
            self._jumps.clear()

    def _top(self, node: int) -> int:
        path = []
        while True:
            above = self._jumps.get(node, self.parents[node])
            if above == _NO_PARENT:
                break
            path.append(node)
            node = above
        for passed in path[:-1]:
            self._jumps[passed] = node
        return node


def _linked(indexes: Sequence[HeaderIndex]) -> _Links:
    """Step 1 of REFERENCES."""
    links = _Links(len(indexes))
    for place, index in enumerate(indexes):
        own = index.message_id
        if own:  # the first message with an id has it, later ones have one of their own
            links.nodes.setdefault(own, place)
    for place, index in enumerate(indexes):
        last = _NO_PARENT
        for message_id in index.references:
            node = links.node(message_id)
            if last != _NO_PARENT and links.parents[node] == _NO_PARENT:
                links.link(last, node)  # (A)
            last = node
        if last != _NO_PARENT and links.parents[place] == last:
            continue
        links.cut(place)  # (B)
        if last != _NO_PARENT:
            links.link(last, place)
    return links


def _pruned(links: _Links, messages: int) -> ThreadBuilder:
    """Steps 2 and 3: threads from the messages without parents; dummies only where a thread needs a top."""
    threads = ThreadBuilder(messages)
    for top, parent in enumerate(links.parents):
        if parent != _NO_PARENT:
            continue
        below = _real_children(links, top, messages)
        if top < messages or len(below) > 1:
            threads.tops.append(top)
            if below:
                threads.children[top] = below
        else:
            threads.tops.extend(below)
    for node in range(messages):
        if links.parents[node] != _NO_PARENT and (below := _real_children(links, node, messages)):
            threads.children[node] = below
    return threads


def _real_children(links: _Links, node: int, messages: int) -> list[int]:
    """The children of a node; in the place of a dummy, its children."""
    found = []
    waiting = list(reversed(links.children[node]))
    while waiting:
        child = waiting.pop()
        if child < messages:
            found.append(child)
        else:
            waiting.extend(reversed(links.children[child]))
    return found


def _sort_siblings(threads: ThreadBuilder, dates: Sequence[int]) -> None:
    def age(node: int) -> tuple[int, int]:
        while node >= threads.messages:  # a dummy counts as its first child
            node = threads.children[node][0]
        return dates[node], node

    for siblings in threads.children.values():
        if len(siblings) > 1:
            siblings.sort(key=age)
    threads.tops.sort(key=age)


def _merge_subjects(threads: ThreadBuilder, indexes: Sequence[HeaderIndex]) -> None:
    """Step 5: put threads with one base subject together."""
    subjects = {top: _thread_subject(threads, top, indexes) for top in threads.tops}
    replies = {top: subject[1] for top, subject in subjects.items()}
    table: dict[str, int] = {}
    for top in threads.tops:  # (B)
        subject = subjects[top][0]
        if not subject:
            continue
        other = table.setdefault(subject, top)
        if other < threads.messages and (top >= threads.messages or (replies[other] and not replies[top])):
            table[subject] = top
    merged: set[int] = set()
    made: list[int] = []
    next_dummy = max([threads.messages - 1, *threads.tops]) + 1
    for top in threads.tops:  # (C)
        subject = subjects[top][0]
        other = table.get(subject, top)
        if other == top or top in merged:
            continue
        merged.add(top)
        if other >= threads.messages:
            if top >= threads.messages:
                threads.children[other] += threads.children.pop(top)
            else:
                threads.children[other].append(top)
        elif replies[top] and not replies[other]:
            threads.children.setdefault(other, []).append(top)
        else:
            merged.add(other)
            table[subject] = next_dummy
            threads.children[next_dummy] = [other, top]
            made.append(next_dummy)
            next_dummy += 1
    threads.tops = [top for top in threads.tops if top not in merged] + made


def _thread_subject(threads: ThreadBuilder, top: int, indexes: Sequence[HeaderIndex]) -> tuple[str, bool]:
    place = top if top < threads.messages else threads.children[top][0]
    return _subject(indexes[place])


def _subject(index: HeaderIndex) -> tuple[str, bool]:
    return read_subject(index.folded("subject") or "")


_ALGORITHMS: Final[dict[ThreadAlgorithm, Callable[[Sequence[StoredMessage]], ThreadBuilder]]] = {
    ThreadAlgorithm.ORDEREDSUBJECT: ordered_subject,
    ThreadAlgorithm.REFERENCES: references,
}
