"""The sessions of those who read mail: made for a connection, with the host's accounts and faults behind them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from fakemail.events.kinds import CommandCompleted
from fakemail.imap import server_kinds as imap
from fakemail.imap.session import ImapSession
from fakemail.model.host import HostSpec, Service
from fakemail.pop3 import capabilities as pop3
from fakemail.pop3.fault_injector import ConnectionFaults
from fakemail.pop3.replies import Pop3Reply
from fakemail.pop3.session import Pop3Session
from fakemail.runtime.mailbox_access import MailboxBackend
from fakemail.runtime.service_port import ServicePort
from fakemail.types.reason import Reason
from fakemail.types.stage import Stage
from fakemail.wire.connection import Connection
from fakemail.wire.interfaces import ProtocolSession

Kind: TypeAlias = Callable[[Any, ServicePort, Connection], Callable[..., Any]]
"""What makes the session of a connection, instead of the usual class (:func:`fakemail.runtime.protocols.kind`)."""


def open_pop3(site: ServicePort, connection: Connection, kind: Kind) -> ProtocolSession:
    """A POP3 session."""
    append, host, number = site.log.append, site.host, connection.number

    def record(stage: Stage, line: str, answer: Pop3Reply, responses: int, octets: int) -> None:
        status, text, code, reason = answer
        append(
            CommandCompleted(
                stage=stage,
                host=host,
                connection=number,
                line=line,
                status=status,
                code=code,
                text=text,
                responses=responses,
                size=octets,
                reason=reason,
            )
        )

    faulty = ConnectionFaults(site.running.faults, connection.peer, number)
    make = kind(Pop3Session, site, connection)
    session: ProtocolSession = make(
        site.profile(pop3.Pop3Profile), MailboxBackend(site.running), record, faulty=faulty
    )
    return session


def open_imap(site: ServicePort, connection: Connection, kind: Kind) -> ProtocolSession:
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
        append(
            CommandCompleted(
                stage=stage,
                host=host,
                connection=number,
                line=line,
                status=status,
                code=code,
                text=text,
                responses=responses,
                size=octets,
                reason=reason,
            )
        )

    session: ProtocolSession = kind(ImapSession, site, connection)(
        site.profile(_imap_profile),
        MailboxBackend(site.running),
        record,
        connection.peer,
        faults=site.running.faults,
        connection=number,
    )
    return session


def _imap_profile(host: HostSpec, service: Service) -> imap.ImapProfile:
    return imap.ImapProfile(host, service, imap.PERSONALITIES[host.personality.imap])
