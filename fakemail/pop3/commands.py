"""The table of POP3 commands: when each is legal, what argument it takes, how long its line may be.

The session runs by this table, the documentation prints it, and the tests walk through every row in every
state. Replies are made here as well: the one place where a
reason becomes ``-ERR`` and its response code. What CAPA lists is in :mod:`fakemail.pop3.capabilities`.
"""

from __future__ import annotations

from enum import Enum
from types import MappingProxyType
from typing import Final, NamedTuple

from fakemail.types.reason import Reason
from fakemail.types.stage import Stage


class Pop3State(Enum):
    """State of a session between two commands (RFC 1939 §3). After QUIT there is no next one."""

    AUTHORIZATION = "authorization"
    """Before the login."""
    NAMED = "named"
    """Before the login, and the command before was USER."""
    TRANSACTION = "transaction"
    """Logged in; the maildrop is locked."""


class Pop3Argument(Enum):
    """Whether an argument follows the keyword."""

    NONE = "none"
    OPTIONAL = "optional"
    REQUIRED = "required"


class Pop3CommandRow(NamedTuple):
    """One command."""

    keyword: str
    stage: Stage
    states: frozenset[Pop3State]
    argument: Pop3Argument
    syntax: str
    capability: str = ""
    """The capability without which the command does not exist; empty for what every server has."""
    limit: int = 255
    """Bytes of the line with its CRLF (RFC 2449 §4)."""


_BEFORE: Final = frozenset({Pop3State.AUTHORIZATION, Pop3State.NAMED})
_NAMED: Final = frozenset({Pop3State.NAMED})
_AFTER: Final = frozenset({Pop3State.TRANSACTION})
_ANY: Final = frozenset(Pop3State)

# RFC 5034 §4 keeps AUTH to 255 bytes as well, but the tokens of XOAUTH2 are longer and clients send them at
# once, as those who made it tell them to; the limit is that of SMTP (RFC 4954 §4).
COMMANDS: Final = {
    row.keyword: row
    for row in (
        Pop3CommandRow("CAPA", Stage.POP3_CAPA, _ANY, Pop3Argument.NONE, "CAPA", "CAPA"),
        Pop3CommandRow("STLS", Stage.POP3_STLS, _BEFORE, Pop3Argument.NONE, "STLS", "STLS"),
        Pop3CommandRow("USER", Stage.POP3_USER, _BEFORE, Pop3Argument.REQUIRED, "USER name", "USER"),
        Pop3CommandRow("PASS", Stage.POP3_PASS, _NAMED, Pop3Argument.REQUIRED, "PASS password", "USER"),
        Pop3CommandRow("APOP", Stage.POP3_APOP, _BEFORE, Pop3Argument.REQUIRED, "APOP name digest", "APOP"),
        Pop3CommandRow(
            "AUTH",
            Stage.POP3_AUTH,
            _BEFORE,
            Pop3Argument.OPTIONAL,
            "AUTH [mechanism [response]]",
            "SASL",
            12288,
        ),
        Pop3CommandRow("UTF8", Stage.POP3_UTF8, _BEFORE, Pop3Argument.NONE, "UTF8", "UTF8"),
        Pop3CommandRow("LANG", Stage.POP3_LANG, _ANY, Pop3Argument.OPTIONAL, "LANG [language]", "LANG"),
        Pop3CommandRow("STAT", Stage.POP3_STAT, _AFTER, Pop3Argument.NONE, "STAT"),
        Pop3CommandRow("LIST", Stage.POP3_LIST, _AFTER, Pop3Argument.OPTIONAL, "LIST [message]"),
        Pop3CommandRow("UIDL", Stage.POP3_UIDL, _AFTER, Pop3Argument.OPTIONAL, "UIDL [message]", "UIDL"),
        Pop3CommandRow("RETR", Stage.POP3_RETR, _AFTER, Pop3Argument.REQUIRED, "RETR message"),
        Pop3CommandRow("TOP", Stage.POP3_TOP, _AFTER, Pop3Argument.REQUIRED, "TOP message lines", "TOP"),
        Pop3CommandRow("DELE", Stage.POP3_DELE, _AFTER, Pop3Argument.REQUIRED, "DELE message"),
        Pop3CommandRow("NOOP", Stage.POP3_NOOP, _AFTER, Pop3Argument.NONE, "NOOP"),
        Pop3CommandRow("RSET", Stage.POP3_RSET, _AFTER, Pop3Argument.NONE, "RSET"),
        Pop3CommandRow("QUIT", Stage.POP3_QUIT, _ANY, Pop3Argument.NONE, "QUIT"),
    )
}

LONGEST_LINE: Final = max(row.limit for row in COMMANDS.values())


def out_of_order(row: Pop3CommandRow, state: Pop3State) -> str:
    """Text for a client that sent a command too early or too late."""
    if state is Pop3State.TRANSACTION:
        return "you are logged in already"
    return "send USER first" if row.states == _NAMED else "log in first"


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
