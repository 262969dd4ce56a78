"""The parts that sessions hold: lines out of bytes, and output with its script, its encoding and its filter."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakemail.protocol.line_reader import OVERLONG, LineReader
from fakemail.protocol.output import Output
from fakemail.types.write_script import ConnectionEnd, Pause

WAIT = Pause(timedelta(seconds=1))


def lines_of(pieces: list[bytes], limit: int) -> list[bytes]:
    reader, lines = LineReader(limit), []
    for piece in pieces:
        reader.buffer += piece
        while (line := reader.take()) is not None:
            lines.append(line)
    return lines


@given(st.lists(st.sampled_from([b"a", b"bc", b"\r", b"\n", b"\r\n", b"x" * 12]), max_size=30), st.data())
def test_any_chunking_gives_the_same_lines(parts: list[bytes], data: st.DataObject) -> None:
    whole = b"".join(parts)
    sizes = data.draw(st.lists(st.integers(1, 9), min_size=len(whole), max_size=len(whole)))
    pieces, at = [], 0
    for size in sizes:
        pieces.append(whole[at : at + size])
        at += size
    # A CR alone ends no line.
    wanted = [
        line if len(line) <= 10 else OVERLONG for line in (text + b"\n" for text in whole.split(b"\n")[:-1])
    ]
    assert lines_of(pieces, 10) == lines_of([whole], 10) == wanted


def test_a_line_without_end_is_not_kept() -> None:
    reader = LineReader(10)
    for _ in range(1000):
        reader.buffer += b"x" * 10
        assert reader.take() is None
        assert len(reader.buffer) <= 20
    reader.buffer += b"\nnext\n"
    assert [reader.take(), reader.take(), reader.take()] == [OVERLONG, b"next\n", None]


class Halves:
    """A filter that cuts in the middle."""

    def pieces(self, output: bytes) -> list[bytes]:
        middle = len(output) // 2
        return [output[:middle], output[middle:]] if middle else [output]


def test_output_is_taken_once() -> None:
    output = Output()
    output.parts += [b"one\r\n", b"two\r\n"]
    assert output.take() == b"one\r\ntwo\r\n"
    assert output.take() == b""


@pytest.mark.parametrize("end", [ConnectionEnd.DROP, ConnectionEnd.HANG, ConnectionEnd.RESET])
def test_a_script_follows_what_was_said_before(end: ConnectionEnd) -> None:
    output = Output()
    output.parts += [b"before\r\n", b"answer\r\n"]
    answer = output.cut(1)
    assert output.play([answer[:3], WAIT, end]) is True
    output.parts.append(b"behind\r\n")
    assert output.script == [b"before\r\n", b"ans", WAIT, end]
    assert output.take() == b"behind\r\n"


def test_a_script_without_an_end_keeps_the_connection() -> None:
    assert Output().play([WAIT, b"late\r\n"]) is False


def test_an_encoding_holds_for_what_is_said_later() -> None:
    output = Output()
    output.parts.append(b"plain ")
    output.encode_from_now_on(bytes.upper)
    output.parts.append(b"coded ")
    assert output.take() == b"plain CODED "
    output.parts.append(b"more")
    assert output.play([b"steps", WAIT]) is False
    assert output.script == [b"MORE", b"STEPS", WAIT]


def test_an_encoding_leaves_what_a_script_sends_before_it() -> None:
    output = Output()
    output.parts.append(b"plain ")
    output.encode_from_now_on(bytes.upper)
    output.parts.append(b"coded")
    output.play([])
    assert output.script == [b"plain ", b"CODED"]


def test_a_filter_cuts_output_into_segments() -> None:
    output = Output(Halves())
    output.parts.append(b"abcd")
    assert output.take() == b""
    first, between, second = output.script
    assert (first, second) == (b"ab", b"cd")
    assert isinstance(between, Pause)


def test_a_filter_leaves_whole_what_has_to_be() -> None:
    output = Output(Halves())
    output.parts.append(b"abcd")
    assert output.take(whole=True) == b"abcd"
    output.play([b"script", WAIT])
    output.parts.append(b"efgh")
    assert output.take() == b"efgh"
    assert output.script == [b"script", WAIT]
