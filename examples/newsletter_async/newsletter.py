"""A newsletter sent with aiosmtplib, several connections at a time."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from email.message import EmailMessage
from urllib.parse import quote

import aiosmtplib


async def send_newsletter(
    text: str,
    readers: Sequence[str],
    *,
    host: str,
    port: int,
    username: str,
    password: str,
    tls_context: ssl.SSLContext,
    at_once: int = 3,
) -> list[str]:
    """Send the news, and return the addresses that were refused."""
    refused = []
    room = asyncio.Semaphore(at_once)

    async def send(reader: str) -> None:
        async with room:
            try:
                await aiosmtplib.send(
                    _mail(text, reader),
                    hostname=host,
                    port=port,
                    username=username,
                    password=password,
                    start_tls=True,
                    tls_context=tls_context,
                )
            except aiosmtplib.SMTPRecipientsRefused:
                refused.append(reader)

    await asyncio.gather(*map(send, readers))
    return refused


def _mail(text: str, reader: str) -> EmailMessage:
    mail = EmailMessage()
    mail["From"] = "news@example.com"
    mail["To"] = reader
    mail["Subject"] = "News"
    # What large providers ask of newsletters (RFC 8058).
    link = f"https://example.com/unsubscribe?reader={quote(reader)}"
    mail["List-Unsubscribe"] = f"<{link}>"
    mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    mail.set_content(f"{text}\n\nUnsubscribe: {link}\n")
    return mail
