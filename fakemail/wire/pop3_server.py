"""POP3 connections. All that is said is the session's business (:mod:`fakemail.pop3.session`)."""

from __future__ import annotations

from typing import Protocol

from fakemail.pop3.session import Pop3Session
from fakemail.wire.connection import Connection
from fakemail.wire.interfaces import Port, ProtocolSession


class Pop3Port(Port, Protocol):
    """A port that speaks POP3."""

    def open(self, connection: Pop3Connection) -> ProtocolSession:
        """A session for a new connection."""
        ...


class Pop3Connection(Connection):
    """One POP3 connection."""

    def __init__(self, site: Pop3Port) -> None:
        super().__init__(site)
        self._pop3_site = site

    def open_core(self) -> ProtocolSession:
        """A session with the host's accounts behind it."""
        return self._pop3_site.open(self)

    def core_ended(self, core: ProtocolSession) -> None:
        """The connection is gone, and the maildrop is free again; nothing is removed from it (RFC 1939 §6)."""
        if isinstance(core, Pop3Session):
            core.release()
