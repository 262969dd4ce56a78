"""An outbox as shops have one: an invoice stays in it until the mail server has taken it."""

from __future__ import annotations

import smtplib
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import make_msgid


@dataclass
class Outbox:
    """Invoices that wait. ``flush`` is what a timer of the shop calls."""

    host: str
    port: int
    sender: str = "invoices@example.com"
    waiting: list[EmailMessage] = field(default_factory=list)

    def add(self, to: str, number: int) -> None:
        """Write an invoice."""
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = self.sender, to, f"Invoice {number}"
        # Made once, when it is written: whoever gets the message twice can see that it is one.
        mail["Message-ID"] = make_msgid(f"invoice-{number}", domain="example.com")
        mail.set_content("Please find your invoice attached.")
        self.waiting.append(mail)

    def flush(self) -> None:
        """Try to send what waits; what was not acknowledged goes on waiting."""
        unsent = []
        for mail in self.waiting:
            try:
                with smtplib.SMTP(self.host, self.port, timeout=5) as client:
                    client.send_message(mail)
            except (OSError, smtplib.SMTPException):
                unsent.append(mail)
        self.waiting = unsent
