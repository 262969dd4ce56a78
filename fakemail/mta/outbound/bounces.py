"""Bounces and other delivery reports about queued messages (RFC 3461, RFC 3464), in the style of their host."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from fakemail.message.reports import bounce_styles
from fakemail.message.reports.dsn import DeliveryStatusReport, DsnAction, RecipientStatus
from fakemail.mta.outbound.queued_message import QueuedMessage, RecipientResult
from fakemail.types.address import Address


def write(
    message: QueuedMessage,
    action: DsnAction,
    results: Sequence[RecipientResult],
    *,
    to: Address,
    arrived: datetime,
    now: datetime,
    until: datetime | None,
    queue_id: str,
    style: str,
) -> bytes | None:
    """The report about some recipients of a message; ``None`` where a host of that style sends none.

    ``until`` is when the host gives up, ``queue_id`` that of the report itself.
    """
    envelope = message.envelope
    statuses = tuple(
        RecipientStatus(
            result.recipient,
            action,
            result.reply,
            result.reason,
            result.detail,
            result.remote if result.reply is not None else "",
            until,
            result.status,
        )
        for result in results
    )
    report = DeliveryStatusReport(
        host=message.host,
        to=to,
        statuses=statuses,
        original=message.content,
        arrived=arrived,
        now=now,
        message_id=f"<{queue_id}@{message.host}>",
        boundary=f"=_{queue_id}/{message.host}",
        envid=envelope.envid,
        # RFC 8689 §5: the header alone, and over verified TLS as well.
        ret="HDRS" if envelope.requiretls else envelope.ret,
        queue_id=message.queue_id,
    )
    return bounce_styles.write(report, style)
