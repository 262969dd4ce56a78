"""Nothing is lost: in any small world, each recipient of each message has one settled fate in the end."""

from __future__ import annotations

import random
import smtplib
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakemail import (
    Bounced,
    Delivered,
    Discarded,
    Expired,
    Forwarded,
    MailNet,
    Queued,
    Refused,
    Relayed,
    Stage,
    days,
    faults,
    hours,
    minutes,
    samples,
)
from fakemail.faults.catalogue import rows
from scripted_smtp import ScriptedServer, scripted

DOMAINS = ("a.test", "b.test", "c.test")
USERS = tuple(f"{local}@{domain}" for domain in DOMAINS for local in ("ann", "bob"))
ALIASES = tuple(f"team@{domain}" for domain in DOMAINS)
LISTS = tuple(f"list@{domain}" for domain in DOMAINS)
NOBODY = ("gone@a.test", "gone@c.test", "x@nowhere.test", "x@silent.test", "x@back.test", "x@lost.test")
ANYBODY = (*USERS, *ALIASES, *LISTS, *NOBODY)
# An alias may only name those who are there, or anybody elsewhere.
SOMEBODY = (*USERS, "x@nowhere.test")
HOSTS = tuple(f"{name}.{domain}" for domain in DOMAINS for name in ("mx1", "mx2"))
FAULTS = (
    faults.reply(421),
    faults.reply(451),
    faults.reply(554),
    faults.drop(),
    faults.reset(),
    faults.garbage(),
    faults.partial_reply(),
    faults.drop_reply(),
    faults.close(),
    faults.no_reply(),
    faults.delay(minutes(1)),
    faults.delay(minutes(30)),
    faults.partial_reply("hang"),
    faults.drop_reply("hang"),
    faults.garbage("250-"),
    faults.garbage("354 go on\r\n"),
    faults.garbage("250 OK\r\n"),
    faults.duplicate_reply(),
    faults.malformed(),
    faults.oversized_line(),
    faults.trickle(),
)
FAULTY = (
    Stage.CONNECT,
    Stage.SMTP_BANNER,
    Stage.SMTP_HELO,
    Stage.SMTP_STARTTLS,
    Stage.TLS_HANDSHAKE,
    Stage.SMTP_MAIL,
    Stage.SMTP_RCPT,
    Stage.SMTP_DATA,
    Stage.SMTP_BODY,
    Stage.SMTP_END,
    Stage.SMTP_RSET,
    Stage.SMTP_QUIT,
)
POSSIBLE = tuple(
    (stage, action) for stage in FAULTY for action in FAULTS if type(action) in rows()[stage].actions
)
# What real servers say, where, and how often: None is nothing at all.
ODD = tuple(
    (at, reply)
    for at in ("greeting", "EHLO", "MAIL", "RCPT", "DATA", "end", "QUIT")
    for reply in (
        None,
        b"25",
        b"250-",
        b"250 OK\r\n",
        b"354 go on\r\n",
        b"what?\r\n",
        b"421 no\r\n",
        b"550 no\r\n",
    )
)


class Deferring:
    """An aiosmtpd handler that says "not now" so many times."""

    def __init__(self, times: int) -> None:
        self.times = times

    async def handle_RCPT(self, server, session, envelope, address, options):
        self.times -= 1
        if self.times >= 0:
            return "451 4.7.1 not now"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"


@dataclass(frozen=True)
class Plan:
    """A world and what is sent in it."""

    two_hosts: frozenset[str]
    stopped: frozenset[str]
    deferring: dict[str, int]
    faults: dict[str, list[tuple[tuple[Stage, object], int]]]
    greylisting: frozenset[str]
    through: int
    aliases: dict[str, tuple[str, ...]]
    forwards: dict[str, tuple[tuple[str, ...], bool, bool]]
    lists: dict[str, tuple[tuple[str, ...], bool]]
    away: frozenset[str]
    full: frozenset[str]
    styles: dict[str, str]
    mail: list[tuple[str, tuple[str, ...]]]


def some(of, *, least=0, most=3):
    return st.lists(st.sampled_from(of), min_size=least, max_size=most, unique=True).map(tuple)


