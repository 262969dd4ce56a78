"""A sweep: apps that are careless in different ways, and what is said of each."""

from __future__ import annotations

import asyncio
import gc
import imaplib
import poplib
import smtplib
import threading
from collections.abc import Awaitable, Callable
from contextlib import closing, suppress
from email.message import EmailMessage
from typing import Any

import aiosmtplib
import imapclient
import pytest

from fakemail import AsyncMailNet, DeclarationError, MailAssertionError, MailNet, Stage
from fakemail.faults.catalogue import rows
from fakemail.sweep.points import ACTIONS, FailurePoint

READERS = ("ann@example.org", "bob@example.org")


def mail(to: str) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "hello@shop.test", to, "News"
    message.set_content("Hello")
    return message


def send(net: MailNet, *to: str, timeout: float | None = 10) -> None:
    """Says nothing of what went wrong but by an exception."""
    net.accounts(*READERS)
    smtp = net.mx("example.org")
    with smtplib.SMTP(smtp.host, smtp.port, timeout=timeout) as client:
        for each in to:
            client.send_message(mail(each))


def sweep(run: Callable[[MailNet], Any], **options: Any) -> dict[str, tuple[str, str]]:
    with MailNet() as net:
        return {each.name: (each.verdict, each.detail) for each in net.sweep(run, **options)}


def test_every_point_of_the_journey_is_tried() -> None:
    found = sweep(lambda net: send(net, *READERS), expected_errors=OSError, only="*-reset")
    stages = [
        "banner",
        "helo",
        "mail",
        "mail.2",
        "rcpt",
        "rcpt.2",
        "data",
        "data.2",
        "body",
        "end",
        "end.2",
        "quit",
    ]
    assert list(found) == [f"smtp.{stage}-reset" for stage in stages]
    # smtplib takes a server that is gone at QUIT for one that said goodbye.
    assert found.pop("smtp.quit-reset")[0] == "delivered"
    assert {verdict for verdict, _ in found.values()} == {"reported"}


def test_every_action_that_is_possible_at_a_stage_is_tried() -> None:
    found = sweep(
        lambda net: send(net, READERS[0]), expected_errors=OSError, only="smtp.rcpt-*", hang_timeout=0.2
    )
    assert list(found) == [
        f"smtp.rcpt-{name}" for name in ("reset", "close", "4yz", "5yz", "hang", "lost-reply")
    ]


def test_the_declared_exceptions_are_a_report() -> None:
    found = sweep(
        lambda net: send(net, READERS[0]), expected_errors=smtplib.SMTPException, only="smtp.mail-[45]yz"
    )
    assert found == {
        "smtp.mail-4yz": (
            "reported",
            "SMTPSenderRefused: (451, b'4.3.0 not now, try again later', 'hello@shop.test')",
        ),
        "smtp.mail-5yz": ("reported", "SMTPSenderRefused: (554, b'5.3.0 no', 'hello@shop.test')"),
    }


def test_other_exceptions_escape() -> None:
    found = sweep(
        lambda net: send(net, READERS[0]), only="smtp.data-reset", expected_errors=ZeroDivisionError
    )
    assert found["smtp.data-reset"][0] == "exception escaped"
    assert found["smtp.data-reset"][1].startswith("SMTPServerDisconnected: ")


def test_an_app_that_says_nothing_loses_mail() -> None:
    def run(net: MailNet) -> None:
        with suppress(smtplib.SMTPException):
            send(net, READERS[0])

    assert sweep(run, only="smtp.rcpt-5yz") == {
        "smtp.rcpt-5yz": (
            "mail lost",
            "ann@example.org never got 'News', and nobody was told "
            "(refused at smtp.rcpt by mx1.example.org: 554 5.3.0 (a fault of the test))",
        )
    }


def test_an_app_can_say_whom_it_did_not_reach() -> None:
    def run(net: MailNet) -> list[str]:
        refused = []
        net.accounts(*READERS)
        smtp = net.mx("example.org")
        with smtplib.SMTP(smtp.host, smtp.port, timeout=10) as client:
            for reader in READERS:
                try:
                    client.send_message(mail(reader))
                except smtplib.SMTPRecipientsRefused:
                    refused.append(reader)
        return refused

    assert sweep(run, only="smtp.rcpt*5yz") == {
        "smtp.rcpt-5yz": ("reported", "not sent to ann@example.org"),
        "smtp.rcpt.2-5yz": ("reported", "not sent to bob@example.org"),
    }


def test_an_app_that_says_the_wrong_name_loses_mail() -> None:
    def run(net: MailNet) -> list[str]:
        try:
            send(net, READERS[0])
        except smtplib.SMTPException:
            return ["eve@example.org"]
        return []

    assert sweep(run, only="smtp.rcpt-5yz")["smtp.rcpt-5yz"][0] == "mail lost"


