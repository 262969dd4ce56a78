"""What holds for any input: chunking changes nothing, garbage gets replies, content arrives as it was sent."""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import IPv6Address
from itertools import pairwise
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from fakemail.errors import ProtocolError
from fakemail.events.kinds import ClientBytes
from fakemail.message.downgrade import to_seven_bit
from fakemail.message.envelope import BodyType, Recipient
from fakemail.model.host import SMTP, SUBMISSION, HostOptions, HostSpec, Service
from fakemail.smtp.body import ChunkReader, DataReader
from fakemail.smtp.client import (
    Answer,
    ClientTransaction,
    Outgoing,
    ReplyReader,
    SendStep,
    TlsUse,
    stuff_dots,
)
from fakemail.smtp.commands import COMMANDS, SmtpState
from fakemail.smtp.extensions import EXTENSIONS, SmtpProfile
from fakemail.smtp.grammar import decode_xtext, encode_xtext, read_path_argument
from fakemail.smtp.session import SmtpSession
from fakemail.types.address import NULL_PATH, Address, Path
from fakemail.types.channel import Channel
from fakemail.types.peer import Peer
from fakemail.types.reason import Reason
from fakemail.types.reply import Reply
from fakemail.types.stage import Stage
from smtp_backend import AcceptingBackend

PEER = Peer("203.0.113.250", 50000, "app")
CAREFUL = HostOptions()


class Backend(AcceptingBackend):
    """Takes everything for everybody but ``gone@...``."""

    def verify(self, name: str) -> tuple[Address, ...]:
        return (Address(name, "example.org"),) if len(name) < 20 else ()

    def password_of(self, login: str) -> str | None:
        return "s3cret"


class Desk:
    """A session with everything that it says and records."""

    def __init__(
        self, options: HostOptions = CAREFUL, service: Service = SMTP, channel: Channel | None = None
    ) -> None:  # fmt: skip
        host = HostSpec("mx.example.org", "192.0.2.1", "2001:db8::1", (service,), options)
        self.backend = Backend()
        self.events: list[tuple[Any, ...]] = []
        self.session = SmtpSession(SmtpProfile(host, service), self.backend, self._note, PEER, channel)
        self.output = self.session.greet()

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
        self.events.append((stage, line, reply, reply and reply.text, reason, address, queue_id))

    def feed(self, octets: bytes) -> bytes:
        output = self.session.feed(octets)
        self.output += output
        return output


def pieces(octets: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, len(octets), *(cut % (len(octets) + 1) for cut in cuts)})
    return [octets[a:b] for a, b in pairwise(places)]


cuts = st.lists(st.integers(0, 10**6), max_size=12)

# Lines that do something, lines that nearly do, and octets that are no lines at all.
COMMAND_LINES = [
    b"EHLO app.test\r\n", b"HELO app.test\r\n", b"MAIL FROM:<a@app.test>\r\n", b"MAIL FROM:<> SIZE=3\r\n",
    b"RCPT TO:<bob@example.org>\r\n", b"RCPT TO:<gone@example.org>\r\n", b"RCPT TO:<>\r\n", b"DATA\r\n",
    b"hello\r\n.\r\n", b".\r\n", b"..\r\n", b"\r\n.\r\n", b"BDAT 3\r\n\r\n.", b"BDAT 5 LAST\r\n\r\n.\r\n",
    b"BDAT 99\r\n", b"RSET\r\n", b"NOOP\r\n", b"VRFY bob\r\n", b"HELP\r\n", b"AUTH PLAIN\r\n", b"AUTH LOGIN\r\n",
    b"AUTH PLAIN AGJvYgBzM2NyZXQ=\r\n", b"AGJvYgBzM2NyZXQ=\r\n", b"*\r\n", b"=\r\n",
    b"NOOP\n", b"\r", b"\n", b"\r\n", b".", b"\0", b"\xff\r\n", b"x" * 600, b"x" * 20000,
    "MAIL FROM:<ü@app.test> SMTPUTF8\r\n".encode(), b'RCPT TO:<"a b"@example.org> NOTIFY=NEVER\r\n',
]  # fmt: skip
verbs = st.sampled_from(sorted(COMMANDS)).map(str.encode)
long_lines = st.builds(
    lambda start, sign, number: start + (sign * number).encode() + b"\r\n",
    st.sampled_from(
        [b"EHLO ", b"VRFY ", b"EXPN ", b"HELP ", b"RCPT TO:<", b"EHLO x\r\nMAIL FROM:<a@b.test> "]
    ),
    st.sampled_from("xü@"),
    st.integers(0, 600),
)
nearly = st.builds(lambda verb, rest: verb + b" " + rest + b"\r\n", verbs, st.binary(max_size=30))
dialogues = st.lists(
    st.sampled_from(COMMAND_LINES) | nearly | long_lines | st.binary(max_size=20), max_size=25
).map(b"".join)
CHANNEL = Channel("TLSv1.3", "X", end_point=b"x" * 32)
desks: st.SearchStrategy[Callable[[], Desk]] = st.sampled_from(
    [
        Desk,
        lambda: Desk(HostOptions(max_errors=3, max_message_size=4, max_recipients=1)),
        lambda: Desk(HostOptions(accept_bare_line_ends=True)),
        lambda: Desk(HostOptions(auth_in_clear=True, require_auth=False), SUBMISSION),
        lambda: Desk(HostOptions(), SUBMISSION, CHANNEL),
    ]
)


