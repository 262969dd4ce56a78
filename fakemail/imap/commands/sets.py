"""Which messages a command names, and what is said about numbers that are not there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fakemail.imap.responses import Completed, bad
from fakemail.imap.selected_mailbox import Resolved
from fakemail.imap.syntax.sets import NumberSet, SequenceSet
from fakemail.types.reason import Reason

if TYPE_CHECKING:
    from fakemail.imap.session import ImapSession

EXPUNGED = Completed(
    "Some of the requested messages no longer exist.", "EXPUNGEISSUED", "NO", Reason.MESSAGE_GONE
)
"""RFC 5530 §3: somebody else has expunged a message that was to be changed or copied (RFC 2180 §4.2, §4.4)."""


def choose(session: ImapSession, numbers: NumberSet, *, uid: bool, with_gone: bool = False) -> Resolved:
    """The messages of a command. Raises BAD for sequence numbers beyond the last message (RFC 9051 §9)."""
    view = session.selected
    if not uid:
        require_numbers(session)
        if isinstance(numbers, SequenceSet) and _beyond(numbers, len(view.known)):
            raise bad(f"The set names messages that are not there; the last one is {len(view.known)}.")
    return view.resolve(numbers, uid=uid, with_gone=with_gone)


def require_numbers(session: ImapSession) -> None:
    """Refuse a command with message numbers after ENABLE UIDONLY (RFC 9586 §3)."""
    if session.uid_only:
        raise bad("Only UIDs may be used.", code="UIDREQUIRED", reason=Reason.NOT_NEGOTIATED)


def _beyond(numbers: SequenceSet, last: int) -> bool:
    """RFC 9051 §9, seq-number: a number that is not in use, '"*" if the selected mailbox is empty' among them."""
    return numbers.highest > last or (not last and numbers.has_star)


def common(left: list[tuple[int, int]], right: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """What two ascending lists of runs have in common."""
    found = []
    i = j = 0
    while i < len(left) and j < len(right):
        first, last = max(left[i][0], right[j][0]), min(left[i][1], right[j][1])
        if first <= last:
            found.append((first, last))
        if left[i][1] < right[j][1]:
            i += 1
        else:
            j += 1
    return found
