"""What becomes of a receipt when anything at all goes wrong on its way."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from receipts import NotSent, Server, send_carefully, send_once, send_stubbornly

from fakemail import MailNet


def order(net: MailNet, send: Callable[..., None]) -> None:
    """A customer orders something."""
    bob = net.account("bob@example.org")
    smtp = net.account("orders@example.com").submission
    server = Server(smtp.host, smtp.port, smtp.username, smtp.password, smtp.ssl_context, timeout=1)
    send(7, bob.address, server=server)


def test_who_gives_up_at_once_loses_nothing(mailnet: MailNet) -> None:
    mailnet.sweep(lambda net: order(net, send_once), expected_errors=NotSent, only="smtp.*-[45]yz").check()


def test_who_just_tries_again_sends_some_twice(mailnet: MailNet) -> None:
    report = mailnet.sweep(
        lambda net: order(net, send_stubbornly), expected_errors=NotSent, only="smtp.end-*"
    )
    assert [outcome.name for outcome in report.mishandled] == ["smtp.end-lost-reply"]


@pytest.mark.slow
@pytest.mark.mailnet_sweep(expected_errors=NotSent)
def test_a_receipt_arrives(mailnet: MailNet) -> None:
    order(mailnet, send_carefully)
    mailnet.settle()
    assert mailnet.account("bob@example.org").inbox.one().subject == "Receipt for order 7"
