"""The parts of a journey: what one host did with a message (hop), and one line of its story (step)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from fakemail.types.peer import Peer
from fakemail.types.reply import Reply
from fakemail.types.suggestions import Suggests


@dataclass(frozen=True, slots=True)
class Hop(Suggests):
    """One session in which the message was offered to a host, taken or not."""

    number: int
    """From 1, in the order of the journey."""
    host: str
    peer: Peer | None
    """Who offered it."""
    protocol: str
    """A word of RFC 3848: ESMTP, ESMTPS, ESMTPA, ESMTPSA; SMTP after HELO."""
    tls: str
    """The TLS version, empty for clear text."""
    queue_id: str
    """The queue id under which the host took it, empty if it did not."""
    what: str
    reply: Reply | None
    """The reply that decided, ``None`` when there was none."""
    time: datetime

    def __str__(self) -> str:
        return f"{self.host} {self.what}"


class JourneyStep(NamedTuple):
    """One line of the story of a journey."""

    number: int
    """From 1, in the order of time."""
    host: str
    what: str
    reply: Reply | None
