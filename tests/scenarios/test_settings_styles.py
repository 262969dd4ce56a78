"""Settings in the shapes that frameworks read: each is used by the real thing where it is a Python package."""

from __future__ import annotations

import os
import smtplib
import ssl
from urllib.parse import unquote, urlsplit

import fastapi_mail
import flask
import flask_mail
import pytest

from fakemail import DeclarationError, MailNet
from fakemail.runtime.port_plans import ANY_PORT


@pytest.fixture
def shop(mailnet):
    return mailnet.account("hello@shop.test", password="a b/c")


def test_flask_mail(mailnet, shop, monkeypatch):
    bob = mailnet.account("bob@example.org")
    monkeypatch.setenv("SSL_CERT_FILE", shop.submission.ca_file)
    app = flask.Flask("shop")
    app.config.update(shop.submission.flask_mail())
    with app.app_context():
        message = flask_mail.Message("News", sender=shop.address, recipients=[bob.address], body="All new.")
        flask_mail.Mail(app).send(message)
    assert bob.inbox.wait_for_one().subject == "News"


@pytest.mark.asyncio
@pytest.mark.parametrize("service", ["submission", "submissions"])
async def test_fastapi_mail(async_mailnet, monkeypatch, service):
    shop, bob = async_mailnet.accounts("hello@shop.example.net", "bob@example.org")
    settings = getattr(shop, service)
    monkeypatch.setenv("SSL_CERT_FILE", settings.ca_file)
    config = fastapi_mail.ConnectionConfig(**settings.fastapi_mail())
    message = fastapi_mail.MessageSchema(
        subject="News", recipients=[bob.address], body="All new.", subtype=fastapi_mail.MessageType.plain
    )
    await fastapi_mail.FastMail(config).send_message(message)
    assert (await bob.inbox.wait_for_one()).subject == "News"


@pytest.mark.parametrize(
    ("style", "host", "port", "user", "password"),
    [
        ("django", "EMAIL_HOST", "EMAIL_PORT", "EMAIL_HOST_USER", "EMAIL_HOST_PASSWORD"),
        ("flask", "MAIL_SERVER", "MAIL_PORT", "MAIL_USERNAME", "MAIL_PASSWORD"),
        ("laravel", "MAIL_HOST", "MAIL_PORT", "MAIL_USERNAME", "MAIL_PASSWORD"),
        ("rails", "SMTP_ADDRESS", "SMTP_PORT", "SMTP_USERNAME", "SMTP_PASSWORD"),
        ("spring", "SPRING_MAIL_HOST", "SPRING_MAIL_PORT", "SPRING_MAIL_USERNAME", "SPRING_MAIL_PASSWORD"),
    ],
)
def test_names_of_a_framework(shop, style, host, port, user, password):
    env = shop.submission.env(style=style)
    settings = shop.submission
    assert env[host] == settings.host
    assert env[port] == str(settings.port)
    assert (env[user], env[password]) == (shop.address, "a b/c")
    assert env["SSL_CERT_FILE"] == settings.ca_file


@pytest.mark.parametrize(
    ("style", "name", "scheme", "implicit"),
    [("django", "EMAIL_URL", "smtp+tls", "smtp+ssl"), ("symfony", "MAILER_DSN", "smtp", "smtps")],
)
def test_urls_of_a_framework(shop, style, name, scheme, implicit):
    for settings, wanted in ((shop.submission, scheme), (shop.submissions, implicit)):
        url = urlsplit(settings.env(style=style)[name])
        assert (url.scheme, url.hostname, url.port) == (wanted, settings.host, settings.port)
        assert (unquote(url.username), unquote(url.password)) == (shop.address, "a b/c")


def test_how_tls_is_asked_for(shop):
    plain, implicit = shop.submission, shop.submissions
    assert plain.env(style="laravel")["MAIL_ENCRYPTION"] == "tls"
    assert implicit.env(style="laravel")["MAIL_SCHEME"] == "smtps"
    assert plain.env(style="spring")["SPRING_MAIL_PROPERTIES_MAIL_SMTP_STARTTLS_ENABLE"] == "true"
    assert implicit.env(style="spring")["SPRING_MAIL_PROPERTIES_MAIL_SMTP_SSL_ENABLE"] == "true"
    assert plain.env(style="rails")["SMTP_ENABLE_STARTTLS_AUTO"] == "true"
    assert plain.env(style="spring")["SPRING_MAIL_PROPERTIES_MAIL_SMTP_SSL_TRUST"] == plain.host
    assert (plain.env(style="rails")["SMTP_TLS"], implicit.env(style="rails")["SMTP_TLS"]) == (
        "false",
        "true",
    )
    assert implicit.env(style="django")["EMAIL_USE_SSL"] == "True"
    assert plain.env(style="django")["EMAIL_USE_TLS"] == "True"


