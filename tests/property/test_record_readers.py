"""Readers of the log take any events in any order, and no text of a peer gets through unescaped."""

import json
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from fakemail.clock import VirtualClock
from fakemail.events.export import to_json_lines
from fakemail.events.journey import find, journeys
from fakemail.events.kinds import (
    Attempt,
    Connected,
    Disconnected,
    MessageDelivered,
    MessageQueued,
    Routed,
    SmtpCommand,
)
from fakemail.events.log import Log
from fakemail.events.secrets import MASK, mask_command
from fakemail.events.sessions import transactions
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
facts = st.one_of(
    st.tuples(st.just(Connected), st.just(Stage.CONNECT), st.just("smtp"), peers),
    st.tuples(st.just(Disconnected), st.just(Stage.DISCONNECT), st.just("client"), reasons, st.just("")),
    st.tuples(st.just(SmtpCommand), stages, st.text(max_size=8), some_replies, reasons, paths),
    st.tuples(
        st.just(MessageQueued),
        st.just(Stage.QUEUE),
        people,
        st.tuples(people),
        st.just(1),
        st.sampled_from([b"", b"Subject: a\r\nMessage-ID: <a@b>\r\n", b"subject:\x1b=?x?q?\xff"]),
        ids,
    ),
    st.tuples(
        st.just(Routed), st.just(Stage.ROUTE), st.just("b.test"), st.just(("b",)), reasons, st.just("")
    ),
    st.tuples(
        *(
            st.just(Attempt),
            st.just(Stage.ATTEMPT),
            people,
            hosts,
            st.just(""),
            stages,
            some_replies,
            reasons,
        ),
        *(st.just(""), st.just(""), st.booleans(), ids),
    ),
    st.tuples(
        st.just(MessageDelivered), st.just(Stage.DELIVER), people, people, st.just("INBOX"), st.just(1)
    ),
)
logs = st.lists(st.tuples(hosts, st.integers(0, 2), ids, facts), max_size=30)


@given(logs)
def test_readers_take_any_events(rows: list[tuple[str, int, str, tuple[object, ...]]]) -> None:
    log = Log(VirtualClock(datetime(2026, 1, 2, tzinfo=UTC)))
    for host, connection, message, (kind, stage, *rest) in rows:
        log.append(kind, stage, host, connection, message, *rest)  # type: ignore[type-var, arg-type]
    found = journeys(log)
    named = sum(len(transaction.recipients) for transaction in transactions(log))
    assert len(found) <= named + sum(isinstance(event, MessageQueued) for event in log)
    for journey in found:
        assert str(journey).count("\n") == len(journey.steps) > 0
        assert all(line.isprintable() for line in str(journey).split("\n"))
    assert {str(j.recipient) for j in find(log, to="bob@b.test")} <= {"bob@b.test"}
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
