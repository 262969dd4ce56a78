"""The receiving session where a dialogue file cannot reach: waiting, ending, records, what is kept of input."""

from __future__ import annotations

from typing import Any

import pytest

from fakemail.events.kinds import ClientBytes
from fakemail.message.envelope import BodyType, Envelope
from fakemail.model.host import SMTP, HostOptions, HostSpec
from fakemail.smtp.backend import Receipt
from fakemail.smtp.client import ReplyReader
from fakemail.smtp.commands import LONGEST_LINE, SmtpState
from fakemail.smtp.extensions import SmtpProfile
from fakemail.smtp.session import SmtpSession
from fakemail.types.address import NULL_PATH, Address, Path
from fakemail.types.channel import Channel
from fakemail.types.peer import Peer
from fakemail.types.reason import Reason
from fakemail.types.reply import Reply
from fakemail.types.stage import Stage
from fakemail.types.verdict import ACCEPTED, Verdict, deferred, refused
from smtp_backend import AcceptingBackend

TRANSACTION = b"EHLO app.test\r\nMAIL FROM:<a@app.test>\r\nRCPT TO:<bob@example.org>\r\n"


class Backend(AcceptingBackend):
    """Answers later where the test says so."""

    def __init__(self, *late: str) -> None:
        super().__init__()
        self.late = late

    def check_sender(self, sender: Path, login: str) -> Verdict | None:
        return None if "sender" in self.late else ACCEPTED

    def check_recipient(self, recipient: Address, login: str) -> Verdict | None:
        return None if "recipient" in self.late else ACCEPTED

    def check_data(self) -> Verdict | None:
        return None if "data" in self.late else ACCEPTED

    def take(self, envelope: Envelope, content: bytes) -> Receipt | None:
        taken = super().take(envelope, content)
        return None if "message" in self.late else taken


