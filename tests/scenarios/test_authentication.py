"""Who sent a message, as a test sees it: results at any time as at the time of receipt."""

from __future__ import annotations

import asyncio
import base64
import smtplib
from email import policy
from email.message import EmailMessage

import pytest

from fakemail import AsyncMailNet, MailAssertionError, MailNet, Reason, Stage, days, hours, minutes, samples


def letter(sender: str, to: str, subject: str = "News") -> EmailMessage:
    message = EmailMessage(policy.SMTP)
    message["From"], message["To"], message["Subject"] = sender, to, subject
    message["Message-ID"] = f"<{subject.replace(' ', '-')}@{sender.partition('@')[2]}>"
    message.set_content("Hello!\n")
    return message


def submit(net: MailNet, sender: str, to: str, subject: str = "News") -> None:
    """Hand a message to the submission host of the sender, with a login."""
    shop = net.account(sender)
    with shop.submission.smtplib() as smtp:
        smtp.send_message(letter(sender, to, subject))
    net.settle()


def straight(net: MailNet, raw: bytes, *, sender: str, to: str) -> None:
    """Send octets straight to the mail host of the recipient, as an app may do."""
    mx = net.mx(to.partition("@")[2])
    with smtplib.SMTP(mx.host, mx.port, local_hostname="app.example") as smtp:
        smtp.sendmail(sender, [to], raw)
    net.settle()


def test_what_an_account_submits_is_authentic() -> None:
    with MailNet() as net:
        bob = net.account("bob@example.org")
        submit(net, "hello@shop.test", bob.address)
        mail = bob.inbox.one()
        assert (mail.auth.spf, mail.auth.dkim, mail.auth.dmarc) == ("pass", "pass", "pass")
        assert (mail.auth.arc, mail.auth.iprev, mail.auth.bimi) == ("none", "pass", "none")
        assert repr(mail.auth) == "<auth spf=pass dkim=pass dmarc=pass>"
        assert mail.auth.dmarc.aligned == ("spf", "dkim")
        assert mail.auth.spf.sentence.startswith("shop.test lets ")


def test_mail_that_an_app_sends_straight_to_the_mail_host_is_not() -> None:
    with MailNet() as net:
        net.account("hello@shop.test")
        bob = net.account("bob@example.org")
        straight(net, bytes(letter("hello@shop.test", bob.address)), sender="hello@shop.test", to=bob.address)
        auth = bob.inbox.one().auth
        assert (auth.spf, auth.dkim, auth.dmarc) == ("fail", "none", "fail")
        assert auth.dmarc.disposition == "none"
        assert "asks for none" in auth.dmarc.sentence


def test_results_are_those_of_the_time_of_receipt() -> None:
    with MailNet() as net:
        bob = net.account("bob@example.org")
        submit(net, "hello@shop.test", bob.address, "before")
        net.dns.replace("shop.test", "TXT", "v=spf1 -all")
        net.dns.remove(net.domain("shop.test").dkim_key().name)
        net.dns.remove("_dmarc.shop.test")
        submit(net, "hello@shop.test", bob.address, "after")
        before, after = bob.inbox.messages()
        assert (before.auth.spf, before.auth.dkim, before.auth.dmarc) == ("pass", "pass", "pass")
        assert (after.auth.spf, after.auth.dkim, after.auth.dmarc) == ("fail", "permerror", "none")


def test_a_domain_that_is_declared_later_was_not_there() -> None:
    with MailNet() as net:
        bob = net.account("bob@example.org")
        raw = bytes(letter("ann@late.test", bob.address))
        straight(net, raw, sender="ann@late.test", to=bob.address)
        net.account("ann@late.test")
        straight(net, raw, sender="ann@late.test", to=bob.address)
        first, second = bob.inbox.messages()
        assert first.auth.dmarc == "none"
        assert first.auth.dmarc.sentence == "late.test publishes no DMARC record"
        assert second.auth.dmarc == "fail"
        assert first.auth.spf == "none"


def test_faults_of_the_dns_at_the_time_of_receipt_stay_in_the_result() -> None:
    with MailNet() as net:
        bob, _ = net.accounts("bob@example.org", "ann@shop.test")
        raw = bytes(letter("ann@shop.test", bob.address))
        fault = net.dns.faults.servfail("shop.test")
        straight(net, raw, sender="ann@shop.test", to=bob.address)
        net.dns.faults.clear(fault)
        straight(net, raw, sender="ann@shop.test", to=bob.address)
        first, second = bob.inbox.messages()
        assert (first.auth.spf, second.auth.spf) == ("temperror", "fail")


