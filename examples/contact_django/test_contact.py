"""Django's own SMTP backend against a real server, with settings that the server hands out."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from contact import send_question
from django.test import override_settings

from fakemail import Account, MailNet


@pytest.fixture
def desk(mailnet: MailNet, monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    website, desk = mailnet.accounts("website@example.com", "desk@example.com")
    smtp = website.submission
    monkeypatch.setenv("SSL_CERT_FILE", smtp.ca_file)  # Django trusts whom Python trusts
    with override_settings(**smtp.django_settings()):
        yield desk


def test_a_question_reaches_the_help_desk(desk: Account) -> None:
    send_question(name="Bob", address="bob@example.org", question="Where is my parcel?")

    mail = desk.inbox.wait_for_one()
    assert mail.subject == "Question from Bob"
    assert mail.reply_to == ["bob@example.org"]
    assert mail.tls.startswith("TLS")