class Desk:
    """A session, and what a test says to it."""

    def __init__(self, backend: Backend | None = None, **options: int) -> None:
        host = HostSpec("mx.example.org", "192.0.2.1", "2001:db8::1", (SMTP,), HostOptions(**options))  # type: ignore[arg-type]
        self.backend = backend or Backend()
        self.record: list[tuple[Stage, str, Reply | None, Reason | None, Path | None, str]] = []
        self.octets: list[ClientBytes | None] = []
        self.session = SmtpSession(
            SmtpProfile(host, SMTP), self.backend, self._note, Peer("203.0.113.250", 50000, "app")
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
        self.record.append((stage, line, reply, reason, address, queue_id))
        self.octets.append(octets)

    def codes(self, octets: bytes) -> list[int]:
        return [reply.code for reply in self.reader.feed(octets)]

    def say(self, octets: bytes) -> list[int]:
        return self.codes(self.session.feed(octets))


def test_commands_behind_a_message_that_came_in_a_segment_of_its_own() -> None:
    # They were lost once: the reader of the message was fed a second time with what came after it.
    desk = Desk()
    desk.say(TRANSACTION + b"DATA\r\n")
    assert desk.say(b"x\r\n.\r\n" + TRANSACTION + b"DATA\r\ny\r\n.\r\nQUIT\r\n") == [
        250, 250, 250, 250, 354, 250, 221
    ]  # fmt: skip
    assert [content for _, content in desk.backend.taken] == [b"x\r\n", b"y\r\n"]


def test_record_of_a_transaction() -> None:
    desk = Desk()
    desk.say(TRANSACTION + b"DATA\r\nx\r\n.\r\nQUIT\r\n")
    bob = Address("bob", "example.org")
    assert [(stage, line, reply and reply.code, address, queue_id)
            for stage, line, reply, _, address, queue_id in desk.record] == [
        (Stage.SMTP_BANNER, "", 220, None, ""),
        (Stage.SMTP_HELO, "EHLO app.test", 250, None, ""),
        (Stage.SMTP_MAIL, "MAIL FROM:<a@app.test>", 250, Address("a", "app.test"), ""),
        (Stage.SMTP_RCPT, "RCPT TO:<bob@example.org>", 250, bob, ""),
        (Stage.SMTP_DATA, "DATA", 354, None, ""),
        (Stage.SMTP_END, "", 250, None, "Q1"),
        (Stage.SMTP_QUIT, "QUIT", 221, None, ""),
    ]  # fmt: skip


def test_null_path_is_recorded_as_such() -> None:
    desk = Desk()
    desk.say(b"EHLO app.test\r\nMAIL FROM:<>\r\n")
    assert desk.record[-1][4] is NULL_PATH


@pytest.mark.parametrize(
    ("late", "before"),
    [
        ("sender", [250]),
        ("recipient", [250, 250]),
        ("data", [250, 250, 250]),
        ("message", [250, 250, 250, 354]),
    ],
)
def test_nothing_is_answered_while_the_backend_thinks(late: str, before: list[int]) -> None:
    desk = Desk(Backend(late))
    assert desk.say(TRANSACTION + b"DATA\r\nx\r\n.\r\nNOOP\r\n") == before
    assert desk.session.is_waiting is True
    assert desk.say(b"NOOP\r\n") == []
    answer = Receipt(ACCEPTED, "Q1", "done") if late == "message" else ACCEPTED
    after = desk.codes(desk.session.resume(answer))
    waiting: bool = desk.session.is_waiting
    assert (waiting, [*before, *after]) == (False, [250, 250, 250, 354, 250, 250, 250])
    ((envelope, content),) = desk.backend.taken
    assert (str(envelope.sender), [str(each) for each in envelope.addresses], content) == (
        "a@app.test",
        ["bob@example.org"],
        b"x\r\n",
    )


@pytest.mark.parametrize("late", ["sender", "recipient", "message"])
@pytest.mark.parametrize(
    ("verdict", "code"), [(refused(Reason.NO_SUCH_USER), 550), (deferred(Reason.LOCAL_ERROR), 451)]
)
def test_late_refusal(late: str, verdict: Verdict, code: int) -> None:
    desk = Desk(Backend(late))
    said = {
        "sender": b"EHLO app.test\r\nMAIL FROM:<a@app.test>\r\n",
        "recipient": TRANSACTION,
        "message": TRANSACTION + b"BDAT 2 LAST\r\n\r\n",
    }[late]
    desk.say(said)
    state = desk.session.state
    assert desk.codes(desk.session.resume(Receipt(verdict) if late == "message" else verdict)) == [code]
    assert desk.record[-1][3] is verdict.reason
    assert desk.session.state is state


def test_what_is_wrong_with_a_chunk_is_said_after_a_late_answer() -> None:
    desk = Desk(Backend("data"))
    assert desk.say(TRANSACTION + b"BDAT 2 LAST\r\n\n\n") == [250, 250, 250]
    assert desk.codes(desk.session.resume(ACCEPTED)) == [554]
    assert desk.record[-1][3] is Reason.BARE_LINE_END


def test_answer_without_a_question_is_a_mistake() -> None:
    with pytest.raises(RuntimeError, match="no question is open"):
        Desk().session.resume(ACCEPTED)


@pytest.mark.parametrize(
    ("reason", "code", "status"),
    [
        (Reason.TIMEOUT, 421, "4.4.2"),
        (Reason.SHUTTING_DOWN, 421, "4.3.2"),
        (Reason.LOCAL_ERROR, 451, "4.3.0"),
    ],
)
def test_hanging_up_says_why(reason: Reason, code: int, status: str) -> None:
    desk = Desk()
    (reply,) = desk.reader.feed(desk.session.hang_up(reason))
    assert (reply.code, reply.enhanced) == (code, status)
    assert desk.session.closing
    assert desk.record[-1][:2] == (Stage.DISCONNECT, "")


def test_hanging_up_is_no_error_of_the_client() -> None:
    # The last words once said "too many errors" to a client that had used up its errors.
    desk = Desk(max_errors=1)
    assert desk.say(b"FOO\r\n") == [500]
    (reply,) = desk.reader.feed(desk.session.hang_up(Reason.SHUTTING_DOWN))
    assert reply.enhanced == "4.3.2"
    assert desk.record[-1][3] is Reason.SHUTTING_DOWN


def test_nothing_is_kept_after_the_end() -> None:
    desk = Desk()
    desk.say(b"QUIT\r\n")
    record = list(desk.record)
    assert desk.say(b"NOOP\r\n" * 1000) == []
    assert desk.record == record
    assert len(desk.session._lines.buffer) == 0


def test_input_is_bounded() -> None:
    desk = Desk(max_message_size=1000)
    for _ in range(100):
        desk.say(b"x" * 1000)
        assert len(desk.session._lines.buffer) <= LONGEST_LINE + 1000
    assert desk.say(b"\r\n" + TRANSACTION + b"DATA\r\n") == [500, 250, 250, 250, 354]
    for _ in range(100):
        desk.say(b"x" * 1000)
    assert desk.session.in_progress == "inside the message, after 100000 octets"
    assert desk.say(b"\r\n.\r\n") == [552]


@pytest.mark.parametrize("unit", [b"NOOP\r\n", b"BDAT 0\r\n", b"RSET\r\nMAIL FROM:<>\r\n",
                                  b"MAIL FROM:<>\r\nRCPT TO:<b@c>\r\nDATA\r\n.\r\n"])  # fmt: skip
def test_long_segments_are_not_copied_for_each_command(unit: bytes) -> None:
    # One segment of many commands must cost what its parts cost: the buffer is eaten from its front.
    copied = 0

    class Counted(bytearray):
        def __getitem__(self, key: Any) -> Any:
            nonlocal copied
            part = super().__getitem__(key)
            copied += 1 if isinstance(part, int) else len(part)
            return part

        def __bytes__(self) -> bytes:
            nonlocal copied
            copied += len(self)
            return bytes(memoryview(self))

    desk = Desk(max_errors=10**6)
    desk.say(b"EHLO app.test\r\n")
    desk.session._lines.buffer = Counted()
    octets = unit * 2000
    desk.say(octets)
    assert 0 < copied <= 2 * len(octets)


def test_whereabouts() -> None:
    desk = Desk()
    assert desk.session.in_progress == ""
    desk.say(TRANSACTION)
    assert desk.session.in_progress == "inside a mail transaction"
    desk.say(b"BDAT 10\r\nabc")
    assert desk.session.in_progress == "inside the message, after 3 octets"
    desk.say(b"x" * 7 + b"RSET\r\n")
    assert desk.session.in_progress == ""


def test_clear_text_behind_starttls_is_thrown_away() -> None:
    desk = Desk()
    desk.say(b"EHLO app.test\r\n")
    assert desk.say(b"STARTTLS\r\nMAIL FROM:<evil@app.test>\r\n") == [220]
    assert desk.session.wants_tls
    assert desk.session.discarded_plaintext == 27
    desk.session.secured(Channel("TLSv1.3", "X"))
    assert desk.session.state is SmtpState.CONNECTED
    assert desk.say(b"EHLO app.test\r\nRCPT TO:<bob@example.org>\r\n") == [250, 503]


def test_tls_forgets_chunks() -> None:
    desk = Desk()
    desk.say(TRANSACTION + b"BDAT 3\r\nabcSTARTTLS\r\n")
    desk.session.secured(Channel("TLSv1.3", "X"))
    desk.say(TRANSACTION + b"BDAT 2 LAST\r\n\r\n")
    assert [content for _, content in desk.backend.taken] == [b"\r\n"]


def test_origin_tells_how_it_came() -> None:
    desk = Desk()
    desk.session.secured(Channel("TLSv1.3", "TLS_AES_128_GCM_SHA256"))
    desk.say(TRANSACTION + b"BDAT 2 LAST\r\n\r\n")
    ((envelope, _),) = desk.backend.taken
    assert envelope.origin == (
        type(envelope.origin)(
            "app.test", desk.session._peer, "ESMTPS", "TLSv1.3", "TLS_AES_128_GCM_SHA256", ""
        )
    )


def test_what_came_before_the_reply_is_noted() -> None:
    desk = Desk()
    desk.say(b"EHLO app.shop.test\r\n")
    desk.say(b"MAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\nDATA\r\n")
    assert [octets and octets.was_hasty for octets in desk.octets] == [None, None, True, True, None]


def test_a_message_is_noted_as_it_came() -> None:
    desk = Desk()
    desk.say(b"EHLO app.shop.test\r\n")
    desk.say(b"MAIL FROM:<a@b.test>\r\n")
    desk.say(b"RCPT TO:<c@d.test>\r\n")
    desk.say(b"DATA\r\n")
    desk.say(b"Subject: x\r\n\r\n..one\r\n.\r\n")
    assert desk.octets[-1] == ClientBytes(message=b"Subject: x\r\n\r\n.one\r\n")


def test_a_dot_that_was_not_doubled_is_noted() -> None:
    # RFC 5321 §4.5.2
    desk = Desk()
    desk.say(b"EHLO app.shop.test\r\n")
    desk.say(b"MAIL FROM:<a@b.test>\r\n")
    desk.say(b"RCPT TO:<c@d.test>\r\n")
    desk.say(b"DATA\r\n")
    desk.say(b"Subject: x\r\n\r\n.one\r\n..two\r\n.\r\n")
    assert desk.octets[-1] is not None
    assert desk.octets[-1].is_unstuffed


def test_a_bare_line_end_that_is_taken_is_noted() -> None:
    desk = Desk(accept_bare_line_ends=True)
    desk.say(b"EHLO app.shop.test\n")
    assert desk.octets == [None, ClientBytes(is_bare=True)]


# Rules that need two things at once ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verdict", "code"), [(refused(Reason.NOT_ALLOWED), 550), (deferred(Reason.LOCAL_ERROR), 451)]
)
@pytest.mark.parametrize("late", [False, True])
def test_a_refusal_at_data_leaves_the_transaction_open(verdict: Verdict, code: int, late: bool) -> None:
    class AtData(Backend):
        def check_data(self) -> Verdict | None:
            return None if late else verdict

    desk = Desk(AtData())
    said = desk.say(TRANSACTION + b"DATA\r\n")
    if late:
        assert desk.session.is_waiting
        said += desk.codes(desk.session.resume(verdict))
    assert said == [250, 250, 250, code]
    assert desk.record[-1][3] is verdict.reason
    assert desk.say(b"NOOP\r\nRSET\r\n") == [250, 250]  # and not the lines of a message
    assert desk.backend.taken == []


