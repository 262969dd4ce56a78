"""What can go wrong with the answers of the name server."""

from __future__ import annotations

from typing import Final

from fakemail.faults.actions.answers import Delay, Garbage
from fakemail.faults.actions.connections import Drop, NoReply, Reset
from fakemail.faults.actions.dns import (
    AnswerInTurn,
    ClaimAuthentic,
    CnameLoop,
    DuplicateRecords,
    GiveRcode,
    GiveRecords,
    GiveTtl,
    LameDelegation,
    MalformedAnswer,
    NoAdditional,
    NoData,
    ShuffleRecords,
    SplitText,
    StaleAnswer,
    TruncateAnswer,
    WrongId,
    WrongQuestion,
)
from fakemail.faults.table import Row
from fakemail.terms.stage import Stage

ROWS: Final = (
    Row(
        Stage.DNS_QUERY,
        frozenset(
            {
                Delay, Garbage, Drop, Reset, NoReply,
                GiveRcode, NoData, GiveRecords, AnswerInTurn, StaleAnswer, CnameLoop, LameDelegation,
                SplitText, ShuffleRecords, DuplicateRecords, GiveTtl, NoAdditional, ClaimAuthentic,
                TruncateAnswer, WrongId, WrongQuestion, MalformedAnswer,
            }
        ),
        frozenset({"client", "query", "query_type", "transport"}),
    ),
)  # fmt: skip
