"""Automatic replies: who is answered, and with what (RFC 3834)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from fakemail.message import samples
from fakemail.message.message import MessageView
from fakemail.model.account import AutoReply
from fakemail.mta.inbound.auto_reply import answer, why_not
from fakemail.types.address import NULL_PATH, address

BOB = address("bob@example.org")
ANN = address("ann@example.org")


def mail(*headers, to="bob@example.org"):
    return MessageView(samples.plain(sender="ann@example.org", to=to, headers=headers))


def test_a_person_who_writes_to_the_account_is_answered():
    """RFC 3834 §2."""
    assert why_not(mail(), ANN, [BOB]) == ""
    assert why_not(mail(("Auto-Submitted", "no")), ANN, [BOB]) == ""
    assert why_not(mail(("Cc", "Bob <BOB@Example.org>"), to="x@y.test"), ANN, [BOB]) == ""


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("Auto-Submitted", "auto-generated", "made by a program"),
        ("Auto-Submitted", "Auto-Replied; x=y", "made by a program"),
        ("Precedence", "Bulk", "bulk mail"),
        ("List-Id", "<news.shop.test>", "mail of a list"),
        ("List-Unsubscribe", "<mailto:x@y.test>", "mail of a list"),
    ],
)
def test_mail_of_programs_is_not_answered(name, value, why):
    assert why in why_not(mail((name, value)), ANN, [BOB])


def test_nobody_and_those_who_are_no_people_are_not_answered():
    assert "no sender" in why_not(mail(), NULL_PATH, [BOB])
    for local in ("MAILER-DAEMON", "owner-friends", "friends-request", "friends-bounces+bob=x.test"):
        assert "no person" in why_not(mail(), address(f"{local}@lists.test"), [BOB])
    assert "not addressed" in why_not(mail(to="x@y.test"), ANN, [BOB])


def test_the_answer():
    """RFC 3834 §3: to the reverse-path, with the threads of the message, and marked."""
    message = MessageView(samples.plain(subject="Grüße", headers=[("References", "<1@x> <2@x>")]))
    now = datetime(2024, 1, 2, tzinfo=UTC)
    reply = MessageView(
        answer(AutoReply("Später.\nBob"), message, account=BOB, to=ANN, now=now, message_id="<9@x>")
    )
    assert (reply.subject, reply.text) == ("Auto: Grüße", "Später.\nBob\n")
    assert reply.references == ["<1@x>", "<2@x>", message.message_id]
    assert (reply.in_reply_to, reply.to, reply.sender) == (message.message_id, [str(ANN)], str(BOB))
    assert reply.is_automatic
    assert b"\n" not in reply.raw.replace(b"\r\n", b"")
