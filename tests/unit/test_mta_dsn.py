"""Delivery status notifications: who gets one, what it says, and that the standard library can read it."""

from __future__ import annotations

import email
import email.policy
from datetime import UTC, datetime

import pytest

from fakemail.message import mime
from fakemail.message.envelope import Envelope, Origin, Recipient
from fakemail.message.reports.bounce_styles import read_report
from fakemail.message.reports.dsn import DeliveryStatusReport, DsnAction, RecipientStatus, is_due, write
from fakemail.types.address import NULL_PATH, Address
from fakemail.types.peer import Peer
from fakemail.types.reason import Reason
from fakemail.types.reply import Reply

NOW = datetime(2030, 5, 1, 12, 0, tzinfo=UTC)
SHOP = Address("bounces", "shop.test")
BOB = Address("bob", "example.org")
ORIGIN = Origin("app", Peer("203.0.113.250", 1, "app"), "ESMTP", "", "", "")
ORIGINAL = b"Message-ID: <1@shop.test>\r\nSubject: Invoice\r\n\r\nPlease pay.\r\n"


def report(*statuses: RecipientStatus, **options: object) -> bytes:
    return write(
        DeliveryStatusReport(
            host="smtp.shop.test",
            to=SHOP,
            statuses=statuses,
            original=options.pop("original", ORIGINAL),  # type: ignore[arg-type]
            arrived=NOW,
            now=NOW,
            message_id="<r@smtp.shop.test>",
            boundary="=_b",
            **options,  # type: ignore[arg-type]
        )
    )


def failed(reply: Reply | None = Reply(550, "5.1.1", "no such user"), **options: object) -> RecipientStatus:
    recipient = options.pop("recipient", Recipient(BOB))
    return RecipientStatus(recipient, DsnAction.FAILED, reply, remote="mx1.example.org", **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("notify", "action", "due"),
    [
        ((), DsnAction.FAILED, True),
        ((), DsnAction.DELAYED, True),
        ((), DsnAction.DELIVERED, False),
        (("NEVER",), DsnAction.FAILED, False),
        (("NEVER",), DsnAction.DELAYED, False),
        (("SUCCESS",), DsnAction.DELIVERED, True),
        (("SUCCESS",), DsnAction.RELAYED, True),
        (("SUCCESS",), DsnAction.EXPANDED, True),
        (("SUCCESS",), DsnAction.FAILED, False),
        (("FAILURE", "DELAY"), DsnAction.FAILED, True),
        (("FAILURE",), DsnAction.DELAYED, False),
        (("DELAY",), DsnAction.DELAYED, True),
    ],
)
def test_who_is_told(notify, action, due):
    """RFC 3461 §4.1."""
    recipient = Recipient(BOB, notify)
    assert is_due(action, Envelope(SHOP, (recipient,), ORIGIN), recipient) is due
    assert not is_due(action, Envelope(NULL_PATH, (recipient,), ORIGIN), recipient)


def test_the_standard_library_reads_it():
    """RFC 6522, RFC 3464."""
    message = email.message_from_bytes(report(failed()), policy=email.policy.default)
    assert message.get_content_type() == "multipart/report"
    assert message.get_param("report-type") == "delivery-status"
    assert message["Auto-Submitted"] == "auto-replied"  # RFC 3834
    assert not message.defects
    text, status, original = message.iter_parts()
    assert "mx1.example.org said: 550 5.1.1 no such user" in text.get_content()
    per_message, per_recipient = status.get_payload()
    assert per_message["Reporting-MTA"] == "dns; smtp.shop.test"
    assert dict(per_recipient.items()) == {
        "Final-Recipient": "rfc822; bob@example.org",
        "Action": "failed",
        "Status": "5.1.1",
        "Remote-MTA": "dns; mx1.example.org",
        "Diagnostic-Code": "smtp; 550 5.1.1 no such user",
        "Last-Attempt-Date": "Wed, 01 May 2030 12:00:00 +0000",
    }
    assert original.get_content()["Subject"] == "Invoice"


def test_we_read_it_ourselves():
    recipient = Recipient(BOB, ("FAILURE",), "rfc822;Bob@Old.example")
    raw = report(failed(recipient=recipient), failed(Reply(452, "4.2.2", "full")), envid="QQ 1", ret="HDRS")
    found = read_report(mime.parse(raw))
    assert found is not None
    assert (found.action, found.status, found.recipient) == ("failed", "5.1.1", "bob@example.org")
    assert (found.reporting_host, found.envelope_id) == ("smtp.shop.test", "QQ 1")
    assert found.original_message_id == "<1@shop.test>"
    assert [each.status for each in found.recipients] == ["5.1.1", "4.2.2"]
    assert found.recipients[0].original_recipient == "Bob@Old.example"
    assert found.recipients[0].remote == "mx1.example.org"
    assert found.diagnostic == "550 5.1.1 no such user"


def test_ret_says_how_much_comes_back():
    """RFC 3461 §4.3."""
    assert b"Please pay." in report(failed())
    assert b"Please pay." in report(failed(), ret="FULL")
    assert b"Please pay." not in report(failed(), ret="HDRS")
    delivered = RecipientStatus(Recipient(BOB), DsnAction.DELIVERED)
    assert b"Please pay." not in report(delivered, ret="FULL")


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (failed(Reply(550, None, "no")), "5.0.0"),
        (failed(None, reason=Reason.NO_SUCH_DOMAIN), "5.1.2"),
        (failed(None, reason=Reason.NULL_MX), "5.1.10"),
        (failed(None, reason=Reason.CONNECTION_REFUSED), "5.4.1"),
        (RecipientStatus(Recipient(BOB), DsnAction.DELAYED, None, Reason.CONNECTION_REFUSED), "4.4.1"),
        (RecipientStatus(Recipient(BOB), DsnAction.DELIVERED), "2.0.0"),
    ],
)
def test_status_codes_where_no_server_gave_one(status, code):
    """RFC 3463 §3."""
    assert status.code == code


def test_addresses_outside_ascii_make_it_a_global_report():
    """RFC 6533 §3."""
    raw = report(failed(recipient=Recipient(Address("jürgen", "example.org"))))
    assert b"Content-Type: message/global-delivery-status" in raw
    found = read_report(mime.parse(raw))
    assert found is not None
    assert found.recipient == "jürgen@example.org"


@pytest.mark.parametrize(
    "raw",
    [
        b"Subject: hello\r\n\r\nhi\r\n",
        b"Content-Type: multipart/report; boundary=x\r\n\r\n--x--\r\n",
        b"Content-Type: multipart/report; boundary=x\r\n\r\n--x\r\nContent-Type: message/delivery-status\r\n\r\n"
        b"Reporting-MTA: dns; x\r\n\r\n--x--\r\n",
    ],
)
def test_what_is_no_report(raw):
    assert read_report(mime.parse(raw)) is None


def test_hostile_texts_cannot_add_fields():
    raw = report(failed(Reply(550, "5.1.1", "no\nAction: delivered")), envid="x\r\nX-Injected: 1")
    assert b"\r\nX-Injected" not in raw
    assert b"\r\nAction: delivered" not in raw
