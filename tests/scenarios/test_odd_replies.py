"""What our sending side makes of odd replies, at every stage, from our own hosts and from real servers: a message is
delivered, queued or bounced, and its fate says which (RFC 5321 §4.2.1, §4.3.2)."""

from __future__ import annotations

from contextlib import suppress
from smtplib import SMTPException

import pytest

from fakemail import (
    Bounced,
    Delivered,
    Discarded,
    Expired,
    MailNet,
    Queued,
    Reason,
    Relayed,
    Stage,
    days,
    faults,
    hours,
)
from scripted_smtp import ScriptedServer, scripted

CODES = (200, 220, 235, 250, 251, 252, 334, 354, 421, 450, 550, 554)
REPLIES: dict[str, bytes] = {
    **{str(code): f"{code} odd\r\n".encode() for code in CODES},
    "250 in three lines": b"250-odd\r\n250-very\r\n250 odd\r\n",
    "354 in two lines": b"354-odd\r\n354 odd\r\n",
    "code alone": b"354\r\n",
    "000": b"000 odd\r\n",
    "150": b"150 odd\r\n",
    "999": b"999 odd\r\n",
    "no code": b"odd\r\n",
    "empty": b"\r\n",
    "two digits": b"25 odd\r\n",
    "two codes": b"250-odd\r\n251 odd\r\n",
    "not ASCII": b"\xff\xfe\x00\x80\r\n",
    "HTTP": b"HTTP/1.1 400 Bad Request\r\n",
    "too long a line": b"250 " + b"x" * 5000 + b"\r\n",
    "too many lines": b"250-x\r\n" * 20_000 + b"250 x\r\n",
}
COMPLETION = {"200", "220", "235", "250", "251", "252", "250 in three lines"}
GO_AHEAD = {"354", "354 in two lines", "code alone"}
TAKEN: dict[Stage, set[str]] = {
    Stage.SMTP_BANNER: {"220"},
    # Whoever knows no EHLO is told HELO (§3.2), and that is answered well.
    Stage.SMTP_HELO: {"250", "250 in three lines", "550"},
    # With opportunistic TLS no is no reason to keep the mail; nor is TLS that does not work (RFC 7435).
    Stage.SMTP_STARTTLS: {"220", "450", "550", "554"},
    Stage.SMTP_MAIL: COMPLETION,
    Stage.SMTP_RCPT: COMPLETION,
    Stage.SMTP_DATA: GO_AHEAD,
    Stage.SMTP_END: COMPLETION,
    Stage.SMTP_QUIT: set(REPLIES),
}
VERBS = {
    Stage.SMTP_BANNER: "greeting",
    Stage.SMTP_HELO: "EHLO",
    Stage.SMTP_STARTTLS: "STARTTLS",
    Stage.SMTP_MAIL: "MAIL",
    Stage.SMTP_RCPT: "RCPT",
    Stage.SMTP_DATA: "DATA",
    Stage.SMTP_END: "end",
    Stage.SMTP_QUIT: "QUIT",
}


# A host of ours on which the fault fires says the odd reply to HELO as well.
TAKEN_BY_OUR_OWN = {**TAKEN, Stage.SMTP_HELO: TAKEN[Stage.SMTP_HELO] - {"550"}}


def expected(stage: Stage, name: str, taken: dict[Stage, set[str]] = TAKEN) -> type:
    """The fate while the server goes on like that."""
    if name in taken[stage]:
        return Relayed
    return Bounced if name in ("550", "554") else Queued


def send(net: MailNet, *recipients: str) -> None:
    with net.account("shop@shop.test").submission.smtplib() as client:
        client.sendmail("shop@shop.test", recipients, "Subject: Receipt\n\nThank you.")


def domains() -> dict[str, str]:
    return {name: f"d{number}.test" for number, name in enumerate(REPLIES)}


def bounced_to_shop(net: MailNet) -> set[str]:
    notices = [mail.delivery_report for mail in net.account("shop@shop.test").inbox]
    return {each.recipient for each in notices if each is not None and each.action == "failed"}


