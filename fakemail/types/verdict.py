"""Verdicts about commands and messages, apart from how any protocol says them."""

from __future__ import annotations

from enum import Enum
from typing import Final

from fakemail.types.dataclass import dataclass
from fakemail.types.reason import Reason
from fakemail.types.reply import Reply


class VerdictAction(Enum):
    """Action of the verdict."""

    ACCEPT = "accept"
    DEFER = "defer"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A decision, why, and a sentence about the case at hand.

    The edge of the protocol turns it into a reply: for SMTP :mod:`fakemail.smtp.replies`.
    """

    action: VerdictAction
    reason: Reason | None = None
    detail: str = ""
    reply: Reply | None = None
    """Exact reply to give; without one the session finds the reply by the reason."""

    @property
    def is_accepted(self) -> bool:
        """Whether it is done as asked."""
        return self.action is VerdictAction.ACCEPT


ACCEPTED: Final = Verdict(VerdictAction.ACCEPT)


def refused(reason: Reason, detail: str = "") -> Verdict:
    """Not now and not later."""
    return Verdict(VerdictAction.REFUSE, reason, detail)


def deferred(reason: Reason, detail: str = "") -> Verdict:
    """Not now, perhaps later."""
    return Verdict(VerdictAction.DEFER, reason, detail)