@settings(max_examples=150)
@given(desks, dialogues, cuts)
def test_chunking_changes_nothing(make: Callable[[], Desk], octets: bytes, where: list[int]) -> None:
    whole, cut, single = make(), make(), make()
    whole.feed(octets)
    for piece in pieces(octets, where):
        cut.feed(piece)
    if len(octets) < 1000:
        for place in range(len(octets)):
            single.feed(octets[place : place + 1])
    else:
        single.feed(octets)
    for other in (cut, single):
        assert other.output == whole.output
        assert other.events == whole.events
        assert other.backend.taken == whole.backend.taken
        assert other.session.state is whole.session.state
        assert other.session.wants_tls is whole.session.wants_tls


@settings(max_examples=150)
@given(desks, dialogues | st.binary(max_size=300))
def test_whatever_comes_is_answered_with_replies(make: Callable[[], Desk], octets: bytes) -> None:
    desk = make()
    desk.feed(octets)
    reader = ReplyReader()
    replies = reader.feed(desk.output)
    assert not reader._buffer
    assert not reader._lines
    assert len(replies) == len(desk.events)
    assert all(line.endswith(b"\r\n") for line in desk.output.splitlines(keepends=True))
    assert b"\r" not in desk.output.replace(b"\r\n", b"")
    # RFC 5321 §4.5.3.1.5: a reply line has 512 octets at most.
    assert max(len(line) for line in desk.output.splitlines(keepends=True)) <= 512
    # Each refusal has its reason, and no acceptance has one.
    for _, _, reply, _, reason, _, _ in desk.events:
        assert (reason is None) is (reply.code < 400)


# Bodies ---------------------------------------------------------------------------------------------

lumps = st.sampled_from([b"\r\n", b".", b"\r", b"\n", b"a", b"\0", b"\r\n.\r\n", b"..", b"bc", b"\xff"])
octet_soups = st.lists(lumps, max_size=30).map(b"".join)


def naive_data(octets: bytes) -> tuple[bytes, bytes] | None:
    """RFC 5321 §4.1.1.4 and §4.5.2, in the plainest way: content and rest, or nothing yet."""
    message, found, rest = (b"\r\n" + octets).partition(b"\r\n.\r\n")[0::1]
    if not found:
        return None
    text = (message + b"\r\n").split(b"\r\n")[1:]
    return b"\r\n".join(line.removeprefix(b".") for line in text), rest


@given(octet_soups, cuts)
def test_data_reader_is_the_naive_reader(octets: bytes, where: list[int]) -> None:
    reader = DataReader(10**6)
    rest = b""
    for piece in pieces(octets, where):
        used = reader.feed(piece)
        rest += piece[used:]
    expected = naive_data(octets)
    assert reader.is_complete is (expected is not None)
    if expected is None:
        assert rest == b""
        assert reader.received == len(octets)
    else:
        assert (reader.content, rest) == expected
        assert not reader.is_too_big


