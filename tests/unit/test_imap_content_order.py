"""SORT and THREAD: the order of messages and who answered whom (RFC 5256, RFC 5957)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from fakemail.imap.content.index import FirstAddress, HeaderIndex, collation_key
from fakemail.imap.content.sort_thread import sort_order, thread, thread_lists
from fakemail.imap.syntax.search_keys import SortCriterion, SortField, ThreadAlgorithm
from fakemail.store.content import Content
from fakemail.store.message import StoredMessage

_START = datetime(2024, 5, 17, tzinfo=UTC)


def _messages(*headers: str) -> list[StoredMessage]:
    """Messages with these header fields, the internal date of each a minute after the one before."""
    return [
        StoredMessage(
            100 + place,
            Content(header.replace("\n", "\r\n").encode() + b"\r\n\r\n" + b"x" * (place % 3)),
            frozenset(),
            _START + timedelta(minutes=place),
            1,
            _START,
            None,
            "box",
        )
        for place, header in enumerate(headers)
    ]


def _sorted(criteria: str, *headers: str) -> list[int]:
    """Sequence numbers, sorted."""
    wanted = []
    reverse = False
    for word in criteria.split():
        if word == "REVERSE":
            reverse = True
        else:
            wanted.append(SortCriterion(SortField(word), reverse))
            reverse = False
    return [place + 1 for place in sort_order(_messages(*headers), wanted)]


def _threads(algorithm: ThreadAlgorithm, *headers: str) -> str:
    messages = _messages(*headers)
    return thread_lists(thread(messages, algorithm), range(1, len(messages) + 1)).decode()


def _references(*headers: str) -> str:
    return _threads(ThreadAlgorithm.REFERENCES, *headers)


_PEOPLE = (
    "From: zoe@a\nTo: T <b@x>",
    "From: Zed <ann@b>\nTo: c@x",
    "From: =?utf-8?q?=C3=81b?= <mid@c>",
    "X: y",
)


@pytest.mark.parametrize(
    ("criteria", "headers", "expected"),
    [
        ("FROM", _PEOPLE, [4, 2, 3, 1]),
        ("DISPLAYFROM", _PEOPLE, [4, 3, 2, 1]),
        ("TO", _PEOPLE, [3, 4, 1, 2]),
        ("DISPLAYTO", _PEOPLE, [3, 4, 2, 1]),
        ("CC", ("Cc: b@x", "Cc: A@x", "Cc: a@x"), [2, 3, 1]),
        ("SIZE", ("X: 12345", "X: 1", "X: 1", "X: 1"), [4, 2, 3, 1]),
        ("REVERSE ARRIVAL", ("X: 1", "X: 2", "X: 3"), [3, 2, 1]),
        ("SUBJECT", ("Subject: b", "Subject: Re: A", "Subject: [x] a", "Subject:"), [4, 2, 3, 1]),
        # RFC 5256 §3: equal messages stay in the order of the mailbox, reversed or not.
        ("REVERSE SUBJECT", ("Subject: b", "Subject: Re: A", "Subject: [x] a", "Subject:"), [1, 2, 3, 4]),
        # The collation compares title case: "[" stands behind all capitals (RFC 5051).
        ("SUBJECT", ("Subject: [a]", "Subject: z"), [2, 1]),
        (
            "DATE",
            (
                "Date: 1 Jan 2001 00:00:00 +0000",
                "Date: 31 Dec 2000 16:01:33 -0800",
                "Date: 1 Jan 2001 00:30:00 +0100",
                "X: no date means the internal date",
            ),
            [3, 1, 2, 4],
        ),
        (
            "SUBJECT REVERSE DATE",
            (
                "Subject: b\nDate: 1 Jan 2001 1:00",
                "Subject: a\nDate: 1 Jan 2001 1:00",
                "Subject: a\nDate: 2 Jan 2001",
            ),
            [3, 2, 1],
        ),
    ],
)
def test_sort(criteria: str, headers: tuple[str, ...], expected: list[int]) -> None:
    assert _sorted(criteria, *headers) == expected


def test_sort_of_nothing() -> None:
    assert _sorted("SUBJECT") == []


@pytest.mark.parametrize(
    ("field", "address"),
    [
        (b"To: Ann <a@b>, c@d", FirstAddress("Ann", "a", "b")),
        (b"To: =?utf-8?q?=C3=A9?= <a@b>", FirstAddress("é", "a", "b")),
        (b"To: \r\nTo: a@b", FirstAddress("", "a", "b")),
        (b"To: Group: a@b;", FirstAddress("", "Group")),
        (b'To: "a b"@c', FirstAddress("", "a b", "c")),
        (b"To: bare", FirstAddress("", "bare")),
        (b"X: y", FirstAddress()),
    ],
)
def test_first_addresses(field: bytes, address: FirstAddress) -> None:
    assert HeaderIndex(field + b"\r\n\r\n").first_address("to") == address


def test_collation() -> None:
    assert collation_key("aé") == "aé".upper().replace("É", "E\u0301")
    assert collation_key("ß") == "ß"


def _mail(number: int, *references: int, subject: str | None = None, day: int | None = None) -> str:
    ids = " ".join(f"<{one}@x>" for one in references)
    return (
        f"Message-ID: <{number}@x>\nSubject: {subject if subject is not None else f's{number}'}"
        + (f"\nReferences: {ids}" if ids else "")
        + (f"\nDate: {day} Jan 2024 10:00:00 +0000" if day else "")
    )


def test_chains_and_forks() -> None:
    assert _references() == ""
    assert _references(_mail(1)) == "(1)"
    assert _references(_mail(1), _mail(2, 1), _mail(3, 1, 2)) == "(1 2 3)"
    # The shape of the example in RFC 5256 §4.
    headers = (
        _mail(1),
        _mail(2),
        _mail(3, 2),
        _mail(4, 2, 3),
        _mail(5, 2, 3, 4),
        _mail(6, 2, 3),
        _mail(7, 2, 3, 6),
        _mail(8, 2, 3, 6, 7),
    )
    assert _references(*headers) == "(1)(2 3 (4 5)(6 7 8))"


def test_missing_messages_are_dummies_only_at_the_top() -> None:
    # RFC 5256 §3, step 3
    assert _references(_mail(1, 9), _mail(2, 9)) == "((1)(2))"
    assert _references(_mail(1, 9)) == "(1)"
    assert _references(_mail(1, 8, 9), _mail(2, 8, 7)) == "((1)(2))"
    assert _references(_mail(1), _mail(2, 1, 9), _mail(3, 1, 9)) == "(1 (2)(3))"


def test_a_parent_may_come_later() -> None:
    assert _references(_mail(2, 1), _mail(1)) == "(2 1)"
    assert _references(_mail(2, 1, day=2), _mail(1, day=1)) == "(2 1)"


def test_loops_are_not_made() -> None:
    assert _references(_mail(1, 2), _mail(2, 1)) == "(2 1)"
    assert _references(_mail(1, 1)) == "(1)"
    assert _references(_mail(1, 2), _mail(2, 3), _mail(3, 1)) == "(3 2 1)"


def test_the_last_reference_is_the_parent() -> None:
    # Step 1.B: a link that another message's References made is broken.
    assert _references(_mail(1), _mail(3, 1, 2), _mail(2), _mail(4, 2)) == "(1)(3 (2)(4))"
    assert _references(_mail(1), _mail(3, 1, 2), _mail(2, 9), _mail(4, 2)) == "(1)(3 (2)(4))"
    assert _references(_mail(1), _mail(2), _mail(3, 1, 2), _mail(4, 2)) == "(1 2 (3)(4))"


def test_in_reply_to_counts_without_references() -> None:
    reply = "Message-ID: <2@x>\nIn-Reply-To: your mail <1@x> of <9@x>\nSubject: y"
    assert _references(_mail(1), reply) == "(1 2)"
    both = "Message-ID: <2@x>\nReferences: none\nIn-Reply-To: <1@x>\nSubject: y"
    assert _references(_mail(1), both) == "(1 2)"


def test_message_ids_are_compared_without_quotes() -> None:
    first = 'Message-ID: <"01KF8JCEOCBS0045PS"@xxx.yyy.com>\nSubject: a'
    second = "Message-ID: <2@x>\nReferences: <01KF8JCEOCBS0045PS@xxx.yyy.com>\nSubject: b"
    assert _references(first, second) == "(1 2)"
    assert _references("Message-ID: <A@x>\nSubject: a", "References: <a@x>\nSubject: b") == "(1)(2)"


def test_a_message_id_belongs_to_the_first_message_that_has_it() -> None:
    assert _references(_mail(1), _mail(1, subject="other"), _mail(3, 1)) == "(1 3)(2)"


def test_threads_are_sorted_by_sent_date() -> None:
    assert _references(_mail(1, day=3), _mail(2, day=1), _mail(3, day=2)) == "(2)(3)(1)"
    assert _references(_mail(1), _mail(2, 1, day=9), _mail(3, 1, day=8)) == "(1 (3)(2))"
    # A dummy counts as its first child.
    assert _references(_mail(1, 9, day=5), _mail(2, 9, day=2), _mail(3, day=3)) == "((2)(1))(3)"


@pytest.mark.parametrize(
    ("subjects", "expected"),
    [
        (("a", "Re: a", "Re: a"), "(1 (2)(3))"),
        (("Re: a", "a"), "(2 1)"),
        (("a", "a"), "((1)(2))"),
        (("Re: a", "Re: A"), "((1)(2))"),
        (("a", "a", "a"), "((1)(2)(3))"),
        (("", ""), "(1)(2)"),
        (("Re:", "Re:"), "(1)(2)"),
    ],
)
def test_threads_with_one_subject_are_put_together(subjects: tuple[str, ...], expected: str) -> None:
    # RFC 5256 §3, step 5
    assert _references(*(f"Subject: {subject}" for subject in subjects)) == expected


def test_dummies_are_merged_by_subject() -> None:
    two = (_mail(1, 8, subject="a"), _mail(2, 8, subject="b"))
    assert _references(*two, _mail(3, subject="Re: a")) == "((1)(2)(3))"
    other = (_mail(3, 9, subject="a"), _mail(4, 9, subject="c"))
    assert _references(*two, *other) == "((1)(2)(3)(4))"


def test_ordered_subject() -> None:
    headers = [
        f"Subject: {subject}\nDate: {day} Jan 2024 10:00:00 +0000"
        for subject, day in (("a", 3), ("b", 1), ("Re: a", 2), ("Re: A", 5), ("fwd: b", 9), ("c", 4))
    ]
    assert _threads(ThreadAlgorithm.ORDEREDSUBJECT, *headers) == "(2 5)(3 (1)(4))(6)"


def test_numbers_may_be_uids() -> None:
    messages = _messages(_mail(1), _mail(2, 1))
    assert (
        thread_lists(thread(messages, ThreadAlgorithm.REFERENCES), [m.uid for m in messages]) == b"(100 101)"
    )


def test_a_thread_as_deep_as_the_mailbox() -> None:
    for order in (range(5000), range(4999, -1, -1), [*range(0, 5000, 2), *range(1, 5000, 2)]):
        headers = [_mail(number, number - 1) if number else _mail(0) for number in order]
        place = {number: at + 1 for at, number in enumerate(order)}
        expected = "(" + " ".join(str(place[number]) for number in range(5000)) + ")"
        assert _references(*headers) == expected