def test_nothing_is_asked_before_somebody_looks() -> None:
    with MailNet() as net:
        net.account("ann@shop.test")
        bob = net.account("bob@example.org")
        straight(net, bytes(letter("ann@shop.test", bob.address)), sender="ann@shop.test", to=bob.address)
        assert net.dns.queries() == []
        assert bob.inbox.one().auth.spf == "fail"
        assert bob.inbox.one().auth.spf is bob.inbox.one().auth.spf
        assert net.dns.queries() == []


def test_journey_tells_what_a_test_has_looked_at() -> None:
    with MailNet() as net:
        bob = net.account("bob@example.org")
        submit(net, "hello@shop.test", bob.address)
        assert "spf" not in str(net.journey(to=bob))
        mail = bob.inbox.one()
        assert mail.auth.dkim == "pass"
        story = str(net.journey(to=bob))
        assert "dkim pass (the signature of shop.test is good)" in story
        assert "spf" not in story
        # A failing test looks at a result, and then its report has the reason.
        assert mail.auth.dmarc == "pass"
        assert f"dmarc pass ({mail.auth.dmarc.sentence})" in str(net.journey(to=bob))


def test_a_message_that_waits_for_room_is_judged_as_it_came() -> None:
    with MailNet() as net:
        bob, eve = net.accounts("bob@example.org", "eve@example.org")
        bob.configure(quota=10)
        mx = net.mx("example.org")
        with smtplib.SMTP(mx.host, mx.port) as smtp:
            raw = letter("ann@shop.test", bob.address).as_bytes()
            smtp.sendmail("ann@shop.test", [bob.address, eve.address], raw)
        net.domain("shop.test").publish(spf="v=spf1 -all")
        bob.configure(quota=-1)
        net.clock.advance(hours(1))
        assert (bob.inbox.one().auth.spf, eve.inbox.one().auth.spf) == ("none", "none")


def test_what_a_test_puts_into_a_mailbox_was_never_received() -> None:
    with MailNet() as net:
        bob = net.account("bob@example.org")
        bob.inbox.put(samples.question(sender="ann@shop.test"))
        with pytest.raises(MailAssertionError, match="was put into the mailbox by the test") as caught:
            _ = bob.inbox.one().auth
        assert "Send it over SMTP" in str(caught.value)


def test_a_bounce_is_checked_by_the_name_of_its_host() -> None:
    with MailNet() as net:
        shop, _ = net.accounts("hello@shop.test", "bob@example.org")
        submit(net, shop.address, "gone@example.org")
        auth = shop.inbox.one().auth
        assert auth.spf.identity == "helo"


def refuse_all_but_its_own(net: MailNet, policy: str = "reject") -> None:
    net.account("ann@shop.test")
    net.domain("shop.test").publish(dmarc=f"v=DMARC1; p={policy}")


def test_mail_is_refused_where_the_author_s_domain_asks_for_it() -> None:
    with MailNet() as net:
        bob = net.account("bob@example.org")
        refuse_all_but_its_own(net)
        raw = letter("ann@shop.test", bob.address).as_bytes()
        with pytest.raises(smtplib.SMTPDataError) as caught:
            straight(net, raw, sender="eve@eve.test", to=bob.address)
        assert caught.value.smtp_code == 550
        assert caught.value.smtp_error.startswith(b"5.7.1 refused as the author's domain asks (DMARC)")
        assert b"nothing that passed is aligned with shop.test" in caught.value.smtp_error
        assert net.journey(to=bob).reason is Reason.DMARC_REJECT
        assert "dmarc reject fail (nothing that passed is aligned" in str(net.journey(to=bob))
        submit(net, "ann@shop.test", bob.address)
        assert bob.inbox.one().auth.dmarc == "pass"


def test_a_policy_in_several_strings_counts() -> None:
    """RFC 7208 §3.3, for TXT records of all kinds: the strings of a record are read as one."""
    with MailNet() as net:
        bob, reports = net.accounts("bob@example.org", "dmarc@shop.test")
        net.dns.remove("_dmarc.shop.test")
        text = f'"v=DMARC1; p=rej" "ect; r" "ua=mailto:{reports.address}"'
        net.dns.zone_text(f"_dmarc.shop.test. 300 IN TXT {text}\n")
        raw = letter("ann@shop.test", bob.address).as_bytes()
        with pytest.raises(smtplib.SMTPDataError, match=r"5\.7\.1"):
            straight(net, raw, sender="eve@eve.test", to=bob.address)
        net.clock.advance(days(1))
        assert reports.inbox.one().dmarc_report.rows[0].disposition == "reject"