def test_all_chunks_of_a_message_count_for_its_size() -> None:
    desk = Desk(max_message_size=10)
    assert desk.say(TRANSACTION + b"BDAT 4\r\nabcdBDAT 4\r\nabcd") == [250, 250, 250, 250, 250]
    assert desk.say(b"BDAT 4 LAST\r\nab\r\n") == [552]
    assert desk.backend.taken == []
    desk.say(b"RSET\r\n")
    assert desk.say(TRANSACTION + b"BDAT 10 LAST\r\nabcdefgh\r\n")[-1] == 250  # the next one begins anew


def test_a_message_after_one_with_smtputf8_came_over_plain_esmtp() -> None:
    desk = Desk()
    desk.say(b"EHLO app.test\r\nMAIL FROM:<a@app.test> SMTPUTF8\r\nRCPT TO:<bob@example.org>\r\n")
    desk.say(b"DATA\r\n\r\n.\r\n")
    desk.say(b"MAIL FROM:<a@app.test>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n\r\n.\r\n")
    desk.say(b"MAIL FROM:<a@app.test> SMTPUTF8\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n\r\n.\r\n")
    protocols = [envelope.origin.protocol for envelope, _ in desk.backend.taken if envelope.origin]
    assert protocols == ["UTF8SMTP", "ESMTP", "UTF8SMTP"]


