"""DKIM keys in a configuration: the table of each, to a description and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from datetime import timedelta
from typing import Any, Final

from fakemail.errors import DeclarationError
from fakemail.model.dkim import Dkim
from fakemail.model.host_options import FLAG, NUMBER, TEXT, TEXTS, OptionKind

DKIM_KEYS: Final[Mapping[str, OptionKind]] = {
    "selector": TEXT,
    "algorithm": TEXT,
    "sign": FLAG,
    "canonicalization": TEXT,
    "headers": TEXTS,
    "oversign": TEXTS,
    "body_length": FLAG,
    "expires": NUMBER,
}


def read_dkim(found: Mapping[str, Any]) -> Dkim:
    """A key from a table whose values are of the right kind.

    Raises :class:`~fakemail.errors.DeclarationError` for words that mean nothing.
    """
    values: dict[str, Any] = {
        name: tuple(value) if DKIM_KEYS[name] is TEXTS else value for name, value in found.items()
    }
    if "expires" in values:
        try:
            values["expires"] = timedelta(seconds=values["expires"])
        except (OverflowError, ValueError):  # more than a calendar holds, or no number at all
            raise DeclarationError(f"'expires' cannot be {values['expires']} seconds.") from None
    return Dkim(**values)


def write_dkim(dkim: Dkim) -> dict[str, object]:
    """The table of a key; what is as usual is left out, but never the selector."""
    return dict(_pairs(dkim))


def _pairs(dkim: Dkim) -> Iterator[tuple[str, object]]:
    usual = Dkim()
    for each in fields(Dkim):
        value = getattr(dkim, each.name)
        if value == getattr(usual, each.name) and each.name != "selector":
            continue
        if isinstance(value, timedelta):
            seconds = value.total_seconds()
            value = int(seconds) if seconds.is_integer() else seconds
        yield each.name, value
