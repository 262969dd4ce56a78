"""What can go wrong with a TLS handshake, whatever the protocol."""

from __future__ import annotations

from typing import Final

from fakemail.faults.actions.answers import Delay, Garbage, HalfReply, LoseReply, Throttle, Trickle
from fakemail.faults.actions.connections import Drop, NoReply, Reset
from fakemail.faults.actions.tls import OnlyCiphers, OnlyVersions, PresentCertificate, SendAlert
from fakemail.faults.table import ALWAYS, Row
from fakemail.terms.stage import Stage

ROWS: Final = (
    Row(
        Stage.TLS_HANDSHAKE,
        frozenset(
            {
                Drop, Reset, NoReply, Delay, Trickle, Throttle, HalfReply, Garbage, LoseReply,
                SendAlert, PresentCertificate, OnlyVersions, OnlyCiphers,
            }
        ),
        ALWAYS | {"argument"},
    ),
)  # fmt: skip
