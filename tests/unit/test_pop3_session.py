"""The POP3 session: every command in every state, every capability offered and hidden, maildrops and their ends."""

from __future__ import annotations

import hashlib
import re

import pytest

from credentials import Passwords
from fakemail.model.host import POP3, POP3S, HostOptions, HostSpec, Service
from fakemail.pop3.capabilities import CAPABILITIES, Pop3Profile
from fakemail.pop3.commands import COMMANDS, LONGEST_LINE, Pop3Argument, Pop3CommandRow, Pop3Reply, Pop3State
from fakemail.pop3.maildrop import PIECE, end_of_lines, multiline
from fakemail.pop3.session import Pop3Session
from fakemail.store.account import AccountStore
from fakemail.types.channel import Channel
from fakemail.types.peer import Peer
from fakemail.types.reason import Reason
from fakemail.types.seeded_random import SeededRandom
from fakemail.types.stage import Stage

OPEN = {"auth_in_clear": True}
ONE = b"Subject: one\r\n\r\n.dot\r\n..\r\nend\r\n"
TWO = b"Subject: two\r\n\r\nshort"
CHANNEL = Channel("TLSv1.3", "TLS_AES_128_GCM_SHA256", end_point=b"x" * 32)


class Backend(Passwords):
    """One account, ``bob``, with a password."""

    def __init__(self) -> None:
        self.chance = SeededRandom(1)
        self.credentials = self
        self.mailboxes = AccountStore("bob@example.org")
        self.is_patient = True
        self.password = "s3 cret"
        self.asked: list[tuple[str, int]] = []

    def account(self, login: str) -> AccountStore:
        return self.mailboxes if login == "bob" else AccountStore(login)

    def admits(self, login: str, delay: int) -> bool:
        self.asked.append((login, delay))
        return self.is_patient

    def password_of(self, login: str) -> str | None:
        return self.password if login == "bob" else None


class Desk:
    """A session, and what a test says to it."""

    def __init__(
        self, *messages: bytes, backend: Backend | None = None, service: Service = POP3, **options: object
    ) -> None:
        options = HostOptions(**{**OPEN, **options})  # type: ignore[arg-type]
        host = HostSpec("mail.example.org", "192.0.2.1", "2001:db8::1", (service,), options)
        self.backend = backend or Backend()
        self.inbox = self.backend.mailboxes.inbox
        for message in messages:
            self.inbox.append(message)
        self.record: list[tuple[Stage, str, Pop3Reply, int, int]] = []
        self.session = Pop3Session(
            Pop3Profile(host, service), self.backend, self._note, Peer("203.0.113.250", 50000, "app")
        )
        self.banner = self.session.greet().decode()

    def _note(
        self,
        stage: Stage,
        line: str,
        status: str,
        code: str,
        text: str,
        responses: int,
        size: int,
        reason: Reason | None,
    ) -> None:
        self.record.append((stage, line, Pop3Reply(status, text, code, reason), responses, size))

    def say(self, line: str) -> str:
        out = self.session.feed(f"{line}\r\n".encode())
        while self.session.has_more:
            out += self.session.more()
        return out.decode()

    def log_in(self) -> Desk:
        assert self.say("USER bob").startswith("+OK")
        assert self.say("PASS s3 cret").startswith("+OK")
        return self


def desk_in(state: Pop3State) -> Desk:
    desk = Desk(ONE, TWO)
    if state is Pop3State.TRANSACTION:
        desk.log_in()
    elif state is Pop3State.NAMED:
        desk.say("USER bob")
    assert desk.session.state is state
    return desk


# The table ----------------------------------------------------------------------------------------

