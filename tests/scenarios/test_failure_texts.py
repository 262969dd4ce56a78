"""The texts of failures that beginners meet: each says what was the matter, and what to do."""

from __future__ import annotations

import asyncio
import imaplib
import poplib
import smtplib
import socket
import ssl
import subprocess
import sys
import textwrap
from contextlib import closing, suppress

import pytest

from fakemail import (
    AsyncMailNet,
    DeclarationError,
    HasText,
    MailAssertionError,
    MailNet,
    Stage,
    faults,
    minutes,
    samples,
)


@pytest.fixture
def net():
    with MailNet(seed=7, timeout=2) as net:
        yield net


@pytest.fixture
def shop(net):
    return net.account("hello@shop.example.com")


@pytest.fixture
def bob(net):
    return net.account("bob@example.org")


def text_of(look, *args, **keywords) -> str:
    with pytest.raises(MailAssertionError) as failed:
        look(*args, **keywords)
    return str(failed.value)


def connected(settings):
    return smtplib.SMTP(settings.host, settings.port, timeout=10)


# What came too late -------------------------------------------------------------------------------


def late_mail(box):
    """A look at a mailbox a moment before the mail comes, every time: it lies down while the text is made."""
    looked = box.messages()

    def messages():
        box.messages = type(box).messages.__get__(box)
        return looked

    box.messages = messages
    return box


def test_mail_that_came_after_the_look_is_said_to_be_late(net, shop, bob):
    with shop.submission.smtplib() as client:
        looked = late_mail(bob.inbox)
        client.sendmail(shop.address, [bob.address], "Subject: Hi\r\n\r\nHello")
        text = text_of(looked.one)
    assert "found:  nothing in INBOX of bob@example.org" in text
    assert "late:   it came after you looked: use wait_for_one(), or settle() before you look" in text
    assert "Fate: delivered to bob@example.org, INBOX" in text
    assert "waiting in the queue" not in text


def test_the_second_message_that_came_late(net, shop, bob):
    with shop.submission.smtplib() as client:
        late_mail(bob.inbox)
        for subject in ("One", "Two"):
            client.sendmail(shop.address, [bob.address], f"Subject: {subject}\r\n\r\nHello")
        text = text_of(bob.inbox.__getitem__, 1)
    assert "late:   it came after you looked: use wait_for_count(2), or settle() before you look" in text


def test_what_is_still_on_its_way_is_said_to_be(net, shop, bob):
    with connected(net.mx("example.org")) as client:
        client.ehlo()
        client.mail("a@shop.example.com")
        client.rcpt(bob.address)
        text = text_of(bob.inbox.one)
        assert "late:   something is still on its way, and may come after you looked" in text
        assert "(not settled)" in text
        client.rset()


def test_mail_that_waits_for_the_clock_is_not_late(net, shop, bob):
    net.mx("example.org").faults.greylist_first()
    with shop.submission.smtplib() as client:
        client.sendmail(shop.address, [bob.address], "Subject: Hi\r\n\r\nHello")
    net.settle()
    text = text_of(bob.inbox.one)
    assert "late:" not in text
    assert "mailnet.clock.advance(minutes(" in text
    net.clock.advance(minutes(30))
    assert bob.inbox.one().subject == "Hi"


# How a message is asked for -----------------------------------------------------------------------


def test_the_advice_for_two_messages_is_what_one_takes(net, shop, bob):
    ann = net.account("ann@example.org")
    bob.inbox.put(samples.plain(sender=shop, to=bob, subject="Welcome", text="First"))
    bob.inbox.put(samples.plain(sender=ann, to="team@example.org", subject="Welcome", text="Second"))
    assert "(subject=, sender=, to=, matching=)" in text_of(bob.inbox.one)
    assert "(subject=, sender=, to=, matching=)" in text_of(bob.inbox.one, subject="Welcome")
    for look in (bob.inbox.one, bob.inbox.wait_for_one):
        assert "First" in look(sender=shop).text
        assert "First" in look(to=bob, subject="Welcome").text
        assert "Second" in look(to="team@example.org").text
        assert "Second" in look(matching=HasText("Second"), sender=ann).text
        text = text_of(look, subject="Goodbye", to=ann)
        assert "with HasSubject('Goodbye') & SentTo('ann@example.org')" in text
    assert [each.subject for each in bob.inbox.wait_for_count(1, to=bob)] == ["Welcome"]
    assert len(bob.inbox.wait_for_count(2, subject="Welcome")) == 2


