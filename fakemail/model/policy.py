"""What a domain's mail hosts check before they take mail for it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Policy:
    """The checks of a domain; nothing is checked unless it is asked for."""

    greylist: timedelta | None = None
    """How long an unknown sender has to wait before a second try is taken (RFC 6647)."""
