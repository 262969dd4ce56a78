"""The live log: one line for each thing that a person wants to see."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from msgspec.structs import fields

from fakemail.events.kinds import (
    Attempt,
    CommandCompleted,
    Connected,
    Disconnected,
    Event,
    Handshake,
    MessageDelivered,
    MessageQueued,
    Query,
    SmtpCommand,
)
from fakemail.sandbox.live import full_line, line
from fakemail.types.address import Address
from fakemail.types.peer import Peer
from fakemail.types.reason import Reason
from fakemail.types.reply import Reply
from fakemail.types.stage import Stage

HEADER = {field.name for field in fields(Event)}
NOW = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
APP = Peer("203.0.113.250", 4, "app")
RELAY = Peer("198.51.100.7", 4, "relay.test")
ANN, TEAM = Address("ann", "example.org"), Address("team", "example.org")


def event(kind, stage, *facts, message=""):
    names = [field.name for field in fields(kind) if field.name not in HEADER]
    values = dict(zip(names, facts, strict=False))
    return kind(
        number=1, time=NOW, stage=stage, host="mx1.example.org", connection=1, message=message, **values
    )


def exchange(stage, text, reply, reason=None):
    return event(SmtpCommand, stage, text, reply, reason, None)


def attempt(reply, reason, detail="", host="mx1.example.org", final=True):
    return event(
        Attempt, Stage.ATTEMPT, ANN, host, "", Stage.SMTP_RCPT, reply, reason, detail, "", final, message="Q1"
    )


def told_by(stage, text, status, reason=None):
    return event(CommandCompleted, stage, text, status, "", "so it is", 0, 0, reason)


@pytest.mark.parametrize(
    ("happened", "told"),
    [
        (told_by(Stage.IMAP_LOGIN, "a LOGIN ann ********", "OK"), "  login succeeds: so it is"),
        (
            told_by(Stage.IMAP_AUTHENTICATE, "********", "NO", Reason.AUTH_FAILED),
            "! refuses the login: so it is",
        ),
        (
            told_by(Stage.IMAP_SELECT, "a SELECT Nowhere", "NO", Reason.NO_SUCH_MAILBOX),
            "! refuses a SELECT Nowhere: so it is",
        ),
        (told_by(Stage.DISCONNECT, "", "BYE", Reason.SHUTTING_DOWN), "  ends the session: so it is"),
        (event(Connected, Stage.CONNECT, "smtp", APP), "  app connects to smtp"),
        (
            event(Handshake, Stage.TLS_HANDSHAKE, "", "", "", "", "client", "unknown_ca", ""),
            "! TLS handshake failed, refused by the client: unknown_ca",
        ),
        (exchange(Stage.SMTP_AUTH, "AUTH PLAIN c2VjcmV0", Reply(235)), "  login succeeds"),
        (
            exchange(Stage.SMTP_AUTH, "AUTH PLAIN c2VjcmV0", Reply(535, "5.7.8", "no"), Reason.AUTH_FAILED),
            "! refuses the login: 535 5.7.8 no",
        ),
        (
            exchange(Stage.SMTP_RCPT, "RCPT TO:<x@y>\x1b[2J", Reply(550, "5.1.1", "no"), Reason.NO_SUCH_USER),
            "! refuses RCPT TO:<x@y>\\x1b[2J: 550 5.1.1 no",
        ),
        (exchange(Stage.SMTP_END, "", Reply(452, "4.2.2", "full")), "~ defers the message: 452 4.2.2 full"),
        (exchange(Stage.SMTP_BANNER, "", Reply(554, None, "go")), "! refuses the connection: 554 go"),
        (
            event(
                Query, Stage.DNS_QUERY, APP, "udp", "a.test", "A", "NOERROR", ("CNAME b.test.", "A 192.0.2.1")
            ),
            "  app asks for a.test A: CNAME b.test., 192.0.2.1",
        ),
        (
            event(Query, Stage.DNS_QUERY, APP, "udp", "a.test", "MX", "NXDOMAIN", ()),
            "  app asks for a.test MX: NXDOMAIN",
        ),
        (
            event(MessageQueued, Stage.QUEUE, ANN, (ANN, TEAM) * 2, 9, b"Subject: Hi\r\n", "", message="Q1"),
            "+ takes Q1 from ann@example.org for ann@example.org, team@example.org, ann@example.org "
            'and 1 more: "Hi"',
        ),
        (attempt(Reply(250), None), "  hands Q1 for ann@example.org to mx1.example.org"),
        (
            attempt(Reply(451, "4.7.1", "later"), Reason.NO_SUCH_USER),
            "~ could not hand on Q1 for ann@example.org: mx1.example.org: 451 4.7.1 later",
        ),
        (
            attempt(None, Reason.NO_SUCH_DOMAIN, "example.org does not exist", host=""),
            "! could not hand on Q1 for ann@example.org: no such domain (example.org does not exist)",
        ),
        (
            event(MessageDelivered, Stage.DELIVER, ANN, ANN, "INBOX", 1, b"Subject: Hi\r\n"),
            '+ delivers to ann@example.org, INBOX: "Hi"',
        ),
        (
            event(MessageDelivered, Stage.DELIVER, TEAM, ANN, "Junk", 1, b""),
            "+ delivers to ann@example.org (team@example.org), Junk",
        ),
        (
            event(Disconnected, Stage.DISCONNECT, "server", Reason.TIMEOUT, ""),
            "! connection ended by the server: timeout",
        ),
    ],
)
def test_what_a_person_wants_to_see(happened, told):
    found = line(happened)
    assert f"{found.mark} {found.text}" == told


@pytest.mark.parametrize(
    "happened",
    [
        exchange(Stage.SMTP_RCPT, "RCPT TO:<x@y>", Reply(250)),
        exchange(Stage.SMTP_DATA, "DATA", Reply(554, "5.5.1", ""), Reason.NO_VALID_RECIPIENTS),
        exchange(Stage.SMTP_DATA, "DATA", None),
        event(Handshake, Stage.TLS_HANDSHAKE, "TLSv1.3", "", "", "", "", "", ""),
        event(Query, Stage.DNS_QUERY, RELAY, "udp", "a.test", "A", "NOERROR", ()),
        event(Disconnected, Stage.DISCONNECT, "client", None, ""),
        told_by(Stage.IMAP_AUTHENTICATE, "a AUTHENTICATE PLAIN", "+"),
        told_by(Stage.IMAP_FETCH, "a FETCH 1 FLAGS", "OK"),
    ],
)
def test_what_happens_all_the_time(happened):
    assert line(happened) is None
    assert full_line(happened, width=20) is None


def test_a_line_tells_the_time_of_this_machine_and_the_host():
    text = full_line(event(Connected, Stage.CONNECT, "smtp", APP), width=17)
    assert text == f"{NOW.astimezone():%H:%M:%S}  mx1.example.org      app connects to smtp"
