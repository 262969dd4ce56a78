"""AUTH: SASL exchanges in POP3's clothes: base64 behind a plus sign, and the star that cancels (RFC 5034).

And the other ways to prove who one is: PASS and APOP (RFC 1939 §7).
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
from base64 import b64decode, b64encode

from fakemail.pop3.replies import CHALLENGE, Pop3Reply, refusal
from fakemail.sasl.exchange import Challenge, CredentialStore, ExchangeSucceeded, ServerExchange, Step
from fakemail.sasl.mechanisms import MECHANISMS
from fakemail.sasl.passwords import check_password
from fakemail.sasl.saslprep import comparable
from fakemail.sasl.server_mechanisms import ProbingCredentials, facts_of
from fakemail.types.channel import Channel
from fakemail.types.reason import Reason
from fakemail.types.seeded_random import SeededRandom


class Pop3Authentication:
    """One AUTH command under way. After each step look at ``answer`` and ``login``."""

    def __init__(self, exchange: ServerExchange, stranger: ProbingCredentials | None) -> None:
        self._exchange = exchange
        self._stranger = stranger
        self.answer: Pop3Reply | None = None
        """A challenge or a refusal; ``None`` when it succeeded."""
        self.login = ""
        """Who authenticated, empty until then."""

    @classmethod
    def begin(
        cls,
        argument: str,
        offered: tuple[str, ...],
        credentials: CredentialStore,
        chance: SeededRandom,
        host: str,
        channel: Channel | None,
        *,
        anybody: bool = False,
    ) -> Pop3Authentication | None:
        """Start with the argument of AUTH; ``None`` when its mechanism is not offered.

        With ``anybody`` every login is let in, whatever its password.
        """
        name, _, initial = argument.partition(" ")
        mechanism = MECHANISMS.get(name.upper())
        if mechanism is None or mechanism.name not in offered:
            return None
        stranger = ProbingCredentials(credentials) if anybody else None
        facts = facts_of(channel, offered, credentials=stranger or credentials, chance=chance, host=host)
        self = cls(mechanism.server(facts), stranger)
        octets = None
        if initial:
            # RFC 5034 §4: a single "=" is an initial response of no octets.
            octets = b"" if initial == "=" else _decode(initial.encode("utf-8", "surrogateescape"))
            if octets is None:
                self.answer = refusal(Reason.BAD_SYNTAX, "not base64")
                return self
        self._take(self._exchange.start(octets))
        return self

    @property
    def is_over(self) -> bool:
        """Whether no response of the client is expected any more."""
        return self.answer is None or self.answer.status != CHALLENGE

    def respond(self, line: bytes | None) -> None:
        """Take one line of the client, ``None`` for one that was too long."""
        if line == b"*":
            self.answer = refusal(Reason.AUTH_CANCELLED)
            return
        octets = None if line is None else _decode(line)
        if line is None:
            self.answer = refusal(Reason.LINE_TOO_LONG)
        elif octets is None:
            self.answer = refusal(Reason.BAD_SYNTAX, "not base64")
        else:
            self._take(self._exchange.respond(octets))

    def _take(self, step: Step) -> None:
        if isinstance(step, Challenge):
            self.answer = Pop3Reply(CHALLENGE, b64encode(step.data).decode())
        elif isinstance(step, ExchangeSucceeded):
            self.answer, self.login = None, step.authorization_id
        elif self._stranger is not None and self._stranger.login and not step.protocol_error:
            self.answer, self.login = None, self._stranger.login
        elif step.protocol_error:
            self.answer = refusal(Reason.BAD_SYNTAX, step.text)
        else:
            self.answer = refusal(Reason.AUTH_FAILED)


def login_of_password(credentials: CredentialStore, name: str, password: str) -> str:
    """Who USER and PASS prove to be, empty for nobody."""
    outcome = check_password(credentials, name, password)
    return outcome.authorization_id if isinstance(outcome, ExchangeSucceeded) else ""


def login_of_digest(credentials: CredentialStore, name: str, digest: str, timestamp: str) -> str:
    """Who APOP proves to be, empty for nobody.

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


def _decode(text: bytes) -> bytes | None:
    try:
        return b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
