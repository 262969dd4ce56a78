"""What a scanner said about a message, whichever it was."""

from __future__ import annotations

from dataclasses import dataclass

from fakemail.policy.finding import AuthStatus, Finding
from fakemail.types.reason import Reason

_SHOWN = 12
_LONGEST = 300


@dataclass(frozen=True, slots=True)
class ScanRequest:
    """What scanners are told beside the message."""

    content: bytes
    client: str = ""
    """The address of the client in the fake internet."""
    helo: str = ""
    sender: str = ""
    """The reverse-path, empty for the null one."""
    recipients: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ScanResult:
    """The answer of one scanner."""

    scanner: str
    """Which it was: ``spamassassin``, ``rspamd``, ``clamav``."""
    is_bad: bool = False
    """Whether it calls the message spam, or found a virus."""
    score: float = 0.0
    required: float = 0.0
    """From which score on it calls a message spam; 0 for a scanner without scores."""
    names: tuple[str, ...] = ()
    """The rules that matched, or the viruses that were found."""
    advice: str = ""
    """What it says should be done, in its own word (rspamd's action)."""
    failure: str = ""
    """Why there is no answer; empty where there is one."""

    @property
    def finding(self) -> Finding:
        """The same for a chain of decisions."""
        if self.failure:
            return Finding(
                "scan",
                AuthStatus.TEMPERROR,
                f"{self.scanner}: {_harmless(self.failure)}",
                Reason.SCANNER_UNAVAILABLE,
            )
        named = ", ".join(self.names[:_SHOWN]) + (", ..." if len(self.names) > _SHOWN else "")
        scored = f"{self.score:g} of {self.required:g} points" if self.required else ""
        said = "; ".join(each for each in (self.advice, scored, named) if each) or "nothing"
        reason = Reason.SPAM if self.required else Reason.VIRUS
        return Finding(
            "scan",
            AuthStatus.FAIL if self.is_bad else AuthStatus.PASS,
            _harmless(f"{self.scanner} found {said}"),
            reason if self.is_bad else None,
            about=self.scanner if self.is_bad else "",
        )


def failed(scanner: str, why: str) -> ScanResult:
    """A scan that came to nothing."""
    return ScanResult(scanner, failure=why)


def _harmless(text: str) -> str:
    """What another program says, fit for a reply."""
    return ascii(text[:_LONGEST])[1:-1][:_LONGEST]
