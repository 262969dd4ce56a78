"""Framing of client input: lines, literals, limits."""

from __future__ import annotations

import tracemalloc

import pytest

from fakemail.imap.syntax.framing import (
    LITERAL_MINUS,
    Announced,
    ContinuationWanted,
    Event,
    Frame,
    Framer,
    Literal,
    LiteralRefused,
    literal_limits,
)


def events(framer: Framer, data: bytes = b"") -> list[Event]:
    framer.feed(data)
    found: list[Event] = []
    while (event := framer.next_event()) is not None:
        found.append(event)
    return found


def test_lines_become_frames() -> None:
    assert events(Framer(), b"A1 NOOP\r\nA2 CAPABILITY\r\nA3 LOG") == [
        Frame("A1 NOOP"),
        Frame("A2 CAPABILITY"),
    ]


def test_a_synchronising_literal_is_asked_for() -> None:  # RFC 9051 §4.3
    framer = Framer()
    assert events(framer, b"A1 LOGIN {3}\r\n") == [ContinuationWanted(3)]
    assert events(framer, b"ann {6}\r\n") == [ContinuationWanted(6)]
    assert events(framer, b"s3cret\r\n") == [Frame("A1 LOGIN \0 \0", (Literal(b"ann"), Literal(b"s3cret")))]


def test_a_non_synchronising_literal_is_not_asked_for() -> None:  # RFC 7888 §3
    assert events(Framer(), b"A1 LOGIN {3+}\r\nann {0+}\r\n\r\n") == [
        Frame("A1 LOGIN \0 \0", (Literal(b"ann"), Literal(b"")))
    ]


def test_literal8_may_hold_anything() -> None:  # RFC 3516 §4.4
    assert events(Framer(), b"A1 APPEND x ~{4+}\r\n\0\r\n{\r\n") == [
        Frame("A1 APPEND x \0", (Literal(b"\0\r\n{", binary=True),))
    ]


def test_a_literal_may_look_like_a_command() -> None:
    assert events(Framer(), b"A1 APPEND x {11+}\r\nA2 LOGOUT\r\n\r\n") == [
        Frame("A1 APPEND x \0", (Literal(b"A2 LOGOUT\r\n"),))
    ]


@pytest.mark.parametrize(
    "line", [b'A1 SELECT "a {5}"', b'A1 SELECT "a {5}', b'A1 SELECT "\\" {5}', b"A1 X {5}x", b"A1 X {}"]
)
def test_braces_in_quoted_strings_announce_nothing(line: bytes) -> None:
    assert events(Framer(), line + b"\r\n") == [Frame(line.decode())]


def test_a_literal_after_a_quoted_string_with_quotes() -> None:
    assert events(Framer(), b'A1 RENAME "a\\"{1}\\\\" {1+}\r\nb\r\n') == [
        Frame('A1 RENAME "a\\"{1}\\\\" \0', (Literal(b"b"),))
    ]


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (b"A1 NOOP\n", "A line ends in LF without CR."),
        (b"A1 NO\rOP\r\n", "CR is not allowed within a line."),
        (b"A1 NOOP\r\r\n", "CR is not allowed within a line."),
        (b"A1 NO\0OP\r\n", "NUL is not allowed."),
    ],
)
def test_bad_lines_are_refused_and_framed(line: bytes, text: str) -> None:
    assert events(Framer(), line + b"A2 NOOP\r\n") == [LiteralRefused(text, "A1"), Frame("A2 NOOP")]


def test_a_bad_line_after_a_literal_refuses_the_whole_command() -> None:
    assert events(Framer(), b"A1 LOGIN {1+}\r\na b\nA2 NOOP\r\n") == [
        LiteralRefused("A line ends in LF without CR.", "A1"),
        Frame("A2 NOOP"),
    ]


def test_a_bad_line_takes_its_literals_with_it() -> None:
    assert events(Framer(), b"A1 X\0 {9+}\r\nA9 NOOP\r\n {2+}\r\n\r\n\r\nA2 NOOP\r\n") == [
        LiteralRefused("NUL is not allowed.", "A1"),
        Frame("A2 NOOP"),
    ]


