"""STARTTLS (RFC 9051 §6.2.1)."""

from __future__ import annotations

from fakemail.imap.command import BEFORE_LOGIN, Command
from fakemail.imap.context import ImapContext
from fakemail.imap.responses import Completed
from fakemail.types.stage import Stage


class StartTlsCommand(Command):
    """STARTTLS (RFC 9051 §6.2.1)."""

    name = "STARTTLS"
    stage = Stage.IMAP_STARTTLS
    states = BEFORE_LOGIN
    capabilities = ("STARTTLS",)

    def run(self, session: ImapContext) -> Completed:
        """Ask for the handshake; the session goes on in ``secured``."""
        session.wants_tls = True
        return Completed("Begin TLS negotiation now.")
