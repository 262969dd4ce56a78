"""Bounces without a part for programs, and what only looks like one."""

from __future__ import annotations

import pytest

from fakemail.mail import samples
from fakemail.mail.message import MessageView

QSBMF = """Hi. This is the mail system of an island.
Nothing was delivered.

<ann@example.org>:
192.0.2.1 does not like recipient.
Remote host said: 550 5.7.1 go away

<bob@example.org>:
No such box here. (#5.1.1)

--- Below is the message.

Message-ID: <1@shop.test>
To: <nobody@example.org>:
"""


def notice(text, *, sender="MAILER-DAEMON@mail.test", subject="Notice"):
    return MessageView(samples.plain(sender=sender, to="shop@shop.test", subject=subject, text=text))


def test_qsbmf():
    report = notice(QSBMF).delivery_report
    assert [(each.recipient, each.status, each.diagnostic) for each in report.recipients] == [
        ("ann@example.org", "5.7.1", "550 5.7.1 go away"),
        ("bob@example.org", "5.1.1", "No such box here. (#5.1.1)"),
    ]
    assert (report.original_message_id, report.reporting_host) == ("<1@shop.test>", "mail.test")
    assert not report.is_standard


@pytest.mark.parametrize(
    ("text", "recipient", "status"),
    [
        ("Mail to ann@example.org was not delivered:\n554 rejected as spam\n", "ann@example.org", "5.0.0"),
        ("Undeliverable: <ann@example.org>, mailbox full (4.2.2). We gave up.", "ann@example.org", "4.2.2"),
        ("Delivery failed for ann@example.org. Contact postmaster@mail.test.", "ann@example.org", "5.0.0"),
        (
            "Could not deliver to ann@example.org.\n\n> From: x@y.test\n> To: z@y.test\n",
            "ann@example.org",
            "5.0.0",
        ),
    ],
)
def test_texts_of_any_form(text, recipient, status):
    report = notice(text).delivery_report
    assert [(each.recipient, each.status) for each in report.recipients] == [(recipient, status)]


@pytest.mark.parametrize(
    ("text", "sender"),
    [
        ("Mail to ann@example.org was not delivered: 550 no", "bob@example.org"),
        ("Welcome to our mail system, shop@shop.test.", "postmaster@mail.test"),
        ("It was not delivered.", "postmaster@mail.test"),
        ("Your parcel could not be delivered. Write to us@parcels.test.", "parcels@parcels.test"),
        ("", "mailer-daemon@mail.test"),
    ],
)
def test_what_is_no_bounce(text, sender):
    assert notice(text, sender=sender).delivery_report is None


def test_a_reply_for_each_recipient_is_that_recipients():
    text = "Not delivered:\na@x.test: 550 5.1.1 unknown\nb@x.test: 552 5.2.2 full\n"
    report = notice(text).delivery_report
    assert [(each.recipient, each.status) for each in report.recipients] == [
        ("a@x.test", "5.1.1"),
        ("b@x.test", "5.2.2"),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Not delivered:\na@x.test: no such box\nb@x.test: 552 5.2.2 full\n",
            [("a@x.test", "5.0.0", ""), ("b@x.test", "5.2.2", "552 5.2.2 full")],
        ),
        (
            "Not delivered:\n550 5.1.1 <a@x.test>: unknown\n552 5.2.2 <b@x.test>: full\n",
            [
                ("a@x.test", "5.1.1", "550 5.1.1 <a@x.test>: unknown"),
                ("b@x.test", "5.2.2", "552 5.2.2 <b@x.test>: full"),
            ],
        ),
        (
            "Not delivered: a@x.test: 550 5.1.1 unknown; b@x.test: gone\n",
            [("a@x.test", "5.1.1", "550 5.1.1 unknown"), ("b@x.test", "5.0.0", "")],
        ),
        (
            "Not delivered to a@x.test, b@x.test.\n\n<b@x.test>:\n452 4.2.2 full\n<a@x.test>: (5.1.1)\n",
            [("a@x.test", "5.1.1", ""), ("b@x.test", "4.2.2", "452 4.2.2 full")],
        ),
        (
            "Not delivered, they said 554 5.7.1 spam to all:\n\na@x.test\nb@x.test\n",
            [
                ("a@x.test", "5.7.1", "554 5.7.1 spam to all:"),
                ("b@x.test", "5.7.1", "554 5.7.1 spam to all:"),
            ],
        ),
        (
            "Not delivered:\na@x.test\n  550 5.1.1 no\n  451 4.3.0 was said before\nb@x.test\n",
            [("a@x.test", "5.1.1", "550 5.1.1 no"), ("b@x.test", "5.0.0", "")],
        ),
    ],
)
def test_nobody_is_given_what_was_said_of_another(text, expected):
    report = notice(text).delivery_report
    assert [(each.recipient, each.status, each.diagnostic) for each in report.recipients] == expected
