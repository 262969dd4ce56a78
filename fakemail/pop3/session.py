"""The server's side of a POP3 connection: bytes in, bytes out, no socket (RFC 1939).

``feed`` takes whatever arrived and returns what there is to answer; a long answer comes in pieces, and ``more`` goes on
with it while ``has_more`` is set. Which users there are, and their mailboxes, is asked of a :class:`Pop3Backend`.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar, Final, Protocol

from fakemail.events.secrets import SecretDetector, mask_response
from fakemail.faults import actions
from fakemail.faults.host_faults import HostFaults
from fakemail.grease import Grease
from fakemail.message.headers import body_offset
from fakemail.pop3.capabilities import Pop3Profile
from fakemail.pop3.commands import (
    CHALLENGE,
    COMMANDS,
    ERR,
    LONGEST_LINE,
    OK,
    Pop3Argument,
    Pop3CommandRow,
    Pop3Reply,
    Pop3State,
    needed_for,
    out_of_order,
    refusal,
)
from fakemail.pop3.maildrop import Maildrop, end_of_lines, multiline, size_of
from fakemail.protocol.line_reader import OVERLONG, LineReader
from fakemail.protocol.recorder import CommandRecorder
from fakemail.protocol.sasl_login import SaslLogin, SaslStep
from fakemail.protocol.session import FaultActions, ProtocolSession
from fakemail.sasl.exchange import CredentialStore, ExchangeSucceeded
from fakemail.sasl.passwords import check_password
from fakemail.sasl.saslprep import comparable
from fakemail.store.account import AccountStore
from fakemail.store.message import StoredMessage
from fakemail.types.channel import Channel
from fakemail.types.peer import Peer
from fakemail.types.reason import Reason
from fakemail.types.seeded_random import SeededRandom
from fakemail.types.stage import Stage

# RFC 1939 §3: printable characters. RFC 6856 §2.2 adds UTF-8; lone surrogates stand for bytes that are not.
_NOT_TEXT = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
_NUMBER = re.compile("[0-9]+")
# A client must not keep the others from being served, by thousands of lines or by a long message.
_LINES_AT_ONCE: Final = 250
_BYTES_AT_ONCE: Final = 128 * 1024
# Answers whose text is for people: in those of STAT, and of LIST and UIDL with a number, it is the answer.
_FREE_TEXT: Final = frozenset(
    {Stage.POP3_USER, Stage.POP3_PASS, Stage.POP3_DELE, Stage.POP3_NOOP, Stage.POP3_RSET, Stage.POP3_QUIT}
)
# Commands whose argument begins with the number of a message.
_NUMBERED: Final = frozenset(
    {Stage.POP3_LIST, Stage.POP3_UIDL, Stage.POP3_RETR, Stage.POP3_TOP, Stage.POP3_DELE}
)
_SECRET: Final = frozenset({Stage.POP3_PASS, Stage.POP3_APOP, Stage.POP3_AUTH})


class Pop3Backend(Protocol):
    """Everything a session asks of its host."""

    @property
    def credentials(self) -> CredentialStore:
        """Passwords, tokens and certificates of the users."""
        ...

    @property
    def chance(self) -> SeededRandom:
        """Source of random values, for what must not be guessed or repeated."""
        ...

    def account(self, login: str) -> AccountStore:
        """The mailboxes of a login."""
        ...

    def admits(self, login: str, delay: int) -> bool:
        """Whether the last login is at least that many seconds ago; then this one is the last."""
        ...


class _CommandFailed(Exception):
    """A command is answered with ``-ERR``."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        self.answer = refusal(reason, detail)


