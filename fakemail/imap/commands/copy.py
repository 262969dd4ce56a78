"""COPY, MOVE and EXPUNGE (RFC 9051 §6.4.3, §6.4.7, §6.4.8; RFC 4315)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fakemail.imap import updates
from fakemail.imap.commands.sets import EXPUNGED, choose
from fakemail.imap.responses import Completed, no
from fakemail.imap.selected_mailbox import SelectedMailbox
from fakemail.imap.syntax import commands, printing
from fakemail.store.mailbox import Mailbox
from fakemail.types.reason import Reason

if TYPE_CHECKING:
    from fakemail.imap.session import ImapSession


def copy(session: ImapSession, command: commands.Copy) -> Completed:
    """RFC 9051 §6.4.7: all or none."""
    view = session.selected
    chosen = choose(session, command.numbers, uid=command.uid)
    target = session.mailboxes.get(command.mailbox)
    if chosen.missing and not command.uid:
        return EXPUNGED
    if not chosen.messages:
        return Completed("No messages found.")
    return Completed("", _copy_uid(session, target, view.mailbox.copy_to(target, chosen.uids)))


def move(session: ImapSession, command: commands.Move) -> Completed:
    """RFC 9051 §6.4.8, RFC 6851: COPYUID goes before the EXPUNGE responses."""
    view = session.selected
    chosen = choose(session, command.numbers, uid=command.uid)
    _require_writable(view)
    target = session.mailboxes.get(command.mailbox)
    if chosen.missing and not command.uid:
        return EXPUNGED
    if not chosen.messages:
        return Completed("No messages found.")
    code = _copy_uid(session, target, view.mailbox.move_to(target, chosen.uids))
    if code is not None:
        session.say(printing.condition("OK", "Moved.", code=code))
    return _with_modseq(session, view)


def expunge(session: ImapSession, command: commands.Expunge) -> Completed:
    """RFC 9051 §6.4.3, and UID EXPUNGE of RFC 4315 §2.1; only messages that the client knows."""
    view = session.selected
    _require_writable(view)
    box = view.mailbox
    if command.uids is not None:
        doomed = box.deleted_uids(view.resolve(command.uids, uid=True).uids)
    else:
        doomed = box.deleted_uids(view.known if view.arrived else None)
    if not box.expunge(doomed):
        return Completed()
    return _with_modseq(session, view)


def _with_modseq(session: ImapSession, view: SelectedMailbox) -> Completed:
    updates.tell(
        session, expunges=True
    )  # also after NOTIFY without the selected mailbox: the client asked for it
    if not session.qresync:
        return Completed()
    return Completed("", f"HIGHESTMODSEQ {view.mailbox.highest_modseq}")  # RFC 7162 §3.2.7, §3.2.8


def _require_writable(view: SelectedMailbox) -> None:
    if view.read_only:
        raise no(Reason.READ_ONLY, "The mailbox is selected read-only.", code="READ-ONLY")


def _copy_uid(session: ImapSession, target: Mailbox, pairs: list[tuple[int, int]]) -> bytes | None:
    if not pairs or not session.may("UIDPLUS", "IMAP4rev2"):
        return None
    sources = printing.sequence_set([source for source, _ in pairs])
    targets = printing.sequence_set([uid for _, uid in pairs])
    return b"COPYUID %d %b %b" % (target.uid_validity, sources, targets)
