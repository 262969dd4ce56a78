"""Readers of the log take any events in any order, and no text of a peer gets through unescaped."""

import json
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from fakemail.clock import VirtualClock
from fakemail.events.export import to_json_lines
from fakemail.events.journey import Journeys
from fakemail.events.kinds import (
    Attempt,
    Connected,
    Disconnected,
    Event,
    MessageDelivered,
    MessageQueued,
    Routed,
    SmtpCommand,
)
from fakemail.events.log import Log
from fakemail.events.secrets import MASK, mask_command
from fakemail.events.smtp_transactions import SmtpTransactions
from fakemail.events.text_layout import shown
from fakemail.events.transcript import Order, transcript
from fakemail.types.address import NULL_PATH, address
from fakemail.types.peer import Peer
from fakemail.types.reason import Reason
from fakemail.types.reply import Reply
from fakemail.types.stage import Stage

STAGES = [stage for stage in Stage if stage.value.startswith("smtp.")]
hosts = st.sampled_from(["a", "b"])
ids = st.sampled_from(["", "Q1", "Q2", "Q3"])
people = st.sampled_from([address("ann@a.test"), address("bob@b.test")])
paths = st.none() | st.just(NULL_PATH) | people
some_replies = st.none() | st.sampled_from(
    [Reply(250), Reply(354), Reply(451, "4.7.1"), Reply(550, None, "\x1b")]
)
reasons = st.none() | st.sampled_from([Reason.NULL_MX, Reason.TIMEOUT])
peers = st.sampled_from([Peer("203.0.113.5", 1, "app"), Peer("192.0.2.1", 1, "a"), Peer("192.0.2.2", 1, "b")])
stages = st.sampled_from(STAGES)
header = {"host": hosts, "connection": st.integers(0, 2), "message": ids}
heads = st.sampled_from([b"", b"Subject: a\r\nMessage-ID: <a@b>\r\n", b"subject:\x1b=?x?q?\xff"])
events: list[st.SearchStrategy[Event]] = [
    st.builds(Connected, **header, protocol=st.just("smtp"), peer=peers),
    st.builds(Disconnected, **header, by=st.just("client"), reason=reasons, detail=st.just("")),
    st.builds(
        SmtpCommand,
        **header,
        stage=stages,
        line=st.text(max_size=8),
        reply=some_replies,
        reason=reasons,
        address=paths,
    ),
    st.builds(
        MessageQueued,
        **header,
        sender=people,
        recipients=st.tuples(people),
        size=st.just(1),
        head=heads,
        origin=ids,
    ),
    st.builds(
        Routed,
        **header,
        domain=st.just("b.test"),
        mail_hosts=st.just(("b",)),
        reason=reasons,
        detail=st.just(""),
    ),
    st.builds(
        Attempt,
        **header,
        recipient=people,
        mail_host=hosts,
        address=st.just(""),
        at=stages,
        reply=some_replies,
        reason=reasons,
        detail=st.just(""),
        tls=st.just(""),
        final=st.booleans(),
        onward=ids,
    ),
    st.builds(
        MessageDelivered, **header, recipient=people, account=people, mailbox=st.just("INBOX"), uid=st.just(1)
    ),
]
logs = st.lists(st.one_of(events), max_size=30)


@given(logs)
def test_readers_take_any_events(events: list[Event]) -> None:
    log = Log(VirtualClock(datetime(2026, 1, 2, tzinfo=UTC)))
    asked_often = Journeys(log)
    for event in events:
        log.append(event)
        assert [str(each) for each in asked_often.all()] == [str(each) for each in Journeys(list(log)).all()]
        assert log.events(event.stage) == [each for each in log if each.stage is event.stage]
    found = asked_often.all()
    for journey in found:
        assert repr(journey) in map(repr, asked_often.find(to=journey.recipient, sender=journey.sender))
    transactions = SmtpTransactions()
    found_there = [transactions.add(event) for event in log]
    started = {id(each): each for each in found_there if each is not None}
    named = sum(len(transaction.recipients) for transaction in started.values())
    assert len(found) <= named + sum(isinstance(event, MessageQueued) for event in log)
    for journey in found:
        assert str(journey).count("\n") == len(journey.steps) > 0
        assert all(line.isprintable() for line in str(journey).split("\n"))
    assert {str(j.recipient) for j in Journeys(log).find(to="bob@b.test")} <= {"bob@b.test"}
    for order in Order:
        assert all(line.isprintable() for line in transcript(log, order=order).split("\n"))
    assert [json.loads(line)["number"] for line in to_json_lines(log).splitlines()] == [e.number for e in log]


@given(st.text(max_size=60))
def test_shown_is_printable_and_keeps_what_is(text: str) -> None:
    assert shown(text).isprintable()
    assert not text.isprintable() or shown(text) == text


@given(
    st.sampled_from(["AUTH PLAIN ", "auth  xoauth2 ", "PASS ", "a LOGIN bob "]),
    st.text("abc=+/ ", min_size=4),
)
def test_secret_never_survives(command: str, secret: str) -> None:
    masked = mask_command(command + secret)
    assert masked.endswith(MASK) or not secret.strip(" ")
    assert mask_command(masked) == masked
