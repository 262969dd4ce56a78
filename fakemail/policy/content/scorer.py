"""From findings to a score, from the score to what is done, and the fields that tell of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from fakemail.errors import DeclarationError, nearest
from fakemail.policy.finding import Finding

STEPS: Final = ("tag", "quarantine", "refuse")
"""What can follow from a score, the mildest first."""
_MOST_STARS: Final = 50
_LINE: Final = 76


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From how many points on a message is tagged, put into Junk, or refused; ``None`` for never."""

    tag: float | None = 5.0
    quarantine: float | None = None
    refuse: float | None = None

    def step(self, score: float) -> str:
        """The severest of :data:`STEPS` that a score calls for, ``""`` for none."""
        reached = [name for name in STEPS if (limit := getattr(self, name)) is not None and score >= limit]
        return reached[-1] if reached else ""


@dataclass(frozen=True, slots=True)
class Score:
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


def score(findings: Iterable[Finding], *, required: float = 5.0) -> Score:
    """Add up the points of what was found."""
    found = [finding for finding in findings if finding.score]
    points = round(sum(finding.score for finding in found), 3)
    return Score(points, required, tuple(dict.fromkeys(finding.check for finding in found)))


def read_thresholds(value: object, *, where: str) -> Thresholds:
    """Thresholds as a test or a file gives them: ``{"tag": 5, "quarantine": 8, "refuse": 15}``, or ``True``.

    A threshold that is not given is never reached; ``True`` stands for a tag at 5 points. Raises
    :class:`~fakemail.errors.DeclarationError`.
    """
    if value is True:
        return Thresholds()
    if not isinstance(value, Mapping):
        raise DeclarationError(
            f"{where}: give thresholds such as {{'tag': 5, 'quarantine': 8, 'refuse': 15}}, not {value!r}."
        )
    given: dict[str, Any] = {"tag": None}
    for name, limit in value.items():
        if name not in STEPS:
            raise DeclarationError(f"{where}: there is no step {name!r}; {nearest(str(name), STEPS)}")
        if isinstance(limit, bool) or not isinstance(limit, int | float):
            raise DeclarationError(f"{where}: {name!r} must be a number of points, not {limit!r}.")
        given[name] = float(limit)
    limits = [given[name] for name in STEPS if given.get(name) is not None]
    if limits != sorted(limits):
        raise DeclarationError(
            f"{where}: a message is tagged before it is quarantined, and quarantined before it is refused, "
            f"so the points cannot be {dict(value)!r}."
        )
    return Thresholds(**given)


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
