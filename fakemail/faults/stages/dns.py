"""What can go wrong with the answers of the name server."""

from __future__ import annotations

from typing import Final

from fakemail.faults.actions.answers import Delay, Garbage
from fakemail.faults.actions.connections import Drop, NoReply, Reset
from fakemail.faults.actions.dns import (
    ClaimAuthentic,
    CnameLoop,
    DuplicateRecords,
    LameDelegation,
    MalformedAnswer,
    NoAdditional,
    NoData,
    Rcode,
    Records,
    RotateRecords,
    ShuffleRecords,
    SplitText,
    StaleAnswer,
    TruncateAnswer,
    Ttl,
    WrongId,
    WrongQuestion,
)
from fakemail.faults.catalogue import FaultSupport
from fakemail.types.stage import Stage

ROWS: Final = (
    FaultSupport(
        Stage.DNS_QUERY,
        frozenset(
            {
                Delay, Garbage, Drop, Reset, NoReply,
                Rcode, NoData, Records, RotateRecords, StaleAnswer, CnameLoop, LameDelegation,
                SplitText, ShuffleRecords, DuplicateRecords, Ttl, NoAdditional, ClaimAuthentic,
                TruncateAnswer, WrongId, WrongQuestion, MalformedAnswer,
            }
        ),
        frozenset({"client", "query", "query_type", "transport"}),
    ),
)  # fmt: skip
