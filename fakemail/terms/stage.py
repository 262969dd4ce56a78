"""The one list of every point that can be watched, and later faulted.

The value is the name that transcripts, exports and configuration files use.
"""

from __future__ import annotations

from enum import Enum


class Stage(Enum):
    """A point on the way of a message, or of a connection, at which something can be seen or go wrong."""

    # Connections, whatever the protocol
    CONNECT = "connect"
    DISCONNECT = "disconnect"
    TLS_HANDSHAKE = "tls.handshake"

    # DNS
    DNS_QUERY = "dns.query"

    # SMTP: one for each command, and three for what has no command of its own
    SMTP_BANNER = "smtp.banner"
    SMTP_HELO = "smtp.helo"
    SMTP_STARTTLS = "smtp.starttls"
    SMTP_AUTH = "smtp.auth"
    SMTP_MAIL = "smtp.mail"
    SMTP_RCPT = "smtp.rcpt"
    SMTP_DATA = "smtp.data"
    """DATA, and its go-ahead (354)."""
    SMTP_BDAT = "smtp.bdat"
    SMTP_END = "smtp.end"
    """The end of the message, and the reply that takes or refuses responsibility for it."""
    SMTP_RSET = "smtp.rset"
    SMTP_NOOP = "smtp.noop"
    SMTP_VRFY = "smtp.vrfy"
    SMTP_EXPN = "smtp.expn"
    SMTP_HELP = "smtp.help"
    SMTP_QUIT = "smtp.quit"
    SMTP_UNKNOWN = "smtp.unknown"
    """Anything that is no command of this server."""

    # Mail transfer
    QUEUE = "queue"
    """A message was taken into a host's queue."""
    ROUTE = "route"
    """The next host for a recipient was looked up."""
    ATTEMPT = "attempt"
    """One host was tried for some recipients of a queued message."""
    DELIVER = "deliver"
    """A message was put into a mailbox."""

    def __str__(self) -> str:
        return self.value
