"""What mail hosts do about the content of mail: refuse, quarantine, tag, score, and ask real scanners."""

from __future__ import annotations

import smtplib
import socket
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from fakemail import MailNet, Reason, ServerError, samples

SPAM = samples.plain(subject="READ THIS NOW!!!", text="Make money fast, act now.\n")
VIRUS = samples.virus(filename="letter.txt")
ANSWER = b"SPAMD/1.1 0 EX_OK\r\nContent-length: 7\r\nSpam: True ; 7.0 / 5.0\r\n\r\nGTUBE\r\n"


def policy(net: MailNet, **keywords: Any) -> None:
    net.domain("example.org").policy(**keywords)


def send(net: MailNet, raw: bytes) -> tuple[int, str]:
    """Hand a message to the mail host of example.org; its reply."""
    with net.mx("example.org").smtplib() as client:
        try:
            client.sendmail("ann@shop.test", ["bob@example.org"], raw)
        except smtplib.SMTPDataError as refused:
            return refused.smtp_code, refused.smtp_error.decode()
    return 250, ""


def test_a_check_is_refused_with_its_reason(mailnet: MailNet) -> None:
    bob = mailnet.account("bob@example.org")
    policy(mailnet, content={"eicar": "refuse"})
    assert send(mailnet, VIRUS) == (
        554,
        "5.7.1 the message has a virus: the EICAR test file is in letter.txt",
    )
    assert send(mailnet, SPAM) == (250, "")
    assert mailnet.journeys(to=bob)[0].reason is Reason.VIRUS
    assert bob.inbox.one().subject == "READ THIS NOW!!!"


@pytest.mark.parametrize(
    ("raw", "reason", "code", "enhanced"),
    [
        (samples.spam(), Reason.SPAM, 550, "5.7.1"),
        (VIRUS, Reason.VIRUS, 554, "5.7.1"),
        (samples.with_attachment(filename="a.exe"), Reason.ATTACHMENT_REFUSED, 552, "5.7.0"),
        (b"Subject: two\r\n" + samples.plain(), Reason.BAD_HEADER, 550, "5.6.0"),
        (b"X-A: b\r\n" * 501 + samples.plain(), Reason.HEADER_TOO_BIG, 552, "5.3.4"),
        (samples.plain() + b"x\0y\r\n", Reason.BAD_MESSAGE, 554, "5.6.0"),
    ],
)
def test_each_reason_of_content_has_its_reply(
    mailnet: MailNet, raw: bytes, reason: Reason, code: int, enhanced: str
) -> None:
    bob = mailnet.account("bob@example.org")
    policy(mailnet, content="refuse")
    found = send(mailnet, raw)
    assert (found[0], found[1].split()[0]) == (code, enhanced)
    assert mailnet.journey(to=bob).reason is reason


def test_a_link_that_is_on_a_blocklist(mailnet: MailNet) -> None:
    bob = mailnet.account("bob@example.org")
    mailnet.dns.blocklist("uribl.test").add("listed.test")
    policy(
        mailnet,
        content={"link_blocklist": "refuse"},
        content_rules={"url_blocklists": ["uribl.test"]},
    )
    raw = samples.plain(text="See https://www.listed.test/offer today.\n")
    assert send(mailnet, raw)[1].endswith("a link leads to listed.test, which uribl.test lists")
    assert mailnet.journey(to=bob).reason is Reason.LINK_LISTED
    assert mailnet.dns.queries(name="listed.test.uribl.test", type="A").one().answer == "NOERROR"
    assert send(mailnet, samples.newsletter())[0] == 250


def test_a_group_of_checks_goes_to_junk(mailnet: MailNet) -> None:
    bob = mailnet.account("bob@example.org")
    policy(mailnet, content={"files": "quarantine"})
    assert send(mailnet, samples.with_attachment(filename="invoice.pdf.exe"))[0] == 250
    assert bob.inbox.is_empty
    assert bob.folder("Junk").one().subject == "Your invoice"