APOP = "APOP bob {digest}"
# A good example of each command, and the state that it leads to; ``None``: that before the login.
GOOD: dict[str, tuple[str, Pop3State | None]] = {
    "CAPA": ("CAPA", None),
    "STLS": ("STLS", None),
    "USER": ("USER bob", Pop3State.NAMED),
    "PASS": ("PASS s3 cret", Pop3State.TRANSACTION),
    "APOP": (APOP, Pop3State.TRANSACTION),
    "AUTH": ("AUTH PLAIN AGJvYgBzMyBjcmV0", Pop3State.TRANSACTION),
    "UTF8": ("UTF8", None),
    "LANG": ("LANG en", None),
    "STAT": ("STAT", Pop3State.TRANSACTION),
    "LIST": ("LIST", Pop3State.TRANSACTION),
    "UIDL": ("UIDL", Pop3State.TRANSACTION),
    "RETR": ("RETR 1", Pop3State.TRANSACTION),
    "TOP": ("TOP 1 0", Pop3State.TRANSACTION),
    "DELE": ("DELE 1", Pop3State.TRANSACTION),
    "NOOP": ("NOOP", Pop3State.TRANSACTION),
    "RSET": ("RSET", Pop3State.TRANSACTION),
    "QUIT": ("QUIT", None),
}
EVERY = [
    pytest.param(row, state, id=f"{row.keyword}-{state.value}")
    for row in COMMANDS.values()
    for state in Pop3State
]


def filled(desk: Desk, line: str) -> str:
    stamp = re.search("<.*>", desk.banner)
    digest = hashlib.md5((stamp[0] if stamp else "").encode() + b"s3 cret").hexdigest()
    return line.replace("{digest}", digest)


@pytest.mark.parametrize(("row", "state"), EVERY)
def test_every_command_in_every_state(row: Pop3CommandRow, state: Pop3State) -> None:
    desk = desk_in(state)
    line, after = GOOD[row.keyword]
    answer = desk.say(filled(desk, line))
    stage, said, recorded, *_ = desk.record[-1]
    assert stage is row.stage
    if state not in row.states:
        assert answer.startswith("-ERR ")
        assert recorded.reason is Reason.BAD_SEQUENCE
        assert desk.session.state is (
            Pop3State.TRANSACTION if state is Pop3State.TRANSACTION else Pop3State.AUTHORIZATION
        )
        return
    assert answer.startswith("+OK")
    before = Pop3State.TRANSACTION if state is Pop3State.TRANSACTION else Pop3State.AUTHORIZATION
    if row.keyword != "QUIT":
        assert desk.session.state is (after or before)
    assert "s3 cret" not in said
    assert desk.session.closing is (row.keyword == "QUIT")


@pytest.mark.parametrize("row", COMMANDS.values(), ids=COMMANDS)
def test_every_command_takes_the_argument_that_the_table_says(row: Pop3CommandRow) -> None:
    state = Pop3State.NAMED if Pop3State.NAMED in row.states else Pop3State.TRANSACTION
    desk = desk_in(state)
    if row.argument is Pop3Argument.NONE:
        assert desk.say(f"{row.keyword} x").startswith("-ERR syntax: ")
    elif row.argument is Pop3Argument.REQUIRED:
        assert desk.say(row.keyword).startswith("-ERR syntax: ")
        assert desk_in(state).say(f"{row.keyword} ").startswith("-ERR syntax: ")
    else:
        assert desk.say(row.keyword).startswith("+OK")


@pytest.mark.parametrize(
    "row", [row for row in COMMANDS.values() if row.capability], ids=lambda row: row.keyword
)
def test_a_hidden_command_is_unknown(row: Pop3CommandRow) -> None:
    desk = Desk(ONE, hide=frozenset({row.capability}))
    if Pop3State.TRANSACTION in row.states and row.capability != "USER":
        desk.log_in()
    elif row.keyword == "PASS":
        desk.session.state = Pop3State.NAMED
    assert desk.say(filled(desk, GOOD[row.keyword][0])).startswith("-ERR ")
    assert desk.record[-1][2].reason is Reason.UNKNOWN_COMMAND


def capabilities(desk: Desk) -> dict[str, list[str]]:
    first, *lines, dot, _ = desk.say("CAPA").split("\r\n")
    assert (first[:3], dot) == ("+OK", ".")
    return {words[0]: words[1:] for words in map(str.split, lines)}


@pytest.mark.parametrize("row", CAPABILITIES, ids=lambda row: row.keyword)
def test_every_capability_is_offered_unless_hidden(row) -> None:
    assert row.keyword in capabilities(Desk(login_delay=60))
    assert row.keyword not in capabilities(Desk(login_delay=60, hide=frozenset({row.keyword})))


def test_capabilities_with_arguments() -> None:
    """RFC 2449 §6.5 and §6.7, RFC 6856 §2.2; without a delay there is no LOGIN-DELAY."""
    found = capabilities(Desk(login_delay=60))
    assert (found["EXPIRE"], found["LOGIN-DELAY"], found["UTF8"]) == (["NEVER"], ["60"], ["USER"])
    assert "LOGIN-DELAY" not in capabilities(Desk())


