"""Journeys computed from logs that are written here as the engine writes them."""

from datetime import UTC, datetime, timedelta

import pytest

from fakemail.clock import VirtualClock
from fakemail.errors import DeclarationError
from fakemail.events.journey import Journey, Journeys
from fakemail.events.kinds import (
    Attempt,
    Connected,
    Deferred,
    Disconnected,
    Handshake,
    MessageDelivered,
    MessageQueued,
    Query,
    Returned,
    Routed,
    SmtpCommand,
)
from fakemail.events.log import Log
from fakemail.types import fate
from fakemail.types.address import NULL_PATH, Path, address
from fakemail.types.peer import Peer
from fakemail.types.reason import Reason
from fakemail.types.reply import Reply
from fakemail.types.stage import Stage

APP = Peer("203.0.113.5", 40000, "app")
SMTP = "smtp.shop.test"
MX1 = "mx1.example.org"
ANN, BOB, GONE = map(address, ("ann@example.org", "bob@example.org", "gone@example.org"))
SHOP = address("hello@shop.test")
OK = Reply(250, "2.0.0", "OK")
NO_USER = Reply(550, "5.1.1", "no such user here")


class Net:
    """Appends what the engine would, with one method for each thing that a session does."""

    def __init__(self) -> None:
        self.clock = VirtualClock(datetime(2026, 1, 2, tzinfo=UTC))
        self.log = Log(self.clock)
        self.connection = 0
        self.host = ""

    def connect(self, host: str, peer: Peer = APP, *, hello: str = "EHLO", tls: str = "") -> None:
        self.connection += 1
        self.host = host
        self.log.append(Connected(host=host, connection=self.connection, protocol="smtp", peer=peer))
        self.say(Stage.SMTP_BANNER, "", Reply(220, None, host))
        self.say(Stage.SMTP_HELO, f"{hello} client", Reply(250, None, "hello"))
        if tls:
            self.say(Stage.SMTP_STARTTLS, "STARTTLS", Reply(220, "2.0.0"))
            self.log.append(
                Handshake(
                    host=host,
                    connection=self.connection,
                    version=tls,
                    cipher="cipher",
                    server_name=host,
                    client_certificate="",
                    refused_by="",
                    alert="",
                    detail="",
                )
            )
            self.say(Stage.SMTP_HELO, f"{hello} client", Reply(250, None, "hello"))

    def say(
        self,
        stage: Stage,
        line: str,
        reply: Reply | None,
        *,
        reason: Reason | None = None,
        path: Path | None = None,
        message: str = "",
    ) -> None:
        self.log.append(
            SmtpCommand(
                stage=stage,
                host=self.host,
                connection=self.connection,
                message=message,
                line=line,
                reply=reply,
                reason=reason,
                address=path,
            )
        )

    def auth(self) -> None:
        self.say(Stage.SMTP_AUTH, "AUTH PLAIN ********", Reply(235, "2.7.0"))

    def mail(self, sender: Path = SHOP, reply: Reply | None = OK, reason: Reason | None = None) -> None:
        text = "MAIL FROM:<>" if sender is NULL_PATH else f"MAIL FROM:<{sender}>"
        self.say(Stage.SMTP_MAIL, text, reply, path=sender, reason=reason)

    def rcpt(self, to: Path, reply: Reply | None = OK, reason: Reason | None = None) -> None:
        self.say(Stage.SMTP_RCPT, f"RCPT TO:<{to}>", reply, path=to, reason=reason)

    def data(self, queue_id: str = "", reply: Reply | None = None, reason: Reason | None = None) -> None:
        self.say(Stage.SMTP_DATA, "DATA", Reply(354))
        reply = reply or Reply(250, "2.0.0", f"queued as {queue_id}")
        self.say(Stage.SMTP_END, ".", reply, message=queue_id, reason=reason)

    def close(self, *, reason: Reason | None = None) -> None:
        if reason is None:
            self.say(Stage.SMTP_QUIT, "QUIT", Reply(221))
        self.log.append(
            Disconnected(host=self.host, connection=self.connection, by="client", reason=reason, detail="")
        )

    def queued(self, host: str, queue_id: str, *to: Path, sender: Path = SHOP, origin: str = "") -> None:
        head = f"Message-ID: <{queue_id}@shop.test>\r\nSubject: Subject of {queue_id}\r\n".encode()
        self.log.append(
            MessageQueued(
                host=host, message=queue_id, sender=sender, recipients=to, size=500, head=head, origin=origin
            )
        )

    def submit(self, queue_id: str, *to: Path, sender: Path = SHOP) -> None:
        self.connect(SMTP, tls="TLSv1.3")
        self.auth()
        self.mail(sender)
        for recipient in to:
            self.rcpt(recipient)
        self.data(queue_id)
        self.queued(SMTP, queue_id, *to, sender=sender)
        self.close()

    def route(self, queue_id: str, domain: str, *hosts: str, reason: Reason | None = None) -> None:
        self.log.append(
            Routed(host=SMTP, message=queue_id, domain=domain, mail_hosts=hosts, reason=reason, detail="")
        )

    def ask(self, name: str, kind: str, *records: str, client: str = SMTP, message: str = "") -> None:
        self.log.append(
            Query(
                host="dns",
                message=message,
                client=Peer("192.0.2.1", 5353, client),
                transport="udp",
                name=name,
                type=kind,
                answer="NOERROR",
                records=records,
            )
        )

    def attempt(
        self,
        queue_id: str,
        to: Path,
        reply: Reply | None,
        *,
        host: str = SMTP,
        mail_host: str = MX1,
        at: Stage = Stage.SMTP_END,
        reason: Reason | None = None,
        final: bool = True,
        onward: str = "",
    ) -> None:
        self.log.append(
            Attempt(
                host=host,
                message=queue_id,
                recipient=to,
                mail_host=mail_host,
                address="198.51.100.1",
                at=at,
                reply=reply,
                reason=reason,
                detail="",
                tls="",
                final=final,
                onward=onward,
            )
        )

    def deliver(self, queue_id: str, to: Path, account: Path | None = None, mailbox: str = "INBOX") -> None:
        self.log.append(
            MessageDelivered(
                host=MX1, message=queue_id, recipient=to, account=account or to, mailbox=mailbox, uid=1
            )
        )

    def relay(self, queue_id: str, there: str, to: Path, *, sender: Path = SHOP) -> None:
        """The hop from the submission host to the mail host, that takes and delivers it."""
        self.connect(MX1, Peer("192.0.2.1", 2525, SMTP))
        self.mail(sender)
        self.rcpt(to)
        self.data(there)
        self.deliver(there, to)
        self.close()
        self.attempt(queue_id, to, Reply(250, "2.0.0", f"queued as {there}"), onward=there)

    def only(self) -> Journey:
        (journey,) = Journeys(self.log).all()
        return journey