def test_a_check_goes_before_its_group(mailnet: MailNet) -> None:
    bob = mailnet.account("bob@example.org")
    policy(mailnet, content={"attachment_extension": "accept", "files": "refuse"})
    assert send(mailnet, samples.with_attachment(filename="setup.exe"))[0] == 250
    assert send(mailnet, samples.with_attachment(filename="invoice.pdf.exe"))[0] == 552
    assert bob.inbox.one().subject == "Your invoice"


@pytest.mark.parametrize(
    ("limits", "where", "code"),
    [
        ({"tag": 50}, "INBOX", 250),
        ({"tag": 3}, "INBOX", 250),
        ({"tag": 2, "quarantine": 3}, "Junk", 250),
        ({"tag": 1, "quarantine": 2, "refuse": 3}, "", 550),
    ],
)
def test_the_score_decides(mailnet: MailNet, limits: dict[str, float], where: str, code: int) -> None:
    bob = mailnet.account("bob@example.org")
    policy(mailnet, spam=limits)
    assert send(mailnet, SPAM)[0] == code
    if not where:
        assert mailnet.journey(to=bob).reason is Reason.SPAM
        return
    headers = bob.folder(where).one().headers
    is_spam = min(limits.values()) <= 5
    assert headers["X-Spam-Flag"] == ("YES" if is_spam else "NO")
    assert headers["X-Spam-Score"] == "5.0"
    assert "shouted_subject" in headers["X-Spam-Status"]


def test_the_fields_of_the_score_are_on_good_mail_too(mailnet: MailNet) -> None:
    bob = mailnet.account("bob@example.org")
    policy(mailnet, spam=True)
    assert send(mailnet, samples.plain())[0] == 250
    assert bob.inbox.one().headers["X-Spam-Flag"] == "NO"


def test_a_sender_cannot_say_that_it_is_no_spam(mailnet: MailNet) -> None:
    bob = mailnet.account("bob@example.org")
    policy(mailnet, spam=True)
    forged = b"X-Spam-Flag: NO\r\nx-spam-status: No,\r\n score=0\r\n"
    send(mailnet, forged + samples.spam())
    headers = bob.inbox.one().headers
    assert headers.all("X-Spam-Flag") == ["YES"]
    assert len(headers.all("X-Spam-Status")) == 1
    assert headers["Subject"] == "An offer"


def test_points_can_be_others(mailnet: MailNet) -> None:
    mailnet.account("bob@example.org")
    rules = {"points": {"gtube": 0, "no_subject": 20}}
    policy(mailnet, spam={"refuse": 15}, content_rules=rules)
    assert send(mailnet, samples.spam())[0] == 250
    assert send(mailnet, samples.plain(subject=""))[0] == 550


def test_without_a_policy_nothing_is_looked_at(mailnet: MailNet, monkeypatch: pytest.MonkeyPatch) -> None:
    bob = mailnet.account("bob@example.org")
    monkeypatch.setattr("fakemail.policy.content.checks.find", None)
    assert send(mailnet, VIRUS)[0] == 250
    assert "X-Spam-Flag" not in bob.inbox.one().headers


# Real scanners ---------------------------------------------------------------------------------------