def test_mail_goes_to_junk_where_the_author_s_domain_asks_for_it() -> None:
    with MailNet() as net:
        bob = net.account("bob@example.org")
        refuse_all_but_its_own(net, "quarantine")
        raw = letter("ann@shop.test", bob.address).as_bytes()
        straight(net, raw, sender="eve@eve.test", to=bob.address)
        assert bob.inbox.is_empty
        assert net.journey(to=bob).reason is Reason.DMARC_QUARANTINE
        assert bob.folder("Junk").one().auth.dmarc.disposition == "quarantine"


def test_nobody_is_looked_at_where_no_domain_asks_for_it() -> None:
    with MailNet() as net:
        bob, _ = net.accounts("bob@example.org", "ann@shop.test")
        net.dns.add("more.shop.test", "A", "192.0.2.77")  # the DNS is in use
        raw = letter("ann@shop.test", bob.address).as_bytes()
        straight(net, raw, sender="eve@eve.test", to=bob.address)
        assert net.dns.queries() == []
        net.domain("eve.test").publish(dmarc="v=DMARC1; p=reject")
        straight(net, raw, sender="eve@eve.test", to=bob.address)
        # Somebody asks for something now, so that the record of each author is looked up, and no more.
        assert [query.name for query in net.dns.queries()] == ["_dmarc.shop.test"]
        assert all(mail.auth.dmarc == "fail" for mail in bob.inbox)


def test_fields_about_the_sender_are_written_for_a_domain_that_wants_them() -> None:
    with MailNet() as net:
        bob = net.account("bob@example.org")
        net.domain("example.org").policy(authentication_results=True, received_spf=True)
        submit(net, "hello@shop.test", bob.address)
        mail = bob.inbox.one()
        (field,) = mail.headers.all("Authentication-Results")
        parts = [part.strip() for part in field.split(";")]
        assert parts[0] == mail.received_by.name
        assert parts[1] == "spf=pass smtp.mailfrom=hello@shop.test"
        assert parts[2].startswith("dkim=pass header.d=shop.test")
        assert parts[3] == "dmarc=pass (p=none dis=none) header.from=shop.test policy.dmarc=none"
        assert mail.headers["Received-SPF"].startswith("pass (")
        assert [field.name for field in mail.headers.fields[:4]] == [
            "Return-Path",
            "Authentication-Results",
            "Received-SPF",
            "Received",
        ]
        assert mail.auth.dkim == "pass"


def test_a_false_claim_of_the_host_s_own_is_removed() -> None:
    with MailNet() as net:
        bob = net.account("bob@example.org")
        net.domain("example.org").policy(authentication_results=True)
        (host,) = net.domain("example.org").hosts
        claims = f"Authentication-Results: {host.name}; spf=pass\r\nAuthentication-Results: other.test; spf=pass\r\n"
        raw = claims.encode() + letter("ann@shop.test", bob.address).as_bytes()
        straight(net, raw, sender="ann@shop.test", to=bob.address)
        own, other = bob.inbox.one().headers.all("Authentication-Results")
        assert own.split()[:3] == [f"{host.name};", "spf=none", "smtp.mailfrom=ann@shop.test;"]
        assert other == "other.test; spf=pass"


@pytest.mark.parametrize(
    ("method", "reason", "enhanced"),
    [("spf", Reason.SPF_FAIL, b"5.7.23"), ("dkim", Reason.DKIM_FAIL, b"5.7.20")],
)
def test_a_domain_can_refuse_what_does_not_pass(method: str, reason: Reason, enhanced: bytes) -> None:
    with MailNet() as net:
        bob, _ = net.accounts("bob@example.org", "ann@shop.test")
        net.domain("example.org").policy(**{method: {"fail": "refuse", "none": "refuse"}})
        raw = letter("ann@shop.test", bob.address).as_bytes()
        with pytest.raises(smtplib.SMTPResponseException) as caught:
            straight(net, raw, sender="ann@shop.test", to=bob.address)
        assert caught.value.smtp_error.startswith(enhanced)
        submit(net, "ann@shop.test", bob.address)
        assert bob.inbox.one().auth.spf == "pass"
        judged = net.events(Stage.SMTP_MAIL if method == "spf" else Stage.SMTP_END)
        assert reason in {getattr(event, "reason", None) for event in judged}


