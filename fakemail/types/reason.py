"""The one list of why mail, a command or a connection is deferred, refused, lost or diverted."""

from __future__ import annotations

from enum import Enum
from typing import Final

from fakemail.types.suggestions import SuggestsMembers


class Reason(Enum, metaclass=SuggestsMembers):
    """Why something was not done. The value is a stable name for exports and configuration."""

    # The recipient
    NO_SUCH_USER = "no such user"
    NO_SUCH_DOMAIN = "no such domain"
    MAILBOX_DISABLED = "mailbox disabled"
    MAILBOX_MOVED = "mailbox has moved"
    NULL_MX = "domain takes no mail"
    RELAY_DENIED = "relaying denied"
    GREYLISTED = "greylisted"
    TOO_MANY_RECIPIENTS = "too many recipients"

    # The sender
    SENDER_NOT_OWNED = "sender address not owned"
    SENDER_DOMAIN = "sender's domain does not exist"
    SENDER_TAKES_NO_MAIL = "sender's domain takes no mail"
    SENDER_FORGED = "own domain used from outside"
    NULL_SENDER = "mail from nobody"
    AUTH_REQUIRED = "authentication required"
    AUTH_FAILED = "authentication failed"
    AUTH_CANCELLED = "authentication cancelled"
    AUTH_MECHANISM = "mechanism not offered"
    TLS_REQUIRED = "TLS required"

    # Who is connecting
    TOO_MANY_CONNECTIONS = "too many connections"
    RATE_LIMITED = "too much in too short a time"
    BLOCKLISTED = "on a blocklist"
    NO_REVERSE_DNS = "no name that leads back to the address"
    BAD_HELO = "unacceptable name in HELO"

    # The message
    MESSAGE_TOO_BIG = "message too big"
    BARE_LINE_END = "bare CR or LF"
    NOT_NEGOTIATED = "extension not offered or not in use"
    BAD_MESSAGE = "malformed message"
    BAD_HEADER = "malformed header"
    HEADER_TOO_BIG = "header too big"
    ATTACHMENT_REFUSED = "attachment not taken"
    SPAM = "looks like spam"
    VIRUS = "has a virus"
    LINK_LISTED = "has a link that is on a blocklist"
    SCANNER_UNAVAILABLE = "content scanner not available"

    # What the sender's domain says
    SPF_FAIL = "the sender's domain does not permit the client (SPF)"
    SPF_ERROR = "the SPF record is wrong"
    DKIM_FAIL = "no signature is good (DKIM)"
    DMARC_REJECT = "the author's domain asks to refuse it (DMARC)"
    DMARC_QUARANTINE = "the author's domain asks for quarantine (DMARC)"

    # What large receivers ask of bulk senders
    UNAUTHENTICATED = "neither SPF nor DKIM passes"
    SPF_REQUIRED = "SPF does not pass"
    DKIM_REQUIRED = "DKIM does not pass"
    DMARC_REQUIRED = "no DMARC policy is published"
    NOT_ALIGNED = "the author's domain is aligned with neither SPF nor DKIM"
    REVERSE_DNS_REQUIRED = "the client's address has no name that leads back to it"
    IMPERSONATION = "the author claims an address of the receiver's own domain"
    UNSUBSCRIBE_REQUIRED = "no way to unsubscribe"

    # The dialogue
    BAD_SYNTAX = "syntax error"
    BAD_SEQUENCE = "wrong order of commands"
    UNKNOWN_COMMAND = "unknown command"
    LINE_TOO_LONG = "line too long"
    NO_VALID_RECIPIENTS = "no valid recipients"
    TOO_MANY_ERRORS = "too many errors"
    TLS_FAILED = "TLS handshake failed"
    CERTIFICATE_REFUSED = "certificate not verified"
    DANE_FAILED = "DANE verification failed"
    STS_FAILED = "certificate fails the MTA-STS policy"
    STS_WRONG_HOST = "mail host not in the MTA-STS policy"
    REQUIRETLS_FAILED = "no verified TLS for REQUIRETLS"
    REQUIRETLS_NOT_OFFERED = "REQUIRETLS not offered"
    TIMEOUT = "timeout"
    CONNECTION_LOST = "connection lost"
    CONNECTION_REFUSED = "connection refused"
    SHUTTING_DOWN = "shutting down"
    PROTOCOL_ERROR = "protocol error of the other side"

    # The mailbox
    NO_SUCH_MAILBOX = "no such mailbox"
    MAILBOX_EXISTS = "mailbox exists already"
    NOT_ALLOWED = "not allowed"
    OVER_QUOTA = "over quota"
    LIMIT_REACHED = "limit reached"
    MESSAGE_GONE = "message expunged"
    NO_SUCH_MESSAGE = "no such message"
    MAILDROP_IN_USE = "maildrop in use"
    LOGIN_TOO_SOON = "logged in a moment ago"
    READ_ONLY = "mailbox is read-only"
    CANNOT_DECODE = "content cannot be decoded"
    MAILBOX_LOST = "selected mailbox is gone"

    # The test
    FAULT = "a fault of the test"
    POLICY = "against a policy"
    HANDLER = "refused by the test's own handler"

    # Routing
    DNS_TEMPORARY = "DNS failed for now"
    NO_ADDRESS = "mail host has no address"
    MAIL_LOOP = "mail loop"
    LOCAL_ERROR = "local error"
    DROPPED = "dropped from the queue"

    def __str__(self) -> str:
        return self.value


FINAL_REASONS: Final = frozenset(
    {
        Reason.NO_SUCH_DOMAIN,
        Reason.NULL_MX,
        Reason.NO_ADDRESS,  # RFC 5321 §5.1: MX records of which none is usable are an error
        Reason.MAIL_LOOP,
        Reason.NOT_NEGOTIATED,
        Reason.MESSAGE_TOO_BIG,
        Reason.REQUIRETLS_FAILED,  # RFC 8689 §4.2.1: such a failure is not waited out
        Reason.REQUIRETLS_NOT_OFFERED,
    }
)
"""Reasons for which no later attempt can end otherwise; a reply, where there is one, says so itself."""
