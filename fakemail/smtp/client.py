"""The sending side of SMTP: a generator that yields the data to send next and receives the replies.

It decides; :mod:`fakemail.wire.smtp_client` does. Nothing here waits, connects or knows an address.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Generator, Mapping, Sequence
from contextlib import suppress
from enum import Enum
from types import MappingProxyType
from typing import Final, NamedTuple, TypeAlias

from fakemail.errors import FakemailError, ProtocolError
from fakemail.message.downgrade import to_seven_bit
from fakemail.message.envelope import BodyType, Recipient
from fakemail.message.headers import body_offset
from fakemail.smtp.grammar import encode_xtext
from fakemail.types.address import Address, NullPath, Path
from fakemail.types.channel import Channel
from fakemail.types.dataclass import dataclass
from fakemail.types.reason import Reason
from fakemail.types.reply import Reply, read_reply
from fakemail.types.stage import Stage

MAX_REPLY_LINE: Final = 4096  # bytes; RFC 5321 §4.5.3.1.5 says 512, real servers go beyond
MAX_REPLY: Final = 64 * 1024
# RFC 9422 §4.1: a limit that is not written so is as if it were not there.
_LIMIT: Final = re.compile(r"([A-Z0-9][A-Z0-9_-]*)=([1-9][0-9]{0,5})")
_TRANSACTION: Final = frozenset({Stage.SMTP_MAIL, Stage.SMTP_RCPT, Stage.SMTP_DATA, Stage.SMTP_END})


class ReplyClass(Enum):
    """Meaning of a server's reply to a command."""

    SUCCESS = "success"
    TRANSIENT = "transient"
    """4yz: not now."""
    PERMANENT = "permanent"
    """5yz: never."""
    UNEXPECTED = "unexpected"
    """A positive reply that does not answer this command: a protocol error, so the message is kept and tried again."""


_COMPLETION: Final = range(200, 300)

# RFC 5321 §4.3.2 has a code or two for each command; §4.2.1 lets a client go by the first digit of others. Where
# what follows depends on the very code (the greeting, TLS, the go-ahead for the message) no other will do.
_SUCCESS: Final[Mapping[Stage, Container[int]]] = MappingProxyType(
    {
        Stage.SMTP_BANNER: (220,),
        Stage.SMTP_HELO: (250,),
        Stage.SMTP_STARTTLS: (220,),  # RFC 3207 §4
        Stage.SMTP_MAIL: _COMPLETION,
        Stage.SMTP_RCPT: _COMPLETION,
        Stage.SMTP_DATA: (354,),
        Stage.SMTP_END: _COMPLETION,
        Stage.SMTP_RSET: _COMPLETION,
        Stage.SMTP_QUIT: _COMPLETION,
    }
)


def classify(stage: Stage, reply: Reply) -> ReplyClass:
    """Meaning of a reply to the command of that stage."""
    if reply.is_transient:
        return ReplyClass.TRANSIENT
    if reply.is_permanent:
        return ReplyClass.PERMANENT
    return ReplyClass.SUCCESS if reply.code in _SUCCESS[stage] else ReplyClass.UNEXPECTED


def is_success(stage: Stage, reply: Reply) -> bool:
    """Whether the server did what the command of that stage asks for."""
    return classify(stage, reply) is ReplyClass.SUCCESS


class SendStep(NamedTuple):
    """Send these bytes, then wait for the replies."""

    octets: bytes
    stages: tuple[Stage, ...]
    """The stage of the command that each reply answers."""

    @property
    def replies(self) -> int:
        """Number of replies."""
        return len(self.stages)


class StartTlsStep(NamedTuple):
    """Do the client's part of a TLS handshake now."""


Step: TypeAlias = SendStep | StartTlsStep
Answer: TypeAlias = list[Reply] | Channel


