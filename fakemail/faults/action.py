"""Base classes of fault actions, and their fields: how each is checked, and how a configuration writes it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

from fakemail.errors import DeclarationError, ProtocolError
from fakemail.model.schema import InvalidValue, read_span, read_texts, write_span
from fakemail.types.dataclass import dataclass
from fakemail.types.reply import Reply, read_reply
from fakemail.types.stage import Stage
from fakemail.types.suggestions import Suggests
from fakemail.types.write_script import Step, read_end

if TYPE_CHECKING:
    from fakemail.faults.context import FaultContext, Match


class FaultAction(Suggests):
    """Action of a fault. Sessions carry out by themselves what neither of the kinds below describes.

    A subclass is a frozen dataclass. Its name is the name that tests and configurations use.
    """

    __slots__ = ()
    name: ClassVar[str]
    """The name of the class."""
    at: ClassVar[frozenset[Stage]] = frozenset()
    """The stages at which it is possible."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.name = cls.__name__

    @classmethod
    def of(cls, **fields: object) -> Self:
        """An action from its fields, each checked."""
        made = object.__new__(cls)
        made._fill(**fields)
        return made

    def _fill(self, **fields: object) -> None:
        """Set all fields, those that are not given to their defaults; for constructors that take several values."""
        for name, field in fields_of(type(self)).items():
            object.__setattr__(self, name, fields.get(name, field.default))
        self.__post_init__()

    def __post_init__(self) -> None:
        for name, field in fields_of(type(self)).items():
            kind, value = FIELD_KINDS.get(str(field.type)), getattr(self, name)
            try:
                checked = value if kind is None else kind.check(value)
            except DeclarationError:
                raise
            except (InvalidValue, ValueError, TypeError, AttributeError):
                says = "" if kind is None else kind.typed
                raise DeclarationError(f"{name} of a fault {says}, not {value!r}.") from None
            object.__setattr__(self, name, checked)
        self.check()

    def check(self) -> None:
        """Raise :class:`~fakemail.errors.DeclarationError` for values that mean nothing."""

    def check_match(self, where: Match) -> None:
        """Raise :class:`~fakemail.errors.DeclarationError` for what it cannot do under these conditions."""

    def concerns(self, stage: Stage, context: FaultContext) -> bool:
        """Whether it has anything to do there, when all conditions of a rule are met."""
        return True

    def __str__(self) -> str:
        values = ((field.default, getattr(self, name)) for name, field in fields_of(type(self)).items())
        given = [_shown(value) for default, value in values if value != default]
        return f"{self.name.replace('_', ' ')} {', '.join(given)}".rstrip()


class Instead(FaultAction):
    """The command is not carried out and nothing is answered: the script is all there is."""

    __slots__ = ()

    def script(self) -> Sequence[Step]:
        """Effect on the connection."""
        raise NotImplementedError


class OnAnswer(FaultAction):
    """The command is carried out, and only its answer is changed."""

    __slots__ = ()
    arrives: ClassVar[bool] = True
    """Whether the client gets an answer that it can read."""

    def script(self, answer: bytes) -> Sequence[Step]:
        """Effect on the answer."""
        raise NotImplementedError


class AlterMessage(FaultAction):
    """The message is accepted, but not as it came."""

    __slots__ = ()

    def apply(self, content: bytes) -> bytes:
        """The message that is delivered."""
        raise NotImplementedError


class TlsContextFault(FaultAction):
    """The server speaks TLS with other settings than its own."""

    __slots__ = ()


def fields_of(kind: type[FaultAction]) -> dict[str, dataclasses.Field[Any]]:
    """The fields of an action, by name."""
    return {field.name: field for field in dataclasses.fields(kind)} if dataclasses.is_dataclass(kind) else {}


def _shown(value: object) -> str:
    if isinstance(value, bytes):
        return repr(value[:40]).removeprefix("b")
    if isinstance(value, tuple | frozenset):
        return " ".join(sorted(map(_shown, value)))
    return str(value.value) if isinstance(value, Enum) else str(value)