@contextmanager
def scanner(answer: Callable[[bytes], bytes]) -> Iterator[str]:
    """Something that takes one request of SPAMC for each connection; where it listens."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection, connection.makefile("rwb") as file:
                length = 0
                while (line := file.readline()).strip():
                    if line.lower().startswith(b"content-length:"):
                        length = int(line.partition(b":")[2])
                file.write(answer(file.read(length)))

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"127.0.0.1:{server.getsockname()[1]}"
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join()


def test_a_scanner_finds_spam(mailnet: MailNet) -> None:
    bob = mailnet.account("bob@example.org")
    asked: list[bytes] = []
    with scanner(lambda content: asked.append(content) or ANSWER) as at:
        policy(mailnet, scanners={"spamassassin": at})
        assert send(mailnet, samples.plain()) == (250, "")
        mailnet.settle()
    assert asked == [samples.plain()]
    assert bob.folder("Junk").one().subject == "Hello"


def test_what_a_scanner_finds_can_be_refused(mailnet: MailNet) -> None:
    bob = mailnet.account("bob@example.org")
    with scanner(lambda _: ANSWER) as at:
        policy(mailnet, scanners={"spamassassin": at}, scan={"spamassassin": "refuse"})
        code, text = send(mailnet, samples.plain())
    assert (code, text) == (
        550,
        "5.7.1 the message looks like spam: spamassassin found 7 of 5 points; GTUBE",
    )
    assert mailnet.journey(to=bob).reason is Reason.SPAM


def test_a_scanner_that_is_not_there(mailnet: MailNet) -> None:
    bob = mailnet.account("bob@example.org")
    policy(mailnet, scanners={"clamav": "/nowhere/clamd"})
    code, text = send(mailnet, samples.plain())
    assert code == 451
    assert text.startswith("4.7.1 the message cannot be checked now: clamav: no answer from /nowhere/clamd")
    assert mailnet.journey(to=bob).reason is Reason.SCANNER_UNAVAILABLE
    policy(
        mailnet,
        scanners={"clamav": "/nowhere/clamd"},
        scan={"clamav": "refuse", "temperror": "accept"},
    )
    assert send(mailnet, samples.plain())[0] == 250


def test_other_connections_are_served_while_a_scanner_thinks(mailnet: MailNet) -> None:
    mailnet.accounts("bob@example.org", "joe@example.com")
    asked, done = threading.Event(), threading.Event()

    def think(_: bytes) -> bytes:
        asked.set()
        done.wait(20)
        return ANSWER

    with scanner(think) as at:
        policy(mailnet, scanners={"spamassassin": at})
        first = threading.Thread(target=send, args=(mailnet, samples.plain()))
        first.start()
        assert asked.wait(20)
        with mailnet.mx("example.com").smtplib() as client:
            client.sendmail("ann@shop.test", ["joe@example.com"], samples.plain())
        assert mailnet.account("joe@example.com").inbox.one().subject == "Hello"
        done.set()
        first.join()


class Willing:
    async def handle_DATA(self, *_: object) -> str:
        return "250 fine with me"


def test_a_handler_and_a_scanner_are_both_asked(mailnet: MailNet) -> None:
    bob = mailnet.account("bob@example.org")
    mailnet.mx("example.org").server.attach_handler(Willing())
    with scanner(lambda _: ANSWER) as at:
        policy(mailnet, scanners={"spamassassin": at}, scan={"spamassassin": "refuse"})
        assert send(mailnet, samples.plain())[0] == 550
        policy(mailnet, scanners={"spamassassin": at})
        assert send(mailnet, samples.plain())[0] == 250
    assert bob.folder("Junk").one().subject == "Hello"


def test_an_error_of_ours_behind_a_scanner_fails_the_test_and_keeps_nobody_waiting() -> None:
    with pytest.raises(ServerError), MailNet() as net, scanner(lambda _: ANSWER) as at:
        net.account("bob@example.org")
        policy(net, scanners={"spamassassin": at})
        net._portal.call(lambda: setattr(net._portal.simulation.delivery_agent, "deliver", None))
        assert send(net, samples.plain())[0] == 451


def test_two_messages_on_one_connection(mailnet: MailNet) -> None:
    bob = mailnet.account("bob@example.org")
    with scanner(lambda content: ANSWER if b"Spam" in content else ANSWER.replace(b"True", b"False")) as at:
        policy(mailnet, scanners={"spamassassin": at})
        with mailnet.mx("example.org").smtplib() as client:
            for subject in ("Spam", "Hello"):
                client.sendmail("ann@shop.test", ["bob@example.org"], samples.plain(subject=subject))
    assert bob.inbox.one().subject == "Hello"
    assert bob.folder("Junk").one().subject == "Spam"


def test_who_has_no_policy_about_content_loads_nothing_for_it() -> None:
    code = """
        import sys
        from fakemail import MailNet, samples
        with MailNet() as net:
            net.domain("example.org").policy(greylist=0, spf="accept")
            bob = net.account("bob@example.org")
            with net.mx("example.org").smtplib() as client:
                client.sendmail("ann@shop.test", [bob.address], samples.plain())
        heavy = ("fakemail.policy.content", "fakemail.wire.scanning", "publicsuffixlist")
        sys.exit(", ".join(name for name in sys.modules if name.startswith(heavy)) or 0)
    """
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stderr) == (0, "")
