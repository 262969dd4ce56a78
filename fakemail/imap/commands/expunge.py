"""EXPUNGE and UID EXPUNGE (RFC 9051 §6.4.3, RFC 4315 §2.1)."""

from __future__ import annotations

from collections.abc import Iterator

from fakemail.imap.capabilities import Requirement
from fakemail.imap.command import REV2, SELECTED, Command
from fakemail.imap.context import ImapContext
from fakemail.imap.responses import Completed
from fakemail.imap.selected_mailbox import SelectedMailbox
from fakemail.imap.syntax.scanner import Scanner
from fakemail.imap.syntax.sets import NumberSet, required_by_numbers
from fakemail.imap.updates import send_updates
from fakemail.types.dataclass import dataclass
from fakemail.types.stage import Stage


@dataclass(frozen=True, slots=True)
class Expunge(Command):
    """EXPUNGE (RFC 9051 §6.4.3); ``uids`` is set for UID EXPUNGE (RFC 4315 §2.1)."""

    name = "EXPUNGE"
    stage = Stage.IMAP_EXPUNGE
    states = SELECTED
    has_uid_form = True

    uids: NumberSet | None = None

    @classmethod
    def parse(cls, scan: Scanner) -> Expunge:
        """ "EXPUNGE", or "UID" SP "EXPUNGE" SP sequence-set (RFC 4315 §4)."""
        if not scan.uid:
            return cls()
        scan.space()
        return cls(scan.number_set())

    def requirements(self) -> Iterator[Requirement]:
        """UIDPLUS for the form with UIDs."""
        if self.uids is not None:
            yield "command UID EXPUNGE", ("UIDPLUS", REV2)
            yield from required_by_numbers(self.uids)

    def run(self, session: ImapContext) -> Completed:
        """Remove messages with \\Deleted; only those that the client knows."""
        view = session.writable
        box = view.mailbox
        if self.uids is not None:
            doomed = box.deleted_uids(view.resolve(self.uids, uid=True).uids)
        else:
            doomed = box.deleted_uids(view.known if view.arrived else None)
        if not box.expunge(doomed):
            return Completed()
        return completed_expunge(session, view)


def completed_expunge(session: ImapContext, view: SelectedMailbox) -> Completed:
    """Send the EXPUNGE responses, and end the command with HIGHESTMODSEQ (RFC 7162 §3.2.7, §3.2.8).

    Also after NOTIFY without the selected mailbox: the client asked for them.
    """
    send_updates(session, expunges=True)
    if not session.qresync:
        return Completed()
    return Completed("", f"HIGHESTMODSEQ {view.mailbox.highest_modseq}")