def test_nobody_logs_in_in_clear_text_unless_the_host_says_so() -> None:
    desk = Desk(auth_in_clear=False, auth_mechanisms=frozenset({"all"}))
    assert {"USER", "SASL"}.isdisjoint(capabilities(desk))
    for line in ("USER bob", "AUTH PLAIN AGJvYgBzMyBjcmV0", "AUTH", filled(desk, APOP)):
        assert desk.say(line).startswith("-ERR [AUTH] ")
    assert desk.say("STLS").startswith("+OK")
    assert desk.session.wants_tls
    desk.session.secured(CHANNEL)
    found = capabilities(desk)
    assert "STLS" not in found
    assert "SCRAM-SHA-256-PLUS" in found["SASL"]
    assert desk.say("STLS").startswith("-ERR TLS is active")
    desk.log_in()


def test_the_implicit_port_has_no_stls() -> None:
    desk = Desk(service=POP3S)
    desk.session.secured(CHANNEL)
    assert "STLS" not in capabilities(desk)


def test_clear_text_behind_stls_is_thrown_away() -> None:
    """RFC 2595 §4, and what was said before is forgotten."""
    desk = Desk(ONE)
    desk.say("USER bob")
    desk.session.feed(b"STLS\r\nUSER eve\r\nPASS x\r\n")
    assert desk.session.discarded_plaintext == 18
    desk.session.secured(CHANNEL)
    assert desk.say("PASS s3 cret").startswith("-ERR send USER first")


def test_stls_does_not_come_behind_utf8() -> None:
    desk = Desk()
    desk.say("UTF8")
    assert desk.say("STLS").startswith("-ERR ")
    assert not desk.session.wants_tls


# Logging in ---------------------------------------------------------------------------------------


def test_pass_comes_right_behind_user() -> None:
    """RFC 1939 §7."""
    desk = Desk()
    desk.say("USER bob")
    desk.say("CAPA")
    assert desk.say("PASS s3 cret") == "-ERR send USER first\r\n"
    desk.say("USER bob")
    desk.say("nonsense")
    assert desk.say("PASS s3 cret") == "-ERR send USER first\r\n"
    desk.log_in()


@pytest.mark.parametrize("name", ["bob", "nobody"])
def test_who_exists_is_not_told(name: str) -> None:
    desk = Desk()
    assert desk.say(f"USER {name}") == "+OK send PASS\r\n"
    assert desk.say("PASS wrong") == "-ERR [AUTH] authentication failed\r\n"


def test_apop() -> None:
    """RFC 1939 §7, with a digest in capitals as well."""
    desk = Desk(ONE)
    assert desk.say("APOP bob 0123456789abcdef0123456789abcdef").startswith("-ERR [AUTH]")
    assert desk.say("APOP bob").startswith("-ERR syntax")
    line = filled(desk, APOP)
    assert desk.say(line[:9] + line[9:].upper()).startswith("+OK 1 messages")
    assert desk.record[-1][1] == "APOP bob ********"


def test_apop_of_nobody_with_no_password() -> None:
    desk = Desk()
    stamp = re.search("<.*>", desk.banner)
    assert stamp is not None
    assert desk.say(f"APOP nobody {hashlib.md5(stamp[0].encode()).hexdigest()}").startswith("-ERR [AUTH]")


def test_a_password_may_begin_and_end_with_spaces() -> None:
    """RFC 1939 §7: all that follows PASS and one space."""
    desk = Desk()
    desk.backend.password = " s3cret "
    desk.say("USER bob")
    assert desk.say("PASS s3cret").startswith("-ERR")
    desk.say("USER bob")
    assert desk.say("PASS  s3cret ").startswith("+OK")


def test_without_apop_the_banner_has_no_timestamp() -> None:
    assert "<" in Desk().banner
    assert "<" not in Desk(hide=frozenset({"APOP"})).banner


def test_two_banners_differ() -> None:
    backend = Backend()
    assert Desk(backend=backend).banner != Desk(backend=backend).banner