async def ask_in_all_ways(net):
    bob = net.account("bob@example.org")
    bob.inbox.put(samples.plain(sender="a@b.example", to=bob, subject="Hi"))
    for query in ({"subject": "Hi"}, {"sender": "a@b.example"}, {"to": bob}):
        assert bob.inbox.one(**query) == await bob.inbox.wait_for_one(**query)
        assert await bob.inbox.wait_for_count(1, **query) == [bob.inbox.one()]
    for wait in (bob.inbox.wait_for_one, lambda **query: bob.inbox.wait_for_count(1, **query)):
        with pytest.raises(TypeError, match="'recipient'; did you mean 'to'"):
            await wait(recipient="bob")


def test_the_other_face_is_asked_in_the_same_way():
    async def main():
        async with AsyncMailNet() as net:
            await ask_in_all_ways(net)

    asyncio.run(main())


# Which journey ------------------------------------------------------------------------------------


def test_the_mail_that_bounced_is_shown_and_not_the_bounce_that_failed(net, bob):
    with net.submission.smtplib() as client:
        client.sendmail("s@undeclared.example", ["bobby@example.org"], "Subject: W\r\n\r\nx")
    net.settle()
    text = text_of(bob.inbox.one)
    assert "last:   the journey to bobby@example.org (none went to bob@example.org)" in text
    assert "550 5.1.1 <bobby@example.org>: no such user here" in text


def test_a_bounce_that_came_to_the_sender_does_not_hide_what_bounced(net, bob):
    with bob.submission.smtplib() as client:
        client.sendmail(bob.address, ["bobby@example.org"], "Subject: W\r\n\r\nx")
    net.settle()
    text = text_of(bob.inbox.one, subject="W")
    assert "last:   the journey to bobby@example.org (none went to bob@example.org)" in text


def test_where_nothing_but_a_notice_was_sent_it_is_shown(net, bob):
    with connected(net.mx("example.org")) as client:
        client.ehlo()
        client.mail("")
        client.rcpt("bobby@example.org")
    net.settle()
    assert "last:   the journey to bobby@example.org" in text_of(bob.inbox.one)


# Who was refused ----------------------------------------------------------------------------------

NO_MAIL = "last:   no client has sent any mail in this test so far"


def no_trust(shop, bob):
    connected(shop.submission).starttls(context=ssl.create_default_context())


def no_trust_at_once(shop, bob):
    smtplib.SMTP_SSL(shop.submissions.host, shop.submissions.port, context=ssl.create_default_context())


def wrong_name(shop, bob):
    with socket.create_connection((shop.submissions.host, shop.submissions.port)) as sock:
        shop.ssl_context.wrap_socket(sock, server_hostname="elsewhere.example.com")


def login_before_tls(shop, bob):
    connected(shop.submission).login(shop.address, shop.password)


def auth_before_tls(shop, bob):
    client = connected(shop.submission)
    client.ehlo()
    client.docmd("AUTH", "PLAIN AGEAYg==")


def no_login(shop, bob):
    connected(shop.submission).sendmail(shop.address, [bob.address], "Subject: W\r\n\r\nx")


def no_login_under_tls(shop, bob):
    client = connected(shop.submission)
    client.starttls(context=shop.ssl_context)
    client.sendmail(shop.address, [bob.address], "Subject: W\r\n\r\nx")


def wrong_password(shop, bob):
    client = connected(shop.submission)
    client.starttls(context=shop.ssl_context)
    client.login(shop.address, "a guess")


def sender_of_another(shop, bob):
    shop.submission.smtplib().sendmail("boss@shop.example.com", [bob.address], "Subject: W\r\n\r\nx")