def check(net: MailNet, stage: Stage, *, now: bool, taken: type) -> None:
    """Each fate is as it should be, and the queue and the sender's mailbox say the same."""
    table = TAKEN if taken is Relayed else TAKEN_BY_OUR_OWN
    wrong: dict[str, str] = {}
    waiting = {address for entry in net.queue for address in entry.recipients}
    bounced = bounced_to_shop(net)
    for name, domain in domains().items():
        bob = f"bob@{domain}"
        wanted = expected(stage, name, table)
        wanted = taken if wanted is Relayed else wanted if now or wanted is not Queued else Expired
        fate = net.journey(to=bob).fate
        is_right = (
            isinstance(fate, wanted)
            and (bob in waiting) is (wanted is Queued)
            and (bob in bounced) is (wanted in (Bounced, Expired))
        )
        if not is_right:
            wrong[name] = f"{fate}, not {wanted.__name__}; queued: {bob in waiting}, told: {bob in bounced}"
    assert wrong == {}


@pytest.mark.slow
@pytest.mark.parametrize("stage", TAKEN, ids=str)
@pytest.mark.parametrize("keywords", [(), ("PIPELINING", "8BITMIME", "SIZE")], ids=["in turn", "pipelined"])
def test_a_real_server_says_something_odd(stage, keywords):
    offered = (*keywords, *(["STARTTLS"] if stage is Stage.SMTP_STARTTLS else []))
    servers = {name: ScriptedServer(VERBS[stage], odd, keywords=offered) for name, odd in REPLIES.items()}
    with scripted(*servers.values()), MailNet(seed=1) as net:
        net.queue.schedule(gaps=[hours(1)], give_up_after=hours(2))
        for name, domain in domains().items():
            net.add_external_host(f"mx.{domain}", "127.0.0.1", servers[name].port)
            net.domain(domain, mx=[f"mx.{domain}"])
            send(net, f"bob@{domain}")
        net.settle()
        check(net, stage, now=True, taken=Relayed)
        net.clock.advance(hours(3))
        check(net, stage, now=False, taken=Relayed)
        assert net.queue.is_empty
        for name, server in servers.items():
            if expected(stage, name) is Relayed:
                assert server.messages, name
            elif stage is not Stage.SMTP_END:
                assert not server.messages, name


@pytest.mark.slow
@pytest.mark.parametrize("stage", TAKEN, ids=str)
@pytest.mark.parametrize("pipelining", [True, False], ids=["pipelined", "in turn"])
def test_one_of_our_own_hosts_says_something_odd(stage, pipelining):
    with MailNet(seed=1) as net:
        net.queue.schedule(gaps=[hours(1)], give_up_after=hours(2))
        for name, domain in domains().items():
            net.account(f"bob@{domain}")
            mx = net.mx(domain)
            mx.faults.add(stage, faults.garbage(REPLIES[name]))
            if not pipelining:
                net.find_host(f"mx1.{domain}").configure(hide={"PIPELINING"})
            send(net, f"bob@{domain}")
        net.settle()
        for_now = {name: net.account(f"bob@{domain}").inbox for name, domain in domains().items()}
        check(net, stage, now=True, taken=Delivered)
        net.clock.advance(hours(3))
        check(net, stage, now=False, taken=Delivered)
        assert net.queue.is_empty
        for name, inbox in for_now.items():
            # At the end of the message the host has taken it, whatever it says then. Nobody gets an empty message.
            assert bool(inbox) is (stage is Stage.SMTP_END or name in TAKEN_BY_OUR_OWN[stage]), name
            assert all("Thank you." in mail.text for mail in inbox), name


@pytest.mark.parametrize("odd", ["500 what?", "502 what?", "550 what?"])
def test_our_own_host_that_refuses_ehlo_is_told_helo(odd):
    with MailNet(seed=1) as net:
        bob = net.account("bob@example.org")
        net.mx("example.org").faults.add(Stage.SMTP_HELO, faults.garbage(f"{odd}\r\n"), times=1)
        send(net, bob.address)
        net.settle()
        assert isinstance(net.journey(to=bob).fate, Delivered)


