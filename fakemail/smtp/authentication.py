"""AUTH: SASL exchanges in SMTP's clothes: base64, 334, 235 and the star that cancels (RFC 4954)."""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from collections.abc import Sequence

from fakemail.sasl.exchange import Challenge, CredentialStore, ExchangeSucceeded, ServerExchange, Step
from fakemail.sasl.mechanisms import MECHANISMS
from fakemail.sasl.server_mechanisms import ProbingCredentials, facts_of
from fakemail.smtp import replies
from fakemail.types.channel import Channel
from fakemail.types.reason import Reason
from fakemail.types.reply import Reply
from fakemail.types.seeded_random import SeededRandom


class SmtpAuthentication:
    """One AUTH command under way. After each step look at ``reply``, ``reason`` and ``login``."""

    def __init__(self, exchange: ServerExchange, stranger: ProbingCredentials | None) -> None:
        self._exchange = exchange
        self._stranger = stranger
        self.reply: Reply = replies.AUTHENTICATED
        self.reason: Reason | None = None
        self.login = ""
        """Who authenticated, empty until then."""

    @classmethod
    def begin(
        cls,
        argument: str,
        offered: Sequence[str],
        credentials: CredentialStore,
        chance: SeededRandom,
        host: str,
        channel: Channel | None,
        *,
        anybody: bool = False,
    ) -> SmtpAuthentication | None:
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
            # RFC 4954 §4: a single "=" is an initial response of no octets.
            octets = b"" if initial == "=" else _decode(initial.encode("utf-8", "surrogateescape"))
            if octets is None:
                self._fail(replies.refusal(Reason.BAD_SYNTAX, "not base64"), Reason.BAD_SYNTAX)
                return self
        self._take(self._exchange.start(octets))
        return self

    def respond(self, line: bytes | None) -> None:
        """Take one line of the client, ``None`` for one that was too long."""
        if line == b"*":
            self._fail(replies.refusal(Reason.AUTH_CANCELLED), Reason.AUTH_CANCELLED)
            return
        octets = None if line is None else _decode(line)
        if octets is None:
            reason = Reason.LINE_TOO_LONG if line is None else Reason.BAD_SYNTAX
            self._fail(replies.refusal(reason, "AUTH" if line is None else "not base64"), reason)
            return
        self._take(self._exchange.respond(octets))

    def _take(self, step: Step) -> None:
        if isinstance(step, Challenge):
            self.reply = Reply(334, None, b64encode(step.data).decode())
        elif isinstance(step, ExchangeSucceeded):
            self.reply = replies.AUTHENTICATED
            self.login = step.authorization_id
        elif self._stranger is not None and self._stranger.login and not step.protocol_error:
            self.reply = replies.AUTHENTICATED
            self.login = self._stranger.login
        elif step.protocol_error:
            self._fail(replies.refusal(Reason.BAD_SYNTAX, step.text), Reason.BAD_SYNTAX)
        else:
            self._fail(replies.refusal(Reason.AUTH_FAILED), Reason.AUTH_FAILED)

    def _fail(self, reply: Reply, reason: Reason) -> None:
        self.reply, self.reason = reply, reason


def _decode(text: bytes) -> bytes | None:
    try:
        return b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
