"""Events as JSON lines, for programs that read the log from outside.

Field names are those of :mod:`fakemail.record.events`, and ``kind`` names the event's class. They
are stable: a field may be added, none changes its meaning.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from enum import Enum

from fakemail.record.events import Delivered, Event, Exchange, Octets, Queued, Told
from fakemail.record.secrets import mask_line
from fakemail.terms.address import Address, NullPath
from fakemail.terms.peer import Peer
from fakemail.terms.reply import Reply

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


def to_json_lines(events: Iterable[Event]) -> str:
    """One JSON object for each event and line, with secrets masked; ``""`` for no events.

    Times are ISO 8601 with their zone, stages and reasons are their values, addresses are text with
    ``<>`` for the null path, replies and peers are objects. The text is ASCII: what is not shows as
    ``\\uNNNN``, undecodable octets as lone surrogates U+DC80 to U+DCFF.
    """
    return "".join(f"{json.dumps(to_object(event))}\n" for event in events)


def to_object(event: Event) -> dict[str, Json]:
    """One event as what JSON knows, with secrets masked."""
    found: dict[str, Json] = {"kind": type(event).__name__.lower()}
    for name, value in zip(event._fields, event, strict=True):
        if name == "head" and isinstance(event, Queued | Delivered):
            found["message_id"], found["subject"] = event.message_id, event.subject
        else:
            found[name] = _plain(value)
    if isinstance(event, Exchange | Told):
        found["line"] = mask_line(event.stage, event.line)
    return found


def _plain(value: object) -> Json:
    match value:
        case Peer():
            return {"address": value.address, "port": value.port, "name": value.name}
        case Octets():
            return {
                "was_hasty": value.was_hasty,
                "is_bare": value.is_bare,
                "is_unstuffed": value.is_unstuffed,
            }
        case Reply():
            return {"code": value.code, "enhanced": value.enhanced, "text": value.text}
        case Enum():
            return str(value.value)
        case datetime():
            return value.isoformat()
        case Address() | NullPath():
            return str(value)
        case tuple():
            return [_plain(item) for item in value]
        case None | bool() | int() | float() | str():
            return value
        case _:
            return str(value)