@given(octet_soups, cuts, st.integers(0, 30))
def test_data_reader_knows_what_is_too_big(octets: bytes, where: list[int], limit: int) -> None:
    reader = DataReader(limit)
    rest, longest = b"", 0
    for piece in pieces(octets, where):
        rest += piece[reader.feed(piece) :]
        longest = max(longest, len(piece))
        assert len(reader._data) <= 2 * (limit + 2) + 5 + longest
    if (expected := naive_data(octets)) is not None:
        assert reader.is_complete
        assert rest == expected[1]
        assert reader.is_too_big is (len(expected[0]) > limit)


@given(st.binary(max_size=60), cuts, st.integers(0, 40), st.integers(0, 60))
def test_chunk_reader_counts(octets: bytes, where: list[int], size: int, room: int) -> None:
    reader = ChunkReader(size, last=False, room=room)
    rest = b"".join(piece[reader.feed(piece) :] for piece in pieces(octets, where))
    assert rest == octets[size:]
    assert reader.is_complete is (len(octets) >= size)
    assert reader.received == min(size, len(octets))
    assert reader.content == (b"" if size > room else octets[:size])


# From end to end --------------------------------------------------------------------------------------

text_lines = st.lists(
    st.lists(st.sampled_from([b".", b"..", b"a", b"\0", b"\xc3\xbc", b" ", b"QUIT"]), max_size=4).map(
        b"".join
    ),
    max_size=8,
).map(lambda lines: b"".join(line + b"\r\n" for line in lines))
HIDEABLE = [row.keyword for row in EXTENSIONS]


def converse(dialogue: ClientTransaction, desk: Desk) -> None:
    """Let a sending dialogue talk to a receiving session."""
    reader = ReplyReader()
    pending: list[Reply] = []
    steps = dialogue.steps()
    fresh = desk.output
    try:
        step = next(steps)
        while True:
            answer: Answer
            if isinstance(step, SendStep):
                pending += reader.feed(fresh + desk.feed(step.octets))
                fresh = b""
                answer, pending = pending[: step.replies], pending[step.replies :]
                assert len(answer) == step.replies
            else:
                assert desk.session.wants_tls
                desk.session.secured(CHANNEL)
                answer = CHANNEL
            step = steps.send(answer)
    except StopIteration:
        assert pending == []


@settings(max_examples=60)
@given(text_lines, st.sets(st.sampled_from(HIDEABLE)), st.sampled_from([BodyType.SEVEN_BIT, BodyType.EIGHT_BIT]),
       st.booleans())  # fmt: skip
def test_content_arrives_as_it_was_sent(
    content: bytes, hidden: set[str], body: BodyType, use_tls: bool
) -> None:
    desk = Desk(HostOptions(hide=frozenset(hidden)))
    recipients = (
        Recipient(Address("bob", "example.org"), ("SUCCESS",), "rfc822;Bob+x@Example.org"),
        Recipient(Address("gone", "example.org")),
        Recipient(Address("a b", "example.org")),
    )
    # RFC 6152 §3: to a server without 8BITMIME what goes beyond ASCII goes encoded, whatever was declared.
    wanted = to_seven_bit(content) if "8BITMIME" in hidden else content
    assume(wanted is not None)
    message = Outgoing("relay.test", NULL_PATH, recipients, content, body, ret="FULL", envid="Ab+C = ü")
    dialogue = ClientTransaction(message, tls=TlsUse.IF_OFFERED if use_tls else TlsUse.NEVER)
    converse(dialogue, desk)
    ((envelope, taken),) = desk.backend.taken
    assert taken == wanted
    assert desk.session.closing
    with_dsn = "DSN" not in hidden
    assert [each.address for each in envelope.recipients] == [recipients[0].address, recipients[2].address]
    assert envelope.recipients[0].notify == (("SUCCESS",) if with_dsn else ())
    assert envelope.recipients[0].original == ("rfc822;Bob+x@Example.org" if with_dsn else None)
    assert (envelope.ret, envelope.envid) == (("FULL", "Ab+C = ü") if with_dsn else (None, None))
    assert envelope.body is (body if "8BITMIME" not in hidden else BodyType.SEVEN_BIT)
    assert envelope.size == (None if "SIZE" in hidden else len(taken))
    assert envelope.origin.protocol == ("ESMTPS" if use_tls and "STARTTLS" not in hidden else "ESMTP")
    assert {each.recipient: each.is_accepted for each in dialogue.outcomes} == {
        recipients[0]: True,
        recipients[1]: False,
        recipients[2]: True,
    }


