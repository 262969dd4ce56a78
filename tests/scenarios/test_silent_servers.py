"""Servers that fall silent, whosoever they are: waited for by the fake clock (RFC 5321 §4.5.3.2), at no real time."""

from __future__ import annotations

import pytest

from fakemail import (
    Delivered,
    Expired,
    MailNet,
    Queued,
    Reason,
    Relayed,
    Stage,
    days,
    faults,
    hours,
    minutes,
    seconds,
)
from scripted_smtp import ScriptedServer, scripted

TIMEOUTS = {
    "greeting": minutes(5),
    "EHLO": minutes(5),
    "STARTTLS": minutes(5),
    "MAIL": minutes(5),
    "RCPT": minutes(5),
    "DATA": minutes(2),
    "end": minutes(10),
}


def send(net: MailNet, to: str, body: str = "Thank you.") -> None:
    with net.account("shop@shop.test").submission.smtplib() as client:
        client.sendmail("shop@shop.test", [to], f"Subject: Receipt\n\n{body}")


@pytest.fixture
def attached(mailnet):
    """Attaches a server as the mail host of real.test (or another domain), with one address."""

    def attach(server: ScriptedServer, domain: str = "real.test") -> None:
        mailnet.add_external_host(f"mx.{domain}", "127.0.0.1", server.port)
        mailnet.domain(domain, mx=[f"mx.{domain}"])
        mailnet.dns.remove(f"mx.{domain}", "AAAA")

    return attach


SAID = {"nothing": None, "digit": b"2", "code": b"250-", "lines": b"250-x\r\n250-y\r\n"}


@pytest.mark.parametrize("at", TIMEOUTS)
def test_a_real_server_that_falls_silent(mailnet, attached, at):
    """Whatever it has said of its reply. Side by side, since the real moment that all of them take is one then."""
    keywords = ("STARTTLS", "PIPELINING") if at == "STARTTLS" else ("PIPELINING",) if at == "DATA" else ()
    silent = [ScriptedServer(at, said, times=1, keywords=keywords) for said in SAID.values()]
    with scripted(*silent) as servers:
        of = {f"{name}.test": server for name, server in zip(SAID, servers, strict=True)}
        for domain, server in of.items():
            attached(server, domain)
            send(mailnet, f"bob@{domain}")
        mailnet.settle()
        for domain in of:
            journey = mailnet.journey(to=f"bob@{domain}")
            assert isinstance(journey.fate, Queued), domain
            assert journey.attempts == (), domain
        mailnet.clock.advance(TIMEOUTS[at] - seconds(1))
        for domain in of:
            assert mailnet.journey(to=f"bob@{domain}").attempts == (), domain
        mailnet.clock.advance(seconds(1))
        for domain, server in of.items():
            [attempt] = mailnet.journey(to=f"bob@{domain}").attempts
            assert attempt.reason is Reason.TIMEOUT, domain
            assert "QUIT" not in server.commands, domain
        mailnet.clock.advance(hours(1))
        for domain, server in of.items():
            assert mailnet.journey(to=f"bob@{domain}").fate == Relayed(), domain
            assert server.messages, domain


def test_a_real_server_that_stays_silent_lets_the_message_expire(mailnet, attached):
    with scripted(ScriptedServer("MAIL", None)) as [server]:
        attached(server)
        for _ in range(3):
            send(mailnet, "bob@real.test")
        mailnet.clock.advance(days(6))
        assert {journey.fate for journey in mailnet.journeys(to="bob@real.test")} == {
            Expired(None, Reason.TIMEOUT)
        }
        assert mailnet.queue.is_empty


def test_a_goodbye_that_is_not_answered_keeps_nobody_waiting(mailnet, attached):
    with scripted(ScriptedServer("QUIT", None)) as [server]:
        attached(server)
        for _ in range(30):
            send(mailnet, "bob@real.test")
        mailnet.settle()
        assert [journey.fate for journey in mailnet.journeys(to="bob@real.test")] == [Relayed()] * 30
        assert mailnet.queue.is_empty
        assert len(server.messages) == 30