class PeerFailure(FakemailError):
    """The other side cannot be talked to any more: the driver throws it into the dialogue."""

    def __init__(
        self, reason: Reason, detail: str = "", *, in_answer: bool = False, is_out_of_step: bool = False
    ) -> None:
        """``in_answer`` when some of the replies that were waited for had come, ``is_out_of_step`` when there were
        more of them than commands, so that nobody knows which answers which."""
        super().__init__(detail or str(reason))
        self.reason = reason
        self.detail = detail
        self.in_answer = in_answer
        self.is_out_of_step = is_out_of_step


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to be handed on."""

    helo: str
    sender: Path
    recipients: tuple[Recipient, ...]
    content: bytes
    body: BodyType = BodyType.SEVEN_BIT
    smtputf8: bool = False
    ret: str | None = None
    envid: str | None = None
    requiretls: bool = False


class TlsUse(Enum):
    """Whether TLS is used."""

    NEVER = "never"
    IF_OFFERED = "if offered"
    ALWAYS = "always"
    """The message is kept rather than sent in clear text."""


@dataclass(frozen=True, slots=True)
class RecipientOutcome:
    """Result of one recipient."""

    recipient: Recipient
    at: Stage
    reply: Reply | None
    reason: Reason | None = None
    """``None`` when the server took the message for it, or said no by ``reply``."""
    detail: str = ""
    status: str = ""
    """The enhanced status code (RFC 3463) where the reason stands for several and no reply gives one."""

    @property
    def is_accepted(self) -> bool:
        """Whether the server took responsibility."""
        return self.at is Stage.SMTP_END and self.reply is not None and is_success(self.at, self.reply)


class _TransactionAborted(Exception):
    """The transaction ends here for every recipient that is still open."""

    def __init__(
        self,
        at: Stage,
        reply: Reply | None,
        reason: Reason | None = None,
        detail: str = "",
        status: str = "",
    ) -> None:
        self.at, self.reply, self.reason, self.detail, self.status = at, reply, reason, detail, status


class _StaleConnection(Exception):
    """The kept connection was over before anything was said on it."""


class ServerProfile(NamedTuple):
    """Facts about a server with which a transaction was completed."""

    keywords: Mapping[str, str]
    channel: Channel | None


class ClientTransaction:
    """One transaction with one server. Run ``steps()``; then ``outcomes`` and ``channel`` hold the result."""

    def __init__(
        self,
        message: Outgoing,
        *,
        tls: TlsUse = TlsUse.IF_OFFERED,
        greeted: ServerProfile | None = None,
        stay: Callable[[], bool] = lambda: False,
        earlier: int = 0,
    ) -> None:
        """With ``greeted`` it begins with MAIL, on a connection that was kept, on which there were ``earlier``
        transactions. ``stay`` is asked after a transaction in which the server said yes or no whether the
        connection shall be kept; else it ends with QUIT."""
        self._message = message
        self._tls = tls
        self._content = message.content
        self._open: list[Recipient] = list(message.recipients)
        self._keywords: Mapping[str, str] = {} if greeted is None else greeted.keywords
        self._at = Stage.SMTP_BANNER if greeted is None else Stage.SMTP_MAIL
        self._is_greeted = greeted is not None
        self._is_untried = greeted is not None
        self._stay = stay
        self._earlier = earlier
        self._dismissed = False  # the server said 421: it closes the connection (RFC 5321 §3.8)
        self._is_broken = False  # the server said what answers nothing: there is no talking with it any more
        self._is_begun = False  # the server took MAIL, and has not answered the end of the message
        self._has_taken_any = False  # a RCPT of the group was answered with a yes of any kind
        self._is_tls_refused = False  # the server said no to STARTTLS, and nothing since then
        self.refusals = 0
        """Number of 4yz and 5yz replies, of which servers tolerate a few."""
        self.channel: Channel | None = None if greeted is None else greeted.channel
        self.outcomes: list[RecipientOutcome] = []
        self.left: list[Recipient] = []
        """Recipients that the limits of the server leave for another transaction (RFC 9422); they have no outcome."""
        self.is_stale = False
        """Whether the kept connection was over already: nothing came of it, and a new one is needed."""
        self.stays = False
        """Whether the connection is left open, with nothing under way on it."""

    def steps(self) -> Generator[Step, Answer, None]:
        """The whole dialogue. The driver throws :class:`PeerFailure` in when the connection fails."""
        try:
            if not self._is_greeted:
                yield from self._greet()
            yield from self._transact()
        except _StaleConnection:
            self.is_stale = True
            return
        except _TransactionAborted as stop:
            # Where DATA is answered so, the replies may have been those to the commands before it.
            if stop.at is Stage.SMTP_DATA and stop.reason is Reason.PROTOCOL_ERROR:
                self._forget()
            self._set_result(self._open, stop.at, stop.reply, stop.reason, stop.detail, stop.status)
        except PeerFailure as failure:
            if failure.is_out_of_step:
                self._forget()
            self._set_result(self._open, self._at, None, failure.reason, failure.detail)
            return
        if self._dismissed or self._is_broken:
            return
        # What became of the message is known; how the server says goodbye changes nothing.
        with suppress(PeerFailure, _TransactionAborted):
            if all(map(_is_answered, self.outcomes)) and self._stay() and self._may_begin_another():
                self.stays = yield from self._clear()
            if not (self.stays or self._dismissed or self._is_broken):
                yield SendStep(b"QUIT\r\n", (Stage.SMTP_QUIT,))

    def never_began(self, failure: PeerFailure) -> None:
        """The server could not be connected to."""
        self._set_result(self._open, Stage.CONNECT, None, failure.reason, failure.detail)

    @property
    def greeted(self) -> ServerProfile:
        """Server profile for the next dialogue on the same connection."""
        return ServerProfile(self._keywords, self.channel)

    def offers(self, keyword: str) -> bool:
        """Whether the server's last EHLO reply had that keyword."""
        return keyword in self._keywords

    def limit(self, name: str) -> int | None:
        """The value of one of the server's limits (RFC 9422), ``None`` where it has no such limit."""
        words = self._keywords.get("LIMITS", "").upper().split()
        matches = filter(None, map(_LIMIT.fullmatch, words))
        return next((int(match[2]) for match in matches if match[1] == name), None)

    @property
    def was_greeted(self) -> bool:
        """Whether the server was ready to talk; if not, another host may be tried (RFC 5321 §5.1)."""
        return bool(self._keywords)

    def _set_result(
        self,
        recipients: Sequence[Recipient],
        at: Stage,
        reply: Reply | None,
        reason: Reason | None = None,
        detail: str = "",
        status: str = "",
    ) -> None:
        self.outcomes += [
            RecipientOutcome(recipient, at, reply, reason, detail, status) for recipient in recipients
        ]
        decided = {id(recipient) for recipient in recipients}
        self._open = [recipient for recipient in self._open if id(recipient) not in decided]

    def _forget(self) -> None:
        """Nothing that was said of single recipients counts."""
        self.outcomes.clear()
        self.left.clear()
        self._open = list(self._message.recipients)

    def _say(self, stage: Stage, line: str) -> Generator[Step, Answer, Reply]:
        self._at = stage
        octets = f"{line}\r\n".encode() if line else b""
        (reply,) = yield from self._exchange(SendStep(octets, (stage,)))
        return reply

    def _exchange(self, send: SendStep) -> Generator[Step, Answer, list[Reply]]:
        try:
            answer = yield send
        except PeerFailure as failure:
            if self._is_untried and failure.reason is Reason.CONNECTION_LOST and not failure.in_answer:
                raise _StaleConnection from None
            if self._is_tls_refused and not failure.in_answer:
                # Some hang up after their no, or wait for TLS all the same: they are talked to without STARTTLS.
                self._is_broken = True
                raise _TransactionAborted(
                    Stage.SMTP_STARTTLS, None, Reason.TLS_FAILED, failure.detail
                ) from None
            raise
        if isinstance(answer, Channel):
            raise TypeError("the driver answered a Send with a Channel")
        # The end of the message is never in the first group, so that nothing is sent twice.
        if self._is_untried and answer[0].code == 421:
            raise _StaleConnection
        self._is_untried = self._is_tls_refused = False
        for stage, reply in zip(send.stages, answer, strict=True):
            self._dismissed = self._dismissed or reply.code == 421
            self.refusals += not reply.is_positive
            if classify(stage, reply) is ReplyClass.UNEXPECTED:
                self._is_broken = True
                # The others of a transaction go on where it is one recipient's reply.
                if stage is not Stage.SMTP_RCPT:
                    raise _TransactionAborted(stage, reply, Reason.PROTOCOL_ERROR, _unexpected(stage, reply))
        return answer

    def _clear(self) -> Generator[Step, Answer, bool]:
        """Give up a transaction of which nothing came, so that another can begin (RFC 5321 §4.1.1.5)."""
        if not self._is_begun:
            return True
        return is_success(Stage.SMTP_RSET, (yield from self._say(Stage.SMTP_RSET, "RSET")))

    def _may_begin_another(self) -> bool:
        """Whether the server takes one more transaction on this connection (RFC 9422 §4.1: MAILMAX)."""
        most = self.limit("MAILMAX")
        return most is None or self._earlier + 1 < most

    # Hello ---------------------------------------------------------------------------------------

    def _greet(self) -> Generator[Step, Answer, None]:
        banner = yield from self._say(Stage.SMTP_BANNER, "")
        if not banner.is_positive:
            raise _TransactionAborted(Stage.SMTP_BANNER, banner)
        yield from self._hello()
        if self._tls is TlsUse.NEVER:
            return
        if "STARTTLS" in self._keywords:
            ready = yield from self._say(Stage.SMTP_STARTTLS, "STARTTLS")
            if ready.code == 421:
                raise _TransactionAborted(Stage.SMTP_STARTTLS, ready)  # nobody listens any more
            if not ready.is_positive:
                self._accept_clear_text(f"the server answered STARTTLS with {ready.code}")
                self._is_tls_refused = True
                return
            self._at = Stage.TLS_HANDSHAKE
            answer = yield StartTlsStep()
            if not isinstance(answer, Channel):
                raise TypeError("the driver answered StartTls with replies")
            self.channel = answer
            yield from self._hello()
        else:
            self._accept_clear_text("the server does not offer STARTTLS")

    def _accept_clear_text(self, why: str) -> None:
        """With opportunistic TLS, no is no reason to keep the mail (RFC 7435)."""
        if self._tls is TlsUse.ALWAYS:
            raise _TransactionAborted(Stage.SMTP_STARTTLS, None, Reason.TLS_REQUIRED, why)

    def _hello(self) -> Generator[Step, Answer, None]:
        reply = yield from self._say(Stage.SMTP_HELO, f"EHLO {self._message.helo}")
        if reply.is_permanent and reply.code != 554:
            # RFC 5321 §3.2: a server that knows no EHLO gets HELO.
            reply = yield from self._say(Stage.SMTP_HELO, f"HELO {self._message.helo}")
            if reply.is_positive:
                self._keywords = {"": ""}
                return
        if not reply.is_positive:
            raise _TransactionAborted(Stage.SMTP_HELO, reply)
        words = (line.partition(" ") for line in reply.text.split("\n")[1:])
        self._keywords = {"": "", **{keyword.upper(): said for keyword, _, said in words}}

    # Mail ----------------------------------------------------------------------------------------

    def _transact(self) -> Generator[Step, Answer, None]:
        chunked = self._message.body is BodyType.BINARY  # RFC 3030 §3: such a message goes with BDAT only
        self._check_names()
        self._choose_body(chunked)
        self._check_size()
        mail = f"MAIL FROM:{_bracketed(self._message.sender)}{self._mail_parameters()}"
        self._keep_to_limits()
        rcpts = [f"RCPT TO:<{each.address}>{self._rcpt_parameters(each)}" for each in self._open]
        go_ahead: Reply | None = None
        if "PIPELINING" in self._keywords:
            go_ahead = yield from self._name_together(mail, rcpts, data=not chunked)
        else:
            yield from self._name_in_turn(mail, rcpts)
        if not self._open:
            if go_ahead is not None and go_ahead.is_positive:
                yield from self._end_empty_message()
            return
        if not chunked:
            if go_ahead is None:
                go_ahead = yield from self._say(Stage.SMTP_DATA, "DATA")
            if not go_ahead.is_positive:
                raise _TransactionAborted(Stage.SMTP_DATA, go_ahead)
        self._at = Stage.SMTP_END
        content = self._content
        octets = b"BDAT %d LAST\r\n%b" % (len(content), content) if chunked else stuff_dots(content)
        (final,) = yield from self._exchange(SendStep(octets, (Stage.SMTP_END,)))
        self._is_begun = False
        self._set_result(self._open, Stage.SMTP_END, final)

    def _choose_body(self, chunked: bool) -> None:
        """Bytes beyond ASCII are for those only who say that they take them (RFC 6152 §3)."""
        content = self._message.content
        if chunked or "8BITMIME" in self._keywords or content.isascii():
            return
        seven_bit = to_seven_bit(content)
        if seven_bit is None:
            raise _TransactionAborted(
                Stage.SMTP_MAIL,
                None,
                Reason.NOT_NEGOTIATED,
                "the server does not offer 8BITMIME, and the message cannot be encoded for it",
            )
        self._content = seven_bit

    def _check_names(self) -> None:
        """UTF-8 in addresses and header is for those only who offer it (RFC 6531 §3.5)."""
        if self._message.smtputf8 and "SMTPUTF8" not in self._keywords and _needs_smtputf8(self._message):
            why = "the server does not offer SMTPUTF8"
            raise _TransactionAborted(Stage.SMTP_MAIL, None, Reason.NOT_NEGOTIATED, why, "5.6.7")

    def _check_size(self) -> None:
        """Refuse a message above the server's SIZE limit; 0 and no number are no limit (RFC 1870 §4)."""
        most, size = self._keywords.get("SIZE", ""), len(self._content)
        if most.isascii() and most.isdigit() and 0 < int(most[:20]) < size:
            why = f"it has {size} octets, and the server takes {most}"
            raise _TransactionAborted(Stage.SMTP_MAIL, None, Reason.MESSAGE_TOO_BIG, why)

    def _keep_to_limits(self) -> None:
        """Name as many recipients, of as many domains, as the server takes at once (RFC 9422 §4.1)."""
        most, most_domains = self.limit("RCPTMAX"), self.limit("RCPTDOMAINMAX")
        named: list[Recipient] = []
        domains: set[str] = set()
        for recipient in self._open:
            domain = recipient.address.domain
            is_over = len(named) == most or (domain not in domains and len(domains) == most_domains)
            if is_over:
                self.left.append(recipient)
            else:
                named.append(recipient)
                domains.add(domain)
        self._open = named

    def _name_together(
        self, mail: str, rcpts: Sequence[str], *, data: bool
    ) -> Generator[Step, Answer, Reply | None]:
        """Say sender and recipients in one group, and DATA as its last command (RFC 2920 §3.1)."""
        self._at = Stage.SMTP_MAIL
        group = [mail, *rcpts, *(["DATA"] if data else [])]
        stages = (Stage.SMTP_MAIL, *[Stage.SMTP_RCPT] * len(rcpts), *([Stage.SMTP_DATA] if data else []))
        replies = yield from self._exchange(SendStep("\r\n".join([*group, ""]).encode(), stages))
        named = replies[1 : len(rcpts) + 1]
        self._has_taken_any = any(reply.is_positive for reply in named)
        self._is_begun = replies[0].is_positive
        if not self._is_begun:
            self._set_result(self._open, Stage.SMTP_MAIL, replies[0])
        for recipient, reply in zip(list(self._open), named, strict=False):
            self._set_result_unless_accepted(recipient, reply)
        return replies[-1] if data else None

    def _end_empty_message(self) -> Generator[Step, Answer, None]:
        """Send an empty message to a server that waits for it though no recipient is left (RFC 2920 §3.1).

        A server that refused all recipients gives the empty message to nobody (§3.2). Where it was told of one,
        or may have been, hanging up is all that keeps the empty message from that recipient.
        """
        if self._dismissed or self._has_taken_any:
            self._is_broken = True
            return
        yield from self._exchange(SendStep(b".\r\n", (Stage.SMTP_END,)))
        self._is_begun = False

    def _name_in_turn(self, mail: str, rcpts: Sequence[str]) -> Generator[Step, Answer, None]:
        """Say sender and recipients one after the other."""
        reply = yield from self._say(Stage.SMTP_MAIL, mail)
        if not reply.is_positive:
            self._set_result(self._open, Stage.SMTP_MAIL, reply)
            return
        self._is_begun = True
        for recipient, line in zip(list(self._open), rcpts, strict=True):
            reply = yield from self._say(Stage.SMTP_RCPT, line)
            if reply.code == 421:
                raise _TransactionAborted(Stage.SMTP_RCPT, reply)  # nobody listens any more
            self._set_result_unless_accepted(recipient, reply)

    def _set_result_unless_accepted(self, recipient: Recipient, reply: Reply) -> None:
        match classify(Stage.SMTP_RCPT, reply):
            case ReplyClass.SUCCESS:
                pass
            case ReplyClass.UNEXPECTED:
                why = _unexpected(Stage.SMTP_RCPT, reply)
                self._set_result([recipient], Stage.SMTP_RCPT, reply, Reason.PROTOCOL_ERROR, why)
            case _:
                self._set_result([recipient], Stage.SMTP_RCPT, reply)

    def _mail_parameters(self) -> str:
        message, keywords = self._message, self._keywords
        said = ""
        if "SIZE" in keywords:
            said += f" SIZE={len(self._content)}"
        if message.body is BodyType.EIGHT_BIT and "8BITMIME" in keywords:
            said += " BODY=8BITMIME"
        elif message.body is BodyType.BINARY:
            if not {"BINARYMIME", "CHUNKING"} <= keywords.keys():
                raise _TransactionAborted(
                    Stage.SMTP_MAIL, None, Reason.NOT_NEGOTIATED, "the server does not offer BINARYMIME"
                )
            said += " BODY=BINARYMIME"
        if message.smtputf8 and "SMTPUTF8" in keywords:
            said += " SMTPUTF8"
        if message.requiretls:
            if "REQUIRETLS" in keywords:
                said += " REQUIRETLS"
            elif not isinstance(message.sender, NullPath):
                # RFC 8689 §5: a bounce goes on without it.
                raise _TransactionAborted(
                    Stage.SMTP_MAIL,
                    None,
                    Reason.REQUIRETLS_NOT_OFFERED,
                    "the server does not offer REQUIRETLS",
                )
        if "DSN" in keywords:
            said += f" RET={message.ret}" if message.ret else ""
            said += f" ENVID={encode_xtext(message.envid)}" if message.envid else ""
        return said

    def _rcpt_parameters(self, recipient: Recipient) -> str:
        if "DSN" not in self._keywords:
            return ""
        said = f" NOTIFY={','.join(recipient.notify)}" if recipient.notify else ""
        if recipient.original:
            kind, _, address = recipient.original.partition(";")
            said += f" ORCPT={kind};{encode_xtext(address)}"
        return said


