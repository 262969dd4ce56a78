"""What each trait of a host may be: one table and one check, for the TOML file and for ``host.configure()`` alike.

Which keywords there are to hide is known where the protocols are known, and not here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final, NamedTuple, get_type_hints

from fakemail.errors import nearest
from fakemail.model.host import WORDS, HostOptions, wrong_words


class OptionKind(NamedTuple):
    """What a value may be: in words, and as a test."""

    says: str
    fits: Callable[[Any], bool]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


TEXT: Final = OptionKind("a string", lambda value: isinstance(value, str))
TEXTS: Final = OptionKind(
    "a list of strings",
    lambda value: (
        isinstance(value, str) or (isinstance(value, list) and all(isinstance(each, str) for each in value))
    ),
)
FLAG: Final = OptionKind("true or false", lambda value: isinstance(value, bool))
WHOLE: Final = OptionKind(
    "a whole number from 0 up", lambda value: isinstance(value, int) and _is_number(value)
)
NUMBER: Final = OptionKind("a number from 0 up", _is_number)

_KIND_OF_TYPE: Final = {bool: FLAG, int: WHOLE, float: NUMBER, str: TEXT, frozenset[str]: TEXTS}


@cache
def personality_keys() -> Mapping[str, OptionKind]:
    """The traits of :class:`~fakemail.model.host.HostOptions`, which stand in a host's own table."""
    hints = get_type_hints(HostOptions)
    return {name: _KIND_OF_TYPE[hints[name]] for name in HostOptions.__dataclass_fields__}


def read_traits(changes: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Traits as code gives them: a text, or any collection of texts, makes a set.

    Those that can be, and a sentence for each thing that is wrong with the others.
    """
    keys = personality_keys()
    found: dict[str, Any] = {}
    wrong: list[str] = []
    for name, value in changes.items():
        kind = keys.get(name)
        if kind is None:
            wrong.append(f"there is no trait {name!r}; {nearest(name, keys)}")
            continue
        given = list(value) if kind is TEXTS and isinstance(value, set | frozenset | tuple) else value
        if not kind.fits(given):
            wrong.append(f"{name!r} must be {kind.says}, not {value!r}.")
            continue
        found[name] = frozenset([given] if isinstance(given, str) else given) if kind is TEXTS else given
        wrong += wrong_words(name, found[name]) if name in WORDS else []
    return found, wrong
