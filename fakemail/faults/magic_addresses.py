"""Addresses that say what shall happen to their mail: a convention that mox has made popular (``mox localserve``).

A local part that ends in ``temperror``, ``permerror``, a code such as ``452``, or ``timeout`` is rejected so, or not
answered, at the end of the message. One that begins with ``rcptto`` is at RCPT, a sender that begins with
``mailfrom`` at MAIL.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from fakemail.types.address import Address, Path
from fakemail.types.reply import Reply
from fakemail.types.stage import Stage

_ENDS: Final = re.compile(r"(?:temperror|permerror|timeout|[45][0-9][0-9])\Z")
_CODES: Final = {"temperror": 451, "permerror": 550}


class MagicWish(NamedTuple):
    """Fault that an address asks for."""

    stage: Stage
    reply: Reply | None
    """``None`` for no reply at all."""


def read_magic(path: Path) -> MagicWish | None:
    """Fault that an address asks for; ``None`` for one that asks for nothing."""
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
        return MagicWish(stage, None)
    code = _CODES.get(match[0]) or int(match[0])
    return MagicWish(stage, Reply(code, f"{code // 100}.0.0", "as the address says"))