plans = st.builds(
    Plan,
    two_hosts=st.frozensets(st.sampled_from(DOMAINS)),
    stopped=st.frozensets(st.sampled_from(HOSTS), max_size=2),
    deferring=st.dictionaries(st.sampled_from(HOSTS), st.sampled_from([1, 3, 10_000]), max_size=2),
    faults=st.dictionaries(
        st.sampled_from(HOSTS),
        st.lists(
            st.tuples(st.sampled_from(POSSIBLE), st.sampled_from([1, 3, 10_000])), min_size=1, max_size=3
        ),
        max_size=2,
    ),
    greylisting=st.frozensets(st.sampled_from(DOMAINS), max_size=1),
    through=st.integers(0, 2),
    aliases=st.dictionaries(st.sampled_from(ALIASES), some(SOMEBODY, least=1), max_size=3),
    forwards=st.dictionaries(
        st.sampled_from(USERS),
        st.tuples(some((*USERS, *LISTS, *NOBODY), least=1, most=2), st.booleans(), st.booleans()),
        max_size=3,
    ),
    lists=st.dictionaries(
        st.sampled_from(LISTS), st.tuples(some((*USERS, *LISTS, *NOBODY)), st.booleans()), max_size=2
    ),
    away=st.frozensets(st.sampled_from(USERS), max_size=2),
    full=st.frozensets(st.sampled_from(USERS), max_size=2),
    styles=st.dictionaries(
        st.sampled_from([f"smtp.{domain}" for domain in DOMAINS]), st.sampled_from(["gmail", "qmail"])
    ),
    mail=st.lists(st.tuples(st.sampled_from(USERS), some(ANYBODY, least=1, most=4)), min_size=1, max_size=3),
)


def build(net: MailNet, plan: Plan) -> None:
    for domain in DOMAINS:
        net.domain(domain, mx=["mx1", "mx2"] if domain in plan.two_hosts else ["mx1"])
    net.domain("silent.test").set_mx(None)
    net.dns.add("back.test", "MX", "10 localhost.")
    net.dns.add("lost.test", "MX", "10 mx.nowhere.test.")
    if plan.through:
        net.route("a.test", via=[f"relay{number}.example.net" for number in range(plan.through)])
    for domain in plan.greylisting:
        net.domain(domain).policy(greylist=minutes(5))
    for user in USERS:
        net.account(user)
    for alias, targets in plan.aliases.items():
        local, _, domain = alias.partition("@")
        net.domain(domain).alias(local, *targets)
    for user, (targets, keep_copy, srs) in plan.forwards.items():
        others = [target for target in targets if target != user]
        if others:
            net.account(user).set_forwarding(others, keep_copy=keep_copy, srs=srs)
    for address, (members, verp) in plan.lists.items():
        net.mailing_list(address, members=[each for each in members if each != address], verp=verp)
    for user in plan.away:
        net.account(user).set_auto_reply("Away.")
    for user in plan.full:
        net.account(user).configure(quota_messages=1)
    running = {host for host in HOSTS if host in net._portal.simulation.hosts.running}
    for host in plan.stopped & running:
        net.find_host(host).stop()
    for host in plan.deferring.keys() & running:
        net.find_host(host).attach_handler(Deferring(plan.deferring[host]))
    for host in plan.faults.keys() & running:
        for (stage, action), times in plan.faults[host]:
            net.find_host(host).faults.add(stage, action, times=times, must_fire=False)
    for host, style in plan.styles.items():
        net.find_host(host).configure(bounces=style)


