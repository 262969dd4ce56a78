"""The client of one SMTP transaction and its message, as the receiving host sees them, and what it knows besides."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import field
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

from fakemail.dns.lookup import LookupAnswer
from fakemail.message.envelope import BodyType
from fakemail.message.message import MessageView
from fakemail.policy.greylist import Greylist
from fakemail.policy.rate_limiter import BulkVolume, RateLimiter
from fakemail.types.address import Address, Path
from fakemail.types.channel import Channel
from fakemail.types.dataclass import dataclass
from fakemail.types.peer import Peer

if TYPE_CHECKING:
    from fakemail.policy.scanners import ScanResult

Resolve: TypeAlias = Callable[[str, str], LookupAnswer]
"""Asks the fake DNS for a name and a type, on behalf of the host that receives the mail. It never waits: a name server
that is to time out answers ``TIMEOUT`` at once."""


@dataclass
class HostContext:
    """Knowledge of the host beside the transaction: its memory, and its own clients."""

    greylist: Greylist = field(default_factory=Greylist)
    throughput: RateLimiter = field(default_factory=RateLimiter)
    homes: Collection[str] = ()
    """The domains for which it takes mail."""
    addresses: Collection[str] = ()
    """Its own addresses."""
    is_inside: bool = False
    """Whether the client is one of the hosts of those domains, or one whose mail is passed on."""
    open_connections: int = 1
    """Number of connections of the client, this one included."""
    volume: BulkVolume = field(default_factory=BulkVolume)


@dataclass
class SenderFacts:
    """One transaction as its mail host sees it; later stages know more."""

    host: str
    """The host that receives the mail."""
    peer: Peer
    """The client."""
    now: datetime
    resolve: Resolve
    helo: str = ""
    channel: Channel | None = None
    """TLS, where it is active."""
    login: str = ""
    sender: Path | None = None
    """The reverse-path; ``None`` before MAIL."""
    recipients: tuple[Address, ...] = ()
    body: BodyType | None = None
    """Value of the client's BODY parameter; ``None`` where unknown, so that no check uses it."""
    smtputf8: bool = False
    """Whether the client asked for SMTPUTF8 (RFC 6531)."""
    content: bytes = b""
    """The message as it came, without the trace field of this host; empty before the end of data."""
    scans: tuple[ScanResult, ...] = ()
    """Answers of real scanners about the message."""
    recipient: Address | None = None
    """The recipient in question, at RCPT."""
    surroundings: HostContext = field(default_factory=HostContext)
    is_trusted: bool = False
    """Whether the client is on a list of good ones."""

    @cached_property
    def message(self) -> MessageView:
        """The message, read lazily."""
        return MessageView(self.content)
