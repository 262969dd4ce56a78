"""Hosts on loopback addresses of their own, with the ports that the program expects."""

from __future__ import annotations

import pytest
from mailcheck import unread

from fakemail import DeclarationError, MailNet


@pytest.fixture
def mailnet():
    """On real ports, where this machine lets us; else the test is skipped, and says why."""
    try:
        net = MailNet(real_ports=True).start()
    except DeclarationError as error:
        pytest.skip(str(error))
    with net:
        yield net


def test_it_counts(mailnet: MailNet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", mailnet.ca_file)
    bob = mailnet.account("bob@example.org", password="s3cret")
    bob.inbox.put("Subject: One\n\nHello.")
    bob.inbox.put("Subject: Two\n\nHello.")

    assert unread(bob.pop3s.host, bob.address, "s3cret") == 2
