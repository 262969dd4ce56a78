"""SELECT, EXAMINE, CLOSE and UNSELECT (RFC 9051 §6.3.2, §6.3.3, §6.4.1, §6.4.2), with CONDSTORE and QRESYNC."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from typing import Self

from fakemail.imap.capabilities import Requirement
from fakemail.imap.command import REV2, SELECTED, AllowedUpdates, Command
from fakemail.imap.context import ImapContext
from fakemail.imap.fetch_responses import flag_lines, flag_lists, recent_line
from fakemail.imap.responses import Completed, bad
from fakemail.imap.selected_mailbox import SelectedMailbox
from fakemail.imap.syntax import printing
from fakemail.imap.syntax.scanner import NUMBER_63, Scanner
from fakemail.imap.syntax.sets import SequenceSet, intersect
from fakemail.store.mailbox import Mailbox
from fakemail.types.dataclass import dataclass
from fakemail.types.stage import Stage


@dataclass(frozen=True, slots=True)
class Qresync:
    """The QRESYNC parameter of SELECT and EXAMINE (RFC 7162 §3.2.5).

    ``sequence_match`` is (known sequence numbers, their UIDs); neither has ``*``.
    """

    uidvalidity: int
    modseq: int
    known_uids: SequenceSet | None = None
    sequence_match: tuple[SequenceSet, SequenceSet] | None = None


@dataclass(frozen=True, slots=True)
class Select(Command):
    """SELECT (RFC 9051 §6.3.2)."""

    name = "SELECT"
    stage = Stage.IMAP_SELECT
    updates = AllowedUpdates.NONE
    read_only = False

    mailbox: str
    condstore: bool = False
    qresync: Qresync | None = None

    @classmethod
    def parse(cls, scan: Scanner) -> Self:
        """SP mailbox [SP "(" select-param *(SP select-param) ")"] (RFC 4466 §6); the parameters of RFC 7162 §7."""
        scan.space()
        mailbox = scan.mailbox()
        condstore = False
        qresync: Qresync | None = None
        if scan.another():
            scan.open("parameters")
            while True:
                name = scan.word("CONDSTORE or QRESYNC")
                if name == "CONDSTORE":
                    condstore = True
                elif name == "QRESYNC":
                    scan.space()
                    qresync = _qresync(scan)
                else:
                    scan.refuse(f"The parameters are CONDSTORE and QRESYNC, not {name}.")
                if not scan.more("a parameter"):
                    break
        return cls(mailbox, condstore, qresync)

    def requirements(self) -> Iterator[Requirement]:
        """A capability for each parameter."""
        if self.condstore:
            yield "parameter CONDSTORE", ("CONDSTORE",)
        if self.qresync is not None:
            yield "parameter QRESYNC", ("QRESYNC",)

    def run(self, session: ImapContext) -> Completed:
        """Select the mailbox and describe it (RFC 9051 §6.3.2; RFC 7162 §3.1.8, §3.2.5)."""
        if self.qresync is not None and not session.qresync:
            raise bad("ENABLE QRESYNC first.")  # RFC 7162 §3.2.5
        if session.view is not None:
            session.deselect()
            session.say(printing.condition("OK", "The previous mailbox is closed.", code="CLOSED"))
        box = session.mailboxes.get(self.mailbox)  # a failure leaves no mailbox selected (RFC 9051 §6.3.2)
        if self.condstore:
            session.enable_condstore()
        # RFC 7162 §3.2.5.1: what the client knows is compared before anything else changes
        view = session.view = SelectedMailbox(box, read_only=self.read_only, wake=session.wake)
        _describe(session, view)
        if self.qresync is not None and self.qresync.uidvalidity == box.uid_validity:
            session.say(*_resynchronised(session, view, self.qresync))
        return Completed("", "READ-ONLY" if self.read_only else "READ-WRITE")


class Examine(Select):
    """EXAMINE: SELECT, read-only (RFC 9051 §6.3.3)."""

    name = "EXAMINE"
    stage = Stage.IMAP_EXAMINE
    read_only = True


def _qresync(scan: Scanner) -> Qresync:
    """ "(" uidvalidity SP mod-sequence-value [SP known-uids] [SP "(" known-sequence-set SP known-uid-set ")"] ")"."""
    scan.open("UIDVALIDITY and a mod-sequence")
    # A 0, which the grammar does not have, is sent by clients that know nothing yet.
    uidvalidity = scan.number("UIDVALIDITY")
    scan.space()
    modseq = scan.number("a mod-sequence", NUMBER_63)
    known: SequenceSet | None = None
    match: tuple[SequenceSet, SequenceSet] | None = None
    going = scan.more("a mod-sequence")
    if going and scan.peek() != "(":
        known = _known(scan)
        going = scan.more("known UIDs")
    if going:
        scan.open("sequence numbers and UIDs")
        numbers = _known(scan)
        scan.space()
        match = (numbers, _known(scan))
        if scan.more("UIDs") or scan.more("sequence numbers and UIDs"):
            scan.fail("')' after UIDs")
    return Qresync(uidvalidity, modseq, known, match)


def _known(scan: Scanner) -> SequenceSet:
    """A sequence-set in which '"*" is not allowed' (RFC 7162 §7)."""
    start = scan.at
    numbers = scan.sequence_set()
    if numbers.has_star:
        scan.at = start
        scan.fail("numbers without '*'")
    return numbers


def _describe(session: ImapContext, view: SelectedMailbox) -> None:
    box = view.mailbox
    condition = printing.condition
    out = [*flag_lists(view), b"* %d EXISTS\r\n" % len(view.known)]
    if not session.rev2:
        out.append(recent_line(view))
        first_unseen = box.first_unseen
        number = first_unseen and view.number(first_unseen)
        if number and not session.uid_only:  # RFC 9586 §3.4: it is a message number
            out.append(condition("OK", "First unseen.", code=f"UNSEEN {number}"))
    out.append(condition("OK", "UIDs valid.", code=f"UIDVALIDITY {box.uid_validity}"))
    out.append(condition("OK", "Predicted next UID.", code=f"UIDNEXT {box.uid_next}"))
    if session.may("CONDSTORE", "QRESYNC"):
        out.append(printing.highest_modseq(box.highest_modseq))
    if session.may("OBJECTID"):
        out.append(condition("OK", "Ok.", code=f"MAILBOXID ({box.mailbox_id})"))  # RFC 8474 §4.2
    if session.rev2:
        out.append(_list_line(session, box))
    session.say(*out)


def _list_line(session: ImapContext, box: Mailbox) -> bytes:
    """RFC 9051 §6.3.2: 'The server MUST return a LIST response with the mailbox name'."""
    name = printing.mailbox(box.name, utf8=session.utf8)
    return printing.untagged(b"LIST", b"()", b'"/"', name)


def _resynchronised(session: ImapContext, view: SelectedMailbox, asked: Qresync) -> Iterator[bytes]:
    """VANISHED (EARLIER) and FETCH for what changed since the client was here (RFC 7162 §3.2.5.2)."""
    box = view.mailbox
    since = asked.modseq
    runs = box.runs_expunged_since(since)
    # The history of expunges is exact, so that the sequence match data of the client is not needed.
    known = asked.known_uids.resolve(0) if asked.known_uids is not None else None
    if known is not None:
        runs = intersect(runs, known)
    if runs:
        yield printing.untagged(b"VANISHED (EARLIER)", printing.ranges(runs))
    changed = box.changed_since(since)
    if known is not None:
        starts = [first for first, _ in known]
        changed = [
            message
            for message in changed
            if (place := bisect_right(starts, message.uid)) and message.uid <= known[place - 1][1]
        ]
    yield from flag_lines(session, view, changed)


class CloseCommand(Command):
    """CLOSE (RFC 9051 §6.4.1)."""

    name = "CLOSE"
    stage = Stage.IMAP_CLOSE
    states = SELECTED
    updates = AllowedUpdates.NONE

    def run(self, session: ImapContext) -> Completed:
        """Expunge without EXPUNGE responses, unless read-only."""
        view = session.selected
        session.deselect()
        if not view.read_only and not view.lost:
            view.mailbox.expunge(view.mailbox.deleted_uids())
        return Completed()


class Unselect(Command):
    """UNSELECT (RFC 9051 §6.4.2)."""

    name = "UNSELECT"
    stage = Stage.IMAP_UNSELECT
    states = SELECTED
    capabilities = ("UNSELECT", REV2)
    updates = AllowedUpdates.NONE

    def run(self, session: ImapContext) -> Completed:
        """Close the mailbox; nothing is expunged."""
        session.deselect()
        return Completed()
