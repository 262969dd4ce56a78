"""Table of protocols: for each service its connections, and the function that opens a session for one.

A service that is not in the table can be described, but not run. A further protocol is one more row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

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
    HostSpec,
    Service,
)
from fakemail.mta.inbound.smtp_backend import SmtpBackend
from fakemail.protocol.recorder import recorder
from fakemail.protocol.session import ProtocolSession
from fakemail.runtime.service_port import ProtocolFactory, ServicePort
from fakemail.smtp.backend import Backend
from fakemail.smtp.extensions import SmtpProfile
from fakemail.smtp.session import SmtpSession
from fakemail.wire.connection import Connection
from fakemail.wire.smtp_server import HandlerBackend, SmtpConnection

if TYPE_CHECKING:
    from fakemail.grease import Grease
    from fakemail.imap.server_kinds import ImapProfile


def grease_of(port: ServicePort, connection: Connection) -> Grease | None:
    """The variations of a connection of the app, where the test wants any."""
    seed = port.running.grease_seed
    if seed is None or not connection.peer.is_app:
        return None
    from fakemail.grease import connection_grease

    return connection_grease(seed, connection.number)


def _open_smtp(port: ServicePort, connection: SmtpConnection) -> ProtocolSession:
    running, profile = port.running, port.profile(SmtpProfile)
    backend: Backend = SmtpBackend(running.inbound, running, profile, connection.peer, connection.number)
    if connection.handler is not None:
        backend = HandlerBackend(connection, backend)
    return SmtpSession(
        profile,
        backend,
        port.log.smtp_recorder(port.host, connection.number),
        connection.peer,
        faults=running.faults,
        connection=connection.number,
        grease=grease_of(port, connection),
    )


# Other sessions are loaded when the first of their clients comes.


def _open_imap(port: ServicePort, connection: Connection) -> ProtocolSession:
    from fakemail.imap.session import ImapSession

    return ImapSession(
        port.profile(_imap_profile),
        port.running.mailboxes,
        recorder(port.log, port.host, connection.number),
        connection.peer,
        faults=port.running.faults,
        connection=connection.number,
        grease=grease_of(port, connection),
    )


def _imap_profile(host: HostSpec, service: Service) -> ImapProfile:
    from fakemail.imap.server_kinds import SERVER_KINDS, ImapProfile

    return ImapProfile(host, service, SERVER_KINDS[host.options.imap])


def _open_pop3(port: ServicePort, connection: Connection) -> ProtocolSession:
    from fakemail.pop3.capabilities import Pop3Profile
    from fakemail.pop3.session import Pop3Session

    return Pop3Session(
        port.profile(Pop3Profile),
        port.running.mailboxes,
        recorder(port.log, port.host, connection.number),
        connection.peer,
        faults=port.running.faults,
        connection=connection.number,
        grease=grease_of(port, connection),
    )


def _open_https(port: ServicePort, connection: Connection) -> ProtocolSession:
    from fakemail.wire.https_server import NOT_FOUND, HttpSession

    documents = port.running.documents
    return HttpSession(
        lambda path: documents.get(path, NOT_FOUND),
        recorder(port.log, port.host, connection.number),
        connection.peer,
        faults=port.running.faults,
        connection=connection.number,
    )


_SMTP: Final = ProtocolFactory(SmtpConnection, _open_smtp)
_POP3: Final = ProtocolFactory(Connection, _open_pop3)
_IMAP: Final = ProtocolFactory(Connection, _open_imap)

PROTOCOLS: Final = {
    SMTP.name: _SMTP,
    SUBMISSION.name: _SMTP,
    SUBMISSIONS.name: _SMTP,
    **{service.name: _SMTP for service in LOCAL},
    IMAP.name: _IMAP,
    IMAPS.name: _IMAP,
    POP3.name: _POP3,
    POP3S.name: _POP3,
    HTTPS.name: ProtocolFactory(Connection, _open_https),
}
READABLE: Final = tuple(service for service in READING if service.name in PROTOCOLS)
"""Services that the host of a domain's mailboxes has by default."""
