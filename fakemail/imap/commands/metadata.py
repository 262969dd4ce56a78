"""GETMETADATA and SETMETADATA (RFC 5464): annotations of mailboxes and of the server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fakemail.imap.responses import Completed, no
from fakemail.imap.syntax import mailbox_commands, printing
from fakemail.store.errors import AnnotationTooLarge, LimitReached
from fakemail.types.reason import Reason

if TYPE_CHECKING:
    from fakemail.imap.session import ImapSession


_SPECIAL_USE: Final = "/private/specialuse"


def get_metadata(session: ImapSession, command: mailbox_commands.GetMetadata) -> Completed:
    """RFC 5464 §4.2."""
    account = session.mailboxes
    box = account.get(command.mailbox) if command.mailbox else None
    kept = account.metadata if box is None else box.metadata
    found: dict[str, bytes | None] = {}
    longest = 0
    for entry in command.entries:
        if command.depth == 0:
            values: dict[str, bytes | None] = {entry: kept.get(entry)}
            if box is not None and entry.lower() == _SPECIAL_USE and box.special_use:
                values[entry] = " ".join(sorted(box.special_use)).encode()
        else:
            values = {**kept.below(entry, command.depth)}
        for name, value in values.items():
            if value is not None and command.max_size is not None and len(value) > command.max_size:
                longest = max(longest, len(value))
            else:
                found[name] = value
    if found:
        mailbox = printing.mailbox(command.mailbox, utf8=session.utf8) if command.mailbox else b'""'
        words = [b"%b %b" % (printing.astring(entry), _value(value)) for entry, value in found.items()]
        session.say(printing.untagged(b"METADATA", mailbox, printing.parenthesised(words)))
    # RFC 5464 §4.2.1
    return Completed("", f"METADATA LONGENTRIES {longest}" if longest else None)


def _value(value: bytes | None) -> bytes:
    if value is not None and b"\0" in value:
        return printing.literal(value, binary=True)
    return printing.nstring(value)


def set_metadata(session: ImapSession, command: mailbox_commands.SetMetadata) -> Completed:
    """RFC 5464 §4.3."""
    entries = dict(command.entries)
    uses = next((name for name in entries if name.lower() == _SPECIAL_USE), None)
    try:
        if uses is not None and command.mailbox:  # RFC 6154 §4
            value = entries.pop(uses) or b""
            session.mailboxes.set_special_use(command.mailbox, value.decode("ascii", "replace").split())
        session.mailboxes.annotate(command.mailbox, entries)
    except AnnotationTooLarge as error:
        raise no(Reason.LIMIT_REACHED, str(error), code=f"METADATA MAXSIZE {error.limit}") from None
    except LimitReached as error:
        raise no(Reason.LIMIT_REACHED, str(error), code="METADATA TOOMANY") from None
    return Completed()
