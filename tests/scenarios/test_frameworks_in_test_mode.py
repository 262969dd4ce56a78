"""Settings helpers in apps that run as tests run them: each framework has a mode in which it would send nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import fastapi_mail
import flask
import flask_mail
import flask_mailman
import pytest
from email_validator import validate_email

from fakemail.intercept.ca_bundles import BUNDLE_VARIABLES


@pytest.fixture
def bob(mailnet):
    return mailnet.account("bob@example.org")


WAYS = ["smarthost", "smarthost with TLS", "account", "mail host"]


@pytest.fixture(params=WAYS)
def settings(mailnet, monkeypatch, request):
    found = {
        "smarthost": lambda: mailnet.submission,
        "smarthost with TLS": lambda: mailnet.submissions,
        "account": lambda: mailnet.account("hello@shop.example.com").submission,
        "mail host": lambda: mailnet.domain("example.org").mx,
    }[request.param]()
    for name, value in found.env().items():
        monkeypatch.setenv(name, value)
    return found


def sender_of(settings):
    return settings.username or "hello@shop.example.com"


def test_flask_mail(settings, bob):
    app = flask.Flask("shop")
    app.config["TESTING"] = True
    app.config.update(settings.flask_mail())
    mail = flask_mail.Mail(app)
    with app.app_context():
        mail.send(
            flask_mail.Message("News", sender=sender_of(settings), recipients=[bob.address], body="All new.")
        )
    assert bob.inbox.wait_for_one().subject == "News"


def test_flask_mailman(settings, bob):
    app = flask.Flask("shop")
    app.config["TESTING"] = True
    app.config.update(settings.flask_mail())
    mail = flask_mailman.Mail(app)
    with app.app_context():
        flask_mailman.EmailMessage("News", "All new.", sender_of(settings), [bob.address]).send()
    assert not getattr(mail.state, "outbox", [])
    assert bob.inbox.wait_for_one().subject == "News"


@pytest.mark.asyncio
@pytest.mark.parametrize("way", WAYS)
async def test_fastapi_mail(async_mailnet, monkeypatch, way):
    monkeypatch.setenv("SUPPRESS_SEND", "1")  # as suites for FastAPI-Mail do
    bob = async_mailnet.account("bob@example.org")
    settings = {
        "smarthost": lambda: async_mailnet.submission,
        "smarthost with TLS": lambda: async_mailnet.submissions,
        "account": lambda: async_mailnet.account("hello@shop.example.com").submission,
        "mail host": lambda: async_mailnet.mx("example.org"),
    }[way]()
    monkeypatch.setenv("SSL_CERT_FILE", settings.ca_file)
    config = fastapi_mail.ConnectionConfig(**settings.fastapi_mail())
    message = fastapi_mail.MessageSchema(
        subject="News", recipients=[bob.address], body="All new.", subtype=fastapi_mail.MessageType.plain
    )
    await fastapi_mail.FastMail(config).send_message(message)
    assert (await bob.inbox.wait_for_one()).subject == "News"


DJANGO = """
import os
from django.conf import settings
from django.core import mail
from django.core.mail import send_mail
from django.test import SimpleTestCase, override_settings
from django.test.runner import DiscoverRunner
from fakemail import MailNet
import django

settings.configure(INSTALLED_APPS=[], DATABASES={})
django.setup()

class Tests(SimpleTestCase):
    def mail_by(self, settings_of):
        net = self.enterContext(MailNet())
        bob = net.account("bob@example.org")
        settings = settings_of(net)
        os.environ.update(settings.env())
        with override_settings(**settings.django_settings()):
            send_mail("News", "All new.", "hello@shop.example.com", [bob.address])
        self.assertEqual(bob.inbox.wait_for_one().subject, "News")
        self.assertEqual(mail.outbox, [])

    def test_submission(self):
        self.mail_by(lambda net: net.submission)

    def test_submission_with_tls(self):
        self.mail_by(lambda net: net.submissions)

    def test_a_mail_host(self):
        self.mail_by(lambda net: net.mx("example.org"))

class Runner(DiscoverRunner):
    def build_suite(self, *args, **options):
        return self.test_loader.loadTestsFromTestCase(Tests)

raise SystemExit(Runner(verbosity=0).run_tests([]))
"""


def test_djangos_own_test_runner():
    run = subprocess.run(
        [sys.executable, "-c", DJANGO], capture_output=True, text=True, check=False, timeout=120
    )
    assert run.returncode == 0, run.stderr
    assert "Ran 3 tests" in run.stderr


NODE = """
const nodemailer = require("nodemailer");
const { SMTP_HOST: host, SMTP_PORT: port, SMTP_SECURITY: security } = process.env;
const auth = { user: process.env.SMTP_USERNAME, pass: process.env.SMTP_PASSWORD };
nodemailer.createTransport({ host, port, secure: security == "tls", requireTLS: security == "starttls", auth })
  .sendMail({ from: "hello@shop.example.com", to: "bob@example.org", subject: "News", text: "All new." })
  .catch(error => { console.error(String(error)); process.exit(1); });
"""


@pytest.mark.parametrize("service", ["submission", "submissions"])
def test_a_node_program_has_all_in_its_environment(mailnet, bob, service):
    modules = os.environ.get("FAKEMAIL_NODE_MODULES", "")
    if shutil.which("node") is None or not Path(modules, "nodemailer").is_dir():
        pytest.skip("FAKEMAIL_NODE_MODULES names no folder with nodemailer")
    env = {"PATH": os.environ["PATH"], "NODE_PATH": modules, **getattr(mailnet, service).env()}
    run = subprocess.run(
        ["node", "-e", NODE], env=env, capture_output=True, text=True, check=False, timeout=60
    )
    assert run.returncode == 0, run.stderr
    assert bob.inbox.wait_for_one().subject == "News"


@pytest.mark.parametrize("service", ["submission", "imaps", "pop3"])
def test_the_environment_carries_what_a_namespace_carries(bob, service):
    settings = getattr(bob, service)
    for env in (settings.env(), *([settings.env(style="django")] if service == "submission" else [])):
        assert {name: env[name] for name in BUNDLE_VARIABLES} == dict.fromkeys(
            BUNDLE_VARIABLES, settings.ca_file
        )


def test_addresses_of_our_own_are_taken_by_validators(mailnet):
    for settings in (mailnet.submission, mailnet.submissions, mailnet.domain("example.org").mx):
        sender = settings.fastapi_mail()["MAIL_FROM"]
        assert validate_email(sender, check_deliverability=False).normalized == sender