def test_the_longest_line() -> None:
    framer = Framer(line_limit=20)
    assert events(framer, b"A1 " + b"x" * 16 + b"\r\n") == [Frame("A1 " + "x" * 16)]
    assert events(framer, b"A2 " + b"x" * 18) == [LiteralRefused("A line is longer than 20 octets.", "A2")]
    assert events(framer, b"x" * 100) == []
    assert framer.buffered == 0
    assert events(framer, b"\r\nA3 NOOP\r\n") == [Frame("A3 NOOP")]


def test_a_tag_is_given_back_whole_or_not_at_all() -> None:
    long = "A" * 300
    assert events(Framer(line_limit=400), f"{long} NOOP\0\r\n".encode()) == [
        LiteralRefused("NUL is not allowed.", long)
    ]
    assert events(Framer(line_limit=20), b"A" * 30) == [LiteralRefused("A line is longer than 20 octets.")]


def test_a_long_line_takes_its_literal_with_it() -> None:
    framer = Framer(line_limit=20)
    assert events(framer, b"A1 " + b"x" * 50 + b" {9+}\r\nA9 NOOP\r\n\r\nA2 NOOP\r\n") == [
        LiteralRefused("A line is longer than 20 octets.", "A1"),
        Frame("A2 NOOP"),
    ]


def test_a_command_of_endless_pieces_is_refused() -> None:
    framer = Framer(line_limit=20)
    refused = [
        event for event in events(framer, b"A1 X" + b" {0+}\r\n" * 100) if isinstance(event, LiteralRefused)
    ]
    assert [event.text for event in refused] == ["A command has more than 320 octets beside its literals."]


def test_a_message_that_is_too_big_is_refused_before_it_is_sent() -> None:  # RFC 7889 §4
    framer = Framer(policy=literal_limits(message=100))
    refusal = LiteralRefused("A message of 101 octets is above the limit of 100.", "A1", "NO", "TOOBIG")
    assert events(framer, b"A1 APPEND x {101}\r\n") == [refusal]
    assert events(framer, b"A2 APPEND x {100}\r\n") == [ContinuationWanted(100)]


def test_a_message_that_is_too_big_and_comes_anyway_is_swallowed() -> None:  # RFC 7888 §4
    framer = Framer(policy=literal_limits(message=100))
    refusal = LiteralRefused("A message of 3000 octets is above the limit of 100.", "A1", "NO", "TOOBIG")
    assert events(framer, b"A1 APPEND x {3000+}\r\n") == [refusal]
    for _ in range(30):
        assert events(framer, b"y" * 100) == []
        assert framer.buffered == 0
    assert events(framer, b"\r\nA2 NOOP\r\n") == [Frame("A2 NOOP")]


def test_after_a_refusal_a_synchronising_literal_ends_the_command() -> None:
    framer = Framer(policy=literal_limits(message=3))
    data = b"A1 APPEND x {4+}\r\nabcd {5}\r\nA2 NOOP\r\n"
    assert [type(event) for event in events(framer, data)] == [LiteralRefused, Frame]


def test_limits_on_all_messages_and_on_other_literals() -> None:
    policy = literal_limits(message=100, total=150, other=10)
    assert policy(Announced("A", "APPEND", 100, 50, False, True)) is None
    assert policy(Announced("A", "APPEND", 100, 51, False, True)) == (
        "NO",
        "TOOBIG",
        "The messages together are above the limit of 150 octets.",
    )
    assert policy(Announced("A", "LOGIN", 5, 5, False, True)) is None
    assert policy(Announced("A", "LOGIN", 6, 5, False, True)) == (
        "BAD",
        "TOOBIG",
        "A literal of 6 octets is above the limit of 10.",
    )


def test_the_policy_is_told_the_command() -> None:
    told: list[Announced] = []

    def policy(announced: Announced) -> None:
        told.append(announced)

    events(Framer(policy=policy), b"A1 uid  replace 4 {2+}\r\nab ~{7}\r\n")
    assert told == [
        Announced("A1", "REPLACE", 2, 0, binary=False, synchronising=False),
        Announced("A1", "REPLACE", 7, 2, binary=True, synchronising=True),
    ]


