"""Lists of messages: what a test finds in them, waits for and insists on."""

from __future__ import annotations

import imaplib
import re
import threading

import pytest

from fakemail import AsyncMailNet, HasSubject, MailAssertionError, MailNet, Stage
from fakemail.api.matchers import Matcher, Readable

CODE = "Your sign-in code is 482913.\r\n"
LINK = "Confirm your address: https://shop.test/confirm/abc\r\n"


def send(
    net: MailNet, subject: str, text: str = "hello\r\n", to: str = "bob@example.org", **headers: str
) -> None:
    more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    with net.mx("example.org").smtplib() as client:
        client.sendmail(
            "shop@shop.test",
            [to],
            f"From: shop@shop.test\r\nTo: {to}\r\nSubject: {subject}\r\n{more}\r\n{text}",
        )


@pytest.fixture
def net(mailnet: MailNet) -> MailNet:
    mailnet.account("bob@example.org", password="secret")
    return mailnet


def test_messages_are_found_by_what_is_said_of_them(net: MailNet) -> None:
    inbox = net.account("bob@example.org").inbox
    send(net, "One", CODE, X_Kind="code")
    send(net, "Two", LINK)
    send(net, "Two", "again\r\n")
    assert [mail.text.strip() for mail in inbox.find(subject="Two")] == [LINK.strip(), "again"]
    assert inbox.find(text="sign-in", sender="shop@shop.test") == [inbox[0]]
    assert inbox.find(header="X-Kind") == inbox.find(header=("X-Kind", "code")) == [inbox[0]]
    assert inbox.find(header=("X-Kind", "other")) == inbox.find(attachment="a.pdf") == []
    assert inbox.find(matching=HasSubject(re.compile("o")), text=re.compile("^again")) == [inbox[2]]
    assert (inbox[-1].text.strip(), inbox[0:2], len(inbox), bool(inbox)) == (
        "again",
        inbox.messages()[:2],
        3,
        True,
    )


def test_an_unknown_word_is_answered_with_the_one_that_is_meant(net: MailNet) -> None:
    with pytest.raises(TypeError, match="did you mean 'attachment'"):
        net.account("bob@example.org").inbox.find(atachment="a.pdf")  # type: ignore[call-arg]


def test_a_link_and_a_code_are_waited_for(net: MailNet) -> None:
    inbox = net.account("bob@example.org").inbox
    for subject, text in (("Other", "nothing here\r\n"), ("Code", CODE), ("Link", LINK)):
        threading.Thread(target=send, args=(net, subject, text)).start()
    assert inbox.wait_for_code() == "482913"
    assert inbox.wait_for_code(6, subject="Code") == "482913"
    assert inbox.wait_for_link() == "https://shop.test/confirm/abc"
    assert inbox.wait_for_link("confirm YOUR address") == "https://shop.test/confirm/abc"
    assert inbox.wait_for_link(url="/CONFIRM/", to="bob@example.org") == "https://shop.test/confirm/abc"


def test_a_link_that_does_not_come_is_told_with_what_came(net: MailNet) -> None:
    inbox = net.account("bob@example.org").inbox
    send(net, "Link", LINK)
    with pytest.raises(MailAssertionError) as failure:
        inbox.wait_for_link("Unsubscribe", timeout=0.05)
    text = str(failure.value)
    assert "wanted: a message to bob@example.org with HasLink('Unsubscribe') within 0.05 s" in text
    assert "found:  1 message in INBOX of bob@example.org" in text
    assert "https://shop.test/confirm/abc" in text


def test_nothing_that_fits_comes(net: MailNet) -> None:
    inbox = net.account("bob@example.org").inbox
    send(net, "Welcome")
    inbox.expect_none(subject="Invoice")
    inbox.expect_none(subject="Invoice", within=0.05)
    with pytest.raises(
        MailAssertionError, match="wanted: nothing with HasSubject\\('Welcome'\\) in INBOX of bob"
    ):
        inbox.expect_none(subject="Welcome", within=5)


def test_what_comes_in_the_span_is_seen_at_once(net: MailNet) -> None:
    inbox = net.account("bob@example.org").inbox
    threading.Thread(target=send, args=(net, "Invoice")).start()
    with pytest.raises(MailAssertionError, match="found:  1 message"):
        inbox.expect_none(within=60)


def test_a_wait_looks_at_each_message_once(net: MailNet) -> None:
    seen: list[str] = []

    class Counted(Matcher):
        def mismatch(self, message: Readable) -> str:
            seen.append(message.subject)
            return "" if message.subject == "20" else "another"

    inbox = net.account("bob@example.org").inbox
    found: list[str] = []
    waiting = threading.Thread(target=lambda: found.append(inbox.wait_for_one(matching=Counted()).subject))
    send(net, "0")
    waiting.start()
    for number in range(1, 21):
        send(net, str(number))
    waiting.join()
    assert found == ["20"]
    assert seen == [str(number) for number in range(21)]


def test_messages_that_have_gone_do_not_count(net: MailNet) -> None:
    bob = net.account("bob@example.org")
    send(net, "One")

    def later() -> None:
        with imaplib.IMAP4_SSL(bob.imaps.host, bob.imaps.port, ssl_context=bob.ssl_context) as client:
            client.login(bob.address, "secret")
            client.select()
            client.store("1", "+FLAGS", "\\Deleted")
            client.expunge()
        send(net, "Two")
        send(net, "Three")

    waiting = threading.Thread(target=later)
    waiting.start()
    assert bob.inbox.wait_for_count(2, matching=~HasSubject("One"))
    waiting.join()
    assert [mail.subject for mail in bob.inbox.wait_for_count(2)] == ["Two", "Three"]


def test_what_a_program_appends_wakes_a_wait(net: MailNet) -> None:
    bob = net.account("bob@example.org")

    def append() -> None:
        with imaplib.IMAP4_SSL(bob.imaps.host, bob.imaps.port, ssl_context=bob.ssl_context) as client:
            client.login(bob.address, "secret")
            client.append("Sent", "", None, b"Subject: A copy\r\n\r\nhello\r\n")  # type: ignore[arg-type]

    waiting = threading.Thread(target=append)
    waiting.start()
    assert bob.folder("Sent").wait_for_one(timeout=20).subject == "A copy"
    waiting.join()


def test_a_wait_for_a_stage_counts_what_has_happened_before(net: MailNet) -> None:
    send(net, "One")
    threading.Thread(target=send, args=(net, "Two")).start()
    assert len(net.wait_for(Stage.DELIVER, count=2)) == 2


@pytest.mark.anyio
async def test_the_awaited_form(async_mailnet: AsyncMailNet) -> None:
    inbox = async_mailnet.account("bob@example.org").inbox
    for text in (CODE, LINK):
        inbox.put(f"Subject: Hello\r\n\r\n{text}")
    assert await inbox.wait_for_code() == "482913"
    assert await inbox.wait_for_link() == "https://shop.test/confirm/abc"
    await inbox.expect_none(subject="Invoice", within=0.01)
    with pytest.raises(MailAssertionError, match="wanted: nothing"):
        await inbox.expect_none(subject="Hello")
