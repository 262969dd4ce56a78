"""What a session tells without being asked: untagged data about the selected mailbox that has changed.

When it may be told is known to the session; here is how, and in which order (RFC 9051 §7.4.1, §7.5).
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import TYPE_CHECKING

from fakemail.imap.commands.condstore import highest_modseq
from fakemail.imap.syntax import printing
from fakemail.store.message import SYSTEM_FLAGS, StoredMessage

if TYPE_CHECKING:
    from fakemail.imap.selected_mailbox import SelectedMailbox
    from fakemail.imap.session import ImapSession


class AllowedUpdates(Enum):
    """What may be told at the end of a command."""

    ALL = "all"
    NO_EXPUNGE = "no expunge"
    """Numbers must stay: FETCH, STORE and SEARCH (RFC 9051 §7.5.1)."""
    NONE = "none"


def tell(session: ImapSession, *, expunges: bool) -> None:
    """Say all that has happened in the selected mailbox, without what must wait."""
    view = session.view
    if view is None:
        return
    if view.lost:
        # RFC 2180 §3.3: the others are sent away
        session.bye(view.lost)
        return
    tell_keywords(session, view)
    if not view.has_news:
        return
    if view.expunged and (expunges or session.uid_only):
        _tell_expunged(session, view)
    if view.arrived:
        _tell_arrived(session, view)
    elif not session.rev2 and view.recent.count(view.known) != view.told_recent:
        session.say(recent_line(view))
    if view.changed:
        _tell_flags(session, view)
    if session.qresync:
        _tell_highest(session, view)


def tell_keywords(session: ImapSession, view: SelectedMailbox) -> None:
    """FLAGS and PERMANENTFLAGS again, when there are new keywords."""
    if len(view.mailbox.keywords) != view.told_keywords:
        session.say(*flag_lists(view))


def flag_lists(view: SelectedMailbox) -> tuple[bytes, bytes]:
    """The FLAGS response and the code PERMANENTFLAGS (RFC 9051 §7.3.5, §7.1)."""
    keywords = view.mailbox.keywords
    view.told_keywords = len(keywords)
    flags = (*SYSTEM_FLAGS, *keywords)
    permanent = () if view.read_only else (*flags, "\\*")
    told = "Read-only mailbox." if view.read_only else "Flags permitted."
    return (
        printing.untagged(b"FLAGS", printing.flag_list(flags)),
        printing.condition("OK", told, code=b"PERMANENTFLAGS " + printing.flag_list(permanent)),
    )


def recent_line(view: SelectedMailbox) -> bytes:
    """The RECENT response (RFC 3501 §7.3.2)."""
    view.told_recent = view.recent.count(view.known)
    return b"* %d RECENT\r\n" % view.told_recent


def _tell_expunged(session: ImapSession, view: SelectedMailbox) -> None:
    uids, numbers = view.tell_gone()
    if session.says_vanished:
        # RFC 7162 §3.2.10, RFC 9586 §3.3
        session.say(printing.untagged(b"VANISHED", printing.sequence_set(uids)))
    else:
        session.say(*[b"* %d EXPUNGE\r\n" % number for number in numbers])


def _tell_arrived(session: ImapSession, view: SelectedMailbox) -> None:
    """EXISTS, and RECENT for a client of IMAP4rev1."""
    new = view.tell_arrived()
    session.say(b"* %d EXISTS\r\n" % len(view.known))
    if not session.rev2:
        session.say(recent_line(view))
    if session.notifications is not None:
        session.notifications.tell_new(view, new)


def _tell_flags(session: ImapSession, view: SelectedMailbox) -> None:
    changed = view.mailbox.find(sorted(view.changed))
    view.changed.clear()
    if session.notifications is not None and not session.notifications.tells_flags:
        return
    session.say(*flag_news(session, view, changed))


def _tell_highest(session: ImapSession, view: SelectedMailbox) -> None:
    """Hold the client's HIGHESTMODSEQ back while expunges wait whose mod-sequence others have passed.

    RFC 7162 §3.2: "the server MUST send the HIGHESTMODSEQ response code with a lower value than the EXPUNGE's".
    """
    highest = view.mailbox.highest_modseq
    if view.expunged:
        if highest > view.expunged_at:
            session.say(highest_modseq(view.expunged_at - 1))
            view.is_held_back = True
    elif view.is_held_back:
        session.say(highest_modseq(highest))
        view.is_held_back = False


def flag_news(session: ImapSession, view: SelectedMailbox, messages: Iterable[StoredMessage]) -> list[bytes]:
    """A FETCH response for each message whose flags are new."""
    with_recent = not session.rev2
    # RFC 7162 §3.1, §3.2.4: MODSEQ and the UID; RFC 9051 §7.5.2: the UID is wanted.
    with_uid = session.tells_modseq_and_uid or session.rev2
    lines: list[bytes] = []
    for number, message in view.numbered(messages):
        data = b"FLAGS " + view.flag_text(message, with_recent=with_recent)
        if session.condstore:
            data += b" MODSEQ (%d)" % message.modseq
        if session.uid_only:
            lines.append(b"* %d UIDFETCH (%b)\r\n" % (message.uid, data))
        elif with_uid:
            lines.append(b"* %d FETCH (UID %d %b)\r\n" % (number, message.uid, data))
        else:
            lines.append(b"* %d FETCH (%b)\r\n" % (number, data))
    return lines
