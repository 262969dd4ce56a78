"""What hosts do to messages on their way, and which signatures survive it; dkimpy is the judge."""

from __future__ import annotations

from datetime import UTC, datetime

import dkim
import pytest

from fakemail.dkim.dkim_sign import signatures
from fakemail.dkim.keys import process_key
from fakemail.message import samples
from fakemail.message.message import MessageView
from fakemail.model import host
from fakemail.model.dkim import CANONICALIZATIONS, Dkim
from fakemail.mta.inbound.alterations import ALTERATIONS, alter

KEY = process_key("rsa-1024", 0)
RAW = (
    b"From: Hello <hello@shop.test>\r\nSubject: Hi\r\nTo: a@example.org,\r\n b@example.org\r\n"
    b"\r\nTwo  words \r\n"
)
# Which of the four canonicalizations live through it, and whether a length of the body helps.
SURVIVORS = {
    "footer": (),
    "whitespace": ("relaxed/relaxed", "simple/relaxed"),
    "subject": (),
    "folding": ("relaxed/relaxed", "relaxed/simple"),
    "from": (),
    "second_from": (),
    "signatures": (),
}


def signed(canonicalization: str = "relaxed/relaxed", *, oversign=("From",), body_length=False) -> bytes:
    how = Dkim(canonicalization=canonicalization, oversign=oversign, body_length=body_length)
    return signatures(RAW, [(how, KEY)], domain="shop.test", now=datetime(2026, 1, 2, tzinfo=UTC)) + RAW


def verifies(raw: bytes) -> bool:
    return bool(dkim.verify(raw, dnsfunc=lambda name, timeout=5: KEY.record.encode()))


def test_the_names_are_those_of_the_description():
    assert tuple(ALTERATIONS) == host.ALTERATIONS == tuple(SURVIVORS)


@pytest.mark.parametrize("canonicalization", CANONICALIZATIONS)
@pytest.mark.parametrize("name", ALTERATIONS)
def test_what_a_signature_lives_through(name, canonicalization):
    altered = alter(signed(canonicalization), {name}, host="relay.test")
    assert altered != signed(canonicalization)
    assert verifies(altered) == (canonicalization in SURVIVORS[name])


def test_what_the_signer_could_have_done_differently():
    assert verifies(alter(signed(body_length=True), {"footer"}, host="relay.test"))
    assert verifies(alter(signed(oversign=()), {"second_from"}, host="relay.test")) is False  # dkimpy minds


def test_what_a_reader_sees():
    everything = MessageView(alter(signed(), set(ALTERATIONS), host="relay.test"))
    assert everything.headers.all("From") == [
        "Somebody else <somebody@relay.test>",
        "<hello=shop.test@relay.test>",
    ]
    assert everything.subject == "[EXTERNAL] Hi"
    assert everything.text == "Two words\n--\nThis message was looked at on its way.\n"
    assert "DKIM-Signature" not in everything.headers


@pytest.mark.parametrize("raw", [samples.html(), samples.with_attachment(), samples.inline_picture()])
def test_a_footer_leaves_the_parts_readable(raw):
    old, new = MessageView(raw), MessageView(alter(raw, {"footer"}, host="relay.test"))
    assert new.html == old.html
    assert [each.content for each in new.attachments] == [each.content for each in old.attachments]


def test_nothing_is_changed_unless_it_is_asked_for():
    assert alter(RAW, (), host="relay.test") is RAW
