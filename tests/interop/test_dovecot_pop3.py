"""Our POP3 beside Dovecot's: the same maildrop, the same commands, the same octets.

Dovecot's ``pop3`` program speaks on standard input and output, so no port and no daemon is needed.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from fakemail.message import samples
from fakemail.model.host import POP3, HostOptions, HostSpec
from fakemail.pop3.capabilities import Pop3Profile
from fakemail.pop3.session import Pop3Session
from fakemail.store.account import AccountStore
from fakemail.types.peer import Peer
from fakemail.types.seeded_random import SeededRandom

pytestmark = pytest.mark.interop

_NOBODY = 65534
_CONFIG = """\
base_dir = {home}/run
state_dir = {home}/run
log_path = {home}/log
mail_location = maildir:~/Maildir
mail_uid = {user}
mail_gid = {group}
first_valid_uid = 1
ssl = no
"""

Dovecot = Callable[[Sequence[bytes], bytes], tuple[bytes, list[bytes]]]


@pytest.fixture
def dovecot(program: Callable[[str], str]) -> Iterator[Dovecot]:
    """Puts messages into an empty maildrop, gives commands; returns the answers, and what is left."""
    folder = subprocess.run(
        [program("doveconf"), "-h", "libexec_dir"], capture_output=True, text=True, check=True
    ).stdout.strip()
    pop3 = program(f"{folder}/pop3")
    home = Path(tempfile.mkdtemp(prefix="fakemail-dovecot-"))
    root = os.geteuid() == 0  # Dovecot does not serve mail as root
    user, group = (_NOBODY, _NOBODY) if root else (os.geteuid(), os.getegid())
    (home / "dovecot.conf").write_text(_CONFIG.format(home=home, user=user, group=group))
    folders = [home / "Maildir" / part for part in ("new", "cur", "tmp")]

    def ask(messages: Sequence[bytes], commands: bytes) -> tuple[bytes, list[bytes]]:
        shutil.rmtree(home / "Maildir", ignore_errors=True)
        for part in folders:
            part.mkdir(parents=True)
        for number, message in enumerate(messages, 1):
            (folders[0] / f"{number:010}.x").write_bytes(message)
        if root:
            for path in [home, *home.rglob("*")]:
                os.chown(path, user, group)
        done = subprocess.run(
            [pop3, "-c", str(home / "dovecot.conf")],
            input=commands,
            capture_output=True,
            env={"HOME": str(home), "USER": "tester"},
            user=user if root else None,
            group=group if root else None,
            extra_groups=[] if root else None,
            timeout=60,
            check=False,
        )
        left = [path for part in folders[:2] for path in part.iterdir()]
        return done.stdout, [path.read_bytes() for path in sorted(left, key=lambda path: path.name)]

    yield ask
    shutil.rmtree(home, ignore_errors=True)


class Backend:
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

    def token_owner(self, token: str) -> str | None:
        return None

    def owner_of_certificate(self, subject: str) -> str | None:
        return None

    def may_act_as(self, authentication_id: str, authorization_id: str) -> bool:
        return False


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


def _compare(dovecot: Dovecot, messages: Sequence[bytes], commands: Sequence[str]) -> None:
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


def test_lists_and_messages(dovecot: Dovecot) -> None:
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


def test_marks_and_errors(dovecot: Dovecot) -> None:
    _compare(
        dovecot,
        MAILS[:4],
        [
            "DELE 2", "STAT", "LIST", "DELE 2", "RETR 2", "TOP 2 1", "LIST 2", "RETR 0", "RETR 5", "RETR x",
            "TOP 1 x", "DELE", "NOOP", "FOO", "RSET", "STAT", "LIST 2", "DELE 1", "DELE 4", "LIST", "QUIT",
        ],
    )  # fmt: skip


def test_without_quit_nothing_is_removed(dovecot: Dovecot) -> None:
    _compare(dovecot, MAILS[:2], ["DELE 1", "STAT"])


@pytest.mark.parametrize("seed", range(5))
def test_sessions_by_chance(dovecot: Dovecot, seed: int) -> None:
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