@pytest.fixture
def net() -> Net:
    return Net()


def test_unknown_recipient_of_a_newsletter_is_refused_and_the_others_get_it(net: Net) -> None:
    net.connect(MX1)
    net.mail()
    net.rcpt(ANN)
    net.rcpt(GONE, NO_USER, Reason.NO_SUCH_USER)
    net.rcpt(BOB)
    net.data("M1")
    net.deliver("M1", ANN)
    net.deliver("M1", BOB)
    (gone,) = Journeys(net.log).find(to="gone@example.org")
    assert gone.fate == fate.Refused(
        at=Stage.SMTP_RCPT, reply=Reply(550, "5.1.1"), reason=Reason.NO_SUCH_USER
    )
    assert (gone.reason, gone.reply, gone.queue_ids) == (Reason.NO_SUCH_USER, NO_USER, ())
    assert [journey.fate for journey in Journeys(net.log).all()] == [
        fate.Delivered(ANN),
        gone.fate,
        fate.Delivered(BOB),
    ]
    assert repr(gone) == (
        "<Journey to gone@example.org: refused at smtp.rcpt by mx1.example.org: 550 5.1.1 (no such user)>"
    )


def test_from_app_to_mailbox_over_two_hosts(net: Net) -> None:
    net.submit("A1", BOB)
    net.ask("example.org", "MX", "10 mx1.example.org.", "20 mx2.example.org.")
    net.ask(MX1, "A", "198.51.100.1")
    net.ask(MX1, "A", "198.51.100.1", client="other.test")
    net.route("A1", "example.org", MX1, "mx2.example.org")
    net.relay("A1", "B1", BOB)
    journey = net.only()
    assert journey.fate == fate.Delivered(BOB)
    assert (journey.sender, journey.message_id, journey.subject) == (SHOP, "<A1@shop.test>", "Subject of A1")
    assert journey.queue_ids == ("A1", "B1")
    assert [(hop.number, hop.host, hop.protocol, hop.tls, hop.queue_id) for hop in journey.hops] == [
        (1, SMTP, "ESMTPSA", "TLSv1.3", "A1"),
        (2, MX1, "ESMTP", "", "B1"),
    ]
    assert [query.name for query in journey.queries] == ["example.org", MX1]
    assert [attempt.reply for attempt in journey.attempts] == [Reply(250, "2.0.0")]
    assert [delivered.uid for delivered in journey.deliveries] == [1]
    assert str(journey).splitlines() == [
        "  1  smtp.shop.test   took it from app [203.0.113.5] over ESMTPSA (TLSv1.3), for bob@example.org  "
        "250 2.0.0 queued as A1",
        "  2  smtp.shop.test   looked up example.org: mx1.example.org (10), mx2.example.org (20)",
        "  3  mx1.example.org  took it from smtp.shop.test [192.0.2.1] over ESMTP, for bob@example.org     "
        "250 2.0.0 queued as B1",
        "  4  mx1.example.org  delivered it to bob@example.org, INBOX",
        "Fate: delivered to bob@example.org, INBOX",
    ]


