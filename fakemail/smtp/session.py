"""The receiving side of an SMTP connection: octets in, octets out, no socket.

``feed`` takes whatever arrived and returns everything there is to answer, so that a group of
pipelined commands costs one read and one write. Who exists, what is accepted and where it goes is
asked of a :class:`Backend`; when that needs time it answers ``None`` and calls ``resume`` later.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Final, TypeVarTuple

from msgspec.structs import replace

from fakemail.errors import ProtocolError
from fakemail.events.kinds import KEPT, ClientBytes
from fakemail.events.secrets import SecretDetector, mask_response
from fakemail.faults.host_faults import HostFaults
from fakemail.message.envelope import BodyType, Origin, Recipient
from fakemail.protocol.sasl_login import SaslLogin, SaslStep
from fakemail.smtp import replies
from fakemail.smtp.arguments import options_of, path_of
from fakemail.smtp.backend import Backend, Receipt, SmtpRecorder
from fakemail.smtp.body import ChunkReader, DataReader, LaxDataReader, has_bare_line_ends
from fakemail.smtp.commands import (
    COMMANDS,
    KNOWN_LINES,
    OUT_OF_ORDER,
    SmtpArgument,
    SmtpCommandRow,
    SmtpState,
)
from fakemail.smtp.errors import CommandRejected, HangUp, no, ungrammatical
from fakemail.smtp.extensions import SmtpProfile, names_of
from fakemail.smtp.fault_injector import SmtpFaultInjector, WatchedBody
from fakemail.smtp.framing import OVERLONG
from fakemail.smtp.grammar import is_greeting_name
from fakemail.smtp.parameters import MailOptions, read_mail_options, read_rcpt_options
from fakemail.smtp.transaction import Transaction, origin_of
from fakemail.smtp.vrfy import expand, help_on, verify
from fakemail.smtp.xclient import read_xclient
from fakemail.types.address import Address
from fakemail.types.channel import Channel
from fakemail.types.domains import a_labels
from fakemail.types.peer import Peer
from fakemail.types.reason import Reason
from fakemail.types.reply import Reply
from fakemail.types.stage import Stage
from fakemail.types.verdict import ACCEPTED, Verdict

_Ts = TypeVarTuple("_Ts")

# RFC 5321 §2.4: command lines are text. Lone surrogates stand for octets that are not UTF-8.
_NOT_TEXT = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")


# Faults at these commands are asked for when their path has been read, or the octets that follow them.
_ASKED_LATER: Final = frozenset({"MAIL", "RCPT", "BDAT"})
_NO_OPTIONS: Final = MailOptions()


class SmtpSession(SmtpFaultInjector):
    """One connection's dialogue. Call ``greet`` once, then ``feed`` for all that arrives.

    After each call look at ``wants_tls`` (do the handshake, then call ``secured``), ``closing``
    (write the output, then close) and ``is_waiting`` (an answer of the backend is outstanding).
    """

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
    ) -> None:
        """``faults`` is what goes wrong here, asked before anything else is decided."""
        super().__init__(faults, peer, profile.service.name, connection)
        self.profile = profile
        self._personality = profile.personality
        self._with_enhanced_codes = profile.offers("ENHANCEDSTATUSCODES")
        self.state = SmtpState.CONNECTED
        self.helo = ""
        self._speaker = peer  # who really talks, whoever it talks for
        self._said_helo = ""
        self._backend = backend
        self._record = record
        self._channel = channel
        self._extended = False
        self._errors = 0
        self._authentication: SaslLogin | None = None
        self._suspicion = SecretDetector()
        self._origin: Origin | None = None  # made when it is needed and something in it has changed

    # What the shell calls ------------------------------------------------------------------------

    def greet(self) -> bytes:
        """The banner (RFC 5321 §4.3.1)."""
        self._run_handler(self._greet)
        return self._take_output()

    def _greet(self) -> None:
        if self._faults.active:
            self._interfere(Stage.SMTP_BANNER)
        self._on_verdict(self._backend.check_client(), self._met)

    def _met(self, answer: Verdict | Receipt) -> None:
        verdict = answer.verdict if isinstance(answer, Receipt) else answer
        if verdict.is_accepted:
            self._reply(replies.banner(self.profile.host.name))
            return
        self.state = SmtpState.REJECTED
        self._reply(replies.at_banner(verdict), verdict.reason)

    def secured(self, channel: Channel) -> None:
        """The TLS handshake is done: forget all that was said in clear text (RFC 3207 §4.2)."""
        self.wants_tls = False
        self._channel = channel
        self.helo = self.login = ""
        self._origin = None
        self._offered = frozenset()
        self._reset(SmtpState.CONNECTED)
        if not self._keeps_plaintext:
            self._buffer.clear()

    def hang_up(self, reason: Reason) -> bytes:
        """The last words of a server that must end the session: 421 (RFC 5321 §3.8)."""
        self._stage, self._line = Stage.DISCONNECT, ""
        self._reply(replies.refusal(reason, self.profile.host.name), reason)
        self.closing = True
        return self._take_output()

    @property
    def in_progress(self) -> str:
        """What the session is in the middle of, in words; empty between transactions."""
        if self._body is not None:
            return f"inside the message, after {self._body.received} octets"
        if self._authentication is not None:
            return "inside AUTH"
        return "inside a mail transaction" if self._transaction is not None else ""

    def _reply(self, reply: Reply, reason: Reason | None = None, queue_id: str = "") -> None:
        if reply.code >= 400:
            if reply.code != 421:
                self._errors += 1
                if self._errors > self._personality.max_errors:
                    reason = Reason.TOO_MANY_ERRORS
                    reply = replies.refusal(reason)
            if reply.code == 421:
                self.closing = True
        if not self._with_enhanced_codes and reply.enhanced is not None:
            reply = Reply(reply.code, None, reply.text)
        octets, self._octets = self._octets, None
        if self._struck is None:
            self._out.append(reply.wire)
            self._record(self._stage, self._line, reply, reason, self._address, queue_id, octets)
        else:
            seen = self._spoil(reply)
            reason = reason if seen is not None else Reason.FAULT
            self._record(self._stage, self._line, seen, reason, self._address, queue_id, octets)

    # Commands ------------------------------------------------------------------------------------

    def _answer(self, raw: bytes) -> None:
        self._address = None
        try:
            if self._authentication is not None:
                self._authenticate_further(raw)
                return
            row, argument = self._parse(raw)
            if self._faults.active and row.verb not in _ASKED_LATER:
                self._interfere(row.stage)
            self._HANDLERS[row.verb](self, argument)
        except CommandRejected as refused:
            self._reply(refused.reply, refused.reason)
        except HangUp:
            self._fall_silent()

    def _fall_silent(self) -> None:
        octets, self._octets = self._octets, None
        self._record(self._stage, self._line, None, Reason.FAULT, self._address, "", octets)

    def _parse(self, raw: bytes) -> tuple[SmtpCommandRow, str]:
        """Find the row of the command; refuse what breaks the general rules."""
        known = KNOWN_LINES.get(raw)
        if known is not None:
            row, self._line, argument = known
            self._suspicion.is_awake = False
            self._stage = row.stage
            if self.state not in row.states:
                raise CommandRejected(
                    replies.sequence(OUT_OF_ORDER[row.verb, self.state]), Reason.BAD_SEQUENCE
                )
            return row, argument
        return self._parse_anew(raw)

    def _parse_anew(self, raw: bytes) -> tuple[SmtpCommandRow, str]:
        text = raw.removesuffix(b"\n").removesuffix(b"\r").decode("utf-8", "surrogateescape").rstrip(" \t")
        verb, _, argument = text.partition(" ")
        row = COMMANDS.get(verb.upper())
        known = row is not None and (not row.keyword or self._knows(row.keyword))
        self._stage = Stage.SMTP_UNKNOWN if row is None else row.stage
        self._line = self._suspicion.hear(text, row and row.verb)
        if raw is OVERLONG or (row is not None and len(raw) > row.limit):
            raise no(Reason.LINE_TOO_LONG)
        if not raw.endswith(b"\r\n"):
            if not self._personality.accept_bare_line_ends:
                raise CommandRejected(replies.BARE_LINE_FEED, Reason.BARE_LINE_END)
            self._octets = replace(self._octets or ClientBytes(), is_bare=True)
        if row is None or not known:
            if self._faults.active and row is None:
                self._interfere(Stage.SMTP_UNKNOWN)
            raise no(Reason.UNKNOWN_COMMAND)
        if _NOT_TEXT.search(text) is not None:
            raise ungrammatical("control characters, or octets that are not UTF-8")
        if self.state not in row.states:
            raise CommandRejected(replies.sequence(OUT_OF_ORDER[row.verb, self.state]), Reason.BAD_SEQUENCE)
        argument = argument.strip(" ") if argument.startswith(" ") or argument.endswith(" ") else argument
        if (
            bool(argument) is (row.argument is SmtpArgument.NONE)
            and row.argument is not SmtpArgument.OPTIONAL
        ):
            raise ungrammatical(f"syntax: {row.syntax}")
        KNOWN_LINES.keep(raw, row, text, argument)
        return row, argument

    def _knows(self, keyword: str) -> bool:
        """Whether a command exists in this session."""
        profile = self.profile
        if keyword in self._hidden:
            return False
        if keyword == "AUTH":
            return profile.is_submission and profile.offers("AUTH")
        if keyword == "XCLIENT" and not profile.personality.xclient_from:
            return False
        if keyword == "STARTTLS":
            return profile.offers("STARTTLS") and (
                self._channel is not None or "STARTTLS" in profile.keywords(None, authenticated=False)
            )
        return profile.offers(keyword)

    def _helo(self, argument: str, *, extended: bool) -> None:
        if not is_greeting_name(argument):
            raise ungrammatical("syntax: EHLO name")
        argument = self._said_helo or argument
        if not argument.isascii():
            argument = a_labels(argument)  # RFC 6531 §3.3 has U-labels; a reply and a trace field have none
        answer = self._backend.check_hello(argument, self._channel)
        self._go_on_if(answer, self._hello_accepted, argument, extended)

    def _hello_accepted(self, argument: str, extended: bool) -> None:
        # RFC 5321 §4.1.4: a new EHLO clears everything, as RSET does.
        self.helo = argument
        self._origin = None
        self._reset(SmtpState.READY)
        keywords: tuple[str, ...] = ()
        self._hidden = frozenset()
        if extended:
            keywords = self.profile.keywords(
                self._channel, authenticated=bool(self.login), peer=self._speaker
            )
        self._extended = extended
        self._offered = names_of(keywords)
        if self._special is not None:
            keywords = self._spoil_keywords(keywords)
        self._reply(replies.greeting(self.profile.host.name, replies.echo(argument), keywords))

    def _xclient(self, argument: str) -> None:
        """Take a client at its word, and start anew (Postfix XCLIENT_README)."""
        if not self.profile.may_introduce(self._speaker):
            raise no(Reason.NOT_ALLOWED, "XCLIENT")
        try:
            said = read_xclient(argument)
        except ProtocolError as error:
            raise ungrammatical(str(error)) from None
        self._peer = self._backend.introduce(said, self._peer)
        self._said_helo = self._said_helo if said.helo is None else said.helo
        self.helo, self.login = "", self.login if said.login is None else said.login
        self._origin, self._offered = None, frozenset()
        self._reset(SmtpState.CONNECTED)
        self._on_verdict(self._backend.check_client(), self._met)

    def _ehlo(self, argument: str) -> None:
        self._helo(argument, extended=True)

    def _helo_only(self, argument: str) -> None:
        self._helo(argument, extended=False)

    def _starttls(self, _: str) -> None:
        if self._channel is not None:
            raise CommandRejected(replies.sequence("TLS is active already"), Reason.BAD_SEQUENCE)
        if self._special is not None:
            self._keeps_plaintext = self._take_special() is not None
        self._reply(replies.READY_FOR_TLS)
        self.wants_tls = True

    def _reset(self, state: SmtpState) -> None:
        self.state = state
        self._transaction = None

    def _rset(self, _: str) -> None:
        self._reset(SmtpState.CONNECTED if self.state is SmtpState.CONNECTED else SmtpState.READY)
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
        personality = self._personality
        if self._channel is None and not personality.auth_in_clear:
            raise CommandRejected(replies.TLS_FIRST, Reason.TLS_REQUIRED)
        offered = self.profile.mechanisms(self._channel)
        mechanism, _, initial = argument.partition(" ")
        self._authentication = authentication = SaslLogin.begin(
            mechanism,
            offered,
            self._backend,
            self.profile.host.name,
            self._channel,
            accept_any_login=personality.accept_any_login,
        )
        if authentication is None:
            raise no(Reason.AUTH_MECHANISM, f"offered are {' '.join(offered)}")
        self._reply_to_login(authentication.start(initial))

    def _authenticate_further(self, raw: bytes) -> None:
        self._stage = Stage.SMTP_AUTH
        self._line = mask_response(raw.decode("utf-8", "surrogateescape").rstrip("\r\n"))
        authentication = self._authentication
        if self._faults.active:
            self._authentication = None  # a refusal ends it
            self._interfere(Stage.SMTP_AUTH)
            self._authentication = authentication
        if raw is not OVERLONG and not raw.endswith(b"\r\n") and not self._personality.accept_bare_line_ends:
            self._authentication = None
            raise CommandRejected(replies.BARE_LINE_FEED, Reason.BARE_LINE_END)
        if authentication is not None:
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

    def _mail(self, argument: str) -> None:
        personality = self._personality
        if personality.require_tls and self._channel is None:
            raise no(Reason.TLS_REQUIRED)
        if self.profile.needs_login and not self.login:
            raise no(Reason.AUTH_REQUIRED)
        sender, parameters = path_of(argument, "FROM:", strict=personality.strict_envelopes)
        self._address = sender
        if self._faults.active:
            self._interfere(Stage.SMTP_MAIL)
        options = _NO_OPTIONS
        if parameters:
            options = options_of(read_mail_options, parameters, self._offers)
        if isinstance(sender, Address):
            if not sender.domain:
                raise ungrammatical("the address has no domain")
            if not options.smtputf8 and not argument.isascii():
                raise CommandRejected(replies.NEEDS_SMTPUTF8, Reason.NOT_NEGOTIATED)
        if options.size is not None and options.size > personality.max_message_size:
            raise no(Reason.MESSAGE_TOO_BIG, f"{personality.max_message_size} octets at most")
        transaction = Transaction(sender, options)
        answer = self._backend.check_sender(sender, self.login)
        self._go_on_if(answer, self._sender_accepted, transaction)

    def _on_verdict(
        self, answer: Verdict | Receipt | None, then: Callable[[Verdict | Receipt], None]
    ) -> None:
        """Go on with an answer of the backend, now or when it is there."""
        if answer is None:
            self._wait(lambda late: self._run_handler(partial(then, late)))
        else:
            then(answer)

    def _run_handler(self, act: Callable[[], None]) -> None:
        """Do something, and say what is refused on the way."""
        try:
            act()
        except CommandRejected as refused:
            self._reply(refused.reply, refused.reason)
        except HangUp:
            self._fall_silent()

    def _go_on_if(self, answer: Verdict | None, accepted: Callable[[*_Ts], None], *given: *_Ts) -> None:
        """Go on if the backend says yes, now or when it says so."""
        if answer is ACCEPTED:
            accepted(*given)  # nearly always
        else:
            self._on_verdict(answer, partial(self._checked, partial(accepted, *given)))

    def _checked(self, accepted: Callable[[], None], answer: Verdict | Receipt) -> None:
        if _is_yes(answer):
            accepted()
        else:
            self._say_verdict(answer)

    def _sender_accepted(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self.state = SmtpState.SENDER
        self._reply(replies.SENDER_OK)

    def _rcpt(self, argument: str) -> None:
        transaction = self._transaction
        if transaction is None:
            raise no(Reason.BAD_SEQUENCE)
        if len(transaction.recipients) >= self._personality.max_recipients:
            # RFC 5321 §4.5.3.1.10: 452, so that the client sends to the rest in a transaction of its own.
            raise no(Reason.TOO_MANY_RECIPIENTS)
        path, parameters = path_of(argument, "TO:", strict=self._personality.strict_envelopes)
        self._address = path
        if self._faults.active:
            self._interfere(Stage.SMTP_RCPT)
            if self._pretends(transaction, path):
                self.state = SmtpState.RECIPIENTS
                self._reply(replies.RECIPIENT_OK, Reason.FAULT)
                return
        if not isinstance(path, Address):
            raise ungrammatical("a recipient cannot be empty")
        options = options_of(read_rcpt_options, parameters, self._offers) if parameters else None
        if not argument.isascii() and not transaction.options.smtputf8:
            raise CommandRejected(replies.NEEDS_SMTPUTF8, Reason.NOT_NEGOTIATED)
        if options is not None:
            recipient = Recipient(path, options.notify, options.original)
        else:
            recipient = Recipient(path)
        answer = self._backend.check_recipient(path, self.login)
        self._go_on_if(answer, self._recipient_accepted, transaction, recipient)

    def _recipient_accepted(self, transaction: Transaction, recipient: Recipient) -> None:
        transaction.recipients.append(recipient)
        transaction.is_told = transaction.is_told or self._is_heard
        self.state = SmtpState.RECIPIENTS
        self._reply(replies.RECIPIENT_OK)

    def _data(self, _: str) -> None:
        transaction = self._transaction
        if transaction is None or not transaction.has_recipients:
            raise no(Reason.NO_VALID_RECIPIENTS)
        if transaction.options.body is BodyType.BINARY:
            # RFC 3030 §3: a binary message is sent with BDAT only.
            raise CommandRejected(replies.sequence("BODY=BINARYMIME goes with BDAT"), Reason.BAD_SEQUENCE)
        self._go_on_if(self._backend.check_data(), self._data_accepted)

    def _data_accepted(self) -> None:
        self._reply(replies.GO_AHEAD)
        self._body = DataReader(self._personality.max_message_size)
        if self._special is not None or self._faults.active:
            self._body = self._interfered(self._body, self._personality.max_message_size)

    def _bdat(self, argument: str) -> None:
        match = re.fullmatch(r"([0-9]{1,18})( LAST)?", argument, re.IGNORECASE)
        if match is None:
            raise ungrammatical("syntax: BDAT octets [LAST]")
        # RFC 3030 §2: the octets follow at once, whatever the answer will be.
        taken = 0 if self._transaction is None else self._transaction.chunked
        room = self._personality.max_message_size - taken
        self._body = ChunkReader(int(match[1]), last=match[2] is not None, room=room)
        if self._faults.active:
            self._body = self._interfered(self._body, room, already=taken)
        if self._body.is_complete:  # of no octets
            self._end_of_body()

    def _end_of_body(self) -> None:
        body, self._body = self._body, None
        if isinstance(body, WatchedBody):
            body = body.inner
        if isinstance(body, DataReader | LaxDataReader):
            self._run_handler(partial(self._end_of_data, body))
        elif isinstance(body, ChunkReader):
            self._run_handler(partial(self._end_of_chunk, body))

    def _end_of_data(self, body: DataReader | LaxDataReader) -> None:
        self._stage, self._line = Stage.SMTP_END, ""
        if self._peer.is_app:
            self._octets = ClientBytes(is_unstuffed=body.is_unstuffed, content=body.content[:KEPT])
        self._finish(body.content, too_big=body.is_too_big)

    def _end_of_chunk(self, chunk: ChunkReader) -> None:
        transaction = self._transaction
        if self._faults.active:
            self._interfere(Stage.SMTP_BDAT)
        if transaction is None:
            raise CommandRejected(replies.sequence("send MAIL first"), Reason.BAD_SEQUENCE)
        if not transaction.has_recipients:
            raise no(Reason.NO_VALID_RECIPIENTS)
        if chunk.is_too_big:
            self._reset(SmtpState.READY)
            raise no(Reason.MESSAGE_TOO_BIG)
        if self.state is SmtpState.CHUNKS:
            self._keep_chunk(transaction, chunk)
        else:  # the first one stands for DATA
            self._on_verdict(self._backend.check_data(), partial(self._chunk_checked, transaction, chunk))

    def _chunk_checked(self, transaction: Transaction, chunk: ChunkReader, answer: Verdict | Receipt) -> None:
        if _is_yes(answer):
            self._keep_chunk(transaction, chunk)
        else:
            self._reset(SmtpState.READY)
            self._say_verdict(answer)

    def _keep_chunk(self, transaction: Transaction, chunk: ChunkReader) -> None:
        transaction.add_chunk(chunk.content)
        if chunk.last:
            # The reply to the last chunk is the one that takes responsibility (RFC 3030 §2).
            self._stage = Stage.SMTP_END
            content = transaction.content()
            if self._peer.is_app:
                self._octets = ClientBytes(content=content[:KEPT])
            self._finish(content, too_big=False)
        else:
            self.state = SmtpState.CHUNKS
            self._reply(Reply(250, "2.0.0", f"{chunk.size} octets received"))

    def _finish(self, content: bytes, *, too_big: bool) -> None:
        transaction = self._transaction
        try:
            if self._faults.active:
                self._interfere(Stage.SMTP_END, content)
        finally:
            self._reset(SmtpState.READY)
        if transaction is None:
            raise no(Reason.BAD_SEQUENCE)
        if too_big:
            raise no(Reason.MESSAGE_TOO_BIG, f"{self._personality.max_message_size} octets at most")
        if not (content or transaction.is_told or transaction.pretended):
            raise no(Reason.NO_VALID_RECIPIENTS)  # RFC 2920 §3.2: the client knows of nobody
        options = transaction.options
        lenient = self._personality.accept_bare_line_ends or options.body is BodyType.BINARY
        if not lenient and has_bare_line_ends(content):
            raise no(Reason.BARE_LINE_END)
        envelope = transaction.envelope(self._find_origin(smtputf8=options.smtputf8))
        if self._special is not None or transaction.pretended:
            spoilt = self._spoil_message(self._backend, envelope, content)
            if spoilt is None:
                self._reply(Reply(250, "2.0.0", "message taken"), Reason.FAULT)
                return
            content = spoilt
        self._on_verdict(self._backend.take(envelope, content), self._taken)

    def _taken(self, answer: Verdict | Receipt) -> None:
        if isinstance(answer, Receipt) and answer.verdict.is_accepted:
            self._reply(Reply(250, "2.0.0", answer.text), None, answer.queue_id)
        else:
            self._say_verdict(answer)

    def _find_origin(self, *, smtputf8: bool) -> Origin:
        if self._origin is not None and not smtputf8:
            return self._origin
        origin = origin_of(
            self.helo, self._peer, self._channel, self.login, extended=self._extended, smtputf8=smtputf8
        )
        if not smtputf8:
            self._origin = origin
        return origin

    def _say_verdict(self, answer: Verdict | Receipt) -> None:
        verdict = answer.verdict if isinstance(answer, Receipt) else answer
        self._reply(replies.reply_to(verdict), verdict.reason)

    _HANDLERS: Final[dict[str, Callable[[SmtpSession, str], None]]] = {
        "EHLO": _ehlo,
        "HELO": _helo_only,
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


def _is_yes(answer: Verdict | Receipt) -> bool:
    return isinstance(answer, Verdict) and answer.is_accepted
