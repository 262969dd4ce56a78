"""COPY and MOVE (RFC 9051 §6.4.7, §6.4.8; RFC 6851, RFC 4315)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

from fakemail.imap.capabilities import Requirement
from fakemail.imap.command import REV2, SELECTED, Command
from fakemail.imap.commands.expunge import completed_expunge
from fakemail.imap.context import ImapContext
from fakemail.imap.responses import EXPUNGED, Completed
from fakemail.imap.syntax import printing
from fakemail.imap.syntax.scanner import Scanner
from fakemail.imap.syntax.sets import NumberSet, required_by_numbers
from fakemail.store.mailbox import Mailbox
from fakemail.types.dataclass import dataclass
from fakemail.types.stage import Stage


@dataclass(frozen=True, slots=True)
class Copy(Command):
    """COPY (RFC 9051 §6.4.7)."""

    name = "COPY"
    stage = Stage.IMAP_COPY
    states = SELECTED
    has_uid_form = True
    has_target = True

    numbers: NumberSet
    mailbox: str
    uid: bool = False

    @classmethod
    def parse(cls, scan: Scanner) -> Self:
        """("COPY" / "MOVE") SP sequence-set SP mailbox."""
        scan.space()
        numbers = scan.number_set()
        scan.space()
        return cls(numbers, scan.mailbox(), scan.uid)

    def requirements(self) -> Iterator[Requirement]:
        """SEARCHRES for ``$``."""
        return required_by_numbers(self.numbers)

    def run(self, session: ImapContext) -> Completed:
        """Copy all messages or none."""
        resolved = session.resolve(self.numbers, uid=self.uid)
        target = session.mailboxes.get(self.mailbox)
        if resolved.missing and not self.uid:
            return EXPUNGED
        if not resolved.messages:
            return Completed("No messages found.")
        copied = session.selected.mailbox.copy_to(target, resolved.uids)
        return Completed("", _copy_uid(session, target, copied))


class Move(Copy):
    """MOVE (RFC 9051 §6.4.8, RFC 6851)."""

    name = "MOVE"
    stage = Stage.IMAP_MOVE
    capabilities = ("MOVE", REV2)

    def run(self, session: ImapContext) -> Completed:
        """Move all messages or none; COPYUID goes before the EXPUNGE responses."""
        resolved = session.resolve(self.numbers, uid=self.uid)
        view = session.writable
        target = session.mailboxes.get(self.mailbox)
        if resolved.missing and not self.uid:
            return EXPUNGED
        if not resolved.messages:
            return Completed("No messages found.")
        code = _copy_uid(session, target, view.mailbox.move_to(target, resolved.uids))
        if code is not None:
            session.say(printing.condition("OK", "Moved.", code=code))
        return completed_expunge(session, view)


def _copy_uid(session: ImapContext, target: Mailbox, pairs: list[tuple[int, int]]) -> bytes | None:
    if not pairs or not session.may("UIDPLUS", "IMAP4rev2"):
        return None
    sources = printing.sequence_set([source for source, _ in pairs])
    targets = printing.sequence_set([uid for _, uid in pairs])
    return b"COPYUID %d %b %b" % (target.uid_validity, sources, targets)
