"""STARTTLS (RFC 9051 §6.2.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from fakemail.imap.command import BEFORE_LOGIN, Command
from fakemail.imap.context import ImapContext, ImapState
from fakemail.imap.responses import Completed
from fakemail.types.stage import Stage


@dataclass(frozen=True, slots=True)
class StartTlsCommand(Command):
    """STARTTLS (RFC 9051 §6.2.1)."""

    name: ClassVar[str] = "STARTTLS"
    stage: ClassVar[Stage] = Stage.IMAP_STARTTLS
    states: ClassVar[frozenset[ImapState]] = BEFORE_LOGIN
    capabilities: ClassVar[tuple[str, ...]] = ("STARTTLS",)

    def run(self, session: ImapContext) -> Completed:
        """Ask for the handshake; the session goes on in ``secured``."""
        session.wants_tls = True
        return Completed("Begin TLS negotiation now.")
