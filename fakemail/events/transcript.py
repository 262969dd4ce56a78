"""The transcript: what was said on the wire and what the hosts did, for people to read.

Secrets are masked and what peers sent is made harmless here; nothing is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from enum import Enum

from fakemail.events.kinds import (
    Attempt,
    CommandCompleted,
    Connected,
    Deferred,
    Disconnected,
    Event,
    FaultFired,
    Handshake,
    MessageDelivered,
    MessageQueued,
    PolicyEvaluated,
    ProxyIdentified,
    Query,
    Redirected,
    Returned,
    Routed,
    SmtpCommand,
)
from fakemail.events.secrets import mask_line
from fakemail.events.text_layout import columns, shown
from fakemail.types.channel import NOTHING_SENT
from fakemail.types.reason import Reason
from fakemail.types.stage import Stage


class Order(Enum):
    """Layout of a transcript."""

    CONNECTION = "connection"
    """Each connection in one piece, at the place where it began."""
    TIME = "time"
    """Everything as it happened, with a column for the host and the connection."""


def transcript(
    events: Iterable[Event],
    *,
    connection: int | None = None,
    host: str | None = None,
    message: str | None = None,
    order: Order = Order.CONNECTION,
    short: bool = False,
) -> str:
    """The events as text, or those of one connection, one host or one queue id; ``""`` for none.

    A line with the date and time stands wherever it differs from what was last written. A ``short``
    one counts the keywords of a reply to EHLO instead of listing them.
    """
    wanted = [
        event
        for event in events
        if (connection is None or event.connection == connection)
        and (host is None or event.host == host)
        and (message is None or event.message == message)
    ]
    if order is Order.TIME:
        return "\n".join(_in_time(wanted, short))
    return "\n".join(_by_connection(wanted, short))


def _by_connection(events: list[Event], short: bool) -> Iterator[str]:
    groups: dict[object, list[Event]] = {}
    for event in events:
        place = (event.host, event.connection) if event.connection else event.number
        groups.setdefault(place, []).append(event)
    before: datetime | None = None
    for group in groups.values():
        first = group[0]
        is_dialogue = first.connection and not isinstance(first, Query)
        if is_dialogue and not isinstance(first, Connected):
            yield f"-- connection {first.connection} to {first.host}"
        for event in group:
            if (now := event.time.replace(microsecond=0)) != before:
                before = now
                yield _heading(now)
            indent = "   " if is_dialogue and not isinstance(event, Connected) else ""
            prefix = "" if isinstance(event, Connected | Query) or is_dialogue else f"{event.host}  "
            for line in lines(event, short=short):
                yield f"{indent}{prefix}{line}"


def _in_time(events: list[Event], short: bool) -> Iterator[str]:
    rows: list[tuple[str, ...]] = []
    before: datetime | None = None
    for event in events:
        if (now := event.time.replace(microsecond=0)) != before:
            before = now
            yield from columns(rows)
            rows.clear()
            yield _heading(now)
        place = f"#{event.connection}" if event.connection else ""
        rows += [(event.host, place, line) for line in lines(event, short=short)]
    yield from columns(rows)


def _heading(time: datetime) -> str:
    return f"== {time:%Y-%m-%d %H:%M:%S %Z}"


def lines(event: Event, *, short: bool = False) -> list[str]:
    """One event as lines, without its time and its host."""
    match event:
        case SmtpCommand():
            return _exchange(event, short)
        case CommandCompleted():
            return _command_lines(event)
        case Connected():
            who = f"{event.peer.name} [{event.peer.address}]:{event.peer.port}"
            return [f"-- connection {event.connection}: {shown(who)} to {event.host}, {event.protocol}"]
        case FaultFired():
            return [f"-- fault: {shown(event.action)}, at {event.stage}"]
        case ProxyIdentified():
            who = f"{event.client.name} [{event.client.address}]:{event.client.port}"
            return [shown(f"-- {event.how} of {event.by}: it speaks for {who}", limit=400)]
        case Disconnected():
            return [f"-- closed by the {event.by}{_why(event.reason, event.detail)}"]
        case Handshake():
            return [_handshake(event)]
        case Query():
            answer = "; ".join(shown(record) for record in event.records)
            text = f"dns: {event.client.name} asked {event.host} for {event.type} {event.name} ({event.transport})"
            return [f"{shown(text)}: {event.answer}{f', {answer}' if answer else ''}"]
        case MessageQueued():
            recipients = ", ".join(str(recipient) for recipient in event.recipients)
            text = f"{event.message} queued: {event.sender} to {recipients}, {event.size} octets"
            return [f"{shown(text, limit=1000)}, {shown(event.subject)!r}"]
        case Routed():
            hosts = ", ".join(event.mail_hosts) or "no mail host"
            text = f"{event.message} routed {event.domain} to {hosts}{_why(event.reason, event.detail)}"
            return [shown(text, limit=1000)]
        case Attempt():
            return [shown(_attempt(event), limit=1000)]
        case Deferred():
            text = f"{event.message} deferred for {event.recipient} until {event.until:%Y-%m-%d %H:%M:%S}"
            return [shown(f"{text}, after attempt {event.attempts}", limit=1000)]
        case Returned():
            why = "given up as too old" if event.expired else "given up"
            report = f", sender told by {event.report}" if event.report else ", sender not told"
            return [shown(f"{event.message} {why} for {event.recipient}{report}", limit=1000)]
        case MessageDelivered():
            text = f"{event.message} delivered for {event.recipient}: {event.account}, {event.mailbox}"
            return [f"{shown(text)}, UID {event.uid}"]
        case PolicyEvaluated():
            return [shown(f"-- {line}", limit=1000) for line in event.lines()]
        case Redirected():
            to = ", ".join(map(str, event.to)) or "nobody"
            text = f"{event.message} forwarded for {event.recipient} ({event.how}) to {to}"
            return [shown(f"{text}, as {', '.join(event.onward) or 'nothing'}", limit=1000)]
    raise TypeError(f"a transcript has no line for {type(event).__name__}")


def _exchange(event: SmtpCommand, short: bool) -> list[str]:
    found: list[str] = []
    if event.stage is Stage.SMTP_END:
        found.append("C: (end of message)")
    elif event.stage is not Stage.SMTP_BANNER:
        found.append(f"C: {shown(mask_line(event.stage, event.line))}".rstrip())
    if event.reply is None:
        dropped = event.reason is Reason.FAULT
        found.append("S: (dropped the connection)" if dropped else "S: (no reply)")
    elif short and event.stage is Stage.SMTP_HELO and len(event.reply.lines) > 2:
        first, *keywords = event.reply.lines
        found.append(f"S: {event.reply.code} {shown(first)} ({len(keywords)} keywords)")
    else:
        *continued, last = event.reply.lines
        found += [f"S: {event.reply.code}-{shown(line)}" for line in continued]
        found.append(f"S: {event.reply.code} {shown(last)}".rstrip())
    if event.reason is not None:
        found[-1] += f"   ({event.reason})"
    return found


def _command_lines(event: CommandCompleted) -> list[str]:
    found: list[str] = []
    if event.line:
        found.append(f"C: {shown(mask_line(event.stage, event.line))}".rstrip())
    data: list[str] = []
    if event.responses:
        lines = "1 response" if event.responses == 1 else f"{event.responses} responses"
        data.append(f"S: ({lines}, {event.size} octets)")
    said: list[str] = []
    if event.status != "*":
        code = f" [{event.code}]" if event.code else ""
        said.append(f"S: {shown(f'{event.status}{code} {event.text}')}".rstrip())
    # POP3 says first how it went, IMAP last.
    found += said + data if event.status == "+OK" else data + said
    if event.reason is not None and found:
        found[-1] += f"   ({event.reason})"
    return found


def _handshake(event: Handshake) -> str:
    name = f", asked for {event.server_name}" if event.server_name else ""
    if event.detail == NOTHING_SENT:
        return "-- no TLS handshake: the client sent nothing, and TLS begins with its ClientHello"
    if event.refused_by:
        alert = f" with alert {event.alert}" if event.alert else ""
        detail = f" ({event.detail})" if event.detail else ""
        return shown(f"-- TLS handshake refused by the {event.refused_by}{alert}{detail}{name}", limit=400)
    certificate = f", client certificate {event.client_certificate}" if event.client_certificate else ""
    return shown(f"-- {event.version} {event.cipher}{name}{certificate}", limit=400)


def _attempt(event: Attempt) -> str:
    where = f"{event.mail_host} [{event.address}]" if event.mail_host else "no host"
    reply = "no reply" if event.reply is None else str(event.reply)
    tls = f", {event.tls}" if event.tls else ""
    if event.policy not in ("", "opportunistic"):
        tls += f", TLS policy {event.policy}"
    onward = f", there {event.onward}" if event.onward else ""
    why = _why(event.reason, event.detail)
    return f"{event.message} tried at {where} for {event.recipient}, to {event.at}{tls}: {reply}{why}{onward}"


def _why(reason: object, detail: str) -> str:
    report = ": ".join(str(part) for part in (reason, detail) if part)
    return f" ({report})" if report else ""