def test_auth_lists_mechanisms_and_takes_them_in_steps() -> None:
    """RFC 5034 §4: an empty challenge is a plus sign and a space; a star cancels."""
    desk = Desk(ONE)
    assert "PLAIN\r\n" in desk.say("AUTH")
    assert desk.say("auth plain") == "+ \r\n"
    assert desk.session.in_progress == "inside AUTH"
    assert desk.say("*") == "-ERR authentication cancelled\r\n"
    assert desk.say("AUTH LOGIN") == "+ VXNlcm5hbWU6\r\n"
    assert desk.say("Ym9i") == "+ UGFzc3dvcmQ6\r\n"
    assert desk.say("d3Jvbmc=") == "-ERR [AUTH] authentication failed\r\n"
    assert desk.say("AUTH PLAIN ???").startswith("-ERR not base64")
    assert desk.say("AUTH PLAIN =").startswith("-ERR a PLAIN message")
    assert desk.say("AUTH NTLM").startswith("-ERR mechanism not offered")
    desk.say("AUTH PLAIN")
    assert desk.say("AGJvYgBzMyBjcmV0").startswith("+OK 1 messages")
    assert [line for stage, line, *_ in desk.record if stage is Stage.POP3_AUTH][-2:] == [
        "AUTH PLAIN",
        "********",
    ]


def test_hidden_mechanisms() -> None:
    desk = Desk(hide=frozenset({"AUTH=PLAIN"}))
    assert "PLAIN" not in capabilities(desk)["SASL"]
    assert desk.say("AUTH PLAIN").startswith("-ERR mechanism")


def test_everybody_is_let_in_where_a_host_says_so() -> None:
    for lines in (["USER eve", "PASS x"], ["AUTH PLAIN AGV2ZQB4"], ["APOP eve 0"]):
        desk = Desk(ONE, accept_any_login=True)
        assert [desk.say(line)[:3] for line in lines][-1] == "+OK"
        assert desk.say("STAT") == "+OK 0 0\r\n"


def test_codes_go_with_their_capabilities() -> None:
    """RFC 2449 §8 and RFC 3206 §3."""
    for hidden in ("RESP-CODES", "AUTH-RESP-CODE"):
        desk = Desk(hide=frozenset({hidden}))
        desk.say("USER bob")
        assert desk.say("PASS wrong") == "-ERR authentication failed\r\n"
    assert "AUTH-RESP-CODE" not in capabilities(Desk(hide=frozenset({"RESP-CODES"})))


def test_one_session_has_the_maildrop() -> None:
    """RFC 1939 §4 and RFC 2449 §8.1.2."""
    first = Desk(ONE).log_in()
    second = Desk(backend=first.backend)
    second.say("USER bob")
    assert second.say("PASS s3 cret").startswith("-ERR [IN-USE] ")
    assert second.session.state is Pop3State.AUTHORIZATION
    second.session.close()
    assert first.backend.mailboxes.is_locked, "a session gave back what it did not have"
    first.say("QUIT")
    second = Desk(backend=first.backend)
    second.log_in()


@pytest.mark.parametrize("how", ["release", "hang_up", "errors"])
def test_a_session_that_breaks_gives_the_maildrop_back_and_removes_nothing(how: str) -> None:
    desk = Desk(ONE, TWO, max_errors=2).log_in()
    desk.say("DELE 1")
    if how == "release":
        desk.session.close()
    elif how == "hang_up":
        desk.session.hang_up(Reason.TIMEOUT)
    else:
        assert "-ERR too many errors" in [desk.say("X").strip() for _ in range(3)][-1]
        assert desk.session.closing
    assert not desk.backend.mailboxes.is_locked
    assert len(desk.inbox) == 2


def test_login_delay() -> None:
    """RFC 2449 §8.1.1; the maildrop is not kept."""
    desk = Desk(login_delay=60)
    desk.backend.is_patient = False
    desk.say("USER bob")
    assert desk.say("PASS s3 cret").startswith("-ERR [LOGIN-DELAY] ")
    assert desk.backend.asked == [("bob", 60)]
    assert not desk.backend.mailboxes.is_locked


# Reading ------------------------------------------------------------------------------------------


