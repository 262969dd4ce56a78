"""Every row of the table of commands in every state, and every extension offered and hidden."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest

from fakemail.events.kinds import ClientBytes
from fakemail.faults import actions
from fakemail.faults.host_faults import HostFaults
from fakemail.faults.rule import FaultRule
from fakemail.model.host import SMTP, SUBMISSION, HostOptions, HostSpec, Service
from fakemail.smtp.client import ReplyReader
from fakemail.smtp.commands import (
    COMMANDS,
    LONGEST_LINE,
    MESSAGE_ENDED,
    OUT_OF_ORDER,
    TLS_STARTED,
    SmtpArgument,
    SmtpCommandRow,
    SmtpState,
)
from fakemail.smtp.extensions import EXTENSIONS, SmtpProfile
from fakemail.smtp.session import SmtpSession
from fakemail.types.address import Address, Path
from fakemail.types.channel import Channel
from fakemail.types.peer import Peer
from fakemail.types.reason import Reason
from fakemail.types.reply import Reply
from fakemail.types.stage import Stage
from fakemail.types.verdict import Verdict, refused
from smtp_backend import AcceptingBackend

PLAIN = base64.b64encode(b"\0bob@example.org\0s3cret").decode()
OPEN = HostOptions(
    require_auth=False, auth_in_clear=True, own_senders_only=False, xclient_from=frozenset({"app"})
)


class Backend(AcceptingBackend):
    """Takes everything for everybody but ``gone@...``."""

    def verify(self, name: str) -> tuple[Address, ...]:
        return (Address("bob", "example.org"),)

    def expand(self, name: str) -> tuple[Address, ...]:
        return (Address("bob", "example.org"),)

    def password_of(self, login: str) -> str | None:
        return "s3cret" if login == "bob@example.org" else None


class Desk:
    """A session, and what a test says to it."""

    def __init__(
        self,
        options: HostOptions = OPEN,
        service: Service = SUBMISSION,
        *,
        backend: Backend | None = None,
        faults: HostFaults | None = None,
    ) -> None:
        host = HostSpec("mx.example.org", "192.0.2.1", "2001:db8::1", (service,), options)
        self.backend = Backend() if backend is None else backend
        self.record: list[tuple[Stage, str, Reply | None, Reason | None]] = []
        self.session = SmtpSession(
            SmtpProfile(host, service),
            self.backend,
            self._note,
            Peer("203.0.113.250", 50000, "app"),
            faults=faults,
        )
        self.reader = ReplyReader()
        self.reader.feed(self.session.greet())

    def _note(
        self,
        stage: Stage,
        line: str,
        reply: Reply | None,
        reason: Reason | None,
        address: Path | None = None,
        queue_id: str = "",
        octets: ClientBytes | None = None,
    ) -> None:
        self.record.append((stage, line, reply, reason))

    def say(self, octets: bytes) -> list[Reply]:
        return self.reader.feed(self.session.feed(octets))

    def one(self, octets: bytes) -> Reply:
        (reply,) = self.say(octets)
        return reply


PATHS = {
    SmtpState.CONNECTED: b"",
    SmtpState.READY: b"EHLO app.test\r\n",
    SmtpState.SENDER: b"EHLO app.test\r\nMAIL FROM:<a@app.test>\r\n",
    SmtpState.RECIPIENTS: b"EHLO app.test\r\nMAIL FROM:<a@app.test>\r\nRCPT TO:<bob@example.org>\r\n",
    SmtpState.REJECTED: b"",
    SmtpState.CHUNKS: b"EHLO app.test\r\nMAIL FROM:<a@app.test>\r\nRCPT TO:<bob@example.org>\r\nBDAT 2\r\n\r\n",
}


class Unwilling(Backend):
    def check_client(self) -> Verdict | None:
        return refused(Reason.POLICY)


def desk_in(state: SmtpState, faults: HostFaults | None = None) -> Desk:
    desk = Desk(backend=Unwilling() if state is SmtpState.REJECTED else None, faults=faults)
    desk.say(PATHS[state])
    assert desk.session.state is state
    return desk


# A good example of each command, the code that accepts it and the state that it leads to. ``None``: it
# stays. BDAT and DATA are legal where they cannot succeed yet; see REFUSED_LATER.
GOOD: dict[str, tuple[bytes, int, SmtpState | None]] = {
    "EHLO": (b"EHLO app.test\r\n", 250, SmtpState.READY),
    "HELO": (b"HELO app.test\r\n", 250, SmtpState.READY),
    "STARTTLS": (b"STARTTLS\r\n", 220, None),
    "AUTH": (f"AUTH PLAIN {PLAIN}\r\n".encode(), 235, None),
    "MAIL": (b"MAIL FROM:<ann@app.test>\r\n", 250, SmtpState.SENDER),
    "RCPT": (b"RCPT TO:<ann@example.org>\r\n", 250, SmtpState.RECIPIENTS),
    "DATA": (b"DATA\r\n", 354, None),
    "BDAT": (b"BDAT 3\r\nx\r\n", 250, SmtpState.CHUNKS),
    "RSET": (b"RSET\r\n", 250, SmtpState.READY),
    "NOOP": (b"NOOP\r\n", 250, None),
    "VRFY": (b"VRFY bob\r\n", 250, None),
    "EXPN": (b"EXPN team\r\n", 250, None),
    "HELP": (b"HELP\r\n", 214, None),
    "XCLIENT": (b"XCLIENT ADDR=192.0.2.9\r\n", 220, SmtpState.CONNECTED),
    "QUIT": (b"QUIT\r\n", 221, None),
}
REFUSED_LATER = {
    ("DATA", SmtpState.SENDER): 554,
    ("BDAT", SmtpState.CONNECTED): 503,
    ("BDAT", SmtpState.READY): 503,
    ("BDAT", SmtpState.SENDER): 554,
}
EVERY = [(row, state) for row in COMMANDS.values() for state in SmtpState]
LEGAL = [(row, state) for row, state in EVERY if state in row.states]
ILLEGAL = [(row, state) for row, state in EVERY if state not in row.states]


def named(pairs: list[tuple[SmtpCommandRow, SmtpState]]) -> list[object]:
    return [pytest.param(row, state, id=f"{row.verb}-{state.value}") for row, state in pairs]


@pytest.mark.parametrize(("row", "state"), named(LEGAL))
def test_legal_command_is_accepted(row: SmtpCommandRow, state: SmtpState) -> None:
    desk = desk_in(state)
    octets, code, after = GOOD[row.verb]
    later = REFUSED_LATER.get((row.verb, state))
    assert desk.one(octets).code == (later or code)
    if row.verb == "RSET" and state is SmtpState.CONNECTED:
        after = SmtpState.CONNECTED
    assert desk.session.state is (state if later or after is None else after)
    assert desk.record[-1][0] is row.stage


@pytest.mark.parametrize(("row", "state"), named(LEGAL))
def test_a_positive_reply_leads_to_the_state_of_the_table(row: SmtpCommandRow, state: SmtpState) -> None:
    desk = desk_in(state)
    reply = desk.one(GOOD[row.verb][0])
    assert desk.session.state is (row.next_state[state] if reply.code < 400 else state)


@pytest.mark.parametrize("code", [450, 550])
@pytest.mark.parametrize(("row", "state"), named(LEGAL))
def test_a_negative_reply_changes_no_state(row: SmtpCommandRow, state: SmtpState, code: int) -> None:
    faults = HostFaults()
    desk = desk_in(state, faults)
    faults.activate([FaultRule(row.stage, actions.reply(code, None, "not now"))])
    assert desk.one(GOOD[row.verb][0]).code == code
    assert desk.session.state is state


@pytest.mark.parametrize("row", COMMANDS.values(), ids=lambda row: row.verb)
def test_the_table_says_what_follows_from_every_state(row: SmtpCommandRow) -> None:
    assert set(row.next_state) == set(SmtpState)


@pytest.mark.parametrize("ending", [b"x\r\n.\r\n", b".\r\n", b"bare\n.\r\n.\r\n"])
def test_the_end_of_a_message_ends_its_transaction_whatever_the_reply(ending: bytes) -> None:
    desk = desk_in(SmtpState.RECIPIENTS)
    desk.say(b"DATA\r\n")
    assert desk.session.state is SmtpState.RECIPIENTS
    desk.one(ending)
    assert desk.session.state is MESSAGE_ENDED[SmtpState.RECIPIENTS] is SmtpState.READY
    assert desk.one(b"DATA\r\n").code == 503


@pytest.mark.parametrize("state", [SmtpState.READY, SmtpState.SENDER, SmtpState.RECIPIENTS, SmtpState.CHUNKS])
def test_tls_ends_the_transaction_and_the_greeting(state: SmtpState) -> None:
    """RFC 3207 §4.2."""
    desk = desk_in(state)
    assert desk.one(b"STARTTLS\r\n").code == 220
    desk.session.secured(Channel("TLSv1.3", "TLS_AES_128_GCM_SHA256"))
    assert desk.session.state is TLS_STARTED[state] is SmtpState.CONNECTED
    assert desk.session.in_progress == ""
    assert desk.one(b"MAIL FROM:<a@app.test>\r\n").code == 503


@pytest.mark.parametrize(("row", "state"), named(ILLEGAL))
def test_command_out_of_order_gets_503_and_changes_nothing(row: SmtpCommandRow, state: SmtpState) -> None:
    desk = desk_in(state)
    octets = GOOD[row.verb][0].splitlines(keepends=True)[0]  # BDAT without its octets
    reply = desk.one(octets)
    assert (reply.code, reply.enhanced, reply.text) == (503, "5.5.1", OUT_OF_ORDER[row.verb, state])
    assert desk.record[-1][0] is row.stage
    assert desk.record[-1][3] is Reason.BAD_SEQUENCE
    assert desk.session.state is state
    # A transaction under way can still be finished, as if nothing had been said.
    ending = {
        SmtpState.RECIPIENTS: b"DATA\r\nx\r\n.\r\n",
        SmtpState.CHUNKS: b"BDAT 3 LAST\r\nx\r\n",
        SmtpState.SENDER: b"RCPT TO:<ann@example.org>\r\nDATA\r\nx\r\n.\r\n",
    }.get(state, b"NOOP\r\n")
    if state is SmtpState.REJECTED:
        ending = b"QUIT\r\n"
    assert [reply.code for reply in desk.say(ending) if reply.code >= 400] == []
    assert len(desk.backend.taken) == (state in (SmtpState.RECIPIENTS, SmtpState.CHUNKS, SmtpState.SENDER))


def test_every_illegal_pair_has_its_sentence() -> None:
    assert set(OUT_OF_ORDER) == {(row.verb, state) for row, state in ILLEGAL}


@pytest.mark.parametrize("row", COMMANDS.values(), ids=lambda row: row.verb)
def test_argument_is_checked_against_the_row(row: SmtpCommandRow) -> None:
    state = next(state for state in (SmtpState.READY, SmtpState.SENDER, *SmtpState) if state in row.states)
    desk = desk_in(state)
    wrong = {
        SmtpArgument.NONE: f"{row.verb} something\r\n",
        SmtpArgument.REQUIRED: f"{row.verb}\r\n",
        SmtpArgument.OPTIONAL: "",
    }[row.argument]
    if not wrong:
        assert desk.one(f"{row.verb}\r\n".encode()).is_positive
        return
    reply = desk.one(wrong.encode())
    assert (reply.code, reply.text) == (501, f"syntax: {row.syntax}")
    assert desk.session.state is state


@pytest.mark.parametrize("row", COMMANDS.values(), ids=lambda row: row.verb)
@pytest.mark.parametrize("case", [str.lower, str.title])
def test_verb_has_no_case(row: SmtpCommandRow, case: object) -> None:
    state = next(state for state in (SmtpState.RECIPIENTS, SmtpState.READY) if state in row.states)
    verb = row.verb.lower() if case is str.lower else row.verb.title()
    desk = desk_in(state)
    octets, code, _ = GOOD[row.verb]
    assert desk.one(verb.encode() + octets[len(row.verb) :]).code == code


@pytest.mark.parametrize("row", COMMANDS.values(), ids=lambda row: row.verb)
def test_line_may_be_as_long_as_its_row_says(row: SmtpCommandRow) -> None:
    desk = desk_in(SmtpState.READY)
    fitting = f"{row.verb} ".encode().ljust(row.limit - 2, b"x") + b"\r\n"
    assert len(fitting) == row.limit
    assert [reply.code for reply in desk.say(fitting)] != [500]
    desk = desk_in(SmtpState.READY)
    reply = desk.one(fitting[:-2] + b"x\r\n")
    assert (reply.code, reply.enhanced) == (500, "5.5.2")
    assert desk.one(b"NOOP\r\n").code == 250


def test_overlong_line_in_pieces_is_one_error() -> None:
    desk = desk_in(SmtpState.READY)
    for _ in range(5):
        assert desk.say(b"x" * LONGEST_LINE) == []
    assert [reply.code for reply in desk.say(b"x\r\nNOOP\r\n")] == [500, 250]


def test_help_lists_what_is_there() -> None:
    assert desk_in(SmtpState.READY).one(b"HELP\r\n").text.split("\n") == [
        row.syntax for row in COMMANDS.values()
    ]
    hidden = replace(OPEN, hide=frozenset({"VRFY", "CHUNKING", "STARTTLS", "AUTH"}))
    shown = Desk(hidden).one(b"HELP\r\n").text
    assert not any(verb in shown for verb in ("VRFY", "BDAT", "STARTTLS", "AUTH"))


# Extensions -----------------------------------------------------------------------------------------

IN_MAIL = b"EHLO app.test\r\nMAIL FROM:<a@app.test>\r\n"
# What only works with the extension: octets, and the code of the last reply with it and without it.
USES: dict[str, tuple[bytes, int, int]] = {
    "SIZE": (b"EHLO app.test\r\nMAIL FROM:<a@app.test> SIZE=1\r\n", 250, 555),
    "VRFY": (b"VRFY bob\r\n", 250, 500),
    "EXPN": (b"EXPN team\r\n", 250, 500),
    "STARTTLS": (b"EHLO app.test\r\nSTARTTLS\r\n", 220, 500),
    "AUTH": (f"EHLO app.test\r\nAUTH PLAIN {PLAIN}\r\n".encode(), 235, 500),
    "8BITMIME": (b"EHLO app.test\r\nMAIL FROM:<a@app.test> BODY=8BITMIME\r\n", 250, 555),
    "DSN": (b"EHLO app.test\r\nMAIL FROM:<a@app.test> RET=FULL ENVID=x\r\n", 250, 555),
    "SMTPUTF8": ("EHLO app.test\r\nMAIL FROM:<ü@app.test> SMTPUTF8\r\n".encode(), 250, 555),
    "CHUNKING": (IN_MAIL + b"RCPT TO:<bob@example.org>\r\nBDAT 0 LAST\r\n", 250, 500),
    "BINARYMIME": (b"EHLO app.test\r\nMAIL FROM:<a@app.test> BODY=BINARYMIME\r\n", 250, 555),
    "XCLIENT": (b"XCLIENT ADDR=192.0.2.9 HELO=mail.else.test\r\n", 220, 500),
    "HELP": (b"HELP\r\n", 214, 500),
}
# What is offered inside TLS only; the session of these tests is in clear text.
INSIDE_TLS = {"REQUIRETLS"}
# Keywords that announce how the server is, and bring nothing that could be refused.
STATEMENTS = {"PIPELINING", "ENHANCEDSTATUSCODES", "LIMITS"}


def keywords(desk: Desk) -> dict[str, str]:
    lines = desk.one(b"EHLO app.test\r\n").text.split("\n")[1:]
    return {keyword: said for keyword, _, said in (line.partition(" ") for line in lines)}


def test_every_extension_is_tried() -> None:
    assert {row.keyword for row in EXTENSIONS} == {*USES, *STATEMENTS, *INSIDE_TLS}


@pytest.mark.parametrize("keyword", [row.keyword for row in EXTENSIONS if row.keyword not in INSIDE_TLS])
def test_offered_extension_works(keyword: str) -> None:
    assert keyword in keywords(Desk())
    if keyword in USES:
        octets, code, _ = USES[keyword]
        assert Desk().say(octets)[-1].code == code


@pytest.mark.parametrize("keyword", [row.keyword for row in EXTENSIONS if row.keyword not in INSIDE_TLS])
def test_hidden_extension_is_neither_offered_nor_understood(keyword: str) -> None:
    desk = Desk(replace(OPEN, hide=frozenset({keyword})))
    left = {row.keyword for row in EXTENSIONS} - INSIDE_TLS - {keyword}
    # RFC 3030 §3: BINARYMIME needs CHUNKING. RFC 6531 §3.1: SMTPUTF8 needs 8BITMIME.
    needs_it = {"CHUNKING": {"BINARYMIME"}, "8BITMIME": {"SMTPUTF8"}}.get(keyword, set())
    assert set(keywords(desk)) == left - needs_it
    if keyword in USES:
        octets, _, code = USES[keyword]
        assert Desk(replace(OPEN, hide=frozenset({keyword}))).say(octets)[-1].code == code


def test_requiretls_is_for_tls() -> None:  # RFC 8689 §2
    command = b"MAIL FROM:<a@app.test> REQUIRETLS\r\n"
    desk = Desk()
    assert "REQUIRETLS" not in keywords(desk)
    assert desk.one(command).code == 555
    desk.session.secured(Channel("TLSv1.3", "x"))
    assert "REQUIRETLS" in keywords(desk)
    assert desk.one(command).code == 250
    assert desk.one(b"RSET\r\n").code == 250
    assert desk.one(command.replace(b"\r\n", b"=yes\r\n")).code == 501
    hidden = Desk(replace(OPEN, hide=frozenset({"REQUIRETLS"})))
    hidden.session.secured(Channel("TLSv1.3", "x"))
    assert "REQUIRETLS" not in keywords(hidden)
    assert hidden.one(command).code == 555


def test_parameters_of_keywords() -> None:
    said = keywords(Desk(replace(OPEN, max_message_size=7, max_recipients=3)))
    assert (said["SIZE"], said["LIMITS"]) == ("7", "RCPTMAX=3")
    assert "PLAIN" in said["AUTH"].split()


def test_hidden_enhanced_codes_stand_nowhere() -> None:
    desk = Desk(replace(OPEN, hide=frozenset({"ENHANCEDSTATUSCODES"})))
    for octets, _, _ in GOOD.values():
        if not octets.startswith((b"STARTTLS", b"DATA", b"QUIT")):
            assert all(reply.enhanced is None for reply in desk.say(octets))


def test_hidden_mechanism_is_neither_offered_nor_understood() -> None:
    desk = Desk(replace(OPEN, hide=frozenset({"AUTH=PLAIN"})))
    assert "PLAIN" not in keywords(desk)["AUTH"].split()
    assert desk.one(f"AUTH PLAIN {PLAIN}\r\n".encode()).code == 504


def test_binary_without_8bitmime_is_still_binary() -> None:
    desk = Desk(replace(OPEN, hide=frozenset({"8BITMIME"})))
    desk.say(b"EHLO app.test\r\n")
    assert desk.one(b"MAIL FROM:<a@app.test> BODY=8BITMIME\r\n").code == 555
    assert desk.one(b"MAIL FROM:<a@app.test> BODY=BINARYMIME\r\n").code == 250


def test_binary_without_chunking_is_not_understood() -> None:
    desk = Desk(replace(OPEN, hide=frozenset({"CHUNKING"})))
    desk.say(b"EHLO app.test\r\n")
    assert desk.one(b"MAIL FROM:<a@app.test> BODY=BINARYMIME\r\n").code == 555


def test_auth_is_for_submission() -> None:
    desk = Desk(service=SMTP)
    assert "AUTH" not in keywords(desk)
    assert desk.one(f"AUTH PLAIN {PLAIN}\r\n".encode()).code == 500
    assert desk.one(b"MAIL FROM:<a@app.test> AUTH=<>\r\n").code == 555


def test_what_is_wrong_with_a_login_is_recorded() -> None:
    desk = Desk()
    desk.say(b"EHLO app.test\r\n")
    wrong = base64.b64encode(b"\0bob@example.org\0guess").decode()
    for line, code, reason in (
        (f"AUTH PLAIN {wrong}", 535, Reason.AUTH_FAILED),
        ("AUTH NOTHING", 504, Reason.AUTH_MECHANISM),
        (f"AUTH PLAIN {PLAIN}", 235, None),
        (f"AUTH PLAIN {PLAIN}", 503, Reason.BAD_SEQUENCE),
    ):
        reply = desk.one(f"{line}\r\n".encode())
        assert (reply.code, desk.record[-1][3]) == (code, reason), line
    careful = Desk(HostOptions())
    careful.say(b"EHLO app.test\r\n")
    assert careful.one(f"AUTH PLAIN {PLAIN}\r\n".encode()).code == 538
    assert careful.record[-1][3] is Reason.TLS_REQUIRED
