"""Questions of a receiving session to its host, and what it records: the interface between protocol and decisions."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from fakemail.message.envelope import Envelope
from fakemail.sasl.exchange import CredentialStore
from fakemail.smtp.xclient import Introduction
from fakemail.types.address import Address, Path
from fakemail.types.channel import Channel
from fakemail.types.peer import Peer
from fakemail.types.seeded_random import SeededRandom
from fakemail.types.verdict import Verdict


class Receipt(NamedTuple):
    """Result of a message."""

    verdict: Verdict
    queue_id: str = ""
    text: str = ""
    """Text for the client: ``delivered as ABC00001``."""
    kept: bytes = b""
    """Message as the host keeps it, empty where it is not needed."""


class Backend(Protocol):
    """Everything a session asks of its host. ``None`` means: wait, ``on_answer`` will be called with the answer."""

    on_answer: Callable[[Verdict | Receipt], None]
    """Set by the session when it waits."""

    @property
    def credentials(self) -> CredentialStore:
        """Passwords, tokens and certificates of the users."""
        ...

    @property
    def chance(self) -> SeededRandom:
        """Source of random values, for what must not be guessed or repeated."""
        ...

    def introduce(self, said: Introduction, peer: Peer) -> Peer:
        """A client that may do so has said for whom it speaks (XCLIENT); returns who that is."""
        ...

    def check_client(self) -> Verdict | None:
        """Whether the client is spoken to at all."""
        ...

    def check_hello(self, name: str, channel: Channel | None) -> Verdict | None:
        """Whether a client that gives itself this name, on such a connection, may go on."""
        ...

    def check_sender(self, sender: Path, login: str) -> Verdict | None:
        """Whether MAIL may go on with this reverse-path."""
        ...

    def check_recipient(self, recipient: Address, login: str) -> Verdict | None:
        """Whether RCPT may go on with this forward-path."""
        ...

    def check_data(self) -> Verdict | None:
        """Whether the message may come, for the recipients that were accepted."""
        ...

    def take(self, envelope: Envelope, content: bytes) -> Receipt | None:
        """Take responsibility for a message, or not."""
        ...

    def verify(self, name: str) -> tuple[Address, ...]:
        """The addresses that a name or an address stands for here (VRFY), none if it is unknown."""
        ...

    def expand(self, name: str) -> tuple[Address, ...]:
        """The addresses behind an alias (EXPN), none if there is no such alias."""
        ...