def test_an_app_that_tries_again_delivers_once_or_twice() -> None:
    def run(net: MailNet) -> None:
        try:
            send(net, READERS[0])
        except smtplib.SMTPException:
            send(net, READERS[0])

    assert sweep(run, only="smtp.end-*[!g]") == {
        "smtp.end-reset": ("delivered", ""),
        "smtp.end-close": ("delivered", ""),
        "smtp.end-4yz": ("delivered", ""),
        "smtp.end-5yz": ("delivered", ""),
        "smtp.end-lost-reply": ("mail duplicated", "ann@example.org got 'News' 2 times"),
    }


def test_an_app_without_a_timeout_hangs() -> None:
    found = sweep(lambda net: send(net, READERS[0], timeout=None), only="smtp.mail-hang", hang_timeout=0.3)
    assert found["smtp.mail-hang"][0] == "hung"


def test_an_app_with_a_timeout_within_the_patience_does_not() -> None:
    found = sweep(
        lambda net: send(net, READERS[0], timeout=0.2), only="smtp.mail-hang", expected_errors=OSError
    )
    assert found["smtp.mail-hang"][0] == "reported"


def test_an_assertion_is_told_of_where_nothing_else_is_wrong() -> None:
    def run(net: MailNet) -> None:
        with suppress(smtplib.SMTPException):
            send(net, READERS[0])
        assert len(net.events(Stage.SMTP_QUIT)) == 1  # the fault is another one

    found = sweep(run, only="smtp.[mq]*-4yz")
    assert found["smtp.mail-4yz"][0] == "mail lost"
    assert found["smtp.quit-4yz"][0] == "assertion failed"


def test_what_the_first_run_raises_is_raised() -> None:
    def run(net: MailNet) -> None:
        raise ValueError("no such shop")

    with MailNet() as net, pytest.raises(ValueError, match="no such shop"):
        net.sweep(run)


def test_a_pattern_without_points_is_refused() -> None:
    with (
        MailNet() as net,
        pytest.raises(DeclarationError, match=r"no failure point .* 'imap\.\*'; there are connect-refuse"),
    ):
        net.sweep(lambda net: send(net, READERS[0]), only="imap.*")


def test_what_the_queue_still_has_is_not_lost() -> None:
    def run(net: MailNet) -> None:
        net.accounts(*READERS)
        net.mx("example.org").server.faults.refuse_connections()
        smtp = net.account("hello@shop.test").submission
        with smtp.smtplib() as client:
            client.send_message(mail(READERS[0]))

    with MailNet() as net:
        report = net.sweep(run, only="smtp.quit-reset")
        assert report.one().verdict == "delivered"


def test_nothing_of_a_sweep_is_in_the_world_of_the_test() -> None:
    with MailNet() as net:
        net.sweep(lambda fresh: send(fresh, READERS[0]), only="smtp.quit-4yz", expected_errors=OSError)
        assert net.events() == []


def test_the_table() -> None:
    with MailNet() as net:
        report = net.sweep(lambda fresh: send(fresh, READERS[0]), only="smtp.rcpt-[45]yz", expected_errors=())
        assert len(report.mishandled) == 2
        assert (
            str(report)
            .splitlines()[0]
            .startswith("smtp.rcpt-4yz  EXCEPTION ESCAPED  SMTPRecipientsRefused: {")
        )
        with pytest.raises(
            MailAssertionError, match=r"not every failure was handled:\nsmtp\.rcpt-4yz  EXCEPTION"
        ):
            report.check()
        assert str(report).splitlines()[-1] == "2 failure points, 2 mishandled"


def test_names_of_points_are_unlike() -> None:
    points = [
        FailurePoint(stage, number, action) for stage in rows() for number in (1, 2) for action in ACTIONS
    ]
    assert len({point.name for point in points}) == len(points)


@pytest.mark.asyncio
async def test_the_same_awaited() -> None:
    async def run(net: AsyncMailNet) -> None:
        net.accounts(*READERS)
        smtp = net.mx("example.org")
        await aiosmtplib.send(
            mail(READERS[0]), hostname=smtp.host, port=smtp.port, start_tls=False, timeout=5
        )
        await asyncio.sleep(0)

    async with AsyncMailNet() as net:
        report = await net.sweep(run, only="smtp.data-*yz", expected_errors=aiosmtplib.SMTPException)
    assert [each.verdict for each in report] == ["reported", "reported"]


def test_an_app_that_waits_without_a_connection_is_stopped() -> None:
    def run(net: MailNet) -> None:
        try:
            send(net, READERS[0])
        except OSError:
            threading.Event().wait()

    found = sweep(run, only="smtp.data-4yz", hang_timeout=0.2)
    verdict, detail = found["smtp.data-4yz"]
    assert verdict == "hung"
    assert detail.startswith("nothing happened any more, until it was stopped in run (test_sweep.py:")


