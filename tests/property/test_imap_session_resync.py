"""A client that comes back with what it knew: QRESYNC, and CHANGEDSINCE with VANISHED, make it know all (RFC 7162)."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from fakemail.imap.session import ImapSession
from imap_host import Host, say

FLAGS = ("\\Seen", "\\Flagged", "Work")
# What others do meanwhile: deliver, change a flag of the nth message, expunge the nth, move the nth away.
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["deliver", "flag", "expunge", "move"]), st.integers(0, 30), st.sampled_from(FLAGS)
    ),
    max_size=12,
)


class Cache:
    """What a client keeps between two connections: flags by uid, and where it stood."""

    def __init__(self) -> None:
        self.flags: dict[int, frozenset[str]] = {}
        self.modseq = 1

    def hear(self, lines: list[str]) -> None:
        for line in lines:
            if found := re.match(r"\* VANISHED (?:\(EARLIER\) )?(\S+)", line):
                for part in found[1].split(","):
                    first, _, last = part.partition(":")
                    for uid in range(int(first), int(last or first) + 1):
                        self.flags.pop(uid, None)
            elif found := re.match(r"\* \d+ FETCH \(UID (\d+) FLAGS \((.*?)\) MODSEQ", line):
                self.flags[int(found[1])] = frozenset(found[2].split()) - {"\\Recent"}
            elif found := re.search(r"\[HIGHESTMODSEQ (\d+)\]", line):
                self.modseq = int(found[1])


def lines_of(session: ImapSession, command: str) -> list[str]:
    lines = say(session, command).decode().split("\r\n")[:-1]
    assert " OK" in lines[-1], lines
    return lines


def live(host: Host, steps: list[tuple[str, int, str]]) -> None:
    session = host.selected()
    for what, place, flag in steps:
        count = len(host.account.inbox)
        if what == "deliver" or not count:
            host.account.inbox.append(b"Subject: new\r\n\r\n")
            continue
        say(session, "n NOOP")
        number = place % count + 1
        if what == "flag":
            sign = "-" if place % 3 == 0 else "+"
            say(session, f"s STORE {number} {sign}FLAGS ({flag})")
        elif what == "expunge":
            say(session, f"d STORE {number} +FLAGS.SILENT (\\Deleted)")
            say(session, "e EXPUNGE")
        else:
            say(session, f"m MOVE {number} Trash")


def truth(host: Host) -> dict[int, frozenset[str]]:
    return {message.uid: message.flags for message in host.account.inbox}


@settings(max_examples=60, deadline=None)
@given(st.lists(STEPS, min_size=1, max_size=5))
def test_coming_back_with_qresync(visits: list[list[tuple[str, int, str]]]) -> None:
    host = Host()
    cache = Cache()
    for steps in visits:
        live(host, steps)
        session = host.connect()
        say(session, "a LOGIN bob@example.org s3cret")
        say(session, "b ENABLE QRESYNC")
        validity = host.account.inbox.uid_validity
        cache.hear(lines_of(session, f"c SELECT INBOX (QRESYNC ({validity} {cache.modseq}))"))
        assert cache.flags == truth(host)
        session.close()


@settings(max_examples=40, deadline=None)
@given(st.lists(STEPS, min_size=1, max_size=4), st.booleans())
def test_staying_and_asking(visits: list[list[tuple[str, int, str]]], by_fetch: bool) -> None:
    host = Host()
    cache = Cache()
    session = host.connect()
    say(session, "a LOGIN bob@example.org s3cret")
    say(session, "b ENABLE QRESYNC")
    cache.hear(lines_of(session, "c SELECT INBOX"))
    for steps in visits:
        before = cache.modseq
        live(host, steps)
        if by_fetch:
            lines_of(session, "d NOOP")
            cache.hear(lines_of(session, f"e UID FETCH 1:* (FLAGS) (CHANGEDSINCE {before} VANISHED)"))
            cache.modseq = host.account.inbox.highest_modseq
        else:
            cache.hear(lines_of(session, "d NOOP"))
            for uid in truth(host).keys() - cache.flags.keys():  # EXISTS tells of new ones by number only
                cache.hear(lines_of(session, f"e UID FETCH {uid} (FLAGS MODSEQ)"))
        assert cache.flags == truth(host)
