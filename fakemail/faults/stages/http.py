"""What can go wrong with requests over HTTPS, where MTA-STS policies are served."""

from __future__ import annotations

from typing import Final

from fakemail.faults.actions.answers import Delay, Garbage, HalfReply, LoseReply, Throttle, Trickle
from fakemail.faults.actions.connections import Drop, NoReply, Reset
from fakemail.faults.actions.http import GiveBody, GiveStatus
from fakemail.faults.table import ALWAYS, Row
from fakemail.terms.stage import Stage

ROWS: Final = (
    Row(
        Stage.HTTP_REQUEST,
        frozenset(
            {
                Drop, Reset, NoReply, Delay, Trickle, Throttle, HalfReply, Garbage, LoseReply,
                GiveStatus, GiveBody,
            }
        ),
        ALWAYS | {"argument"},
    ),
)  # fmt: skip
