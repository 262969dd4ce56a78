"""Replies of POP3: the one place where a reason becomes ``-ERR`` and its response code."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final, NamedTuple

from fakemail.types.reason import Reason

OK: Final = "+OK"
ERR: Final = "-ERR"
CHALLENGE: Final = "+"

# RFC 2449 §8: codes that need RESP-CODES only; the others need AUTH-RESP-CODE as well (RFC 3206 §3), and UTF8
# comes with that capability (RFC 6856 §5).
_PLAIN_CODES: Final = frozenset({"IN-USE", "LOGIN-DELAY"})

_REFUSALS: Final = MappingProxyType(
    {
        Reason.AUTH_FAILED: ("AUTH", "authentication failed"),
        Reason.AUTH_CANCELLED: ("", "authentication cancelled"),
        Reason.AUTH_MECHANISM: ("", "mechanism not offered"),
        # RFC 3206 §4: AUTH is for an attempt against policy as well.
        Reason.TLS_REQUIRED: ("AUTH", "start TLS first"),
        Reason.MAILDROP_IN_USE: ("IN-USE", "another session has the maildrop"),
        Reason.LOGIN_TOO_SOON: ("LOGIN-DELAY", "the last login was a moment ago"),
        Reason.NO_SUCH_MESSAGE: ("", "no such message"),
        Reason.MESSAGE_GONE: ("", "somebody else has removed this message"),
        # The numbers of this session lead nowhere; those of the next one will.
        Reason.MAILBOX_LOST: ("SYS/TEMP", "the mailbox was rebuilt; log in again"),
        Reason.NOT_NEGOTIATED: ("UTF8", "the message needs UTF8"),
        Reason.BAD_SYNTAX: ("", "syntax error"),
        Reason.BAD_SEQUENCE: ("", "wrong order of commands"),
        Reason.UNKNOWN_COMMAND: ("", "unknown command"),
        Reason.LINE_TOO_LONG: ("", "line too long"),
        Reason.BARE_LINE_END: ("", "a line ends with CRLF, not with a bare LF"),
        Reason.TOO_MANY_ERRORS: ("", "too many errors"),
        Reason.SHUTTING_DOWN: ("SYS/TEMP", "shutting down"),
        Reason.LOCAL_ERROR: ("SYS/TEMP", "local error"),
    }
)


class Pop3Reply(NamedTuple):
    """The first line of an answer."""

    status: str
    """``+OK``, ``-ERR``, or ``+`` for a challenge."""
    text: str
    code: str = ""
    """``IN-USE``, without its brackets."""
    reason: Reason | None = None

    @property
    def wire(self) -> bytes:
        """The line as it is sent. A challenge has its space even if nothing follows (RFC 5034 §4)."""
        code = f"[{self.code}] " if self.code else ""
        # Nobody has asked for UTF-8 in replies (RFC 6856 §3.2).
        return f"{self.status} {code}{self.text}\r\n".encode("ascii", "replace")


def refusal(reason: Reason, detail: str = "") -> Pop3Reply:
    """The answer for a reason; ``detail`` takes the place of the usual text."""
    code, text = _REFUSALS[reason]
    return Pop3Reply(ERR, detail or text, code, reason)


def needed_for(code: str) -> tuple[str, ...]:
    """The capabilities without which a client does not understand a response code."""
    if not code:
        return ()
    if code == "UTF8":
        return ("RESP-CODES", "UTF8")
    return ("RESP-CODES",) if code in _PLAIN_CODES else ("RESP-CODES", "AUTH-RESP-CODE")
