"""What can go wrong: the actions of faults, for ``host.faults.add(stage, do=...)``.

Each function makes one. What is possible at which stage is in [the table of faults](faults.md).
"""

# A rule (rule.py) is put together from facts to match (facts.py), a choice of moments (when.py) and an action
# (actions/). The book of a host (book.py) decides, the register of the internet (register.py) tells each book what is
# in force, and table.py says what is possible where. Nothing here does any of it: sessions and shells ask the book
# and act. What must be done with octets and time is a script (steps.py) that a session hands to its connection.

from __future__ import annotations

from datetime import timedelta

from fakemail.faults.actions import answers as _answers
from fakemail.faults.actions import connections as _connections
from fakemail.faults.actions import smtp as _smtp
from fakemail.faults.actions.action import Action
from fakemail.faults.steps import read_end
from fakemail.terms.reply import Reply

# Connections --------------------------------------------------------------------------------------


def refuse_connections() -> Action:
    """Do not listen: the system refuses whoever connects."""
    return _connections.RefuseConnections()


def hang_connections() -> Action:
    """Let whoever connects wait, as a server does whose backlog is full."""
    return _connections.HangConnections()


def close() -> Action:
    """Say 421 (BYE in IMAP) instead of an answer, and end the connection."""
    return _connections.Close()


def drop() -> Action:
    """End the connection instead of answering."""
    return _connections.Drop()


def reset() -> Action:
    """Reset the connection (a TCP segment with RST) instead of answering."""
    return _connections.Reset()


def no_reply() -> Action:
    """Say nothing, now and ever, and keep the connection open."""
    return _connections.NoReply()


# Answers ------------------------------------------------------------------------------------------


def delay(span: timedelta) -> Action:
    """Answer late: by the fake clock to hosts of the fake internet, in real time to everybody else."""
    return _answers.Delay(span)


def trickle(pause: timedelta = _answers.PAUSE) -> Action:
    """Answer octet by octet, with a real pause between them."""
    return _answers.Trickle(pause)


def throttle(rate: int) -> Action:
    """Answer at so many octets a second."""
    return _answers.Throttle(rate)


def half_reply(then: str = "drop") -> Action:
    """Send half of the answer, and ``"drop"`` or ``"reset"`` the connection, or ``"hang"``."""
    return _answers.HalfReply(read_end(then))


def garbage(octets: bytes | str = _answers.NONSENSE) -> Action:
    """Send these octets instead of the answer."""
    return _answers.Garbage(_octets(octets))


def overlong(octets: int = _answers.LONG) -> Action:
    """Make the last line of the answer so much longer."""
    return _answers.Overlong(octets)


def malformed() -> Action:
    """Leave out the first octet of each line of the answer: a code of two digits, a wrong tag, no plus sign."""
    return _answers.Malformed()


def wrong_line_ends() -> Action:
    """End the lines of the answer with LF alone."""
    return _answers.WrongLineEnds()


def duplicate_reply() -> Action:
    """Answer twice: the client takes the second for the answer to its next command."""
    return _answers.DuplicateReply()


def lose_reply(how: str = "drop") -> Action:
    """Do what was asked and, instead of saying so, ``"drop"`` or ``"reset"`` the connection, or ``"hang"``."""
    return _answers.LoseReply(read_end(how))


def inject(octets: bytes | str) -> Action:
    """Send these octets right behind the answer: in clear text where that answers STARTTLS."""
    return _answers.Inject(_octets(octets))


# SMTP ---------------------------------------------------------------------------------------------


def reply(code: int | Reply, enhanced: str | None = None, text: str = "") -> Action:
    """Answer so. A command that is answered with 4yz or 5yz is not carried out."""
    return _smtp.GiveReply(code if isinstance(code, Reply) else Reply(code, enhanced, text))


def hide(*keywords: str) -> Action:
    """Leave these keywords out of the reply to EHLO, and know nothing of them."""
    return _smtp.Hide(frozenset(map(str.upper, keywords)))


def advertise(*keywords: str) -> Action:
    """Put these keywords into the reply to EHLO, though nothing stands behind them."""
    return _smtp.Advertise(keywords)


def keep_plaintext() -> Action:
    """Take what came in clear text behind STARTTLS for commands given over TLS."""
    return _smtp.KeepPlaintext()


def pretend_success() -> Action:
    """Say yes, and let the message disappear; at RCPT for that recipient."""
    return _smtp.PretendSuccess()


def deliver_twice() -> Action:
    """Take the message twice, and tell the client of one."""
    return _smtp.DeliverTwice()


def corrupt() -> Action:
    """Take the message with one letter of its body changed."""
    return _smtp.Corrupt()


def truncate(keep: int | None = None) -> Action:
    """Take the message with so many octets of its body, half of them unless told otherwise."""
    return _smtp.Truncate(keep)


def reorder() -> Action:
    """Take the message with the lines of its body in the opposite order."""
    return _smtp.Reorder()


def end_data_at(*ends: bytes | str) -> Action:
    """Take these octets for the end of the message as well: all known kinds of SMTP smuggling unless some are given."""
    return _smtp.EndDataAt(tuple(map(_octets, ends)) or _smtp.SMUGGLING)


def _octets(given: bytes | str) -> bytes:
    return given.encode() if isinstance(given, str) else given
