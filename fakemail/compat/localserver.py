"""The SMTP server of pytest-localserver on a fake internet."""

from __future__ import annotations

from email import message_from_bytes
from email.message import Message
from typing import Any

from fakemail.api.mailnet import BaseMailNet
from fakemail.compat.aiosmtpd import Controller


class MessageDetails:
    """The envelope of a message."""

    def __init__(self, peer: object, mailfrom: str, rcpttos: list[str]) -> None:
        self.peer = peer
        """The client's address and port."""
        self.mailfrom = mailfrom
        """The reverse-path."""
        self.rcpttos = rcpttos
        """The recipients."""


class Handler:
    """The handler: it keeps what was sent."""

    def __init__(self) -> None:
        self.outbox: list[Message] = []

    async def handle_DATA(self, server: object, session: Any, envelope: Any) -> str:
        """Keep the message, with its envelope as ``details``."""
        message = message_from_bytes(envelope.content)
        details = MessageDetails(session.peer, envelope.mail_from, envelope.rcpt_tos)
        message.details = details  # type: ignore[attr-defined]  # pytest-localserver's own way
        self.outbox.append(message)
        return "250 OK"


class SmtpServer(Controller):
    """A server that keeps what it is sent in its :attr:`outbox`."""

    handler: Handler

    def __init__(
        self, host: str = "localhost", port: int = 0, *, mailnet: BaseMailNet[Any, Any] | None = None
    ) -> None:
        super().__init__(Handler(), hostname=host, port=port, mailnet=mailnet)

    @property
    def addr(self) -> tuple[str, int]:
        """The address and port."""
        return self.settings.host, self.port

    @property
    def outbox(self) -> list[Message]:
        """The messages that were sent to it."""
        return self.handler.outbox

    @property
    def accepting(self) -> bool:
        """Whether it listens."""
        return self.is_alive()

    def is_alive(self) -> bool:
        """Whether it listens."""
        return self._capture is not None

    def stop(self, timeout: float | None = None) -> None:
        """Stop to listen; stopping again does nothing."""
        super().stop(no_assert=True)

    def __del__(self) -> None:
        if self.is_alive():
            self.stop()
