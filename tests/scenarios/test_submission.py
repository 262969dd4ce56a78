"""What submission servers refuse at once, because they know that it cannot be delivered."""

from __future__ import annotations

import smtplib

import pytest

from fakemail import (
    Bounced,
    DeclarationError,
    Delivered,
    Discarded,
    MailNet,
    Queued,
    Reason,
    Refused,
    Reply,
    Stage,
    hours,
    samples,
)


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
    moved.set_moved("m@new.test")
    disabled.configure(disabled=True)
    full.configure(quota_messages=0)
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
    server.configure(reject_unknown_recipient_domain=True)
    assert submit(ann, "bob@odd.test").get("bob@odd.test") == told
    server.configure(reject_unknown_recipient_domain=False, refuse_null_mx=False)
    assert submit(ann, "bob@odd.test") == {}


def test_a_domain_that_cannot_be_looked_up_is_deferred(mailnet, ann):
    ann.submission.server.configure(reject_unknown_recipient_domain=True)
    mailnet.dns.faults.servfail("odd.test")
    code, text = submit(ann, "bob@odd.test")["bob@odd.test"]
    assert (code, text.split()[0]) == (451, "4.4.3")


def test_relays_refuse_domains_that_do_not_exist_as_well(mailnet):
    relay = mailnet.host("relay.test", services=["smtp"], relay_for=["*"])
    relay.configure(reject_unknown_recipient_domain=True)
    with relay.settings("smtp").smtplib() as client:
        client.mail("shop@shop.test")
        assert client.rcpt("bob@odd.test") == (550, b"5.1.2 <bob@odd.test>: no such domain")
        mailnet.domain("odd.test")
        assert client.rcpt("bob@odd.test")[0] == 250


# A policy for what is submitted ------------------------------------------------------------------------


@pytest.fixture
def shop(mailnet):
    return mailnet.account("hello@shop.test")


def replies(account, *to, content=b"Subject: Hello\r\n\r\nHello.\r\n", sender=None):
    """What a submission server says to MAIL, to each RCPT and to the message; the end of it is left out."""
    with account.submission.smtplib() as client:
        said = [client.mail(sender or account.address)]
        if said[0][0] == 250:
            said += [client.rcpt(each) for each in to]
            if any(code == 250 for code, _ in said[1:]):
                said.append(client.data(content))
        return [(code, text.decode().split(" ")[0]) for code, text in said]


GOOD = [(250, "2.1.0"), (250, "2.1.5"), (250, "2.0.0")]


@pytest.mark.parametrize("rate", ["login_rate", "sender_rate", "domain_rate", "address_rate"])
def test_a_sending_quota_is_for_as_many_messages_and_begins_anew(mailnet, shop, rate):
    bob = mailnet.account("bob@example.org")
    shop.submission.server.policy(**{rate: (2, hours(1))})
    assert replies(shop, bob.address) == GOOD
    assert replies(shop, bob.address) == GOOD
    assert replies(shop, bob.address) == [(450, "4.7.1")]
    mailnet.clock.advance(hours(1))
    assert replies(shop, bob.address) == GOOD
    mailnet.settle()
    assert len(bob.inbox) == 3
    shop.submission.server.policy()
    assert replies(shop, bob.address) == GOOD


def test_a_quota_is_that_of_an_account_on_both_ports_and_nobody_elses(mailnet, shop):
    other = mailnet.account("other@shop.test")
    bob = mailnet.account("bob@example.org")
    shop.submission.server.policy(login_rate=(1, hours(1)))
    with shop.submissions.smtplib() as client:
        client.sendmail(shop.address, [bob.address], "Subject: Hi\n\nHello")
    assert replies(shop, bob.address) == [(450, "4.7.1")]
    assert replies(other, bob.address) == GOOD
    with mailnet.mx("shop.test").smtplib() as client:  # its other services are as they were
        client.sendmail(bob.address, [shop.address], "Subject: Hi\n\nHello")
        client.sendmail(bob.address, [shop.address], "Subject: Hi\n\nHello")


def test_a_quota_of_recipients_counts_each_of_them(mailnet, shop):
    people = [account.address for account in mailnet.accounts(*(f"p{n}@example.org" for n in range(3)))]
    shop.submission.server.policy(login_recipient_rate=(4, hours(24)))
    assert replies(shop, *people)[-1][0] == 250
    assert replies(shop, *people) == [
        (250, "2.1.0"),
        (250, "2.1.5"),
        (450, "4.7.1"),
        (450, "4.7.1"),
        (250, "2.0.0"),
    ]
    assert replies(shop, people[0]) == [(250, "2.1.0"), (450, "4.7.1")]
    mailnet.clock.advance(hours(24))
    assert replies(shop, people[0])[-1][0] == 250


def test_sizes_and_recipients_are_limited_at_submission(mailnet, shop):
    bob = mailnet.account("bob@example.org")
    shop.submission.server.configure(max_message_size=1000, max_recipients=1)
    assert replies(shop, bob.address, "ann@example.org")[1:3] == [(250, "2.1.5"), (452, "4.5.3")]
    with shop.submission.smtplib() as client, pytest.raises(smtplib.SMTPSenderRefused) as refused:
        client.sendmail(shop.address, [bob.address], samples.large(size=2000))
    assert refused.value.smtp_code == 552


@pytest.mark.parametrize(
    ("outcome", "code", "fate"),
    [
        ("refuse", 552, Refused),
        ("defer", 451, Refused),
        ("bounce", 250, Bounced),
        ("discard", 250, Discarded),
        ("quarantine", 250, Queued),
        ("delay", 250, Queued),
        ("tag", 250, Delivered),
        ("accept", 250, Delivered),
    ],
)
def test_content_is_looked_at_before_it_leaves(mailnet, shop, outcome, code, fate):
    bob = mailnet.account("bob@example.org")
    shop.submission.server.policy(
        content={"attachment_extension": outcome}, subject_tag="[ODD]", delay=hours(1)
    )
    said = replies(shop, bob.address, content=samples.with_attachment(sender=shop.address, filename="a.exe"))
    assert said[-1][0] == code
    mailnet.settle()
    assert isinstance(mailnet.journey(to=bob).fate, fate)
    assert len(shop.inbox) == (outcome == "bounce")
    if outcome == "quarantine":  # as Postfix's HOLD: it stays until somebody lets it go
        mailnet.clock.advance(hours(2))
        assert bob.inbox.is_empty
        mailnet.queue.flush()
        mailnet.settle()
    if outcome == "delay":
        mailnet.clock.advance(hours(1))
    if outcome in ("quarantine", "delay", "tag", "accept"):
        mail = bob.inbox.one()
        assert mail.subject.startswith("[ODD]") is (outcome == "tag")
        assert mail.auth.dkim.result == "pass"


def test_a_host_without_submission_has_no_such_policy(mailnet):
    mailnet.domain("example.org")
    with pytest.raises(DeclarationError, match=r"host 'mx1\.example\.org' has no submission service"):
        mailnet.host("mx1.example.org").policy(login_rate=(1, hours(1)))
    with pytest.raises(DeclarationError, match=r"host 'smtp\.example\.org': there is no policy 'login_rat'"):
        mailnet.host("smtp.example.org").policy(login_rat=(1, hours(1)))


def test_it_is_configured_as_it_is_declared(mailnet, tmp_path):
    mailnet.account("a@shop.test")
    mailnet.host("smtp.shop.test").policy(login_rate=(5, hours(1)), sender_domain="refuse")
    text = mailnet.to_toml()
    assert "policy.login_rate = [5, 3600]" in text
    with MailNet(config=text) as again:
        assert again.to_toml() == text
