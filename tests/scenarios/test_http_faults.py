"""Faults of HTTPS, where MTA-STS policies are served, as urllib and our own hosts see them."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request

import pytest

from fakemail import MailNet, Stage, faults, minutes, seconds
from fakemail.errors import DeclarationError
from fakemail.faults.catalogue import rows

PATIENCE = 0.2


@pytest.fixture
def host(mailnet: MailNet):
    mailnet.account("bob@example.org")
    mailnet.account("ann@shop.test")
    mailnet.domain("example.org").mta_sts("enforce")
    return mailnet.find_host("mta-sts.example.org")


def get(host, *, timeout: float = 10) -> bytes:
    settings = host.settings("https")
    url = f"https://{settings.host}:{settings.port}/.well-known/mta-sts.txt"
    with urllib.request.urlopen(url, context=settings.ssl_context, timeout=timeout) as answer:
        return answer.read()


def test_every_stage_is_in_the_table() -> None:
    assert {stage for stage in rows() if stage.name.startswith("HTTP_")} == {Stage.HTTP_REQUEST}


@pytest.mark.parametrize("status", [404, 500, 503])
def test_statuses(host, status):
    fault = host.faults.http_status(status, argument="/.well-known/*", times=1)
    with pytest.raises(urllib.error.HTTPError) as caught:
        get(host)
    assert (caught.value.code, fault.fired) == (status, 1)
    caught.value.close()
    assert get(host).startswith(b"version: STSv1")


def test_another_document(host):
    with host.faults.http_body("version: STSv9"):
        assert get(host) == b"version: STSv9"


@pytest.mark.parametrize(
    ("action", "error"),
    [
        (faults.drop(), http.client.RemoteDisconnected),
        (faults.reset(), ConnectionResetError),
        (faults.no_reply(), TimeoutError),
        (faults.partial_reply(), http.client.HTTPException),
        (faults.garbage(), http.client.BadStatusLine),
        (faults.drop_reply(), http.client.RemoteDisconnected),
    ],
    ids=str,
)
def test_ends(host, action, error):
    host.faults.add(Stage.HTTP_REQUEST, action)
    with pytest.raises((error, urllib.error.URLError)):
        get(host, timeout=PATIENCE if error is TimeoutError else 10)


@pytest.mark.parametrize("fault", ["status", "body", "drop", "reset", "half"])
def test_a_policy_that_cannot_be_had_counts_for_nothing(mailnet, host, fault):
    """RFC 8461 §5.1: without a policy the mail goes as if there were none."""
    make = {
        "status": lambda: host.faults.http_status(503),
        "body": lambda: host.faults.http_body("nonsense"),
        "drop": lambda: host.faults.drop(Stage.HTTP_REQUEST),
        "reset": lambda: host.faults.reset(Stage.HTTP_REQUEST),
        "half": lambda: host.faults.add(Stage.HTTP_REQUEST, faults.partial_reply()),
    }
    declared = make[fault]()
    with mailnet.account("ann@shop.test").submission.smtplib() as client:
        client.sendmail("ann@shop.test", ["bob@example.org"], "Subject: Hi\r\n\r\nHello.\r\n")
    mailnet.settle()
    assert declared.fired == 1
    assert len(mailnet.account("bob@example.org").inbox) == 1
    assert mailnet.journey(subject="Hi").attempts[0].policy == "opportunistic"


@pytest.mark.parametrize("stage", [Stage.HTTP_REQUEST, Stage.TLS_HANDSHAKE])
def test_a_policy_is_waited_for_a_while_by_the_fake_clock(mailnet, host, stage):  # RFC 8461 §3.3
    host.faults.no_reply(stage)
    with mailnet.account("ann@shop.test").submission.smtplib() as client:
        client.sendmail("ann@shop.test", ["bob@example.org"], "Subject: Hi\r\n\r\nHello.\r\n")
    mailnet.settle()
    assert mailnet.account("bob@example.org").inbox.is_empty
    mailnet.clock.advance(minutes(6))
    assert len(mailnet.account("bob@example.org").inbox) == 1


def test_a_slow_policy_counts(mailnet, host):
    host.faults.delay(Stage.HTTP_REQUEST, seconds(50))
    with mailnet.account("ann@shop.test").submission.smtplib() as client:
        client.sendmail("ann@shop.test", ["bob@example.org"], "Subject: Hi\r\n\r\nHello.\r\n")
    mailnet.clock.advance(minutes(1))
    assert mailnet.journey(subject="Hi").attempts[0].policy == "sts"


def test_wrong_declarations(host):
    with pytest.raises(DeclarationError, match="200 to 599"):
        host.faults.http_status(99)
