"""IMAP connections. All that is said is the session's business (:mod:`fakemail.imap.session`)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

from fakemail.imap.session import ImapSession
from fakemail.wire.connection import Connection
from fakemail.wire.interfaces import Port, ProtocolSession

_PAUSE: Final = 0.01
"""Real seconds between ``+ idling`` and what is pending then, so that the client can take the one before the other
comes: imaplib reads lines through a buffer, and IMAPClient and imap-tools wait at the socket below it, where they do
not see what lies in the buffer already."""


class ImapPort(Port, Protocol):
    """A port that speaks IMAP."""

    def open(self, connection: ImapConnection) -> ProtocolSession:
        """A session for a new connection."""
        ...


class ImapConnection(Connection):
    """One IMAP connection, which also carries what nobody asked for: news during IDLE and after NOTIFY."""

    def __init__(self, site: ImapPort) -> None:
        super().__init__(site)
        self._imap_site = site
        self._has_news = False

    def open_core(self) -> ProtocolSession:
        """A session with the host's accounts behind it."""
        core = self._imap_site.open(self)
        if isinstance(core, ImapSession):
            core.on_wake = self._wake
        return core

    def go_on_soon(self, go_on: Callable[[], None]) -> None:
        """Let others have their turn; at the beginning of IDLE the client too."""
        if isinstance(self._core, ImapSession) and self._core.idling:
            asyncio.get_running_loop().call_later(_PAUSE, go_on)
        else:
            super().go_on_soon(go_on)

    def resume_writing(self) -> None:
        """The client reads again, and may hear what has happened meanwhile."""
        super().resume_writing()
        if self._has_news:
            self._tell_news()

    def core_ended(self, core: ProtocolSession) -> None:
        """The connection is gone, and hears nothing more of any mailbox."""
        if isinstance(core, ImapSession):
            core.close()

    def _wake(self) -> None:
        # The mailbox is in the middle of telling everybody: take the turn after that.
        self._has_news = True
        asyncio.get_running_loop().call_soon(self._tell_news)

    def _tell_news(self) -> None:
        if self._has_news and not self._full and not self._ended and isinstance(self._core, ImapSession):
            self._has_news = False
            self.send_unasked(self._core.poll)