def send(net: MailNet, plan: Plan) -> None:
    for number, (sender, recipients) in enumerate(plan.mail):
        raw = samples.plain(sender=sender, to=list(recipients), subject=f"Mail {number}")
        refusal = suppress(smtplib.SMTPRecipientsRefused)  # of x@silent.test, when it is alone
        with net.account(sender).submission.smtplib() as client, refusal:
            client.sendmail(sender, list(recipients), raw)


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(plan=plans, seed=st.integers(0, 3))
def test_every_recipient_of_every_message_has_one_settled_fate(plan: Plan, seed: int) -> None:
    with MailNet(seed=seed, timeout=20) as net:
        build(net, plan)
        send(net, plan)
        # What expires is reported, is sent on late, may expire again: each time within a queue's five days.
        for _ in range(4):
            net.clock.advance(days(6))
        assert net.queue.is_empty
        journeys = net.journeys()
        told = {mail.message_id for user in USERS for mail in net.account(user).inbox}
        for journey in journeys:
            assert journey.fate.is_final, str(journey)
            match journey.fate:
                case Delivered(to=to):
                    assert journey.message_id in told or str(to).startswith("list-bounces@"), str(journey)
                case Forwarded(to=to):
                    later = {other.recipient for other in journeys if other.message_id == journey.message_id}
                    assert set(to) <= later, str(journey)
                case Bounced() | Expired():
                    assert journey.attempts, str(journey)
                case Discarded():
                    # Nobody can be told: it is a notice itself, or comes from a list whose host is down.
                    assert str(journey.sender) == "<>", str(journey)
                case Refused():
                    assert journey.recipient.domain == "silent.test", str(journey)
                case other:
                    raise AssertionError(f"{other}:\n{journey}")
        submitted = Counter(
            (str(journey.sender), str(journey.recipient))
            for journey in journeys
            if journey.hops and journey.hops[0].peer.name == "app"
        )
        named = Counter((sender, each) for sender, recipients in plan.mail for each in recipients)
        assert submitted == named


@pytest.mark.parametrize(
    "seed", [*range(8), *(pytest.param(n, marks=pytest.mark.slow) for n in range(8, 20))]
)
def test_no_combination_of_faults_stops_the_world(seed: int) -> None:
    """Several faults at our own hosts, and real servers that go wrong: all becomes quiet, at once and in time."""
    chance = random.Random(seed)
    combination = [
        (chance.choice(POSSIBLE), chance.choice([1, 2, 10_000])) for _ in range(chance.randint(2, 5))
    ]
    odd = [ScriptedServer(*chance.choice(ODD), times=chance.choice([1, 10_000])) for _ in range(2)]
    with scripted(*odd), MailNet(seed=seed) as net:
        net.queue.schedule(gaps=[minutes(30)], give_up_after=hours(3))
        shop, bob = net.accounts("shop@shop.test", "bob@a.test")
        to = [bob.address, "gone@a.test"]
        for number, server in enumerate(odd):
            net.add_external_host(f"mx.real{number}.test", "127.0.0.1", server.port)
            net.domain(f"real{number}.test", mx=[f"mx.real{number}.test"])
            to.append(f"ann@real{number}.test")
        for (stage, action), times in combination:
            net.mx("a.test").faults.add(stage, action, times=times, must_fire=False)
        for number in range(3):
            with shop.submission.smtplib() as client:
                client.sendmail(shop.address, to, samples.plain(to=to, subject=f"Mail {number}"))
        net.settle()
        waiting = {(entry.queue_id, address) for entry in net.queue for address in entry.recipients}
        under_way = {entry.queue_id for entry in net.queue if entry.next_attempt is None}
        for journey in net.journeys():
            if under_way & set(journey.queue_ids):
                continue  # another recipient's server is slow, so it is not decided what becomes of this one
            is_waiting = any((id, str(journey.recipient)) in waiting for id in journey.queue_ids)
            assert isinstance(journey.fate, Queued) is is_waiting, f"{combination}\n{journey}"
        for _ in range(3):
            net.clock.advance(hours(4))
        assert net.queue.is_empty, combination
        told = {mail.message_id for mail in bob.inbox}
        returned = Counter(
            each.recipient
            for mail in shop.inbox
            if mail.delivery_report is not None and mail.delivery_report.action == "failed"
            for each in mail.delivery_report.recipients
        )
        for journey in net.journeys():
            if str(journey.sender) != shop.address:
                continue
            match journey.fate:
                case Delivered():
                    assert journey.message_id in told, str(journey)
                case Bounced() | Expired():
                    returned[str(journey.recipient)] -= 1
                case Relayed():
                    assert str(journey.recipient).startswith("ann@real")
                case other:
                    raise AssertionError(f"{combination}\n{other}:\n{journey}")
        assert not +returned, combination
        assert not -returned, combination
