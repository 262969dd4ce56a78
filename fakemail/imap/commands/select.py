"""SELECT, EXAMINE, CLOSE and UNSELECT, with the parameters CONDSTORE and QRESYNC."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from typing import TYPE_CHECKING

from fakemail.imap import updates
from fakemail.imap.commands.condstore import enable_condstore, highest_modseq
from fakemail.imap.commands.sets import common
from fakemail.imap.responses import Completed, bad
from fakemail.imap.selected_mailbox import SelectedMailbox
from fakemail.imap.syntax import commands, mailbox_commands, printing
from fakemail.imap.syntax.mailbox_commands import Qresync
from fakemail.store.mailbox import Mailbox

if TYPE_CHECKING:
    from fakemail.imap.session import ImapSession


def select(session: ImapSession, command: mailbox_commands.Select | mailbox_commands.Examine) -> Completed:
    """RFC 9051 §6.3.2, §6.3.3; RFC 7162 §3.1.8, §3.2.5."""
    if command.qresync is not None and not session.qresync:
        raise bad("ENABLE QRESYNC first.")  # RFC 7162 §3.2.5
    if session.view is not None:
        session.deselect()
        session.say(printing.condition("OK", "The previous mailbox is closed.", code="CLOSED"))
    box = session.mailboxes.get(command.mailbox)  # a failure leaves no mailbox selected (RFC 9051 §6.3.2)
    if command.condstore:
        enable_condstore(session)
    read_only = isinstance(command, mailbox_commands.Examine)
    # RFC 7162 §3.2.5.1: what the client knows is compared before anything else changes
    view = session.view = SelectedMailbox(box, read_only=read_only, wake=session.wake)
    _tell_state(session, view)
    if command.qresync is not None and command.qresync.uidvalidity == box.uid_validity:
        session.say(*_resynchronised(session, view, command.qresync))
    return Completed("", "READ-ONLY" if read_only else "READ-WRITE")


def _tell_state(session: ImapSession, view: SelectedMailbox) -> None:
    box = view.mailbox
    condition = printing.condition
    out = [*updates.flag_lists(view), b"* %d EXISTS\r\n" % len(view.known)]
    if not session.rev2:
        out.append(updates.recent_line(view))
        first_unseen = box.first_unseen
        number = first_unseen and view.number(first_unseen)
        if number and not session.uid_only:  # RFC 9586 §3.4: it is a message number
            out.append(condition("OK", "First unseen.", code=f"UNSEEN {number}"))
    out.append(condition("OK", "UIDs valid.", code=f"UIDVALIDITY {box.uid_validity}"))
    out.append(condition("OK", "Predicted next UID.", code=f"UIDNEXT {box.uid_next}"))
    if session.may("CONDSTORE", "QRESYNC"):
        out.append(highest_modseq(box.highest_modseq))
    if session.may("OBJECTID"):
        out.append(condition("OK", "Ok.", code=f"MAILBOXID ({box.mailbox_id})"))  # RFC 8474 §4.2
    if session.rev2:
        out.append(_list_line(session, box))
    session.say(*out)


def _list_line(session: ImapSession, box: Mailbox) -> bytes:
    """RFC 9051 §6.3.2: 'The server MUST return a LIST response with the mailbox name'."""
    name = printing.mailbox(box.name, utf8=session.utf8)
    return printing.untagged(b"LIST", b"()", b'"/"', name)


def _resynchronised(session: ImapSession, view: SelectedMailbox, asked: Qresync) -> Iterator[bytes]:
    """VANISHED (EARLIER) and FETCH for what changed since the client was here (RFC 7162 §3.2.5.2)."""
    box = view.mailbox
    since = asked.modseq
    runs = box.runs_expunged_since(since)
    # The history of expunges is exact, so that the sequence match data of the client is not needed.
    known = asked.known_uids.resolve(0) if asked.known_uids is not None else None
    if known is not None:
        runs = common(runs, known)
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
    yield from updates.flag_news(session, view, changed)


def close(session: ImapSession, command: commands.CloseCommand) -> Completed:
    """RFC 9051 §6.4.1: expunge without a word, unless read-only."""
    view = session.selected
    session.deselect()
    if not view.read_only and not view.lost:
        view.mailbox.expunge(view.mailbox.deleted_uids())
    return Completed()


def unselect(session: ImapSession, command: commands.Unselect) -> Completed:
    """RFC 9051 §6.4.2: as CLOSE, and nothing is expunged."""
    session.deselect()
    return Completed()
