"""Ends of a command: values that the session prints, and the refusals that end it early.

Here live the endings and their response codes (RFC 9051 §7.1, RFC 5530), also for what a store refuses. Bytes
are printed in :mod:`fakemail.imap.syntax.printing`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from fakemail.store import errors
from fakemail.types.dataclass import dataclass
from fakemail.types.reason import Reason


@dataclass(frozen=True, slots=True)
class Completed:
    """The command was carried out."""

    text: str = ""
    """Empty for the usual ``NAME completed.``"""
    code: str | bytes | None = None
    status: str = "OK"
    reason: Reason | None = None


class CommandRefused(Exception):
    """The command was not carried out: the tagged response is NO or BAD."""

    def __init__(
        self, status: str, text: str, *, code: str | bytes | None = None, reason: Reason | None = None
    ) -> None:
        super().__init__(text)
        self.done = Completed(text, code, status, reason)


class Streaming:
    """A command whose untagged responses are made only as fast as the client takes them.

    ``batches`` are whole responses in order, some at a time, none behind a long one; ``end`` is looked at when they
    are used up.
    """

    __slots__ = ("batches", "end")

    def __init__(self, batches: Iterator[list[bytes]], end: Completed) -> None:
        self.batches = batches
        self.end = end


class AwaitContinuation:
    """A command that waits for a line of the client: a SASL response, or DONE.

    ``on_line`` gets the line without its end, one character for each byte.
    """

    __slots__ = ("on_line", "prompt")

    def __init__(
        self, prompt: str | bytes, on_line: Callable[[str], Completed | Streaming | AwaitContinuation]
    ) -> None:
        self.prompt = prompt
        self.on_line = on_line


EXPUNGED: Final = Completed(
    "Some of the requested messages no longer exist.", "EXPUNGEISSUED", "NO", Reason.MESSAGE_GONE
)
"""RFC 5530 §3: another session has expunged a message that was to be changed or copied (RFC 2180 §4.2, §4.4)."""

Outcome = Completed | Streaming | AwaitContinuation


def bad(text: str, *, code: str | bytes | None = None, reason: Reason = Reason.BAD_SYNTAX) -> CommandRefused:
    """A BAD response: the client should not have sent this."""
    return CommandRefused("BAD", text, code=code, reason=reason)


def no(reason: Reason, text: str, *, code: str | bytes | None = None) -> CommandRefused:
    """A NO response: this cannot be done."""
    return CommandRefused("NO", text, code=code, reason=reason)


def store_refusal(error: errors.StoreError, *, target: bool = False) -> CommandRefused:
    """The NO response for an error of the store, with its response code.

    ``target`` is set for APPEND, COPY, MOVE and REPLACE, whose client may create the missing mailbox (RFC 9051
    §6.3.12).
    """
    code: str | None
    code, reason = next(
        (found for kind, found in _CODES.items() if isinstance(error, kind)), (None, Reason.NOT_ALLOWED)
    )
    if target and isinstance(error, errors.NoSuchMailbox):
        code = "TRYCREATE"
    text = str(error)
    return no(reason, text[:1].upper() + text[1:], code=code)


# RFC 5530 §3, RFC 6154 §3, RFC 9208 §4.3, RFC 9051 §7.1
_CODES: Final[dict[type[errors.StoreError], tuple[str, Reason]]] = {
    errors.NoSuchMailbox: ("NONEXISTENT", Reason.NO_SUCH_MAILBOX),
    errors.MailboxExists: ("ALREADYEXISTS", Reason.MAILBOX_EXISTS),
    errors.InvalidName: ("CANNOT", Reason.NOT_ALLOWED),
    errors.NotAllowed: ("CANNOT", Reason.NOT_ALLOWED),
    errors.HasChildren: ("HASCHILDREN", Reason.NOT_ALLOWED),
    errors.NoSuchSubscription: ("NONEXISTENT", Reason.NO_SUCH_MAILBOX),
    errors.SpecialUseRefused: ("USEATTR", Reason.NOT_ALLOWED),
    errors.OverQuota: ("OVERQUOTA", Reason.OVER_QUOTA),
    errors.LimitReached: ("LIMIT", Reason.LIMIT_REACHED),
}
