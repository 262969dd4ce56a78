"""LOGOUT and UNAUTHENTICATE (RFC 9051 §6.1.3, RFC 8437)."""

from __future__ import annotations

from fakemail.imap.command import ANY_STATE, AllowedUpdates, Command
from fakemail.imap.context import ImapContext
from fakemail.imap.responses import Completed
from fakemail.imap.syntax import printing
from fakemail.types.stage import Stage


class Logout(Command):
    """LOGOUT (RFC 9051 §6.1.3)."""

    name = "LOGOUT"
    stage = Stage.IMAP_LOGOUT
    states = ANY_STATE
    updates = AllowedUpdates.NONE

    def run(self, session: ImapContext) -> Completed:
        """Say BYE; the connection is closed behind the tagged response."""
        session.say(printing.condition("BYE", "Logging out."))
        session.deselect()
        session.leaving = True
        return Completed()


class Unauthenticate(Command):
    """UNAUTHENTICATE (RFC 8437 §2)."""

    name = "UNAUTHENTICATE"
    stage = Stage.IMAP_UNAUTHENTICATE
    capabilities = ("UNAUTHENTICATE",)
    updates = AllowedUpdates.NONE

    def run(self, session: ImapContext) -> Completed:
        """Go back to the not authenticated state on the same connection."""
        session.forget_login()
        return Completed()