@given(st.binary(max_size=100), st.booleans())
def test_binary_content_arrives_as_it_was_sent(content: bytes, pipelined: bool) -> None:
    desk = Desk(HostOptions(hide=frozenset() if pipelined else frozenset({"PIPELINING"})))
    bob = Recipient(Address("bob", "example.org"))
    dialogue = ClientTransaction(Outgoing("relay.test", NULL_PATH, (bob,), content, BodyType.BINARY))
    converse(dialogue, desk)
    ((envelope, taken),) = desk.backend.taken
    assert (envelope.body, taken) == (BodyType.BINARY, content)
    assert dialogue.outcomes[0].is_accepted


@given(octet_soups)
def test_stuffed_content_ends_once_and_at_its_end(content: bytes) -> None:
    reader = DataReader(10**6)
    wire = stuff_dots(content)
    assert reader.feed(wire) == len(wire)
    assert reader.is_complete
    assert reader.content == (content if content.endswith(b"\r\n") or not content else content + b"\r\n")


# Grammar ----------------------------------------------------------------------------------------------

local_parts = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=16)
labels = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True) | st.sampled_from(["bücher"])
domains = (
    st.lists(labels, min_size=1, max_size=4).map(".".join)
    | st.ip_addresses(v=4).map("[{}]".format)
    | st.integers(0, 2**128 - 1).map(IPv6Address).map("[ipv6:{}]".format)
)
parameters = st.dictionaries(
    st.from_regex(r"[A-Z0-9][A-Z0-9-]{0,8}", fullmatch=True),
    st.none() | st.from_regex(r"[!-<>-~ü]{1,9}", fullmatch=True),
    max_size=3,
)


@given(local_parts, domains, parameters)
def test_path_comes_back_from_the_wire(local: str, domain: str, given_: dict[str, str | None]) -> None:
    address = Address(local, domain)
    words = "".join(f" {key}" if value is None else f" {key}={value}" for key, value in given_.items())
    assert read_path_argument(f"to:<{address}>{words}", "TO:") == (address, given_)


@given(st.text(max_size=40) | st.from_regex(r'FROM:<[@a."\\:,\[\]>=+ ]{0,20}>?[ A=]{0,9}'))
def test_any_argument_is_a_path_or_a_protocol_error(text: str) -> None:
    try:
        path, _ = read_path_argument(text, "FROM:")
    except ProtocolError:
        return
    if isinstance(path, Address) and path.domain:
        assert read_path_argument(f"FROM:<{path}>", "FROM:").path == path


@given(st.binary(max_size=60))
def test_xtext_comes_back(octets: bytes) -> None:
    text = octets.decode("utf-8", "surrogateescape")
    encoded = encode_xtext(text)
    assert re.fullmatch(r"(?:[!-*,-<>-~]|\+[0-9A-F]{2})*", encoded)
    assert decode_xtext(encoded) == text


@given(st.text(st.sampled_from("+=0Aaf \u00fc!"), max_size=12))
def test_any_text_is_xtext_or_a_protocol_error(text: str) -> None:
    try:
        decoded = decode_xtext(text)
    except ProtocolError:
        return
    assert decode_xtext(encode_xtext(decoded)) == decoded


# The transaction as a model -----------------------------------------------------------------------------


