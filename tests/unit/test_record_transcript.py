"""Transcripts, masking, escaping and the JSON export."""

import json
from datetime import UTC, datetime, timedelta
from types import NoneType
from typing import get_args

import pytest
from msgspec.structs import fields

from fakemail.clock import VirtualClock
from fakemail.events.export import to_json_lines
from fakemail.events.kinds import (
    Attempt,
    Connected,
    Disconnected,
    Event,
    Handshake,
    MessageDelivered,
    MessageQueued,
    Query,
    Routed,
    SmtpCommand,
)
from fakemail.events.log import Log
from fakemail.events.secrets import MASK, mask_command, mask_line, mask_response
from fakemail.events.text_layout import columns, shown
from fakemail.events.transcript import Order, lines, transcript
from fakemail.types.address import NULL_PATH, Address, Path, address
from fakemail.types.peer import Peer
from fakemail.types.reason import Reason
from fakemail.types.reply import Reply
from fakemail.types.stage import Stage

APP = Peer("203.0.113.5", 40000, "app")
BOB = address("bob@example.org")


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))


@pytest.fixture
def log(clock: VirtualClock) -> Log:
    log = Log(clock)
    log.append(Connected(host="smtp.shop.test", connection=1, protocol="submission", peer=APP))
    _say(log, Stage.SMTP_BANNER, "", Reply(220, None, "smtp.shop.test ESMTP"))
    log.append(Connected(host="mx1.example.org", connection=2, protocol="smtp", peer=APP))
    _say(log, Stage.SMTP_HELO, "EHLO app", Reply(250, None, "smtp.shop.test\nSTARTTLS\nSIZE 1000"))
    log.append(
        Handshake(
            host="smtp.shop.test",
            connection=1,
            version="TLSv1.3",
            cipher="TLS_AES_256_GCM_SHA384",
            server_name="smtp.shop.test",
            client_certificate="",
            refused_by="",
            alert="",
            detail="",
        )
    )
    log.append(
        Handshake(
            host="mx1.example.org",
            connection=2,
            version="",
            cipher="",
            server_name="mx.test",
            client_certificate="",
            refused_by="client",
            alert="unknown_ca",
            detail="not trusted",
        )
    )
    _say(log, Stage.SMTP_AUTH, "AUTH PLAIN c2VjcmV0", Reply(334))
    _say(log, Stage.SMTP_AUTH, "c2VjcmV0", Reply(535, "5.7.8", "no"), Reason.AUTH_FAILED)
    _say(log, Stage.SMTP_END, ".", Reply(250, "2.0.0", "queued as A1"), message="A1")
    log.append(
        MessageQueued(
            host="smtp.shop.test",
            connection=1,
            message="A1",
            sender=NULL_PATH,
            recipients=(BOB,),
            size=512,
            head="Message-ID: <1@x>\r\nSubject: Hi \u202eyou\r\n".encode(),
            origin="",
        )
    )
    clock.move(timedelta(days=1))
    log.append(
        Disconnected(host="smtp.shop.test", connection=1, by="server", reason=Reason.TIMEOUT, detail="300 s")
    )
    peer = Peer("192.0.2.1", 53, "smtp.shop.test")
    records = ("10 mx1.example.org.", "20 mx2.example.org.")
    log.append(
        Query(
            host="ns.test",
            client=peer,
            transport="udp",
            name="example.org",
            type="MX",
            answer="NOERROR",
            records=records,
        )
    )
    log.append(
        Routed(
            host="smtp.shop.test",
            message="A1",
            domain="example.org",
            mail_hosts=("mx1.example.org",),
            reason=None,
            detail="",
        )
    )
    _say(log, Stage.SMTP_MAIL, "MAIL FROM:<>", None, host="mx1.example.org", connection=2)
    log.append(
        Attempt(
            host="smtp.shop.test",
            message="A1",
            recipient=BOB,
            mail_host="mx1.example.org",
            address="198.51.100.1",
            at=Stage.SMTP_RCPT,
            reply=Reply(451, "4.7.1", "later"),
            reason=Reason.TIMEOUT,
            detail="",
            tls="TLSv1.3",
            final=True,
        )
    )
    log.append(
        MessageDelivered(
            host="mx1.example.org", message="B1", recipient=BOB, account=BOB, mailbox="INBOX", uid=7
        )
    )
    return log


def _say(
    log: Log,
    stage: Stage,
    line: str,
    reply: Reply | None,
    reason: Reason | None = None,
    *,
    message: str = "",
    host: str = "smtp.shop.test",
    connection: int = 1,
) -> None:
    log.append(
        SmtpCommand(
            stage=stage,
            host=host,
            connection=connection,
            message=message,
            line=line,
            reply=reply,
            reason=reason,
            address=None,
        )
    )


