"""Events as JSON lines, for programs that read the log from outside.

Field names are those of :mod:`fakemail.events.kinds`, and ``kind`` names the event's class. They
are stable: a field may be added, none changes its meaning.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from datetime import datetime
from enum import Enum
from functools import cache

from msgspec.structs import asdict

from fakemail.events.kinds import (
    ClientBytes,
    CommandCompleted,
    Event,
    MessageDelivered,
    MessageQueued,
    SmtpCommand,
)
from fakemail.events.secrets import mask_line
from fakemail.types.address import Address, NullPath
from fakemail.types.peer import Peer
from fakemail.types.reply import Reply

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
    found: dict[str, Json] = {"kind": _kind(type(event).__name__)}
    for name, value in asdict(event).items():
        if name == "head" and isinstance(event, MessageQueued | MessageDelivered):
            found["message_id"], found["subject"] = event.message_id, event.subject
        else:
            found[name] = _plain(value)
    if isinstance(event, SmtpCommand | CommandCompleted):
        found["line"] = mask_line(event.stage, event.line)
    return found


def _plain(value: object) -> Json:
    match value:
        case Peer():
            return {"address": value.address, "port": value.port, "name": value.name}
        case ClientBytes():
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


@cache
def _kind(name: str) -> str:
    """The name of a class in small letters, its words apart."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