def test_sizes_are_what_is_sent() -> None:
    """RFC 1939 §11: octets with two for each line end, without the dots that are put in."""
    desk = Desk(ONE, TWO, b"").log_in()
    assert desk.say("STAT") == f"+OK 3 {len(ONE) + len(TWO) + 2}\r\n"
    assert (
        desk.say("LIST")
        == f"+OK 3 messages ({len(ONE) + len(TWO) + 2} octets)\r\n1 {len(ONE)}\r\n2 {len(TWO) + 2}\r\n3 0\r\n.\r\n"
    )
    assert desk.say("LIST 2") == f"+OK 2 {len(TWO) + 2}\r\n"
    assert desk.say("RETR 1") == f"+OK {len(ONE)} octets\r\nSubject: one\r\n\r\n..dot\r\n...\r\nend\r\n.\r\n"
    assert desk.say("RETR 2") == f"+OK {len(TWO) + 2} octets\r\nSubject: two\r\n\r\nshort\r\n.\r\n"
    assert desk.say("RETR 3") == "+OK 0 octets\r\n.\r\n"


def test_top() -> None:
    """RFC 1939 §7: the header, the empty line, and so many lines."""
    desk = Desk(ONE).log_in()
    header = "+OK top of message follows\r\nSubject: one\r\n\r\n"
    assert desk.say("TOP 1 0") == f"{header}.\r\n"
    assert desk.say("TOP 1 2") == f"{header}..dot\r\n...\r\n.\r\n"
    assert desk.say(f"TOP 1 {'9' * 200}") == f"{header}..dot\r\n...\r\nend\r\n.\r\n"
    assert desk.say("TOP 1").startswith("-ERR syntax")
    assert desk.say("TOP 1 -1").startswith("-ERR syntax")
    assert desk.say("TOP 9 1").startswith("-ERR no such message")
    assert not desk.inbox.at(0)[0].flags, "TOP does not read a message"


def test_reading_marks_a_message_as_seen() -> None:
    desk = Desk(ONE).log_in()
    desk.say("RETR 1")
    assert desk.inbox.at(0)[0].flags == {"\\Seen"}


def test_unique_ids_stay() -> None:
    """RFC 1939 §7: the same in every session, and never used again."""
    desk = Desk(ONE, TWO).log_in()
    first = desk.say("UIDL").split("\r\n")[1:-2]
    assert desk.say("UIDL 2") == f"+OK {first[1]}\r\n"
    desk.say("DELE 1")
    assert desk.say("UIDL").split("\r\n")[1:-2] == first[1:]
    desk.say("QUIT")
    again = Desk(b"x", backend=desk.backend).log_in()
    ids = [line.split()[1] for line in again.say("UIDL").split("\r\n")[1:-2]]
    assert ids[0] == first[1].split()[1]
    assert ids[1] not in [line.split()[1] for line in first]


def test_deleted_messages_are_gone_for_this_session_and_come_back_with_rset() -> None:
    desk = Desk(ONE, TWO).log_in()
    assert desk.say("DELE 1") == "+OK message 1 deleted\r\n"
    for line in ("DELE 1", "RETR 1", "TOP 1 0", "LIST 1", "UIDL 1"):
        assert desk.say(line) == "-ERR message 1 is deleted\r\n"
    assert desk.say("STAT") == f"+OK 1 {len(TWO) + 2}\r\n"
    assert desk.say("LIST").split("\r\n")[1:-2] == [f"2 {len(TWO) + 2}"]
    assert desk.say("RSET").startswith("+OK 2 messages")
    assert desk.say("STAT") == f"+OK 2 {len(ONE) + len(TWO) + 2}\r\n"
    desk.say("DELE 2")
    assert len(desk.inbox) == 2
    assert desk.say("QUIT").startswith("+OK")
    assert [message.raw for message in desk.inbox] == [ONE]


@pytest.mark.parametrize("number", ["0", "3", "00000000003", "9" * 200])
def test_no_such_message(number: str) -> None:
    assert Desk(ONE, TWO).log_in().say(f"RETR {number}") == "-ERR no such message\r\n"


@pytest.mark.parametrize("number", ["x", "-1", "+1", "1 2", "1.0", "\u0661", "0x1"])
def test_no_number(number: str) -> None:
    assert Desk(ONE, TWO).log_in().say(f"RETR {number}").startswith("-ERR a message has a number")


def test_what_arrives_is_for_the_next_session() -> None:
    desk = Desk(ONE).log_in()
    desk.inbox.append(TWO)
    assert desk.say("STAT") == f"+OK 1 {len(ONE)}\r\n"


