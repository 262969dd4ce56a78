"""STORE: flags, conditionally if wanted, and labels of a Gmail-like server (RFC 9051 §6.4.6, RFC 7162 §3.1.3)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from fakemail.imap import gmail, updates
from fakemail.imap.commands.condstore import enable_condstore
from fakemail.imap.commands.sets import EXPUNGED, choose
from fakemail.imap.responses import Completed, bad, no
from fakemail.imap.selected_mailbox import SelectedMailbox
from fakemail.imap.syntax import commands, printing
from fakemail.imap.syntax.commands import StoreAction
from fakemail.store.mailbox import StoreResult
from fakemail.store.message import SYSTEM_FLAGS, FlagAction, StoredMessage
from fakemail.types.reason import Reason

if TYPE_CHECKING:
    from fakemail.imap.session import ImapSession

_ACTIONS: Final = {
    StoreAction.REPLACE: FlagAction.REPLACE,
    StoreAction.ADD: FlagAction.ADD,
    StoreAction.REMOVE: FlagAction.REMOVE,
}


def store(session: ImapSession, command: commands.Store) -> Completed:
    """RFC 9051 §6.4.6."""
    view = session.selected
    chosen = choose(session, command.numbers, uid=command.uid)
    if view.read_only:
        raise no(Reason.READ_ONLY, "The mailbox is selected read-only.", code="READ-ONLY")
    action = _ACTIONS[command.action]
    if command.labels:
        gmail.store_labels(session.mailboxes, view.mailbox, chosen.uids, action, command.flags)
        if not command.silent:
            session.say(*_label_lines(session, view, chosen.uids, uid=command.uid))
        return Completed()
    _check_flags(command.flags)
    if command.unchanged_since is not None:
        enable_condstore(session)
    view.quiet = True
    try:
        result = view.mailbox.store(
            chosen.uids, action, command.flags, unchanged_since=command.unchanged_since
        )
    finally:
        view.quiet = False
    updates.tell_keywords(session, view)
    _tell(session, view, command, result)
    if result.failed:
        numbers = result.failed if command.uid else [view.number(uid) or 0 for uid in result.failed]
        code = b"MODIFIED " + printing.sequence_set(numbers)  # RFC 7162 §3.1.3
        if chosen.missing and not command.uid:
            return Completed("Some messages changed, and some are gone.", code, "NO", Reason.MESSAGE_GONE)
        return Completed("Conditional STORE failed.", code)
    if chosen.missing and not chosen.messages and not command.uid:
        return EXPUNGED  # nothing was stored; with others in the set, all that could be was (RFC 2180 §4.2.1)
    return Completed()


def _check_flags(flags: Iterable[str]) -> None:
    for flag in flags:
        if flag.startswith("\\") and flag not in SYSTEM_FLAGS and flag.lower() != "\\recent":
            raise bad(f"{flag[:40]} is no flag of this server.")


def _tell(session: ImapSession, view: SelectedMailbox, command: commands.Store, result: StoreResult) -> None:
    told = sorted([*result.changed, *result.same], key=lambda message: message.uid)
    failed = view.mailbox.find(result.failed)
    if not command.silent:
        view.changed.difference_update([message.uid for message in told])
        session.say(*_lines(session, view, told, with_flags=True, uid=command.uid))
    elif session.condstore:
        # RFC 7162 §3.1.3: the mod-sequence is told even then
        session.say(*_lines(session, view, result.changed, with_flags=False, uid=command.uid))
    # So that the client sees what came between
    view.changed.difference_update(result.failed)
    session.say(*_lines(session, view, failed, with_flags=True, uid=command.uid))


def _lines(
    session: ImapSession,
    view: SelectedMailbox,
    messages: Iterable[StoredMessage],
    *,
    with_flags: bool,
    uid: bool,
) -> list[bytes]:
    with_recent, condstore = not session.rev2, session.condstore
    uid = (uid or session.tells_modseq_and_uid) and not session.uid_only
    lines = []
    for number, message in view.numbered(messages):
        words = []
        if uid:
            words.append(b"UID %d" % message.uid)
        if with_flags:
            words.append(b"FLAGS " + view.flag_text(message, with_recent=with_recent))
        if condstore:
            words.append(b"MODSEQ (%d)" % message.modseq)
        lines.append(_line(session, number, message, b" ".join(words)))
    return lines


def _line(session: ImapSession, number: int, message: StoredMessage, data: bytes) -> bytes:
    if session.uid_only:
        return b"* %d UIDFETCH (%b)\r\n" % (message.uid, data)
    return b"* %d FETCH (%b)\r\n" % (number, data)


def _label_lines(session: ImapSession, view: SelectedMailbox, uids: list[int], *, uid: bool) -> list[bytes]:
    lines = []
    for number, message in view.numbered(view.mailbox.find(uids)):
        labels = gmail.label_list(session.mailboxes, view.mailbox, message, session.utf8)
        data = b"X-GM-LABELS " + labels
        if uid:
            data = b"UID %d %b" % (message.uid, data)
        lines.append(_line(session, number, message, data))
    return lines
