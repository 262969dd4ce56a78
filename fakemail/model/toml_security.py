"""Transport security in a configuration: signed zones and MTA-STS policies, to a description and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Final

from fakemail.model.host_options import TEXT, TEXTS, WHOLE, OptionKind
from fakemail.model.transport_security import MtaSts

SIGNED: Final = OptionKind("true, false or the name of a flaw", lambda value: isinstance(value, bool | str))
ZONE_KEYS: Final[Mapping[str, OptionKind]] = {"dnssec": SIGNED, "allow_transfer": TEXTS}
MTA_STS_KEYS: Final[Mapping[str, OptionKind]] = {"mode": TEXT, "max_age": WHOLE, "mx": TEXTS, "flaw": TEXT}


def read_mta_sts(found: Mapping[str, Any]) -> MtaSts:
    """A policy from a table whose values are of the right kind.

    Raises :class:`~fakemail.errors.DeclarationError` for what is no policy.
    """
    values: dict[str, Any] = {name: tuple(value) if name == "mx" else value for name, value in found.items()}
    return MtaSts(**values)


def write_mta_sts(policy: MtaSts) -> dict[str, object]:
    """The table of a policy; what is as usual is left out, but never the mode."""
    usual = MtaSts()
    values = {each.name: getattr(policy, each.name) for each in fields(MtaSts)}
    return {key: each for key, each in values.items() if key == "mode" or each != getattr(usual, key)}
