"""What can go wrong with a TLS handshake, whatever the protocol."""

from __future__ import annotations

from typing import Final

from fakemail.faults.actions.answers import Delay, DropReply, Garbage, PartialReply, Throttle, Trickle
from fakemail.faults.actions.connections import Drop, NoReply, Reset
from fakemail.faults.actions.tls import OnlyCiphers, OnlyVersions, PresentCertificate, SendAlert
from fakemail.faults.catalogue import ALWAYS, FaultSupport
from fakemail.types.stage import Stage

ROWS: Final = (
    FaultSupport(
        Stage.TLS_HANDSHAKE,
        frozenset(
            {
                Drop, Reset, NoReply, Delay, Trickle, Throttle, PartialReply, Garbage, DropReply,
                SendAlert, PresentCertificate, OnlyVersions, OnlyCiphers,
            }
        ),
        ALWAYS | {"argument"},
    ),
)  # fmt: skip
