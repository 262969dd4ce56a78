"""How a session comes to be told of mod-sequences (RFC 7162 §3.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fakemail.imap.syntax import printing

if TYPE_CHECKING:
    from fakemail.imap.session import ImapSession


def enable_condstore(session: ImapSession) -> None:
    """The first command that shows that the client knows mod-sequences turns them on."""
    if session.condstore or "CONDSTORE" not in session.offered:
        return
    session.condstore = True
    if session.view is not None:
        # RFC 7162 §3.1.2.1: the client learns where it stands
        session.say(highest_modseq(session.view.mailbox.highest_modseq))


def highest_modseq(modseq: int) -> bytes:
    """``* OK [HIGHESTMODSEQ n]``."""
    return printing.condition("OK", "Highest.", code=f"HIGHESTMODSEQ {modseq}")
