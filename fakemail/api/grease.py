"""The level of grease that a test wants, and the refusals that belong to the higher one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fakemail.errors import DeclarationError
from fakemail.faults.actions.smtp import SendReply
from fakemail.faults.context import Match
from fakemail.faults.rule import FaultRule
from fakemail.faults.schedule import Schedule
from fakemail.types.reply import Reply
from fakemail.types.stage import Stage

if TYPE_CHECKING:
    from fakemail.api.mailnet import AnyNet

RETRIES: Final = "retries"
"""The level at which servers also refuse something for now, once."""
_LIKELY: Final = 0.4
_RULES: Final = (
    (Stage.SMTP_MAIL, Reply(451, "4.3.2", "a moment, please"), "sender"),
    (Stage.SMTP_RCPT, Reply(450, "4.2.1", "the mailbox is busy"), "recipient"),
    (Stage.SMTP_END, Reply(451, "4.3.0", "come again"), "recipient"),
)
"""Where something is refused, with what, and what is refused once only."""


def read_grease(level: bool | str) -> str:
    """The level: empty for none, ``"yes"``, or :data:`RETRIES`."""
    if level == RETRIES or isinstance(level, bool):
        return level if isinstance(level, str) else "yes" if level else ""
    raise DeclarationError(f"grease is True, False or {RETRIES!r}, not {level!r}.")


def refuse_for_now(net: AnyNet) -> None:
    """Let some of what the app sends be refused for now, each sender and recipient once; the retry succeeds."""
    internet = net.internet

    async def add() -> None:
        for stage, reply, once_per in _RULES:
            when = Schedule(probability=_LIKELY, once_per=once_per)
            internet.faults.add(FaultRule(stage, SendReply(reply), Match(client="app"), when))
        await internet.heed_faults()

    net.perform(add())