class Transactions(RuleBasedStateMachine):
    """RFC 5321 §3.3 and RFC 3030 §2 in a few lines, held against the session."""

    def __init__(self) -> None:
        super().__init__()
        self.desk = Desk(HostOptions(max_recipients=2, max_errors=10**6, max_message_size=10))
        self.greeted = False
        self.sender = False
        self.recipients: list[str] = []
        self.chunks: bytes | None = None
        self.taken: list[tuple[list[str], bytes]] = []

    def say(self, octets: bytes) -> list[int]:
        return [reply.code for reply in ReplyReader().feed(self.desk.feed(octets))]

    def forget(self) -> None:
        self.sender, self.recipients, self.chunks = False, [], None

    @rule(verb=st.sampled_from([b"EHLO", b"helo"]))
    def hello(self, verb: bytes) -> None:
        assert self.say(verb + b" app.test\r\n") == [250]
        self.greeted = True
        self.forget()

    @rule()
    def reset(self) -> None:
        assert self.say(b"RSET\r\n") == [250]
        self.forget()

    @rule(line=st.sampled_from([b"NOOP\r\n", b"VRFY x\r\n", b"HELP\r\n"]))
    def other(self, line: bytes) -> None:
        assert self.say(line)[0] < 300

    @rule()
    def mail(self) -> None:
        good = self.greeted and not self.sender
        assert self.say(b"MAIL FROM:<a@app.test>\r\n") == [250 if good else 503]
        self.sender = self.sender or good

    @rule(name=st.sampled_from(["bob", "ann", "gone"]))
    def rcpt(self, name: str) -> None:
        code = 250 if name != "gone" else 550
        if not self.sender or self.chunks is not None:
            code = 503
        elif len(self.recipients) == 2:
            code = 452
        assert self.say(f"RCPT TO:<{name}@example.org>\r\n".encode()) == [code]
        if code == 250:
            self.recipients.append(name)

    @rule(content=st.sampled_from([b"", b"x\r\n", b"123456789\r\n"]))
    def data(self, content: bytes) -> None:
        if not self.sender or self.chunks is not None:
            assert self.say(b"DATA\r\n") == [503]
        elif not self.recipients:
            assert self.say(b"DATA\r\n") == [554]
        else:
            fits = len(content) <= 10
            assert self.say(b"DATA\r\n" + content + b".\r\n") == [354, 250 if fits else 552]
            if fits:
                self.taken.append((self.recipients, content))
            self.forget()

    @rule(content=st.sampled_from([b"", b"x\r\n", b"1234\r\n"]), last=st.booleans())
    def bdat(self, content: bytes, last: bool) -> None:
        codes = self.say(b"BDAT %d%b\r\n%b" % (len(content), b" LAST" if last else b"", content))
        if not self.sender:
            assert codes == [503]
        elif not self.recipients:
            assert codes == [554]
        elif len((self.chunks or b"") + content) > 10:
            assert codes == [552]
            self.forget()
        else:
            assert codes == [250]
            self.chunks = (self.chunks or b"") + content
            if last:
                self.taken.append((self.recipients, self.chunks))
                self.forget()

    @precondition(lambda self: self.greeted)
    @rule()
    def starttls(self) -> None:
        if self.desk.session._channel is None:
            assert self.say(b"STARTTLS\r\nNOOP\r\n") == [220]
            self.desk.session.secured(CHANNEL)
            self.greeted = False
            self.forget()
        else:
            assert self.say(b"STARTTLS\r\n") == [503]

    @invariant()
    def session_agrees(self) -> None:
        expected = (
            SmtpState.CHUNKS if self.chunks is not None
            else SmtpState.RECIPIENTS if self.recipients
            else SmtpState.SENDER if self.sender
            else SmtpState.READY if self.greeted
            else SmtpState.CONNECTED
        )  # fmt: skip
        assert self.desk.session.state is expected
        assert [
            ([each.address.local for each in envelope.recipients], content)
            for envelope, content in self.desk.backend.taken
        ] == self.taken


Transactions.TestCase.settings = settings(max_examples=60, stateful_step_count=20)
TestTransactions = Transactions.TestCase
