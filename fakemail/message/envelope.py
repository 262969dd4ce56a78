"""The envelope: who a message is from and for, exactly as the client said it."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from fakemail.types.address import Address, Path
from fakemail.types.dataclass import dataclass
from fakemail.types.peer import Peer
from fakemail.types.suggestions import Suggests, suggests_fields


class BodyType(Enum):
    """The BODY parameter (RFC 6152, RFC 3030)."""

    SEVEN_BIT = "7BIT"
    EIGHT_BIT = "8BITMIME"
    BINARY = "BINARYMIME"


@suggests_fields
class Recipient(NamedTuple):
    """One RCPT: the forward-path and its DSN parameters (RFC 3461 §4.1, §4.2)."""

    address: Address
    notify: tuple[str, ...] = ()
    """``NEVER``, or some of ``SUCCESS``, ``FAILURE``, ``DELAY``; empty when the client said nothing."""
    original: str | None = None
    """ORCPT, decoded, with its type: ``rfc822;Bob@example.org``."""


@dataclass(frozen=True, slots=True)
class Origin(Suggests):
    """Origin of a message: the connection, as the receiving host saw it."""

    helo: str
    peer: Peer
    protocol: str
    """The word of the Received header field: ``SMTP``, ``ESMTPSA``... (RFC 3848)."""
    tls: str
    """``TLSv1.3``, or empty for clear text."""
    cipher: str
    login: str
    """The account that authenticated, empty for none."""


@suggests_fields
class Envelope(NamedTuple):
    """A complete envelope. Recipients keep their order, repetitions included."""

    sender: Path
    recipients: tuple[Recipient, ...]
    origin: Origin
    body: BodyType = BodyType.SEVEN_BIT
    size: int | None = None
    """Size that the client declared with SIZE, in bytes (RFC 1870)."""
    ret: str | None = None
    """``FULL`` or ``HDRS`` (RFC 3461 §4.3)."""
    envid: str | None = None
    """Decoded, its case kept (RFC 3461 §4.4)."""
    smtputf8: bool = False
    auth: Path | None = None
    """The AUTH parameter of MAIL (RFC 4954 §5), ``None`` when the client said nothing."""
    requiretls: bool = False
    """Whether it may travel over verified TLS only (RFC 8689)."""

    @property
    def addresses(self) -> tuple[Address, ...]:
        """The recipients' addresses, in order."""
        return tuple(recipient.address for recipient in self.recipients)
