"""STARTTLS, AUTHENTICATE and LOGIN: commands of the not authenticated state (RFC 9051 §6.2)."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from typing import Final

from fakemail.imap import capabilities
from fakemail.imap.capabilities import Requirement
from fakemail.imap.command import BEFORE_LOGIN, REV2, Command
from fakemail.imap.context import ImapContext
from fakemail.imap.responses import AwaitContinuation, Completed, bad, no
from fakemail.imap.syntax.scanner import Scanner
from fakemail.protocol.sasl_login import NOT_BASE64, SaslLogin, SaslStep
from fakemail.sasl.mechanisms import MECHANISMS
from fakemail.types.dataclass import dataclass
from fakemail.types.reason import Reason
from fakemail.types.stage import Stage

_BASE64: Final = re.compile(r"[A-Za-z0-9+/=]+")


@dataclass(frozen=True, slots=True)
class LoginCommand(Command):
    """LOGIN (RFC 9051 §6.2.3)."""

    name = "LOGIN"
    stage = Stage.IMAP_LOGIN
    states = BEFORE_LOGIN

    username: str
    password: str

    @classmethod
    def parse(cls, scan: Scanner) -> LoginCommand:
        """ "LOGIN" SP userid SP password, both astring."""
        scan.secret = True
        scan.space()
        username = scan.astring("a user name")
        scan.space()
        return cls(username, scan.astring("a password"))

    def run(self, session: ImapContext) -> Completed | AwaitContinuation:
        """Check the password as the mechanism PLAIN does."""
        if not capabilities.may_log_in(session.facts):
            # RFC 5530 §3
            raise no(Reason.TLS_REQUIRED, "LOGIN is disabled: use TLS first.", code="PRIVACYREQUIRED")
        name, password = self.username, self.password
        exchange = _begin(session, "PLAIN", ("PLAIN",))
        if exchange is None or "\0" in name or "\0" in password or not name:
            raise _failed()
        return _take(session, exchange, exchange.start_with(f"\0{name}\0{password}".encode()))


@dataclass(frozen=True, slots=True)
class Authenticate(Command):
    """AUTHENTICATE (RFC 9051 §6.2.2).

    ``mechanism`` is upper-case; ``initial`` is the decoded initial response (RFC 4959).
    """

    name = "AUTHENTICATE"
    stage = Stage.IMAP_AUTHENTICATE
    states = BEFORE_LOGIN

    mechanism: str
    initial: bytes | None = None

    @classmethod
    def parse(cls, scan: Scanner) -> Authenticate:
        """ "AUTHENTICATE" SP auth-type [SP initial-resp]; initial-resp = base64 / "=" (RFC 9051 §9)."""
        scan.secret = True
        scan.space()
        mechanism = scan.word("a SASL mechanism")
        if not scan.another():
            return cls(mechanism)
        text = scan.take(_BASE64, "an initial response in base64 or '='")[0]
        if text == "=":
            return cls(mechanism, b"")
        try:
            return cls(mechanism, binascii.a2b_base64(text, strict_mode=True))
        except binascii.Error:
            scan.refuse("The initial response is not valid base64.")

    def requirements(self) -> Iterator[Requirement]:
        """SASL-IR for an initial response."""
        if self.initial is not None:
            yield "initial response", ("SASL-IR", REV2)

    def run(self, session: ImapContext) -> Completed | AwaitContinuation:
        """Start the exchange."""
        offered = capabilities.mechanisms(session.profile, session.channel)
        exchange = _begin(session, self.mechanism, offered)
        if exchange is None:
            if self.mechanism in MECHANISMS and session.channel is None and not offered:
                raise no(
                    Reason.TLS_REQUIRED, "Authentication is disabled: use TLS first.", code="PRIVACYREQUIRED"
                )
            raise no(
                Reason.AUTH_MECHANISM, f"There is no mechanism {self.mechanism[:40]} here.", code="CANNOT"
            )
        return _take(session, exchange, exchange.start_with(self.initial))


def _begin(session: ImapContext, mechanism: str, offered: tuple[str, ...]) -> SaslLogin | None:
    host = session.profile.host
    return SaslLogin.begin(
        mechanism,
        offered,
        session.backend,
        host.name,
        session.channel,
        accept_any_login=host.options.accept_any_login,
    )


def _take(session: ImapContext, exchange: SaslLogin, step: SaslStep) -> Completed | AwaitContinuation:
    if step.challenge is not None:
        return AwaitContinuation(
            step.challenge.encode(),
            lambda line: _take(session, exchange, exchange.respond(line.encode("latin-1"))),
        )
    if step.reason is None:
        return _let_in(session, step.login)
    if step.reason is Reason.AUTH_CANCELLED:
        raise bad("Authentication cancelled.", reason=Reason.AUTH_CANCELLED)
    if step.reason is Reason.AUTH_FAILED:
        raise _failed()
    if step.text == NOT_BASE64:
        raise bad("The response is not valid base64.")
    raise bad(f"Authentication failed: {step.text}.")


def _let_in(session: ImapContext, login: str) -> Completed:
    account = session.backend.open(login)
    if account is None:
        raise no(Reason.AUTH_FAILED, "There are no mailboxes for this login.", code="AUTHORIZATIONFAILED")
    session.login = login
    session.account = account
    session.update()
    if not session.profile.imap.volunteers_capabilities:
        return Completed("Logged in.")
    return Completed("Logged in.", f"CAPABILITY {session.capability_words()}")


def _failed() -> Exception:
    # RFC 5530 §3: the client does not learn whether the name or the password was wrong
    return no(Reason.AUTH_FAILED, "Authentication failed.", code="AUTHENTICATIONFAILED")


class StartTlsCommand(Command):
    """STARTTLS (RFC 9051 §6.2.1)."""

    name = "STARTTLS"
    stage = Stage.IMAP_STARTTLS
    states = BEFORE_LOGIN
    capabilities = ("STARTTLS",)

    def run(self, session: ImapContext) -> Completed:
        """Ask for the handshake; the session goes on in ``secured``."""
        session.wants_tls = True
        return Completed("Begin TLS negotiation now.")
