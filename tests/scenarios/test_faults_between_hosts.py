"""What our own sending side makes of a server that fails: a fate with a named reason, and nothing is lost."""

from __future__ import annotations

import pytest

from fakemail import Delivered, Expired, Reason, Stage, days, faults, hours, minutes, seconds


def hand_in(mailnet, to="bob@example.org"):
    with mailnet.submission.smtplib() as client:
        client.sendmail("shop@shop.test", [to], "Subject: Receipt\n\nThank you.")


CASES = {
    "a greeting that never comes": (Stage.SMTP_BANNER, faults.no_reply(), Reason.TIMEOUT),
    "a connection nobody speaks on": (Stage.CONNECT, faults.no_reply(), Reason.TIMEOUT),
    "a connection reset at once": (Stage.CONNECT, faults.reset(), Reason.CONNECTION_LOST),
    "a connection closed at once": (Stage.CONNECT, faults.drop(), Reason.CONNECTION_LOST),
    "nobody takes connections in": (Stage.CONNECT, faults.hang_connections(), Reason.TIMEOUT),
    "nobody listens": (Stage.CONNECT, faults.refuse_connections(), Reason.CONNECTION_REFUSED),
    "nonsense": (Stage.SMTP_RCPT, faults.garbage(), Reason.PROTOCOL_ERROR),
    "a greeting in nonsense": (Stage.SMTP_BANNER, faults.garbage(), Reason.PROTOCOL_ERROR),
    "a broken continuation": (
        Stage.SMTP_MAIL,
        faults.garbage("250-sender OK\r\n251 done\r\n"),
        Reason.PROTOCOL_ERROR,
    ),
    "a reply of a megabyte": (Stage.SMTP_MAIL, faults.oversized_line(), Reason.PROTOCOL_ERROR),
    "a code of two digits": (Stage.SMTP_END, faults.malformed(), Reason.PROTOCOL_ERROR),
    "a reply too many, taken for that to STARTTLS": (
        Stage.SMTP_HELO,
        faults.duplicate_reply(),
        Reason.PROTOCOL_ERROR,
    ),
    "half a reply": (Stage.SMTP_RCPT, faults.partial_reply(), Reason.CONNECTION_LOST),
    "421 in mid-transaction": (Stage.SMTP_RCPT, faults.close(), Reason.FAULT),
    "closed in the message": (Stage.SMTP_BODY, faults.drop(), Reason.CONNECTION_LOST),
    "reset in the message": (Stage.SMTP_BODY, faults.reset(), Reason.CONNECTION_LOST),
    "silent after the message": (Stage.SMTP_END, faults.no_reply(), Reason.TIMEOUT),
    "reset after the final dot": (Stage.SMTP_END, faults.drop_reply("reset"), Reason.CONNECTION_LOST),
    "slower than anybody waits": (Stage.SMTP_DATA, faults.delay(minutes(3)), Reason.TIMEOUT),
}


@pytest.mark.parametrize("case", CASES)
def test_it_is_tried_again_and_arrives(mailnet, case):
    stage, action, reason = CASES[case]
    bob = mailnet.account("bob@example.org")
    with mailnet.mx("example.org").faults.add(stage, action):
        hand_in(mailnet)
        mailnet.clock.advance(minutes(12))
        attempts = mailnet.journey(to=bob).attempts
        assert attempts
        assert {attempt.reason for attempt in attempts} == {reason}
    mailnet.clock.advance(hours(3))
    journey = mailnet.journey(to=bob)
    assert isinstance(journey.fate, Delivered)
    # A message that was taken and not acknowledged is sent again (RFC 5321 §4.5.4.1), and is there twice.
    was_taken = stage is Stage.SMTP_END and action != faults.no_reply()
    assert len(bob.inbox) == 1 + len(journey.duplicates)
    assert bool(journey.duplicates) is was_taken


