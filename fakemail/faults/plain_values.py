"""Actions in plain values, as configurations write them: a name, or a table of a name and what belongs to it.

``"drop"``, ``{reply = "452 4.2.2 full"}``, ``{delay = 5}``. Octets are text in Latin-1, spans are seconds.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import cache
from typing import Any, Final

from fakemail.errors import DeclarationError, ProtocolError, nearest
from fakemail.faults.actions.action import FaultAction
from fakemail.faults.catalogue import rows
from fakemail.faults.write_script import ConnectionEnd, read_end
from fakemail.types.reply import Reply, read_reply


@cache
def kinds() -> Mapping[str, type[FaultAction]]:
    """Every action that is possible anywhere, by its name."""
    return {kind.name: kind for row in rows().values() for kind in row.actions}


def read_action(given: object) -> FaultAction:
    """An action from plain values. Raises :class:`~fakemail.errors.DeclarationError` with what is wrong."""
    if isinstance(given, FaultAction):
        return given
    values: Mapping[str, Any] | None
    if isinstance(given, str):
        name, values = given, {}
    elif isinstance(given, Mapping) and len(given) == 1:
        [(name, value)] = given.items()
        values = value if isinstance(value, Mapping) else None
    else:
        raise DeclarationError(
            'what a fault does is a name such as "drop", or one with what belongs to it, such as '
            f'{{ reply = "452 4.2.2 full" }}, not {given!r}.'
        )
    kind = kinds().get(name)
    if kind is None:
        raise DeclarationError(f"there is no action {name!r}; {nearest(str(name), kinds())}")
    fields = _fields(kind)
    if values is None:
        if len(fields) != 1:
            says = f"takes a table of {', '.join(fields)}" if fields else "takes nothing"
            raise DeclarationError(f"the action {name!r} {says}, not {value!r}.")
        values = {next(iter(fields)): value}
    for key in values:
        if key not in fields:
            raise DeclarationError(f"the action {name!r} has no {key!r}; {nearest(str(key), fields)}")
    missing = [
        key for key, field in fields.items() if field.default is dataclasses.MISSING and key not in values
    ]
    if missing:
        raise DeclarationError(f"the action {name!r} needs {' and '.join(missing)}: {{ {name} = ... }}.")
    made: FaultAction = kind(**{key: _read(name, fields[key], value) for key, value in values.items()})
    return made


def write_action(action: FaultAction) -> str | dict[str, object] | None:
    """The plain values of an action; ``None`` for one that cannot be written down."""
    values: dict[str, object] = {}
    for key, field in _fields(type(action)).items():
        if str(field.type) not in _KINDS:
            return None
        value = getattr(action, key)
        if value != field.default:
            values[key] = _KINDS[str(field.type)].write(value)
    if not values:
        return action.name
    return {action.name: next(iter(values.values())) if len(_fields(type(action))) == 1 else values}


def _fields(kind: type[FaultAction]) -> dict[str, dataclasses.Field[Any]]:
    found: dict[str, dataclasses.Field[Any]] = getattr(kind, "__dataclass_fields__", {})
    return {name: field for name, field in found.items() if not str(field.type).startswith("ClassVar")}


@dataclasses.dataclass(frozen=True)
class _ActionKind:
    says: str
    read: Callable[[Any], Any]
    write: Callable[[Any], object] = lambda value: value


def _reply(text: str) -> Reply:
    return read_reply([line.encode() for line in text.split("\n")])


def _span(value: Any) -> timedelta:
    if isinstance(value, timedelta):
        return value
    if isinstance(value, bool) or value < 0:
        raise ValueError(value)
    return timedelta(seconds=value)


def _whole(value: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(value)
    return value


def _text(value: str) -> str:
    if not isinstance(value, str):
        raise ValueError(value)
    return value


def _octets(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode("latin-1")


def _list(of: Callable[[Any], Any], into: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda values: into(of(value) for value in ([values] if isinstance(values, str) else values))


def _seconds(span: timedelta) -> int | float:
    seconds = span.total_seconds()
    return int(seconds) if seconds.is_integer() else seconds


_KINDS: Final = {
    "Reply": _ActionKind(
        'a reply such as "452 4.2.2 full"', _reply, lambda reply: reply.wire.decode().rstrip()
    ),
    "timedelta": _ActionKind("seconds", _span, _seconds),
    "ConnectionEnd": _ActionKind(
        '"drop", "reset" or "hang"',
        lambda value: value if isinstance(value, ConnectionEnd) else read_end(value),
        lambda end: end.value,
    ),
    "bytes": _ActionKind("octets, as text in Latin-1", _octets, lambda octets: octets.decode("latin-1")),
    "tuple[bytes, ...]": _ActionKind(
        "a list of octets, as texts in Latin-1",
        _list(_octets, tuple),
        lambda values: [octets.decode("latin-1") for octets in values],
    ),
    "tuple[str, ...]": _ActionKind("a list of texts", _list(_text, tuple), list),
    "tuple[tuple[str, ...], ...]": _ActionKind(
        "a list of lists of texts",
        _list(_list(_text, tuple), tuple),
        lambda sets: [list(values) for values in sets],
    ),
    "frozenset[str]": _ActionKind("a list of texts", _list(_text, frozenset), sorted),
    "int": _ActionKind("a whole number", _whole),
    "int | None": _ActionKind("a whole number", _whole),
    "bool": _ActionKind("true or false", bool),
    "str": _ActionKind("a text", _text),
}
"""What the fields of actions are, by their annotation."""


def _read(name: str, field: dataclasses.Field[Any], value: object) -> Any:
    kind = _KINDS.get(str(field.type))
    if kind is None:
        raise DeclarationError(
            f"the action {name!r} cannot be written down: it belongs to a running fake internet."
        )
    try:
        return kind.read(value)
    except DeclarationError:
        raise
    except (ValueError, TypeError, AttributeError, ProtocolError):
        raise DeclarationError(f"the action {name!r} takes {kind.says}, not {value!r}.") from None
