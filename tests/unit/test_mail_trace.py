"""Trace fields, completion, the count of hops, and the samples."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from fakemail.message import samples
from fakemail.message.headers import Headers, body_offset, split_fields
from fakemail.message.message import MessageView
from fakemail.message.mime import parse
from fakemail.message.trace import complete, count_received, prepend, protocol, received, return_path
from fakemail.types.address import NULL_PATH, Address, address

WHEN = datetime(2024, 5, 17, 9, 30, tzinfo=UTC)


def received_by_us(**changes: object) -> bytes:
    facts: dict[str, object] = {
        "helo": "laptop.test",
        "client_ip": "192.0.2.7",
        "by": "mx1.example.org",
        "date": WHEN,
        "queue_id": "ABC123",
    }
    return received(**{**facts, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize("path", ['"a b"@x.test', '"<a>"@x.test', '"a@b"@x.test', r'"a\"\\ b"@x.test'])
def test_a_quoted_local_part_is_kept_as_it_is(path: str) -> None:
    """RFC 5321 §4.1.2: between quotes a space and angle brackets are text."""
    assert return_path(address(path)) == f"Return-Path: <{path}>\r\n".encode()
    assert f"for <{path}>;" in received_by_us(recipient=address(path)).decode()


def test_return_path() -> None:
    assert return_path(NULL_PATH) == b"Return-Path: <>\r\n"
    assert return_path(address("bob@example.org")) == b"Return-Path: <bob@example.org>\r\n"
    assert return_path(address("bøb@example.org")) == "Return-Path: <bøb@example.org>\r\n".encode()
    assert return_path(Address("a>\r\nX: y", "b.test")).count(b"\n") == 1
    assert return_path(Address("a", "b.test>\r\nX: <y")) == b"Return-Path: <a@b.test???x:??y>\r\n"


def test_received_in_full() -> None:
    field = received_by_us(
        client_name="laptop.rdns.test",
        with_="ESMTPSA",
        tls="TLSv1.3 cipher TLS_AES_256_GCM_SHA384",
        recipient=address("bob@example.org"),
    )
    assert field == (
        b"Received: from laptop.test (laptop.rdns.test [192.0.2.7])\r\n"
        b"\t(using TLSv1.3 cipher TLS_AES_256_GCM_SHA384)\r\n"
        b"\tby mx1.example.org with ESMTPSA id ABC123\r\n"
        b"\tfor <bob@example.org>;\r\n"
        b"\tFri, 17 May 2024 09:30:00 +0000\r\n"
    )


def test_received_at_its_shortest() -> None:
    assert received_by_us(client_ip="2001:db8::1", helo="") == (
        b"Received: from unknown (unknown [IPv6:2001:db8::1])\r\n"
        b"\tby mx1.example.org with ESMTP id ABC123;\r\n"
        b"\tFri, 17 May 2024 09:30:00 +0000\r\n"
    )


@pytest.mark.parametrize(
    "helo",
    ["x\r\nBcc: evil@x.test", "a (b", "a;b", "\x00\x1b", "x" * 100_000, "a\u2028b", "a\u0085b", "<a>", "a\\"],
)
def test_a_hostile_client_cannot_leave_its_place(helo: str) -> None:
    field = received_by_us(helo=helo, client_name=helo)
    assert len(field) < 1200
    fields = split_fields(field)
    assert [one.name for one in fields] == ["Received"]
    assert field.count(b"\n") == 3
    assert field.count(b"(") == field.count(b")") == 1
    assert field.count(b";") == 1


@pytest.mark.parametrize(
    ("facts", "word"),
    [
        ({"extended": False, "tls": True}, "SMTP"),
        ({}, "ESMTP"),
        ({"tls": True}, "ESMTPS"),
        ({"auth": True}, "ESMTPA"),
        ({"tls": True, "auth": True}, "ESMTPSA"),
        ({"utf8": True, "tls": True, "auth": True}, "UTF8SMTPSA"),
    ],
)
def test_protocol_words(facts: dict[str, bool], word: str) -> None:
    assert protocol(**facts) == word


def test_complete_adds_what_is_absent_and_nothing_else() -> None:
    raw = b"Subject: x\r\n\r\nDate: in the body\r\n"
    done = complete(raw, date=WHEN, message_id="<1@shop.test>")
    assert done == b"Date: Fri, 17 May 2024 09:30:00 +0000\r\nMessage-ID: <1@shop.test>\r\n" + raw
    assert complete(done, date=WHEN, message_id="<2@shop.test>") == done
    dated = b"X: y\r\nDATE : now\r\n\r\n"
    assert complete(dated, date=WHEN, message_id="<1@a>") == b"Message-ID: <1@a>\r\n" + dated
    assert complete(b"message-id: x\r\n\r\n", date=WHEN, message_id="<1@a>").count(b"essage-") == 1


def test_a_body_without_header_stays_a_body() -> None:
    raw = b"Hello, no header.\r\n"
    done = complete(raw, date=WHEN, message_id="<1@a>")
    assert done[body_offset(done) :] == raw
    assert prepend(b"", b"A: 1\r\n") == b"A: 1\r\n"
    assert prepend(b"\r\nbody", b"A: 1\r\n") == b"A: 1\r\n\r\nbody"


@pytest.mark.parametrize(
    ("raw", "hops"),
    [
        (b"", 0),
        (b"Received: a\r\nReceived: b\r\nX: y\r\nRECEIVED : c\r\n\r\nReceived: no\r\n", 3),
        (b"Received: a\nreceived: b\n\nReceived: no", 2),
        (b"X-Received: a\r\nReceived-SPF: pass\r\nX: y\r\n Received: no\r\n\r\n", 0),
        (b"Received-SPF: pass\r\n\r\n", 0),
    ],
)
def test_hops_are_counted_in_the_header_only(raw: bytes, hops: int) -> None:
    assert count_received(raw) == hops


class Account:
    address = address("ann@example.org")


def test_samples_are_whole_messages_and_the_same_every_time() -> None:
    made = [
        samples.plain, samples.html, samples.question, samples.newsletter, samples.with_attachment, samples.large,
        samples.utf8, samples.eight_bit, samples.inline_picture, samples.deep_mime,
    ]  # fmt: skip
    for sample in made:
        raw = sample()
        assert raw == sample()
        assert raw.replace(b"\r\n", b"").count(b"\n") == 0, sample.__name__
        assert raw.endswith(b"\r\n")
        assert max(map(len, raw.split(b"\r\n"))) <= 998
        headers = Headers(split_fields(raw, 0, body_offset(raw)))
        for name in ("From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type"):
            assert len(headers.all(name)) == 1, (sample.__name__, name)


def test_samples_take_accounts_and_lists() -> None:
    mail = MessageView(samples.question(sender=Account(), to=["a@b.test", Account()], subject="Größe?"))
    assert mail.sender == "ann@example.org"
    assert mail.to == ["a@b.test", "ann@example.org"]
    assert mail.subject == "Größe?"
    assert (
        samples.question(subject="a").split(b"Message-ID")[1]
        != samples.question(subject="b").split(b"Message-ID")[1]
    )


@pytest.mark.parametrize("size", [300, 301, 302, 1000, 1001, 100_000])
def test_a_large_sample_has_exactly_its_size(size: int) -> None:
    raw = samples.large(size=size)
    assert len(raw) == size
    assert raw.endswith(b"\r\n")


def test_a_large_sample_cannot_be_too_small() -> None:
    with pytest.raises(ValueError, match="at least"):
        samples.large(size=10)


def test_what_the_samples_need_of_a_server() -> None:
    assert not samples.utf8()[: body_offset(samples.utf8())].isascii()
    eight = samples.eight_bit()
    assert eight[: body_offset(eight)].isascii()
    assert not eight.isascii()
    assert MessageView(eight).text == "Crème brûlée à volonté.\n"


def test_header_injection_through_a_subject_is_folded_away() -> None:
    assert MessageView(samples.plain(subject="a\r\nBcc: x@y.test")).bcc == []


@pytest.mark.parametrize("name", samples.malformed())
def test_malformed_samples_can_be_read(name: str) -> None:
    raw = samples.malformed()[name]
    assert sum(1 for _ in parse(raw).walk()) >= 1
    assert repr(MessageView(raw)).startswith("<Message ")
