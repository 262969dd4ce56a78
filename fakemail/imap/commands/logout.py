"""LOGOUT and UNAUTHENTICATE (RFC 9051 §6.1.3, RFC 8437)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from fakemail.imap.command import ANY_STATE, AllowedUpdates, Command
from fakemail.imap.context import ImapContext, ImapState
from fakemail.imap.responses import Completed
from fakemail.imap.syntax import printing
from fakemail.types.stage import Stage


@dataclass(frozen=True, slots=True)
class Logout(Command):
    """LOGOUT (RFC 9051 §6.1.3)."""

    name: ClassVar[str] = "LOGOUT"
    stage: ClassVar[Stage] = Stage.IMAP_LOGOUT
    states: ClassVar[frozenset[ImapState]] = ANY_STATE
    updates: ClassVar[AllowedUpdates] = AllowedUpdates.NONE

    def run(self, session: ImapContext) -> Completed:
        """Say BYE; the connection is closed behind the tagged response."""
        session.say(printing.condition("BYE", "Logging out."))
        session.deselect()
        session.leaving = True
        return Completed()


@dataclass(frozen=True, slots=True)
class Unauthenticate(Command):
    """UNAUTHENTICATE (RFC 8437 §2)."""

    name: ClassVar[str] = "UNAUTHENTICATE"
    stage: ClassVar[Stage] = Stage.IMAP_UNAUTHENTICATE
    capabilities: ClassVar[tuple[str, ...]] = ("UNAUTHENTICATE",)
    updates: ClassVar[AllowedUpdates] = AllowedUpdates.NONE

    def run(self, session: ImapContext) -> Completed:
        """Go back to the not authenticated state on the same connection."""
        session.forget_login()
        return Completed()
