"""``fakemail sendmail``: where it submits, and that it never does so elsewhere."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from command_line import fakemail
from fakemail import MailNet

COMMAND = [sys.executable, "-m", "fakemail", "sendmail"]
MAIL = "Subject: News\nTo: bob@example.org\n\nAll new.\n"


def submit(*words: str, env: dict[str, str] | None = None) -> tuple[int, str]:
    """The exit status and what it complains of."""
    unset = {name: None for name in os.environ if name.startswith("FAKEMAIL_SUBMISSION")}
    status, _, complaints = fakemail("sendmail", *words, input=MAIL, env={**unset, **(env or {})})
    return status, complaints


@pytest.fixture
def bob(mailnet):
    return mailnet.account("bob@example.org")


def test_as_the_env_file_says(mailnet, bob):
    settings = mailnet.submission
    env = {
        "FAKEMAIL_SUBMISSION_HOST": settings.host,
        "FAKEMAIL_SUBMISSION_PORT": str(settings.port),
        "FAKEMAIL_SUBMISSION_USER": settings.username,
        "FAKEMAIL_SUBMISSION_PASS": settings.password,
        "FAKEMAIL_CA_FILE": mailnet.ca_file,
    }
    assert submit("-t", "-i", "-f", "hello@shop.test", env=env) == (0, "")
    mail = bob.inbox.wait_for_one()
    assert (mail.subject, str(mail.envelope.sender)) == ("News", "hello@shop.test")
    assert mailnet.journey(subject="News").hops[0].protocol == "ESMTPSA"


def test_by_options(mailnet, bob):
    settings = mailnet.submission
    where = ["--server", f"{settings.host}:{settings.port}", "--user", settings.username]
    trusted = [*where, "--password", settings.password, "--ca-file", mailnet.ca_file]
    assert submit(*trusted, bob.address) == (0, "")
    assert bob.inbox.wait_for_one()
    wrong = subprocess.run(
        [*COMMAND, *where, "--password", "wrong", bob.address], input=MAIL, text=True, timeout=50, check=False
    )
    assert wrong.returncode == 77
    # The mail host of a domain takes mail for it without a login.
    mx = mailnet.mx("example.org")
    assert submit("--server", f"{mx.host}:{mx.port}", "--", bob.address) == (0, "")
    assert len(bob.inbox.wait_for_count(2)) == 2


def test_to_one_that_stands_on_its_usual_port(bob):
    try:
        net = MailNet(port_offset=1000).start()
    except OSError as error:
        pytest.skip(f"another one stands here: {error}")
    try:
        ann = net.account("ann@example.org")
        net.account("app@mailnet.example.net", password="app-password")
        assert net.submission.port == 1587
        assert submit("-i", ann.address) == (0, "")
        assert ann.inbox.wait_for_one().subject == "News"
    finally:
        net.close()


@pytest.mark.parametrize("host", ["192.88.99.1", "8.8.8.8"])
def test_never_to_another_machine(host):
    status, complaints = submit("--server", f"{host}:25", "bob@example.org")
    assert status == 78
    assert "nothing may leave" in complaints
    assert submit("--server", f"{host}:25", "-bs")[0] == 78


def test_where_nobody_listens():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    status, complaints = submit("--server", f"127.0.0.1:{port}", "bob@example.org")
    assert (status, "cannot be reached" in complaints) == (75, True)
    assert submit("--server", "here", "bob@example.org")[0] == 1


def test_under_a_redirect_and_inside_a_namespace(mailnet, bob):
    with mailnet.redirect():
        done = subprocess.run([*COMMAND, "-t"], input=MAIL, text=True, timeout=50, check=False)
        assert done.returncode == 0
    assert bob.inbox.wait_for_one().subject == "News"