class Pop3Session(ProtocolSession):
    """The dialogue of one POP3 connection."""

    def __init__(
        self,
        profile: Pop3Profile,
        backend: Pop3Backend,
        record: CommandRecorder,
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
        self._stage = Stage.POP3_BANNER
        self.profile = profile
        self.state = Pop3State.AUTHORIZATION
        self._backend = backend
        self._record = record
        self._grease = grease
        self._channel = channel
        self._lines = LineReader(LONGEST_LINE)
        self._pieces: Iterator[bytes] | None = None
        """The rest of an answer of several lines."""
        self._line = ""
        self._errors = 0
        self._timestamp = ""
        self._name = ""
        self._utf8 = False
        self._authentication: SaslLogin | None = None
        self._suspicion = SecretDetector()
        self._maildrop: Maildrop | None = None

    # What the connection calls -------------------------------------------------------------------

    def greet(self) -> bytes:
        """The banner, with the timestamp that APOP needs (RFC 1939 §7)."""
        if self._faults.host.active and self._inject(""):
            if not self.output.script:
                self._end()  # a server that refuses in its banner says no more
            return self.output.take()
        name = self.profile.host.name.encode("ascii", "replace").decode()
        text = f"{name} POP3 ready"
        if self.profile.knows("APOP"):
            unique = int.from_bytes(self._backend.chance.randbytes(12), "big")
            self._timestamp = f"<{unique >> 48}.{unique & 0xFFFFFFFFFFFF}@{name}>"
            text += f" {self._timestamp}"
        self._reply(Pop3Reply(OK, text))
        if self._faults.on_answer is not None:
            self._play_whole_answer(0)
        return self.output.take()

    def feed(self, data: bytes) -> bytes:
        """Take bytes in, give bytes out."""
        if self.closing:
            return b""
        self._lines.buffer += data
        return self.more()

    def more(self) -> bytes:
        """Go on where ``feed`` stopped so as not to keep other connections waiting."""
        self.has_more = False
        parts = self.output.parts
        lines, size = _LINES_AT_ONCE, 0
        while not self.closing and not self.wants_tls:
            piece = next(self._pieces, None) if self._pieces is not None else None
            if piece is not None:
                parts.append(piece)
            else:
                self._pieces = None
                line = self._lines.take()
                if line is None:
                    break
                self._answer(line)
                lines -= 1
            size += len(parts[-1]) if parts else 0
            if lines == 0 or size >= _BYTES_AT_ONCE:
                self.has_more = not self.closing and (self._pieces is not None or bool(self._lines.buffer))
                break
        if self.wants_tls and not self._faults.keeps_plaintext:
            # A man in the middle may have put it there (RFC 2595 §4).
            self.discarded_plaintext = self._lines.clear()
        return self.output.take()

    def secured(self, channel: Channel) -> None:
        """The TLS handshake is done: forget all that was said in clear text (RFC 2595 §4)."""
        self.wants_tls = False
        self._channel = channel
        self._name = ""
        self._utf8 = False
        self.state = Pop3State.AUTHORIZATION
        if not self._faults.keeps_plaintext:
            self._lines.clear()

    def hang_up(self, reason: Reason) -> bytes:
        """The last words of a server that has to end the session; the messages stay."""
        inside = self._pieces is not None
        self._end()
        self._stage, self._line = Stage.DISCONNECT, ""
        # RFC 1939 §3: after inactivity nothing is said. And inside a message it would be taken for a line of it.
        if reason is not Reason.TIMEOUT and not inside:
            self._reply(refusal(reason))
        return self.output.take(whole=True)

    def close(self) -> None:
        """Release the maildrop. Nothing is removed: that is for QUIT alone (RFC 1939 §6)."""
        super().close()
        self._end()

    def _end(self) -> None:
        super()._end()
        self._pieces = self._authentication = None
        maildrop, self._maildrop = self._maildrop, None
        if maildrop is not None:
            maildrop.close()

    @property
    def in_progress(self) -> str:
        """Words for an unfinished command, empty between commands."""
        if self._pieces is not None:
            return f"inside the answer to {self._line}"
        return "inside AUTH" if self._authentication is not None else ""

    # Answers -------------------------------------------------------------------------------------

    def _reply(
        self, answer: Pop3Reply, content: bytes | None = None, *, end: int = -1, lines: int = 1
    ) -> None:
        """Say the first line, and begin to say the content, or so much of it, if there is any."""
        grease = self._grease
        if grease is not None:
            if answer.status == OK and (content is not None or self._stage in _FREE_TEXT):
                answer = answer._replace(text=grease.pop3_text(answer.text))
            if content is not None and self._stage is Stage.POP3_CAPA:
                content = grease.capabilities(content)
        if answer.status == ERR and not self.closing:
            self._errors += 1
            if self._errors > self.profile.options.max_errors:
                answer = refusal(Reason.TOO_MANY_ERRORS)
                self._end()
        if not all(map(self.profile.knows, needed_for(answer.code))):
            answer = answer._replace(code="")
        self.output.parts.append(answer.wire)
        size = 0
        if content is not None:
            size = len(content) if end < 0 else end
            self._pieces = multiline(content, size)
        self._note(answer, lines if content is not None else 0, size)

    def _reply_list(self, text: str, lines: Sequence[str]) -> None:
        content = "".join([f"{line}\r\n" for line in lines]).encode("ascii", "replace")
        self._reply(Pop3Reply(OK, text), content, lines=len(lines))

    def _note(self, answer: Pop3Reply, responses: int = 0, size: int = 0) -> None:
        status, text, code, reason = answer
        self._record(self._stage, self._line, status, code, text, responses, size, reason)

    # Commands ------------------------------------------------------------------------------------

    def _answer(self, raw: bytes) -> None:
        """Answer one line, which has its line end or is ``OVERLONG``."""
        start = len(self.output.parts) if self._faults.host.active else 0
        try:
            if self._authentication is not None:
                self._continue_login(raw)
            else:
                self._run(raw)
        except _CommandFailed as failed:
            if not (self._stage is Stage.POP3_UNKNOWN and self._inject("")):
                self._reply(failed.answer)
        if self._faults.on_answer is not None:
            self._play_whole_answer(start)

    def _run(self, raw: bytes) -> None:
        try:
            row, argument = self._parse(raw)
        finally:
            if self.state is Pop3State.NAMED:  # RFC 1939 §7: PASS comes right behind USER, or not at all
                self.state = Pop3State.AUTHORIZATION
        if not self._faults.host.active or not self._inject(argument):
            self._HANDLERS[row.keyword](self, argument)

    def _account(self) -> AccountStore | None:
        return self._backend.account(self.login) if self.login else None

    def _parse(self, raw: bytes) -> tuple[Pop3CommandRow, str]:
        """Find the row of the command; refuse what breaks the general rules."""
        self._stage = Stage.POP3_UNKNOWN
        text = raw.removesuffix(b"\n").removesuffix(b"\r").decode("utf-8", "surrogateescape")
        keyword, _, argument = text.partition(" ")
        row = COMMANDS.get(keyword.strip("\t").upper())
        if row is not None:
            self._stage = row.stage
        self._line = self._suspicion.hear(text, row and row.keyword)
        if raw is OVERLONG or len(raw) > (row.limit if row is not None else 255):
            raise _CommandFailed(Reason.LINE_TOO_LONG)
        if not raw.endswith(b"\r\n") and not self.profile.options.accept_bare_line_ends:
            raise _CommandFailed(Reason.BARE_LINE_END)
        if row is None or not self._has_command(row):
            raise _CommandFailed(Reason.UNKNOWN_COMMAND)
        if _NOT_TEXT.search(text) is not None:
            raise _CommandFailed(Reason.BAD_SYNTAX, "control characters, or octets that are not UTF-8")
        if self.state not in row.states:
            raise _CommandFailed(Reason.BAD_SEQUENCE, out_of_order(row, self.state))
        if row.keyword != "PASS":  # whose argument is all the rest, spaces included (RFC 1939 §7)
            argument = argument.strip(" ")
        if (
            bool(argument) is (row.argument is Pop3Argument.NONE)
            and row.argument is not Pop3Argument.OPTIONAL
        ):
            raise _CommandFailed(Reason.BAD_SYNTAX, f"syntax: {row.syntax}")
        return row, argument

    def _has_command(self, row: Pop3CommandRow) -> bool:
        """Whether a command exists in this session."""
        if row.capability == "STLS" and self._channel is not None:
            return self.profile.knows("STLS")  # to say that it is active already
        if row.capability == "STLS":
            return "STLS" not in self._faults.hidden and "STLS" in self.profile.capabilities(None)
        return not row.capability or (
            self.profile.knows(row.capability) and row.capability not in self._faults.hidden
        )

    def _capa(self, _: str) -> None:
        faults = self._faults
        lines = self.profile.capabilities(self._channel)
        shown = [each for each in lines if each.split(" ")[0].upper() not in faults.hidden]
        self._reply_list("capability list follows", [*shown, *faults.advertised])

    def _stls(self, _: str) -> None:
        if self._channel is not None:
            raise _CommandFailed(Reason.BAD_SEQUENCE, "TLS is active already")
        if self._utf8:
            raise _CommandFailed(Reason.BAD_SEQUENCE, "STLS comes before UTF8")  # RFC 6856 §2.1
        self._reply(Pop3Reply(OK, "begin TLS"))
        self.wants_tls = True

    def _utf8_mode(self, _: str) -> None:
        self._utf8 = True
        self._reply(Pop3Reply(OK, "UTF8 enabled"))

    def _lang(self, argument: str) -> None:
        # RFC 6856 §3.2: a basic language range matches a tag that it is, or begins.
        if not argument:
            self._reply_list("language listing follows", ["en English"])
        elif argument.lower() in ("*", "en"):
            self._reply(Pop3Reply(OK, "en the language is English"))
        else:
            raise _CommandFailed(Reason.BAD_SYNTAX, "there is no such language here")

    def _noop(self, _: str) -> None:
        self._reply(Pop3Reply(OK, "nothing done"))

    def _quit(self, _: str) -> None:
        maildrop = self._maildrop
        # RFC 1939 §6: the UPDATE state; the maildrop is released before the answer, so that who has read it
        # can log in again.
        is_clean = maildrop is None or maildrop.update()
        self._end()
        if is_clean:
            self._reply(Pop3Reply(OK, "closing the connection"))
        else:
            self._reply(Pop3Reply(ERR, "the messages were not removed", "SYS/TEMP", Reason.MAILBOX_LOST))

    # Logging in ----------------------------------------------------------------------------------

    def _require_channel(self) -> None:
        if not self.profile.may_log_in(self._channel):
            raise _CommandFailed(Reason.TLS_REQUIRED)

    def _user(self, argument: str) -> None:
        self._require_channel()
        # Everybody is welcome so far: who exists is nobody's business.
        self._name = argument
        self.state = Pop3State.NAMED
        self._reply(Pop3Reply(OK, "send PASS"))

    def _pass(self, argument: str) -> None:
        name = self._name
        outcome = check_password(self._backend.credentials, name, argument)
        login = outcome.authorization_id if isinstance(outcome, ExchangeSucceeded) else ""
        self._logged_in(login or self._stranger(name))

    def _apop(self, argument: str) -> None:
        self._require_channel()
        name, _, digest = argument.rpartition(" ")
        if not name:
            raise _CommandFailed(Reason.BAD_SYNTAX, "syntax: APOP name digest")
        name = name.strip(" ")
        login = _login_of_digest(self._backend.credentials, name, digest, self._timestamp)
        self._logged_in(login or self._stranger(name))

    def _stranger(self, name: str) -> str:
        """The login of an unknown user, if the host accepts any login."""
        return name if self.profile.options.accept_any_login else ""

    def _auth(self, argument: str) -> None:
        self._require_channel()
        offered = self.profile.mechanisms(self._channel)
        if not argument:
            # Older than RFC 5034, and some clients still ask so.
            self._reply_list("mechanisms follow", offered)
            return
        mechanism, _, initial = argument.partition(" ")
        authentication = SaslLogin.begin(
            mechanism,
            offered,
            self._backend,
            self.profile.host.name,
            self._channel,
            accept_any_login=self.profile.options.accept_any_login,
        )
        if authentication is None:
            raise _CommandFailed(Reason.AUTH_MECHANISM)
        self._reply_to_login(authentication, authentication.start(initial))

    def _continue_login(self, raw: bytes) -> None:
        authentication, self._authentication = self._authentication, None
        self._stage = Stage.POP3_AUTH
        self._line = mask_response(raw.decode("utf-8", "surrogateescape").rstrip("\r\n"))
        if raw and not raw.endswith(b"\r\n") and not self.profile.options.accept_bare_line_ends:
            raise _CommandFailed(Reason.BARE_LINE_END)
        if self._faults.host.active and self._inject(""):
            return
        if authentication is not None:
            line = None if raw is OVERLONG else raw.rstrip(b"\r\n")
            self._reply_to_login(authentication, authentication.respond(line))

    def _reply_to_login(self, authentication: SaslLogin, step: SaslStep) -> None:
        """Send the challenge, or end AUTH (RFC 5034 §4)."""
        if step.challenge is not None:
            self._authentication = authentication
            self._reply(Pop3Reply(CHALLENGE, step.challenge))
        elif step.reason is not None:
            self._reply(refusal(step.reason, step.text))
        else:
            self._logged_in(step.login)

    def _logged_in(self, login: str) -> None:
        """Open the maildrop of a login; empty if the login failed."""
        self.state = Pop3State.AUTHORIZATION
        if not login:
            raise _CommandFailed(Reason.AUTH_FAILED)
        maildrop = Maildrop(self._backend.account(login), self)
        if not maildrop.is_open:
            raise _CommandFailed(Reason.MAILDROP_IN_USE)
        if not self._backend.admits(login, self.profile.options.login_delay):
            maildrop.close()
            raise _CommandFailed(Reason.LOGIN_TOO_SOON)
        self._maildrop = maildrop
        self._suspicion.is_awake = False
        self.login = login
        self.state = Pop3State.TRANSACTION
        self._reply(Pop3Reply(OK, f"{len(maildrop)} messages ({maildrop.octets} octets)"))

    # Reading -------------------------------------------------------------------------------------

    @property
    def _open(self) -> Maildrop:
        if self._maildrop is None:
            raise _CommandFailed(Reason.BAD_SEQUENCE, "log in first")
        return self._maildrop

    def _message(self, argument: str) -> tuple[int, StoredMessage]:
        """The message of a number."""
        if _NUMBER.fullmatch(argument) is None:
            raise _CommandFailed(Reason.BAD_SYNTAX, "a message has a number")
        number = int(argument)
        message = self._open.get(number)
        if message is None:
            what = "is deleted" if self._open.is_deleted(number) else ""
            raise _CommandFailed(Reason.NO_SUCH_MESSAGE, f"message {number} {what}" if what else "")
        return number, message

    def _stat(self, _: str) -> None:
        # RFC 1939 §5: the number, a space, and the bytes; the drop listing has nothing else.
        self._reply(Pop3Reply(OK, f"{len(self._open)} {self._open.octets}"))

    def _list(self, argument: str) -> None:
        if argument:
            number, message = self._message(argument)
            self._reply(Pop3Reply(OK, f"{number} {size_of(message)}"))
            return
        lines = [f"{number} {size_of(message)}" for number, message in self._open.numbered()]
        self._reply_list(f"{len(self._open)} messages ({self._open.octets} octets)", lines)

    def _uidl(self, argument: str) -> None:
        maildrop = self._open
        if not maildrop.is_intact:
            raise _CommandFailed(Reason.MAILBOX_LOST)
        if argument:
            number, message = self._message(argument)
            self._reply(Pop3Reply(OK, f"{number} {maildrop.unique_id(message)}"))
            return
        lines = [f"{number} {maildrop.unique_id(message)}" for number, message in maildrop.numbered()]
        self._reply_list("unique-id listing follows", lines)

    def _readable(self, argument: str) -> tuple[StoredMessage, int]:
        """The message of a number, and where its header ends, if it can be shown to this client."""
        _, message = self._message(argument)
        if not self._open.is_intact:
            raise _CommandFailed(Reason.MAILBOX_LOST)
        if not self._open.is_there(message):
            raise _CommandFailed(Reason.MESSAGE_GONE)
        end = body_offset(message.raw)
        if not self._utf8 and self.profile.knows("UTF8") and _is_utf8(message.raw[:end]):
            raise _CommandFailed(Reason.NOT_NEGOTIATED)  # RFC 6856 §5
        return message, end

    def _retr(self, argument: str) -> None:
        message, _ = self._readable(argument)
        maildrop = self._open
        self._reply(Pop3Reply(OK, f"{size_of(message)} octets"), message.raw)
        pieces = self._pieces
        if pieces is None:
            return

        def seen_at_the_end() -> Iterator[bytes]:
            # Who hangs up in the middle has not read it.
            yield from pieces
            maildrop.saw(message)

        self._pieces = seen_at_the_end()

    def _top(self, argument: str) -> None:
        number, _, lines = argument.partition(" ")
        lines = lines.strip(" ")
        if _NUMBER.fullmatch(lines) is None:
            raise _CommandFailed(Reason.BAD_SYNTAX, "syntax: TOP message lines")
        message, end = self._readable(number)
        self._reply(
            Pop3Reply(OK, "top of message follows"),
            message.raw,
            end=end_of_lines(message.raw, end, int(lines)),
        )

    def _dele(self, argument: str) -> None:
        number, _ = self._message(argument)
        self._open.delete(number)
        self._reply(Pop3Reply(OK, f"message {number} deleted"))

    def _rset(self, _: str) -> None:
        self._open.reset()
        self._reply(Pop3Reply(OK, f"{len(self._open)} messages ({self._open.octets} octets)"))

    # Faults --------------------------------------------------------------------------------------

    def _inject(self, argument: str) -> bool:
        """Let a fault fire, if one is due at this stage; whether the command has been dealt with."""
        stage, faults = self._stage, self._faults
        if stage not in faults.host.active:
            return False
        login = argument.rpartition(" ")[0] if stage is Stage.POP3_APOP else self.login or self._name
        action = faults.decide(
            stage,
            login=login,
            argument="" if stage in _SECRET else argument,
            message=argument.partition(" ")[0] if stage in _NUMBERED else "",
        )
        return self._apply_fault(action)

    def _note_silence(self) -> None:
        self._note(Pop3Reply("", "", "", Reason.FAULT))

    def _play_whole_answer(self, start: int) -> None:
        """Give the whole answer to the fault that waits for it."""
        self.output.parts += self._pieces or ()
        self._pieces = None
        self._play_answer(start)

    def _refuse(self, action: actions.refuse) -> bool:
        if self._stage is Stage.POP3_QUIT:
            self._end()  # RFC 1939 §6: QUIT ends the session whatever is said, and then nothing is removed
        self._reply(Pop3Reply(ERR, action.text, action.code, Reason.FAULT))
        return True

    def _fake_success(self, _: actions.fake_success) -> bool:
        if self._stage is Stage.POP3_QUIT:
            self._end()
        self._reply(Pop3Reply(OK, "done", "", Reason.FAULT))
        return True

    def _close_by_fault(self, _: actions.close) -> bool:
        self._end()
        self._reply(Pop3Reply(ERR, "closing the connection", "SYS/TEMP", Reason.FAULT))
        return True

    def _remove_message(self, action: actions.remove_message) -> bool:
        account = self._account()
        uids = [] if account is None else account.inbox.uids()
        place = action.number - 1 if action.number > 0 else action.number
        if account is not None and -len(uids) <= place < len(uids):
            account.inbox.expunge([uids[place]])
        return False

    def _bump_uidvalidity(self, _: actions.bump_uidvalidity) -> bool:
        account = self._account()
        if account is not None:
            account.renew_uid_validity(account.inbox.name)
        return False

    FAULT_ACTIONS: ClassVar[FaultActions] = {
        **ProtocolSession.FAULT_ACTIONS,
        actions.refuse: _refuse,
        actions.fake_success: _fake_success,
        actions.close: _close_by_fault,
        actions.remove_message: _remove_message,
        actions.bump_uidvalidity: _bump_uidvalidity,
    }

    _HANDLERS: Final[dict[str, Callable[[Pop3Session, str], None]]] = {
        "CAPA": _capa,
        "STLS": _stls,
        "USER": _user,
        "PASS": _pass,
        "APOP": _apop,
        "AUTH": _auth,
        "UTF8": _utf8_mode,
        "LANG": _lang,
        "STAT": _stat,
        "LIST": _list,
        "UIDL": _uidl,
        "RETR": _retr,
        "TOP": _top,
        "DELE": _dele,
        "NOOP": _noop,
        "RSET": _rset,
        "QUIT": _quit,
    }


def _is_utf8(header: bytes) -> bool:
    """Whether a header has UTF-8 in it, and not bytes of some older character set."""
    if header.isascii():
        return False
    try:
        header.decode()
    except UnicodeDecodeError:
        return False
    return True


def _login_of_digest(credentials: CredentialStore, name: str, digest: str, timestamp: str) -> str:
    """Login that APOP proves, empty for none.

    RFC 1939 §7: the MD5 of the timestamp of the banner, angle brackets included, and the shared secret.
    """
    login = comparable(name)
    password = credentials.password_of(login)
    right = False
    # RFC 6856 §2.2 wants the prepared password; clients that have never heard of it use it as it is.
    for secret in (comparable(password or ""), password or ""):
        octets = timestamp.encode() + secret.encode("utf-8", "surrogatepass")
        said = hashlib.md5(octets, usedforsecurity=False).hexdigest()
        right |= hmac.compare_digest(said.encode(), digest.lower().encode("utf-8", "surrogateescape"))
    return login if right and password else ""