def test_greylisting_shows_both_attempts_and_both_sessions(net: Net) -> None:
    later = Reply(451, "4.7.1", "come back")
    net.submit("A1", BOB)
    net.route("A1", "example.org", MX1)
    net.connect(MX1, Peer("192.0.2.1", 2525, SMTP))
    net.mail()
    net.rcpt(BOB, later)
    net.close()
    net.attempt("A1", BOB, later, at=Stage.SMTP_RCPT)
    waiting = net.only()
    assert waiting.fate == fate.Queued(Reply(451, "4.7.1"))
    assert not waiting.fate.is_final
    net.clock.move(timedelta(minutes=15))
    net.route("A1", "example.org", MX1)
    net.relay("A1", "B1", BOB)
    journey = net.only()
    assert [attempt.reply.code for attempt in journey.attempts if attempt.reply] == [451, 250]
    assert [hop.what.split()[0] for hop in journey.hops] == ["took", "deferred", "took"]
    assert journey.hops[2].time - journey.hops[1].time == timedelta(minutes=15)
    assert journey.fate == fate.Delivered(BOB)
    assert journey.reason is None


def test_first_mail_host_down_second_takes_it(net: Net) -> None:
    net.submit("A1", BOB)
    net.route("A1", "example.org", "mx0.example.org", MX1)
    facts = {"mail_host": "mx0.example.org", "at": Stage.CONNECT, "reason": Reason.CONNECTION_REFUSED}
    net.attempt("A1", BOB, None, final=False, **facts)  # type: ignore[arg-type]
    assert net.only().fate == fate.Queued(None, Reason.CONNECTION_REFUSED)
    net.relay("A1", "B1", BOB)
    journey = net.only()
    assert journey.fate == fate.Delivered(BOB)
    assert journey.steps[2].what == (
        "tried mx0.example.org [198.51.100.1] for bob@example.org, came to connect: connection refused"
    )


