"""An assistant that idles, and answers what arrives: IMAP and SMTP together, with the standard library."""

from __future__ import annotations

import imaplib
import threading
from email import message_from_bytes
from email.message import EmailMessage

import pytest

from fakemail import MailAssertionError, Stage, samples


class Assistant:
    """Waits for mail by IDLE, answers it by SMTP, and marks it as answered."""

    def __init__(self, imap, smtp):
        self.imap = imap.imaplib()
        self.smtp = smtp
        self.thread = threading.Thread(target=self.run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *error):
        self.thread.join()
        self.imap.logout()

    def run(self):
        self.imap.select("INBOX")
        tag = self.imap._new_tag()
        self.imap.send(tag + b" IDLE\r\n")
        assert self.imap.readline().startswith(b"+")
        while not self.imap.readline().endswith(b"EXISTS\r\n"):
            pass
        self.imap.send(b"DONE\r\n")
        while not self.imap.readline().startswith(tag):
            pass
        (number,) = self.imap.search(None, "UNANSWERED")[1][0].split()
        (_, raw), _ = self.imap.fetch(number, "(BODY[])")[1]
        question = message_from_bytes(raw)
        answer = EmailMessage()
        answer["From"], answer["To"] = "desk@shop.test", question["From"]
        answer["Subject"], answer["In-Reply-To"] = f"Re: {question['Subject']}", question["Message-ID"]
        answer.set_content("It is on its way.")
        with self.smtp.smtplib() as client:
            client.send_message(answer)
        self.imap.store(number, "+FLAGS", r"(\Answered)")


def test_the_assistant_answers_mail_that_arrives_while_it_idles(mailnet):
    bob, desk = mailnet.accounts("bob@example.org", "desk@shop.test")
    with Assistant(imap=desk.imap, smtp=desk.submission):
        desk.wait_for(Stage.IMAP_IDLE)
        desk.inbox.put(samples.question(sender=bob, subject="Where is my parcel?"))
        answer = bob.inbox.wait_for_one()
    assert answer.in_reply_to == desk.inbox.one().message_id
    assert desk.inbox.one().flags == {"\\Seen", "\\Answered"}


def test_mail_delivered_by_smtp_is_heard_while_idling(mailnet):
    bob, desk = mailnet.accounts("bob@example.org", "desk@shop.test")
    with Assistant(imap=desk.imaps, smtp=desk.submissions):
        desk.wait_for(Stage.IMAP_IDLE)
        with bob.submission.smtplib() as client:
            client.sendmail(bob.address, [desk.address], samples.question(sender=bob, to=desk))
        assert bob.inbox.wait_for_one().text == "It is on its way.\n"


def test_a_stage_that_nobody_comes_to_is_told(mailnet):
    desk = mailnet.account("desk@shop.test")
    with pytest.raises(MailAssertionError, match=r"found:  nobody is logged in as desk@shop\.test now"):
        desk.wait_for(Stage.IMAP_IDLE, timeout=0.01)
    client = desk.imap.imaplib()
    client.select()
    with pytest.raises(MailAssertionError, match="it is logged in, and has come this far") as failed:
        desk.wait_for(Stage.IMAP_IDLE, timeout=0.01)
    assert "SELECT INBOX" in str(failed.value)
    client.logout()


def test_an_idling_client_does_not_keep_the_world_from_settling(mailnet):
    desk = mailnet.account("desk@shop.test")
    client = desk.imap.imaplib()
    client.select()
    client.send(b"x1 IDLE\r\n")
    assert client.readline().startswith(b"+")
    mailnet.settle()
    client.send(b"DONE\r\n")
    assert client.readline().startswith(b"x1 OK")
    client.logout()


def test_an_idle_that_is_over_is_not_waited_for(mailnet):
    desk = mailnet.account("desk@shop.test")
    client = desk.imap.imaplib()
    client.select()
    client.send(b"x1 IDLE\r\n")
    assert client.readline().startswith(b"+")
    desk.inbox.put(samples.plain(subject="one"))
    while not client.readline().endswith(b"EXISTS\r\n"):
        pass
    assert desk.wait_for(Stage.IMAP_IDLE).status == "+"  # it goes on, whatever was told
    client.send(b"DONE\r\n")
    while not client.readline().startswith(b"x1 OK"):
        pass
    with pytest.raises(MailAssertionError, match=r"imap\.idle"):
        desk.wait_for(Stage.IMAP_IDLE, timeout=0.01)
    client.send(b"x2 IDLE\r\n")
    assert desk.wait_for(Stage.IMAP_IDLE).line == "x2 IDLE"
    client.send(b"DONE\r\n")
    while not client.readline().startswith(b"x2 OK"):
        pass
    client.logout()


@pytest.mark.parametrize(
    ("kind", "capability", "there"),
    [
        ("default", "CONDSTORE", True),
        ("outlook-like", "CONDSTORE", False),
        ("rev1_only", "IMAP4REV2", False),
        ("gmail-like", "X-GM-EXT-1", True),
        ("minimal", "IDLE", False),
    ],
)
def test_kinds_of_servers(mailnet, kind, capability, there):
    bob = mailnet.account("bob@example.org")
    bob.imap.server.configure(imap=kind)
    client = bob.imap.imaplib()
    words = client.capability()[1][0].decode().upper().split()
    assert (capability in words) is there
    client.logout()


def test_a_wrong_password_is_told_in_its_own_words(mailnet):
    bob = mailnet.account("bob@example.org")
    settings = bob.imaps
    client = imaplib.IMAP4_SSL(settings.host, settings.port, ssl_context=settings.ssl_context)
    with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
        client.login(bob.address, "wrong")
    client.logout()


def test_the_transcript_of_one_account(mailnet):
    bob, ann = mailnet.accounts("bob@example.org", "ann@example.org")
    for account in (bob, ann):
        client = account.imaps.imaplib()
        client.select()
        client.logout()
    with bob.submission.smtplib() as client:
        client.sendmail(bob.address, [ann.address], b"Subject: x\r\n\r\n")
    mailnet.settle()
    said = bob.transcript(imap=True)
    assert "LOGIN bob@example.org ********" in said
    assert "SELECT INBOX" in said
    assert "ann@example.org" not in said
    assert "MAIL FROM" not in said.upper()
    assert "MAIL FROM:<BOB@EXAMPLE.ORG>" in bob.transcript(smtp=True).upper()
    assert "SELECT INBOX" in bob.transcript()
    assert bob.transcript(pop3=True) == ""