def hello_at_the_wrong_port(shop, bob):
    smtplib.SMTP_SSL(shop.submission.host, shop.submission.port, context=shop.ssl_context)


def hello_without_a_line_end(shop, bob):
    with socket.create_connection((shop.submission.host, shop.submission.port)) as sock:
        sock.sendall(b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00")
        assert sock.recv(3) == b"220"


def hello_at_the_mail_host(shop, bob):
    settings = bob.domain.mx
    smtplib.SMTP_SSL(settings.host, settings.port, context=shop.ssl_context)


def greeting_that_never_comes(shop, bob):
    smtplib.SMTP(shop.submissions.host, shop.submissions.port, timeout=0.2)


def clear_text_where_tls_begins(shop, bob):
    with socket.create_connection((shop.submissions.host, shop.submissions.port)) as sock:
        sock.sendall(b"EHLO app.example.com\r\n")
        while sock.recv(100):
            pass


def reader_without_trust(shop, bob):
    imaplib.IMAP4_SSL(bob.imaps.host, bob.imaps.port, ssl_context=ssl.create_default_context())


def pop_reader_without_trust(shop, bob):
    with closing(poplib.POP3(bob.pop3.host, bob.pop3.port)) as client:
        client.stls(ssl.create_default_context())


def reader_with_a_wrong_password(shop, bob):
    settings = bob.imaps
    with imaplib.IMAP4_SSL(settings.host, settings.port, ssl_context=settings.ssl_context) as client:
        client.login("bob", "x")


def pop_reader_before_tls(shop, bob):
    with closing(poplib.POP3(bob.pop3.host, bob.pop3.port)) as client:
        client.user(bob.address)


def reader_at_the_wrong_port(shop, bob):
    imaplib.IMAP4_SSL(bob.imap.host, bob.imap.port, ssl_context=bob.imap.ssl_context)


def reader_that_waits_for_a_greeting(shop, bob):
    imaplib.IMAP4(bob.imaps.host, bob.imaps.port, timeout=0.2)


REFUSED = [
    (reader_without_trust, "TLS handshake refused by the client (unknown_ca)", "trust mailnet.ca_file"),
    (pop_reader_without_trust, "TLS handshake refused by the client (unknown_ca)", "trust mailnet.ca_file"),
    (reader_with_a_wrong_password, "NO [AUTHENTICATIONFAILED]", "the login is account.address"),
    (pop_reader_before_tls, "start TLS first", "or use account.pop3s\n"),
    (reader_at_the_wrong_port, "a TLS ClientHello where TLS has not begun", "use account.imaps"),
    (reader_that_waits_for_a_greeting, "the client sent nothing", "uses account.imap\n"),
    (no_trust, "TLS handshake refused by the client (unknown_ca)", "trust mailnet.ca_file"),
    (no_trust_at_once, "TLS handshake refused by the client (unknown_ca)", "trust mailnet.ca_file"),
    (wrong_name, "TLS handshake refused by the client (bad_certificate)", "connect to settings.host"),
    (
        login_before_tls,
        "AUTH is not among the keywords",
        "AUTH is offered after STARTTLS; or use account.submissions",
    ),
    (
        auth_before_tls,
        "AUTH PLAIN ********: 538 5.7.11",
        "AUTH is offered after STARTTLS; or use account.submissions",
    ),
    (
        no_login,
        "530 5.7.0",
        "log in first, with settings.username and settings.password: AUTH is offered after",
    ),
    (no_login_under_tls, "530 5.7.0", "log in first, with settings.username and settings.password\n"),
    (wrong_password, "535 5.7.8", "the login is account.address, the password account.password"),
    (sender_of_another, "553 5.7.1 <boss@shop.example.com>", "account.configure(may_send_as=...)"),
    (hello_at_the_wrong_port, "a TLS ClientHello where TLS has not begun", "use account.submissions"),
    (hello_without_a_line_end, "a TLS ClientHello where TLS has not begun", "use account.submissions"),
    (hello_at_the_mail_host, "a TLS ClientHello where TLS has not begun", "use account.submissions"),
    (greeting_that_never_comes, "the client sent nothing", "uses account.submission\n"),
    (clear_text_where_tls_begins, "clear text in place of a TLS ClientHello", "use account.submission\n"),
]


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(("app", "what", "advice"), REFUSED, ids=lambda value: getattr(value, "__name__", ""))
def test_who_was_refused_before_a_message_was_named_is_told_of(net, shop, bob, app, what, advice):
    with suppress(
        OSError, smtplib.SMTPException, imaplib.IMAP4.error, poplib.error_proto
    ):  # what the app makes of it
        app(shop, bob)
    net.settle()
    text = text_of(bob.inbox.one)
    assert f"{NO_MAIL}, and what was refused is\n" in text
    lines = text.splitlines()
    place = next(number for number, line in enumerate(lines) if what in line)
    assert lines[place].startswith("        ")
    assert lines[place + 1].startswith("          do: ")
    assert advice in lines[place + 1] + "\n"
    assert shop.password not in text


def test_a_client_that_waits_for_a_greeting_is_told_of_while_it_waits(net, shop, bob):
    with socket.create_connection((shop.submissions.host, shop.submissions.port)):
        net.wait_for(Stage.CONNECT)
        text = text_of(bob.inbox.one)
    assert "submissions, connection 1: connected, and says nothing" in text
    assert "uses account.submission" in text
    assert "refused by the client" not in net.transcript()


def test_a_refusal_after_the_last_mail_is_told_as_well(net, shop, bob):
    with shop.submission.smtplib() as client:
        client.sendmail(shop.address, ["bobby@example.org"], "Subject: W\r\n\r\nx")
    net.settle()
    with pytest.raises(smtplib.SMTPAuthenticationError), connected(shop.submission) as client:
        client.starttls(context=shop.ssl_context)
        client.login(shop.address, "a guess")
    text = text_of(bob.inbox.one)
    assert "last:   the journey to bobby@example.org" in text
    assert text.index("then:   smtp.shop.example.com, submission") > text.index("Fate: bounced")
    assert "535 5.7.8" in text


def test_a_reader_that_was_refused_the_mail_it_should_answer(net, shop, bob):
    with shop.submission.smtplib() as client:
        client.sendmail(shop.address, [bob.address], "Subject: W\r\n\r\nx")
    net.settle()
    with pytest.raises(imaplib.IMAP4.error):
        reader_with_a_wrong_password(shop, bob)
    text = text_of(shop.inbox.one)
    assert "last:   the journey to bob@example.org (none went to hello@shop.example.com)" in text
    assert "then:   mail.example.org, imaps, connection " in text
    assert "do: the login is account.address" in text


def test_a_journey_that_was_never_begun_tells_who_was_refused(net, shop, bob):
    with pytest.raises(smtplib.SMTPNotSupportedError), connected(shop.submission) as client:
        client.login(shop.address, shop.password)
    assert "do: AUTH is offered after STARTTLS" in text_of(net.journey, to=bob)


def test_events_that_never_come(net, shop, bob):
    with pytest.raises(smtplib.SMTPNotSupportedError), connected(shop.submission) as client:
        client.login(shop.address, shop.password)
    text = text_of(net.wait_for, Stage.SMTP_MAIL, timeout=0.01)
    assert text.startswith("wanted: 1 events at smtp.mail within 0.01 s\nfound:  0\nlast:   ")
    assert "then:   smtp.shop.example.com, submission, connection 1:" in text
    assert "do: AUTH is offered after STARTTLS" in text
    assert text.endswith("again:  MailNet(seed=7)")


def test_events_of_another_host_are_not_counted(net, shop, bob):
    with net.mx("example.org").smtplib() as client:
        client.sendmail("a@b.example", [bob.address], "Subject: W\r\n\r\nx")
    text = text_of(net.wait_for, Stage.SMTP_MAIL, host="smtp.shop.example.com", timeout=0.01)
    assert "wanted: 1 events at smtp.mail on smtp.shop.example.com within" in text
    assert "found:  0\n" in text


def test_a_stage_by_its_text_is_refused_at_once(net):
    with pytest.raises(DeclarationError, match=r"such as Stage.SMTP_RCPT \(smtp.rcpt\), not 'smtp.rcpt'"):
        net.wait_for("smtp.rcpt")


def test_a_refusal_that_a_journey_tells_gets_its_advice(net, bob):
    with pytest.raises(smtplib.SMTPRecipientsRefused), connected(net.mx("example.org")) as client:
        client.sendmail("a@b.example", ["carol@elsewhere.example"], "Subject: W\r\n\r\nx")
    text = text_of(bob.inbox.one)
    assert "(relaying denied)\n        do: submit it at account.submission or mailnet.submission" in text


def test_the_same_refusal_is_told_once(net, shop, bob):
    for _ in range(20):
        with pytest.raises(smtplib.SMTPNotSupportedError), connected(shop.submission) as client:
            client.login(shop.address, shop.password)
    net.settle()
    text = text_of(bob.inbox.one)
    assert text.count("AUTH is not among the keywords") == 1
    assert "connection 20:" in text


def test_who_logged_in_later_was_not_refused(net, shop, bob):
    with shop.submission.smtplib():
        pass  # STARTTLS, then AUTH, and no mail
    assert f"{NO_MAIL}\n" in text_of(bob.inbox.one)


@pytest.mark.parametrize(
    ("kind", "service", "advice"),
    [
        (imaplib.IMAP4_SSL, "imap", "use account.imaps, or STARTTLS"),
        (poplib.POP3_SSL, "pop3", "use account.pop3s, or STARTTLS"),
    ],
)
def test_a_reader_at_the_wrong_port(net, bob, kind, service, advice):
    settings = getattr(bob, service)
    with pytest.raises(ssl.SSLError):
        kind(settings.host, settings.port)
    text = text_of(bob.wait_for, Stage.IMAP_IDLE, timeout=0.01)
    assert (
        f"last:   mail.example.org, {service}, connection 1: a TLS ClientHello where TLS has not begun"
        in text
    )
    assert advice in text


def test_a_reader_that_logs_in_without_tls(net, bob):
    client = imaplib.IMAP4(bob.imap.host, bob.imap.port)
    with pytest.raises(imaplib.IMAP4.error):
        client.login(bob.address, bob.password)
    text = text_of(bob.wait_for, Stage.IMAP_IDLE, timeout=0.01)
    client.shutdown()
    assert "do: a login is taken after TLS has begun; or use account.imaps" in text
    assert bob.password not in text


def test_a_fault_of_the_test_is_named_as_what_refused(net, shop, bob):
    net.faults.add(Stage.SMTP_MAIL, faults.reply(451, "4.3.0", "not now"))
    with pytest.raises(smtplib.SMTPSenderRefused), shop.submission.smtplib() as client:
        client.sendmail(shop.address, [bob.address], "Subject: W\r\n\r\nx")
    assert "451 4.3.0 not now (a fault of the test)" in text_of(bob.inbox.one)


# How to run it again ------------------------------------------------------------------------------


def test_outside_of_pytest_the_seed_is_an_argument():
    program = textwrap.dedent("""
        import unittest
        from fakemail import MailNet

        class Tests(unittest.TestCase):
            def test_mail(self):
                net = self.enterContext(MailNet(seed=5))
                net.account("bob@example.org").inbox.one()

        unittest.main()
    """)
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "again:  MailNet(seed=5)\n" in run.stderr
    assert "--mailnet-seed" not in run.stderr


def test_the_other_face_names_itself():
    async def main():
        async with AsyncMailNet(seed=6) as net:
            return text_of(net.account("bob@example.org").inbox.one)

    assert "again:  AsyncMailNet(seed=6)" in asyncio.run(main())


def test_a_world_of_a_fixture_is_run_again_by_its_option(mailnet):
    text = text_of(mailnet.account("bob@example.org").inbox.one)
    assert f"again:  --mailnet-seed={mailnet.seed}" in text
