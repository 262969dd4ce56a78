"""A sweep: apps that are careless in different ways, and what is said of each."""

from __future__ import annotations

import asyncio
import smtplib
from collections.abc import Callable
from contextlib import suppress
from email.message import EmailMessage
from typing import Any

import aiosmtplib
import pytest

from fakemail import AsyncMailNet, DeclarationError, MailExpectation, MailNet, Stage
from fakemail.faults.table import rows
from fakemail.sweep.points import ACTIONS, Point

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
    found = sweep(lambda net: send(net, *READERS), handles=OSError, only="*-reset")
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
    found = sweep(lambda net: send(net, READERS[0]), handles=OSError, only="smtp.rcpt-*", patience=0.2)
    assert list(found) == [f"smtp.rcpt-{name}" for name in ("reset", "4yz", "5yz", "hang", "lost-reply")]


def test_the_declared_exceptions_are_a_report() -> None:
    found = sweep(lambda net: send(net, READERS[0]), handles=smtplib.SMTPException, only="smtp.mail-[45]yz")
    assert found == {
        "smtp.mail-4yz": (
            "reported",
            "SMTPSenderRefused: (451, b'4.3.0 not now, try again later', 'hello@shop.test')",
        ),
        "smtp.mail-5yz": ("reported", "SMTPSenderRefused: (554, b'5.3.0 no', 'hello@shop.test')"),
    }


def test_other_exceptions_escape() -> None:
    found = sweep(lambda net: send(net, READERS[0]), only="smtp.data-reset", handles=ZeroDivisionError)
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
        "smtp.end-4yz": ("delivered", ""),
        "smtp.end-5yz": ("delivered", ""),
        "smtp.end-lost-reply": ("mail duplicated", "ann@example.org got 'News' 2 times"),
    }


def test_an_app_without_a_timeout_hangs() -> None:
    found = sweep(lambda net: send(net, READERS[0], timeout=None), only="smtp.mail-hang", patience=0.3)
    assert found["smtp.mail-hang"][0] == "hung"


def test_an_app_with_a_timeout_within_the_patience_does_not() -> None:
    found = sweep(lambda net: send(net, READERS[0], timeout=0.2), only="smtp.mail-hang", handles=OSError)
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
        net.sweep(lambda fresh: send(fresh, READERS[0]), only="smtp.quit-4yz", handles=OSError)
        assert net.events() == []


def test_the_table() -> None:
    with MailNet() as net:
        report = net.sweep(lambda fresh: send(fresh, READERS[0]), only="smtp.rcpt-[45]yz", handles=())
        assert len(report.mishandled) == 2
        assert (
            str(report)
            .splitlines()[0]
            .startswith("smtp.rcpt-4yz  EXCEPTION ESCAPED  SMTPRecipientsRefused: {")
        )
        with pytest.raises(
            MailExpectation, match=r"not every failure was handled:\nsmtp\.rcpt-4yz  EXCEPTION"
        ):
            report.check()
        assert str(report).splitlines()[-1] == "2 failure points, 2 mishandled"


def test_names_of_points_are_unlike() -> None:
    points = [Point(stage, number, action) for stage in rows() for number in (1, 2) for action in ACTIONS]
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
        report = await net.sweep(run, only="smtp.data-*yz", handles=aiosmtplib.SMTPException)
    assert [each.verdict for each in report] == ["reported", "reported"]
