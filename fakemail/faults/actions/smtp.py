"""What can happen in SMTP alone: to replies, to what a server offers, and to the message."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from fakemail.faults.actions.action import FaultAction
from fakemail.message.headers import body_offset
from fakemail.types.reply import Reply

SMUGGLING: tuple[bytes, ...] = (b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r\n.\r", b"\r\n.\n", b"\r.\r\n")
"""Ends of the message that are none, and that some servers have taken for one (SMTP smuggling)."""


@dataclass(frozen=True, slots=True)
class SendReply(FaultAction):
    """Answer so.

    With 4yz and 5yz the command is not carried out, whatever the server would have said. With 2yz and 3yz it is, and
    the reply stands in place of the positive one that the server has for it; what it refuses by itself stays refused.
    """

    name: ClassVar[str] = "reply"

    reply: Reply

    def __str__(self) -> str:
        return str(self.reply)


@dataclass(frozen=True, slots=True)
class Hide(FaultAction):
    """Leave these keywords out of the reply to EHLO, and know nothing of them afterwards."""

    keywords: frozenset[str]


@dataclass(frozen=True, slots=True)
class Advertise(FaultAction):
    """Put these keywords into the reply to EHLO, though nothing stands behind them."""

    keywords: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StarttlsInjection(FaultAction):
    """Take what came in clear text behind STARTTLS for commands given over TLS (the flaw of RFC 3207 §5)."""


@dataclass(frozen=True, slots=True)
class PretendSuccess(FaultAction):
    """Say yes, and let the message disappear: for all recipients, or at RCPT for that one."""


@dataclass(frozen=True, slots=True)
class DeliverTwice(FaultAction):
    """Take the message twice; the client is told of one."""


@dataclass(frozen=True, slots=True)
class AcceptSmuggledEnd(FaultAction):
    """Take these octets for the end of the message as well, as servers do that fall for SMTP smuggling."""

    ends: tuple[bytes, ...] = SMUGGLING


class AlterMessage(FaultAction):
    """The message is taken, but not as it came."""

    __slots__ = ()

    def apply(self, content: bytes) -> bytes:
        """What is taken in place of this."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Corrupt(AlterMessage):
    """Change one letter in the body, in the middle of it."""

    def apply(self, content: bytes) -> bytes:
        start = body_offset(content)
        for place in (*range((start + len(content)) // 2, len(content)), *range(start, len(content))):
            if chr(content[place]).isalnum() and content[place] < 0x80:
                return (
                    content[:place]
                    + (b"Y" if content[place : place + 1] == b"X" else b"X")
                    + content[place + 1 :]
                )
        return content + b"X\r\n"


@dataclass(frozen=True, slots=True)
class Truncate(AlterMessage):
    """Keep the header and the first half of the body only, or so many octets of the body."""

    keep: int | None = None

    def apply(self, content: bytes) -> bytes:
        start = body_offset(content)
        keep = (len(content) - start) // 2 if self.keep is None else self.keep
        return content[: start + keep]


@dataclass(frozen=True, slots=True)
class Reorder(AlterMessage):
    """Turn the order of the lines of the body round."""

    def apply(self, content: bytes) -> bytes:
        start = body_offset(content)
        return content[:start] + b"".join(reversed(content[start:].splitlines(keepends=True)))
