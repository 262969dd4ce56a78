"""The one list of every point that can be watched, and later faulted.

The value is the name that transcripts, exports and configuration files use.
"""

from __future__ import annotations

from enum import Enum

from fakemail.terms.suggestions import SuggestsMembers


class Stage(Enum, metaclass=SuggestsMembers):
    """A point on the way of a message, or of a connection, at which something can be seen or go wrong."""

    # Connections, whatever the protocol
    CONNECT = "connect"
    DISCONNECT = "disconnect"
    PROXY = "proxy"
    """A proxy said for whom it speaks, or a client did so with XCLIENT."""
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
    SMTP_BODY = "smtp.body"
    """The message itself, while it comes."""
    SMTP_END = "smtp.end"
    """The end of the message, and the reply that takes or refuses responsibility for it."""
    SMTP_RSET = "smtp.rset"
    SMTP_NOOP = "smtp.noop"
    SMTP_VRFY = "smtp.vrfy"
    SMTP_EXPN = "smtp.expn"
    SMTP_HELP = "smtp.help"
    SMTP_QUIT = "smtp.quit"
    SMTP_XCLIENT = "smtp.xclient"
    SMTP_UNKNOWN = "smtp.unknown"
    """Anything that is no command of this server."""

    # IMAP: one for each command, its UID form included, and two for what has no command
    IMAP_BANNER = "imap.banner"
    IMAP_CAPABILITY = "imap.capability"
    IMAP_NOOP = "imap.noop"
    IMAP_LOGOUT = "imap.logout"
    IMAP_ID = "imap.id"
    IMAP_STARTTLS = "imap.starttls"
    IMAP_AUTHENTICATE = "imap.authenticate"
    """AUTHENTICATE, and each answer to a challenge."""
    IMAP_LOGIN = "imap.login"
    IMAP_UNAUTHENTICATE = "imap.unauthenticate"
    IMAP_COMPRESS = "imap.compress"
    IMAP_ENABLE = "imap.enable"
    IMAP_SELECT = "imap.select"
    IMAP_EXAMINE = "imap.examine"
    IMAP_CREATE = "imap.create"
    IMAP_DELETE = "imap.delete"
    IMAP_RENAME = "imap.rename"
    IMAP_SUBSCRIBE = "imap.subscribe"
    IMAP_UNSUBSCRIBE = "imap.unsubscribe"
    IMAP_LIST = "imap.list"
    IMAP_LSUB = "imap.lsub"
    IMAP_NAMESPACE = "imap.namespace"
    IMAP_STATUS = "imap.status"
    IMAP_APPEND = "imap.append"
    IMAP_IDLE = "imap.idle"
    """The go-ahead, and later the end of it."""
    IMAP_NOTIFY = "imap.notify"
    IMAP_CHECK = "imap.check"
    IMAP_CLOSE = "imap.close"
    IMAP_UNSELECT = "imap.unselect"
    IMAP_EXPUNGE = "imap.expunge"
    IMAP_SEARCH = "imap.search"
    IMAP_SORT = "imap.sort"
    IMAP_THREAD = "imap.thread"
    IMAP_FETCH = "imap.fetch"
    IMAP_STORE = "imap.store"
    IMAP_COPY = "imap.copy"
    IMAP_MOVE = "imap.move"
    IMAP_REPLACE = "imap.replace"
    IMAP_GETQUOTA = "imap.getquota"
    IMAP_GETQUOTAROOT = "imap.getquotaroot"
    IMAP_SETQUOTA = "imap.setquota"
    IMAP_GETMETADATA = "imap.getmetadata"
    IMAP_SETMETADATA = "imap.setmetadata"
    IMAP_GETACL = "imap.getacl"
    IMAP_SETACL = "imap.setacl"
    IMAP_DELETEACL = "imap.deleteacl"
    IMAP_LISTRIGHTS = "imap.listrights"
    IMAP_MYRIGHTS = "imap.myrights"
    IMAP_ESEARCH = "imap.esearch"
    """Search in several mailboxes (RFC 7377)."""
    IMAP_UNKNOWN = "imap.unknown"
    """Anything that is no command of this server."""

    # POP3: one for each command, and two for what has no command of its own
    POP3_BANNER = "pop3.banner"
    POP3_CAPA = "pop3.capa"
    POP3_STLS = "pop3.stls"
    POP3_USER = "pop3.user"
    POP3_PASS = "pop3.pass"
    POP3_APOP = "pop3.apop"
    POP3_AUTH = "pop3.auth"
    """AUTH, and each answer to a challenge."""
    POP3_UTF8 = "pop3.utf8"
    POP3_LANG = "pop3.lang"
    POP3_STAT = "pop3.stat"
    POP3_LIST = "pop3.list"
    POP3_UIDL = "pop3.uidl"
    POP3_RETR = "pop3.retr"
    POP3_TOP = "pop3.top"
    POP3_DELE = "pop3.dele"
    POP3_NOOP = "pop3.noop"
    POP3_RSET = "pop3.rset"
    POP3_QUIT = "pop3.quit"
    """The end of the session; after a login it is the moment in which messages are removed."""
    POP3_UNKNOWN = "pop3.unknown"
    """Anything that is no command of this server."""

    # HTTP, where MTA-STS policies are served
    HTTP_REQUEST = "http.request"

    # Mail transfer
    QUEUE = "queue"
    """A message was taken into a host's queue."""
    ROUTE = "route"
    """The next host for a recipient was looked up."""
    ATTEMPT = "attempt"
    """One host was tried for some recipients of a queued message."""
    DEFER = "defer"
    """A host put off the rest of a queued message until later."""
    RETURN = "return"
    """A host gave a recipient up, and told the sender if that was due."""
    DELIVER = "deliver"
    """A message was put into a mailbox."""
    REDIRECT = "redirect"
    """A host sent a message on to other addresses: an alias, a forward, a mailing list."""

    def __str__(self) -> str:
        return self.value
