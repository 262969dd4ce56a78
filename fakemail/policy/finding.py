"""Finding of a check: a status, a named reason and a sentence. The disposition is chosen in ``chain``."""

from __future__ import annotations

from enum import StrEnum

from fakemail.types.dataclass import dataclass
from fakemail.types.reason import Reason
from fakemail.types.reply import Reply


class AuthStatus(StrEnum):
    """The words of RFC 8601 §2.7 for how a check came out; each is equal to its own text."""

    PASS = "pass"
    FAIL = "fail"
    SOFTFAIL = "softfail"
    NEUTRAL = "neutral"
    POLICY = "policy"
    """Technically good, but not acceptable here."""
    NONE = "none"
    """There was nothing to check."""
    TEMPERROR = "temperror"
    """It could not be checked now; later it may be."""
    PERMERROR = "permerror"
    """It cannot be checked: what was published is wrong."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check."""

    check: str
    """Which check it was: ``spf``, ``dnsbl``, ``headers``..."""
    status: AuthStatus
    sentence: str = ""
    """Why, for people: what was looked at and what was found."""
    reason: Reason | None = None
    """Why mail would be rejected for this; none where nothing is wrong."""
    score: float = 0.0
    """Points towards the thresholds of a content scorer."""
    about: str = ""
    """Subject of the finding, where a check looks at several things: the zone of a list, a header field.
    A policy can say by this what follows."""
    reply: Reply | None = None
    """The very words to turn mail away with, where the usual ones of the reason will not do."""
    fields: bytes = b""
    """Header fields that tell of it, complete lines, for the message where it is delivered."""
