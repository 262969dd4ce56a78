"""A sink: mail for every domain that nobody declared."""

from __future__ import annotations

import imaplib
import poplib
import smtplib
from collections.abc import Iterator

import pytest

from fakemail import AsyncMailNet, DeclarationError, Delivered, MailNet, Reason, Reply, Stage, minutes


@pytest.fixture
def net() -> Iterator[MailNet]:
    with MailNet(sink=True) as net:
        yield net


def text(subject: str) -> str:
    return f"From: app@shop.test\r\nSubject: {subject}\r\n\r\nhello\r\n"


def send(client: smtplib.SMTP, subject: str, *to: str, sender: str = "app@shop.test") -> None:
    client.sendmail(sender, list(to), text(subject))


def test_any_domain_and_any_address_without_a_login(net: MailNet) -> None:
    with smtplib.SMTP(net.sink.host, net.sink.port) as client:
        send(client, "One", "bob@customer.example", "Eve@Other.Example", "root@localhost")
        send(client, "Two", "bob+news@customer.example", sender="")
        send(client, "Three", "bob@xn--bcher-kva.example")
    assert [mail.subject for mail in net.messages] == ["One", "One", "One", "Two", "Three"]
    assert net.account("bob@customer.example").inbox.wait_for_count(2)
    assert net.account("root@localhost").inbox.one().subject == "One"
    assert net.account("bob@bücher.example").inbox.one().subject == "Three"
    assert {type(net.journey(to="eve@other.example").fate)} == {Delivered}


@pytest.mark.parametrize(
    ("service", "secure"), [("submission", False), ("submission", True), ("submissions", True)]
)
def test_the_submission_ports_take_everything_too(net: MailNet, service: str, secure: bool) -> None:
    settings = net.host("sink.mailnet.example.net").settings(service)
    kind = smtplib.SMTP_SSL if service == "submissions" else smtplib.SMTP
    more = {"context": net.ssl_context} if service == "submissions" else {}
    with kind(settings.host, settings.port, **more) as client:  # type: ignore[arg-type]
        if secure and service == "submission":
            client.starttls(context=net.ssl_context)
        client.login("app", "whatever it has been given")
        send(client, "One", "bob@customer.example")
    mail = net.account("bob@customer.example").inbox.wait_for_one()
    assert mail.subject == "One"
    assert len(net.sent) == 1


def test_the_password_of_a_mailbox_is_its_address(net: MailNet) -> None:
    with net.sink.smtplib() as client:
        send(client, "One", "bob@customer.example")
    bob = net.account("bob@customer.example")
    assert bob.password == "bob@customer.example"
    with imaplib.IMAP4(bob.imap.host, bob.imap.port) as imap:
        imap.login("bob@customer.example", "bob@customer.example")
        assert imap.select() == ("OK", [b"1"])
    with pytest.raises(imaplib.IMAP4.error), imaplib.IMAP4(bob.imap.host, bob.imap.port) as imap:
        imap.login("bob@customer.example", "other")
    pop3 = poplib.POP3(bob.pop3.host, bob.pop3.port)
    pop3.user("bob@customer.example")
    pop3.pass_("bob@customer.example")
    assert pop3.stat()[0] == 1
    pop3.quit()


def test_dns_leads_to_the_sink(net: MailNet) -> None:
    net.domain("shop.test")
    ann = net.account("ann@shop.test")
    with ann.submission.smtplib() as client:
        send(client, "One", "bob@customer.example", "eve@deep.customer.example", sender=ann.address)
    assert [mail.subject for mail in net.messages.wait_for_count(2)] == ["One", "One"]
    assert [step.host for step in net.journey(to="bob@customer.example").hops] == [
        "smtp.shop.test",
        "sink.mailnet.example.net",
    ]
    answer = net.dns.resolver().resolve("never.heard.of.example", "MX")
    assert [str(each.exchange) for each in answer] == ["sink.mailnet.example.net."]


def test_what_is_declared_stays_as_strict_as_ever(net: MailNet) -> None:
    net.domain("example.org")
    net.account("bob@example.org")
    net.domain("strict.example").policy(greylist=minutes(5))
    net.account("ann@strict.example")
    with net.mx("example.org").smtplib() as client, pytest.raises(smtplib.SMTPRecipientsRefused):
        send(client, "One", "gone@example.org")
    assert net.journey(to="gone@example.org").reason is Reason.NO_SUCH_USER
    with net.sink.smtplib() as client, pytest.raises(smtplib.SMTPRecipientsRefused):
        send(client, "Two", "gone@example.org")
    assert net.mx("customer.example").port == net.sink.port
    assert net.messages.is_empty


