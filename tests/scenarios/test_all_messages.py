"""The messages in all mailboxes, and those that apps have sent."""

from __future__ import annotations

import imaplib
import smtplib
import socket
import threading

import pytest

from fakemail import (
    NULL_PATH,
    AsyncMailNet,
    Delivered,
    MailAssertionError,
    MailNet,
    Reason,
    Refused,
    Reply,
    Stage,
)
from fakemail.events.kinds import SmtpCommand
from fakemail.types.address import Address


def mail(subject: str, to: str = "bob@example.org") -> str:
    return f"From: ann@shop.test\r\nTo: {to}\r\nSubject: {subject}\r\n\r\n.dot\r\n"


def send(net: MailNet, subject: str, *to: str) -> None:
    with net.mx("example.org").smtplib() as client:
        client.sendmail("ann@shop.test", list(to) or ["bob@example.org"], mail(subject))


@pytest.fixture
def net(mailnet: MailNet) -> MailNet:
    mailnet.accounts("bob@example.org", "eve@example.org")
    return mailnet


def test_messages_of_all_mailboxes_are_in_the_order_in_which_they_came(net: MailNet) -> None:
    assert (net.messages.is_empty, list(net.messages), bool(net.sent)) == (True, [], False)
    send(net, "One", "eve@example.org")
    net.account("zoe@other.test").folder("Archive").put("Subject: Two\r\n\r\n")
    send(net, "Three")
    send(net, "Four", "eve@example.org")
    assert [each.subject for each in net.messages] == ["One", "Two", "Three", "Four"]
    assert (len(net.messages), net.messages[-1].subject) == (4, "Four")
    assert net.messages.one(subject="Three") == net.account("bob@example.org").inbox.one()


def test_a_mailbox_of_all_mail_counts_nothing_twice(net: MailNet) -> None:
    net.domain("g.test").hosts[0].configure(imap="gmail-like")
    account = net.account("bob@g.test")
    account.inbox.put("Subject: One\r\n\r\n")
    assert [each.subject for each in net.messages] == ["One"]


def test_a_wait_for_any_mailbox(net: MailNet) -> None:
    send(net, "Before", "eve@example.org")

    def later() -> None:
        send(net, "Other")
        net.account("zoe@other.test").inbox.put("Subject: Welcome\r\n\r\nYour code is 482913.\r\n")

    waiting = threading.Thread(target=later)
    waiting.start()
    assert net.messages.wait_for_one(subject="Welcome").code() == "482913"
    waiting.join()
    assert net.messages.wait_for_code() == "482913"
    assert len(net.messages.wait_for_count(3)) == 3


def test_what_is_in_no_mailbox_is_told_with_what_is_in_all(net: MailNet) -> None:
    send(net, "One", "eve@example.org")
    with pytest.raises(MailAssertionError) as failure:
        net.messages.one(subject="Two")
    text = str(failure.value)
    assert "wanted: a message with HasSubject('Two')" in text
    assert "found:  1 message in all mailboxes" in text
    assert "<Message 'One' from ann@shop.test" in text


def test_sent_is_one_entry_for_each_transaction(net: MailNet) -> None:
    with net.mx("example.org").smtplib() as client:
        client.ehlo("app.shop.test")
        client.sendmail(
            "ann@shop.test", ["bob@example.org", "gone@example.org", "eve@example.org"], mail("News")
        )
        client.sendmail("ann@shop.test", ["bob@example.org"], mail("More"))
    news, more = net.sent
    assert (news.subject, more.subject) == ("News", "More")
    assert news.raw == mail("News").encode()
    assert (news.is_accepted, news.host.name, news.reply) == (True, "mx1.example.org", news.reply)
    assert news.reply is not None
    assert (news.reply.code, news.queue_id in news.reply.text) == (250, True)
    assert list(map(str, news.envelope.addresses)) == [
        "bob@example.org",
        "gone@example.org",
        "eve@example.org",
    ]
    assert (str(news.envelope.sender), news.envelope.origin.helo) == ("ann@shop.test", "app.shop.test")
    assert {to: reply.enhanced for to, reply in news.refused.items()} == {"gone@example.org": "5.1.1"}
    fates = [journey.fate for journey in news.journeys]
    assert [type(fate) for fate in fates] == [Delivered, Refused, Delivered]
    assert net.sent.one(subject="More").journeys[0].deliveries[0].account == Address("bob", "example.org")


def test_sent_over_a_submission_server_and_its_relays_is_sent_once(net: MailNet) -> None:
    ann = net.account("ann@shop.test")
    with ann.submission.smtplib() as client:
        client.sendmail(ann.address, ["bob@example.org"], mail("Hello"))
    assert net.account("bob@example.org").inbox.wait_for_one().subject == "Hello"
    (sent,) = net.sent
    origin = sent.envelope.origin
    assert (origin.login, origin.protocol, origin.tls, bool(origin.cipher)) == (
        "ann@shop.test",
        "ESMTPSA",
        "TLSv1.3",
        True,
    )
    assert [str(journey.fate) for journey in sent.journeys] == ["delivered to bob@example.org, INBOX"]


def test_what_was_refused_has_been_sent_too(net: MailNet) -> None:
    net.domain("example.org").hosts[0].faults.reply(Stage.SMTP_MAIL, Reply(451, "4.3.2", "later"), times=1)
    with net.mx("example.org").smtplib() as client:
        with pytest.raises(smtplib.SMTPSenderRefused):
            client.sendmail("ann@shop.test", ["bob@example.org"], mail("One"))
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            client.sendmail("", ["gone@example.org"], mail("Two"))
    refused, none = net.sent
    assert (refused.is_accepted, refused.reply, refused.raw) == (False, Reply(451, "4.3.2", "later"), b"")
    assert (none.envelope.sender, list(none.refused)) == (NULL_PATH, ["gone@example.org"])
    assert none.journeys[0].reason is Reason.NO_SUCH_USER