@pytest.mark.parametrize(
    ("reply", "words"), [(Reply(550), "it refused it"), (Reply(451), "it deferred it"), (OK, "it took it")]
)
def test_what_a_foreign_host_did_is_told_by_its_reply(net: Net, reply: Reply, words: str) -> None:
    net.submit("A1", BOB)
    net.route("A1", "example.org", MX1)
    net.attempt("A1", BOB, reply)
    told = net.only().steps[-1].what
    assert told == f"tried {MX1} [198.51.100.1] for bob@example.org, came to smtp.end: {words}"


def test_refused_by_the_mail_host_after_submission(net: Net) -> None:
    net.submit("A1", GONE, BOB)
    net.route("A1", "example.org", MX1)
    net.connect(MX1, Peer("192.0.2.1", 2525, SMTP))
    net.mail()
    net.rcpt(GONE, NO_USER, Reason.NO_SUCH_USER)
    net.rcpt(BOB)
    net.data("B1")
    net.deliver("B1", BOB)
    net.attempt("A1", GONE, NO_USER, at=Stage.SMTP_RCPT, reason=Reason.NO_SUCH_USER)
    net.attempt(
        "A1", BOB, Reply(250, "2.0.0", "queued as B1")
    )  # without the queue id there: found all the same
    gone, bob = Journeys(net.log).all()
    assert gone.fate == fate.Refused(Stage.SMTP_RCPT, NO_USER, Reason.NO_SUCH_USER)
    assert str(gone.fate) == "refused at smtp.rcpt by mx1.example.org: 550 5.1.1 (no such user)"
    assert gone.steps[-1].what == "refused RCPT TO:<gone@example.org>"
    assert bob.fate == fate.Delivered(BOB)
    assert bob.queue_ids == ("A1", "B1")


@pytest.mark.parametrize("has_attempt", [True, False])
@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        (Reason.NO_SUCH_DOMAIN, fate.Refused(Stage.ROUTE, None, Reason.NO_SUCH_DOMAIN)),
        (Reason.NULL_MX, fate.Refused(Stage.ROUTE, None, Reason.NULL_MX)),
        (Reason.DNS_TEMPORARY, fate.Queued(None, Reason.DNS_TEMPORARY)),
    ],
)
def test_domain_without_mail_hosts(net: Net, reason: Reason, expected: fate.Fate, has_attempt: bool) -> None:
    net.submit("A1", BOB)
    net.route("A1", "example.org", reason=reason)
    if has_attempt:
        net.attempt("A1", BOB, None, mail_host="", at=Stage.ROUTE, reason=reason)
    journey = net.only()
    assert journey.fate == expected
    assert journey.reason is reason
    assert journey.reply is None
    assert journey.steps[1].what == f"looked up example.org: {reason}"


def test_refused_mail_refuses_the_recipients_that_follow(net: Net) -> None:
    net.connect(SMTP)
    net.mail(reply=Reply(530, "5.7.0"), reason=Reason.AUTH_REQUIRED)
    net.rcpt(BOB, Reply(503, "5.5.1"), Reason.BAD_SEQUENCE)
    assert net.only().fate == fate.Refused(Stage.SMTP_MAIL, Reply(530, "5.7.0"), Reason.AUTH_REQUIRED)


@pytest.mark.parametrize("stage", [Stage.SMTP_DATA, Stage.SMTP_END])
def test_refused_message_is_refused_for_every_accepted_recipient(net: Net, stage: Stage) -> None:
    no = Reply(554, "5.7.1")
    net.connect(MX1)
    net.mail()
    net.rcpt(ANN)
    net.rcpt(GONE, NO_USER, Reason.NO_SUCH_USER)
    net.rcpt(BOB)
    if stage is Stage.SMTP_DATA:
        net.say(stage, "DATA", no)
    else:
        net.data("", no)
    net.close()
    fates = [journey.fate for journey in Journeys(net.log).all()]
    assert fates[0] == fates[2] == fate.Refused(stage, no)
    assert fates[1] == fate.Refused(Stage.SMTP_RCPT, NO_USER, Reason.NO_SUCH_USER)


