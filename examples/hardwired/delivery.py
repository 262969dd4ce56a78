"""A program that delivers mail by itself: it looks up mail hosts and connects to port 25, with no settings at all."""

from __future__ import annotations

import smtplib
import ssl
from email.message import EmailMessage

import dns.resolver


def deliver(message: EmailMessage) -> dict[str, str]:
    """Hand a message to the mail host of each recipient; what became of each, by address."""
    outcome: dict[str, str] = {}
    for recipient in message["To"].addresses:
        address = f"{recipient.username}@{recipient.domain}"
        try:
            outcome[address] = _deliver_to(address, recipient.domain, message)
        except dns.resolver.NXDOMAIN:
            outcome[address] = "no such domain"
        except smtplib.SMTPRecipientsRefused as refused:
            outcome[address] = f"refused with {refused.recipients[address][0]}"
    return outcome


def _deliver_to(address: str, domain: str, message: EmailMessage) -> str:
    answer = sorted(dns.resolver.resolve(domain, "MX"), key=lambda record: record.preference)
    for record in answer:
        host = str(record.exchange).rstrip(".")
        try:
            with smtplib.SMTP(host, 25, timeout=10) as client:
                client.starttls(context=ssl.create_default_context())
                client.send_message(message, to_addrs=[address])
                return f"taken by {host}"
        except ConnectionError:
            continue
    return "no mail host could be reached"