def test_a_domain_can_refuse_whose_record_is_wrong() -> None:
    with MailNet() as net:
        bob, _ = net.accounts("bob@example.org", "ann@shop.test")
        net.dns.add("shop.test", "TXT", "v=spf1 +all")
        net.domain("example.org").policy(spf={"permerror": "refuse"})
        raw = letter("ann@shop.test", bob.address).as_bytes()
        with pytest.raises(smtplib.SMTPSenderRefused) as caught:
            straight(net, raw, sender="ann@shop.test", to=bob.address)
        assert caught.value.smtp_error.startswith(b"5.7.24 the SPF record is wrong")
        assert Reason.SPF_ERROR in {getattr(event, "reason", None) for event in net.events(Stage.SMTP_MAIL)}


def test_a_policy_that_cannot_be_looked_up_keeps_no_mail_away() -> None:
    with MailNet() as net:
        bob = net.account("bob@example.org")
        refuse_all_but_its_own(net)
        net.dns.faults.servfail("_dmarc.shop.test")
        raw = letter("ann@shop.test", bob.address).as_bytes()
        straight(net, raw, sender="eve@eve.test", to=bob.address)
        assert bob.inbox.one().auth.dmarc == "temperror"
        net.domain("example.org").policy(dmarc={"temperror": "defer"})
        with pytest.raises(smtplib.SMTPDataError, match=r"4\.4\.3"):
            straight(net, raw, sender="eve@eve.test", to=bob.address)


def test_dkim_expires_by_the_clock_of_the_fake_internet() -> None:
    with MailNet() as net:
        bob, _ = net.accounts("bob@example.org", "ann@shop.test")
        raw = net.dkim_sign(letter("ann@shop.test", bob.address), domain="shop.test", expires=minutes(5))
        straight(net, raw, sender="ann@shop.test", to=bob.address)
        net.clock.advance(minutes(6))
        straight(net, raw, sender="ann@shop.test", to=bob.address)
        first, second = bob.inbox.messages()
        assert first.auth.dkim == "pass"
        assert second.auth.dkim == "fail"
        assert "has expired" in second.auth.dkim.sentence


@pytest.mark.parametrize(
    "author", ["hello@bücher.test", "Bü <hello@BÜCHER.test>", "hello@xn--bcher-kva.test"]
)
def test_names_beyond_ascii_are_those_of_the_dns(author: str) -> None:
    """RFC 7208 §4.3, RFC 8616 §5: U-labels become A-labels before anything is asked or compared."""
    with MailNet() as net:
        shop, bob = net.accounts("hello@bücher.test", "bob@example.org")
        net.domain("bücher.test").publish(dmarc="v=DMARC1; p=reject")
        login = base64.b64encode(f"\0{shop.address}\0{shop.password}".encode()).decode()
        with smtplib.SMTP(shop.submission.host, shop.submission.port) as smtp:
            smtp.starttls(context=shop.submission.ssl_context)
            smtp.ehlo()
            assert smtp.docmd("AUTH", f"PLAIN {login}")[0] == 235
            smtp.command_encoding = "utf-8"
            smtp.mail(shop.address, ["SMTPUTF8"])
            smtp.rcpt(bob.address)
            assert smtp.data(f"From: {author}\r\nSubject: Neu\r\n\r\nHallo!\r\n".encode())[0] == 250
        auth = bob.inbox.wait_for_one().auth
        assert (auth.spf, auth.dkim, auth.dmarc) == ("pass", "pass", "pass"), str(auth)
        assert auth.dmarc.aligned == ("spf", "dkim")
        assert {auth.spf.domain, auth.dkim.domain, auth.dmarc.domain} == {"xn--bcher-kva.test"}


def test_the_same_for_asyncio() -> None:
    async def look() -> None:
        async with AsyncMailNet() as net:
            shop, bob = net.accounts("hello@shop.test", "bob@example.org")

            def send() -> None:
                with shop.submission.smtplib() as smtp:
                    smtp.send_message(letter(shop.address, bob.address))

            await asyncio.to_thread(send)
            mail = await bob.inbox.wait_for_one()
            assert (mail.auth.spf, mail.auth.dkim, mail.auth.dmarc) == ("pass", "pass", "pass")

    asyncio.run(look())
