"""Declarations: plain values (a TOML table, keywords, the keywords of a mark) to typed objects, and back.

A class with annotated fields is the schema: ``Table(AutoReply, KINDS)`` has one key for each field, and ``KINDS``
says by annotation, or by the name of a field, what :class:`ValueKind` it is. Reading notes every mistake at its
:class:`Place` and goes on, so that all of them are reported at once; writing leaves out what is the default.
The printed reference of the keys goes by ``Table.keys``. Something else is declared in the same way::

    AUTO_REPLY = Table(AutoReply, KINDS)
    problems = Problems()
    reply = AUTO_REPLY.read({"text": "Away", "days": 3}, Place(problems))
    problems.raise_all()
    assert AUTO_REPLY.write(reply) == {"text": "Away", "days": 3}

A kind of its own is a :class:`ValueKind`: ``says`` what it takes, ``read`` gives the value or raises
:class:`InvalidValue`, ``write`` gives the plain value again; :func:`plain` makes one from two functions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import MISSING, field, fields, replace
from datetime import timedelta
from functools import cached_property
from types import NoneType
from typing import Any, Final, Generic, TypeAlias, TypeVar, get_args, get_type_hints

from fakemail.errors import DeclarationError, nearest
from fakemail.types.dataclass import dataclass

_T = TypeVar("_T")

Path: TypeAlias = tuple[str | int, ...]
"""Keys, and the places of tables in arrays of tables, from the outside in."""


class InvalidValue(Exception):
    """A value is not what its key takes. Each text goes on after the key; without one the kind says what it takes."""


class InvalidSentence(InvalidValue):
    """The same, where each text is a whole sentence."""


class Problems:
    """Mistakes, collected so that all of them are reported at once."""

    def __init__(self, source: str = "") -> None:
        self.source = source
        self.lines: list[str] = []

    @contextmanager
    def at(self, where: str) -> Iterator[None]:
        """Note a :class:`~fakemail.errors.DeclarationError` of the block instead of letting it out."""
        try:
            yield
        except DeclarationError as error:
            self.note(where, str(error))

    def note(self, where: str, text: str) -> None:
        """Note a mistake."""
        self.lines.append(f"{where}: {text}" if where else text)

    def raise_all(self, one: str = "", many: str = "") -> None:
        """Raise one :class:`~fakemail.errors.DeclarationError` with all of them, if there are any.

        ``one`` goes before a single one, ``many`` before several, with ``{count}`` for their number.
        """
        if not self.lines:
            return
        if len(self.lines) == 1:
            raise DeclarationError(one + self.lines[0])
        many = many or f"{{count}} mistakes in {self.source or 'the configuration'}:"
        told = sorted(self.lines, key=self._line)
        raise DeclarationError("\n  ".join([many.replace("{count}", str(len(told))), *told]))

    def _line(self, text: str) -> int:
        """The line that a mistake is on, 0 if it does not say."""
        number = text.removeprefix(f"{self.source}:" if self.source else "line ").partition(":")[0]
        return int(number) if number.isdecimal() else 0


def _table_names(table: Path, _: str | int | None) -> str:
    return ": ".join(map(repr, table))


@dataclass(frozen=True, slots=True)
class Place:
    """The place of a value, and what reading it there needs to know."""

    problems: Problems = field(default_factory=Problems)
    where: Callable[[Path, str | int | None], str] = _table_names
    """The words for a place: for keywords the tables around it, for a file the line."""
    shown: Callable[[object], str] = repr
    """Text of a value in a message."""
    table: Path = ()
    key: str | int | None = None
    domain: str = ""
    """The domain by which short addresses and names are completed."""
    check: Callable[[str, Any], list[str]] = lambda key, value: []
    """Mistakes in a value by the tables of protocols, a sentence for each thing."""

    @property
    def here(self) -> str:
        """The place in words."""
        return self.where(self.table, self.key)

    def at(self, key: str | int) -> Place:
        """The place of a key of the same table."""
        return replace(self, key=key)

    def inside(self, domain: str = "") -> Place:
        """The table or array that stands at the key."""
        table = self.table if self.key is None else (*self.table, self.key)
        return replace(self, table=table, key=None, domain=domain or self.domain)

    def note(self, text: str) -> None:
        """Note a mistake here."""
        self.problems.note(self.here, text)


def _same(value: Any, domain: str = "") -> Any:
    return value


@dataclass(frozen=True, slots=True)
class ValueKind:
    """The kind of a value: what it takes in words, how it is read, and how it is written as a plain value."""

    says: str
    read: Callable[[Any, Place], Any]
    write: Callable[[Any, str], Any] = _same
    """Is given the value, and the domain by which names may be shortened."""


def plain(says: str, read: Callable[[Any], Any], write: Callable[[Any], Any] = _same) -> ValueKind:
    """A kind of value that is read and written wherever it stands in the same way."""
    return ValueKind(says, lambda value, _: read(value), lambda value, _: write(value))


# Kinds ----------------------------------------------------------------------------------------------------


def require(is_good: bool, *texts: str) -> None:
    """Raise :class:`InvalidValue` unless something holds."""
    if not is_good:
        raise InvalidValue(*texts)


def is_number(value: object) -> bool:
    """Whether it is a number, and no truth value."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _fitting(fits: Callable[[Any], bool]) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        require(fits(value))
        return value

    return read


