"""The only place where a verdict or a mishap becomes an SMTP reply. No other module knows a code like 550.

Codes from RFC 5321 §4.2.3 and the extensions' own RFCs, enhanced codes from RFC 3463 and the
IANA registry that grew from it.
"""

from __future__ import annotations

from functools import lru_cache
from types import MappingProxyType
from typing import Final

from fakemail.types.reason import Reason
from fakemail.types.reply import Reply
from fakemail.types.verdict import Verdict, VerdictAction

OK: Final = Reply(250, "2.0.0", "OK")
SENDER_OK: Final = Reply(250, "2.1.0", "sender OK")
RECIPIENT_OK: Final = Reply(250, "2.1.5", "recipient OK")
GO_AHEAD: Final = Reply(354, None, "end the message with <CRLF>.<CRLF>")
READY_FOR_TLS: Final = Reply(220, "2.0.0", "ready to start TLS")
AUTHENTICATED: Final = Reply(235, "2.7.0", "authentication succeeded")
CLOSING: Final = Reply(421, "4.3.2", "closing the connection")
BYE: Final = Reply(221, "2.0.0", "closing the connection")
# RFC 6531 §3.7.4.2: a reply that would need UTF-8, to a client that did not allow it.
CANNOT_VERIFY: Final = Reply(
    252, "2.6.8", "the name is not ASCII; ask with SMTPUTF8, or just send the message"
)
CANNOT_EXPAND: Final = Reply(550, "5.6.8", "a name is not ASCII; ask with SMTPUTF8")
NEEDS_SMTPUTF8: Final = Reply(553, "5.6.7", "an address outside ASCII needs the parameter SMTPUTF8")
BARE_LINE_FEED: Final = Reply(501, "5.5.4", "a line ends with CRLF, not with a bare LF")
TLS_FIRST: Final = Reply(538, "5.7.11", "encryption is required before AUTH; send STARTTLS")

