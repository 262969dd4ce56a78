"""What an IMAP session answers beside what Dovecot answers: two sessions on one mailbox, command by command.

Dovecot's ``imap`` program speaks on standard input and output, so no port and no daemon is needed. Compared are
the status, the response code and the untagged data, in any order and without what differs from server to server.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator

import pytest

from dovecot import dovecot_of
from fakemail.imap.session import ImapSession
from imap_host import Host, say

pytestmark = pytest.mark.interop

_CONFIG = """\
namespace inbox {
  inbox = yes
  separator = /
}
"""
# Data that one server volunteers and the other does not: keywords again, counters, the state of SELECT.
_VOLUNTARY = re.compile(r"\* (FLAGS|OK|LIST \(|LSUB|\d+ RECENT|ENABLED$)")
_SAME = (
    (r"(UIDVALIDITY|APPENDUID|COPYUID|HIGHESTMODSEQ) \d+", r"\1 N"),
    (r"MODSEQ \(\d+\)", "MODSEQ (N)"),
    (r" \[(HIGHESTMODSEQ|MAILBOXID|CLIENTBUG|NONEXISTENT|CANNOT|BADCHARSET).*\]", ""),
)


def normal(line: str) -> str:
    """A line without what may differ."""
    if found := re.match(r"((?:t\d+|\*) (?:OK|NO|BAD|BYE)(?: \[.*\])?)", line):
        line = found[1]
    for pattern, replacement in _SAME:
        line = re.sub(pattern, replacement, line)
    # Flags and data items may come in any order.
    line = line.rstrip()
    line = re.sub(r"FLAGS \((.*?)\)", lambda found: f"FLAGS ({' '.join(sorted(found[1].split()))})", line)
    if found := re.match(r"(\* (?:\d+ FETCH|STATUS \S+) )\((.*)\)$", line):
        return found[1] + " ".join(sorted(re.findall(r"[^ ()]+ (?:\([^()]*\)|\S+)", found[2])))
    if line.startswith("* ESEARCH"):
        return " ".join(sorted(line.split()))
    return line


Say = Callable[[int, str], list[str]]


@pytest.fixture
def dovecot(program: Callable[[str], str]) -> Iterator[Say]:
    running: dict[int, subprocess.Popen[bytes]] = {}

    def speak(who: int, command: str) -> list[str]:
        if who not in running:
            running[who] = server.popen()
            assert b"PREAUTH" in running[who].stdout.readline()  # type: ignore[union-attr]
        process = running[who]
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(command.encode() + b"\r\n")
        process.stdin.flush()
        tag = command.split()[0].encode() + b" "
        lines = []
        for line in process.stdout:
            lines.append(line.decode().rstrip("\r\n"))
            if line.startswith(tag):
                return lines
        raise AssertionError(f"Dovecot ended at {command!r}")

    with dovecot_of(program, "imap", _CONFIG) as server:
        yield speak
        for process in running.values():
            process.kill()
            process.communicate()


# Each line is a command; that of the second session begins with "2 ".
CONVERSATIONS = {
    "numbers": r"""
        SELECT INBOX
        FETCH 1:* FLAGS
        FETCH 1:3 (FLAGS UID RFC822.SIZE)
        FETCH 2,1,2 UID
        FETCH *:4 UID
        FETCH 6 FLAGS
        FETCH 5:9 FLAGS
        FETCH 6:* UID
        UID FETCH 9:* FLAGS
        UID FETCH 99 FLAGS
        FETCH 0 FLAGS
        FETCH 2 NONSENSE
        FETCH 2 ()
        FETCH 2
        STORE 9 +FLAGS (\Seen)
        UID STORE 99 +FLAGS (\Seen)
        COPY 9 Trash
        UID COPY 99 INBOX
        SEARCH 9
        SEARCH 2:9
        SEARCH UID 99
        SEARCH NONSENSE
        """,
    "an empty mailbox": r"""
        CREATE e
        SELECT e
        FETCH 1:* FLAGS
        FETCH * FLAGS
        FETCH 1 FLAGS
        STORE 1:* +FLAGS (\Seen)
        COPY 1:* INBOX
        MOVE 1:* INBOX
        SEARCH 1:*
        SEARCH *
        UID FETCH 1:* FLAGS
        UID FETCH * FLAGS
        SORT (DATE) UTF-8 1:*
        THREAD REFERENCES UTF-8 ALL
        EXPUNGE
        """,
    "flags in two sessions": r"""
        SELECT INBOX
        2 SELECT INBOX
        STORE 1 +FLAGS (\Seen)
        2 NOOP
        STORE 1 +FLAGS.SILENT (\Answered)
        2 NOOP
        STORE 1 FLAGS (foo)
        2 NOOP
        2 STORE 1 -FLAGS (foo)
        NOOP
        STORE 1 +FLAGS (\Foo)
        STORE 1 +FLAGS (\Recent)
        SEARCH KEYWORD foo
        SEARCH UNKEYWORD foo
        """,
    "expunging in two sessions": r"""
        SELECT INBOX
        2 SELECT INBOX
        STORE 2,4 +FLAGS.SILENT (\Deleted)
        2 NOOP
        EXPUNGE
        2 FETCH 1 UID
        2 FETCH 2 UID
        2 FETCH 4 FLAGS
        2 SEARCH UNDELETED
        2 NOOP
        2 FETCH 1:* UID
        2 STORE 1 +FLAGS.SILENT (\Deleted)
        NOOP
        2 UID EXPUNGE 5
        2 UID EXPUNGE 1
        UID FETCH 3 UID
        NOOP
        """,
    "what is not told yet": r"""
        SELECT INBOX
        2 SELECT INBOX
        2 STORE 2 +FLAGS.SILENT (\Seen)
        NOOP
        2 STORE 2 +FLAGS.SILENT (\Deleted)
        NOOP
        2 EXPUNGE
        SEARCH ALL
        SEARCH DELETED
        SEARCH RETURN (COUNT ALL) 2:3
        FETCH 1:3 FLAGS
        STORE 1:3 +FLAGS.SILENT (\Draft)
        STORE 2:3 -FLAGS.SILENT (\Draft)
        COPY 1:2 INBOX
        FETCH 1:* (UID FLAGS)
        2 STORE 1 +FLAGS.SILENT (\Deleted)
        NOOP
        2 EXPUNGE
        IDLE\r\nDONE
        2 STORE 1 +FLAGS.SILENT (\Flagged)
        SEARCH UNDRAFT
        2 STORE 1 -FLAGS.SILENT (\Flagged)
        IDLE\r\nDONE
        """,
    "flags that somebody else has changed": r"""
        SELECT INBOX
        2 SELECT INBOX
        2 STORE 1 +FLAGS.SILENT (\Flagged)
        STORE 1 +FLAGS.SILENT (\Seen)
        2 NOOP
        2 STORE 1 -FLAGS.SILENT (\Flagged)
        STORE 1 FLAGS.SILENT (\Draft)
        2 NOOP
        2 STORE 1 +FLAGS.SILENT (\Flagged)
        2 STORE 1 -FLAGS.SILENT (\Draft)
        SEARCH ALL
        2 STORE 1:2 +FLAGS.SILENT (\Answered)
        STORE 1 +FLAGS (\Seen)
        NOOP
        """,
    "copying and moving": r"""
        CREATE t
        SELECT INBOX
        COPY 1:2 t
        UID COPY 4,1 t
        COPY 1 Nowhere
        MOVE 2:3 t
        FETCH 1:* UID
        UID MOVE 99 t
        UID MOVE 4 t
        STATUS t (MESSAGES UIDNEXT UNSEEN)
        APPEND Nowhere {3+}\r\nabc
        """,
    "searching": r"""
        SELECT INBOX
        STORE 2,4 +FLAGS.SILENT (\Seen)
        SEARCH SUBJECT "message 2" SEEN
        SEARCH OR SEEN SUBJECT 3
        SEARCH RETURN (MIN MAX ALL COUNT) SEEN
        SEARCH RETURN () 9
        UID SEARCH RETURN (COUNT) ALL
        SEARCH RETURN (SAVE) 2:3
        FETCH $ UID
        SEARCH RETURN (SAVE COUNT) 4
        UID SEARCH $
        SEARCH RETURN (SAVE MIN) ALL
        UID SEARCH $
        SEARCH CHARSET NONSENSE SUBJECT x
        SORT (REVERSE SUBJECT) UTF-8 ALL
        SORT (NONSENSE) UTF-8 ALL
        SORT (SUBJECT) NONSENSE ALL
        THREAD REFERENCES UTF-8 ALL
        SORT RETURN (COUNT ALL) (SUBJECT) UTF-8 ALL
        """,
    "states": r"""
        FETCH 1 FLAGS
        CLOSE
        SELECT Nowhere
        SELECT INBOX
        SELECT Nowhere
        SEARCH ALL
        LOGIN a b
        NONSENSE
        UNSELECT
        STATUS Nowhere (MESSAGES)
        DELETE Nowhere
        DELETE INBOX
        CREATE INBOX
        RENAME Nowhere Somewhere
        CREATE ""
        """,
    "mod-sequences": r"""
        ENABLE QRESYNC
        SELECT INBOX
        2 SELECT INBOX
        FETCH 1 (FLAGS MODSEQ)
        STORE 1 +FLAGS (\Draft)
        STORE 1 +FLAGS.SILENT (\Answered)
        2 STORE 2 +FLAGS (\Flagged)
        NOOP
        STORE 1 (UNCHANGEDSINCE 1000) +FLAGS (\Seen)
        2 STORE 3 +FLAGS.SILENT (\Deleted)
        2 EXPUNGE
        NOOP
        STORE 1 +FLAGS.SILENT (\Deleted)
        EXPUNGE
        """,
}


def message(number: int) -> str:
    return (
        f"From: Ann <ann@example.org>\r\nSubject: Message {number}\r\nMessage-ID: <{number}@example.org>\r\n\r\n"
        f"This is message {number}.\r\n"
    )


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_as_dovecot_answers(name: str, dovecot: Say) -> None:
    host = Host()
    ours: dict[int, ImapSession] = {}

    def speak(who: int, command: str) -> list[str]:
        if who not in ours:
            ours[who] = host.connect()
            say(ours[who], "in LOGIN bob@example.org s3cret")
        return say(ours[who], command).decode().split("\r\n")[:-1]

    lines = [f"APPEND INBOX {{{len(message(n))}+}}\r\n{message(n)}" for n in range(1, 6)]
    lines += [line.strip().replace("\\r\\n", "\r\n") for line in CONVERSATIONS[name].strip().splitlines()]
    differences = []
    for number, line in enumerate(lines):
        who, command = (2, line[2:]) if line.startswith("2 ") else (1, line)
        answers = [
            sorted(
                normal(answer)
                for answer in server(who, f"t{number} {command}")
                if not _VOLUNTARY.match(answer)
            )
            for server in (dovecot, speak)
        ]
        if answers[0] != answers[1]:
            differences.append((line, *answers))
    assert differences == []


@pytest.mark.parametrize(
    "patterns",
    [
        "*",
        "%",
        "*2",
        "(foo* baz* eps*)",
        "(foo2 baz2 eps2 qux2)",
        "(foo2 foo2/bar2 baz* eps2 qux2 qux2/bar2)",
    ],
)
def test_child_information_as_dovecot_tells_it(patterns: str, dovecot: Say) -> None:
    """RFC 5258 §3.5 and example 9: none where every child that it speaks of is listed itself."""
    host = Host()
    session = host.connect()
    say(session, "in LOGIN bob@example.org s3cret")
    for box in host.account.mailboxes():
        host.account.unsubscribe(box.name)
    names = ("foo2/bar1", "foo2/bar2", "baz2/bar22", "eps2", "eps2/mamba", "qux2/bar2")
    lines = [f"{command} {name}" for name in names for command in ("CREATE", "SUBSCRIBE")]
    lines.append(f'LIST (RECURSIVEMATCH SUBSCRIBED) "" {patterns}')
    for number, line in enumerate(lines):
        theirs = dovecot(1, f"t{number} {line}")
        ours = say(session, f"t{number} {line}").decode().split("\r\n")[:-1]
    listed = [
        sorted((name, "CHILDINFO" in rest) for name, rest in re.findall(r'"/" (\S+)(.*)', "\n".join(answer)))
        for answer in (theirs, ours)
    ]
    assert listed[0] == listed[1]
    assert len(listed[0]) > 2
