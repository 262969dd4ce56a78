"""IMAP connections. All that is said is the session's business (:mod:`fakemail.imap.session`)."""

from __future__ import annotations

import asyncio
from typing import Protocol

from fakemail.imap.session import Session
from fakemail.wire.connection import Connection
from fakemail.wire.seams import Core, Site


class ImapSite(Site, Protocol):
    """A port that speaks IMAP."""

    def open(self, connection: ImapConnection) -> Core:
        """A session for a new connection."""
        ...


class ImapConnection(Connection):
    """One IMAP connection, which also carries what nobody asked for: news during IDLE and after NOTIFY."""

    def __init__(self, site: ImapSite) -> None:
        super().__init__(site)
        self._imap_site = site
        self._has_news = False

    def open_core(self) -> Core:
        """A session with the host's accounts behind it."""
        core = self._imap_site.open(self)
        if isinstance(core, Session):
            core.on_wake = self._wake
        return core

    def resume_writing(self) -> None:
        """The client reads again, and may hear what has happened meanwhile."""
        super().resume_writing()
        if self._has_news:
            self._tell_news()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone, and hears nothing more of any mailbox."""
        super().connection_lost(exc)
        if isinstance(self._core, Session):
            self._core.close()

    def _wake(self) -> None:
        # The mailbox is in the middle of telling everybody: take the turn after that.
        self._has_news = True
        asyncio.get_running_loop().call_soon(self._tell_news)

    def _tell_news(self) -> None:
        if self._has_news and not self._full and not self._ended and isinstance(self._core, Session):
            self._has_news = False
            self.send_unasked(self._core.poll)
