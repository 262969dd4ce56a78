"""NOOP and CHECK (RFC 9051 §6.1.2, RFC 3501 §6.4.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from fakemail.imap.command import ANY_STATE, SELECTED, Command
from fakemail.imap.context import ImapContext, ImapState
from fakemail.imap.responses import Completed
from fakemail.types.stage import Stage


@dataclass(frozen=True, slots=True)
class Noop(Command):
    """NOOP (RFC 9051 §6.1.2)."""

    name: ClassVar[str] = "NOOP"
    stage: ClassVar[Stage] = Stage.IMAP_NOOP
    states: ClassVar[frozenset[ImapState]] = ANY_STATE

    def run(self, session: ImapContext) -> Completed:
        """Do nothing: updates are sent at the end of every command."""
        return Completed()


@dataclass(frozen=True, slots=True)
class CheckCommand(Command):
    """CHECK (RFC 3501 §6.4.1)."""

    name: ClassVar[str] = "CHECK"
    stage: ClassVar[Stage] = Stage.IMAP_CHECK
    states: ClassVar[frozenset[ImapState]] = SELECTED
    capabilities: ClassVar[tuple[str, ...]] = ("IMAP4rev1",)

    def run(self, session: ImapContext) -> Completed:
        """Do nothing: a mailbox in memory has no housekeeping."""
        return Completed()
