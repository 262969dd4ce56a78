"""What a test declares in error is refused where it is declared, and says what is right."""

from __future__ import annotations

import pytest

from fakemail.errors import DeclarationError
from fakemail.terms.reply import Reply
from fakemail.terms.stage import Stage

NO = Reply(550, "5.7.1", "no")


@pytest.mark.parametrize(
    "stage",
    [
        Stage.CONNECT,
        Stage.TLS_HANDSHAKE,
        Stage.DNS_QUERY,
        Stage.HTTP_REQUEST,
        Stage.IMAP_LOGIN,
        Stage.POP3_PASS,
        Stage.QUEUE,
        Stage.DELIVER,
        Stage.SMTP_UNKNOWN,
        "smtp.rcpt",
    ],
)
def test_a_fault_at_a_stage_that_nobody_asks_about(mailnet, stage):
    faults = mailnet.domain("example.org").hosts[0].faults
    for declare in (lambda: faults.reply(stage, NO), lambda: faults.drop(stage)):
        with pytest.raises(DeclarationError, match="SMTP_RCPT"):
            declare()
    assert faults.all() == []


@pytest.mark.parametrize(
    "options",
    [{"times": 0}, {"skip": -1}, {"times": "2"}, {"to": "bob"}, {"sender": "example.org"}, {"to": "@"}],
)
def test_a_fault_that_could_never_strike(mailnet, options):
    faults = mailnet.domain("example.org").hosts[0].faults
    with pytest.raises(DeclarationError, match=next(iter(options))):
        faults.reply(Stage.SMTP_RCPT, NO, **options)


@pytest.mark.parametrize("pattern", ["bob@example.org", "@example.org", "<>", "*@example.*"])
def test_whom_a_fault_may_be_about(mailnet, pattern):
    faults = mailnet.domain("example.org").hosts[0].faults
    faults.reply(Stage.SMTP_RCPT, NO, to=pattern, sender=pattern)
    assert len(faults.all()) == 1
