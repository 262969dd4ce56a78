"""SELECT, EXAMINE, CLOSE and UNSELECT, with the parameters CONDSTORE and QRESYNC."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from typing import TYPE_CHECKING

from fakemail.imap import news
from fakemail.imap.commands.condstore import enable_condstore, highest_modseq
from fakemail.imap.commands.sets import common
from fakemail.imap.responses import Done, bad
from fakemail.imap.syntax import commands, mailbox_commands, printing
from fakemail.imap.syntax.mailbox_commands import Qresync
from fakemail.imap.view import View
from fakemail.store.mailbox import Mailbox

if TYPE_CHECKING:
    from fakemail.imap.session import Session


def select(session: Session, command: mailbox_commands.Select | mailbox_commands.Examine) -> Done:
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
    view = session.view = View(box, read_only=read_only, wake=session.wake)
    _tell_state(session, view)
    if command.qresync is not None and command.qresync.uidvalidity == box.uid_validity:
        session.say(*_resynchronised(session, view, command.qresync))
    return Done("", "READ-ONLY" if read_only else "READ-WRITE")


def _tell_state(session: Session, view: View) -> None:
    box = view.mailbox
    condition = printing.condition
    out = [*news.flag_lists(view), b"* %d EXISTS\r\n" % len(view.known)]
    if not session.rev2:
        out.append(news.recent_line(view))
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


def _list_line(session: Session, box: Mailbox) -> bytes:
    """RFC 9051 §6.3.2: 'The server MUST return a LIST response with the mailbox name'."""
    name = printing.mailbox(box.name, utf8=session.utf8)
    return printing.untagged(b"LIST", b"()", b'"/"', name)


def _resynchronised(session: Session, view: View, asked: Qresync) -> Iterator[bytes]:
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
    yield from news.flag_news(session, view, changed)


def close(session: Session, command: commands.Close) -> Done:
    """RFC 9051 §6.4.1: expunge without a word, unless read-only."""
    view = session.selected
    session.deselect()
    if not view.read_only and not view.lost:
        view.mailbox.expunge(view.mailbox.deleted_uids())
    return Done()


def unselect(session: Session, command: commands.Unselect) -> Done:
    """RFC 9051 §6.4.2: as CLOSE, and nothing is expunged."""
    session.deselect()
    return Done()
