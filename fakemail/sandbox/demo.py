"""``fakemail demo``: three messages, and what became of each."""

from __future__ import annotations

import smtplib
from collections.abc import Callable, Iterator
from typing import Final

from fakemail.api.mailnet import MailNet
from fakemail.events.journey import Journey
from fakemail.events.text_layout import columns, shown
from fakemail.sandbox.default_world import default_world, with_passwords
from fakemail.types.reply import Reply

SENDER: Final = "hello@example.com"
MESSAGES: Final = (
    ("ann@example.org", "Welcome, Ann", "To somebody who is there"),
    ("nobody@example.org", "Are you there?", "To somebody whom the mail host does not know"),
    ("ann@no-such-domain.test", "Where are you?", "To a domain that does not exist"),
)


def play(say: Callable[[str], object]) -> None:
    """Start the default world, send, and tell."""
    with MailNet(config=with_passwords(default_world())) as net:
        shop = net.account(SENDER)
        settings = shop.submission
        say(
            f"{SENDER} submits {len(MESSAGES)} messages: SMTP to {settings.server.name}"
            f" (really {settings.host}:{settings.port}), STARTTLS, AUTH.\n"
        )
        with settings.smtplib() as client:
            for to, subject, _ in MESSAGES:
                _send(client, to, subject)
        net.settle()
        for number, (to, subject, title) in enumerate(MESSAGES, 1):
            journey = net.journey(to=to, subject=subject)
            say("\n".join([f'{number}. {title}: <{to}>, "{subject}"', *story(journey), ""]))
    say("All of it was real SMTP, DNS and TLS between real sockets on this machine; it is gone now.")
    say("'fakemail up' keeps such an internet standing for your program.")


def _send(client: smtplib.SMTP, to: str, subject: str) -> None:
    text = f"From: {SENDER}\r\nTo: {to}\r\nSubject: {subject}\r\n\r\nHello from the shop.\r\n"
    client.sendmail(SENDER, [to], text)


def story(journey: Journey) -> Iterator[str]:
    """A journey as a table that fits a terminal: a reply stands under the step that it answers."""
    rows = [(f"{step.number:2}", step.host, shown(step.what)) for step in journey.steps]
    replies = [step.reply for step in journey.steps]
    margin = " " * (3 + 2 + 2 + max((len(step.host) for step in journey.steps), default=0) + 2)
    for row, reply in zip(columns(rows), replies, strict=True):
        yield f"   {row}"
        if reply is not None:
            yield f"{margin}= {_reply(reply)}"
    yield f"    Fate: {journey.fate}"


def _reply(reply: Reply) -> str:
    return shown(str(reply))