@pytest.mark.parametrize("case", CASES)
def test_it_is_given_up_in_the_end(mailnet, case):
    stage, action, reason = CASES[case]
    shop, bob = mailnet.accounts("shop@shop.test", "bob@example.org")
    mailnet.mx("example.org").faults.add(stage, action)
    hand_in(mailnet)
    mailnet.clock.advance(days(6))
    fate = mailnet.journey(to=bob).fate
    if bob.inbox.is_empty:
        assert isinstance(fate, Expired)
        assert fate.reason is reason
    else:
        assert isinstance(fate, Delivered | Expired)
    assert shop.inbox[-1].delivery_report.action == "failed"


@pytest.mark.parametrize(
    ("stage", "action"),
    [
        (Stage.SMTP_BANNER, faults.delay(minutes(4))),
        (Stage.SMTP_MAIL, faults.delay(seconds(200))),
        (Stage.SMTP_END, faults.delay(minutes(9))),
        (Stage.SMTP_BODY, faults.delay(minutes(2))),
    ],
)
def test_a_slow_server_is_waited_for_by_the_fake_clock(mailnet, stage, action):
    bob = mailnet.account("bob@example.org")
    mailnet.mx("example.org").faults.add(stage, action, times=1)
    hand_in(mailnet)
    mailnet.settle()
    assert mailnet.journey(to=bob).attempts == ()
    mailnet.clock.advance(action.span - seconds(1))
    assert mailnet.journey(to=bob).attempts == ()
    mailnet.clock.advance(seconds(1))
    [attempt] = mailnet.journey(to=bob).attempts
    assert attempt.reason is None
    assert len(bob.inbox) == 1


@pytest.mark.parametrize(
    "action", [faults.trickle(), faults.throttle(2000), faults.wrong_line_ends(), faults.inject("")], ids=str
)
def test_what_a_careful_client_does_not_mind(mailnet, action):
    bob = mailnet.account("bob@example.org")
    stage = Stage.SMTP_STARTTLS if action.name == "inject" else Stage.SMTP_MAIL
    fault = mailnet.mx("example.org").faults.add(stage, action)
    hand_in(mailnet)
    assert bob.inbox.wait_for_one().subject == "Receipt"
    assert fault.fired == 1


def test_a_rule_that_is_used_up_lets_connections_be_kept_again(mailnet):
    bob = mailnet.account("bob@example.org")
    fault = mailnet.mx("example.org").faults.reply(Stage.SMTP_RCPT, faults.reply(451).reply, times=1)
    hand_in(mailnet)
    mailnet.clock.advance(minutes(10))
    for _ in range(3):
        hand_in(mailnet)
        mailnet.settle()
    assert (fault.fired, len(bob.inbox)) == (1, 4)
    ours = [event for event in mailnet.events(Stage.CONNECT) if not event.peer.is_app]
    assert len(ours) == 3, "one with the fault, one for the second try, and one for all the others"


def test_a_fault_that_fires_is_told_in_the_journey_and_the_transcript(mailnet):
    ann, bob = mailnet.accounts("ann@example.org", "bob@example.org")
    mx = mailnet.mx("example.org")
    mx.faults.drop_final_reply("reset", times=1)
    mx.faults.delay(Stage.SMTP_RCPT, seconds(2), to=ann)
    with mailnet.submission.smtplib() as client:
        client.sendmail("shop@shop.test", [ann.address, bob.address], "Subject: Receipt\n\nThank you.")
    mailnet.clock.advance(hours(1))
    told = {who.address: [step.what for step in mailnet.journey(to=who).steps] for who in (ann, bob)}
    for steps in told.values():
        assert "a fault fired at smtp.end: drop reply reset" in steps
    assert "a fault fired at smtp.rcpt: delay 0:00:02" in told[ann.address]
    assert "a fault fired at smtp.rcpt: delay 0:00:02" not in told[bob.address]
    assert "-- fault: drop reply reset, at smtp.end" in mailnet.transcript()