@pytest.mark.parametrize("reply", [b"250 fine\r\n", b"354 what?\r\n", b"550 no\r\n", b"odd\r\n"])
def test_what_a_host_took_from_an_app_is_delivered_whatever_it_said_then(reply):
    with MailNet(seed=1) as net:
        bob = net.account("bob@example.org")
        net.host("smtp.shop.test").faults.add(Stage.SMTP_END, faults.garbage(reply))
        with suppress(SMTPException):
            send(net, bob.address)
        net.settle()
        assert isinstance(net.journey(to=bob).fate, Delivered)
        assert len(bob.inbox) == 1


def test_a_recipient_who_was_pretended_to_be_one_is_lost_whatever_is_said_then():
    with MailNet(seed=1) as net:
        ann, bob = net.accounts("ann@example.org", "bob@example.org")
        server = net.host("smtp.shop.test")
        server.faults.add(Stage.SMTP_RCPT, faults.pretend_success(), to=bob)
        server.faults.add(Stage.SMTP_END, faults.garbage("250 fine\r\n"))
        send(net, ann.address, bob.address)
        net.settle()
        assert isinstance(net.journey(to=ann).fate, Delivered)
        assert isinstance(net.journey(to=bob).fate, Discarded)


def test_a_real_server_that_says_no_to_starttls_and_hangs_up_gets_the_mail_in_clear_text():
    refuses = ScriptedServer(
        "STARTTLS", b"454 not now\r\n", keywords=("STARTTLS",), hangs_up_after="STARTTLS"
    )
    with scripted(refuses) as [server], MailNet(seed=1) as net:
        net.add_external_host("mx.real.test", "127.0.0.1", server.port)
        net.domain("real.test", mx=["mx.real.test"])
        send(net, "bob@real.test")
        net.settle()
        assert net.journey(to="bob@real.test").fate == Relayed()
        assert len(server.messages) == 1
        assert server.commands.count("STARTTLS") == 1


@pytest.mark.parametrize("stage", TAKEN, ids=str)
@pytest.mark.parametrize("odd", ["354", "550", "421", "no code", "two codes", "999"])
def test_it_arrives_when_the_server_has_come_to_its_senses(stage, odd):
    keywords = ("STARTTLS",) if stage is Stage.SMTP_STARTTLS else ()
    with (
        scripted(ScriptedServer(VERBS[stage], REPLIES[odd], times=1, keywords=keywords)) as [server],
        MailNet(seed=1) as net,
    ):
        net.add_external_host("mx.real.test", "127.0.0.1", server.port)
        net.domain("real.test", mx=["mx.real.test"])
        send(net, "bob@real.test")
        net.settle()
        net.clock.advance(hours(1))
        # Where the greeting is no, another address of the host is tried (§5.1).
        wanted = Bounced if expected(stage, odd) is Bounced and stage is not Stage.SMTP_BANNER else Relayed
        assert isinstance(net.journey(to="bob@real.test").fate, wanted)
        assert net.queue.is_empty
        assert bool(server.messages) is (wanted is Relayed)


@pytest.mark.parametrize(
    "stage", [Stage.SMTP_MAIL, Stage.SMTP_RCPT, Stage.SMTP_DATA, Stage.SMTP_END], ids=str
)
@pytest.mark.parametrize("pipelining", [True, False], ids=["pipelined", "in turn"])
def test_two_replies_for_one_command_blame_nobody(stage, pipelining):
    """RCPT is answered with the second reply to the command before, DATA with that to RCPT, and so on."""
    with MailNet(seed=1) as net:
        ann, bob, shop = net.accounts("ann@example.org", "bob@example.org", "shop@shop.test")
        mx = net.mx("example.org")
        if not pipelining:
            net.find_host("mx1.example.org").configure(hide={"PIPELINING"})
        mx.faults.add(stage, faults.duplicate_reply(), times=1)
        send(net, ann.address, "gone@example.org", bob.address)
        net.settle()
        net.clock.advance(hours(1))
        assert isinstance(net.journey(to=ann).fate, Delivered)
        assert isinstance(net.journey(to=bob).fate, Delivered)
        gone = net.journey(to="gone@example.org").fate
        assert isinstance(gone, Bounced)
        assert gone.reason is Reason.NO_SUCH_USER
        assert bounced_to_shop(net) == {"gone@example.org"}
        assert len(shop.inbox) == 1


