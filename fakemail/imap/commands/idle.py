"""IDLE (RFC 2177)."""

from __future__ import annotations

from fakemail.imap.command import REV2, Command
from fakemail.imap.context import ImapContext
from fakemail.imap.responses import AwaitContinuation, Completed, bad
from fakemail.types.stage import Stage


class IdleCommand(Command):
    """IDLE. The line DONE that ends it is no command: the session takes it from the frame."""

    name = "IDLE"
    stage = Stage.IMAP_IDLE
    capabilities = ("IDLE", REV2)

    def run(self, session: ImapContext) -> AwaitContinuation:
        """Send updates as they come, until DONE (RFC 2177 §3)."""

        def on_line(line: str) -> Completed:
            session.idling = False
            if line.upper() != "DONE":
                raise bad("Expected DONE.")
            return Completed()

        session.idling = True
        return AwaitContinuation("idling", on_line)
