"""Score of findings, and the header fields that tell of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from fakemail.message.trace import prepend, without_fields
from fakemail.policy.finding import Finding

_MOST_STARS: Final = 50
_LINE: Final = 76


@dataclass(frozen=True, slots=True)
class SpamScore:
    """What a scorer made of a message."""

    points: float
    required: float
    """From how many points on it is called spam."""
    checks: tuple[str, ...]
    """The names of the checks that gave points."""

    @property
    def is_spam(self) -> bool:
        """Whether it has the points that are required."""
        return self.points >= self.required

    def fields(self) -> bytes:
        """The header fields that filters write, and that mail programs and apps read, as complete lines.

        ``X-Spam-Flag``, ``X-Spam-Score``, ``X-Spam-Level`` and ``X-Spam-Status`` in the form of SpamAssassin.
        """
        words = "YES" if self.is_spam else "NO"
        lines = [f"X-Spam-Flag: {words}", f"X-Spam-Score: {self.points:.1f}"]
        stars = "*" * min(_MOST_STARS, max(0, int(self.points)))
        if stars:
            lines.append(f"X-Spam-Level: {stars}")
        status = f"X-Spam-Status: {words.capitalize()}, score={self.points:.1f} required={self.required:.1f}"
        lines += _folded(status, self.checks or ("none",))
        return "".join(f"{line}\r\n" for line in lines).encode("ascii", "replace")


def score(findings: Iterable[Finding], *, required: float = 5.0) -> SpamScore:
    """Add up the points of what was found."""
    found = [finding for finding in findings if finding.score]
    points = round(sum(finding.score for finding in found), 3)
    return SpamScore(points, required, tuple(dict.fromkeys(finding.check for finding in found)))


def with_fields(raw: bytes, fields: bytes) -> bytes:
    """A message with these fields in front, and without those of a filter that it came with, which could be forged."""
    return prepend(without_fields(raw, "x-spam-"), fields)


def _folded(start: str, checks: Iterable[str]) -> list[str]:
    """The status with its list of checks, folded where lines would grow too long (RFC 5322 §2.2.3)."""
    lines = [start]
    line = "\ttests="
    for at, name in enumerate(checks):
        piece = f",{name}" if at else name
        if len(line) + len(piece) > _LINE and at:
            lines.append(f"{line},")
            line, piece = "\t", name
        line += piece
    return [*lines, line]
