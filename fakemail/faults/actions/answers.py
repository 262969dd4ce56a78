"""What can happen to an answer on its way to the client, whatever the protocol.

The server has done what it was asked: a message is taken, a recipient is noted. Only its words suffer.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, Final

from fakemail.faults.actions.action import OnAnswer
from fakemail.faults.write_script import ConnectionEnd, Pause, Step

PAUSE: Final = timedelta(milliseconds=1)
LONG: Final = 1_000_000
NONSENSE: Final = bytes(range(0x80, 0xA0)) + b"\r\n"


@dataclass(frozen=True, slots=True)
class Delay(OnAnswer):
    """Answer late: on the fake clock to hosts of the fake internet, in real seconds to everybody else."""

    span: timedelta

    def script(self, answer: bytes) -> tuple[Step, ...]:
        return Pause(self.span), answer


@dataclass(frozen=True, slots=True)
class Trickle(OnAnswer):
    """Send the answer octet by octet, each in a segment of its own, with a pause between them."""

    pause: timedelta = PAUSE

    def script(self, answer: bytes) -> list[Step]:
        steps: list[Step] = []
        for octet in answer:
            steps += [bytes((octet,)), Pause(self.pause, is_real=True)]
        return steps[:-1]


@dataclass(frozen=True, slots=True)
class Throttle(OnAnswer):
    """Send the answer at so many octets a second, ten times a second."""

    rate: int

    def script(self, answer: bytes) -> list[Step]:
        size = max(1, self.rate // 10)
        pause = Pause(timedelta(seconds=size / self.rate), is_real=True)
        steps: list[Step] = []
        for start in range(0, len(answer), size):
            steps += [answer[start : start + size], pause]
        return steps[:-1]


@dataclass(frozen=True, slots=True)
class PartialReply(OnAnswer):
    """Send the first half of the answer and end the connection, or hang."""

    then: ConnectionEnd = ConnectionEnd.DROP

    arrives: ClassVar[bool] = False

    def script(self, answer: bytes) -> tuple[Step, ...]:
        return answer[: len(answer) // 2], self.then


@dataclass(frozen=True, slots=True)
class Garbage(OnAnswer):
    """Send these octets instead of the answer: nonsense, unless others are given."""

    octets: bytes = NONSENSE

    arrives: ClassVar[bool] = False

    def script(self, answer: bytes) -> tuple[Step, ...]:
        return (self.octets,)


@dataclass(frozen=True, slots=True)
class OversizedLine(OnAnswer):
    """Make the last line of the answer longer by so many octets than it was."""

    octets: int = LONG

    arrives: ClassVar[bool] = False

    def script(self, answer: bytes) -> tuple[Step, ...]:
        return (answer.removesuffix(b"\r\n") + b"x" * self.octets + b"\r\n",)


@dataclass(frozen=True, slots=True)
class Malformed(OnAnswer):
    """Send each line of the answer without its first octet: a code of two digits, a wrong tag, no plus sign."""

    arrives: ClassVar[bool] = False

    def script(self, answer: bytes) -> tuple[Step, ...]:
        return (b"".join(line[1:] for line in answer.splitlines(keepends=True)),)


@dataclass(frozen=True, slots=True)
class WrongLineEnds(OnAnswer):
    """End the lines of the answer with LF alone."""

    def script(self, answer: bytes) -> tuple[Step, ...]:
        return (answer.replace(b"\r\n", b"\n"),)


@dataclass(frozen=True, slots=True)
class DuplicateReply(OnAnswer):
    """Send the answer twice, so that the client takes the second for the answer to its next command."""

    def script(self, answer: bytes) -> tuple[Step, ...]:
        return (answer + answer,)


@dataclass(frozen=True, slots=True)
class DropReply(OnAnswer):
    """Do what was asked, and end the connection instead of saying so."""

    how: ConnectionEnd = ConnectionEnd.DROP

    arrives: ClassVar[bool] = False

    def script(self, answer: bytes) -> tuple[Step, ...]:
        return (self.how,)


@dataclass(frozen=True, slots=True)
class InjectBytes(OnAnswer):
    """Send these octets right behind the answer; behind that to STARTTLS they are in clear text."""

    name = "inject"

    octets: bytes

    def script(self, answer: bytes) -> tuple[Step, ...]:
        return (answer + self.octets,)
