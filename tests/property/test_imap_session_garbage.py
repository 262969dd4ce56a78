"""Whatever a client sends, an IMAP session answers in its protocol, in bounded memory, and goes on or says BYE."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from imap_host import CHANNEL, Host

WORDS = [
    "a1",
    "NOOP",
    "LOGIN",
    "SELECT",
    "EXAMINE",
    "INBOX",
    "FETCH",
    "STORE",
    "SEARCH",
    "UID",
    "COPY",
    "MOVE",
    "APPEND",
    "IDLE",
    "DONE",
    "LIST",
    "LSUB",
    "XLIST",
    "STATUS",
    "NOTIFY",
    "SET",
    "ESEARCH",
    "IN",
    "RETURN",
    "SORT",
    "THREAD",
    "EXPUNGE",
    "CLOSE",
    "CREATE",
    "DELETE",
    "RENAME",
    "ENABLE",
    "QRESYNC",
    "CONDSTORE",
    "UIDONLY",
    "IMAP4rev2",
    "AUTHENTICATE",
    "PLAIN",
    "CRAM-MD5",
    "COMPRESS",
    "ID",
    "NIL",
    "NAMESPACE",
    "GETQUOTA",
    "GETMETADATA",
    "SETMETADATA",
    "GETACL",
    "REPLACE",
    "UNSELECT",
    "FLAGS",
    "+FLAGS.SILENT",
    "\\Seen",
    "BODY[]",
    "BODY.PEEK[1.MIME]",
    "BINARY[1]",
    "ENVELOPE",
    "BODYSTRUCTURE",
    "PREVIEW",
    "MODSEQ",
    "(MODSEQ)",
    "CHANGEDSINCE",
    "UNCHANGEDSINCE",
    "1",
    "2",
    "3",
    "1:*",
    "*",
    "$",
    "0",
    "4294967296",
    "ALL",
    "NOT",
    "OR",
    "UNSEEN",
    "SUBJECT",
    "personal",
    "selected",
    "MessageNew",
    "MessageExpunge",
    "SAVE",
    "MIN",
    "COUNT",
    "PARTIAL",
    "1:2",
    "UTF-8",
    "(DATE)",
    "REFERENCES",
    "Trash",
    "(",
    ")",
    "((",
    "))",
    '""',
    '"x"',
    "{3}",
    "{3+}",
    "~{1}",
    "%",
]
LINES = st.lists(st.sampled_from(WORDS), min_size=1, max_size=8).map(
    lambda words: f"t {' '.join(words)}\r\n".encode()
)
RAW = st.binary(max_size=60)
COMMANDS = st.sampled_from(
    [
        b"x LOGIN bob@example.org s3cret\r\n",
        b"x SELECT INBOX\r\n",
        b"x IDLE\r\n",
        b"DONE\r\n",
        b"x APPEND INBOX {4}\r\nabcd\r\n",
        b"x ENABLE QRESYNC UIDONLY\r\n",
        b"x NOTIFY SET (selected (MessageNew MessageExpunge FlagChange)) (personal (MailboxName))\r\n",
        b"x UID STORE 1:* +FLAGS (\\Deleted)\r\n",
        b"x EXPUNGE\r\n",
        b"x DELETE Trash\r\n",
        b"x FETCH 1:* (FLAGS BODY[])\r\n",
    ]
)
# RFC 9051 §9: what a line of a server may begin with, where no literal is running.
LINE = re.compile(rb"(\* |\+ |[^ +*]+ (OK|NO|BAD) )")


def check(octets: bytes) -> None:
    """The output is a sequence of response lines with complete literals."""
    at = 0
    while at < len(octets):
        assert LINE.match(octets, at), octets[at : at + 80]
        while True:
            end = octets.index(b"\r\n", at) + 2
            literal = re.search(rb"\{(\d+)\}\r\n\Z", octets[at:end])
            at = end
            if literal is None:
                break
            at += int(literal[1])


@settings(max_examples=125, deadline=None)
@given(st.lists(st.one_of(LINES, RAW, COMMANDS), max_size=14), st.booleans(), st.integers(1, 40))
def test_any_octets_get_an_answer(pieces: list[bytes], logged_in: bool, step: int) -> None:
    host = Host(max_errors=1000, auth_in_clear=True)
    host.account.inbox.append(
        b"Subject: 1\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\na\r\n--x--"
    )
    host.account.inbox.append(b"Subject: 2\r\n\r\nbody\0\xff")
    session = host.selected() if logged_in else host.connect()
    out = b""
    octets = b"".join(pieces)
    for start in range(0, len(octets), step):
        out += session.feed(octets[start : start + step])
        while session.has_more:
            out += session.more()
        if session.wants_tls:
            session.secured(CHANNEL)
        if start % 7 == 0:
            host.account.inbox.append(b"Subject: new\r\n\r\n")
            out += session.poll()
    if b"DEFLATE active" not in out:
        check(out)
    session.close()
    assert not (host.account.inbox.listeners and host.account.inbox.listeners.places)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.one_of(LINES, COMMANDS), max_size=12), st.lists(st.integers(1, 30), min_size=1, max_size=10)
)
def test_any_chunking_gives_the_same_octets(pieces: list[bytes], sizes: list[int]) -> None:
    octets = b"".join(pieces)

    def play(sizes: list[int]) -> bytes:
        host = Host(max_errors=1000)
        host.account.inbox.append(b"Subject: 1\r\n\r\nbody")
        session = host.selected()
        out, at, turn = b"", 0, 0
        while at < len(octets):
            size = sizes[turn % len(sizes)]
            out += session.feed(octets[at : at + size])
            while session.has_more:
                out += session.more()
            at += size
            turn += 1
        return out

    whole = play([max(len(octets), 1)])
    if b"DEFLATE active" not in whole:
        assert play(sizes) == whole