def read_texts(value: Any, *otherwise: str) -> tuple[str, ...]:
    """Texts from a lone one or from any collection of them; ``otherwise`` is said of anything else."""
    if isinstance(value, str):
        return (value,)
    require(isinstance(value, Iterable) and not isinstance(value, bytes | Mapping), *otherwise)
    texts = tuple(value)
    for each in texts:
        require(isinstance(each, str), *otherwise)
    return texts


LONGEST_SPAN: Final = timedelta(days=36_500)
"""A clock in which two of them follow each other does not run out of years."""


def read_span(value: Any) -> timedelta:
    """A duration, or a number of seconds."""
    if is_number(value):
        try:
            value = timedelta(seconds=value)
        except (OverflowError, ValueError):  # more than a calendar holds, or no number at all
            raise InvalidValue(f"cannot be {value} seconds.") from None
    require(
        isinstance(value, timedelta),
        f"is a duration such as minutes(5), or a number of seconds, not {value!r}.",
    )
    require(value <= LONGEST_SPAN, f"is a duration of {LONGEST_SPAN.days} days at most, not {value}.")
    if value < timedelta():
        raise InvalidValue(f"is a duration and cannot be negative: -{-value} (h:mm:ss).")
    span: timedelta = value
    return span


def write_span(span: timedelta) -> int | float:
    """Seconds, a whole number where it is one."""
    seconds = span.total_seconds()
    return int(seconds) if seconds.is_integer() else seconds


TEXT: Final = plain("a string", _fitting(lambda value: isinstance(value, str)))
TEXTS: Final = plain("a list of strings", read_texts, list)
TEXT_SET: Final = plain("a list of strings", lambda value: frozenset(read_texts(value)), sorted)
FLAG: Final = plain("true or false", _fitting(lambda value: isinstance(value, bool)))
WHOLE: Final = plain(
    "a whole number from 0 up",
    _fitting(lambda value: isinstance(value, int) and is_number(value) and value >= 0),
)
NUMBER: Final = plain("a number from 0 up", _fitting(lambda value: is_number(value) and value >= 0))
SPAN: Final = plain("a duration, or a number of seconds", read_span, write_span)
SECONDS: Final = ValueKind(
    NUMBER.says, lambda value, at: read_span(NUMBER.read(value, at)), lambda span, _: write_span(span)
)
KINDS: Final[Mapping[Any, ValueKind]] = {
    bool: FLAG,
    int: WHOLE,
    float: NUMBER,
    str: TEXT,
    tuple[str, ...]: TEXTS,
    frozenset[str]: TEXT_SET,
    timedelta: SECONDS,
}
"""The kinds of the usual annotations."""


