"""Parts of a SASL exchange: its steps, its facts, and the two objects that sessions and clients drive.

No mechanism lives here, and nothing that knows how a protocol frames challenges and responses.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Protocol, TypeAlias

from fakemail.errors import ProtocolError
from fakemail.types.dataclass import dataclass
from fakemail.types.seeded_random import SeededRandom

# One text for an unknown user, a wrong password and a bad token: a server that tells them apart
# tells strangers which accounts exist.
INVALID_CREDENTIALS = "authentication credentials invalid"
NOT_AUTHORIZED = "not authorized to requested authorization identity"


@dataclass(frozen=True)
class Challenge:
    """The server has more to say: send it, and give the client's response back."""

    data: bytes


@dataclass(frozen=True)
class ExchangeSucceeded:
    """The client is who it says, and may act as ``authorization_id`` (RFC 4422 §2)."""

    authentication_id: str
    authorization_id: str
    token: str | None = None


@dataclass(frozen=True)
class ExchangeFailed:
    """The client is refused. ``protocol_error`` tells a malformed exchange from wrong credentials."""

    text: str
    protocol_error: bool = False


@dataclass(frozen=True)
class ClientResponse:
    """Response of the client. After the ``last`` one a success of the server can be believed."""

    data: bytes
    last: bool = False


Outcome: TypeAlias = ExchangeSucceeded | ExchangeFailed
Step: TypeAlias = Challenge | ExchangeSucceeded | ExchangeFailed
# Yields challenges, is sent responses, returns the outcome. ProtocolError stands for a malformed response.
ServerSteps: TypeAlias = Generator[bytes, bytes, Outcome]
# Yields responses, is sent challenges. The first yield is the initial response, or None to let the
# server speak first.
ClientSteps: TypeAlias = Generator[ClientResponse | None, bytes, None]


class CredentialStore(Protocol):
    """The users of a server."""

    def password_of(self, login: str) -> str | None:
        """Password of that login, or ``None`` for an unknown one."""
        ...

    def token_owner(self, token: str) -> str | None:
        """The login for which a bearer token is good now, or None."""
        ...

    def owner_of_certificate(self, subject: str) -> str | None:
        """The login of the holder of a client certificate that bears this name or address, or None."""
        ...

    def may_act_as(self, authentication_id: str, authorization_id: str) -> bool:
        """Whether one user may act as another. Never asked about acting as oneself."""
        ...


@dataclass(frozen=True, kw_only=True)
class ServerFacts:
    """Facts of the server when an exchange begins."""

    credentials: CredentialStore
    chance: SeededRandom
    host: str = "localhost"
    """The server's name, in CRAM-MD5 challenges."""
    channel_binding: bytes | None = None
    """``tls-server-end-point`` of this TLS connection (RFC 5929 §4), or None without TLS."""
    offers_plus: bool = False
    """Whether a ``-PLUS`` mechanism was in the list that this client was shown."""
    certificate_names: tuple[str, ...] = ()
    """The names and addresses in the client's verified certificate, the one to try first at the head."""


@dataclass(frozen=True, kw_only=True)
class ClientFacts:
    """Facts of the client when an exchange begins."""

    login: str = ""
    password: str = ""
    token: str | None = None
    authorization_id: str = ""
    """The identity to act as; empty for one's own."""
    chance: SeededRandom | None = None
    """Needed by SCRAM for its nonce."""
    channel_binding: bytes | None = None
    """``tls-server-end-point`` of the server's certificate, or None without TLS."""
    server_offers_plus: bool = False
    """Whether the server listed a ``-PLUS`` mechanism."""
    host: str = ""
    port: int = 0


class ServerExchange:
    """One running exchange on the server's side: ``start`` once, then ``respond`` until an outcome.

    Whatever the client sends, the result is a step and never an exception.
    """

    def __init__(self, steps: ServerSteps, *, takes_initial: bool) -> None:
        self._steps = steps
        self._takes_initial = takes_initial
        self.outcome: Outcome | None = None

    def start(self, initial: bytes | None = None) -> Step:
        """Begin, with the initial response if the client sent one (empty and absent are different).

        Without one, the first challenge of a mechanism in which the client speaks first is empty
        (RFC 4954 §4, RFC 3501 §6.2.2).
        """
        first = self._advance(lambda: next(self._steps))
        if initial is None or not isinstance(first, Challenge):
            return first
        if not self._takes_initial:
            # RFC 4954 §4: an initial response is for mechanisms in which the client speaks first.
            self._steps.close()
            return self._end(ExchangeFailed("this mechanism takes no initial response", protocol_error=True))
        return self.respond(initial)

    def respond(self, response: bytes) -> Step:
        """Take one response of the client, decoded. Raises ``RuntimeError`` after the outcome."""
        if self.outcome is not None:
            raise RuntimeError("this SASL exchange has ended; make a new one for another attempt")
        return self._advance(lambda: self._steps.send(response))

    def _advance(self, step: Callable[[], bytes]) -> Step:
        try:
            return Challenge(step())
        except StopIteration as end:
            outcome: Outcome = end.value
            return self._end(outcome)
        except ProtocolError as error:
            return self._end(ExchangeFailed(str(error), protocol_error=True))

    def _end(self, outcome: Outcome) -> Outcome:
        self.outcome = outcome
        return outcome


class ClientExchange:
    """One running exchange on the client's side.

    When the server reports success, believe it only if ``complete``: a SCRAM server that has not
    proved itself may be anyone.
    """

    def __init__(self, steps: ClientSteps) -> None:
        self._steps = steps
        self._initial = next(steps)
        self.complete = False

    def begin(self) -> bytes | None:
        """The initial response, to be sent with the command itself; None when the server speaks first.

        A protocol that has no room for it leaves this out: the answer to the first, empty challenge
        is then the same bytes.
        """
        initial, self._initial = self._initial, None
        return None if initial is None else self._sent(initial)

    def respond(self, challenge: bytes) -> bytes:
        """Answer one challenge, decoded.

        Raises :class:`~fakemail.errors.ProtocolError` when the server breaks the mechanism's rules or
        fails to prove itself: cancel the exchange with ``*`` and do not use the connection.
        """
        if self._initial is not None:
            if challenge:
                raise ProtocolError("the server sent data where the client speaks first")
            return self.begin() or b""
        try:
            response = self._steps.send(challenge)
        except StopIteration:
            raise ProtocolError("the server sent a challenge after the last step of the mechanism") from None
        return b"" if response is None else self._sent(response)

    def _sent(self, response: ClientResponse) -> bytes:
        self.complete = response.last
        return response.data


def read_utf8(octets: bytes, what: str) -> str:
    """Decode UTF-8 or raise :class:`~fakemail.errors.ProtocolError` naming what was malformed."""
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        raise ProtocolError(f"{what} is not UTF-8") from None


def authorize(
    credentials: CredentialStore, authentication_id: str, authorization_id: str, *, token: str | None = None
) -> Outcome:
    """The outcome for a user who proved to be ``authentication_id`` and asks to act as another, or not."""
    wanted = authorization_id or authentication_id
    if wanted != authentication_id and not credentials.may_act_as(authentication_id, wanted):
        return ExchangeFailed(NOT_AUTHORIZED)
    return ExchangeSucceeded(authentication_id, wanted, token)
