"""What the page of features says is not there: it is refused in plain words, and nothing is promised."""

from __future__ import annotations

import imaplib
import smtplib

import pytest

from fakemail import DeclarationError, MailNet


@pytest.mark.parametrize("command", ["LHLO app.test", "XFORWARD NAME=app.test"])
def test_commands_of_other_servers(mailnet: MailNet, command: str) -> None:
    with mailnet.domain("example.org").hosts[0].settings("smtp").smtplib() as client:
        client.ehlo()
        code, text = client.docmd(command)
        assert (code, text[:5]) == (500, b"5.5.1")
        assert not client.has_extn(command.split()[0])


@pytest.mark.parametrize("parameter", ["HOLDFOR=60", "BY=60;R", "MT-PRIORITY=3"])
def test_parameters_of_mail_that_nobody_offered(mailnet: MailNet, parameter: str) -> None:
    """RFC 5321 §4.1.1.11."""
    shop = mailnet.account("hello@example.com")
    with shop.submission.smtplib() as client:
        code, _ = client.docmd("MAIL", f"FROM:<{shop.address}> {parameter}")
        assert code == 555
        assert not {"futurerelease", "deliverby", "mt-priority"}.intersection(client.esmtp_features)


def test_nobody_logs_in_anonymously(mailnet: MailNet) -> None:
    shop = mailnet.account("hello@example.com")
    with smtplib.SMTP(shop.submission.host, shop.submission.port) as client:
        client.starttls(context=shop.submission.ssl_context)
        client.ehlo()
        assert "ANONYMOUS" not in client.esmtp_features["auth"].split()
        assert client.docmd("AUTH", "ANONYMOUS")[0] == 504


def test_no_host_speaks_lmtp(mailnet: MailNet) -> None:
    with pytest.raises(DeclarationError, match="lmtp"):
        mailnet.host("mx9.example.org", services=["lmtp"])


def test_capabilities_of_imap(mailnet: MailNet) -> None:
    client: imaplib.IMAP4 = mailnet.account("bob@example.org").imap.imaplib()
    try:
        assert not {"CATENATE", "URLAUTH", "CONTEXT=SEARCH"}.intersection(client.capabilities)
    finally:
        client.logout()