def test_what_is_no_style(shop):
    with pytest.raises(DeclarationError, match="did you mean 'laravel'"):
        shop.submission.env(style="larabel")
    with pytest.raises(DeclarationError, match="is for SMTP"):
        shop.imap.env(style="rails")


def test_the_whole_environment_at_once(mailnet, monkeypatch):
    bob = mailnet.account("bob@example.org")
    before = dict(os.environ)
    with monkeypatch.context() as patch:
        settings = mailnet.set_env(patch)
        assert settings == mailnet.submission
        with smtplib.SMTP(os.environ["SMTP_HOST"], int(os.environ["SMTP_PORT"])) as client:
            client.starttls(context=ssl.create_default_context())
            client.login(os.environ["MAIL_USERNAME"], os.environ["EMAIL_HOST_PASSWORD"])
            client.sendmail("anybody@shop.test", [bob.address], "Subject: News\n\nAll new.")
    assert bob.inbox.wait_for_one().subject == "News"
    assert dict(os.environ) == before


def test_the_environment_of_an_account(mailnet, shop, monkeypatch):
    mailnet.set_env(monkeypatch, account=shop)
    assert os.environ["SMTP_USERNAME"] == shop.address


def test_the_public_side_of_settings(shop):
    public = shop.submission.public
    assert (public.host, public.port) == ("smtp.shop.test", 587)
    assert public.username == shop.address
    with MailNet() as net:
        assert net.account("bob@example.org").imaps.public.url.endswith("@mail.example.org:993")


@pytest.mark.parametrize("service", ["submission", "submissions"])
@pytest.mark.parametrize("options", [{}, {"port_offset": ANY_PORT}], ids=["own addresses", "127.0.0.1"])
def test_a_server_at_the_name_localhost(service, options):
    with MailNet(**options) as net:
        account = net.account("hello@shop.example.com")
        settings = getattr(account, service)
        named = settings.localhost
        assert (named.host, named.username, named.security) == (
            "localhost",
            settings.username,
            settings.security,
        )
        assert named == getattr(account, service).localhost
        assert named.url.endswith(f"@localhost:{named.port}")
        assert named.env()["SMTP_HOST"] == "localhost"
        for each in (named, settings):
            with each.smtplib() as client:
                assert client.noop()[0] == 250
        net.domain("shop.example.com").submission_host.stop()
        with pytest.raises(OSError):
            named.smtplib()
        net.domain("shop.example.com").submission_host.start()
        named.smtplib().close()


@pytest.mark.parametrize("service", ["imap", "imaps", "pop3", "pop3s"])
def test_a_reader_at_the_name_localhost(shop, service):
    settings = getattr(shop, service).localhost
    client = settings.imaplib() if service.startswith("imap") else settings.poplib()
    client.logout() if service.startswith("imap") else client.quit()


def test_a_service_that_is_not_there_is_not_at_localhost(shop):
    with pytest.raises(DeclarationError, match="there is no service 'smpt'; did you mean 'smtp'"):
        shop.submission.server.listen_on_localhost("smpt")
    with pytest.raises(DeclarationError, match=r"host 'smtp\.shop\.test' runs no 'imap'"):
        shop.submission.server.listen_on_localhost("imap")


def test_a_certificate_is_the_same_before_and_after(mailnet, shop):
    before = mailnet.find_host("smtp.shop.test")._running.tls_context.leaf
    assert {"smtp.shop.test", "localhost", "127.0.0.1", shop.submission.host} == set(before.names)
    assert shop.submission.localhost.host == "localhost"
    assert mailnet.find_host("smtp.shop.test")._running.tls_context.leaf is before


def test_faults_are_those_of_the_host_at_localhost_too(mailnet, shop):
    named = shop.submission.localhost
    with mailnet.find_host("smtp.shop.test").faults.refuse_connections(), pytest.raises(OSError):
        named.smtplib()
    named.smtplib().close()


def test_an_external_server_elsewhere_has_no_such_name(mailnet):
    here = mailnet.add_external_host("a.example.net", "127.0.0.1", 2525).settings("smtp")
    assert (here.localhost.host, here.localhost.port) == ("localhost", 2525)
    with pytest.raises(DeclarationError, match=r"external server at 127\.0\.0\.9"):
        _ = mailnet.add_external_host("b.example.net", "127.0.0.9", 2525).settings("smtp").localhost
