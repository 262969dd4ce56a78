"""One fault: where it strikes, when, and what happens then."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass, field
from typing import TypeAlias

from fakemail.terms.address import Path
from fakemail.terms.reply import Reply
from fakemail.terms.stage import Stage


@dataclass(frozen=True, slots=True)
class GiveReply:
    """Answer so, whatever the server would have said."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class RefuseConnections:
    """Do not listen: the system refuses whoever connects."""


@dataclass(frozen=True, slots=True)
class Drop:
    """End the connection instead of answering."""


Action: TypeAlias = GiveReply | RefuseConnections | Drop


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known at the moment at which a fault may strike."""

    sender: Path | None = None
    recipient: Path | None = None


@dataclass(frozen=True, slots=True)
class Where:
    """Whom it concerns: everybody, unless something is given.

    A pattern is a whole address, a domain written ``@example.org``, or has ``*`` in it.
    """

    sender: str | None = None
    recipient: str | None = None

    def fits(self, facts: Facts) -> bool:
        """Whether the facts are such."""
        return _fits(self.sender, facts.sender) and _fits(self.recipient, facts.recipient)

    def __str__(self) -> str:
        parts = [("sender", self.sender), ("recipient", self.recipient)]
        return "".join(f", {name} {value}" for name, value in parts if value is not None)


def _fits(pattern: str | None, path: Path | None) -> bool:
    if pattern is None:
        return True
    text = "" if path is None else str(path).lower()
    pattern = pattern.lower()
    if pattern.startswith("@"):
        return text.endswith(pattern)
    return fnmatch.fnmatchcase(text, pattern)


@dataclass(frozen=True, slots=True)
class When:
    """Which of the fitting moments it takes: all, unless something is given."""

    skip: int = 0
    """So many are let pass first."""
    times: int | None = None
    """So many are struck, then no more."""

    def strikes(self, occasion: int) -> bool:
        """Whether it strikes at the fitting moment of that number, counted from 1."""
        return occasion > self.skip and (self.times is None or occasion <= self.skip + self.times)


@dataclass(eq=False)
class Rule:
    """A fault in force, with its counts."""

    stage: Stage
    action: Action
    where: Where = Where()
    when: When = When()
    occasions: int = field(default=0, init=False)
    """How often everything fitted."""
    fired: int = field(default=0, init=False)
    """How often it struck."""

    def __str__(self) -> str:
        what = str(self.action.reply) if isinstance(self.action, GiveReply) else type(self.action).__name__
        return f"{self.stage}{self.where}: {what} (fired {self.fired} times)"