def one_of(what: str, known: Mapping[str, Any], write: Callable[[Any], Any]) -> ValueKind:
    """One of some words, each of which stands for a value."""
    return plain("a string", lambda word: read_word(what, known, word), write)


def read_word(what: str, known: Mapping[str, Any], word: Any) -> Any:
    """The value that a word stands for."""
    require(isinstance(word, str))
    if word not in known:
        raise InvalidSentence(f"there is no {what} {word!r}; {nearest(word, known)}")
    return known[word]


# Tables ---------------------------------------------------------------------------------------------------


class Table(Generic[_T]):
    """The schema of a class: the keys of its table, and how the table is read and written.

    A key of ``extra`` is no field of the class: ``finish`` makes something of it, and it brings its own text for
    the reference. ``flat`` names fields whose own
    keys stand in the same table. ``always`` are written also where they are the default.
    """

    def __init__(
        self,
        make: type[_T],
        kinds: Mapping[Any, ValueKind | Table[Any] | None],
        *,
        says: str = "a table",
        usual: _T | None = None,
        extra: Mapping[str, tuple[ValueKind, str]] | None = None,
        flat: Mapping[str, Table[Any]] | None = None,
        always: Iterable[str] = (),
        unknown: str = "there is no key {key!r}; {hint}",
        wrong: str = "{key!r} must be {says}, not {value}.",
        finish: Callable[[dict[str, Any], Mapping[str, Any], Place], Any] | None = None,
        required: Callable[[Mapping[str, Any]], Iterable[str]] | None = None,
    ) -> None:
        self.says = says
        self.make: Any = make
        self._usual = usual
        self._kinds = kinds
        self._extra = {name: kind for name, (kind, _) in (extra or {}).items()}
        self.extra_says = {name: text for name, (_, text) in (extra or {}).items()}
        """Lines of the reference for keys that are no fields of the class."""
        self.flat = flat or {}
        self._always = frozenset(always)
        self._unknown = unknown
        self._wrong = wrong
        self._finish = finish or (lambda found, data, at: make(**found))
        self._required = required or (lambda _: self._without_default)

    @cached_property
    def own_keys(self) -> Mapping[str, ValueKind | Table[Any]]:
        """The keys that are fields of the class, and their kinds."""
        hints = get_type_hints(self.make)
        found: dict[str, ValueKind | Table[Any]] = {}
        for name in self._defaults:
            if name in self.flat or name == "where":
                continue
            kind = self._kinds[name] if name in self._kinds else self._kind_of(hints[name])
            if kind is not None:
                found[name] = kind
        return found

    @cached_property
    def keys(self) -> Mapping[str, ValueKind | Table[Any]]:
        """Every key, and its kind."""
        found = {**self.own_keys, **self._extra}
        for inner in self.flat.values():
            found |= inner.keys
        return found

    def _kind_of(self, hint: Any) -> ValueKind | Table[Any] | None:
        if hint not in self._kinds:
            [hint] = [each for each in get_args(hint) if each is not NoneType]
        return self._kinds[hint]

    @cached_property
    def _defaults(self) -> dict[str, Any]:
        if self._usual is not None:
            return {each.name: getattr(self._usual, each.name) for each in fields(self.make)}
        return {
            each.name: each.default if each.default_factory is MISSING else each.default_factory()
            for each in fields(self.make)
            if each.init
        }

    @cached_property
    def _without_default(self) -> list[str]:
        return [name for name in self.own_keys if self._defaults[name] is MISSING]

    def read(self, value: Any, at: Place, **given: Any) -> _T | None:
        """The object that a table describes, ``None`` if it cannot be; mistakes are noted at their places.

        ``given`` are fields that stand elsewhere, such as the name in the head of the table.
        """
        require(isinstance(value, Mapping))
        at = at.inside()
        found = {**given, **self.values(value, at)}
        required = list(self._required(value))
        missing = [repr(key) for key in required if key not in value]
        if missing:
            words = f"key {missing[0]} is" if len(missing) == 1 else f"keys {' and '.join(missing)} are"
            at.note(f"the {words} missing.")
        if missing or not set(required) <= found.keys():
            return None
        try:
            made: _T = self.build(found, value, at)
        except DeclarationError as error:  # the class has rules of its own
            at.note(str(error))
            return None
        return made

    def build(self, found: dict[str, Any], data: Mapping[str, Any], at: Place) -> Any:
        """The object from values that have been read."""
        for name, inner in self.flat.items():
            own = {key: found.pop(key) for key in inner._defaults if key in found}
            found[name] = inner.build(own, data, at)
        if "where" in self._defaults:
            found["where"] = at.here
        return self._finish(found, data, at)

    def values(self, data: Mapping[str, Any], at: Place) -> dict[str, Any]:
        """The values that could be read, by key."""
        found: dict[str, Any] = {}
        for key, value in data.items():
            here = at.at(key)
            kind = self.keys.get(key)
            if kind is None:
                here.note(self._unknown.format(key=key, hint=nearest(str(key), self.keys)))
                continue
            try:
                read = kind.read(value, here)
            except InvalidSentence as wrong:
                for text in wrong.args:
                    here.note(text)
            except InvalidValue as wrong:
                usual = self._wrong.format(key=key, says=kind.says, value=at.shown(value))
                for text in [f"{key!r} {each}" for each in wrong.args] or [usual]:
                    here.note(text)
            except DeclarationError as error:  # a value with rules of its own
                here.note(f"{key!r}: {error}")
            else:
                if read is not None:
                    found[key] = read
        return found

    def write(self, value: _T, domain: str = "") -> dict[str, Any]:
        """The table of an object, without what is the default."""
        found: dict[str, Any] = {}
        for name, kind in self.own_keys.items():
            mine = getattr(value, name)
            if name in self._always or mine != self._defaults[name]:
                found[name] = kind.write(mine, domain)
        for name, inner in self.flat.items():
            found |= inner.write(getattr(value, name), domain)
        return found