def test_what_came_over_tls_is_told_apart_from_what_came_before_it() -> None:
    desk = Desk()
    assert desk.say(TRANSACTION + b"DATA\r\n\r\n.\r\nSTARTTLS\r\n")[-2:] == [250, 220]
    desk.session.secured(Channel("TLSv1.3", "TLS_AES_128_GCM_SHA256"))
    assert not desk.session.wants_tls
    desk.say(TRANSACTION + b"DATA\r\n\r\n.\r\n")
    assert [envelope.origin.protocol for envelope, _ in desk.backend.taken if envelope.origin] == [
        "ESMTP",
        "ESMTPS",
    ]


def test_starttls_is_no_longer_offered_after_tls() -> None:
    desk = Desk()
    assert "STARTTLS" in desk.reader.feed(desk.session.feed(b"EHLO app.test\r\n"))[0].text
    assert desk.say(b"STARTTLS\r\n") == [220]
    desk.session.secured(Channel("TLSv1.3", "X"))
    assert "STARTTLS" not in desk.reader.feed(desk.session.feed(b"EHLO app.test\r\n"))[0].text
    assert desk.say(b"STARTTLS\r\n") == [503]
    assert desk.record[-1][3] is Reason.BAD_SEQUENCE


def test_parameters_of_mail_reach_the_envelope() -> None:
    desk = Desk(require_auth=False)
    desk.session.secured(Channel("TLSv1.3", "X"))
    mail = b"MAIL FROM:<a@app.test> REQUIRETLS BODY=8BITMIME RET=HDRS ENVID=x1\r\n"
    assert desk.say(b"EHLO app.test\r\n" + mail) == [250, 250]
    desk.say(b"RCPT TO:<bob@example.org>\r\nDATA\r\n\r\n.\r\n")
    ((envelope, _),) = desk.backend.taken
    assert (envelope.requiretls, envelope.body, envelope.envid) == (True, BodyType.EIGHT_BIT, "x1")


