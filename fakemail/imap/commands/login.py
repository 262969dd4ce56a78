"""LOGIN and AUTHENTICATE: passwords, and SASL exchanges in IMAP's form (RFC 9051 §6.2, RFC 4959)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fakemail.imap import capabilities
from fakemail.imap.responses import AwaitContinuation, Completed, bad, no
from fakemail.imap.syntax import commands
from fakemail.protocol.sasl_login import NOT_BASE64, SaslLogin, SaslStep
from fakemail.sasl.mechanisms import MECHANISMS
from fakemail.types.reason import Reason

if TYPE_CHECKING:
    from fakemail.imap.session import ImapSession


def login(session: ImapSession, command: commands.LoginCommand) -> Completed | AwaitContinuation:
    """RFC 9051 §6.2.3."""
    if not capabilities.may_log_in(session.facts):
        # RFC 5530 §3
        raise no(Reason.TLS_REQUIRED, "LOGIN is disabled: use TLS first.", code="PRIVACYREQUIRED")
    name, password = command.username, command.password
    exchange = _begin(session, "PLAIN", ("PLAIN",))
    if exchange is None or "\0" in name or "\0" in password or not name:
        raise _failed()
    return _take(session, exchange, exchange.start_with(f"\0{name}\0{password}".encode()))


def authenticate(session: ImapSession, command: commands.Authenticate) -> Completed | AwaitContinuation:
    """RFC 9051 §6.2.2."""
    offered = capabilities.mechanisms(session.profile, session.channel)
    exchange = _begin(session, command.mechanism, offered)
    if exchange is None:
        if command.mechanism in MECHANISMS and session.channel is None and not offered:
            raise no(
                Reason.TLS_REQUIRED, "Authentication is disabled: use TLS first.", code="PRIVACYREQUIRED"
            )
        raise no(
            Reason.AUTH_MECHANISM, f"There is no mechanism {command.mechanism[:40]} here.", code="CANNOT"
        )
    return _take(session, exchange, exchange.start_with(command.initial))


def _begin(session: ImapSession, mechanism: str, offered: tuple[str, ...]) -> SaslLogin | None:
    host = session.profile.host
    return SaslLogin.begin(
        mechanism,
        offered,
        session.backend,
        host.name,
        session.channel,
        accept_any_login=host.personality.accept_any_login,
    )


def _take(session: ImapSession, exchange: SaslLogin, step: SaslStep) -> Completed | AwaitContinuation:
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


def _let_in(session: ImapSession, login: str) -> Completed:
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
    # RFC 5530 §3: nobody learns whether the name or the password was wrong
    return no(Reason.AUTH_FAILED, "Authentication failed.", code="AUTHENTICATIONFAILED")
