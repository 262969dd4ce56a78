"""Addresses that say what shall happen to their mail: a convention that mox has made popular (``mox localserve``).

A local part that ends in ``temperror``, ``permerror``, a code such as ``452``, or ``timeout`` is refused so, or not
answered, at the end of the message. One that begins with ``rcptto`` is at RCPT, a sender that begins with
``mailfrom`` at MAIL.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, NamedTuple

from fakemail.faults.actions.action import FaultAction
from fakemail.faults.actions.connections import NoReply
from fakemail.faults.actions.smtp import PretendSuccess, SendReply
from fakemail.faults.context import FaultContext
from fakemail.types.address import Address, Path
from fakemail.types.reply import Reply
from fakemail.types.stage import Stage

_ENDS: Final = re.compile(r"(?:temperror|permerror|timeout|[45][0-9][0-9])\Z")
_CODES: Final = {"temperror": 451, "permerror": 550}


class MagicAddress(NamedTuple):
    """What an address says."""

    stage: Stage
    action: FaultAction


def read_magic(path: Path) -> MagicAddress | None:
    """What an address says; ``None`` for one that says nothing."""
    local = path.local.lower() if isinstance(path, Address) else ""
    match = _ENDS.search(local)
    if match is None:
        return None
    stage = Stage.SMTP_END
    if local.startswith("mailfrom"):
        stage = Stage.SMTP_MAIL
    elif local.startswith("rcptto"):
        stage = Stage.SMTP_RCPT
    if match[0] == "timeout":
        return MagicAddress(stage, NoReply())
    code = _CODES.get(match[0]) or int(match[0])
    return MagicAddress(stage, SendReply(Reply(code, f"{code // 100}.0.0", "as the address says")))


@dataclass(frozen=True, slots=True)
class AsAddressSays(FaultAction):
    """Answer as the local part of the address says: ``bob-452``, ``rcptto-timeout``, ``temperror``..."""

    def concerns(self, stage: Stage, facts: FaultContext) -> bool:
        return self.said(stage, facts) is not None

    def said(self, stage: Stage, facts: FaultContext) -> FaultAction | None:
        """What the first address wants that wants anything at this stage."""
        for path in (facts.sender,) if stage is Stage.SMTP_MAIL else facts.recipients:
            magic = None if path is None else read_magic(path)
            if magic is None:
                continue
            if stage is magic.stage or (stage is Stage.SMTP_END and magic.stage is Stage.SMTP_MAIL):
                return magic.action
            if stage is Stage.SMTP_RCPT:
                return PretendSuccess()  # there need be no account, for nothing will come there
        return None