def tables(of: Table[Any], *, or_one: bool = False) -> ValueKind:
    """An array of tables, or one table alone where that is allowed; a lone one is written as such."""

    def read(value: Any, at: Place) -> tuple[Any, ...]:
        if or_one and isinstance(value, Mapping):
            found = [of.read(value, at)]
        else:
            require(isinstance(value, list) and all(isinstance(each, Mapping) for each in value))
            require(bool(value) or not or_one)
            inner = at.inside()
            found = [of.read(each, inner.at(number)) for number, each in enumerate(value)]
        return tuple(each for each in found if each is not None)

    def write(values: Iterable[Any], domain: str) -> Any:
        written = [of.write(each, domain) for each in values]
        return written[0] if or_one and len(written) == 1 else written

    says = "a table, or an array of them" if or_one else "an array of tables"
    return ValueKind(says, read, write)


def named_tables(
    of: Table[Any],
    name: Callable[[str, Place], Mapping[str, Any] | None],
    write_name: Callable[[Any], str],
) -> ValueKind:
    """Tables by name. ``name`` gives the fields that a name stands for, or notes what is wrong with it."""

    def read(value: Any, at: Place) -> tuple[Any, ...]:
        require(isinstance(value, Mapping))
        found = []
        for key, each in value.items():
            here = at.inside().at(key)
            if not isinstance(each, Mapping):
                here.note(f"{key!r} must be a table, not {at.shown(each)}.")
            elif (given := name(key, here)) is not None:
                found.append(of.read(each, replace(here, domain=given.get("name", "")), **given))
        return tuple(each for each in found if each is not None)

    def write(values: Iterable[Any], domain: str) -> dict[str, Any]:
        return {write_name(each): of.write(each, write_name(each)) for each in values}

    return ValueKind("a table", read, write)