def test_a_real_server_that_stops_reading(mailnet, attached):
    with scripted(ScriptedServer(stops_reading=True)) as [server]:
        attached(server)
        send(mailnet, "bob@real.test", "x" * 70 + "\n" + ("y" * 70 + "\n") * 200_000)
        mailnet.settle()
        mailnet.clock.advance(minutes(3) - seconds(1))
        assert mailnet.journey(to="bob@real.test").attempts == ()
        mailnet.clock.advance(seconds(1))
        [attempt] = mailnet.journey(to="bob@real.test").attempts
        assert (attempt.at, attempt.reason) == (Stage.SMTP_END, Reason.TIMEOUT)
        assert attempt.detail == "the server did not read"


@pytest.mark.parametrize(
    "action",
    [
        faults.garbage("250-"),
        faults.garbage("2"),
        faults.garbage(b"\0"),
        faults.partial_reply("hang"),
        faults.no_reply(),
    ],
    ids=str,
)
@pytest.mark.parametrize(
    "stage", [Stage.SMTP_BANNER, Stage.SMTP_HELO, Stage.SMTP_MAIL, Stage.SMTP_DATA, Stage.SMTP_END]
)
def test_a_host_of_ours_that_falls_silent(mailnet, stage, action):
    bob = mailnet.account("bob@example.org")
    # Else the next answer of a group would end what this one has begun.
    mailnet.find_host("mx1.example.org").configure(hide={"PIPELINING"})
    mailnet.mx("example.org").faults.add(stage, action, times=1)
    send(mailnet, bob.address)
    mailnet.settle()
    assert mailnet.journey(to=bob).attempts == ()
    mailnet.clock.advance({Stage.SMTP_DATA: minutes(2), Stage.SMTP_END: minutes(10)}.get(stage, minutes(5)))
    attempts = mailnet.journey(to=bob).attempts  # more than one where the next address is tried (§5.1)
    assert attempts[0].reason is Reason.TIMEOUT
    mailnet.clock.advance(hours(1))
    assert isinstance(mailnet.journey(to=bob).fate, Delivered)


def test_a_client_that_has_left_leaves_no_wait_behind(mailnet):
    """The body is not answered; meanwhile the other messages meet nonsense, and the server has nobody to wait for."""
    bob = mailnet.account("bob@example.org")
    mailnet.mx("example.org").faults.add(Stage.SMTP_BODY, faults.no_reply())
    mailnet.mx("example.org").faults.add(Stage.SMTP_MAIL, faults.garbage())
    for _ in range(3):
        send(mailnet, bob.address)
    mailnet.settle()
    mailnet.clock.advance(days(6))
    fates = [journey.fate for journey in mailnet.journeys(to=bob)]
    assert fates == [Expired(None, Reason.PROTOCOL_ERROR)] * 3


def test_a_server_that_would_go_on_after_its_client_has_left(mailnet):
    bob = mailnet.account("bob@example.org")
    mailnet.mx("example.org").faults.delay(Stage.SMTP_RCPT, days(1), times=1)
    send(mailnet, bob.address)
    mailnet.clock.advance(minutes(6))
    assert [attempt.reason for attempt in mailnet.journey(to=bob).attempts] == [Reason.TIMEOUT]
    assert not [
        each
        for each in mailnet._portal.simulation.hosts.running["mx1.example.org"].connections
        if each.in_progress
    ]
    mailnet.clock.advance(hours(1))
    assert isinstance(mailnet.journey(to=bob).fate, Delivered)


def test_a_server_that_never_finds_out_that_its_client_has_left(mailnet):
    """It does not read. What the client does is over all the same, and nothing waits for the server."""
    bob = mailnet.account("bob@example.org")
    mailnet.mx("example.org").faults.add(Stage.SMTP_DATA, faults.no_reply(), times=1)
    send(mailnet, bob.address)
    mailnet.settle()
    connections = mailnet._portal.simulation.hosts.running["mx1.example.org"].connections
    (server,) = [each for each in connections if each.in_progress]
    mailnet._portal.call(server._transport.pause_reading)
    mailnet.clock.advance(minutes(2))
    mailnet.settle()
    assert [attempt.reason for attempt in mailnet.journey(to=bob).attempts] == [Reason.TIMEOUT]
    assert server.in_progress
    mailnet.clock.advance(hours(1))
    assert isinstance(mailnet.journey(to=bob).fate, Delivered)
