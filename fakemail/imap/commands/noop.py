"""NOOP and CHECK (RFC 9051 §6.1.2, RFC 3501 §6.4.1)."""

from __future__ import annotations

from fakemail.imap.command import ANY_STATE, SELECTED, Command
from fakemail.imap.context import ImapContext
from fakemail.imap.responses import Completed
from fakemail.types.stage import Stage


class Noop(Command):
    """NOOP (RFC 9051 §6.1.2)."""

    name = "NOOP"
    stage = Stage.IMAP_NOOP
    states = ANY_STATE

    def run(self, session: ImapContext) -> Completed:
        """Do nothing: updates are sent at the end of every command."""
        return Completed()


class CheckCommand(Command):
    """CHECK (RFC 3501 §6.4.1)."""

    name = "CHECK"
    stage = Stage.IMAP_CHECK
    states = SELECTED
    capabilities = ("IMAP4rev1",)

    def run(self, session: ImapContext) -> Completed:
        """Do nothing: a mailbox in memory has no housekeeping."""
        return Completed()
