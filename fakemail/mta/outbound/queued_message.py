"""Messages in a queue, and what an attempt came to for each of their recipients."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import NamedTuple

from fakemail.message.envelope import Envelope, Recipient
from fakemail.types.dataclass import dataclass
from fakemail.types.reason import Reason
from fakemail.types.reply import Reply
from fakemail.types.stage import Stage


class LocalCopy(NamedTuple):
    """A message as its host puts it into mailboxes of its own, with all that was found about it."""

    content: bytes
    """With the trace fields of the host."""
    is_junk: bool = False


@dataclass(frozen=True)
class QueuedMessage:
    """A message that a host has taken and not yet sent."""

    host: str
    queue_id: str
    envelope: Envelope
    content: bytes
    recipients: tuple[Recipient, ...]
    copies: Mapping[str, LocalCopy] = field(default_factory=dict)
    """The message for the host's own accounts, by the key of the address, where that is not ``content``."""


class RecipientResult(NamedTuple):
    """Result of an attempt for one recipient."""

    recipient: Recipient
    at: Stage
    reply: Reply | None
    reason: Reason | None
    detail: str
    remote: str
    """The host that was tried, empty if none was found."""
    reports_delivery: bool
    """Whether the next host promised to report deliveries itself (RFC 3461 §5.2.1)."""
    status: str = ""
    """The enhanced status code where the reason stands for several and no reply gives one."""
