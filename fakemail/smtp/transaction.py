"""A mail transaction under way, and the envelope that it becomes (RFC 5321 §3.3). It decides nothing."""

from __future__ import annotations

from fakemail.message.envelope import Envelope, Origin, Recipient
from fakemail.smtp.parameters import MailOptions
from fakemail.types.address import Path
from fakemail.types.channel import Channel
from fakemail.types.peer import Peer


def origin_of(
    helo: str, peer: Peer, channel: Channel | None, login: str, *, extended: bool, smtputf8: bool
) -> Origin:
    """Origin of the messages of a connection; ``extended`` is whether the client said EHLO."""
    # RFC 3848 and RFC 6531 §4.3: S for TLS, A for AUTH.
    word = "UTF8SMTP" if smtputf8 else "ESMTP" if extended else "SMTP"
    if extended:
        word += ("S" if channel else "") + ("A" if login else "")
    version, cipher = (channel.version, channel.cipher) if channel else ("", "")
    return Origin(helo, peer, word, version, cipher, login)


class Transaction:
    """Sender, recipients and chunks since MAIL."""

    __slots__ = ("_chunks", "chunked", "client_knows", "options", "pretended", "recipients", "sender")

    def __init__(self, sender: Path, options: MailOptions) -> None:
        self.sender = sender
        self.options = options
        self.recipients: list[Recipient] = []
        self.pretended: list[Path] = []
        """Recipients that a fault accepted, and that get nothing."""
        self.client_knows = False
        """Whether a positive reply to RCPT has reached the client."""
        self._chunks: list[bytes] = []
        self.chunked = 0
        """Bytes that have come by BDAT."""

    @property
    def has_recipients(self) -> bool:
        """Whether any recipient was accepted."""
        return bool(self.recipients or self.pretended)

    def add_chunk(self, octets: bytes) -> None:
        """Keep what one BDAT brought (RFC 3030 §2)."""
        self._chunks.append(octets)
        self.chunked += len(octets)

    def content(self) -> bytes:
        """The message that the chunks are."""
        return b"".join(self._chunks)

    def envelope(self, origin: Origin) -> Envelope:
        """The envelope, complete."""
        options = self.options
        return Envelope(
            self.sender,
            tuple(self.recipients),
            origin,
            options.body,
            options.size,
            options.ret,
            options.envid,
            options.smtputf8,
            options.auth,
            options.requiretls,
        )
