"""A small shop that sends mail with the standard library: the app under test of the tutorial."""

from __future__ import annotations

import secrets
import smtplib
import ssl
from collections.abc import Iterable
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import make_msgid


@dataclass
class Mailer:
    """How the shop reaches its mail server. In production this comes from its configuration."""

    host: str
    port: int
    username: str = ""
    password: str = ""
    security: str = "starttls"
    context: ssl.SSLContext = field(default_factory=ssl.create_default_context)

    def connect(self) -> smtplib.SMTP:
        if self.security == "tls":
            client: smtplib.SMTP = smtplib.SMTP_SSL(self.host, self.port, context=self.context, timeout=10)
        else:
            client = smtplib.SMTP(self.host, self.port, timeout=10)
        try:
            if self.security == "starttls":
                client.starttls(context=self.context)
            if self.username:
                client.login(self.username, self.password)
        except BaseException:
            client.close()
            raise
        return client


def sign_up(name: str, address: str, *, mailer: Mailer) -> None:
    """Welcome a new customer, who has to confirm the address."""
    link = f"https://example.com/confirm/{secrets.token_urlsafe(16)}"
    mail = _mail(sender="hello@example.com", to=address, subject=f"Welcome, {name}")
    mail.set_content(f"Welcome, {name}!\n\nPlease confirm your address: {link}\n")
    mail.add_alternative(f'<p>Welcome, {name}!</p><p><a href="{link}">Confirm</a></p>', subtype="html")
    with mailer.connect() as client:
        client.send_message(mail)


def send_receipt(order: int, address: str, *, pdf: bytes, mailer: Mailer) -> None:
    """Send the receipt of an order."""
    mail = _mail(sender="orders@example.com", to=address, subject=f"Receipt for order {order}")
    mail.set_content(f"Thank you for order {order}. The receipt is attached.\n")
    mail.add_attachment(pdf, maintype="application", subtype="pdf", filename=f"receipt-{order}.pdf")
    with mailer.connect() as client:
        client.send_message(mail)


@dataclass
class Report:
    """How a newsletter went."""

    sent: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    """Address: what the server said."""


def send_newsletter(text: str, readers: Iterable[str], *, mailer: Mailer) -> Report:
    """Send the news to each reader. One dead address must not spoil it for the others."""
    report = Report()
    with mailer.connect() as client:
        for reader in readers:
            mail = _mail(sender="news@example.com", to=reader, subject="News")
            mail.set_content(text)
            try:
                client.send_message(mail)
            except smtplib.SMTPRecipientsRefused as refusal:
                code, answer = refusal.recipients[reader]
                report.refused[reader] = f"{code} {answer.decode()}"
            else:
                report.sent.append(reader)
    return report


def _mail(*, sender: str, to: str, subject: str) -> EmailMessage:
    mail = EmailMessage()
    mail["From"] = f"The Shop <{sender}>"
    mail["To"] = to
    mail["Subject"] = subject
    mail["Message-ID"] = make_msgid(domain="example.com")
    return mail
