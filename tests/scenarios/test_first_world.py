"""The first two stories that a user reads, each with three apps: smtplib, aiosmtplib and Django."""

from __future__ import annotations

import asyncio
import smtplib
from collections.abc import Callable, Sequence
from email.message import EmailMessage
from typing import NamedTuple

import aiosmtplib
import django.conf
import django.core.mail
import django.test
import pytest

from fakemail import MailNet, Reason, Refused, Reply, Settings, Stage

Register = Callable[..., None]
Newsletter = Callable[..., "Report"]

_LINK = '<p>Welcome! <a href="https://shop.test/confirm/4711">Confirm your address</a></p>'


class Report(NamedTuple):
    """What an app says about a mailing."""

    refused: list[str]


def _mail(sender: str, to: Sequence[str], subject: str, html: str = "") -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = sender, ", ".join(to), subject
    mail.set_content("Good day.")
    if html:
        mail.add_alternative(html, subtype="html")
    return mail


class SmtplibApp:
    """An app on the standard library."""

    def register_customer(self, name: str, address: str, *, smtp: Settings) -> None:
        with smtplib.SMTP(smtp.host, smtp.port, "app.test", timeout=10) as client:
            client.starttls(context=smtp.ssl_context)
            client.login(smtp.username, smtp.password)
            client.send_message(_mail("hello@shop.test", [address], f"Welcome, {name}", _LINK))

    def send_newsletter(self, *, to: Sequence[str], smtp: Settings) -> Report:
        with smtplib.SMTP(smtp.host, smtp.port, "app.test", timeout=10) as client:
            refused = client.send_message(_mail("news@shop.test", to, "News"))
        return Report(list(refused))


class AiosmtplibApp:
    """An app on asyncio."""

    def register_customer(self, name: str, address: str, *, smtp: Settings) -> None:
        mail = _mail("hello@shop.test", [address], f"Welcome, {name}", _LINK)
        asyncio.run(self._send(mail, smtp))

    def send_newsletter(self, *, to: Sequence[str], smtp: Settings) -> Report:
        return Report(list(asyncio.run(self._send(_mail("news@shop.test", to, "News"), smtp))))

    async def _send(self, mail: EmailMessage, smtp: Settings) -> dict[str, aiosmtplib.SMTPResponse]:
        client = aiosmtplib.SMTP(
            hostname=smtp.host,
            port=smtp.port,
            start_tls=True,
            tls_context=smtp.ssl_context,
            username=smtp.username or None,
            password=smtp.password or None,
            local_hostname="app.test",
            timeout=10,
        )
        async with client:
            refused, _ = await client.send_message(mail)
            socket = client.transport.get_extra_info("socket")
        # TLS says goodbye in the background; a loop that ends before leaves the socket open.
        while socket.fileno() != -1:  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0)
        return refused


class DjangoApp:
    """An app on Django; its settings say where the mail goes."""

    def register_customer(self, name: str, address: str, *, smtp: Settings) -> None:
        with django.test.override_settings(**smtp.django_settings()):
            django.core.mail.send_mail(
                f"Welcome, {name}", "Good day.", "hello@shop.test", [address], html_message=_LINK
            )

    def send_newsletter(self, *, to: Sequence[str], smtp: Settings) -> Report:
        refused: list[str] = []
        with django.test.override_settings(**smtp.django_settings()):
            for address in to:
                mail = django.core.mail.EmailMessage("News", "Good day.", "news@shop.test", [address])
                try:
                    mail.send()
                except smtplib.SMTPRecipientsRefused as error:
                    refused += error.recipients
        return Report(refused)


@pytest.fixture(params=[SmtplibApp, AiosmtplibApp, DjangoApp])
def app(
    request: pytest.FixtureRequest, mailnet: MailNet, monkeypatch: pytest.MonkeyPatch
) -> SmtplibApp | AiosmtplibApp | DjangoApp:
    """The app under test."""
    if request.param is DjangoApp:
        if not django.conf.settings.configured:
            django.conf.settings.configure()
        monkeypatch.setenv("SSL_CERT_FILE", mailnet.ca_file)
        # Django asks the system for this machine's name, once, and some systems ask the network.
        monkeypatch.setattr(django.core.mail.DNS_NAME, "_fqdn", "app.test", raising=False)
    made: SmtplibApp | AiosmtplibApp | DjangoApp = request.param()
    return made


@pytest.fixture
def register_customer(app: SmtplibApp) -> Register:
    """Have somebody registered by the app."""
    return app.register_customer


@pytest.fixture
def send_newsletter(app: SmtplibApp) -> Newsletter:
    """Have the app send a newsletter."""
    return app.send_newsletter


def test_new_customer_gets_a_welcome_mail(mailnet: MailNet, register_customer: Register) -> None:
    shop = mailnet.account("hello@shop.test")
    bob = mailnet.account("bob@example.org")
    register_customer("Bob", bob.address, smtp=shop.submission)
    mail = bob.inbox.wait_for_one()
    assert mail.subject == "Welcome, Bob"
    assert mail.link("Confirm").startswith("https://shop.test/confirm/")


def test_a_dead_address_does_not_sink_the_newsletter(mailnet: MailNet, send_newsletter: Newsletter) -> None:
    ann, bob = mailnet.accounts("ann@example.org", "bob@example.org")
    report = send_newsletter(
        to=[ann.address, "gone@example.org", bob.address], smtp=mailnet.mx("example.org")
    )
    assert report.refused == ["gone@example.org"]
    assert ann.inbox.one().subject == bob.inbox.one().subject == "News"
    assert mailnet.journey(to="gone@example.org").fate == Refused(
        at=Stage.SMTP_RCPT, reply=Reply(550, "5.1.1"), reason=Reason.NO_SUCH_USER
    )