def test_what_somebody_else_removes_leaves_a_hole() -> None:
    desk = Desk(ONE, TWO, ONE).log_in()
    desk.inbox.expunge([2])
    assert desk.say("RETR 2").startswith("-ERR somebody else")
    assert desk.say("TOP 2 0").startswith("-ERR somebody else")
    assert desk.say("STAT").startswith("+OK 3 ")
    assert desk.say("RETR 3").startswith(f"+OK {len(ONE)} octets")
    assert desk.say("DELE 2").startswith("+OK")
    assert desk.say("DELE 3").startswith("+OK")
    assert desk.say("QUIT").startswith("+OK")
    assert [message.uid for message in desk.inbox] == [1]


def test_a_rebuilt_mailbox_is_not_touched() -> None:
    desk = Desk(ONE, TWO).log_in()
    desk.say("DELE 1")
    desk.backend.mailboxes.renew_uid_validity("INBOX")
    assert desk.say("RETR 2").startswith("-ERR [SYS/TEMP] ")
    assert desk.say("UIDL").startswith("-ERR [SYS/TEMP] ")
    assert desk.say("QUIT").startswith("-ERR [SYS/TEMP] ")
    assert len(desk.inbox) == 2
    assert not desk.backend.mailboxes.is_locked


def test_utf8_messages_need_utf8() -> None:
    """RFC 6856 §2.1 and §5; where nobody knows of UTF8, such a message goes out as it is."""
    mail = "Subject: Crème\r\n\r\nbrûlée\r\n".encode()
    desk = Desk(
        mail, "Subject: x\r\n\r\nbrûlée\r\n".encode(), "Subject: Cr\xe8me\r\n\r\n".encode("latin-1")
    ).log_in()
    assert desk.say("RETR 1").startswith("-ERR [UTF8] ")
    assert desk.say("TOP 1 0").startswith("-ERR [UTF8] ")
    assert "brûlée" in desk.say("RETR 2")
    assert b"Cr\xe8me" in desk.session.feed(b"RETR 3\r\n")
    desk.say("QUIT")
    ready = Desk(backend=desk.backend)
    ready.say("UTF8")
    assert "Crème" in ready.log_in().say("RETR 1")
    ready.say("QUIT")
    assert "Crème" in Desk(backend=desk.backend, hide=frozenset({"UTF8"})).log_in().say("RETR 1")


def test_lang() -> None:
    """RFC 6856 §3.2."""
    desk = Desk()
    assert desk.say("LANG") == "+OK language listing follows\r\nen English\r\n.\r\n"
    assert desk.say("LANG *").startswith("+OK en ")
    assert desk.say("LANG EN").startswith("+OK en ")
    assert desk.say("LANG MUL").startswith("-ERR ")


# Bad input, and much of it ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        (b"FOO\r\n", Reason.UNKNOWN_COMMAND),
        (b"\r\n", Reason.UNKNOWN_COMMAND),
        (b"NO\0OP\r\n", Reason.UNKNOWN_COMMAND),
        (b"USER b\0b\r\n", Reason.BAD_SYNTAX),
        (b"USER b\xffb\r\n", Reason.BAD_SYNTAX),
        (b"NOOP\n", Reason.BARE_LINE_END),
        (b"USER " + b"x" * 249 + b"\r\n", Reason.LINE_TOO_LONG),
        (b"x" * 254 + b"\r\n", Reason.LINE_TOO_LONG),
        (b"x" * (LONGEST_LINE + 1) + b"\r\n", Reason.LINE_TOO_LONG),
    ],
)
def test_bad_lines_are_refused_and_the_next_one_is_read(octets: bytes, reason: Reason) -> None:
    desk = Desk(ONE)
    out = desk.session.feed(octets + b"CAPA\r\n")
    assert out.startswith(b"-ERR ")
    assert desk.record[-2][2].reason is reason
    assert b"\r\n+OK capability" in out


def test_the_longest_line_is_taken() -> None:
    """RFC 2449 §4: 255 octets with CRLF."""
    assert Desk().say("USER " + "x" * 248).startswith("+OK")


def test_bare_line_ends_are_taken_where_a_host_says_so() -> None:
    desk = Desk(accept_bare_line_ends=True)
    assert desk.session.feed(b"USER bob\nPASS s3 cret\n").count(b"+OK") == 2


