"""Handshakes that go wrong on purpose: what a server sends in place of its first flight. No sockets."""

from __future__ import annotations

from collections.abc import Sequence

from fakemail.faults.actions.action import FaultAction, Instead, OnAnswer
from fakemail.faults.actions.tls import SendAlert
from fakemail.faults.write_script import ConnectionEnd, Step
from fakemail.tls.alerts import alert_record
from fakemail.tls.layer import ServerLayer


def spoil_handshake(tls: ServerLayer, action: FaultAction) -> Sequence[Step] | None:
    """What goes over the connection after a ClientHello, as it is; ``None`` where TLS goes on by itself.

    TLS has heard the ClientHello and not begun.
    """
    match action:
        case Instead():
            return action.script()
        case SendAlert(alert):
            return alert_record(alert), ConnectionEnd.DROP
        case OnAnswer():
            tls.receive(b"")
            return action.script(tls.take_outgoing())
    return None