def test_second_data_after_a_refused_one_counts(net: Net) -> None:
    net.connect(MX1)
    net.mail()
    net.rcpt(BOB)
    net.say(Stage.SMTP_DATA, "DATA", Reply(451))
    net.data("M1")
    net.deliver("M1", BOB)
    assert net.only().fate == fate.Delivered(BOB)


def test_client_that_leaves_is_underway_then_abandons(net: Net) -> None:
    net.connect(MX1)
    net.mail()
    net.rcpt(BOB)
    assert net.only().fate == fate.InProgress(Stage.SMTP_RCPT)
    net.close()
    assert net.only().fate == fate.Dropped(Stage.SMTP_RCPT)


def test_lost_connection_after_the_go_ahead(net: Net) -> None:
    net.connect(MX1)
    net.mail()
    net.rcpt(BOB)
    net.say(Stage.SMTP_DATA, "DATA", Reply(354))
    net.close(reason=Reason.CONNECTION_LOST)
    assert net.only().fate == fate.Dropped(Stage.SMTP_DATA, Reason.CONNECTION_LOST)


def test_connection_lost_before_the_reply_to_rcpt(net: Net) -> None:
    net.connect(MX1)
    net.mail()
    net.rcpt(BOB, None)
    net.close(reason=Reason.TIMEOUT)
    assert net.only().fate == fate.Dropped(Stage.SMTP_MAIL, Reason.TIMEOUT)


def test_a_connection_that_a_fault_cut_was_not_left_by_the_client(net: Net) -> None:
    net.connect(MX1)
    net.mail()
    net.rcpt(BOB)
    net.rcpt(ANN, None, Reason.FAULT)
    net.close()
    told = f"dropped the connection of {APP} at smtp.rcpt: a fault of the test"
    for found in Journeys(net.log.events()).all():
        assert found.fate == fate.Dropped(Stage.SMTP_RCPT, Reason.FAULT)
        assert found.steps[0].what == told


def test_message_that_was_taken_is_taken_even_if_the_reply_was_lost(net: Net) -> None:
    net.connect(MX1)
    net.mail()
    net.rcpt(BOB)
    net.say(Stage.SMTP_DATA, "DATA", Reply(354))
    net.say(Stage.SMTP_END, ".", None, message="M1", reason=Reason.CONNECTION_LOST)
    net.deliver("M1", BOB)
    assert net.only().fate == fate.Delivered(BOB)


def test_positive_reply_without_a_queue_id_means_discarded(net: Net) -> None:
    net.connect(MX1)
    net.mail()
    net.rcpt(BOB)
    net.data("", OK, Reason.LOCAL_ERROR)
    assert net.only().fate == fate.Discarded(Reason.LOCAL_ERROR)


def test_many_transactions_in_one_connection(net: Net) -> None:
    net.connect(MX1, hello="HELO")
    for number, recipient in enumerate((ANN, BOB)):
        net.mail()
        net.rcpt(recipient)
        net.mail(BOB, Reply(503, "5.5.1"))  # refused inside a transaction: changes nothing
        net.data(f"M{number}")
        net.deliver(f"M{number}", recipient)
    net.mail()
    net.rcpt(GONE)
    net.say(Stage.SMTP_RSET, "RSET", OK)
    net.say(Stage.SMTP_RCPT, "RCPT", Reply(503), path=BOB)
    found = Journeys(net.log).all()
    assert [journey.fate for journey in found] == [
        fate.Delivered(ANN),
        fate.Delivered(BOB),
        fate.Dropped(Stage.SMTP_RCPT),
    ]
    assert {journey.hops[0].protocol for journey in found} == {"SMTP"}
    assert {journey.sender for journey in found} == {SHOP}


