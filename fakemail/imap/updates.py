"""Untagged data about the selected mailbox that has changed (RFC 9051 §7.4.1, §7.5).

The session decides when it may be sent; here is the form and the order.
"""

from __future__ import annotations

from collections.abc import Sequence

from fakemail.imap.context import ImapContext
from fakemail.imap.fetch_responses import fetch_lines, flag_lines, recent_line, send_keywords
from fakemail.imap.selected_mailbox import SelectedMailbox
from fakemail.imap.syntax import printing
from fakemail.imap.syntax.fetch_items import FetchData
from fakemail.store.message import StoredMessage


def send_updates(session: ImapContext, *, expunges: bool) -> None:
    """Say all that has happened in the selected mailbox, without what must wait."""
    view = session.view
    if view is None:
        return
    if view.lost:
        # RFC 2180 §3.3: the others are sent away
        session.bye(view.lost)
        return
    send_keywords(session, view)
    if not view.has_updates:
        return
    if view.expunged and (expunges or session.uid_only):
        _send_expunged(session, view)
    if view.arrived:
        _send_arrived(session, view)
    elif not session.rev2 and view.recent.count(view.known) != view.sent_recent:
        session.say(recent_line(view))
    if view.changed:
        _send_flags(session, view)
    if session.qresync:
        _send_highest(session, view)


def _send_expunged(session: ImapContext, view: SelectedMailbox) -> None:
    uids, numbers = view.take_expunged()
    if session.sends_vanished:
        # RFC 7162 §3.2.10, RFC 9586 §3.3
        session.say(printing.untagged(b"VANISHED", printing.sequence_set(uids)))
    else:
        session.say(*[b"* %d EXPUNGE\r\n" % number for number in numbers])


def _send_arrived(session: ImapContext, view: SelectedMailbox) -> None:
    """EXISTS, and RECENT for a client of IMAP4rev1."""
    new = view.take_arrived()
    session.say(b"* %d EXISTS\r\n" % len(view.known))
    if not session.rev2:
        session.say(recent_line(view))
    if session.notifications is not None:
        _send_new(session, view, new)


def _send_flags(session: ImapContext, view: SelectedMailbox) -> None:
    changed = view.mailbox.find(sorted(view.changed))
    view.changed.clear()
    if session.notifications is not None and not session.notifications.wants_flags:
        return
    session.say(*flag_lines(session, view, changed))


def _send_highest(session: ImapContext, view: SelectedMailbox) -> None:
    """Hold the client's HIGHESTMODSEQ back while expunges wait whose mod-sequence others have passed.

    RFC 7162 §3.2: "the server MUST send the HIGHESTMODSEQ response code with a lower value than the EXPUNGE's".
    """
    highest = view.mailbox.highest_modseq
    if view.expunged:
        if highest > view.expunged_at:
            session.say(printing.highest_modseq(view.expunged_at - 1))
            view.is_held_back = True
    elif view.is_held_back:
        session.say(printing.highest_modseq(highest))
        view.is_held_back = False


def _send_new(session: ImapContext, view: SelectedMailbox, messages: Sequence[StoredMessage]) -> None:
    """Send the items of new messages that NOTIFY asked for (RFC 5465 §5.2)."""
    group = None if session.notifications is None else session.notifications.selected
    if group is None or not group.fetch or not messages:
        return
    items = list(group.fetch)
    if FetchData.UID not in items:
        items.insert(0, FetchData.UID)
    for batch in fetch_lines(session, view, view.numbered(messages), items):
        session.say(*batch)
