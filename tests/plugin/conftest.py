"""A project with an app that sends mail, for the plugin to be used in."""

from __future__ import annotations

import pytest

# Loaded once here, and not again in each run inside this process.
import fakemail  # noqa: F401
import pytest_fakemail.options
import pytest_fakemail.report
import pytest_fakemail.strictness
import pytest_fakemail.unfired
import pytest_fakemail.worlds  # noqa: F401

_APP = """
import smtplib
from email.message import EmailMessage


def send(smtp, to, subject="Welcome, Bob", sender="hello@shop.test"):
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = sender, to, subject
    mail.set_content("Hello")
    with smtplib.SMTP(smtp.host, smtp.port, timeout=10) as client:
        client.starttls(context=smtp.ssl_context)
        if smtp.username:
            client.login(smtp.username, smtp.password)
        client.send_message(mail)
"""


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """An empty project with the app ``shop.send``; warnings are errors."""
    # Said where an ini file of a test's own leaves it as it is: each of them would be loaded in each run anew.
    needless = ("cacheprovider", "hypothesispytest", "playwright", "fakefs")
    monkeypatch.setenv("PYTEST_ADDOPTS", " ".join(f"-p no:{each}" for each in needless))
    pytester.makepyfile(shop=_APP)
    pytester.makeini(
        "[pytest]\nfilterwarnings = error\nasyncio_default_fixture_loop_scope = function\n"
        "addopts = --strict-markers\n"
    )
    return pytester
