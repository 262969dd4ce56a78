"""A contact form in one file of Django: what a view does when the form is valid."""

from __future__ import annotations

from django.conf import settings
from django.core.mail import EmailMessage

if not settings.configured:
    settings.configure(DEFAULT_FROM_EMAIL="website@example.com", USE_TZ=True)


def send_question(*, name: str, address: str, question: str) -> None:
    """Pass a visitor's question on to the help desk, who can simply answer it."""
    EmailMessage(
        subject=f"Question from {name}",
        body=question,
        to=["desk@example.com"],
        reply_to=[address],
    ).send()