# RFC 5321 §4.2.2 with RFC 3463 §3: what each reason is called when it is final...
_REFUSALS: Final = MappingProxyType(
    {
        Reason.NO_SUCH_USER: (550, "5.1.1", "no such user here"),
        Reason.NO_SUCH_DOMAIN: (550, "5.1.2", "no such domain"),
        Reason.MAILBOX_DISABLED: (550, "5.2.1", "the mailbox is disabled"),  # RFC 3463 §3.3
        Reason.MAILBOX_MOVED: (551, "5.1.6", "the mailbox has moved"),  # RFC 5321 §3.4, RFC 3463 §3.2
        Reason.NULL_MX: (556, "5.1.10", "the domain takes no mail"),  # RFC 7505 §4.2
        Reason.RELAY_DENIED: (550, "5.7.1", "relaying denied"),
        Reason.TOO_MANY_RECIPIENTS: (452, "4.5.3", "too many recipients"),  # RFC 5321 §4.5.3.1.10
        Reason.SENDER_NOT_OWNED: (553, "5.7.1", "the sender address does not belong to the account"),
        Reason.BLOCKLISTED: (554, "5.7.1", "on a blocklist"),
        Reason.NO_REVERSE_DNS: (550, "5.7.25", "reverse DNS does not lead back to you"),  # RFC 7372 §3.3
        Reason.BAD_HELO: (550, "5.7.1", "the name in HELO is not acceptable"),
        Reason.SENDER_DOMAIN: (550, "5.1.8", "the sender's domain does not exist"),  # RFC 3463 §3.2
        Reason.SENDER_TAKES_NO_MAIL: (550, "5.7.27", "the sender's domain takes no mail"),  # RFC 7505 §4.2
        Reason.SENDER_FORGED: (550, "5.7.1", "mail of this domain does not come from outside"),
        Reason.NULL_SENDER: (550, "5.7.1", "mail from nobody is not taken"),
        Reason.POLICY: (550, "5.7.1", "refused by a policy"),
        Reason.AUTH_REQUIRED: (530, "5.7.0", "authentication required"),  # RFC 4954 §6
        Reason.AUTH_FAILED: (535, "5.7.8", "authentication credentials invalid"),
        Reason.AUTH_CANCELLED: (501, "5.7.0", "authentication cancelled"),
        Reason.AUTH_MECHANISM: (504, "5.5.4", "mechanism not offered"),
        Reason.TLS_REQUIRED: (530, "5.7.0", "start TLS first"),  # RFC 3207 §4
        Reason.MESSAGE_TOO_BIG: (552, "5.3.4", "message too big"),  # RFC 1870 §6.2
        Reason.BARE_LINE_END: (554, "5.6.0", "the message has a CR or LF that is not part of a CRLF"),
        Reason.NOT_NEGOTIATED: (555, "5.5.4", "extension not offered"),
        Reason.BAD_MESSAGE: (554, "5.6.0", "malformed message"),
        Reason.BAD_HEADER: (550, "5.6.0", "the header is not as RFC 5322 wants it"),
        Reason.HEADER_TOO_BIG: (552, "5.3.4", "the header is too big"),
        Reason.ATTACHMENT_REFUSED: (552, "5.7.0", "an attachment is not taken here"),
        Reason.SPAM: (550, "5.7.1", "the message looks like spam"),
        Reason.VIRUS: (554, "5.7.1", "the message has a virus"),
        Reason.LINK_LISTED: (554, "5.7.1", "a link in the message is on a blocklist"),
        Reason.UNAUTHENTICATED: (550, "5.7.26", "neither SPF nor DKIM passes"),  # RFC 7372 §3.3
        Reason.SPF_REQUIRED: (550, "5.7.23", "bulk mail needs an SPF pass"),  # RFC 7372 §3.2
        Reason.DKIM_REQUIRED: (
            550,
            "5.7.20",
            "bulk mail needs a DKIM signature that passes",
        ),  # RFC 7372 §3.1
        Reason.DMARC_REQUIRED: (550, "5.7.1", "bulk mail needs a DMARC policy"),
        Reason.NOT_ALIGNED: (550, "5.7.1", "the author's domain is aligned with neither SPF nor DKIM"),
        Reason.REVERSE_DNS_REQUIRED: (
            550,
            "5.7.25",
            "reverse DNS does not lead back to you",
        ),  # RFC 7372 §3.3
        Reason.IMPERSONATION: (550, "5.7.1", "the author is not one of ours"),
        Reason.UNSUBSCRIBE_REQUIRED: (550, "5.7.1", "bulk mail needs a way to unsubscribe"),
        Reason.BAD_SYNTAX: (501, "5.5.2", "syntax error"),
        Reason.BAD_SEQUENCE: (503, "5.5.1", "wrong order of commands"),
        Reason.UNKNOWN_COMMAND: (500, "5.5.1", "command not recognised"),
        Reason.LINE_TOO_LONG: (500, "5.5.2", "line too long"),  # RFC 5321 §4.5.3.1.9
        Reason.NO_VALID_RECIPIENTS: (554, "5.5.1", "no valid recipients"),  # RFC 2033 §4.2 as RFC 5321 §3.3
        Reason.TOO_MANY_ERRORS: (421, "4.7.0", "too many errors"),
        Reason.TIMEOUT: (421, "4.4.2", "idle for too long"),
        Reason.SHUTTING_DOWN: (421, "4.3.2", "shutting down"),
        Reason.OVER_QUOTA: (552, "5.2.2", "the mailbox is full"),
        Reason.MAIL_LOOP: (554, "5.4.6", "the message is going round in circles"),
        Reason.LOCAL_ERROR: (451, "4.3.0", "local error"),
        Reason.NOT_ALLOWED: (550, "5.7.0", "not for you"),  # Postfix XCLIENT_README
        Reason.TLS_FAILED: (454, "4.7.0", "TLS is not available now"),
        Reason.SPF_FAIL: (550, "5.7.23", "SPF check failed"),  # RFC 7372 §3.2
        Reason.SPF_ERROR: (550, "5.7.24", "the SPF record is wrong"),  # RFC 7372 §3.2
        Reason.DKIM_FAIL: (550, "5.7.20", "no DKIM signature passes"),  # RFC 7372 §3.1
        Reason.DMARC_REJECT: (550, "5.7.1", "refused as the author's domain asks (DMARC)"),  # RFC 9989 §7.3
        Reason.DMARC_QUARANTINE: (
            550,
            "5.7.1",
            "not taken as the author's domain asks for quarantine (DMARC)",
        ),
    }
)
# ...and what the same reason is called when it may pass.
_DEFERRALS: Final = MappingProxyType(
    {
        Reason.NO_SUCH_USER: (450, "4.1.1", "user unknown for now"),
        Reason.OVER_QUOTA: (452, "4.2.2", "the mailbox is full"),
        Reason.AUTH_FAILED: (454, "4.7.0", "authentication failed for now"),
        Reason.SENDER_DOMAIN: (450, "4.1.8", "the sender's domain could not be looked up"),
        Reason.RATE_LIMITED: (450, "4.7.1", "too much in too short a time"),
        Reason.TOO_MANY_CONNECTIONS: (421, "4.7.0", "too many connections from you"),
        Reason.GREYLISTED: (451, "4.7.1", "greylisted"),  # RFC 6647 §2.1
        Reason.SCANNER_UNAVAILABLE: (451, "4.7.1", "the message cannot be checked now"),
        Reason.DNS_TEMPORARY: (451, "4.4.3", "DNS failed for now"),
        Reason.LOCAL_ERROR: (451, "4.3.0", "local error"),
    }
)