def test_faults_work_in_a_sink(net: MailNet) -> None:
    net.host("sink.mailnet.example.net").faults.reply(
        Stage.SMTP_RCPT, Reply(452, "4.2.2", "full"), to="bob@customer.example"
    )
    with net.sink.smtplib() as client:
        assert client.sendmail("", ["bob@customer.example", "eve@customer.example"], text("One")) == {
            "bob@customer.example": (452, b"4.2.2 full")
        }
    assert net.messages.one().envelope is not None


def test_a_world_without_one_says_so(mailnet: MailNet) -> None:
    with pytest.raises(DeclarationError, match=r"has no sink; make it with MailNet\(sink=True\)"):
        _ = mailnet.sink


def test_aliases_of_a_domain_of_the_sink(net: MailNet) -> None:
    with net.sink.smtplib() as client:
        send(client, "One", "bob@customer.example")
        net.domain("customer.example").alias("team", "bob@customer.example")
        send(client, "Two", "team@customer.example")
    assert [mail.subject for mail in net.account("bob@customer.example").inbox] == ["One", "Two"]


@pytest.mark.anyio
async def test_the_awaited_form() -> None:
    async with AsyncMailNet(sink=True) as net:
        with net.sink.smtplib() as client:
            send(client, "One", "bob@customer.example")
        assert (await net.messages.wait_for_one()).subject == "One"


def test_magic_addresses_are_on(net: MailNet) -> None:
    with net.sink.smtplib() as client:
        assert client.sendmail("", ["rcptto-452@customer.example", "bob@customer.example"], text("One")) == {
            "rcptto-452@customer.example": (452, b"4.0.0 as the address says")
        }
        with pytest.raises(smtplib.SMTPDataError, match="550"):
            send(client, "Two", "bob-550@customer.example")


def test_a_configuration_says_so_and_is_written_down() -> None:
    with MailNet(config="sink = true") as net:
        with net.sink.smtplib() as client:
            send(client, "One", "bob@customer.example")
        assert net.messages.one().subject == "One"
        written = net.to_toml()
    assert "sink = true" in written
    with MailNet(config=written) as again:
        assert again.account("bob@customer.example").password == "bob@customer.example"
        with again.sink.smtplib() as client:
            send(client, "Two", "bob@customer.example", "eve@other.example")
        assert len(again.messages) == 2
    with MailNet(config="sink = true", sink=False) as net, pytest.raises(DeclarationError):
        _ = net.sink


def test_looking_first_changes_nothing(net: MailNet) -> None:
    bob = net.account("bob@customer.example", password="secret")
    bob.inbox.expect_empty()
    with net.sink.smtplib() as client:
        send(client, "One", "bob@customer.example", "eve@customer.example")
    assert (bob.inbox.one().subject, bob.password, len(net.messages)) == ("One", "secret", 2)


def test_a_login_is_taken_and_none_is_needed(net: MailNet) -> None:
    with smtplib.SMTP(net.sink.host, net.sink.port) as client:
        client.login("any", "thing")
        send(client, "One", "bob@customer.example")
    assert net.sent.one().envelope.origin.login == "any"


def test_bounces_of_the_sink_come_to_undeclared_senders(net: MailNet) -> None:
    net.domain("known.example")
    with net.find_host("sink.mailnet.example.net").settings("submission").smtplib() as client:
        send(client, "One", "gone@known.example")
    net.settle()
    assert net.account("app@shop.test").inbox.one().delivery_report is not None


def test_records_under_an_undeclared_domain_leave_its_mail(net: MailNet) -> None:
    net.dns.add("shop.test", "TXT", "v=spf1 -all")
    net.host("www.foo.example")
    with net.submission.smtplib() as client:
        send(client, "One", "bob@shop.test", "eve@foo.example", "tom@sub.foo.example", sender="app@x.test")
    net.settle()
    assert [str(mail.envelope.recipients[0].address) for mail in net.messages if mail.envelope] == [
        "bob@shop.test",
        "eve@foo.example",
        "tom@sub.foo.example",
    ]


def test_postmaster_is_always_there(net: MailNet) -> None:
    with net.sink.smtplib() as client:
        send(client, "One", "bob@customer.example")
        client.mail("")
        assert client.docmd("RCPT TO:<postmaster>")[0] == 250
        assert client.data(text("Two"))[0] == 250
    assert [mail.subject for mail in net.account("bob@customer.example").inbox] == ["One"]
    assert net.messages[-1].subject == "Two"


def test_magic_addresses_are_no_faults_of_the_test(net: MailNet) -> None:
    written = net.to_toml()
    assert "faults" not in written
    with MailNet(config=written) as again:
        assert again.to_toml() == written


def test_a_sink_is_there_or_not() -> None:
    with pytest.raises(DeclarationError, match="sink is True or False, not 'no'"):
        MailNet(sink="no")  # type: ignore[arg-type]