@pytest.mark.parametrize("stage", [Stage.SMTP_MAIL, Stage.SMTP_RCPT], ids=str)
@pytest.mark.parametrize("odd", ["354", "421", "450", "550"])
def test_nobody_gets_an_empty_message_where_the_answers_to_a_group_do_not_fit(stage, odd):
    """The host has taken sender and recipient and waits for the message (RFC 2920 §3.2)."""
    with MailNet(seed=1) as net:
        bob, shop = net.accounts("bob@example.org", "shop@shop.test")
        net.mx("example.org").faults.add(stage, faults.garbage(REPLIES[odd]), times=1)
        send(net, bob.address)
        net.settle()
        assert not bob.inbox
        net.clock.advance(hours(1))
        is_bounced = odd == "550"
        assert isinstance(net.journey(to=bob).fate, Bounced if is_bounced else Delivered)
        assert [mail.text.strip() for mail in bob.inbox] == ([] if is_bounced else ["Thank you."])
        assert len(shop.inbox) == is_bounced


def test_two_refusals_of_starttls_are_no_reply_to_mail():
    refuses = ScriptedServer("STARTTLS", b"554 no\r\n554 no\r\n", times=1, keywords=("STARTTLS",))
    with scripted(refuses) as [server], MailNet(seed=1) as net:
        net.add_external_host("mx.real.test", "127.0.0.1", server.port)
        net.domain("real.test", mx=["mx.real.test"])
        send(net, "bob@real.test")
        net.settle()
        fate = net.journey(to="bob@real.test").fate
        assert isinstance(fate, Queued)
        assert (fate.last_reply, fate.reason) == (None, Reason.PROTOCOL_ERROR)
        net.clock.advance(hours(1))
        assert net.journey(to="bob@real.test").fate == Relayed()


def test_an_odd_reply_for_one_recipient_keeps_the_others_going():
    with MailNet(seed=1) as net:
        ann, bob = net.accounts("ann@example.org", "bob@example.org")
        net.mx("example.org").faults.add(Stage.SMTP_RCPT, faults.garbage("354 go\r\n"), to=bob)
        send(net, ann.address, bob.address)
        net.settle()
        assert isinstance(net.journey(to=ann).fate, Delivered)
        fate = net.journey(to=bob).fate
        assert isinstance(fate, Queued)
        assert (fate.last_reply.code, fate.reason) == (354, Reason.PROTOCOL_ERROR)
        net.clock.advance(days(6))
        assert isinstance(net.journey(to=bob).fate, Expired)
        [report] = net.account("shop@shop.test").inbox[-1].delivery_report.recipients
        assert (report.recipient, report.status) == (bob.address, "5.5.0")


def test_nonsense_behind_the_last_reply_takes_nothing_back():
    with (
        scripted(ScriptedServer("end", b"250 queued\r\nnonsense\r\n")) as [server],
        MailNet(seed=1) as net,
    ):
        net.add_external_host("mx.real.test", "127.0.0.1", server.port)
        net.domain("real.test", mx=["mx.real.test"])
        send(net, "bob@real.test")
        net.settle()
        assert net.journey(to="bob@real.test").fate == Relayed()
        net.clock.advance(days(1))
        assert len(server.messages) == 1


def test_nobody_says_goodbye_to_a_server_that_talks_nonsense():
    with scripted(ScriptedServer("MAIL", b"354 go\r\n"), ScriptedServer("RCPT", b"odd\r\n")) as servers:
        with MailNet(seed=1) as net:
            for number, server in enumerate(servers):
                net.add_external_host(f"mx.d{number}.test", "127.0.0.1", server.port)
                net.domain(f"d{number}.test", mx=[f"mx.d{number}.test"])
                send(net, f"bob@d{number}.test")
            net.settle()
        assert [server.commands for server in servers] == [["EHLO", "MAIL"], ["EHLO", "MAIL", "RCPT"]]
