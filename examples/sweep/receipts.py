"""A service that sends receipts, and takes care that none is lost: the app under test of the sweep."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import localtime, make_msgid


@dataclass
class Server:
    """How the service reaches its mail server."""

    host: str
    port: int
    username: str
    password: str
    context: ssl.SSLContext = field(default_factory=ssl.create_default_context)
    timeout: float = 10.0
    """In seconds, for each answer of the server."""


class NotSent(Exception):
    """The receipt did not go out, as far as is known; whoever ordered it is told."""


def receipt(order: int, address: str) -> EmailMessage:
    """The receipt of an order."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "orders@example.com", address, f"Receipt for order {order}"
    mail["Date"], mail["Message-ID"] = localtime(), make_msgid(domain="example.com")
    mail.set_content(f"Thank you for order {order}.\n")
    return mail


def send_once(order: int, address: str, *, server: Server) -> None:
    """Send it, and let whoever calls know if it did not work."""
    try:
        _send(receipt(order, address), server)
    except (OSError, smtplib.SMTPException) as error:
        raise NotSent(f"order {order}: {error}") from error


def send_stubbornly(order: int, address: str, *, server: Server, tries: int = 2) -> None:
    """Send it again if it did not work, which is how a customer gets two receipts."""
    mail = receipt(order, address)
    for _ in range(tries - 1):
        try:
            return _send(mail, server)
        except (OSError, smtplib.SMTPException):
            continue
    return send_once(order, address, server=server)


def send_carefully(order: int, address: str, *, server: Server, tries: int = 2) -> None:
    """Send it again only where it is certain that the server has not taken it."""
    mail = receipt(order, address)
    for left in reversed(range(tries)):
        handed_over = False

        def note() -> None:
            nonlocal handed_over
            handed_over = True

        try:
            return _send(mail, server, before_message=note)
        except smtplib.SMTPDataError as error:  # the server has answered: it has not taken it
            if error.smtp_code >= 500 or not left:
                raise NotSent(f"order {order}: {error}") from error
        except (OSError, smtplib.SMTPException) as error:
            if handed_over:
                raise NotSent(f"order {order}: perhaps; the connection broke before the answer") from error
            if not left:
                raise NotSent(f"order {order}: {error}") from error
    return None


def _send(mail: EmailMessage, server: Server, before_message: Callable[[], None] = lambda: None) -> None:
    client = smtplib.SMTP(server.host, server.port, timeout=server.timeout)
    try:
        client.starttls(context=server.context)
        client.login(server.username, server.password)
        client.mail("orders@example.com")
        code, answer = client.rcpt(mail["To"])
        if code != 250:
            raise smtplib.SMTPRecipientsRefused({mail["To"]: (code, answer)})
        before_message()
        code, answer = client.data(mail.as_bytes(policy=mail.policy.clone(linesep="\r\n")))
        if code != 250:
            raise smtplib.SMTPDataError(code, answer)
    finally:
        client.close()
