"""How a handler of the receiving session says no: by an exception that carries the reply. Nothing is decided here."""

from __future__ import annotations

from fakemail.smtp import replies
from fakemail.terms.reason import Reason
from fakemail.terms.reply import Reply


class Refused(Exception):
    """A command is answered in the negative."""

    def __init__(self, reply: Reply, reason: Reason) -> None:
        self.reply = reply
        self.reason = reason


class Silence(Exception):
    """The connection ends without an answer."""


def no(reason: Reason, detail: str = "") -> Refused:
    """The refusal for a reason, with its usual reply."""
    return Refused(replies.refusal(reason, detail), reason)


def ungrammatical(detail: str) -> Refused:
    """The refusal of what cannot be read, with a sentence that says what would be right."""
    return Refused(replies.syntax(detail), Reason.BAD_SYNTAX)
