"""The table of SMTP commands: when each is legal, its argument, the length of its line, and the state that it leads to.

The session runs by this table, HELP and the documentation print it, and the tests walk through every row in every
state.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Final, NamedTuple, TypeAlias

from fakemail.types.stage import Stage


class SmtpState(Enum):
    """State of a session between two commands."""

    CONNECTED = "fresh"
    """Connected, or after STARTTLS: before EHLO."""
    READY = "ready"
    """Greeted; no mail transaction."""
    SENDER = "sender"
    """MAIL was accepted; no recipient yet."""
    RECIPIENTS = "recipients"
    """At least one RCPT was accepted."""
    CHUNKS = "chunks"
    """A BDAT without LAST was accepted (RFC 3030 §2)."""
    REJECTED = "rejected"
    """The banner was a refusal, and the client may only leave (RFC 5321 §3.1)."""

    __hash__ = object.__hash__  # Enum's own is written in Python, and each command looks its state up


Transitions: TypeAlias = Mapping[SmtpState, SmtpState]
"""The next state by the present one."""
STAYS: Final[Transitions] = {state: state for state in SmtpState}


def _to(state: SmtpState, *, from_: frozenset[SmtpState] = frozenset(SmtpState)) -> Transitions:
    """Transitions to one state; from all states that are not named there is none."""
    return {**STAYS, **dict.fromkeys(from_, state)}


CLIENT_REJECTED: Final = _to(SmtpState.REJECTED)
"""The banner is a refusal (RFC 5321 §3.1)."""
TLS_STARTED: Final = _to(SmtpState.CONNECTED)
"""The handshake after STARTTLS is done (RFC 3207 §4.2)."""
MESSAGE_ENDED: Final = _to(SmtpState.READY)
"""The last byte of a message has come, or a chunk was refused; the transaction is over whatever the reply (RFC 5321
§4.1.1.4, RFC 3030 §2)."""


class SmtpArgument(Enum):
    """Whether an argument follows the verb."""

    NONE = "none"
    OPTIONAL = "optional"
    REQUIRED = "required"


class SmtpCommandRow(NamedTuple):
    """One command."""

    verb: str
    stage: Stage
    states: frozenset[SmtpState]
    argument: SmtpArgument
    syntax: str
    """Syntax as HELP shows it."""
    keyword: str = ""
    """The EHLO keyword without which the command does not exist."""
    limit: int = 512
    """Bytes of the line with its CRLF: RFC 5321 §4.5.3.1.4, plus what extensions add."""
    next_state: Transitions = STAYS
    """The state after a positive reply."""


_ANY: Final = frozenset(SmtpState) - {SmtpState.REJECTED}
_GREETED: Final = _ANY - {SmtpState.CONNECTED}
_READY: Final = frozenset({SmtpState.READY})
_TRANSACTION: Final = frozenset({SmtpState.SENDER, SmtpState.RECIPIENTS})
IN_TRANSACTION: Final = _TRANSACTION | {SmtpState.CHUNKS}
UNKNOWN: Final = SmtpCommandRow("", Stage.SMTP_UNKNOWN, _ANY, SmtpArgument.OPTIONAL, "")
"""Stands for what is no command, and for what the server says unasked."""

# MAIL: +26 for SIZE (RFC 1870 §3), +17 for BODY (RFC 6152), +10 for SMTPUTF8 (RFC 6531 §3.1),
# +120 for RET and ENVID (RFC 3461 §4), +500 for AUTH (RFC 4954 §3).
# BDAT is legal everywhere: its bytes follow whatever the answer, so they are read before it is answered (RFC 3030 §2).
# RCPT: +500 for NOTIFY and ORCPT (RFC 3461 §4). AUTH: RFC 4954 §4 asks for 12288.
COMMANDS: Final = {
    row.verb: row
    for row in (
        SmtpCommandRow(
            "EHLO", Stage.SMTP_HELO, _ANY, SmtpArgument.REQUIRED, "EHLO name", next_state=_to(SmtpState.READY)
        ),
        SmtpCommandRow(
            "HELO", Stage.SMTP_HELO, _ANY, SmtpArgument.REQUIRED, "HELO name", next_state=_to(SmtpState.READY)
        ),
        SmtpCommandRow("STARTTLS", Stage.SMTP_STARTTLS, _GREETED, SmtpArgument.NONE, "STARTTLS", "STARTTLS"),
        SmtpCommandRow(
            "AUTH", Stage.SMTP_AUTH, _READY, SmtpArgument.REQUIRED, "AUTH mechanism [response]", "AUTH", 12288
        ),
        SmtpCommandRow(
            "MAIL",
            Stage.SMTP_MAIL,
            _READY,
            SmtpArgument.REQUIRED,
            "MAIL FROM:<address> [parameters]",
            limit=1185,
            next_state=_to(SmtpState.SENDER),
        ),
        SmtpCommandRow(
            "RCPT",
            Stage.SMTP_RCPT,
            _TRANSACTION,
            SmtpArgument.REQUIRED,
            "RCPT TO:<address> [parameters]",
            limit=1012,
            next_state=_to(SmtpState.RECIPIENTS),
        ),
        SmtpCommandRow("DATA", Stage.SMTP_DATA, _TRANSACTION, SmtpArgument.NONE, "DATA"),
        SmtpCommandRow(
            "BDAT",
            Stage.SMTP_BDAT,
            _ANY,
            SmtpArgument.REQUIRED,
            "BDAT octets [LAST]",
            "CHUNKING",
            next_state=_to(SmtpState.CHUNKS, from_=IN_TRANSACTION),
        ),
        SmtpCommandRow(
            "RSET",
            Stage.SMTP_RSET,
            _ANY,
            SmtpArgument.NONE,
            "RSET",
            next_state=_to(SmtpState.READY, from_=_GREETED),
        ),
        SmtpCommandRow("NOOP", Stage.SMTP_NOOP, _ANY, SmtpArgument.OPTIONAL, "NOOP [text]"),
        SmtpCommandRow("VRFY", Stage.SMTP_VRFY, _ANY, SmtpArgument.REQUIRED, "VRFY name or address", "VRFY"),
        SmtpCommandRow("EXPN", Stage.SMTP_EXPN, _ANY, SmtpArgument.REQUIRED, "EXPN alias", "EXPN"),
        SmtpCommandRow("HELP", Stage.SMTP_HELP, _ANY, SmtpArgument.OPTIONAL, "HELP [command]", "HELP"),
        SmtpCommandRow(
            "XCLIENT",
            Stage.SMTP_XCLIENT,
            frozenset({SmtpState.CONNECTED, SmtpState.READY}),
            SmtpArgument.REQUIRED,
            "XCLIENT attribute=value ...",
            "XCLIENT",
            1024,
            next_state=_to(SmtpState.CONNECTED),
        ),
        SmtpCommandRow("QUIT", Stage.SMTP_QUIT, frozenset(SmtpState), SmtpArgument.NONE, "QUIT"),
    )
}

LONGEST_LINE: Final = max(row.limit for row in COMMANDS.values())

# What has to come first, said to a client that sent a command too early or too late.
OUT_OF_ORDER: Final = {
    ("STARTTLS", SmtpState.CONNECTED): "send EHLO first",
    ("AUTH", SmtpState.CONNECTED): "send EHLO first",
    ("AUTH", SmtpState.SENDER): "AUTH is not allowed during a mail transaction",
    ("AUTH", SmtpState.RECIPIENTS): "AUTH is not allowed during a mail transaction",
    ("AUTH", SmtpState.CHUNKS): "AUTH is not allowed during a mail transaction",
    ("MAIL", SmtpState.CONNECTED): "send EHLO or HELO first",
    ("MAIL", SmtpState.SENDER): "a sender is given already; RSET starts again",
    ("MAIL", SmtpState.RECIPIENTS): "a sender is given already; RSET starts again",
    ("MAIL", SmtpState.CHUNKS): "a message is being sent; finish it with BDAT or give up with RSET",
    ("RCPT", SmtpState.CONNECTED): "send EHLO or HELO first",
    ("RCPT", SmtpState.READY): "send MAIL first",
    ("RCPT", SmtpState.CHUNKS): "a message is being sent; finish it with BDAT or give up with RSET",
    ("DATA", SmtpState.CONNECTED): "send EHLO or HELO first",
    ("DATA", SmtpState.READY): "send MAIL first",
    ("DATA", SmtpState.CHUNKS): "a message begun with BDAT goes on with BDAT",  # RFC 3030 §3
    **{
        ("XCLIENT", state): "XCLIENT is not allowed during a mail transaction"
        for state in (SmtpState.SENDER, SmtpState.RECIPIENTS, SmtpState.CHUNKS)
    },
    **{
        (row.verb, SmtpState.REJECTED): "nothing is taken from you here; send QUIT"
        for row in COMMANDS.values()
        if SmtpState.REJECTED not in row.states
    },
}


class KnownLines(dict[bytes, tuple[SmtpCommandRow, str, str]]):
    """Lines that keep all rules but those about order, as their row, their text and their argument.

    A test says the same few lines again and again.
    """

    MOST: Final = 1024
    LONGEST: Final = 256
    """In bytes."""

    def keep(self, raw: bytes, row: SmtpCommandRow, text: str, argument: str) -> None:
        """Keep a line if it is short, ends as it should, and can have no secrets.

        Nothing is kept of a command that belongs to an extension, such as AUTH.
        """
        if len(raw) <= self.LONGEST and not row.keyword and raw.endswith(b"\r\n"):
            if len(self) >= self.MOST:
                self.clear()
            self[raw] = row, text, argument


KNOWN_LINES: Final = KnownLines()
