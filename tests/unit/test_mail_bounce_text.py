"""Bounces without a part for programs, and what only looks like one."""

from __future__ import annotations

import pytest

from fakemail.message import samples
from fakemail.message.message import MessageView

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
            "Mail delivery failed:\n\n  a@x.test\n    (generated from all@x.test)\n    550 5.1.1 unknown\n"
            "  b@x.test\n    (ultimately generated from all@x.test)\n    mailbox is full\n",
            [("a@x.test", "5.1.1", "550 5.1.1 unknown"), ("b@x.test", "5.0.0", "")],
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


def test_qsbmf_without_brackets():
    text = "Hi. This is the mail system.\n\nann@example.org:\nNo such box here. (#5.1.1)\n\n- Below\n"
    (found,) = notice(text).delivery_report.recipients
    assert (found.recipient, found.status) == ("ann@example.org", "5.1.1")


# Notices with a part for programs ---------------------------------------------------------------------


def standard(
    *groups, report_type="; report-type=delivery-status", wrapped=False, status="message/delivery-status"
):
    parts = "".join(f"--b\r\nContent-Type: {status}\r\n\r\n{group}\r\n" for group in groups)
    report = (
        f"Content-Type: multipart/report; boundary=b{report_type}\r\n\r\n--b\r\n\r\nSorry.\r\n{parts}"
        "--b\r\nContent-Type: text/rfc822-headers\r\n\r\n\r\nMessage-ID: <1@shop.test>\r\n--b--\r\n"
    )
    if wrapped:
        report = f"Content-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n{report}\r\n--c\r\n\r\nfooter\r\n--c--\r\n"
    raw = f"From: MAILER-DAEMON@mail.test\r\nMIME-Version: 1.0\r\n{report}"
    return MessageView(raw.encode()).delivery_report


MTA = "Reporting-MTA: dns; mx.test\r\n\r\n"


@pytest.mark.parametrize(
    ("field", "address"),
    [
        ("rfc822; bob@example.org", "bob@example.org"),
        ("rfc822;<bob@example.org>", "bob@example.org"),
        ("rfc822; Bob <bob@example.org> (gone)", "bob@example.org"),
        ("<bob@example.org>", "bob@example.org"),
        ("bob@example.org", "bob@example.org"),
        (r"utf-8; b\x{F6}b@b\x{FC}cher.example", "böb@bücher.example"),
        (r"UTF-8;\x{1F600}@example.org", "\U0001f600@example.org"),
        (r"utf-8; a\x{5C}b@example.org", r"a\b@example.org"),
        (r"utf-8; \x{D800}@example.org", r"\x{D800}@example.org"),
        ("utf-8; böb@example.org", "böb@example.org"),
        (r"rfc822; a\x{F6}@example.org", r"a\x{F6}@example.org"),
        ("x400; /S=bob/O=example/", "/S=bob/O=example/"),
    ],
)
def test_addresses_of_reports(field, address):
    """RFC 3464 §2.3.2, RFC 6533 §3."""
    report = standard(f"{MTA}Original-Recipient: {field}\r\nFinal-Recipient: {field}\r\nAction: failed\r\n")
    assert (report.recipient, report.recipients[0].original_recipient) == (address, address)


def test_two_parts_for_programs():
    one = f"{MTA}Final-Recipient: rfc822; a@x.test\r\nAction: failed\r\nStatus: 5.1.1\r\n"
    two = (
        one.replace("a@", "b@").replace("mx", "other").replace("failed", "delayed").replace("5.1.1", "4.2.2")
    )
    report = standard(one, two)
    assert [(each.recipient, each.status) for each in report.recipients] == [
        ("a@x.test", "5.1.1"),
        ("b@x.test", "4.2.2"),
    ]
    assert (report.reporting_host, report.original_message_id, report.is_standard) == (
        "mx.test",
        "<1@shop.test>",
        True,
    )


def test_reports_that_are_put_together_otherwise():
    group = f"{MTA}Final-Recipient: rfc822; a@x.test\r\nAction: failed (no)\r\nStatus: 5.1.1 (no)\r\n"
    for report in (
        standard(group, wrapped=True),
        standard(group, report_type=""),
        standard(group.replace("\r\n\r\n", "\r\n")),
        standard(group, status="message/global-delivery-status"),
        standard(f"{MTA}Original-Recipient: rfc822; a@x.test\r\nAction: failed\r\nStatus: 5.1.1\r\n"),
    ):
        assert (report.recipient, report.action, report.status) == ("a@x.test", "failed", "5.1.1")
        assert report.original_message_id == "<1@shop.test>"


def test_a_report_of_an_unknown_type_is_read_as_text():
    raw = (
        "From: MAILER-DAEMON@mail.test\r\nContent-Type: multipart/report; boundary=b\r\n\r\n"
        "--b\r\n\r\nCould not deliver to a@x.test: 550 5.1.1 unknown\r\n"
        "--b\r\nContent-Type: message/x-status\r\n\r\nwhatever\r\n--b--\r\n"
    )
    report = MessageView(raw.encode()).delivery_report
    assert (report.recipient, report.status, report.is_standard) == ("a@x.test", "5.1.1", False)
    other = raw.replace("multipart/report;", "multipart/report; report-type=feedback-report;")
    assert MessageView(other.encode()).delivery_report is None


def test_a_bounce_that_is_enclosed_is_none():
    raw = (
        "Content-Type: multipart/mixed; boundary=d\r\n\r\n--d\r\n\r\nlook\r\n--d\r\n"
        "Content-Type: message/rfc822\r\n\r\nContent-Type: multipart/report; boundary=b\r\n\r\n--b\r\n"
        f"Content-Type: message/delivery-status\r\n\r\n{MTA}Final-Recipient: rfc822; a@x.test\r\n--b--\r\n--d--\r\n"
    )
    assert MessageView(raw.encode()).delivery_report is None
