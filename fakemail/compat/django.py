"""Django's ``mail.outbox`` for mail that really was sent: a list of messages with Django's names.

It needs no Django, and is as good for any app that sends by SMTP.
"""

from __future__ import annotations

from email import message_from_bytes, policy
from email.message import EmailMessage, Message
from email.utils import getaddresses
from typing import Any, Final

from fakemail.api.hosts import Host, Settings
from fakemail.api.mailnet import BaseMailNet
from fakemail.compat.aiosmtpd import Controller

_OWN_FIELDS: Final = frozenset(
    {"subject", "from", "to", "cc", "reply-to", "date", "message-id", "mime-version"}
)


class SentMail:
    """One message, with the names of Django's ``EmailMultiAlternatives``."""

    def __init__(self, raw: bytes, recipients: list[str]) -> None:
        self._raw = raw
        self._recipients = recipients
        self._message: EmailMessage = message_from_bytes(raw, policy=policy.default)

    def __repr__(self) -> str:
        return f"<SentMail {self.subject!r} to {', '.join(self._recipients)}>"

    @property
    def subject(self) -> str:
        """The subject, decoded."""
        return self._text("Subject")

    @property
    def from_email(self) -> str:
        """The author, as the field From has it."""
        return self._text("From")

    @property
    def to(self) -> list[str]:
        """The addresses of the field To."""
        return self._addresses("To")

    @property
    def cc(self) -> list[str]:
        """The addresses of the field Cc."""
        return self._addresses("Cc")

    @property
    def bcc(self) -> list[str]:
        """The recipients whom no field of the message names."""
        named = {address for _, address in getaddresses([*self.to, *self.cc])}
        return [each for each in self._recipients if each not in named]

    @property
    def reply_to(self) -> list[str]:
        """The addresses of the field Reply-To."""
        return self._addresses("Reply-To")

    @property
    def body(self) -> str:
        """The text, or the HTML of a message that has nothing else."""
        part = self._message.get_body(("plain", "html"))
        return "" if part is None else _content(part)

    @property
    def content_subtype(self) -> str:
        """``plain`` or ``html``: what :attr:`body` is."""
        part = self._message.get_body(("plain", "html"))
        return "plain" if part is None else part.get_content_subtype()

    @property
    def alternatives(self) -> list[tuple[str, str]]:
        """The other forms of the text, each with its type."""
        part = self._message.get_body(("html",))
        if part is None or self._message.get_body(("plain",)) is None:
            return []
        return [(_content(part), part.get_content_type())]

    @property
    def attachments(self) -> list[tuple[str | None, Any, str]]:
        """Name, content and type of each attachment."""
        return [
            (part.get_filename(), part.get_content(), part.get_content_type())
            for part in self._message.iter_attachments()
        ]

    @property
    def extra_headers(self) -> dict[str, str]:
        """The fields that none of the other names stands for."""
        return {
            name: str(value)
            for name, value in self._message.items()
            if name.lower() not in _OWN_FIELDS and not name.lower().startswith("content-")
        }

    def recipients(self) -> list[str]:
        """All who got it: the recipients of the envelope."""
        return list(self._recipients)

    def message(self) -> Message:
        """The whole message."""
        return self._message

    def _text(self, name: str) -> str:
        value = self._message[name]
        return "" if value is None else str(value)

    def _addresses(self, name: str) -> list[str]:
        value = self._message[name]
        return [] if value is None else [str(address) for address in value.addresses]


def _content(part: Message) -> str:
    content: str = part.get_content()  # type: ignore[attr-defined]  # of a message with the default policy
    return content.replace("\r\n", "\n")


class MailOutbox(list[SentMail]):
    """The messages that an app has sent, and the server that took them."""

    def __init__(self, mailnet: BaseMailNet[Any, Any]) -> None:
        super().__init__()
        self.mailnet = mailnet
        """The fake internet: its journeys, its clock, its faults."""
        self._controller = Controller(self, hostname="localhost", port=0, mailnet=mailnet)
        self._controller.start()

    @property
    def settings(self) -> Settings:
        """Settings for the app: ``settings.django_settings()``, ``settings.env()``..."""
        return self._controller.settings

    @property
    def host(self) -> Host:
        """The fake host: ``mailoutbox.host.faults``."""
        return self._controller.host

    async def handle_DATA(self, server: object, session: object, envelope: Any) -> str:
        """Keep the message."""
        self.append(SentMail(envelope.content, list(envelope.rcpt_tos)))
        return "250 OK"

    def close(self) -> None:
        """Take no more mail."""
        self._controller.stop(no_assert=True)
