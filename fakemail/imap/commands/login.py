"""LOGIN and AUTHENTICATE: passwords, and SASL exchanges in IMAP's clothes (RFC 9051 §6.2, RFC 4959)."""

from __future__ import annotations

import binascii
from base64 import b64encode
from typing import TYPE_CHECKING

from fakemail.imap import capabilities
from fakemail.imap.responses import AwaitContinuation, Completed, bad, no
from fakemail.imap.syntax import commands
from fakemail.sasl.exchange import (
    Challenge,
    CredentialStore,
    ExchangeSucceeded,
    ServerExchange,
    ServerFacts,
    Step,
)
from fakemail.sasl.mechanisms import MECHANISMS
from fakemail.sasl.server_mechanisms import ProbingCredentials, facts_of
from fakemail.types.reason import Reason

if TYPE_CHECKING:
    from fakemail.imap.session import ImapSession


def login(session: ImapSession, command: commands.LoginCommand) -> Completed:
    """RFC 9051 §6.2.3."""
    if not capabilities.may_log_in(session.facts):
        # RFC 5530 §3
        raise no(Reason.TLS_REQUIRED, "LOGIN is disabled: use TLS first.", code="PRIVACYREQUIRED")
    plain = MECHANISMS["PLAIN"].server(
        _facts(session, stranger := ProbingCredentials(session.backend.credentials))
    )
    name, password = command.username, command.password
    if "\0" in name or "\0" in password or not name:
        raise _failed()
    step = plain.start(f"\0{name}\0{password}".encode())
    return _end(session, step, stranger)


def authenticate(session: ImapSession, command: commands.Authenticate) -> Completed | AwaitContinuation:
    """RFC 9051 §6.2.2."""
    offered = capabilities.mechanisms(session.profile, session.channel)
    mechanism = MECHANISMS.get(command.mechanism)
    if mechanism is None or mechanism.name not in offered:
        if mechanism is not None and session.channel is None and not offered:
            raise no(
                Reason.TLS_REQUIRED, "Authentication is disabled: use TLS first.", code="PRIVACYREQUIRED"
            )
        raise no(
            Reason.AUTH_MECHANISM, f"There is no mechanism {command.mechanism[:40]} here.", code="CANNOT"
        )
    stranger = ProbingCredentials(session.backend.credentials)
    exchange = mechanism.server(_facts(session, stranger))
    return _take(session, exchange, stranger, exchange.start(command.initial))


def _facts(session: ImapSession, credentials: CredentialStore) -> ServerFacts:
    return facts_of(
        session.channel,
        capabilities.mechanisms(session.profile, session.channel),
        credentials=credentials,
        chance=session.backend.chance,
        host=session.profile.host.name,
    )


def _take(
    session: ImapSession, exchange: ServerExchange, stranger: ProbingCredentials, step: Step
) -> Completed | AwaitContinuation:
    if not isinstance(step, Challenge):
        return _end(session, step, stranger)

    def on_line(line: str) -> Completed | AwaitContinuation:
        if line == "*":  # RFC 9051 §6.2.2: the client cancels
            raise bad("Authentication cancelled.", reason=Reason.AUTH_CANCELLED)
        try:
            octets = binascii.a2b_base64(line.encode("latin-1"), strict_mode=True)
        except binascii.Error:
            raise bad("The response is not valid base64.") from None
        return _take(session, exchange, stranger, exchange.respond(octets))

    return AwaitContinuation(b64encode(step.data), on_line)


def _end(session: ImapSession, step: Step, stranger: ProbingCredentials) -> Completed:
    if isinstance(step, ExchangeSucceeded):
        return _let_in(session, step.authorization_id)
    anybody = session.profile.host.personality.accept_any_login
    if isinstance(step, Challenge) or not (anybody and stranger.login) or step.protocol_error:
        if not isinstance(step, Challenge) and step.protocol_error:
            raise bad(f"Authentication failed: {step.text}.")
        raise _failed()
    return _let_in(session, stranger.login)


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