def test_an_app_that_tries_for_ever_is_stopped() -> None:
    def run(net: MailNet) -> None:
        while True:
            try:
                return send(net, READERS[0])
            except OSError:
                continue

    assert sweep(run, only="connect-refuse", hang_timeout=0.2)["connect-refuse"][0] == "hung"


# What is stopped in the middle of a step has no time to close its connection.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_app_that_always_does_something_is_stopped() -> None:
    def run(net: MailNet) -> None:
        try:
            send(net, READERS[0])
        except smtplib.SMTPException:
            with net.mx("example.org").smtplib() as client:
                while True:
                    client.noop()

    verdict, detail = sweep(run, only="smtp.data-4yz", hang_timeout=0.05)["smtp.data-4yz"]
    assert verdict == "hung"
    assert detail.startswith("it went on and on, until it was stopped in ")
    gc.collect()  # so that it is told here


def test_an_app_that_is_slow_without_faults_may_be_slow_with_them() -> None:
    def run(net: MailNet) -> None:
        send(net, READERS[0])
        threading.Event().wait(0.6)

    assert sweep(run, only="smtp.quit-reset", hang_timeout=0.2)["smtp.quit-reset"][0] == "delivered"


@pytest.mark.asyncio
@pytest.mark.parametrize("wait", [lambda: asyncio.Event().wait(), lambda: asyncio.to_thread(lambda: None)])
async def test_a_coroutine_that_waits_for_nothing_is_stopped(wait: Callable[[], Awaitable[object]]) -> None:
    async def run(net: AsyncMailNet) -> None:
        net.accounts(*READERS)
        smtp = net.mx("example.org")
        try:
            await aiosmtplib.send(
                mail(READERS[0]), hostname=smtp.host, port=smtp.port, start_tls=False, timeout=5
            )
        except aiosmtplib.SMTPException:
            await wait()
            await asyncio.get_running_loop().create_future()

    async with AsyncMailNet() as net:
        report = await net.sweep(run, only="smtp.data-*yz", hang_timeout=0.2)
    assert {each.verdict for each in report} == {"hung"}
    current = asyncio.current_task()
    assert current is not None
    assert not current.cancelling()


def put(net: MailNet) -> Any:
    bob = net.account("bob@example.org")
    bob.inbox.put(mail(bob.address))
    return bob


def read_by_imap(net: MailNet) -> None:
    bob = put(net)
    box = bob.imaps
    client = imaplib.IMAP4_SSL(box.host, box.port, ssl_context=net.ssl_context, timeout=0.3)
    try:
        client.login(box.username, box.password)
        client.select()
        status, found = client.fetch("1", "(BODY[TEXT])")
        assert status == "OK"
        assert found[0][1] == b"Hello\r\n"
    finally:
        client.shutdown()


def read_by_pop3(net: MailNet) -> None:
    bob = put(net)
    box = bob.pop3
    with closing(poplib.POP3(box.host, box.port, timeout=0.3)) as client:
        client.stls(net.ssl_context)
        client.user(box.username)
        client.pass_(box.password)
        assert client.retr(1)[1][-1] == b"Hello"
        client.quit()


def test_an_app_that_reads_with_imap() -> None:
    found = sweep(read_by_imap, only="imap.fetch-*", expected_errors=(imaplib.IMAP4.error, OSError))
    assert list(found) == [
        f"imap.fetch-{name}" for name in ("reset", "close", "unavailable", "hang", "lost-reply", "cut")
    ]
    # imaplib says NO by what it returns, and the app has only an assertion for it.
    assert found.pop("imap.fetch-unavailable")[0] == "assertion failed"
    assert {verdict for verdict, _ in found.values()} == {"reported"}


def test_an_app_that_reads_with_pop3() -> None:
    found = sweep(read_by_pop3, only="pop3.retr-*", expected_errors=(poplib.error_proto, OSError))
    assert list(found) == [
        f"pop3.retr-{name}" for name in ("reset", "close", "unavailable", "hang", "lost-reply")
    ]
    assert {verdict for verdict, _ in found.values()} == {"reported"}
    assert "[SYS/TEMP]" in found["pop3.retr-unavailable"][1]


def test_an_app_that_watches_with_idle() -> None:
    def run(net: MailNet) -> None:
        bob = net.account("bob@example.org")
        box = bob.imaps
        client = imapclient.IMAPClient(box.host, box.port, ssl_context=net.ssl_context, timeout=0.3)
        with closing(client.socket()), client:
            client.login(box.username, box.password)
            client.select_folder("INBOX")
            client.idle()
            bob.inbox.put(mail(bob.address))
            assert (1, b"EXISTS") in client.idle_check(timeout=0.3)
            client.idle_done()

    found = sweep(run, only="imap.idle*", expected_errors=(imaplib.IMAP4.error, OSError))
    assert {"imap.idle.3-close", "imap.idle-unavailable"} <= set(found)
    assert {verdict for verdict, _ in found.values()} <= {"reported", "delivered", "assertion failed"}
