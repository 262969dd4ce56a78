"""SETACL, DELETEACL, GETACL, LISTRIGHTS and MYRIGHTS (RFC 4314), where each mailbox has one owner."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fakemail.imap.responses import Completed, bad
from fakemail.imap.syntax import mailbox_commands, printing
from fakemail.store.rights import OWNER_RIGHTS, VIRTUAL_RIGHTS, in_order

if TYPE_CHECKING:
    from fakemail.imap.session import ImapSession

_MINE = in_order(frozenset(OWNER_RIGHTS)).encode()


def get_acl(session: ImapSession, command: mailbox_commands.GetAcl) -> Completed:
    """RFC 4314 §3.3."""
    words = [b"ACL", printing.mailbox(session.mailboxes.get(command.mailbox).name, utf8=session.utf8)]
    for identifier, rights in session.mailboxes.acl(command.mailbox).items():
        words += [printing.astring(identifier, utf8=session.utf8), rights.encode()]
    session.say(printing.untagged(*words))
    return Completed()


def set_acl(session: ImapSession, command: mailbox_commands.SetAcl) -> Completed:
    """RFC 4314 §3.1."""
    if unknown := set(command.rights) - set(OWNER_RIGHTS + VIRTUAL_RIGHTS):
        raise bad(f"There is no right {''.join(sorted(unknown))}.")  # RFC 4314 §3.1
    session.mailboxes.set_acl(command.mailbox, command.identifier, command.rights, action=command.change)
    return Completed()


def delete_acl(session: ImapSession, command: mailbox_commands.DeleteAcl) -> Completed:
    """RFC 4314 §3.2."""
    session.mailboxes.set_acl(command.mailbox, command.identifier, "")
    return Completed()


def list_rights(session: ImapSession, command: mailbox_commands.ListRights) -> Completed:
    """RFC 4314 §3.4: the owner has all, to others each right can be given alone."""
    box = session.mailboxes.get(command.mailbox)
    words = [
        b"LISTRIGHTS",
        printing.mailbox(box.name, utf8=session.utf8),
        printing.astring(command.identifier, utf8=session.utf8),
    ]
    if command.identifier == session.mailboxes.owner:
        words.append(_MINE)
    else:
        words += [b'""', *[letter.encode() for letter in OWNER_RIGHTS + VIRTUAL_RIGHTS]]
    session.say(printing.untagged(*words))
    return Completed()


def my_rights(session: ImapSession, command: mailbox_commands.MyRights) -> Completed:
    """RFC 4314 §3.5."""
    box = session.mailboxes.get(command.mailbox)
    session.say(printing.untagged(b"MYRIGHTS", printing.mailbox(box.name, utf8=session.utf8), _MINE))
    return Completed()
