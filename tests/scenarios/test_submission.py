"""What submission servers refuse at once, because they know that it cannot be delivered."""

from __future__ import annotations

import smtplib

import pytest

from fakemail import Bounced, Reason, Refused, Reply, Stage


@pytest.fixture
def ann(mailnet):
    """Somebody whose submission server is the mail host of the domain as well."""
    mailnet.domain("example.org", mx=["smtp"])
    return mailnet.account("ann@example.org")


def submit(account, *to, content=b"Subject: Hello\r\n\r\nHello.\r\n"):
    """Submit a message; the refused recipients and what each was told."""
    with account.submission.smtplib() as client:
        try:
            refused = client.sendmail(account.address, list(to), content)
        except smtplib.SMTPRecipientsRefused as error:
            refused = error.recipients
    return {address: (code, text.decode()) for address, (code, text) in refused.items()}


def test_a_user_whom_nobody_has_is_refused_where_the_domain_is_hosted(mailnet, ann):
    bob = mailnet.account("bob@example.org")
    refused = submit(ann, bob.address, "nobody@example.org")
    assert refused == {"nobody@example.org": (550, "5.1.1 <nobody@example.org>: no such user here")}
    mailnet.settle()
    assert len(bob.inbox) == 1
    assert ann.inbox.is_empty
    journey = mailnet.journey(to="nobody@example.org")
    assert journey.fate == Refused(Stage.SMTP_RCPT, Reply(550, "5.1.1"), Reason.NO_SUCH_USER)


def test_all_that_stands_for_somebody_is_taken(mailnet, ann):
    domain = mailnet.domain("example.org").alias("team", ann)
    known = ["ann+news@example.org", "team@example.org", "postmaster@example.org", "ANN@example.org"]
    assert submit(ann, *known) == {}
    domain.catch_all(ann)
    assert submit(ann, "whoever@example.org") == {}


def test_a_user_who_has_moved_or_is_switched_off_is_refused_and_a_full_one_waits(mailnet, ann):
    moved, disabled, full = mailnet.accounts("m@example.org", "d@example.org", "f@example.org")
    moved.moved_to("m@new.test")
    disabled.change(disabled=True)
    full.change(quota_messages=0)
    refused = submit(ann, moved.address, disabled.address, full.address)
    assert {address: code for address, (code, _) in refused.items()} == {
        moved.address: 551,
        disabled.address: 550,
    }
    mailnet.settle()
    assert mailnet.queue.one().recipients == [full.address]


def test_domains_of_other_hosts_are_not_looked_into(mailnet, ann):
    mailnet.domain("other.test")
    assert submit(ann, "nobody@other.test") == {}
    mailnet.settle()
    fate = mailnet.journey(to="nobody@other.test").fate
    assert fate == Bounced(Stage.SMTP_RCPT, Reply(550, "5.1.1"), Reason.NO_SUCH_USER)


@pytest.mark.parametrize(
    ("records", "told"),
    [
        ([], (550, "5.1.2 <bob@odd.test>: no such domain")),
        ([("odd.test", "TXT", "hello")], (550, "5.1.2 <bob@odd.test>: no such domain")),
        ([("odd.test", "MX", "0 .")], (556, "5.1.10 <bob@odd.test>: the domain takes no mail")),
        ([("odd.test", "MX", "10 mx.odd.test.")], None),
        ([("odd.test", "A", "192.0.2.99")], None),
        ([("odd.test", "AAAA", "2001:db8::99")], None),
    ],
    ids=["no name", "no mail", "null MX", "MX", "A", "AAAA"],
)
def test_domains_that_do_not_exist_are_refused_where_that_is_wanted(mailnet, ann, records, told):
    for record in records:
        mailnet.dns.add(*record)
    server = ann.submission.server
    server.change(reject_unknown_recipient_domain=True)
    assert submit(ann, "bob@odd.test").get("bob@odd.test") == told
    server.change(reject_unknown_recipient_domain=False, refuse_null_mx=False)
    assert submit(ann, "bob@odd.test") == {}


def test_a_domain_that_cannot_be_looked_up_is_deferred(mailnet, ann):
    ann.submission.server.change(reject_unknown_recipient_domain=True)
    mailnet.dns.faults.servfail("odd.test")
    code, text = submit(ann, "bob@odd.test")["bob@odd.test"]
    assert (code, text.split()[0]) == (451, "4.4.3")


def test_relays_refuse_domains_that_do_not_exist_as_well(mailnet):
    relay = mailnet.host("relay.test", services=["smtp"], relay_for=["*"])
    relay.change(reject_unknown_recipient_domain=True)
    with relay.settings("smtp").smtplib() as client:
        client.mail("shop@shop.test")
        assert client.rcpt("bob@odd.test") == (550, b"5.1.2 <bob@odd.test>: no such domain")
        mailnet.domain("odd.test")
        assert client.rcpt("bob@odd.test")[0] == 250
