"""The table of SMTP commands: when each is legal, what argument it takes, how long its line may be.

The session runs by this table, HELP and the documentation print it, and the tests walk through
every row in every state.
"""

from __future__ import annotations

from enum import Enum
from typing import Final, NamedTuple

from fakemail.terms.stage import Stage


class State(Enum):
    """Where a session stands between two commands."""

    FRESH = "fresh"
    """Connected, or after STARTTLS: nobody has said hello."""
    READY = "ready"
    """Greeted; no mail transaction."""
    SENDER = "sender"
    """MAIL was accepted; no recipient yet."""
    RECIPIENTS = "recipients"
    """At least one RCPT was accepted."""
    CHUNKS = "chunks"
    """A BDAT without LAST was accepted (RFC 3030 §2)."""
    TURNED_AWAY = "turned away"
    """The banner was a refusal, and the client may only leave (RFC 5321 §3.1)."""

    __hash__ = object.__hash__  # Enum's own is written in Python, and each command looks its state up


class Argument(Enum):
    """What may follow the verb."""

    NONE = "none"
    OPTIONAL = "optional"
    REQUIRED = "required"


class Row(NamedTuple):
    """One command."""

    verb: str
    stage: Stage
    states: frozenset[State]
    argument: Argument
    syntax: str
    """As HELP shows it."""
    keyword: str = ""
    """The EHLO keyword without which the command does not exist."""
    limit: int = 512
    """Octets of the line with its CRLF: RFC 5321 §4.5.3.1.4, plus what extensions add."""


_ANY: Final = frozenset(State) - {State.TURNED_AWAY}
_GREETED: Final = _ANY - {State.FRESH}
_READY: Final = frozenset({State.READY})
_TRANSACTION: Final = frozenset({State.SENDER, State.RECIPIENTS})

# MAIL: +26 for SIZE (RFC 1870 §3), +17 for BODY (RFC 6152), +10 for SMTPUTF8 (RFC 6531 §3.1),
# +120 for RET and ENVID (RFC 3461 §4), +500 for AUTH (RFC 4954 §3).
# BDAT is legal everywhere: its octets follow whatever the answer, so they are read first and judged
# then (RFC 3030 §2).
# RCPT: +500 for NOTIFY and ORCPT (RFC 3461 §4). AUTH: RFC 4954 §4 asks for 12288.
COMMANDS: Final = {
    row.verb: row
    for row in (
        Row("EHLO", Stage.SMTP_HELO, _ANY, Argument.REQUIRED, "EHLO name"),
        Row("HELO", Stage.SMTP_HELO, _ANY, Argument.REQUIRED, "HELO name"),
        Row("STARTTLS", Stage.SMTP_STARTTLS, _GREETED, Argument.NONE, "STARTTLS", "STARTTLS"),
        Row("AUTH", Stage.SMTP_AUTH, _READY, Argument.REQUIRED, "AUTH mechanism [response]", "AUTH", 12288),
        Row(
            "MAIL", Stage.SMTP_MAIL, _READY, Argument.REQUIRED, "MAIL FROM:<address> [parameters]", limit=1185
        ),
        Row(
            "RCPT",
            Stage.SMTP_RCPT,
            _TRANSACTION,
            Argument.REQUIRED,
            "RCPT TO:<address> [parameters]",
            limit=1012,
        ),
        Row("DATA", Stage.SMTP_DATA, _TRANSACTION, Argument.NONE, "DATA"),
        Row("BDAT", Stage.SMTP_BDAT, _ANY, Argument.REQUIRED, "BDAT octets [LAST]", "CHUNKING"),
        Row("RSET", Stage.SMTP_RSET, _ANY, Argument.NONE, "RSET"),
        Row("NOOP", Stage.SMTP_NOOP, _ANY, Argument.OPTIONAL, "NOOP [text]"),
        Row("VRFY", Stage.SMTP_VRFY, _ANY, Argument.REQUIRED, "VRFY name or address", "VRFY"),
        Row("EXPN", Stage.SMTP_EXPN, _ANY, Argument.REQUIRED, "EXPN alias", "EXPN"),
        Row("HELP", Stage.SMTP_HELP, _ANY, Argument.OPTIONAL, "HELP [command]", "HELP"),
        Row(
            "XCLIENT",
            Stage.SMTP_XCLIENT,
            frozenset({State.FRESH, State.READY}),
            Argument.REQUIRED,
            "XCLIENT attribute=value ...",
            "XCLIENT",
            1024,
        ),
        Row("QUIT", Stage.SMTP_QUIT, frozenset(State), Argument.NONE, "QUIT"),
    )
}

LONGEST_LINE: Final = max(row.limit for row in COMMANDS.values())

# What has to come first, said to a client that sent a command too early or too late.
OUT_OF_ORDER: Final = {
    ("STARTTLS", State.FRESH): "send EHLO first",
    ("AUTH", State.FRESH): "send EHLO first",
    ("AUTH", State.SENDER): "AUTH is not allowed during a mail transaction",
    ("AUTH", State.RECIPIENTS): "AUTH is not allowed during a mail transaction",
    ("AUTH", State.CHUNKS): "AUTH is not allowed during a mail transaction",
    ("MAIL", State.FRESH): "send EHLO or HELO first",
    ("MAIL", State.SENDER): "a sender is given already; RSET starts again",
    ("MAIL", State.RECIPIENTS): "a sender is given already; RSET starts again",
    ("MAIL", State.CHUNKS): "a message is being sent; finish it with BDAT or give up with RSET",
    ("RCPT", State.FRESH): "send EHLO or HELO first",
    ("RCPT", State.READY): "send MAIL first",
    ("RCPT", State.CHUNKS): "a message is being sent; finish it with BDAT or give up with RSET",
    ("DATA", State.FRESH): "send EHLO or HELO first",
    ("DATA", State.READY): "send MAIL first",
    ("DATA", State.CHUNKS): "a message begun with BDAT goes on with BDAT",  # RFC 3030 §3
    **{
        ("XCLIENT", state): "XCLIENT is not allowed during a mail transaction"
        for state in (State.SENDER, State.RECIPIENTS, State.CHUNKS)
    },
    **{
        (row.verb, State.TURNED_AWAY): "nothing is taken from you here; send QUIT"
        for row in COMMANDS.values()
        if State.TURNED_AWAY not in row.states
    },
}


class KnownLines(dict[bytes, tuple[Row, str, str]]):
    """Lines that keep all rules but those about order, as their row, their text and their argument.

    A test says the same few lines again and again.
    """

    MOST: Final = 1024
    LONGEST: Final = 256
    """In octets."""

    def keep(self, raw: bytes, row: Row, text: str, argument: str) -> None:
        """Keep a line if it is short, ends as it should, and can have no secrets.

        Nothing is kept of a command that belongs to an extension, such as AUTH.
        """
        if len(raw) <= self.LONGEST and not row.keyword and raw.endswith(b"\r\n"):
            if len(self) >= self.MOST:
                self.clear()
            self[raw] = row, text, argument


KNOWN_LINES: Final = KnownLines()
