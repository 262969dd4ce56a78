"""GETMETADATA and SETMETADATA (RFC 5464): annotations of mailboxes and of the server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fakemail.imap.responses import Done, no
from fakemail.imap.syntax import mailbox_commands, printing
from fakemail.store.errors import AnnotationTooLarge, LimitReached
from fakemail.terms.reason import Reason

if TYPE_CHECKING:
    from fakemail.imap.session import Session


def get_metadata(session: Session, command: mailbox_commands.GetMetadata) -> Done:
    """RFC 5464 §4.2."""
    account = session.mailboxes
    kept = account.get(command.mailbox).metadata if command.mailbox else account.metadata
    found: dict[str, bytes | None] = {}
    longest = 0
    for entry in command.entries:
        if command.depth == 0:
            values: dict[str, bytes | None] = {entry: kept.get(entry)}
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
    return Done("", f"METADATA LONGENTRIES {longest}" if longest else None)


def _value(value: bytes | None) -> bytes:
    if value is not None and b"\0" in value:
        return printing.literal(value, binary=True)
    return printing.nstring(value)


def set_metadata(session: Session, command: mailbox_commands.SetMetadata) -> Done:
    """RFC 5464 §4.3."""
    try:
        session.mailboxes.annotate(command.mailbox, dict(command.entries))
    except AnnotationTooLarge as error:
        raise no(Reason.LIMIT_REACHED, str(error), code=f"METADATA MAXSIZE {error.limit}") from None
    except LimitReached as error:
        raise no(Reason.LIMIT_REACHED, str(error), code="METADATA TOOMANY") from None
    return Done()
