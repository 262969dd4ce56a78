"""The table of SPF cases in ``tests/data/spf.toml``, for our own check and for those of others."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class SpfCase:
    """One case."""

    about: str
    name: str
    zone: str
    """The records of its own; those of its group come beside them."""
    client: str
    sender: str
    """Empty for the null reverse-path."""
    helo: str
    results: tuple[str, ...]
    """What the RFC allows."""
    explanation: str | None

    @property
    def identity(self) -> str:
        """Whom SPF checks (RFC 7208 §2.4)."""
        return self.sender or f"postmaster@{self.helo}"


@dataclass(frozen=True)
class SpfGroup:
    """Cases about one section, and the records that they share."""

    about: str
    zone: str
    timeout: tuple[str, ...]
    cases: tuple[SpfCase, ...]


def _case(about: str, raw: dict[str, Any]) -> SpfCase:
    texts = raw.get("txt", ())
    own = [f'{raw["name"]}.example TXT "{text}"' for text in ([texts] if isinstance(texts, str) else texts)]
    results = raw["result"]
    return SpfCase(
        about,
        raw["name"],
        "\n".join([*own, raw.get("zone", ""), ""]),
        raw.get("client", "192.0.2.1"),
        raw.get("sender", f"ann@{raw['name']}.example"),
        raw.get("helo", "mail.example"),
        (results,) if isinstance(results, str) else tuple(results),
        raw.get("explanation"),
    )


def groups() -> Iterator[SpfGroup]:
    """All of them."""
    table = tomllib.loads((Path(__file__).parents[1] / "data" / "spf.toml").read_text())
    for group in table["group"]:
        about = group["about"].partition(" ")[2]
        cases = tuple(_case(about, each) for each in group["case"])
        yield SpfGroup(about, group.get("zone", ""), tuple(group.get("timeout", ())), cases)