# For these the detail names who or what is meant, and comes first: "<bob@example.org>: no such user
# here". For all others it says more about the matter, and comes last.
_NAMED_FIRST: Final = frozenset(
    {
        Reason.NO_SUCH_USER,
        Reason.MAILBOX_DISABLED,
        Reason.NO_SUCH_DOMAIN,
        Reason.NULL_MX,
        Reason.RELAY_DENIED,
        Reason.SENDER_NOT_OWNED,
        Reason.SHUTTING_DOWN,
        Reason.TIMEOUT,
        Reason.LOCAL_ERROR,
    }
)


def _words(reason: Reason, text: str, detail: str) -> str:
    if not detail:
        return text
    if reason is Reason.NOT_NEGOTIATED:
        return detail  # a sentence that says it all
    return f"{detail}: {text}" if reason in _NAMED_FIRST else f"{text}: {detail}"


# A host says the next two to every client, so they are kept. They are long, and so is the way to their wire form.
@lru_cache(maxsize=64)
def banner(host: str) -> Reply:
    """The first reply of a server."""
    return Reply(220, None, f"{host} ESMTP fakemail")


@lru_cache(maxsize=64)
def greeting(host: str, client: str, keywords: tuple[str, ...]) -> Reply:
    """The reply to EHLO, or with no keywords to HELO."""
    return Reply(250, None, "\n".join((f"{host} greets {client}", *keywords)))


def echo(text: str) -> str:
    """A client's words in a reply: few, as reply lines are short (RFC 5321 §4.5.3.1.5), and in ASCII,
    as nobody has allowed UTF-8 (RFC 6531 §3.7.4.2)."""
    return text[:100].encode("ascii", "replace").decode()


def reply_to(verdict: Verdict) -> Reply:
    """The reply that says a verdict other than acceptance."""
    if verdict.reply is not None:
        return verdict.reply
    reason = verdict.reason or Reason.LOCAL_ERROR
    table = _DEFERRALS if verdict.action is VerdictAction.DEFER else _REFUSALS
    code, enhanced, text = table.get(reason) or _turned(reason, verdict.action)
    return Reply(code, enhanced, _words(reason, text, verdict.detail))


def _turned(reason: Reason, action: VerdictAction) -> tuple[int, str, str]:
    """Code and text of a reason that is usually the other of final and temporary."""
    other = _REFUSALS if action is VerdictAction.DEFER else _DEFERRALS
    _, enhanced, text = other.get(reason) or (0, ".7.1", str(reason))
    code, digit = (451, "4") if action is VerdictAction.DEFER else (550, "5")
    return code, digit + enhanced[enhanced.index(".") :], text


def at_banner(verdict: Verdict) -> Reply:
    """The banner for a client that is rejected before its first command (RFC 5321 §3.1, §3.8)."""
    reply = reply_to(verdict)
    code = 421 if verdict.action is VerdictAction.DEFER else 554
    # Some refusals have a passing code only, such as 451 4.3.0, and the class is that of the code (RFC 2034 §4).
    enhanced = None if reply.enhanced is None else f"{code // 100}{reply.enhanced[1:]}"
    return Reply(code, enhanced, reply.text)


def refusal(reason: Reason, detail: str = "") -> Reply:
    """The reply for a reason that is final."""
    code, enhanced, text = _REFUSALS[reason]
    return Reply(code, enhanced, _words(reason, text, detail))


def syntax(detail: str) -> Reply:
    """501 with a sentence that says what would be right."""
    return Reply(501, "5.5.4", detail)


def sequence(detail: str) -> Reply:
    """503 with a sentence that says what has to come first."""
    return Reply(503, "5.5.1", detail)


class CommandRejected(Exception):
    """A command is answered in the negative."""

    def __init__(self, reply: Reply, reason: Reason) -> None:
        self.reply = reply
        self.reason = reason


def reject(reason: Reason, detail: str = "") -> CommandRejected:
    """The rejection for a reason, with the reply of that reason."""
    return CommandRejected(refusal(reason, detail), reason)


def syntax_error(detail: str) -> CommandRejected:
    """The rejection of a command that cannot be read, with a sentence that says what would be right."""
    return CommandRejected(syntax(detail), Reason.BAD_SYNTAX)