XCLIENT: dict[str, Any] = {"xclient_from": frozenset({"app"})}


def test_xclient_is_for_those_only_who_may() -> None:
    elsewhere: dict[str, Any] = {"xclient_from": frozenset({"198.51.100.1"})}
    desk = Desk(**elsewhere)
    code = desk.say(b"EHLO app.test\r\nXCLIENT ADDR=198.51.100.9\r\n")[1]
    assert (code, desk.record[-1][3]) == (550, Reason.NOT_ALLOWED)
    assert Desk().say(b"EHLO app.test\r\nXCLIENT ADDR=198.51.100.9\r\n") == [250, 500]


def test_an_xclient_leaves_alone_what_it_does_not_speak_of() -> None:
    desk = Desk(**XCLIENT)
    desk.say(b"EHLO proxy.test\r\nXCLIENT ADDR=198.51.100.9 HELO=client.test LOGIN=ann\r\n")
    assert desk.session.login == "ann"
    desk.say(b"EHLO proxy.test\r\nXCLIENT PORT=4711\r\n")
    assert desk.session.login == "ann"
    desk.say(TRANSACTION.replace(b"EHLO app.test", b"EHLO proxy.test") + b"DATA\r\n\r\n.\r\n")
    ((envelope, _),) = desk.backend.taken
    assert envelope.origin is not None
    assert (envelope.origin.peer.address, envelope.origin.peer.port) == ("198.51.100.9", 4711)
    desk.say(b"XCLIENT LOGIN=[UNAVAILABLE]\r\n")
    assert desk.session.login == ""


def test_decisions_are_asked_with_the_sender_the_recipient_and_the_login() -> None:
    class Asked(Backend):
        questions: list[tuple[str, str]] = []  # noqa: RUF012

        def check_sender(self, sender: Path, login: str) -> Verdict | None:
            self.questions.append((str(sender), login))
            return ACCEPTED

        def check_recipient(self, recipient: Address, login: str) -> Verdict | None:
            self.questions.append((str(recipient), login))
            return ACCEPTED

    desk = Desk(Asked(), **XCLIENT)
    desk.say(b"EHLO proxy.test\r\nXCLIENT LOGIN=ann\r\n" + TRANSACTION)
    assert Asked.questions == [("a@app.test", "ann"), ("bob@example.org", "ann")]


@pytest.mark.parametrize(("hidden", "code"), [(frozenset(), 503), (frozenset({"STARTTLS"}), 500)])
def test_starttls_inside_tls_is_out_of_order_where_the_host_has_it(hidden: frozenset[str], code: int) -> None:
    options: dict[str, Any] = {"hide": hidden}
    desk = Desk(**options)
    desk.session.secured(Channel("TLSv1.3", "X"))
    assert desk.say(b"EHLO app.test\r\nSTARTTLS\r\n") == [250, code]
    assert not desk.session.wants_tls