def test_recipient_accepted_on_the_second_rcpt_counts_once(net: Net) -> None:
    net.connect(MX1)
    net.mail()
    net.rcpt(BOB, Reply(450, "4.2.0"))
    net.rcpt(address("BOB@example.org"))
    net.data("M1")
    net.deliver("M1", BOB)
    assert net.only().fate == fate.Delivered(BOB)


def test_alias_for_several_accounts(net: Net) -> None:
    team = address("team@example.org")
    net.connect(MX1)
    net.mail()
    net.rcpt(team)
    net.data("M1")
    net.deliver("M1", team, ANN)
    net.deliver("M1", team, BOB, "Junk")
    journey = net.only()
    assert journey.fate == fate.Delivered(ANN)
    assert [(d.account, d.mailbox) for d in journey.deliveries] == [(ANN, "INBOX"), (BOB, "Junk")]


def test_message_that_a_host_made_itself(net: Net) -> None:
    net.queued(SMTP, "D1", BOB, sender=NULL_PATH)
    journey = net.only()
    assert journey.fate == fate.Queued()
    assert (journey.sender, journey.hops) == (NULL_PATH, ())
    net.relay("D1", "E1", BOB, sender=NULL_PATH)
    assert net.only().fate == fate.Delivered(BOB)


def test_through_a_relay(net: Net) -> None:
    relay = "relay.shop.test"
    net.submit("A1", BOB)
    net.connect(relay, Peer("192.0.2.1", 2525, SMTP))
    net.mail()
    net.rcpt(BOB)
    net.data("B1")
    net.queued(relay, "B1", BOB, origin="A1")
    net.attempt("A1", BOB, OK, mail_host=relay, onward="B1")
    assert net.only().fate == fate.Queued()
    assert str(net.only().fate) == "waiting in the queue of relay.shop.test"
    net.connect(MX1, Peer("192.0.2.2", 2525, relay))
    net.mail()
    net.rcpt(BOB)
    net.data("C1")
    net.deliver("C1", BOB)
    net.attempt("B1", BOB, OK, host=relay, onward="C1")
    journey = net.only()
    assert journey.fate == fate.Delivered(BOB)
    assert [hop.host for hop in journey.hops] == [SMTP, relay, MX1]
    assert [attempt.host for attempt in journey.attempts] == [SMTP, relay]


def test_two_messages_to_one_recipient_stay_apart_without_onward(net: Net) -> None:
    for queue_id in ("A1", "A2"):
        net.submit(queue_id, BOB)
    for queue_id, there in (("A1", "B1"), ("A2", "B2")):
        net.connect(MX1, Peer("192.0.2.1", 2525, SMTP))
        net.mail()
        net.rcpt(BOB)
        net.data(there)
        net.deliver(there, BOB)
        net.attempt(queue_id, BOB, OK)
    assert [journey.queue_ids for journey in Journeys(net.log).all()] == [("A1", "B1"), ("A2", "B2")]


def test_queries_of_a_busy_host_go_to_the_message_that_they_were_asked_for(net: Net) -> None:
    for queue_id in ("A1", "A2"):
        net.submit(queue_id, BOB)
    for queue_id in ("A1", "A2"):
        net.ask("example.org", "MX", "10 mx1.example.org.")
        net.route(queue_id, "example.org", MX1)
        net.ask(MX1, "A", "198.51.100.1")
        net.ask(MX1, "AAAA")
        net.relay(queue_id, f"B{queue_id}", BOB)
    numbers = [[query.number for query in journey.queries] for journey in Journeys(net.log).all()]
    asked = [event.number for event in net.log.events(Stage.DNS_QUERY)]
    assert numbers == [asked[:3], asked[3:]]


