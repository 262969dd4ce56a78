"""The receiving side of an SMTP connection: bytes in, bytes out, no socket.

``feed`` takes whatever arrived and returns all there is to answer, so that a group of pipelined commands costs one read
and one write. Users, acceptance and delivery are questions to a :class:`~fakemail.smtp.backend.Backend`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, Final, TypeVar

from msgspec.structs import replace

from fakemail.errors import ProtocolError
from fakemail.events.kinds import ClientBytes
from fakemail.events.log import SmtpRecorder
from fakemail.events.secrets import SecretDetector, mask_response
from fakemail.faults import actions
from fakemail.faults.action import AlterMessage, OnAnswer
from fakemail.faults.host_faults import HostFaults
from fakemail.grease import Grease
from fakemail.message.envelope import BodyType, Envelope, Origin, Recipient
from fakemail.message.headers import field_in_head, head_of
from fakemail.protocol.line_reader import OVERLONG, LineReader
from fakemail.protocol.sasl_login import SaslLogin, SaslStep
from fakemail.protocol.session import FaultActions, ProtocolSession
from fakemail.smtp import replies
from fakemail.smtp.backend import Backend, Receipt
from fakemail.smtp.body import (
    BodyReader,
    ChunkReader,
    DataReader,
    LaxDataReader,
    TransferProgress,
    WatchedBody,
    has_bare_line_ends,
)
from fakemail.smtp.commands import (
    CLIENT_REJECTED,
    COMMANDS,
    IN_TRANSACTION,
    KNOWN_LINES,
    LONGEST_LINE,
    MESSAGE_ENDED,
    OUT_OF_ORDER,
    STAYS,
    TLS_STARTED,
    UNKNOWN,
    SmtpArgument,
    SmtpCommandRow,
    SmtpState,
    Transitions,
)
from fakemail.smtp.extensions import SmtpProfile, names_of
from fakemail.smtp.grammar import PathArgument, is_greeting_name, read_path_argument
from fakemail.smtp.parameters import MailOptions, NotOffered, read_mail_options, read_rcpt_options
from fakemail.smtp.replies import CommandRejected, reject, syntax_error
from fakemail.smtp.transaction import Transaction, origin_of
from fakemail.smtp.vrfy import expand, help_on, verify
from fakemail.smtp.xclient import read_xclient
from fakemail.types.address import Address, Path
from fakemail.types.channel import Channel
from fakemail.types.domains import a_labels
from fakemail.types.peer import Peer
from fakemail.types.reason import Reason
from fakemail.types.reply import Reply
from fakemail.types.stage import Stage
from fakemail.types.verdict import ACCEPTED, Verdict

_O = TypeVar("_O")

# RFC 5321 §2.4: command lines are text. Lone surrogates stand for bytes that are not UTF-8.
_NOT_TEXT = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
# Lines answered in one go; a client that sends thousands must not keep the others from being served.
_LINES_AT_ONCE: Final = 250
_HASTY: Final = ClientBytes(was_hasty=True)
# Faults at these commands are asked for when their path has been read, or the bytes that follow them.
_ASKED_LATER: Final = frozenset({"MAIL", "RCPT", "BDAT"})
_NO_OPTIONS: Final = MailOptions()


class SmtpSession(ProtocolSession):
    """The dialogue of one SMTP connection (RFC 5321)."""

    def __init__(
        self,
        profile: SmtpProfile,
        backend: Backend,
        record: SmtpRecorder,
        peer: Peer,
        channel: Channel | None = None,
        *,
        faults: HostFaults | None = None,
        connection: int = 0,
        grease: Grease | None = None,
    ) -> None:
        super().__init__(
            peer, profile.service.name, faults=faults, connection=connection, output_filter=grease
        )
        self._stage = Stage.SMTP_BANNER
        self.profile = profile
        self._host_options = profile.options
        self._grease = grease
        self._with_enhanced_codes = profile.offers("ENHANCEDSTATUSCODES") and (
            grease is None or grease.has_codes
        )
        self.state = SmtpState.CONNECTED
        self._backend = backend
        self._record = record
        self._channel = channel
        # The client
        self.helo = ""
        self._peer = peer
        self._speaker = peer  # the peer of the connection, whoever it speaks for by XCLIENT
        self._xclient_helo = ""
        self._extended = False
        self._offered: frozenset[str] = frozenset()
        self._origin: Origin | None = None  # made when it is needed and something in it has changed
        self._errors = 0
        # Input
        self._lines = LineReader(LONGEST_LINE)
        self._body: BodyReader | None = None
        # The command at hand
        self._row: SmtpCommandRow = UNKNOWN
        self._line = ""
        """Its text, secrets masked."""
        self._address: Path | None = None
        self._client_bytes: ClientBytes | None = None
        self._on_answer: Callable[[Verdict | Receipt], None] | None = None
        self._late_answer: Verdict | Receipt | None = None
        self._authentication: SaslLogin | None = None
        self._transaction: Transaction | None = None
        self._suspicion = SecretDetector()

    # What the connection calls -------------------------------------------------------------------

    def greet(self) -> bytes:
        """The banner (RFC 5321 §4.3.1)."""
        if not (self._faults.host.active and self._inject(Stage.SMTP_BANNER)):
            self._on_verdict(self._backend.check_client(), self._client_checked)
        return self.output.take()

    def _client_checked(self, answer: Verdict | Receipt) -> None:
        verdict = answer.verdict if isinstance(answer, Receipt) else answer
        if verdict.is_accepted:
            self._reply(replies.banner(self.profile.host.name))
        else:
            self._advance(CLIENT_REJECTED)
            self._reply(replies.at_banner(verdict), verdict.reason)

    def feed(self, data: bytes) -> bytes:
        """Take bytes in, give bytes out."""
        if self.closing:
            return b""
        lines = self._lines
        if not lines.buffer:
            # Nearly always the bytes are a piece of the message, or one whole line.
            if self._body is not None:
                used = self._body.feed(data)
                if not self._body.is_complete:
                    return b""
                self._end_of_body()
                if used == len(data):
                    return self.output.take()
                data = data[used:]
            elif 0 < len(data) == data.find(b"\n") + 1 <= LONGEST_LINE and not (
                lines.is_skipping or self.wants_tls or self.is_waiting
            ):
                self._answer(data)
                return self.output.take()
        lines.buffer += data
        return self.more()

    def more(self) -> bytes:
        """Go on with what has arrived, where ``feed`` stopped so as not to keep other connections waiting."""
        self.has_more = False
        lines, left = self._lines, _LINES_AT_ONCE
        while not self.is_waiting and not self.closing and not self.wants_tls:
            if self._body is not None:
                del lines.buffer[: self._body.feed(lines.buffer)]
                if not self._body.is_complete:
                    break
                self._end_of_body()
                continue
            line = lines.take()
            if line is None:
                break
            if lines.buffer:
                self._client_bytes = _HASTY
            self._answer(line)
            left -= 1
            if left == 0 and lines.buffer:
                self.has_more = True
                break
        if self.wants_tls and not self._faults.keeps_plaintext:
            # A man in the middle may have put it there (RFC 3207 §5).
            self.discarded_plaintext = lines.clear()
        return self.output.take()

    def poll(self) -> bytes:
        """Go on with an answer of the backend that came late."""
        answer, self._late_answer = self._late_answer, None
        return self.resume(answer) if answer is not None and self.is_waiting else b""

    def resume(self, answer: Verdict | Receipt) -> bytes:
        """Go on with the backend's answer to the question that it left open."""
        on_answer, self._on_answer = self._on_answer, None
        self.is_waiting = False
        if on_answer is None:
            raise RuntimeError("no question is open in this session")
        on_answer(answer)
        return self.more()

    def secured(self, channel: Channel) -> None:
        """The TLS handshake is done: forget all that was said in clear text (RFC 3207 §4.2)."""
        self.wants_tls = False
        self._channel = channel
        self.helo = self.login = ""
        self._origin = None
        self._offered = frozenset()
        self._advance(TLS_STARTED)
        if not self._faults.keeps_plaintext:
            self._lines.clear()

    def hang_up(self, reason: Reason) -> bytes:
        """The last words of a server that has to end the session: 421 (RFC 5321 §3.8)."""
        self._stage, self._row, self._line = Stage.DISCONNECT, UNKNOWN, ""
        self._reply(replies.refusal(reason, self.profile.host.name), reason)
        self._end()
        return self.output.take(whole=True)

    @property
    def line(self) -> str:
        """The command that is being answered, as the client said it; secrets are masked."""
        return self._line

    @property
    def channel(self) -> Channel | None:
        """The TLS channel, ``None`` in clear text."""
        return self._channel

    @property
    def in_progress(self) -> str:
        """Words for an unfinished transaction, empty between transactions."""
        if self._body is not None:
            return f"inside the message, after {self._body.received} octets"
        if self._authentication is not None:
            return "inside AUTH"
        return "inside a mail transaction" if self._transaction is not None else ""

    # Answers -------------------------------------------------------------------------------------

    def _reply(self, reply: Reply, reason: Reason | None = None, queue_id: str = "") -> None:
        """Answer the command at hand, record it, and enter the state that follows."""
        if self._grease is not None:
            reply = self._grease.reply(self._stage, reply)
        if reply.code < 400:
            if self._row.next_state is not STAYS:
                self._advance(self._row.next_state)
        else:
            if reply.code != 421:
                self._errors += 1
                if self._errors > self._host_options.max_errors:
                    reason = Reason.TOO_MANY_ERRORS
                    reply = replies.refusal(reason)
            if reply.code == 421:
                self.closing = True
        if not self._with_enhanced_codes and reply.enhanced is not None:
            reply = Reply(reply.code, None, reply.text)
        client_bytes, self._client_bytes = self._client_bytes, None
        if self._faults.on_answer is None:
            self.output.parts.append(reply.wire)
            self._record(self._stage, self._line, reply, reason, self._address, queue_id, client_bytes)
        else:
            seen = self._reply_by_fault(reply)
            reason = reason if seen is not None else Reason.FAULT
            self._record(self._stage, self._line, seen, reason, self._address, queue_id, client_bytes)

    def _advance(self, transitions: Transitions) -> None:
        """Enter the next state. Nothing else assigns it."""
        self.state = state = transitions[self.state]
        if state not in IN_TRANSACTION:
            self._transaction = None

    def _note_silence(self) -> None:
        client_bytes, self._client_bytes = self._client_bytes, None
        self._record(self._stage, self._line, None, Reason.FAULT, self._address, "", client_bytes)

    def _on_verdict(
        self, answer: Verdict | Receipt | None, then: Callable[[Verdict | Receipt], None]
    ) -> None:
        """Go on with an answer of the backend, now or when it is there."""
        if answer is None:
            self._on_answer, self.is_waiting = partial(self._run, then), True
            self._backend.on_answer = self._answered
        else:
            then(answer)

    def _answered(self, answer: Verdict | Receipt) -> None:
        self._late_answer = answer
        self.on_wake()

    def _run(self, act: Callable[[Verdict | Receipt], None], answer: Verdict | Receipt) -> None:
        try:
            act(answer)
        except CommandRejected as rejected:
            self._reply(rejected.reply, rejected.reason)

    def _continue(self, accepted: Callable[[], None], answer: Verdict | None) -> None:
        """Go on if the backend says yes, now or when it says so."""
        self._on_verdict(answer, partial(self._checked, accepted))

    def _checked(self, accepted: Callable[[], None], answer: Verdict | Receipt) -> None:
        if isinstance(answer, Verdict) and answer.is_accepted:
            accepted()
        else:
            self._reply_to_verdict(answer)

    def _reply_to_verdict(self, answer: Verdict | Receipt) -> None:
        verdict = answer.verdict if isinstance(answer, Receipt) else answer
        self._reply(replies.reply_to(verdict), verdict.reason)

    # Commands ------------------------------------------------------------------------------------

    def _answer(self, raw: bytes) -> None:
        """Answer one line, which has its line end or is ``OVERLONG``."""
        self._address = None
        try:
            if self._authentication is not None:
                self._continue_login(raw)
                return
            known = KNOWN_LINES.get(raw)
            if known is not None:
                row, self._line, argument = known
                self._suspicion.is_awake = False
                self._row, self._stage = row, row.stage
                if self.state not in row.states:
                    raise CommandRejected(
                        replies.sequence(OUT_OF_ORDER[row.verb, self.state]), Reason.BAD_SEQUENCE
                    )
            else:
                row, argument = self._parse(raw)
            if self._faults.host.active and row.verb not in _ASKED_LATER and self._inject(row.stage):
                return
            self._HANDLERS[row.verb](self, argument)
        except CommandRejected as rejected:
            is_unknown = rejected.reason is Reason.UNKNOWN_COMMAND and self._row is UNKNOWN
            if not (is_unknown and self._faults.host.active and self._inject(Stage.SMTP_UNKNOWN)):
                self._reply(rejected.reply, rejected.reason)

    def _parse(self, raw: bytes) -> tuple[SmtpCommandRow, str]:
        """Find the row of the command; reject what breaks the general rules."""
        text = raw.removesuffix(b"\n").removesuffix(b"\r").decode("utf-8", "surrogateescape").rstrip(" \t")
        verb, _, argument = text.partition(" ")
        row = COMMANDS.get(verb.upper())
        self._row = row or UNKNOWN
        self._stage = self._row.stage
        self._line = self._suspicion.hear(text, row and row.verb)
        if raw is OVERLONG or (row is not None and len(raw) > row.limit):
            raise reject(Reason.LINE_TOO_LONG)
        if not raw.endswith(b"\r\n"):
            if not self._host_options.accept_bare_line_ends:
                raise CommandRejected(replies.BARE_LINE_FEED, Reason.BARE_LINE_END)
            self._client_bytes = replace(self._client_bytes or ClientBytes(), is_bare=True)
        if row is None or (row.keyword and not self._knows(row.keyword)):
            raise reject(Reason.UNKNOWN_COMMAND)
        if _NOT_TEXT.search(text) is not None:
            raise syntax_error("control characters, or octets that are not UTF-8")
        if self.state not in row.states:
            raise CommandRejected(replies.sequence(OUT_OF_ORDER[row.verb, self.state]), Reason.BAD_SEQUENCE)
        argument = argument.strip(" ") if argument.startswith(" ") or argument.endswith(" ") else argument
        if (
            bool(argument) is (row.argument is SmtpArgument.NONE)
            and row.argument is not SmtpArgument.OPTIONAL
        ):
            raise syntax_error(f"syntax: {row.syntax}")
        KNOWN_LINES.keep(raw, row, text, argument)
        return row, argument

    def _knows(self, keyword: str) -> bool:
        """Whether a command exists in this session."""
        profile = self.profile
        if keyword in self._faults.hidden:
            return False
        if keyword == "AUTH":
            return profile.takes_logins and profile.offers("AUTH")
        if keyword == "XCLIENT" and not profile.options.xclient_from:
            return False
        if keyword == "STARTTLS":
            return profile.offers("STARTTLS") and (
                self._channel is not None or "STARTTLS" in profile.keywords(None, authenticated=False)
            )
        return profile.offers(keyword)

    def _ehlo(self, argument: str) -> None:
        self._hello(argument, extended=True)

    def _helo(self, argument: str) -> None:
        self._hello(argument, extended=False)

    def _hello(self, argument: str, *, extended: bool) -> None:
        if not is_greeting_name(argument):
            raise syntax_error("syntax: EHLO name")
        argument = self._xclient_helo or argument
        if not argument.isascii():
            argument = a_labels(argument)  # RFC 6531 §3.3 has U-labels; a reply and a trace field have none
        answer = self._backend.check_hello(argument, self._channel)
        self._continue(partial(self._hello_accepted, argument, extended), answer)

    def _hello_accepted(self, argument: str, extended: bool) -> None:
        # RFC 5321 §4.1.4: a new EHLO clears everything, as RSET does.
        self.helo = argument
        self._origin = None
        keywords: tuple[str, ...] = ()
        if extended:
            keywords = self.profile.keywords(
                self._channel, authenticated=bool(self.login), peer=self._speaker
            )
        self._extended = extended
        self._offered = names_of(keywords)
        faults = self._faults
        faults.hidden = frozenset()
        match faults.take_on_command():
            case actions.hide(hidden):
                faults.hidden = hidden
                self._offered -= hidden
                keywords = tuple(each for each in keywords if each.partition(" ")[0].upper() not in hidden)
            case actions.advertise(added):
                keywords += added
        self._reply(replies.greeting(self.profile.host.name, replies.echo(argument), keywords))

    def _xclient(self, argument: str) -> None:
        """Believe what the client says about its own client, and start anew (Postfix XCLIENT_README)."""
        if not self.profile.may_introduce(self._speaker):
            raise reject(Reason.NOT_ALLOWED, "XCLIENT")
        try:
            said = read_xclient(argument)
        except ProtocolError as error:
            raise syntax_error(str(error)) from None
        self._peer = self._faults.client = self._backend.introduce(said, self._peer)
        self._xclient_helo = self._xclient_helo if said.helo is None else said.helo
        self.helo, self.login = "", self.login if said.login is None else said.login
        self._origin, self._offered = None, frozenset()
        self._on_verdict(self._backend.check_client(), self._client_checked)

    def _starttls(self, _: str) -> None:
        if self._channel is not None:
            raise CommandRejected(replies.sequence("TLS is active already"), Reason.BAD_SEQUENCE)
        self._reply(replies.READY_FOR_TLS)
        self.wants_tls = True

    def _rset(self, _: str) -> None:
        self._reply(replies.OK)

    def _noop(self, _: str) -> None:
        self._reply(replies.OK)

    def _quit(self, _: str) -> None:
        self.closing = True
        self._reply(replies.BYE)

    def _help(self, argument: str) -> None:
        self._reply(help_on(argument, lambda row: not row.keyword or self._knows(row.keyword)))

    def _vrfy(self, argument: str) -> None:
        self._reply(verify(self._backend, argument, offers_utf8=self._offers("SMTPUTF8")))

    def _expn(self, argument: str) -> None:
        self._reply(expand(self._backend, argument, offers_utf8=self._offers("SMTPUTF8")))

    # Authentication ------------------------------------------------------------------------------

    def _auth(self, argument: str) -> None:
        if self.login:
            raise CommandRejected(replies.sequence("already authenticated"), Reason.BAD_SEQUENCE)
        if self._channel is None and not self._host_options.auth_in_clear:
            raise CommandRejected(replies.TLS_FIRST, Reason.TLS_REQUIRED)
        offered = self.profile.mechanisms(self._channel)
        mechanism, _, initial = argument.partition(" ")
        self._authentication = authentication = self._begin_login(mechanism, offered)
        if authentication is None:
            raise reject(Reason.AUTH_MECHANISM, f"offered are {' '.join(offered)}")
        self._reply_to_login(authentication.start(initial))

    def _begin_login(self, mechanism: str, offered: Sequence[str]) -> SaslLogin | None:
        """A login by a mechanism; ``None`` for one that is not offered."""
        return SaslLogin.begin(
            mechanism,
            offered,
            self._backend,
            self.profile.host.name,
            self._channel,
            accept_any_login=self._host_options.accept_any_login,
        )

    def _continue_login(self, raw: bytes) -> None:
        self._stage = Stage.SMTP_AUTH
        self._line = mask_response(raw.decode("utf-8", "surrogateescape").rstrip("\r\n"))
        authentication, self._authentication = self._authentication, None
        if self._faults.host.active and self._inject(Stage.SMTP_AUTH):
            return
        if raw is not OVERLONG and not raw.endswith(b"\r\n") and not self._host_options.accept_bare_line_ends:
            raise CommandRejected(replies.BARE_LINE_FEED, Reason.BARE_LINE_END)
        if authentication is not None:
            self._authentication = authentication
            line = None if raw is OVERLONG else raw.rstrip(b"\r\n")
            self._reply_to_login(authentication.respond(line))

    def _reply_to_login(self, step: SaslStep) -> None:
        """Send the challenge, or end AUTH (RFC 4954 §4)."""
        if step.challenge is not None:
            self._reply(Reply(334, None, step.challenge))
            return
        self._authentication = None
        self.login = step.login
        self._suspicion.is_awake = not step.login
        self._origin = None
        if step.reason is None:
            self._reply(replies.AUTHENTICATED)
        else:
            detail = "AUTH" if step.reason is Reason.LINE_TOO_LONG else step.text
            self._reply(replies.refusal(step.reason, detail), step.reason)

    # Mail transactions ---------------------------------------------------------------------------

    def _offers(self, extension: str) -> bool:
        """Whether the reply to this client's EHLO had that keyword."""
        return extension in self._offered

    def _options(
        self, read: Callable[[Mapping[str, str | None], Callable[[str], bool]], _O], argument: PathArgument
    ) -> _O:
        """The parameters behind a path."""
        try:
            return read(argument.parameters, self._offers)
        except NotOffered as error:
            raise reject(Reason.NOT_NEGOTIATED, str(error)) from None
        except ProtocolError as error:
            raise syntax_error(str(error)) from None

    def _mail(self, argument: str) -> None:
        host_options = self._host_options
        if host_options.require_tls and self._channel is None:
            raise reject(Reason.TLS_REQUIRED)
        if self.profile.needs_login and not self.login:
            raise reject(Reason.AUTH_REQUIRED)
        try:
            path = read_path_argument(argument, "FROM:", strict=host_options.strict_envelopes)
        except ProtocolError as error:
            raise syntax_error(str(error)) from None
        self._address = sender = path.path
        if self._faults.host.active and self._inject(Stage.SMTP_MAIL):
            return
        options = self._options(read_mail_options, path) if path.parameters else _NO_OPTIONS
        if isinstance(sender, Address):
            if not sender.domain:
                raise syntax_error("the address has no domain")
            if not options.smtputf8 and not argument.isascii():
                raise CommandRejected(replies.NEEDS_SMTPUTF8, Reason.NOT_NEGOTIATED)
        if options.size is not None and options.size > host_options.max_message_size:
            raise reject(Reason.MESSAGE_TOO_BIG, f"{host_options.max_message_size} octets at most")
        transaction = Transaction(sender, options)
        answer = self._backend.check_sender(sender, self.login)
        if answer is ACCEPTED:
            self._sender_accepted(transaction)  # nearly always
        else:
            self._continue(partial(self._sender_accepted, transaction), answer)

    def _sender_accepted(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self._reply(replies.SENDER_OK)

    def _rcpt(self, argument: str) -> None:
        transaction = self._transaction
        if transaction is None:
            raise reject(Reason.BAD_SEQUENCE)
        if len(transaction.recipients) >= self._host_options.max_recipients:
            # RFC 5321 §4.5.3.1.10: 452, so that the client sends to the rest in a transaction of its own.
            raise reject(Reason.TOO_MANY_RECIPIENTS)
        try:
            found = read_path_argument(argument, "TO:", strict=self._host_options.strict_envelopes)
        except ProtocolError as error:
            raise syntax_error(str(error)) from None
        self._address = path = found.path
        if self._faults.host.active:
            if self._inject(Stage.SMTP_RCPT):
                return
            if isinstance(self._faults.take_on_command(), actions.pretend_success):
                transaction.pretended.append(path)
                self._reply(replies.RECIPIENT_OK, Reason.FAULT)
                return
        if not isinstance(path, Address):
            raise syntax_error("a recipient cannot be empty")
        options = self._options(read_rcpt_options, found) if found.parameters else None
        if not argument.isascii() and not transaction.options.smtputf8:
            raise CommandRejected(replies.NEEDS_SMTPUTF8, Reason.NOT_NEGOTIATED)
        recipient = Recipient(path) if options is None else Recipient(path, options.notify, options.original)
        answer = self._backend.check_recipient(path, self.login)
        if answer is ACCEPTED:
            self._recipient_accepted(transaction, recipient)  # nearly always
        else:
            self._continue(partial(self._recipient_accepted, transaction, recipient), answer)

    def _recipient_accepted(self, transaction: Transaction, recipient: Recipient) -> None:
        transaction.recipients.append(recipient)
        on_answer = self._faults.on_answer
        transaction.client_knows = (
            transaction.client_knows or not isinstance(on_answer, OnAnswer) or on_answer.arrives
        )
        self._reply(replies.RECIPIENT_OK)

    def _data(self, _: str) -> None:
        transaction = self._transaction
        if transaction is None or not transaction.has_recipients:
            raise reject(Reason.NO_VALID_RECIPIENTS)
        if transaction.options.body is BodyType.BINARY:
            # RFC 3030 §3: a binary message is sent with BDAT only.
            raise CommandRejected(replies.sequence("BODY=BINARYMIME goes with BDAT"), Reason.BAD_SEQUENCE)
        answer = self._backend.check_data()
        if answer is ACCEPTED:
            self._data_accepted()
        else:
            self._continue(self._data_accepted, answer)

    def _data_accepted(self) -> None:
        self._reply(replies.GO_AHEAD)
        self._body = DataReader(self._host_options.max_message_size)
        if self._faults.on_command is not None or self._faults.host.active:
            self._body = self._watched(self._body, self._host_options.max_message_size)

    def _bdat(self, argument: str) -> None:
        match = re.fullmatch(r"([0-9]{1,18})( LAST)?", argument, re.IGNORECASE)
        if match is None:
            raise syntax_error("syntax: BDAT octets [LAST]")
        # RFC 3030 §2: the bytes follow at once, whatever the answer will be.
        taken = 0 if self._transaction is None else self._transaction.chunked
        room = self._host_options.max_message_size - taken
        self._body = ChunkReader(int(match[1]), last=match[2] is not None, room=room)
        if self._faults.host.active:
            self._body = self._watched(self._body, room, already=taken)
        if self._body.is_complete:  # of no bytes
            self._end_of_body()

    def _end_of_body(self) -> None:
        """Answer what ``_body`` has read to its end."""
        body, self._body = self._body, None
        if isinstance(body, WatchedBody):
            body = body.inner
        try:
            if isinstance(body, DataReader | LaxDataReader):
                self._stage, self._line = Stage.SMTP_END, ""
                if self._peer.is_app:
                    self._client_bytes = ClientBytes(is_unstuffed=body.is_unstuffed, message=body.content)
                self._finish(body.content, too_big=body.is_too_big)
            elif isinstance(body, ChunkReader):
                self._end_of_chunk(body)
        except CommandRejected as rejected:
            self._reply(rejected.reply, rejected.reason)

    def _end_of_chunk(self, chunk: ChunkReader) -> None:
        transaction = self._transaction
        if self._faults.host.active and self._inject(Stage.SMTP_BDAT):
            return
        if transaction is None:
            raise CommandRejected(replies.sequence("send MAIL first"), Reason.BAD_SEQUENCE)
        if not transaction.has_recipients:
            raise reject(Reason.NO_VALID_RECIPIENTS)
        if chunk.is_too_big:
            self._advance(MESSAGE_ENDED)
            raise reject(Reason.MESSAGE_TOO_BIG)
        if self.state is SmtpState.CHUNKS:
            self._keep_chunk(transaction, chunk)
        else:  # the first one stands for DATA
            self._on_verdict(self._backend.check_data(), partial(self._chunk_checked, transaction, chunk))

    def _chunk_checked(self, transaction: Transaction, chunk: ChunkReader, answer: Verdict | Receipt) -> None:
        if isinstance(answer, Verdict) and answer.is_accepted:
            self._keep_chunk(transaction, chunk)
        else:
            self._advance(MESSAGE_ENDED)
            self._reply_to_verdict(answer)

    def _keep_chunk(self, transaction: Transaction, chunk: ChunkReader) -> None:
        transaction.add_chunk(chunk.content)
        if chunk.last:
            # The reply to the last chunk is the one that takes responsibility (RFC 3030 §2).
            self._stage = Stage.SMTP_END
            content = transaction.content()
            if self._peer.is_app:
                self._client_bytes = ClientBytes(message=content)
            self._finish(content, too_big=False)
        else:
            self._reply(Reply(250, "2.0.0", f"{chunk.size} octets received"))

    def _finish(self, content: bytes, *, too_big: bool) -> None:
        """Take the message, or not: the end of a transaction in either case."""
        transaction = self._transaction
        is_answered = bool(self._faults.host.active) and self._inject(Stage.SMTP_END, content)
        self._advance(MESSAGE_ENDED)
        if is_answered:
            return
        if transaction is None:
            raise reject(Reason.BAD_SEQUENCE)
        if too_big:
            raise reject(Reason.MESSAGE_TOO_BIG, f"{self._host_options.max_message_size} octets at most")
        if not (content or transaction.client_knows or transaction.pretended):
            raise reject(Reason.NO_VALID_RECIPIENTS)  # RFC 2920 §3.2: the client knows of no recipient
        options = transaction.options
        lenient = self._host_options.accept_bare_line_ends or options.body is BodyType.BINARY
        if not lenient and has_bare_line_ends(content):
            raise reject(Reason.BARE_LINE_END)
        origin = self._origin
        if origin is None or options.smtputf8:
            origin = self._make_origin(smtputf8=options.smtputf8)
        envelope = transaction.envelope(origin)
        if self._faults.on_command is not None or transaction.pretended:
            altered = self._alter_message(envelope, content)
            if altered is None:
                self._reply(Reply(250, "2.0.0", "message taken"), Reason.FAULT)
                return
            content = altered
        receipt = self._backend.take(envelope, content)
        if receipt is None:
            self._on_verdict(None, self._taken)
        else:
            self._taken(receipt)

    def _taken(self, answer: Verdict | Receipt) -> None:
        if isinstance(answer, Receipt) and answer.verdict.is_accepted:
            sent, kept = self._client_bytes, answer.kept
            if sent is not None and sent.message and kept.endswith(sent.message):
                start = len(kept) - len(sent.message)
                self._client_bytes = replace(sent, message=kept, start=start)
            self._reply(Reply(250, "2.0.0", answer.text), None, answer.queue_id)
        else:
            self._reply_to_verdict(answer)

    def _make_origin(self, *, smtputf8: bool) -> Origin:
        origin = origin_of(
            self.helo, self._peer, self._channel, self.login, extended=self._extended, smtputf8=smtputf8
        )
        if not smtputf8:
            self._origin = origin
        return origin

    # Faults --------------------------------------------------------------------------------------

    def _inject(self, stage: Stage, content: bytes = b"", octets: int = 0) -> bool:
        """Let a fault fire, if one is due at this stage; whether the command has been dealt with."""
        faults = self._faults
        if stage not in faults.host.active:
            faults.on_command = None
            return False
        transaction, address = self._transaction, self._address
        recipients: tuple[Path, ...] = ()
        if stage is Stage.SMTP_RCPT:
            recipients = () if address is None else (address,)
        elif transaction is not None:
            recipients = (*(each.address for each in transaction.recipients), *transaction.pretended)
        action = faults.decide(
            stage,
            login=self.login,
            sender=address if transaction is None else transaction.sender,
            recipients=recipients,
            argument=self._line.partition(" ")[2],
            subject=field_in_head(head_of(content), "subject") if content else "",
            octets=octets,
        )
        return self._apply_fault(action)

    def _send_reply(self, action: actions.reply) -> bool:
        if action.reply.is_positive:
            self._faults.on_answer = action  # the command is carried out
            return False
        self._reply(action.reply, Reason.FAULT)
        return True

    def _close_by_fault(self, _: actions.close) -> bool:
        self._reply(replies.CLOSING, Reason.FAULT)
        return True

    FAULT_ACTIONS: ClassVar[FaultActions] = {
        actions.reply: _send_reply,
        actions.close: _close_by_fault,
        actions.starttls_injection: ProtocolSession._keep_plaintext,
    }

    def _reply_by_fault(self, reply: Reply) -> Reply | None:
        """Answer as a fault wants it; returns what the client sees of the reply."""
        action, self._faults.on_answer = self._faults.on_answer, None
        if isinstance(action, OnAnswer):
            self._play(action.script(reply.wire))
            return reply if action.arrives else None
        if isinstance(action, actions.reply) and reply.is_positive:
            # What the server refuses by itself stays refused: it would not know what to go on with.
            reply = action.reply
        self.output.parts.append(reply.wire)
        return reply

    def _watched(self, body: BodyReader, room: int, *, already: int = 0) -> BodyReader:
        """The reader of a message of at most ``room`` bytes, with faults that fire in the middle of it."""
        action = self._faults.take_on_command()
        if isinstance(action, actions.accept_smuggled_end):
            body = LaxDataReader(room, action.ends)
        if Stage.SMTP_BODY not in self._faults.host.active:
            return body
        return WatchedBody(body, lambda octets: self._watch(already + octets))

    def _watch(self, octets: int) -> TransferProgress:
        """Let a fault fire after so many bytes of the message."""
        stage, self._stage = self._stage, Stage.SMTP_BODY
        faults = self._faults
        if self._inject(Stage.SMTP_BODY, octets=octets):
            self._play(())  # the message is not complete, so nothing else would bring a reply out
            return TransferProgress.NOT
        delay, faults.on_answer = faults.on_answer, None
        if isinstance(delay, OnAnswer):
            self._play(delay.script(b""))
        self._stage = stage
        return TransferProgress.ON if delay is None else TransferProgress.ON_UNWATCHED

    def _alter_message(self, envelope: Envelope, content: bytes) -> bytes | None:
        """The content that is taken in place of the message; ``None`` if nothing is."""
        action = self._faults.take_on_command()
        if isinstance(action, actions.pretend_success) or not envelope.recipients:
            return None
        if isinstance(action, actions.deliver_twice):
            self._backend.take(envelope, content)
        return action.apply(content) if isinstance(action, AlterMessage) else content

    _HANDLERS: ClassVar[Mapping[str, Callable[[Any, str], None]]] = {
        "EHLO": _ehlo,
        "HELO": _helo,
        "STARTTLS": _starttls,
        "AUTH": _auth,
        "MAIL": _mail,
        "RCPT": _rcpt,
        "DATA": _data,
        "BDAT": _bdat,
        "XCLIENT": _xclient,
        "RSET": _rset,
        "NOOP": _noop,
        "VRFY": _vrfy,
        "EXPN": _expn,
        "HELP": _help,
        "QUIT": _quit,
    }
