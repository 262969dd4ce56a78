"""How a handler of the receiving session says no: by an exception that carries the reply. Nothing is decided here."""

from __future__ import annotations

from fakemail.smtp import replies
from fakemail.types.reason import Reason
from fakemail.types.reply import Reply


class CommandRejected(Exception):
    """A command is answered in the negative."""

    def __init__(self, reply: Reply, reason: Reason) -> None:
        self.reply = reply
        self.reason = reason


class HangUp(Exception):
    """The connection ends without an answer."""


def no(reason: Reason, detail: str = "") -> CommandRejected:
    """The refusal for a reason, with its usual reply."""
    return CommandRejected(replies.refusal(reason, detail), reason)


def ungrammatical(detail: str) -> CommandRejected:
    """The refusal of what cannot be read, with a sentence that says what would be right."""
    return CommandRejected(replies.syntax(detail), Reason.BAD_SYNTAX)