def _is_answered(outcome: RecipientOutcome) -> bool:
    """Whether the server itself said yes or no to the message, and meant it."""
    return outcome.at in _TRANSACTION and outcome.reply is not None and outcome.reason is None


def _unexpected(stage: Stage, reply: Reply) -> str:
    return f"{reply.code} is no answer at {stage}"


def _bracketed(path: Path) -> str:
    return "<>" if isinstance(path, NullPath) else f"<{path}>"


def stuff_dots(content: bytes) -> bytes:
    """The content as it is sent: dots doubled at the start of lines, end marker behind (RFC 5321 §4.5.2)."""
    if content.startswith(b"."):
        content = b"." + content
    if b"\r\n." in content:
        content = content.replace(b"\r\n.", b"\r\n..")
    return content + (b".\r\n" if content.endswith(b"\r\n") or not content else b"\r\n.\r\n")


class ReplyReader:
    """Cuts what arrives into replies. Bounded: a server cannot make it keep more than ``MAX_REPLY`` bytes."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._lines: list[bytes] = []
        self._size = 0
        self._error: ProtocolError | None = None

    def feed(self, octets: bytes) -> list[Reply]:
        """Take bytes, give the replies that are complete.

        Raises :class:`~fakemail.errors.ProtocolError` for what is no reply; whatever was said before it still
        counts, so the error comes with the next call, which may bring no bytes.
        """
        if self._error is not None:
            raise self._error
        self._buffer += octets
        replies: list[Reply] = []
        try:
            self._cut(replies)
        except ProtocolError as error:
            self._error = error
            self._buffer.clear()
            self._lines.clear()
            if not replies:
                raise
        return replies

    def _cut(self, replies: list[Reply]) -> None:
        while (end := self._buffer.find(b"\n")) >= 0:
            line = bytes(self._buffer[: end + 1])
            del self._buffer[: end + 1]
            self._size += len(line)
            line = line.rstrip(b"\r\n")
            if len(line) > MAX_REPLY_LINE or self._size > MAX_REPLY:
                raise ProtocolError("the reply is too long")
            self._lines.append(line)
            if line[3:4] != b"-":
                replies.append(read_reply(self._lines))
                self._lines, self._size = [], 0
        if len(self._buffer) > MAX_REPLY_LINE:
            raise ProtocolError("the reply is too long")


def _needs_smtputf8(message: Outgoing) -> bool:
    """Whether a message for which SMTPUTF8 was asked is really one that needs it (RFC 6531 §3.4, RFC 6532 §3.2)."""
    paths = (message.sender, *(each.address for each in message.recipients))
    if any(isinstance(path, Address) and not path.is_ascii for path in paths):
        return True
    return not message.content[: body_offset(message.content)].isascii()