def test_a_transaction_that_breaks_off_has_ended(net: MailNet) -> None:
    mx = net.mx("example.org")

    def half() -> None:
        with socket.create_connection((mx.host, mx.port)) as connection:
            connection.sendall(b"EHLO a.test\r\nMAIL FROM:<ann@shop.test>\r\nRCPT TO:<bob@example.org>\r\n")
            assert connection.recv(1000)

    waiting = threading.Thread(target=half)
    waiting.start()
    (sent,) = net.sent.wait_for_count(1)
    waiting.join()
    assert (sent.is_accepted, sent.queue_id, list(map(str, sent.envelope.addresses))) == (
        False,
        "",
        ["bob@example.org"],
    )


def test_a_wait_for_what_an_app_sends(net: MailNet) -> None:
    threading.Thread(target=send, args=(net, "Invoice")).start()
    assert net.sent.wait_for_one(subject="Invoice", to="bob@example.org").is_accepted
    with pytest.raises(MailAssertionError, match="in what apps have sent"):
        net.sent.wait_for_one(subject="Reminder", timeout=0.01)
    net.sent.expect_none(subject="Reminder")


def test_reset_forgets_what_was_sent(net: MailNet) -> None:
    send(net, "One")
    net.reset()
    assert (list(net.sent), list(net.messages)) == ([], [])
    send(net, "Two")
    assert [each.subject for each in net.sent] == [each.subject for each in net.messages] == ["Two"]


@pytest.mark.anyio
async def test_the_awaited_form(async_mailnet: AsyncMailNet) -> None:
    async_mailnet.account("bob@example.org").inbox.put("Subject: Hello\r\n\r\n")
    assert (await async_mailnet.messages.wait_for_one(subject="Hello")).subject == "Hello"
    await async_mailnet.sent.expect_none()


def test_the_bytes_of_a_message_are_there_once(net: MailNet) -> None:
    big = "x" * 76 + "\r\n"
    with net.mx("example.org").smtplib() as client:
        client.sendmail("ann@shop.test", ["bob@example.org", "eve@example.org"], mail("Big") + big * 1000)
    (end,) = net.events(Stage.SMTP_END)
    assert isinstance(end, SmtpCommand)
    assert end.client_bytes is not None
    stored = [each.raw for each in net.messages]
    assert [raw is end.client_bytes.message for raw in stored] == [True, True]
    assert net.sent.one().raw == (mail("Big") + big * 1000).encode()


def test_a_message_that_was_changed_is_still_what_was_sent(net: MailNet) -> None:
    ann = net.account("ann@shop.test")
    with ann.submission.smtplib() as client:
        client.sendmail(ann.address, ["bob@example.org"], "body without a header\r\n")
    assert net.sent.one().raw == b"body without a header\r\n"


def test_both_faces_of_one_world_have_waits_of_their_own(net: MailNet) -> None:
    awaited = net.as_async()
    assert awaited.messages is not None
    net.account("bob@example.org").inbox.put("Subject: Secret\r\n\r\n")
    with pytest.raises(MailAssertionError):
        net.messages.expect_none(subject="Secret")


def test_a_wait_goes_on_over_a_reset(net: MailNet) -> None:
    for number in range(5):
        send(net, str(number))
    found: list[str] = []
    waits = [
        threading.Thread(target=lambda: found.append(net.messages.wait_for_one(subject="late").subject)),
        threading.Thread(target=lambda: found.extend(each.subject for each in net.sent.wait_for_count(6))),
    ]
    for wait in waits:
        wait.start()
    net.reset()
    send(net, "late")
    waits[0].join()
    assert found == ["late"]
    for number in range(5):
        send(net, str(number))
    waits[1].join()
    assert found == ["late", "late", "0", "1", "2", "3", "4"]


def test_an_address_is_one_address(net: MailNet) -> None:
    with pytest.raises(TypeError, match=r"one at a time, not \['bob@example.org'\]"):
        net.messages.expect_none(to=["bob@example.org"])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="a subject is a text or a compiled pattern, not 3"):
        net.messages.find(subject=3)  # type: ignore[arg-type]


def test_a_mailbox_that_is_renamed_wakes_a_wait(net: MailNet) -> None:
    bob = net.account("bob@example.org", password=None)
    bob.inbox.put("Subject: Old\r\n\r\n")
    settings = bob.imap

    def rename() -> None:
        with imaplib.IMAP4(settings.host, settings.port) as client:
            client.starttls(bob.ssl_context)
            client.login(bob.address, bob.password)
            client.rename("INBOX", "Archive/Old")

    waiting = threading.Thread(target=rename)
    waiting.start()
    assert bob.folder("Archive/Old").wait_for_one(timeout=20).subject == "Old"
    waiting.join()


def test_the_envelope_has_the_parameters_that_the_app_gave(net: MailNet) -> None:
    with net.mx("example.org").smtplib() as client:
        client.ehlo()
        client.mail("ann@shop.test", ["BODY=8BITMIME", "SMTPUTF8", "ENVID=q1", "SIZE=100"])
        client.rcpt("bob@example.org", ["NOTIFY=FAILURE,DELAY", "ORCPT=rfc822;Bob@example.org"])
        client.rcpt("gone@example.org")
        client.data(mail("One"))
    sent, delivered = net.sent.one().envelope, net.messages.one().envelope
    assert delivered is not None
    assert sent[3:] == delivered[3:]
    assert (sent.envid, sent.size, sent.smtputf8) == ("q1", 100, True)
    assert sent.recipients[0] == delivered.recipients[0]
    assert str(sent.recipients[1].address) == "gone@example.org"
