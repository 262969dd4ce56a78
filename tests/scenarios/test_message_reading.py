"""What a message says, the same at every door: put, APPEND and SMTP in, handles, IMAP and POP3 out."""

from __future__ import annotations

import pytest

BOM = b"\xef\xbb\xbf"
# Octets, the subject that they have, and their text.
HEADERS = pytest.mark.parametrize(
    ("raw", "subject", "text"),
    [
        (b"Subject: Hi\r\nHello Bob\r\n", "Hi", "Hello Bob\n"),
        (
            b"From: ann@shop.test\r\nno field\r\nSubject: Hi\r\n\r\ntext\r\n",
            "",
            "no field\nSubject: Hi\n\ntext\n",
        ),
        (b"Hello Bob\r\n\r\nBye\r\n", "", "Hello Bob\n\nBye\n"),
    ],
)
# Before the first field. Servers of mail put their own fields in front, behind which these are no header any more.
STARTS = pytest.mark.parametrize("start", [BOM, b" X-Indented: 1\r\n", b"\t\r\n", BOM + b" \r\n"])


def append(bob, raw):
    with bob.imaps.imaplib() as client:
        assert client.append("INBOX", None, None, raw)[0] == "OK"


def put(bob, raw):
    bob.inbox.put(raw)


def fetched(bob):
    """Header and text of the only message as IMAP has them, and its ENVELOPE."""
    with bob.imaps.imaplib() as client:
        client.select("INBOX", readonly=True)
        answer = client.fetch("1", "(BODY.PEEK[HEADER] BODY.PEEK[TEXT])")[1]
        envelope = client.fetch("1", "(ENVELOPE)")[1][0]
    return answer[0][1], answer[1][1], envelope


@HEADERS
@pytest.mark.parametrize("door", [put, append])
def test_the_header_ends_at_the_first_line_that_is_no_field(mailnet, door, raw, subject, text):
    bob = mailnet.account("bob@example.org")
    door(bob, raw)
    mail = bob.inbox.one()
    assert (mail.subject, mail.text) == (subject, text)
    header, body, envelope = fetched(bob)
    assert header + body == raw
    assert body.decode().replace("\r\n", "\n") == text
    assert (b'"Hi"' in envelope) == (subject == "Hi")
    client = bob.pop3s.poplib()
    lines = client.top(1, 0)[1]
    client.quit()
    assert lines == header.splitlines()


@HEADERS
def test_trace_fields_come_in_front_of_such_a_header(mailnet, raw, subject, text):
    bob = mailnet.account("bob@example.org")
    with mailnet.mx("example.org").smtplib() as smtp:
        smtp.sendmail("ann@shop.test", [bob.address], raw)
    mail = bob.inbox.wait_for_one()
    assert (mail.subject, mail.text) == (subject, text)
    assert list(mail.headers)[:2] == ["Return-Path", "Received"]
    header, body, _ = fetched(bob)
    assert body.decode().replace("\r\n", "\n") == text
    assert header + body == mail.raw


@STARTS
@pytest.mark.parametrize("door", [put, append])
def test_what_stands_before_the_first_field_hides_none(mailnet, door, start):
    bob = mailnet.account("bob@example.org")
    raw = start + b"Subject: Hi\r\nFrom: ann@shop.test\r\n\r\nHello Bob\r\n"
    door(bob, raw)
    mail = bob.inbox.one()
    assert (mail.subject, mail.sender, mail.text) == ("Hi", "ann@shop.test", "Hello Bob\n")
    header, body, envelope = fetched(bob)
    assert (header + body, body) == (raw, b"Hello Bob\r\n")
    assert envelope.startswith(b'1 (ENVELOPE (NIL "Hi" ((NIL NIL "ann" "shop.test"))')


@pytest.mark.parametrize("start", [BOM, b" X-Indented: 1\r\n", b" \r\n"])
def test_behind_trace_fields_it_is_text(mailnet, start):
    """As behind a Postfix: nobody knows a field that begins so, and no line goes on with Received."""
    bob = mailnet.account("bob@example.org")
    raw = start + b"Subject: Hi\r\nFrom: ann@shop.test\r\n\r\nHello Bob\r\n"
    with mailnet.mx("example.org").smtplib() as smtp:
        smtp.sendmail("ann@shop.test", [bob.address], raw)
    mail = bob.inbox.wait_for_one()
    assert mail.subject == ""
    assert mail.raw.endswith(b"\r\n\r\n" + raw)
    assert mail.text == raw.decode().replace("\r\n", "\n")
    assert "X-Indented" not in mail.headers["Received"]


def test_the_line_of_an_mbox_file_becomes_a_field(mailnet):
    bob = mailnet.account("bob@example.org")
    with mailnet.mx("example.org").smtplib() as smtp:
        smtp.sendmail(
            "ann@shop.test",
            [bob.address],
            b"From ann Fri May 17 09:30:00 2024\r\nSubject: Hi\r\n\r\nHello\r\n",
        )
    mail = bob.inbox.wait_for_one()
    assert mail.headers["X-Mailbox-Line"] == "From ann Fri May 17 09:30:00 2024"
    assert (mail.subject, mail.text) == ("Hi", "Hello\n")


def test_a_submission_host_completes_what_has_no_header(mailnet):
    shop, bob = mailnet.account("hello@shop.example.net"), mailnet.account("bob@example.org")
    with shop.submission.smtplib() as smtp:
        smtp.sendmail(shop.address, [bob.address], BOM + b"Date: today\r\n\r\nHello\r\n")
    mail = bob.inbox.wait_for_one()
    assert mail.date is not None
    assert mail.message_id
    assert mail.text == "\ufeffDate: today\n\nHello\n"
