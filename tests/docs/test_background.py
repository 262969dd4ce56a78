"""The page about how mail travels tells a journey that really was made: it is made again here."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

from fakemail import MailNet, Reply, Stage, minutes
from fakemail.clock import VirtualClock

PAGE = Path(__file__).parents[2] / "docs" / "background" / "how-mail-travels.md"


def play() -> tuple[str, str]:
    """The journey and the transcript of one message that is deferred once."""
    with MailNet(seed=1, clock=VirtualClock(datetime(2030, 5, 1, 12, tzinfo=UTC))) as net:
        shop, bob = net.accounts("hello@example.com", "bob@example.org")
        net.mx("example.org").faults.reply(Stage.SMTP_RCPT, Reply(451, "4.3.0", "busy"), times=1)
        shop.submission.server.configure(keep_connections=False)  # so that the transcript goes on to QUIT
        with shop.submission.smtplib() as client:
            client.sendmail(shop.address, [bob.address], "Subject: Welcome\n\nHello, Bob.\n")
        net.clock.advance(minutes(5))
        (mx,) = net.domain("example.org").hosts
        connections = [event.connection for event in net.events(Stage.CONNECT, host=mx)]
        return net.journey(to=bob).table(), net.transcript(connection=connections[-1])


def told(page: str, language: str) -> list[str]:
    return re.findall(rf"```text {language}\n(.*?)\n```", page, re.DOTALL)


def without_ports(text: str) -> str:
    return re.sub(r"\]:\d+", "]:*", text)


def test_the_page_tells_what_happens() -> None:
    journey, transcript = play()
    page = PAGE.read_text(encoding="utf-8")
    assert [told(page, "journey"), [without_ports(text) for text in told(page, "transcript")]] == [
        [journey],
        [without_ports(transcript)],
    ]
