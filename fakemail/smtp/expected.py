"""What a server's reply means to the client, by the command that it answers: one table, and one judge of replies."""

from __future__ import annotations

from collections.abc import Container, Mapping
from enum import Enum
from types import MappingProxyType
from typing import Final

from fakemail.types.reply import Reply
from fakemail.types.stage import Stage


class ReplyClass(Enum):
    """What follows from a reply."""

    SUCCESS = "success"
    TRANSIENT = "transient"
    """4yz: not now."""
    PERMANENT = "permanent"
    """5yz: never."""
    UNEXPECTED = "unexpected"
    """A positive reply that does not answer this command: a protocol error, so the message is kept and tried again."""


_COMPLETION: Final = range(200, 300)

# RFC 5321 §4.3.2 has a code or two for each command; §4.2.1 lets a client go by the first digit of others. Where
# what follows depends on the very code (the greeting, TLS, the go-ahead for the message) no other will do.
SUCCESS: Final[Mapping[Stage, Container[int]]] = MappingProxyType(
    {
        Stage.SMTP_BANNER: (220,),
        Stage.SMTP_HELO: (250,),
        Stage.SMTP_STARTTLS: (220,),  # RFC 3207 §4
        Stage.SMTP_MAIL: _COMPLETION,
        Stage.SMTP_RCPT: _COMPLETION,
        Stage.SMTP_DATA: (354,),
        Stage.SMTP_END: _COMPLETION,
        Stage.SMTP_RSET: _COMPLETION,
        Stage.SMTP_QUIT: _COMPLETION,
    }
)


def classify(stage: Stage, reply: Reply) -> ReplyClass:
    """What a reply to the command of that stage means."""
    if reply.is_transient:
        return ReplyClass.TRANSIENT
    if reply.is_permanent:
        return ReplyClass.PERMANENT
    return ReplyClass.SUCCESS if reply.code in SUCCESS[stage] else ReplyClass.UNEXPECTED


def is_success(stage: Stage, reply: Reply) -> bool:
    """Whether the server did what the command of that stage asks for."""
    return classify(stage, reply) is ReplyClass.SUCCESS