def test_input_is_bounded() -> None:
    desk = Desk()
    for _ in range(100):
        desk.session.feed(b"x" * 1000)
        assert len(desk.session._lines.buffer) <= LONGEST_LINE + 1000
    assert desk.say("").startswith("-ERR line too long")


def test_the_rest_of_an_overlong_line_is_no_command() -> None:
    desk = Desk()
    assert desk.session.feed(b"x" * (LONGEST_LINE + 1)) == b""
    assert desk.session.feed(b"CAPA\r\n") == b"-ERR line too long\r\n"


def test_nothing_is_kept_after_the_end() -> None:
    desk = Desk(ONE).log_in()
    assert desk.session.feed(b"QUIT\r\nNOOP\r\n").count(b"\r\n") == 1
    assert desk.session.feed(b"NOOP\r\n" * 1000) == b""


def test_many_commands_are_answered_in_turns() -> None:
    desk = Desk(ONE, max_errors=10**6).log_in()
    out = desk.session.feed(b"NOOP\r\n" * 1000)
    turns = 1
    while desk.session.has_more:
        assert out.count(b"+OK") == 250
        out = desk.session.more()
        turns += 1
    assert turns == 4


def test_a_long_message_comes_in_pieces() -> None:
    line = b".%s\r\n" % (b"x" * 97)
    raw = b"Subject: long\r\n\r\n" + line * 50_000
    desk = Desk(raw).log_in()
    pieces = [desk.session.feed(b"RETR 1\r\nNOOP\r\n")]
    assert desk.session.in_progress == "inside the answer to RETR 1"
    assert not desk.inbox.at(0)[0].flags, "it is not read yet"
    while desk.session.has_more:
        pieces.append(desk.session.more())
    assert max(map(len, pieces)) < 4 * PIECE
    assert len(pieces) > 20
    said = b"".join(pieces)
    assert (
        said
        == b"+OK %d octets\r\n" % len(raw) + raw.replace(b"\r\n.", b"\r\n..") + b".\r\n+OK nothing done\r\n"
    )
    assert desk.session.in_progress == ""
    assert desk.inbox.at(0)[0].flags == {"\\Seen"}


def test_last_words_are_never_inside_a_message() -> None:
    """RFC 1939 §3: after inactivity there are none at all."""
    assert Desk().session.hang_up(Reason.SHUTTING_DOWN) == b"-ERR [SYS/TEMP] shutting down\r\n"
    assert Desk().session.hang_up(Reason.TIMEOUT) == b""
    desk = Desk(b"x" * 10**6).log_in()
    desk.session.feed(b"RETR 1\r\n")
    assert desk.session.hang_up(Reason.SHUTTING_DOWN) == b""


def test_hanging_up_is_no_error_of_the_client() -> None:
    desk = Desk(max_errors=1)
    desk.say("FOO")
    assert desk.session.hang_up(Reason.SHUTTING_DOWN) == b"-ERR [SYS/TEMP] shutting down\r\n"


def test_no_answer_comes_from_elsewhere() -> None:
    assert not Desk().session.is_waiting
    assert Desk().session.poll() == b""


def test_pipelined_commands_behind_an_error_are_answered() -> None:
    desk = Desk(ONE).log_in()
    out = desk.session.feed(b"RETR 9\r\nSTAT\r\nFOO\r\nDELE 1\r\nQUIT\r\n")
    assert [line[:4] for line in out.split(b"\r\n")[:-1]] == [b"-ERR", b"+OK ", b"-ERR", b"+OK ", b"+OK "]
    assert len(desk.inbox) == 0


# Octets -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [0, 1, 2, 700, 10_000, 10_001])
def test_end_of_lines(number: int) -> None:
    raw = b"".join(b"%d\r\n" % line for line in range(20_000))
    expected = sum(len(line) for line in raw.splitlines(keepends=True)[:number])
    assert end_of_lines(raw, 0, number) == expected
    assert end_of_lines(raw + b"rest", 0, 30_000) == len(raw) + 4


def test_dots_at_the_border_of_two_pieces() -> None:
    raw = b"x" * (PIECE - 2) + b"\r\n.\r\n"
    assert b"".join(multiline(raw, len(raw))) == raw[:-3] + b"..\r\n.\r\n"


def test_no_client_takes_a_dot_behind_a_bare_lf_for_the_end() -> None:
    assert b"".join(multiline(b"a\n.\nb", 5)) == b"a\n..\nb\r\n.\r\n"
