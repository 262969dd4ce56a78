"""What each trait of a host may be: one table and one check, for the TOML file and for ``host.change()`` alike.

Which keywords there are to hide is known where the protocols are known, and not here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final, NamedTuple, get_type_hints

from fakemail.errors import DeclarationError, nearest
from fakemail.model.host import Personality


class Kind(NamedTuple):
    """What a value may be: in words, and as a test."""

    says: str
    fits: Callable[[Any], bool]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


TEXT: Final = Kind("a string", lambda value: isinstance(value, str))
TEXTS: Final = Kind(
    "a list of strings",
    lambda value: (
        isinstance(value, str) or (isinstance(value, list) and all(isinstance(each, str) for each in value))
    ),
)
FLAG: Final = Kind("true or false", lambda value: isinstance(value, bool))
WHOLE: Final = Kind("a whole number from 0 up", lambda value: isinstance(value, int) and _is_number(value))
NUMBER: Final = Kind("a number from 0 up", _is_number)

_KIND_OF_TYPE: Final = {bool: FLAG, int: WHOLE, float: NUMBER, str: TEXT, frozenset[str]: TEXTS}


@cache
def personality_keys() -> Mapping[str, Kind]:
    """The traits of :class:`~fakemail.model.host.Personality`, which stand in a host's own table."""
    hints = get_type_hints(Personality)
    return {name: _KIND_OF_TYPE[hints[name]] for name in Personality.__dataclass_fields__}


def read_traits(host: str, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Traits as code gives them, checked: a text, or any collection of texts, makes a set.

    Raises :class:`~fakemail.errors.DeclarationError` that names the host and the trait.
    """
    keys = personality_keys()
    found: dict[str, Any] = {}
    for name, value in changes.items():
        kind = keys.get(name)
        if kind is None:
            raise DeclarationError(f"host {host!r}: there is no trait {name!r}; {nearest(name, keys)}")
        given = list(value) if kind is TEXTS and isinstance(value, set | frozenset | tuple) else value
        if not kind.fits(given):
            raise DeclarationError(f"host {host!r}: {name!r} must be {kind.says}, not {value!r}.")
        found[name] = frozenset([given] if isinstance(given, str) else given) if kind is TEXTS else given
    return found
