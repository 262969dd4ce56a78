"""The table of POP3 commands: when each is legal, what argument it takes, how long its line may be.

The session runs by this table, the documentation prints it, and the tests walk through every row in every
state. What CAPA lists is in :mod:`fakemail.pop3.capabilities`.
"""

from __future__ import annotations

from enum import Enum
from typing import Final, NamedTuple

from fakemail.terms.stage import Stage


class State(Enum):
    """Where a session stands between two commands (RFC 1939 §3). After QUIT there is no next one."""

    AUTHORIZATION = "authorization"
    """Nobody has logged in."""
    NAMED = "named"
    """The same, and the command before was USER."""
    TRANSACTION = "transaction"
    """Logged in; the maildrop is locked."""


class Argument(Enum):
    """What may follow the keyword."""

    NONE = "none"
    OPTIONAL = "optional"
    REQUIRED = "required"


class Row(NamedTuple):
    """One command."""

    keyword: str
    stage: Stage
    states: frozenset[State]
    argument: Argument
    syntax: str
    capability: str = ""
    """The capability without which the command does not exist; empty for what every server has."""
    limit: int = 255
    """Octets of the line with its CRLF (RFC 2449 §4)."""


_BEFORE: Final = frozenset({State.AUTHORIZATION, State.NAMED})
_NAMED: Final = frozenset({State.NAMED})
_AFTER: Final = frozenset({State.TRANSACTION})
_ANY: Final = frozenset(State)

# RFC 5034 §4 keeps AUTH to 255 octets as well, but the tokens of XOAUTH2 are longer and clients send them at
# once, as those who made it tell them to; the limit is that of SMTP (RFC 4954 §4).
COMMANDS: Final = {
    row.keyword: row
    for row in (
        Row("CAPA", Stage.POP3_CAPA, _ANY, Argument.NONE, "CAPA", "CAPA"),
        Row("STLS", Stage.POP3_STLS, _BEFORE, Argument.NONE, "STLS", "STLS"),
        Row("USER", Stage.POP3_USER, _BEFORE, Argument.REQUIRED, "USER name", "USER"),
        Row("PASS", Stage.POP3_PASS, _NAMED, Argument.REQUIRED, "PASS password", "USER"),
        Row("APOP", Stage.POP3_APOP, _BEFORE, Argument.REQUIRED, "APOP name digest", "APOP"),
        Row(
            "AUTH", Stage.POP3_AUTH, _BEFORE, Argument.OPTIONAL, "AUTH [mechanism [response]]", "SASL", 12288
        ),
        Row("UTF8", Stage.POP3_UTF8, _BEFORE, Argument.NONE, "UTF8", "UTF8"),
        Row("LANG", Stage.POP3_LANG, _ANY, Argument.OPTIONAL, "LANG [language]", "LANG"),
        Row("STAT", Stage.POP3_STAT, _AFTER, Argument.NONE, "STAT"),
        Row("LIST", Stage.POP3_LIST, _AFTER, Argument.OPTIONAL, "LIST [message]"),
        Row("UIDL", Stage.POP3_UIDL, _AFTER, Argument.OPTIONAL, "UIDL [message]", "UIDL"),
        Row("RETR", Stage.POP3_RETR, _AFTER, Argument.REQUIRED, "RETR message"),
        Row("TOP", Stage.POP3_TOP, _AFTER, Argument.REQUIRED, "TOP message lines", "TOP"),
        Row("DELE", Stage.POP3_DELE, _AFTER, Argument.REQUIRED, "DELE message"),
        Row("NOOP", Stage.POP3_NOOP, _AFTER, Argument.NONE, "NOOP"),
        Row("RSET", Stage.POP3_RSET, _AFTER, Argument.NONE, "RSET"),
        Row("QUIT", Stage.POP3_QUIT, _ANY, Argument.NONE, "QUIT"),
    )
}

LONGEST_LINE: Final = max(row.limit for row in COMMANDS.values())


def out_of_order(row: Row, state: State) -> str:
    """What is said to a client that sent a command too early or too late."""
    if state is State.TRANSACTION:
        return "you are logged in already"
    return "send USER first" if row.states == _NAMED else "log in first"