def test_transcript_by_connection(log: Log) -> None:
    assert transcript(log).splitlines() == [
        "== 2026-01-02 03:04:05 UTC",
        "-- connection 1: app [203.0.113.5]:40000 to smtp.shop.test, submission",
        "   S: 220 smtp.shop.test ESMTP",
        "   C: EHLO app",
        "   S: 250-smtp.shop.test",
        "   S: 250-STARTTLS",
        "   S: 250 SIZE 1000",
        "   -- TLSv1.3 TLS_AES_256_GCM_SHA384, asked for smtp.shop.test",
        "   C: AUTH PLAIN ********",
        "   S: 334",
        "   C: ********",
        "   S: 535 5.7.8 no   (authentication failed)",
        "   C: (end of message)",
        "   S: 250 2.0.0 queued as A1",
        "   A1 queued: <> to bob@example.org, 512 octets, 'Hi \\\\u202eyou'",
        "== 2026-01-03 03:04:05 UTC",
        "   -- closed by the server (timeout: 300 s)",
        "== 2026-01-02 03:04:05 UTC",
        "-- connection 2: app [203.0.113.5]:40000 to mx1.example.org, smtp",
        "   -- TLS handshake refused by the client with alert unknown_ca (not trusted), asked for mx.test",
        "== 2026-01-03 03:04:05 UTC",
        "   C: MAIL FROM:<>",
        "   S: (no reply)",
        "dns: smtp.shop.test asked ns.test for MX example.org (udp): NOERROR, 10 mx1.example.org.; "
        "20 mx2.example.org.",
        "smtp.shop.test  A1 routed example.org to mx1.example.org",
        "smtp.shop.test  A1 tried at mx1.example.org [198.51.100.1] for bob@example.org, to smtp.rcpt, "
        "TLSv1.3: 451 4.7.1 later (timeout)",
        "mx1.example.org  B1 delivered for bob@example.org: bob@example.org, INBOX, UID 7",
    ]


def test_transcript_in_time_order_has_a_column_for_host_and_connection(log: Log) -> None:
    lines = transcript(log, order=Order.TIME).splitlines()
    assert lines[:4] == [
        "== 2026-01-02 03:04:05 UTC",
        "smtp.shop.test   #1  -- connection 1: app [203.0.113.5]:40000 to smtp.shop.test, submission",
        "smtp.shop.test   #1  S: 220 smtp.shop.test ESMTP",
        "mx1.example.org  #2  -- connection 2: app [203.0.113.5]:40000 to mx1.example.org, smtp",
    ]
    assert lines[-1].startswith("mx1.example.org      B1 delivered")


def test_transcript_of_a_part(log: Log) -> None:
    assert "smtp.shop.test, submission" not in transcript(log, connection=2)
    assert "S: (no reply)" in transcript(log, host="mx1.example.org")
    assert transcript(log, message="B1").count("\n") == 1
    assert transcript(log, connection=99) == ""
    late = log.events(connection=1, since=3)
    assert transcript(late).startswith("-- connection 1 to smtp.shop.test\n== 2026")


def test_no_reader_shows_a_secret(log: Log) -> None:
    for text in (transcript(log), transcript(log, order=Order.TIME), to_json_lines(log)):
        assert "c2VjcmV0" not in text
        assert MASK in text


def test_peer_cannot_write_to_the_terminal(clock: VirtualClock) -> None:
    log = Log(clock)
    _say(log, Stage.SMTP_UNKNOWN, "\x1b]0;owned\x07" + "x" * 500, Reply(500, None, "\x9b2J\udcff"))
    text = transcript(log)
    assert "C: \\x1b]0;owned\\x07" + "x" * 190 + "... [310 more]" in text
    assert "S: 500 \\x9b2J\\xff" in text


