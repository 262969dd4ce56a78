"""What is possible where: for each stage the actions, and the conditions that can be met there.

One row for each stage at which something can go wrong; each protocol has its rows in a module of its own. Stages that
can only be watched are listed with the reason. Whoever declares a fault is held to this table, the reference page
prints it, and the tests walk through it.
"""

from __future__ import annotations

from functools import cache
from types import MappingProxyType
from typing import Final, NamedTuple

from fakemail.faults.actions.action import FaultAction
from fakemail.faults.actions.answers import (
    Delay,
    DropReply,
    DuplicateReply,
    Garbage,
    Malformed,
    OversizedLine,
    PartialReply,
    Throttle,
    Trickle,
    WrongLineEnds,
)
from fakemail.faults.actions.connections import (
    CloseConnection,
    Drop,
    HangConnections,
    NoReply,
    RefuseConnections,
    Reset,
)
from fakemail.types.stage import Stage


class FaultSupport(NamedTuple):
    """What can go wrong at a stage."""

    stage: Stage
    actions: frozenset[type[FaultAction]]
    conditions: frozenset[str]
    """The fields of :class:`~fakemail.faults.context.Match` that can be met there."""


ENDINGS: Final = frozenset({CloseConnection, Drop, Reset, NoReply})
"""Possible wherever a server speaks: it ends, or says nothing more."""
ON_ANSWERS: Final = frozenset(
    {
        Delay,
        Trickle,
        Throttle,
        PartialReply,
        Garbage,
        OversizedLine,
        Malformed,
        WrongLineEnds,
        DuplicateReply,
        DropReply,
    }
)
"""Possible wherever a server answers."""
ALWAYS: Final = frozenset({"client", "connection", "service"})
"""Known from the moment at which somebody connects."""

CONNECT: Final = FaultSupport(
    Stage.CONNECT, frozenset({RefuseConnections, HangConnections, Drop, Reset, NoReply}), ALWAYS
)

WATCHED: Final = MappingProxyType(
    {
        Stage.PROXY: "it is what a client says before everything; let the greeting fail",
        Stage.DISCONNECT: "the connection is over",
        Stage.QUEUE: "refuse the message at smtp.end instead",
        Stage.ROUTE: "let DNS fail instead",
        Stage.ATTEMPT: "let the host fail that is tried",
        Stage.DEFER: "it is what a host does when others fail",
        Stage.RETURN: "it is what a host does when others fail",
        Stage.DELIVER: "give the account a quota, or refuse the message at smtp.end",
        Stage.REDIRECT: "let the host fail to which it goes on",
    }
)
"""Stages that can be watched only, and what to do instead."""


@cache
def rows() -> MappingProxyType[Stage, FaultSupport]:
    """The whole table."""
    from fakemail.faults.stages import dns, http, imap, pop3, smtp, tls

    return MappingProxyType(
        {
            row.stage: row
            for row in (CONNECT, *tls.ROWS, *dns.ROWS, *smtp.ROWS, *imap.ROWS, *pop3.ROWS, *http.ROWS)
        }
    )
