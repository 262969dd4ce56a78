"""Whatever a client sends, it is framed, parsed or refused; nothing else is raised and chunks do not matter."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from fakemail.imap.command_table import parse
from fakemail.imap.syntax.framing import (
    ContinuationWanted,
    Event,
    Frame,
    Framer,
    LiteralRefused,
    literal_limits,
)
from fakemail.imap.syntax.scanner import CommandError, Dialect

VALID = [
    b"A1 LOGIN {3}\r\nann {6+}\r\ns3cret\r\n",
    b'A2 UID FETCH 1:5,7,*:9 (FLAGS BODY.PEEK[1.2.HEADER.FIELDS (From "To")]<0.512> PREVIEW (LAZY))'
    b" (CHANGEDSINCE 12 VANISHED)\r\n",
    b'A3 SEARCH RETURN (MIN PARTIAL -1:-10) CHARSET UTF-8 OR (FROM "x" NOT SEEN) OR UID $ SENTSINCE "1-Feb-2026" '
    b'MODSEQ "/flags/\\\\Draft" all 5\r\n',
    b'A4 APPEND "Entw&APw-rfe" (\\Draft $x) " 1-Feb-2026 12:00:00 -0130" ~{4}\r\na\0\r\n UTF8 (~{1+}\r\n.)\r\n',
    b'A5 LIST (SUBSCRIBED RECURSIVEMATCH) "" (% "*") RETURN (CHILDREN STATUS (MESSAGES UIDNEXT))\r\n',
    b"A6 SELECT INBOX (CONDSTORE QRESYNC (1 2 3:4 (1,2 3,4)))\r\n",
    b"A7 NOTIFY SET STATUS (selected (MessageNew (UID) MessageExpunge)) (subtree (a b) NONE)\r\n",
    b"A8 ESEARCH IN (mailboxes (a b) personal) RETURN (COUNT) SUBJECT {2}\r\nhi\r\n",
    b"A9 SETMETADATA INBOX (/shared/comment ~{1}\r\n\0 /private/x NIL)\r\n",
    b"B1 STORE 1 (UNCHANGEDSINCE 5) +FLAGS.SILENT \\Seen $y\r\n",
    b"B2 UID SORT RETURN (COUNT) (REVERSE DATE SUBJECT) UTF-8 FUZZY BODY x\r\n",
    b'B3 ID ("name" "x" "os" NIL)\r\n',
    b"B4 AUTHENTICATE PLAIN AGFubgBzM2NyZXQ=\r\nB5 CREATE x (USE (\\Sent))\r\nB6 GETMETADATA (DEPTH 1) a /b\r\n",
]

octets = st.sampled_from(
    [b"(", b")", b" ", b'"', b"\\", b"{", b"{3}\r\n", b"{2+}\r\n", b"~", b"*", b"\0", b"\xe9"]
)
pieces = (
    octets
    | st.sampled_from([b"\r\n", b"\n", b"\r", b"[", b"]", b"<", b"NIL", b"9" * 30])
    | st.binary(max_size=3)
)
edits = st.lists(st.tuples(st.integers(0, 200), st.integers(0, 4), pieces), max_size=6)


def _framer() -> Framer:
    return Framer(
        policy=literal_limits(message=50, other=20), line_limit=300, unasked_limit=30, skip_limit=1000
    )


def _events(data: bytes, cuts: list[int]) -> list[Event]:
    framer = _framer()
    edges = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    events: list[Event] = []
    for start, end in itertools.pairwise(edges):
        framer.feed(data[start:end])
        while (event := framer.next_event()) is not None:
            events.append(event)
    return events


def _mutated(line: bytes, changes: list[tuple[int, int, bytes]]) -> bytes:
    for at, removed, put in changes:
        at = min(at, len(line))
        line = line[:at] + put + line[at + removed :]
    return line


mutants = st.builds(_mutated, st.sampled_from(VALID), edits)
streams = st.lists(mutants | st.binary(max_size=40), min_size=1, max_size=3).map(b"".join)


def test_the_commands_to_mutate_are_valid() -> None:
    for line in VALID:
        frames = [event for event in _events(line, []) if not isinstance(event, ContinuationWanted)]
        for frame in frames:
            assert isinstance(frame, Frame)
            parse(frame)


@settings(max_examples=75, deadline=None)
@given(streams, st.lists(st.integers(0, 300), max_size=8))
def test_any_chunking_gives_the_same_events(data: bytes, cuts: list[int]) -> None:
    whole = _events(data, [])
    assert _events(data, cuts) == whole
    assert _events(data, list(range(len(data)))) == whole


def _refusals(data: bytes, dialect: Dialect) -> list[LiteralRefused | CommandError]:
    found: list[LiteralRefused | CommandError] = []
    for event in _events(data, []):
        if isinstance(event, LiteralRefused):
            found.append(event)
        elif isinstance(event, Frame):
            try:
                parse(event, dialect)
            except CommandError as error:
                found.append(error)
    return found


@settings(max_examples=125, deadline=None)
@given(streams, st.booleans(), st.booleans())
def test_garbage_is_refused_and_nothing_else(data: bytes, utf8: bool, strict: bool) -> None:
    for refusal in _refusals(data, Dialect(utf8=utf8, strict=strict)):
        assert refusal.text
        assert refusal.response in ("BAD", "NO")
        # Nothing of what the client sent can break the line of the answer.
        assert (refusal.text + (refusal.code or "")).isprintable()


@settings(max_examples=50, deadline=None)
@given(mutants)
def test_what_strict_takes_means_the_same_to_the_tolerant(data: bytes) -> None:
    for event in _events(data, []):
        if isinstance(event, Frame):
            try:
                request = parse(event, Dialect(strict=True))
            except CommandError:
                continue
            assert parse(event) == request
