"""What can happen where mail is read: what IMAP and POP3 have in common, then what each has of its own."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar, Final

from fakemail.faults.actions.action import FaultAction, OnAnswer
from fakemail.faults.write_script import ConnectionEnd, Step

_BY_FAULT: Final = "not today"
_LITERAL: Final = re.compile(rb"\{(\d+)\}\r\n")
_OCTETS: Final = re.compile(rb"\+OK (\d+) octets")
_NUMBER_AND_NEWS: Final = re.compile(rb"\* \d+ (EXISTS|RECENT|EXPUNGE)\r\n|\* VANISHED [^\r]*\r\n")


@dataclass(frozen=True, slots=True)
class Refuse(FaultAction):
    """Refuse the command: ``NO [code] text``, or ``BAD`` in IMAP; ``-ERR [code] text`` in POP3."""

    code: str = ""
    """Without brackets: ``UNAVAILABLE``, ``OVERQUOTA``, ``IN-USE``, ``SYS/TEMP``..."""
    text: str = _BY_FAULT
    status: str = "NO"
    """``NO`` or ``BAD``; POP3 has one only."""


@dataclass(frozen=True, slots=True)
class FakeSuccess(FaultAction):
    """Say that the command was carried out, and do nothing."""


@dataclass(frozen=True, slots=True)
class RemoveMessage(FaultAction):
    """Before the command is carried out, somebody else removes a message of the mailbox (INBOX if none is selected)."""

    number: int = 1
    """Counted from 1; -1 is the last."""


@dataclass(frozen=True, slots=True)
class BumpUidvalidity(FaultAction):
    """Before the command is carried out, the mailbox is rebuilt: another UIDVALIDITY, other uids."""


@dataclass(frozen=True, slots=True)
class CloseAfterReply(OnAnswer):
    """Answer, and end the connection behind that, or hang."""

    then: ConnectionEnd = ConnectionEnd.DROP

    def script(self, answer: bytes) -> tuple[Step, ...]:
        return answer, self.then


@dataclass(frozen=True, slots=True)
class WrongSize(OnAnswer):
    """Say of a message that it is so many octets longer than it is (shorter by a negative number)."""

    by: int = 1

    def script(self, answer: bytes) -> tuple[Step, ...]:
        def other(match: re.Match[bytes]) -> bytes:
            return match[0].replace(match[1], b"%d" % max(0, int(match[1]) + self.by))

        size = _OCTETS if answer.startswith(b"+OK") else _LITERAL
        return (size.sub(other, answer, count=1),)


# IMAP ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ByeMidResponse(OnAnswer):
    """Say the first half of what is to be told, then BYE, and close (RFC 9051 §7.1.5)."""

    code: str = "UNAVAILABLE"
    text: str = "The server is going down."

    def script(self, answer: bytes) -> tuple[Step, ...]:
        told = responses(answer)[:-1]
        code = f"[{self.code}] " if self.code else ""
        return b"".join(told[: len(told) // 2]) + f"* BYE {code}{self.text}\r\n".encode(), ConnectionEnd.DROP


@dataclass(frozen=True, slots=True)
class TruncateLiteral(OnAnswer):
    """End the connection, or hang, in the middle of the first literal; behind the half if there is none."""

    then: ConnectionEnd = ConnectionEnd.DROP
    arrives: ClassVar[bool] = False

    def script(self, answer: bytes) -> tuple[Step, ...]:
        match = _LITERAL.search(answer)
        end = len(answer) // 2 if match is None else match.end() + int(match[1]) // 2
        return answer[:end], self.then


@dataclass(frozen=True, slots=True)
class SuppressUntagged(OnAnswer):
    """Say nothing of messages that have come or gone: no EXISTS, no EXPUNGE."""

    def script(self, answer: bytes) -> tuple[Step, ...]:
        told = [each for each in responses(answer) if _NUMBER_AND_NEWS.fullmatch(each) is None]
        return (b"".join(told),)


@dataclass(frozen=True, slots=True)
class SendUntagged(OnAnswer):
    """Say these untagged responses before the answer: ``3 EXISTS``, ``OK [ALERT] Maintenance``..."""

    responses: tuple[str, ...]

    def script(self, answer: bytes) -> tuple[Step, ...]:
        return ("".join(f"* {each}\r\n" for each in self.responses).encode() + answer,)


def responses(answer: bytes) -> list[bytes]:
    """The responses of an IMAP server, each with its literals (RFC 9051 §4.3)."""
    found: list[bytes] = []
    start = at = 0
    while at < len(answer):
        end = answer.find(b"\n", at) + 1 or len(answer)
        match = _LITERAL.search(answer, at, end)
        if match is not None and match.end() == end:
            at = end + int(match[1])
            continue
        found.append(answer[start:end])
        start = at = end
    return [*found, answer[start:]] if start < len(answer) else found


# POP3 ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class NoFinalDot(OnAnswer):
    """Leave the dot out that ends a long answer."""

    def script(self, answer: bytes) -> tuple[Step, ...]:
        return (answer[:-3] if answer.endswith(b"\r\n.\r\n") else answer,)


@dataclass(frozen=True, slots=True)
class ChangeUidl(OnAnswer):
    """Call each message otherwise than before, so that clients take all of them for new."""

    prefix: str = "other-"

    def script(self, answer: bytes) -> tuple[Step, ...]:
        head, line_end, rest = answer.partition(b"\r\n")
        prefix = self.prefix.encode()
        if not rest:
            return (re.sub(rb"^\+OK (\d+) ", rb"+OK \1 " + prefix, head) + line_end,)
        return (head + line_end + re.sub(rb"(?m)^(\d+) ", rb"\1 " + prefix, rest),)
