"""Our POP3 beside Dovecot's: the same maildrop, the same commands, the same octets.

Dovecot's ``pop3`` program speaks on standard input and output, so no port and no daemon is needed.
"""

from __future__ import annotations

import random
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence

import pytest

from credentials import Passwords
from dovecot import Dovecot, dovecot_of
from fakemail.message import samples
from fakemail.model.host import POP3, HostOptions, HostSpec
from fakemail.pop3.capabilities import Pop3Profile
from fakemail.pop3.session import Pop3Session
from fakemail.store.account import AccountStore
from fakemail.types.peer import Peer
from fakemail.types.seeded_random import SeededRandom

pytestmark = pytest.mark.interop

Ask = Callable[[Sequence[bytes], bytes], tuple[bytes, list[bytes]]]


@pytest.fixture
def dovecot(program: Callable[[str], str]) -> Iterator[Ask]:
    """Puts messages into an empty maildrop, gives commands; returns the answers, and what is left."""
    with dovecot_of(program, "pop3") as server:
        yield lambda messages, commands: _answers(server, messages, commands)


def _answers(server: Dovecot, messages: Sequence[bytes], commands: bytes) -> tuple[bytes, list[bytes]]:
    maildir = server.home / "Maildir"
    folders = [maildir / part for part in ("new", "cur", "tmp")]
    shutil.rmtree(maildir, ignore_errors=True)
    for part in folders:
        part.mkdir(parents=True)
    for number, message in enumerate(messages, 1):
        (folders[0] / f"{number:010}.x").write_bytes(message)
    server.own()
    done = subprocess.run(
        server.command, input=commands, capture_output=True, timeout=60, check=False, **server.options
    )
    left = [path for part in folders[:2] for path in part.iterdir()]
    return done.stdout, [path.read_bytes() for path in sorted(left, key=lambda path: path.name)]


class Backend(Passwords):
    """One account that everybody has."""

    def __init__(self, messages: Sequence[bytes]) -> None:
        self.chance = SeededRandom(1)
        self.credentials = self
        self.mailboxes = AccountStore("tester")
        for message in messages:
            self.mailboxes.inbox.append(message)

    def account(self, login: str) -> AccountStore:
        return self.mailboxes

    def admits(self, login: str, delay: int) -> bool:
        return True

    def password_of(self, login: str) -> str | None:
        return "s3cret"


def ours(messages: Sequence[bytes], commands: bytes) -> tuple[bytes, list[bytes]]:
    backend = Backend(messages)
    # Dovecot's pop3 does not know UTF8, and sends such messages as they are.
    host = HostSpec(
        "m.test",
        "192.0.2.1",
        "2001:db8::1",
        (POP3,),
        HostOptions(auth_in_clear=True, hide=frozenset({"UTF8"})),
    )
    session = Pop3Session(
        Pop3Profile(host, POP3), backend, lambda *_: None, Peer("203.0.113.250", 50000, "app")
    )
    session.greet()
    session.feed(b"USER tester\r\nPASS s3cret\r\n")
    out = session.feed(commands)
    while session.has_more:
        out += session.more()
    return out, [message.raw for message in backend.mailboxes.inbox]


def _bare(answers: bytes) -> list[bytes]:
    """The answers without the words behind the status, which are everybody's own."""
    found = []
    for line in answers.splitlines(keepends=True):
        match = re.match(rb"(\+OK|-ERR)", line)
        words = re.match(rb"(\+OK) (\d+ \d+)\r\n", line)  # STAT, LIST n: these are data
        found.append(words[0] if words else match[1] + b"\r\n" if match else line)
    return found


def _compare(dovecot: Ask, messages: Sequence[bytes], commands: Sequence[str]) -> None:
    text = "".join(f"{command}\r\n" for command in commands).encode()
    theirs, left = dovecot(messages, text)
    mine, mine_left = ours(messages, text)
    assert _bare(mine) == _bare(theirs)
    assert mine_left == left


MAILS = [
    *(samples.plain(), samples.html(), samples.with_attachment(), samples.eight_bit()),
    b"Subject: dots\r\n\r\n.\r\n..\r\n.a\r\n\r\n.\r\n",
    b"Subject: only a header\r\n\r\n",
    b"Subject: no body, no empty line\r\n",
    b"\r\nno header\r\n",
    b"A: b\r\n\r\n" + b"." * 5000 + b"\r\n" + b".\r\n" * 5000,
    b"A: b\r\n\r\n" + b"x" * 200_000 + b"\r\n",
]  # fmt: skip


def test_lists_and_messages(dovecot: Ask) -> None:
    numbers = range(1, len(MAILS) + 1)
    _compare(
        dovecot,
        MAILS,
        [
            "STAT",
            "LIST",
            *(f"LIST {number}" for number in numbers),
            *(f"RETR {number}" for number in numbers),
            *(f"TOP {number} {lines}" for number in numbers for lines in (0, 1, 3, 10_000)),
            "QUIT",
        ],
    )


def test_marks_and_errors(dovecot: Ask) -> None:
    _compare(
        dovecot,
        MAILS[:4],
        [
            "DELE 2", "STAT", "LIST", "DELE 2", "RETR 2", "TOP 2 1", "LIST 2", "RETR 0", "RETR 5", "RETR x",
            "TOP 1 x", "DELE", "NOOP", "FOO", "RSET", "STAT", "LIST 2", "DELE 1", "DELE 4", "LIST", "QUIT",
        ],
    )  # fmt: skip


def test_without_quit_nothing_is_removed(dovecot: Ask) -> None:
    _compare(dovecot, MAILS[:2], ["DELE 1", "STAT"])


@pytest.mark.parametrize("seed", range(5))
def test_sessions_by_chance(dovecot: Ask, seed: int) -> None:
    chance = random.Random(seed)
    mails = [
        b"Subject: %d\r\n\r\n" % number
        + b"".join(
            chance.choice([b".\r\n", b"..x\r\n", b"line\r\n", b"\r\n"]) for _ in range(chance.randrange(30))
        )
        for number in range(6)
    ]
    verbs = ["STAT", "LIST", "LIST {n}", "RETR {n}", "TOP {n} {lines}", "DELE {n}", "RSET", "NOOP"]
    commands = [
        chance.choice(verbs).format(n=chance.randrange(8), lines=chance.randrange(12)) for _ in range(60)
    ]
    _compare(dovecot, mails, [*commands, "QUIT"])