# Fields -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class FieldKind:
    """Checker, reader and writer for fields of one type."""

    typed: str
    """Value that a constructor takes, behind "rate of a fault"."""
    plain: str
    """Value that a configuration has, behind "the action 'throttle' takes"."""
    check: Callable[[Any], object]
    """The value itself, or in its own type; raises ``InvalidValue``, ``TypeError`` or ``AttributeError``."""
    read: Callable[[Any], Any] = lambda value: value
    """From the plain value of a configuration to what a constructor takes."""
    write: Callable[[Any], object] = lambda value: value


def require_count(name: str, value: object, least: int) -> None:
    """Raise :class:`~fakemail.errors.DeclarationError` for what is no whole number from ``least`` on."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise DeclarationError(f"{name} of a fault is a whole number from {least} on, not {value!r}.")


def _require(value: Any, *kinds: type) -> Any:
    if not isinstance(value, kinds) or isinstance(value, bool):
        raise TypeError(value)
    return value


def _duration(value: timedelta) -> timedelta:
    return read_span(_require(value, timedelta))


def to_bytes(value: bytes | str) -> bytes:
    """The bytes of a text, or those that are given."""
    return value.encode() if isinstance(value, str) else bytes(_require(value, bytes))


def _read_bytes(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode("latin-1")


def _write_bytes(value: bytes) -> str:
    return value.decode("latin-1")


def _text(value: str) -> str:
    return str(_require(value, str))


def _many_bytes(values: Iterable[bytes | str]) -> tuple[bytes, ...]:
    return tuple(map(to_bytes, [values] if isinstance(values, bytes | str) else values))


def _read_many_bytes(values: Iterable[str | bytes]) -> tuple[bytes, ...]:
    return tuple(map(_read_bytes, [values] if isinstance(values, bytes | str) else values))


_NUMBER: Final = FieldKind("is a whole number", "a whole number", lambda value: _require(value, int))
FIELD_KINDS: Final = {
    "Reply": FieldKind(
        "is a Reply",
        'a reply such as "452 4.2.2 full"',
        lambda value: _require(value, Reply),
        lambda text: read_reply([line.encode() for line in text.split("\n")]),
        lambda reply: reply.wire.decode().rstrip(),
    ),
    "timedelta": FieldKind(
        "is a time such as seconds(2), from 0 up", "seconds", _duration, read_span, write_span
    ),
    "End": FieldKind(
        'is "drop", "reset" or "hang"',
        '"drop", "reset" or "hang"',
        read_end,
        write=lambda end: end.value,
    ),
    "bytes | str": FieldKind(
        "are bytes, or a text", "octets, as text in Latin-1", to_bytes, _read_bytes, _write_bytes
    ),
    "tuple[bytes, ...]": FieldKind(
        "are bytes, or texts",
        "a list of octets, as texts in Latin-1",
        _many_bytes,
        _read_many_bytes,
        lambda values: list(map(_write_bytes, values)),
    ),
    "tuple[str, ...]": FieldKind("are texts", "a list of texts", read_texts, write=list),
    "tuple[tuple[str, ...], ...]": FieldKind(
        "are lists of texts",
        "a list of lists of texts",
        lambda sets: tuple(map(read_texts, [sets] if isinstance(sets, str) else sets)),
        write=lambda sets: list(map(list, sets)),
    ),
    "frozenset[str]": FieldKind(
        "are texts", "a list of texts", lambda values: frozenset(read_texts(values)), write=sorted
    ),
    "int": _NUMBER,
    "int | None": dataclasses.replace(
        _NUMBER, check=lambda value: None if value is None else _require(value, int)
    ),
    "str": FieldKind("is a text", "a text", _text),
}
"""The kinds of fields, by their annotation. A field of any other kind cannot be written down."""


def read_field(action: str, field: dataclasses.Field[Any], value: object) -> object:
    """A field of an action from the plain value of a configuration."""
    kind = FIELD_KINDS.get(str(field.type))
    if kind is None:
        raise DeclarationError(
            f"the action {action!r} cannot be written down: it belongs to a running fake internet."
        )
    try:
        return kind.check(kind.read(value))
    except DeclarationError:
        raise
    except (InvalidValue, ValueError, TypeError, AttributeError, ProtocolError):
        raise DeclarationError(f"the action {action!r} takes {kind.plain}, not {value!r}.") from None
