"""What could never fire, or would fire otherwise than it reads, is refused where it is declared."""

from __future__ import annotations

import smtplib

import pytest

from fakemail import MailNet, Stage, faults, hours
from fakemail.errors import DeclarationError

WRONG = [
    (
        lambda net, mx: mx.faults.refuse_connections(times=1),
        "takes service, since, until, not times. remove()",
    ),
    (lambda net, mx: mx.faults.refuse_connections(client="app"), "same for whoever connects.*not client"),
    (lambda net, mx: mx.faults.hang_connections(probability=0.5), "not probability"),
    (lambda net, mx: mx.faults.disk_full(service="stmp"), "no service 'stmp'; did you mean 'smtp'"),
    (lambda net, mx: mx.faults.disk_full(once_per="query"), "nothing at smtp.end.*at dns.query"),
    (
        lambda net, mx: mx.faults.disk_full(
            since=net.clock.now() + hours(2), until=net.clock.now() + hours(1)
        ),
        "until is not after since",
    ),
    (lambda net, mx: mx.faults.add(Stage.DNS_QUERY, faults.no_data()), "those of mailnet.dns.faults"),
    (
        lambda net, mx: net.domain("example.org").faults.add(Stage.DNS_QUERY, faults.no_data()),
        "those of mailnet.dns.faults",
    ),
    (lambda net, mx: mx.faults.add(Stage.SMTP_RCPT, faults.reply("450 4.2.1 x")), r"faults.reply\(452"),
    (lambda net, mx: mx.faults.add(Stage.SMTP_RCPT, faults.garbage(3)), "are bytes, or a text, not 3"),
]


@pytest.mark.parametrize(("declare", "text"), WRONG, ids=[text[:30] for _, text in WRONG])
def test_what_makes_no_sense_is_refused(mailnet: MailNet, declare, text) -> None:
    mx = mailnet.domain("example.org").mx
    with pytest.raises(DeclarationError, match=text):
        declare(mailnet, mx)
    assert not mailnet.faults.all()
    assert not mx.faults.all()


def test_every_host_may_meet_a_fault_of_dns(mailnet: MailNet) -> None:
    bob = mailnet.account("bob@example.org")
    fault = mailnet.faults.add(Stage.DNS_QUERY, faults.rcode("SERVFAIL"), query="example.org", times=1)
    with mailnet.submission.smtplib() as client:
        client.sendmail("ann@shop.test", [bob.address], "Subject: Hi\n\nHello")
    mailnet.settle()
    assert fault.fired == 1
    mailnet.clock.advance(hours(1))
    assert len(bob.inbox) == 1


def test_a_fault_of_a_domain_fires_where_its_people_log_in(mailnet: MailNet) -> None:
    ann = mailnet.account("ann@example.org")
    fault = mailnet.domain("example.org").faults.login_unavailable()
    with pytest.raises(smtplib.SMTPAuthenticationError):
        ann.submission.smtplib()
    assert fault.fired > 1  # smtplib tries one mechanism after the other


def test_one_service_of_a_host_refuses_connections(mailnet: MailNet) -> None:
    ann = mailnet.account("ann@example.org")
    ann.submission.server.faults.refuse_connections(service="submissions")
    with pytest.raises(ConnectionRefusedError):
        smtplib.SMTP(ann.submissions.host, ann.submissions.port)
    ann.submission.smtplib().quit()
    ann.submission.server.faults.clear()
    ann.submissions.smtplib().quit()
