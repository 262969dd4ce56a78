"""The sessions of those who read mail: made for a connection, with the host's accounts and faults behind them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from fakemail.engine.reading import Readers
from fakemail.engine.site import Site
from fakemail.imap import personality as imap
from fakemail.imap.session import Session as ImapSession
from fakemail.model.host import Host, Service
from fakemail.pop3 import capabilities as pop3
from fakemail.pop3.interference import Faulty
from fakemail.pop3.replies import Answer
from fakemail.pop3.session import Session as Pop3Session
from fakemail.record.events import Told
from fakemail.terms.reason import Reason
from fakemail.terms.stage import Stage
from fakemail.wire.connection import Connection
from fakemail.wire.seams import Core

Kind: TypeAlias = Callable[[Any, Site, Connection], Callable[..., Any]]
"""What makes the session of a connection, instead of the usual class (:func:`fakemail.engine.protocols.kind`)."""


def open_pop3(site: Site, connection: Connection, kind: Kind) -> Core:
    """A POP3 session."""
    append, host, number = site.log.append, site.host, connection.number

    def record(stage: Stage, line: str, answer: Answer, responses: int, octets: int) -> None:
        status, text, code, reason = answer
        append(Told, stage, host, number, "", line, status, code, text, responses, octets, reason)

    faulty = Faulty(site.running.faults, connection.peer, number)
    make = kind(Pop3Session, site, connection)
    session: Core = make(site.profile(pop3.Profile), Readers(site.running), record, faulty=faulty)
    return session


def open_imap(site: Site, connection: Connection, kind: Kind) -> Core:
    """An IMAP session."""
    append, host, number = site.log.append, site.host, connection.number

    def record(
        stage: Stage,
        line: str,
        status: str,
        code: str,
        text: str,
        responses: int,
        octets: int,
        reason: Reason | None,
    ) -> None:
        append(Told, stage, host, number, "", line, status, code, text, responses, octets, reason)

    session: Core = kind(ImapSession, site, connection)(
        site.profile(_imap_profile),
        Readers(site.running),
        record,
        connection.peer,
        faults=site.running.faults,
        connection=number,
    )
    return session


def _imap_profile(host: Host, service: Service) -> imap.Profile:
    return imap.Profile(host, service, imap.PERSONALITIES[host.personality.imap])
