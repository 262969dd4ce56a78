"""The table of protocols: for each service the connection that carries it and the session that speaks it.

A service that is not in the table can be described, but not run. A further protocol is one more row.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from fakemail.events.kinds import CommandCompleted
from fakemail.faults.actions.action import FaultAction
from fakemail.faults.context import FaultContext
from fakemail.model.host import (
    HTTPS,
    IMAP,
    IMAPS,
    LOCAL,
    POP3,
    POP3S,
    READING,
    SMTP,
    SUBMISSION,
    SUBMISSIONS,
)
from fakemail.mta.inbound.smtp_backend import SmtpBackend
from fakemail.runtime.service_port import ProtocolFactory, ServicePort
from fakemail.smtp import extensions as smtp
from fakemail.smtp.session import SmtpSession
from fakemail.types.stage import Stage
from fakemail.wire.connection import Connection
from fakemail.wire.interfaces import ProtocolSession
from fakemail.wire.smtp_server import SmtpConnection

_S = TypeVar("_S")


def kind(usual: type[_S], site: ServicePort, connection: Connection) -> Callable[..., _S]:
    """What makes the session of a connection: the usual one, or one as another server may speak."""
    internet = site.running.internet
    if not internet.grease or not connection.peer.is_app:
        return usual
    from fakemail.runtime.greased_sessions import varied

    return varied(usual, internet.random.seed, connection.number)


def _open_smtp(site: ServicePort, connection: SmtpConnection) -> ProtocolSession:
    record = site.log.exchanges(site.host, connection.number)
    profile = site.profile(smtp.SmtpProfile)
    decisions = SmtpBackend(
        site.running, profile, connection.peer, connection.number, answer=connection.answer
    )
    backend = connection.backend(decisions)
    return kind(SmtpSession, site, connection)(
        profile,
        backend,
        record,
        connection.peer,
        faults=site.running.faults,
        connection=connection.number,
    )


def _open_https(site: ServicePort, connection: Connection) -> ProtocolSession:
    from fakemail.wire.https_server import NOT_FOUND, HttpSession

    append, host, number = site.log.append, site.host, connection.number

    def record(line: str, status: int, phrase: str, octets: int) -> None:
        append(
            CommandCompleted(
                stage=Stage.HTTP_REQUEST,
                host=host,
                connection=number,
                line=line,
                status=str(status),
                code="",
                text=phrase,
                responses=0,
                size=octets,
                reason=None,
            )
        )

    documents, faults = site.running.documents, site.running.faults

    def decide(target: str) -> FaultAction | None:
        if not faults.active:
            return None
        facts = FaultContext(client=connection.peer, connection=number, service=site.service, argument=target)
        return faults.decide(Stage.HTTP_REQUEST, facts)

    return HttpSession(lambda path: documents.get(path, NOT_FOUND), record, decide)


def _connect_https(site: ServicePort) -> Connection:
    from fakemail.wire.https_server import HttpsConnection  # h11 is loaded for those who serve HTTPS only

    return HttpsConnection(site)


# What is for those only who read mail is loaded when the first of them comes.


def _connect_imap(site: ServicePort) -> Connection:
    from fakemail.wire.imap_server import ImapConnection

    return ImapConnection(site)


def _open_imap(site: ServicePort, connection: Connection) -> ProtocolSession:
    from fakemail.runtime.mailbox_sessions import open_imap

    return open_imap(site, connection, kind)


def _connect_pop3(site: ServicePort) -> Connection:
    from fakemail.wire.pop3_server import Pop3Connection

    return Pop3Connection(site)


def _open_pop3(site: ServicePort, connection: Connection) -> ProtocolSession:
    from fakemail.runtime.mailbox_sessions import open_pop3

    return open_pop3(site, connection, kind)


_SMTP: Final = ProtocolFactory(SmtpConnection, _open_smtp)
_POP3: Final = ProtocolFactory(_connect_pop3, _open_pop3)
_IMAP: Final = ProtocolFactory(_connect_imap, _open_imap)

PROTOCOLS: Final = {
    SMTP.name: _SMTP,
    SUBMISSION.name: _SMTP,
    SUBMISSIONS.name: _SMTP,
    **{service.name: _SMTP for service in LOCAL},
    IMAP.name: _IMAP,
    IMAPS.name: _IMAP,
    POP3.name: _POP3,
    POP3S.name: _POP3,
    HTTPS.name: ProtocolFactory(_connect_https, _open_https),
}
READABLE: Final = tuple(service for service in READING if service.name in PROTOCOLS)
"""The services that the host where a domain's accounts read their mail has without being asked."""