def test_queries_that_name_the_message_go_to_that_message(net: Net) -> None:
    for queue_id in ("A1", "A2"):
        net.submit(queue_id, BOB)
    for queue_id in ("A1", "A2"):
        net.ask("example.org", "MX", "10 mx1.example.org.", message=queue_id)
    for queue_id in ("A1", "A2"):
        net.route(queue_id, "example.org", MX1)
    found = Journeys(net.log).all()
    assert [[query.message for query in journey.queries] for journey in found] == [["A1"], ["A2"]]


def test_find_by_everything(net: Net) -> None:
    net.submit("A1", BOB)
    net.submit("A2", ANN, sender=NULL_PATH)
    net.relay("A1", "B1", BOB)

    def found(**wanted: object) -> list[str]:
        return [journey.queue_ids[0] for journey in Journeys(net.log).find(**wanted)]  # type: ignore[arg-type]

    assert found() == ["A1", "A2"]
    assert found(to="Bob@Example.org") == found(to=BOB) == ["A1"]
    assert found(sender="<>") == found(sender=NULL_PATH) == ["A2"]
    assert found(subject="Subject of A2") == ["A2"]
    assert found(message_id="A2@shop.test") == found(message_id="<A2@shop.test>") == ["A2"]
    assert found(queue_id="B1") == ["A1"]
    assert found(to=BOB, subject="Subject of A2") == []
    with pytest.raises(DeclarationError, match="'bob' is not an address"):
        found(to="bob")


def test_hostile_command_is_shown_escaped(net: Net) -> None:
    net.connect(MX1)
    net.mail()
    net.say(Stage.SMTP_RCPT, "RCPT TO:<a@b>\x1b[2J", Reply(501, None, "no\x07"), path=BOB)
    assert "refused RCPT TO:<a@b>\\x1b[2J  501 no\\x07" in str(net.only())


def test_mail_that_arrived_before_its_sender_knew_is_delivered(net: Net) -> None:
    net.submit("A1", BOB)
    net.route("A1", "example.org", MX1)
    net.connect(MX1, Peer("192.0.2.1", 2525, SMTP))
    net.mail()
    net.rcpt(BOB)
    net.data("B1")
    net.deliver("B1", BOB)
    journey = net.only()
    assert (journey.fate, journey.queue_ids) == (fate.Delivered(BOB), ("A1", "B1"))


def test_put_off_then_returned(net: Net) -> None:
    later, until = Reply(452, "4.2.2", "full"), net.clock.now() + timedelta(minutes=5)
    net.submit("A1", BOB)
    net.attempt("A1", BOB, later, at=Stage.SMTP_RCPT)
    net.log.append(
        Deferred(host=SMTP, message="A1", recipient=BOB, attempts=1, until=until, reply=later, reason=None)
    )
    assert net.only().fate == fate.Queued(later)
    for report, expired, end in (
        ("R1", False, fate.Bounced(Stage.SMTP_RCPT, later)),
        ("", False, fate.Discarded()),
        ("R1", True, fate.Expired(later)),
    ):
        net.log.append(
            Returned(
                host=SMTP,
                message="A1",
                recipient=BOB,
                expired=expired,
                report=report,
                at=Stage.SMTP_RCPT,
                reply=later,
                reason=None,
                remote=MX1,
            )
        )
        assert net.only().fate == end
    assert [step.what for step in net.only().steps if "put it off" in step.what] == [
        "put it off until Fri 00:05:00, after attempt 1"
    ]


def test_what_a_real_server_took_is_relayed(net: Net) -> None:
    net.submit("A1", BOB)
    net.attempt("A1", BOB, Reply(250, None, "OK id=1xVknh"), mail_host="mx.real.test")
    assert net.only().fate == fate.Relayed(host="mx.real.test")
    assert str(net.only().fate) == "handed to mx.real.test, a server outside of the fake internet"