@pytest.mark.parametrize(
    ("line", "masked"),
    [
        ("AUTH PLAIN dGVzdA==", "AUTH PLAIN ********"),
        ("auth plain  dGVzdA==", "auth plain  ********"),
        ("AUTH LOGIN", "AUTH LOGIN"),
        ("AUTH  LOGIN ", "AUTH  LOGIN "),
        ("AUTH PLAIN =", "AUTH PLAIN ="),
        ("AUTH PLAIN ********", "AUTH PLAIN ********"),
        ("AUTH dGVzdDp0ZXN0OnNlY3JldHNlY3JldA==", "AUTH ********"),
        ("AUTH", "AUTH"),
        ("PASS open sesame", "PASS ********"),
        ("APOP bob c4c9334bac560ecc979e58001b3e22fb", "APOP bob ********"),
        ("a1 LOGIN bob secret", "a1 LOGIN bob ********"),
        ('a1 login "bo\\"b x" "sec ret"', 'a1 login "bo\\"b x" ********'),
        ("a1 LOGIN {3}\r\nbob {6}\r\nsecret", "a1 LOGIN {3}\r\n********"),
        ("a1 AUTHENTICATE PLAIN dGVzdA==", "a1 AUTHENTICATE PLAIN ********"),
        ("a1 AUTHENTICATE PLAIN", "a1 AUTHENTICATE PLAIN"),
        ("XCLIENT ADDR=192.0.2.1 LOGIN=bob", "XCLIENT ADDR=192.0.2.1 LOGIN=bob"),
        ("MAIL FROM:<pass@login.test> AUTH=<>", "MAIL FROM:<pass@login.test> AUTH=<>"),
        ("USER bob", "USER bob"),
        ("", ""),
    ],
)
def test_mask_command(line: str, masked: str) -> None:
    assert mask_command(line) == masked
    assert mask_command(masked) == masked


def test_answers_to_challenges_are_masked_and_nothing_else_is() -> None:
    assert [mask_response(line) for line in ("", "*", "=", "c2VjcmV0")] == ["", "*", "=", MASK]
    assert mask_line(Stage.SMTP_AUTH, "auth login") == "auth login"
    assert mask_line(Stage.SMTP_AUTH, "Ym9i") == MASK
    assert mask_line(Stage.SMTP_NOOP, "Ym9i") == "Ym9i"


def test_shown() -> None:
    assert shown("plain ünï ✉ text") == "plain ünï ✉ text"
    assert shown("a\r\n\t\0\x7f\u2028\u202e\U000e0001\udc80") == (
        "a\\r\\n\\t\\x00\\x7f\\u2028\\u202e\\U000e0001\\x80"
    )
    assert shown("abcdef", limit=4) == "abcd... [2 more]"


def test_a_wide_cell_does_not_push_the_other_rows() -> None:
    assert columns([("a", "b", "c"), ("aa", "b" * 9, "c"), ("a",)], widest=5) == [
        "a   b  c",
        "aa  bbbbbbbbb  c",
        "a",
    ]
    assert columns([]) == []


def test_json_lines(log: Log) -> None:
    objects = [json.loads(line) for line in to_json_lines(log).splitlines()]
    assert [found["number"] for found in objects] == list(range(1, len(log) + 1))
    assert objects[0] == {
        "kind": "connected",
        "number": 1,
        "time": "2026-01-02T03:04:05+00:00",
        "stage": "connect",
        "host": "smtp.shop.test",
        "connection": 1,
        "message": "",
        "protocol": "submission",
        "peer": {"address": "203.0.113.5", "port": 40000, "name": "app"},
        "is_early": False,
    }
    by_kind = {found["kind"]: found for found in objects}
    assert by_kind["message_queued"]["sender"] == "<>"
    assert by_kind["message_queued"]["recipients"] == ["bob@example.org"]
    assert by_kind["attempt"]["at"] == "smtp.rcpt"
    assert by_kind["attempt"]["reason"] == "timeout"
    assert by_kind["attempt"]["reply"] == {"code": 451, "enhanced": "4.7.1", "text": "later"}
    assert by_kind["attempt"]["onward"] == ""
    assert by_kind["smtp_command"]["reply"] is None
    assert to_json_lines([]) == ""


SAMPLES: dict[object, object] = {
    str: "x",
    int: 1,
    bool: True,
    bytes: b"",
    datetime: datetime(2026, 1, 2, tzinfo=UTC),
    Stage: Stage.SMTP_END,
    Address: BOB,
    Path: NULL_PATH,
    Peer: APP,
}


@pytest.mark.parametrize("kind", Event.__subclasses__(), ids=lambda kind: kind.__name__)
def test_every_kind_of_event_has_a_line_and_an_object(kind: type[Event]) -> None:
    values = {
        field.name: None if NoneType in get_args(field.type) else SAMPLES.get(field.type, ())
        for field in fields(kind)
        if field.name not in ("number", "time")
    }
    event = Log(VirtualClock(datetime(2026, 1, 2, tzinfo=UTC))).append(kind(**values))
    assert "".join(lines(event)).strip()
    assert json.loads(to_json_lines([event]))["host"] == "x"


def test_an_unknown_field_of_an_event_is_answered_with_the_one_that_is_meant(log: Log) -> None:
    with pytest.raises(AttributeError, match="did you mean 'protocol'"):
        _ = next(iter(log)).protocoll  # type: ignore[attr-defined]


def test_an_event_cannot_be_changed(log: Log) -> None:
    with pytest.raises(AttributeError, match="immutable"):
        next(iter(log)).host = "other"  # type: ignore[misc]
