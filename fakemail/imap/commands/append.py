"""APPEND, also of several messages, and REPLACE (RFC 9051 §6.3.12, RFC 3502, RFC 8508)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fakemail.imap import updates
from fakemail.imap.commands.sets import require_numbers
from fakemail.imap.responses import Completed, bad, no
from fakemail.imap.syntax import commands, mailbox_commands, printing
from fakemail.imap.syntax.sets import STAR, SequenceSet
from fakemail.message.headers import body_offset
from fakemail.store.mailbox import Mailbox
from fakemail.store.message import NewMessage, StoredMessage
from fakemail.types.reason import Reason

if TYPE_CHECKING:
    from fakemail.imap.session import ImapSession


def append(session: ImapSession, command: mailbox_commands.Append) -> Completed:
    """RFC 9051 §6.3.12; all messages or none (RFC 3502 §6.3.11)."""
    if len(command.messages) > 1 and not session.may("MULTIAPPEND"):
        raise bad("One message at a time: MULTIAPPEND is not offered.")
    box = session.mailboxes.get(command.mailbox)
    added = box.append_many([_new(session, message) for message in command.messages])
    return Completed("", _append_uid(session, box, added))


def _new(session: ImapSession, message: commands.AppendMessage) -> NewMessage:
    octets = message.octets
    if not octets:
        raise no(Reason.BAD_MESSAGE, "A message has octets.")  # other servers take it for a cancelled APPEND
    if not octets.isascii() and not message.utf8 and not session.utf8 and session.profile.imap.strict:
        start = body_offset(octets)
        if not octets[:start].isascii():
            # RFC 6855 §4: 8-bit headers need UTF8 (...)
            raise no(Reason.BAD_MESSAGE, "The header is not US-ASCII.")
    return NewMessage(octets, message.flags, message.date)


def _append_uid(session: ImapSession, box: Mailbox, added: Sequence[StoredMessage]) -> bytes | None:
    if not session.may("UIDPLUS", "IMAP4rev2") or not added:
        return None
    uids = printing.sequence_set([message.uid for message in added])
    return b"APPENDUID %d %b" % (box.uid_validity, uids)  # RFC 4315 §3


def replace(session: ImapSession, command: commands.Replace) -> Completed:
    """RFC 8508 §3: APPEND and EXPUNGE of the old one in one step, perhaps into another mailbox."""
    view = session.selected
    if not command.uid:
        require_numbers(session)
    if view.read_only:
        raise no(Reason.READ_ONLY, "The mailbox is selected read-only.", code="READ-ONLY")
    numbers = SequenceSet(((command.number, command.number),))
    chosen = view.resolve(numbers, uid=command.uid)
    if not chosen.messages:
        if chosen.missing:
            raise no(Reason.MESSAGE_GONE, "The message has been expunged.", code="EXPUNGEISSUED")
        if not command.uid and command.number != STAR:
            raise bad("There is no message of that number.")
        raise no(Reason.MESSAGE_GONE, "There is no such message.", code="NONEXISTENT")
    target = session.mailboxes.get(command.mailbox)
    uid = chosen.messages[-1][1].uid
    added = view.mailbox.replace(uid, _new(session, command.message), target)
    if added is None:
        raise no(Reason.MESSAGE_GONE, "The message has been expunged.", code="EXPUNGEISSUED")
    if code := _append_uid(session, target, [added]):
        # RFC 8508 §4.3: before EXPUNGE, so that the client knows the new one first
        session.say(printing.condition("OK", "Replacement message ready.", code=code))
    updates.tell(session, expunges=True)
    return Completed()
