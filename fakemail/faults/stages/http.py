"""What can go wrong with requests over HTTPS, where MTA-STS policies are served."""

from __future__ import annotations

from typing import Final

from fakemail.faults.actions.answers import Delay, DropReply, Garbage, PartialReply, Throttle, Trickle
from fakemail.faults.actions.connections import Drop, NoReply, Reset
from fakemail.faults.actions.http import HttpBody, HttpStatus
from fakemail.faults.catalogue import ALWAYS, FaultSupport
from fakemail.types.stage import Stage

ROWS: Final = (
    FaultSupport(
        Stage.HTTP_REQUEST,
        frozenset(
            {
                Drop, Reset, NoReply, Delay, Trickle, Throttle, PartialReply, Garbage, DropReply,
                HttpStatus, HttpBody,
            }
        ),
        ALWAYS | {"argument"},
    ),
)  # fmt: skip
