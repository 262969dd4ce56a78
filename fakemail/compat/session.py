"""SMTP as aiosmtpd speaks it: its order of checks and the wording of its replies, which test suites compare with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar, Final

from fakemail.errors import ProtocolError
from fakemail.protocol.sasl_login import SaslLogin
from fakemail.sasl.exchange import (
    INVALID_CREDENTIALS,
    ExchangeFailed,
    ExchangeSucceeded,
    Outcome,
    ServerExchange,
    read_utf8,
)
from fakemail.smtp import replies
from fakemail.smtp.commands import COMMANDS, UNKNOWN, SmtpState
from fakemail.smtp.replies import CommandRejected
from fakemail.smtp.session import SmtpSession
from fakemail.types.reason import Reason
from fakemail.types.reply import Reply
from fakemail.types.stage import Stage
from fakemail.types.verdict import Verdict
from fakemail.wire.smtp_server import SmtpConnection

CheckPassword = Callable[[SmtpConnection, str, str, str], bool]
"""Whether a connection may log in: by which mechanism, with which login and password."""

_OK: Final = Reply(250, None, "OK")
_ACCEPTED: Final[Mapping[Stage, Reply]] = MappingProxyType(
    {
        Stage.SMTP_MAIL: _OK,
        Stage.SMTP_RCPT: _OK,
        Stage.SMTP_RSET: _OK,
        Stage.SMTP_NOOP: _OK,
        Stage.SMTP_END: _OK,
        Stage.SMTP_DATA: Reply(354, None, "End data with <CR><LF>.<CR><LF>"),
        Stage.SMTP_QUIT: Reply(221, None, "Bye"),
        Stage.SMTP_STARTTLS: Reply(220, None, "Ready to start TLS"),
        Stage.SMTP_AUTH: Reply(235, "2.7.0", "Authentication successful"),
    }
)
_SYNTAX: Final[Mapping[Stage, str]] = MappingProxyType(
    {
        Stage.SMTP_MAIL: "Syntax: MAIL FROM: <address>",
        Stage.SMTP_RCPT: "Syntax: RCPT TO: <address>",
        Stage.SMTP_DATA: "Syntax: DATA",
        Stage.SMTP_RSET: "Syntax: RSET",
        Stage.SMTP_QUIT: "Syntax: QUIT",
        Stage.SMTP_STARTTLS: "Syntax: STARTTLS",
        Stage.SMTP_VRFY: "Syntax: VRFY <address>",
    }
)
_REFUSED: Final[Mapping[tuple[Stage, Reason], Reply]] = MappingProxyType(
    {
        (Stage.SMTP_AUTH, Reason.TLS_REQUIRED): Reply(
            538, "5.7.11", "Encryption required for requested authentication mechanism"
        ),
        (Stage.SMTP_AUTH, Reason.AUTH_FAILED): Reply(535, "5.7.8", "Authentication credentials invalid"),
        (Stage.SMTP_AUTH, Reason.AUTH_MECHANISM): Reply(504, "5.5.4", "Unrecognized authentication type"),
        (Stage.SMTP_AUTH, Reason.AUTH_CANCELLED): Reply(501, "5.7.0", "Auth aborted"),
        (Stage.SMTP_END, Reason.MESSAGE_TOO_BIG): Reply(552, None, "Error: Too much mail data"),
        (Stage.SMTP_MAIL, Reason.MESSAGE_TOO_BIG): Reply(
            552, None, "Error: message size exceeds fixed maximum message size"
        ),
        (Stage.SMTP_MAIL, Reason.NOT_NEGOTIATED): Reply(
            555, None, "MAIL FROM parameters not recognized or not implemented"
        ),
        (Stage.SMTP_RCPT, Reason.NOT_NEGOTIATED): Reply(
            555, None, "RCPT TO parameters not recognized or not implemented"
        ),
        (Stage.SMTP_DATA, Reason.NO_VALID_RECIPIENTS): Reply(503, None, "Error: need RCPT command"),
    }
)
_AUTH_REQUIRED: Final = Reply(530, "5.7.0", "Authentication required")
_STARTTLS_REQUIRED: Final = Reply(530, None, "Must issue a STARTTLS command first")
_CANNOT_VERIFY: Final = Reply(252, None, "Cannot VRFY user, but will accept message and attempt delivery")
_NEEDS_LOGIN: Final = frozenset({"MAIL", "RCPT", "DATA", "BDAT", "VRFY", "HELP"})
_BEFORE_TLS: Final = frozenset({"NOOP", "EHLO", "STARTTLS", "QUIT"})
PROMPTS: Final = (b"User Name\0", b"Password\0")
"""The challenges of LOGIN."""


class CaptureSession(SmtpSession):
    """A session that words its replies as aiosmtpd does, and lets its handler's hooks answer."""

    _wire: SmtpConnection
    _check_password: CheckPassword | None
    _prompts: tuple[bytes, bytes]

    def serve(
        self,
        connection: SmtpConnection,
        check_password: CheckPassword | None,
        prompts: tuple[bytes, bytes],
        call_limits: Mapping[str, int],
    ) -> None:
        """Answer on that connection, with that check of passwords, challenges of LOGIN, and limits of commands."""
        self._call_limits = call_limits
        self._calls: Counter[str] = Counter()
        self._wire = connection
        self._check_password = check_password
        self._prompts = prompts
        # Aiosmtpd offers no ENHANCEDSTATUSCODES, and some of its replies have them all the same.
        self._with_enhanced_codes = True

    # Order of checks -----------------------------------------------------------------------------

    def _answer(self, raw: bytes) -> None:
        if self._authentication is None:
            rejected = self._reject_first(raw)
            if rejected is not None:
                self._row = UNKNOWN
                self._reply(*rejected)
                return
        super()._answer(raw)

    def _reject_first(self, raw: bytes) -> tuple[Reply, Reason] | None:
        """The reply to a command for which it is too early, whatever its grammar."""
        verb = raw[:10].split(b" ")[0].strip().upper().decode("ascii", "replace")
        self._address, self._line = None, verb
        self._stage = COMMANDS[verb].stage if verb in COMMANDS else Stage.SMTP_UNKNOWN
        if not raw.strip():
            return Reply(500, None, "Error: bad syntax"), Reason.BARE_LINE_END
        if self._is_over_limit(verb):
            return Reply(421, "4.7.0", f"{verb} sent too many times"), Reason.TOO_MANY_ERRORS
        if self._host_options.require_tls and self._channel is None and verb not in _BEFORE_TLS:
            return _STARTTLS_REQUIRED, Reason.TLS_REQUIRED
        is_greeted = self.state is not SmtpState.CONNECTED or verb in ("VRFY", "HELP")
        if self.profile.needs_login and not self.login and verb in _NEEDS_LOGIN and is_greeted:
            return _AUTH_REQUIRED, Reason.AUTH_REQUIRED
        return None

    def _is_over_limit(self, verb: str) -> bool:
        limits = self._call_limits
        if not limits:
            return False
        self._calls[verb] += 1
        return self._calls[verb] > limits.get(verb, limits["*"])

    def _knows(self, keyword: str) -> bool:
        return keyword in ("VRFY", "STARTTLS") or super()._knows(keyword)

    # Logins --------------------------------------------------------------------------------------

    def _begin_login(self, mechanism: str, offered: Sequence[str]) -> SaslLogin | None:
        check = self._check_password
        name = mechanism.upper()
        if check is None or name not in offered or name not in ("PLAIN", "LOGIN"):
            return super()._begin_login(mechanism, offered)

        def allowed(login: str, password: str) -> Outcome:
            if check(self._wire, name, login, password):
                return ExchangeSucceeded(login, login)
            return ExchangeFailed(INVALID_CREDENTIALS)

        steps = _plain(allowed) if name == "PLAIN" else _login(allowed, self._prompts)
        return SaslLogin(ServerExchange(steps, takes_initial=True), None)

    # Replies -------------------------------------------------------------------------------------

    def _reply(self, reply: Reply, reason: Reason | None = None, queue_id: str = "") -> None:
        super()._reply(self._worded(reply, reason), reason, queue_id)

    def _worded(self, reply: Reply, reason: Reason | None) -> Reply:
        """A reply of ours in the words of aiosmtpd, or what the handler said instead."""
        stage = self._stage
        given = self._wire.take_handler_reply() if stage is not Stage.SMTP_DATA else None
        if reason is None and given is not None and given.is_positive and reply.is_positive:
            if stage is Stage.SMTP_HELO and self._extended and "\n" not in given.text:
                return Reply(250, None, f"{self._accepting(stage, reply).text}\n{given.text}")
            return given
        if reason is None and reply.is_positive and reply.code != 334:
            return self._accepting(stage, reply)
        if reason is Reason.BAD_SYNTAX and stage in _SYNTAX:
            extended = self._extended and stage in (Stage.SMTP_MAIL, Stage.SMTP_RCPT)
            return Reply(501, None, _SYNTAX[stage] + (" [SP <mail-parameters>]" if extended else ""))
        if reason is None or reason in (
            Reason.FAULT,
            Reason.HANDLER,
            Reason.BARE_LINE_END,
            Reason.AUTH_REQUIRED,
            Reason.TOO_MANY_ERRORS,
        ):
            return reply
        if reason is Reason.BAD_SEQUENCE:
            return Reply(503, None, self._out_of_order(stage, reply))
        if reason is Reason.UNKNOWN_COMMAND and "command not" in reply.text:
            verb = self._line.partition(" ")[0].upper()
            return Reply(500, None, f'Error: command "{verb}" not recognized')
        if reason is Reason.LINE_TOO_LONG:
            return Reply(500, None, "Command line too long")
        if reason is Reason.BAD_SYNTAX and stage is Stage.SMTP_AUTH:
            return _malformed_login(reply)
        return _REFUSED.get((stage, reason), reply)

    def _accepting(self, stage: Stage, reply: Reply) -> Reply:
        host = self.profile.host.name
        if stage is Stage.SMTP_BANNER:
            return reply
        if stage is Stage.SMTP_HELO:
            return Reply(250, None, "\n".join((host, *reply.text.split("\n")[1:])))
        if stage is Stage.SMTP_VRFY:
            return _CANNOT_VERIFY
        return _ACCEPTED.get(stage, reply)

    def _out_of_order(self, stage: Stage, reply: Reply) -> str:
        if stage is Stage.SMTP_AUTH and self.login:
            return "Already authenticated"
        if self.state is SmtpState.CONNECTED:
            return f"Error: send {'EHLO' if stage is Stage.SMTP_AUTH else 'HELO'} first"
        if stage is Stage.SMTP_MAIL:
            return "Error: nested MAIL command"
        if stage in (Stage.SMTP_RCPT, Stage.SMTP_DATA):
            return f"Error: need {'MAIL' if stage is Stage.SMTP_RCPT else 'RCPT'} command"
        return reply.text

    # Hooks of the handler ------------------------------------------------------------------------

    def _ask(self, command: str, *arguments: object) -> bool:
        """Let the handler answer a command that is no decision of the host; false if it has no hook for it."""
        if not self._wire.ask_handler(command, *arguments):
            return False
        self._on_verdict(None, self._hook_answered)
        return True

    def _hook_answered(self, answer: object) -> None:
        reply = self._wire.take_handler_reply()
        if isinstance(answer, Verdict) and not answer.is_accepted:
            self._reply(replies.reply_to(answer), answer.reason)
        else:
            super()._reply(reply or _OK)

    def _noop(self, argument: str) -> None:
        if not self._ask("NOOP", argument or None):
            super()._noop(argument)

    def _rset(self, argument: str) -> None:
        if not self._ask("RSET"):
            super()._rset(argument)

    def _quit(self, argument: str) -> None:
        def leave(answer: object) -> None:
            self.closing = True
            self._hook_answered(answer)

        if self._wire.ask_handler("QUIT"):
            self._on_verdict(None, leave)
        else:
            super()._quit(argument)

    def _vrfy(self, argument: str) -> None:
        if not self._ask("VRFY", argument):
            self._reply(_CANNOT_VERIFY)

    def _starttls(self, argument: str) -> None:
        if self._channel is None and not super()._knows("STARTTLS"):
            raise CommandRejected(Reply(454, None, "TLS not available"), Reason.TLS_FAILED)
        super()._starttls(argument)

    _HANDLERS: ClassVar[Mapping[str, Callable[[Any, str], None]]] = {
        **SmtpSession._HANDLERS,
        "NOOP": _noop,
        "RSET": _rset,
        "QUIT": _quit,
        "VRFY": _vrfy,
        "STARTTLS": _starttls,
    }


def _malformed_login(reply: Reply) -> Reply:
    if reply.text.startswith("syntax: AUTH"):
        return Reply(501, None, "Not enough value")
    split = "Can't split auth value" if "PLAIN" in reply.text else "Can't decode base64"
    return Reply(501, "5.5.2", split)


_Steps = Generator[bytes, bytes, Outcome]


def _plain(allowed: Callable[[str, str], Outcome]) -> _Steps:
    """PLAIN (RFC 4616), and with blanks for the NUL characters, as smtpdfix takes it."""
    text = read_utf8((yield b""), "the PLAIN message")
    parts = text.split("\0") if "\0" in text else ["", *text.split(maxsplit=1)]
    if len(parts) != 3:
        raise ProtocolError("a PLAIN message has two NUL characters")
    return allowed(parts[1], parts[2])


def _login(allowed: Callable[[str, str], Outcome], prompts: tuple[bytes, bytes]) -> _Steps:
    login = yield prompts[0]
    password = yield prompts[1]
    return allowed(read_utf8(login, "the login"), read_utf8(password, "the password"))