def test_literal_minus() -> None:  # RFC 7888 §5
    framer = Framer(unasked_limit=LITERAL_MINUS)
    assert events(framer, b"A1 APPEND x {4096+}\r\n" + b"y" * 4096 + b"\r\n")[0] == Frame(
        "A1 APPEND x \0", (Literal(b"y" * 4096),)
    )
    assert events(framer, b"A2 APPEND x {4097+}\r\n") == [
        LiteralRefused("A literal with '+' of 4097 octets is above the limit of 4096.", "A2", "BAD", "TOOBIG")
    ]
    assert events(framer, b"y" * 4097 + b"\r\nA3 APPEND x {4097}\r\n") == [ContinuationWanted(4097)]


def test_literals_with_plus_where_they_are_not_offered() -> None:
    framer = Framer(unasked_limit=-1)
    assert events(framer, b"A1 LOGIN {0+}\r\n b\r\n") == [
        LiteralRefused("Literals with '+' are not offered.", "A1")
    ]


def test_four_gigabytes_are_announced_and_nothing_is_allocated() -> None:
    framer = Framer()
    tracemalloc.start()
    try:
        assert events(framer, b"A1 APPEND x {4294967295}\r\n") == [ContinuationWanted(4294967295)]
        events(framer, b"y" * 1000)
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("number", ["9223372036854775808", "9" * 5000])
def test_a_literal_larger_than_any_number(number: str) -> None:
    framer = Framer()
    assert events(framer, f"A1 APPEND x {{{number}}}\r\nA2 NOOP\r\n".encode()) == [
        LiteralRefused("A literal is larger than any number of 63 bits.", "A1", "BAD", "TOOBIG"),
        Frame("A2 NOOP"),
    ]
    (refusal,) = events(framer, f"A3 APPEND x {{{number}+}}\r\nA4 NOOP\r\n".encode())
    assert isinstance(refusal, LiteralRefused)
    assert (refusal.tag, refusal.closes) == ("A3", True)
    assert events(framer, b"A5 NOOP\r\n") == []


def test_leading_zeros_do_not_hide_a_literal() -> None:
    assert events(Framer(), b"A1 X {" + b"0" * 40 + b"3+}\r\nabc\r\n") == [
        Frame("A1 X \0", (Literal(b"abc"),))
    ]


def test_what_is_too_large_to_swallow_closes() -> None:
    framer = Framer(policy=literal_limits(message=10), skip_limit=100)
    (refusal,) = events(framer, b"A1 APPEND x {101+}\r\n")
    assert isinstance(refusal, LiteralRefused)
    assert (refusal.tag, refusal.code, refusal.closes) == ("A1", "TOOBIG", True)
    assert events(framer, b"y" * 101) == []
    assert framer.buffered == 0


def test_plain_lines_have_no_literals() -> None:
    framer = Framer()
    framer.feed(b"abc{3}\r\nDONE\r\n")
    assert framer.next_event(plain=True) == Frame("abc{3}")
    assert framer.next_event(plain=True) == Frame("DONE")
    assert framer.next_event(plain=True) is None


def test_what_follows_starttls_is_taken_away() -> None:
    framer = Framer()
    framer.feed(b"A1 STARTTLS\r\nA2 NOOP\r\n")
    assert framer.next_event() == Frame("A1 STARTTLS")
    assert framer.take_rest() == b"A2 NOOP\r\n"
    assert events(framer, b"A3 NOOP\r\n") == [Frame("A3 NOOP")]


def test_whether_a_command_has_begun() -> None:
    framer = Framer()
    assert not framer.in_command
    events(framer, b"A1 LOGIN {1}\r\n")
    assert framer.in_command
    events(framer, b"a b\r\n")
    assert not framer.in_command


def test_a_large_message_in_small_pieces() -> None:
    framer = Framer()
    message = bytes(range(1, 256)) * 4000
    framer.feed(b"A1 APPEND x {%d+}\r\n" % len(message))
    for at in range(0, len(message), 1000):
        assert framer.next_event() is None
        framer.feed(message[at : at + 1000])
    assert events(framer, b"\r\n") == [Frame("A1 APPEND x \0", (Literal(message),))]
