"""What is known about a delivery while it is judged: the input of every check."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TypeAlias

from fakemail.dns.lookup import Answer
from fakemail.mail.envelope import Body
from fakemail.mail.message import MessageView
from fakemail.terms.address import Address, Path
from fakemail.terms.channel import Channel
from fakemail.terms.peer import Peer

Resolve: TypeAlias = Callable[[str, str], Answer]
"""Asks the fake DNS for a name and a type, on behalf of the host that judges. It never waits: a name server
that is to time out answers ``TIMEOUT`` at once."""


@dataclass
class Facts:
    """One transaction as its mail host sees it; later stages know more."""

    host: str
    """The host that judges."""
    peer: Peer
    """Who is connecting."""
    now: datetime
    resolve: Resolve
    helo: str = ""
    channel: Channel | None = None
    """TLS, where it is active."""
    login: str = ""
    sender: Path | None = None
    """The reverse-path; ``None`` before MAIL."""
    recipients: tuple[Address, ...] = ()
    body: Body | None = None
    """What the client announced with BODY; ``None`` where nobody said, so that it cannot be held against it."""
    smtputf8: bool = False
    """Whether the client asked for SMTPUTF8 (RFC 6531)."""
    content: bytes = b""
    """The message as it came, without the trace field of this host; empty before the end of data."""

    @cached_property
    def message(self) -> MessageView:
        """The message, read lazily."""
        return MessageView(self.content)
