"""What can happen to connections, whatever the protocol."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fakemail.faults.actions.action import FaultAction, Instead
from fakemail.faults.write_script import ConnectionEnd, Step


@dataclass(frozen=True, slots=True)
class RefuseConnections(FaultAction):
    """Do not listen: the system refuses whoever connects."""


@dataclass(frozen=True, slots=True)
class HangConnections(FaultAction):
    """Listen and take nobody in, as a server whose backlog is full: whoever connects waits."""


UNCOUNTED: Final = (RefuseConnections, HangConnections)
"""What the system does, without a word to us."""


@dataclass(frozen=True, slots=True)
class CloseConnection(FaultAction):
    """End the connection with the protocol's last words (421, BYE) instead of an answer."""

    name = "close"


@dataclass(frozen=True, slots=True)
class Drop(Instead):
    """End the connection instead of answering."""

    def script(self) -> tuple[Step, ...]:
        return (ConnectionEnd.DROP,)


@dataclass(frozen=True, slots=True)
class Reset(Instead):
    """Reset the connection (a TCP segment with RST) instead of answering."""

    def script(self) -> tuple[Step, ...]:
        return (ConnectionEnd.RESET,)


@dataclass(frozen=True, slots=True)
class NoReply(Instead):
    """Say nothing, now and ever, and keep the connection open."""

    def script(self) -> tuple[Step, ...]:
        return (ConnectionEnd.HANG,)
