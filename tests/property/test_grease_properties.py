"""Whatever chance makes of replies and responses, a reader that keeps to the grammar reads the same."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from fakemail.grease import Grease
from fakemail.smtp import replies
from fakemail.smtp.client import ReplyReader
from fakemail.smtp.extensions import names_of
from fakemail.types.reason import Reason
from fakemail.types.seeded_random import SeededRandom
from fakemail.types.stage import Stage

SEEDS = st.integers(0, 2**32)
PLAIN = (replies.OK, replies.GO_AHEAD, replies.BYE, replies.refusal(Reason.NO_SUCH_USER), replies.SENDER_OK)


@given(SEEDS, st.sampled_from(PLAIN), st.sampled_from([Stage.SMTP_RCPT, Stage.SMTP_END, Stage.SMTP_BANNER]))
def test_a_reply_means_the_same(seed: int, reply: replies.Reply, stage: Stage) -> None:
    varied = Grease(SeededRandom(seed)).reply(stage, reply)
    (read,) = ReplyReader().feed(varied.wire)
    assert read.code == reply.code
    if reply.enhanced is not None:
        assert read.enhanced == reply.enhanced


@given(SEEDS)
def test_keywords_are_the_same_in_any_order(seed: int) -> None:
    words = ("PIPELINING", "SIZE 1000", "ENHANCEDSTATUSCODES", "STARTTLS", "8BITMIME", "AUTH PLAIN LOGIN")
    variety = Grease(SeededRandom(seed))
    varied = variety.reply(Stage.SMTP_HELO, replies.greeting("mx.example.org", "app", words))
    first, *others = varied.text.split("\n")
    assert first == "mx.example.org greets app"
    found = {name.upper() for name in names_of(tuple(others))}
    known = set(names_of(words)) - (set() if variety.has_codes else {"ENHANCEDSTATUSCODES"})
    assert {name for name in found if not name.startswith("X")} == known
    assert {"SIZE 1000", "AUTH PLAIN LOGIN", "STARTTLS"} <= set(others)


@given(SEEDS, st.binary(max_size=3000))
def test_pieces_are_the_whole(seed: int, octets: bytes) -> None:
    pieces = Grease(SeededRandom(seed)).pieces(octets)
    assert b"".join(pieces) == octets
    assert all(pieces) or not octets


@given(SEEDS, st.sampled_from([b"INBOX", b"Sent", b"a/b"]))
def test_a_mailbox_keeps_its_name(seed: int, name: bytes) -> None:
    varied = Grease(SeededRandom(seed)).response(b'* LIST (\\HasNoChildren) "/" %s\r\n' % name)
    match = re.fullmatch(
        rb'\* LIST \(\\HasNoChildren\) "/" (?:"([^"]+)"|\{(\d+)\}\r\n(.+)|([^"{]+))\r\n', varied
    )
    assert match is not None
    assert name in match.groups()
    if match[2]:
        assert int(match[2]) == len(name)


@given(SEEDS)
def test_an_envelope_keeps_its_subject(seed: int) -> None:
    line = b'* 1 FETCH (ENVELOPE ("a date" "a subject" NIL NIL NIL NIL NIL NIL NIL NIL) UID 1)\r\n'
    varied = Grease(SeededRandom(seed)).response(line)
    assert varied in (line, line.replace(b'"a subject"', b"{9}\r\na subject"))
