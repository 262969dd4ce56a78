"""STATUS: counters of a mailbox, selected or not (RFC 9051 §6.3.11)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import Enum
from typing import Final

from fakemail.imap.capabilities import Requirement
from fakemail.imap.command import REV2, Command
from fakemail.imap.context import ImapContext
from fakemail.imap.responses import Completed
from fakemail.imap.syntax import printing
from fakemail.imap.syntax.scanner import Scanner
from fakemail.store.mailbox import Mailbox
from fakemail.types.dataclass import dataclass
from fakemail.types.stage import Stage


class StatusItem(Enum):
    """Items that STATUS can report."""

    MESSAGES = "MESSAGES"
    RECENT = "RECENT"
    UIDNEXT = "UIDNEXT"
    UIDVALIDITY = "UIDVALIDITY"
    UNSEEN = "UNSEEN"
    DELETED = "DELETED"  # RFC 9051 §6.3.11
    SIZE = "SIZE"  # RFC 8438 §3.1
    HIGHESTMODSEQ = "HIGHESTMODSEQ"  # RFC 7162 §3.1.2.1
    MAILBOXID = "MAILBOXID"  # RFC 8474 §4.3
    APPENDLIMIT = "APPENDLIMIT"  # RFC 7889 §4
    DELETED_STORAGE = "DELETED-STORAGE"  # RFC 9208 §4.1.4


_ITEMS: Final = {item.value: item for item in StatusItem}
_REQUIRED: Final[dict[StatusItem, tuple[str, ...]]] = {
    StatusItem.SIZE: ("STATUS=SIZE", REV2),
    StatusItem.DELETED: (REV2, "QUOTA=RES-MESSAGE"),
    StatusItem.DELETED_STORAGE: ("QUOTA=RES-STORAGE",),
    StatusItem.HIGHESTMODSEQ: ("CONDSTORE",),
    StatusItem.MAILBOXID: ("OBJECTID",),
    StatusItem.APPENDLIMIT: ("APPENDLIMIT",),
}
_VALUES: Final[dict[StatusItem, Callable[[Mailbox], object]]] = {
    StatusItem.MESSAGES: len,
    StatusItem.RECENT: lambda box: box.recent,
    StatusItem.UIDNEXT: lambda box: box.uid_next,
    StatusItem.UIDVALIDITY: lambda box: box.uid_validity,
    StatusItem.UNSEEN: lambda box: box.unseen,
    StatusItem.DELETED: lambda box: box.deleted,
    StatusItem.SIZE: lambda box: box.size,
    StatusItem.HIGHESTMODSEQ: lambda box: box.highest_modseq,
    StatusItem.MAILBOXID: lambda box: f"({box.mailbox_id})",
    StatusItem.DELETED_STORAGE: lambda box: box.deleted_size,
}


@dataclass(frozen=True, slots=True)
class StatusCommand(Command):
    """STATUS (RFC 9051 §6.3.11)."""

    name = "STATUS"
    stage = Stage.IMAP_STATUS

    mailbox: str
    items: tuple[StatusItem, ...]

    @classmethod
    def parse(cls, scan: Scanner) -> StatusCommand:
        """ "STATUS" SP mailbox SP "(" status-att *(SP status-att) ")"."""
        scan.space()
        mailbox = scan.mailbox()
        scan.space()
        return cls(mailbox, status_items(scan))

    def requirements(self) -> Iterator[Requirement]:
        """A capability for each item that has one."""
        return required_by_status_items(self.items)

    def run(self, session: ImapContext) -> Completed:
        """Give the counters."""
        box = session.mailboxes.get(self.mailbox)
        if StatusItem.HIGHESTMODSEQ in self.items:
            session.enable_condstore()  # RFC 7162 §3.1
        session.say(status_line(session, box, self.items))
        return Completed()


def status_items(scan: Scanner) -> tuple[StatusItem, ...]:
    """ "(" status-att *(SP status-att) ")", each item once; LIST has it too (RFC 5819 §4)."""
    scan.open("STATUS items")
    items: list[StatusItem] = []
    while True:
        name = scan.word("a STATUS item")
        item = _ITEMS.get(name)
        if item is None:
            scan.refuse(f"{name} is no STATUS item.")
        items.append(item)
        if not scan.more("a STATUS item"):
            return tuple(dict.fromkeys(items))


def required_by_status_items(items: Iterable[StatusItem]) -> Iterator[Requirement]:
    """The capabilities that STATUS items need."""
    for item in items:
        if item in _REQUIRED:
            yield f"STATUS item {item.value}", _REQUIRED[item]


def status_line(session: ImapContext, box: Mailbox, items: Sequence[StatusItem]) -> bytes:
    """A STATUS response."""
    words = []
    for item in items:
        if item is StatusItem.APPENDLIMIT:
            value: object = session.profile.max_message_size
        elif item is StatusItem.RECENT and session.view is not None and session.view.mailbox is box:
            value = session.view.recent.count(session.view.known) + session.view.arrived
        else:
            value = _VALUES[item](box)
        words.append(f"{item.value} {value}".encode())
    name = printing.mailbox(box.name, utf8=session.utf8)
    return printing.untagged(b"STATUS", name, printing.parenthesised(words))
