"""The server's side of SASL as line protocols carry it: SMTP AUTH, IMAP AUTHENTICATE and POP3 AUTH.

Challenges and responses are base64, and ``*`` cancels (RFC 4954 §4, RFC 9051 §6.2.2, RFC 5034 §4). The replies around
them belong to each protocol, the mechanisms to :mod:`fakemail.sasl`.
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

from fakemail.sasl.exchange import (
    Challenge,
    CredentialStore,
    ExchangeSucceeded,
    ServerExchange,
    ServerFacts,
    Step,
)
from fakemail.types.channel import Channel
from fakemail.types.reason import Reason
from fakemail.types.seeded_random import SeededRandom

NOT_BASE64: Final = "not base64"


class SaslStep(NamedTuple):
    """The server's answer to one response of the client: a challenge, a login, or the reason of a refusal."""

    challenge: str | None = None
    """In base64."""
    login: str = ""
    """The identity that the client may act as from now on."""
    reason: Reason | None = None
    text: str = ""
    """Details of a refusal, where there are any."""


class LoginBackend(Protocol):
    """The part of a session's backend that a login needs."""

    @property
    def credentials(self) -> CredentialStore:
        """Passwords, tokens and certificates of the users."""
        ...

    @property
    def chance(self) -> SeededRandom:
        """Source of nonces and challenges."""
        ...


class SaslLogin:
    """One login under way. ``start`` it once, then let it ``respond`` to each line, until there is no challenge."""

    def __init__(self, exchange: ServerExchange, probing: ProbingCredentials | None) -> None:
        self._exchange = exchange
        self._probing = probing

    @classmethod
    def begin(
        cls,
        name: str,
        offered: Sequence[str],
        backend: LoginBackend,
        host: str,
        channel: Channel | None,
        *,
        accept_any_login: bool,
    ) -> SaslLogin | None:
        """A login by the mechanism of that name; ``None`` if it was not offered.

        With ``accept_any_login`` everybody is let in, whatever the password.
        """
        from fakemail.sasl.mechanisms import MECHANISMS  # where somebody logs in only

        mechanism = MECHANISMS.get(name.upper())
        if mechanism is None or mechanism.name not in offered:
            return None
        probing = ProbingCredentials(backend.credentials) if accept_any_login else None
        facts = ServerFacts(
            credentials=probing or backend.credentials,
            chance=backend.chance,
            host=host,
            channel_binding=channel.end_point if channel else None,
            offers_plus=any(each.endswith("-PLUS") for each in offered),
            certificate_names=channel.certificate_names if channel else (),
        )
        return cls(mechanism.server(facts), probing)

    def start(self, initial: str) -> SaslStep:
        """Begin; ``initial`` is the initial response as the command has it, empty where it has none."""
        if not initial:
            return self.start_with(None)
        # RFC 4954 §4, RFC 5034 §4: a single "=" is an initial response of no bytes.
        response = b"" if initial == "=" else _decode(initial.encode("utf-8", "surrogateescape"))
        return _MALFORMED if response is None else self.start_with(response)

    def start_with(self, initial: bytes | None) -> SaslStep:
        """Begin with an initial response that is decoded, or with none."""
        return self._answer(self._exchange.start(initial))

    def respond(self, line: bytes | None) -> SaslStep:
        """Take one line of the client without its end, ``None`` for one that was too long."""
        if line is None:
            return SaslStep(reason=Reason.LINE_TOO_LONG)
        if line == b"*":
            return SaslStep(reason=Reason.AUTH_CANCELLED)
        response = _decode(line)
        return _MALFORMED if response is None else self._answer(self._exchange.respond(response))

    def _answer(self, step: Step) -> SaslStep:
        if isinstance(step, Challenge):
            return SaslStep(challenge=b64encode(step.data).decode())
        if isinstance(step, ExchangeSucceeded):
            return SaslStep(login=step.authorization_id)
        if step.protocol_error:
            return SaslStep(reason=Reason.BAD_SYNTAX, text=step.text)
        if self._probing is not None and self._probing.login:
            return SaslStep(login=self._probing.login)
        return SaslStep(reason=Reason.AUTH_FAILED)


class ProbingCredentials:
    """Credentials that remember the login that was last asked for."""

    def __init__(self, own: CredentialStore) -> None:
        self._own = own
        self.login = ""

    def password_of(self, login: str) -> str | None:
        """The password of that login, if there is one."""
        self.login = login
        return self._own.password_of(login)

    def token_owner(self, token: str) -> str | None:
        """The login for which a token is good."""
        return self._own.token_owner(token)

    def owner_of_certificate(self, subject: str) -> str | None:
        """The login of the holder of a certificate."""
        return self._own.owner_of_certificate(subject)

    def may_act_as(self, authentication_id: str, authorization_id: str) -> bool:
        """Whether one user may act as another."""
        return self._own.may_act_as(authentication_id, authorization_id)


_MALFORMED: Final = SaslStep(reason=Reason.BAD_SYNTAX, text=NOT_BASE64)


def _decode(text: bytes) -> bytes | None:
    try:
        return b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
