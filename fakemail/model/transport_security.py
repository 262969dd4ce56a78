"""Transport security of a domain as it is described: an MTA-STS policy, a signed zone.

They are published by ``fakemail.zones.tls_policy_records`` and ``fakemail.dns.dnssec``.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from fakemail.errors import DeclarationError, nearest
from fakemail.types.dataclass import dataclass

DNSSEC_FLAWS: Final = ("expired", "bogus", "missing_signature")
"""Flaws of the signatures of a zone."""
Signed: TypeAlias = bool | str
"""Whether a zone is signed with DNSSEC, or with which flaw."""

Mode = Literal["enforce", "testing", "none"]
STS_MODES: Final = ("enforce", "testing", "none")
STS_FLAWS: Final = ("not_found", "malformed", "too_large", "redirect")
"""Flaws of how a policy is served, beside those of its host's certificate."""
LONGEST_AGE: Final = 31557600
"""Seconds: about a year (RFC 8461 §3.2)."""


@dataclass(frozen=True, slots=True)
class MtaSts:
    """The MTA-STS policy of a domain (RFC 8461)."""

    mode: str = "enforce"
    """``enforce`` by default, ``testing`` or ``none``."""
    max_age: int = 604800
    """Seconds for which senders keep it, by the fake internet's clock; 604800 by default."""
    mx: tuple[str, ...] | None = None
    """The names that mail may go to, ``*.example.org`` for one label more; those of the mail hosts by default."""
    flaw: str | None = None
    """Flaw in serving it: ``not_found``, ``malformed``, ``too_large``, ``redirect``."""

    def __post_init__(self) -> None:
        """Raises :class:`~fakemail.errors.DeclarationError` for what is no policy."""
        if self.mode not in STS_MODES:
            raise DeclarationError(f"there is no MTA-STS mode {self.mode!r}; {nearest(self.mode, STS_MODES)}")
        # RFC 8461 §3.2: sts-policy-max-age-value = 1*10(DIGIT), at most 31557600.
        age = self.max_age
        if not isinstance(age, int) or isinstance(age, bool) or not 0 <= age <= LONGEST_AGE:
            raise DeclarationError(
                f"max_age is a whole number of seconds from 0 to {LONGEST_AGE}, not {age!r}."
            )
        if self.mx is not None and not (self.mx and all(self.mx)):
            # RFC 8461 §3.2: every mode but "none" needs one.
            raise DeclarationError(
                "an MTA-STS policy names one mail host at least, such as mx='mx1.example.org' or "
                "mx=['*.example.org']."
            )
        if self.flaw is not None and self.flaw not in STS_FLAWS:
            raise DeclarationError(
                f"there is no flaw {self.flaw!r} of policies; {nearest(self.flaw, STS_FLAWS)}"
            )


def check_signed(signed: Signed) -> None:
    """Raise :class:`~fakemail.errors.DeclarationError` for a flaw of signatures that there is not."""
    if isinstance(signed, str) and signed not in DNSSEC_FLAWS:
        raise DeclarationError(f"there is no flaw {signed!r} of signatures; {nearest(signed, DNSSEC_FLAWS)}")
