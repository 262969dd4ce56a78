"""What a server offers on a connection, and what one does that lets everybody in. For every protocol the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from fakemail.model.host import ALL_MECHANISMS, HostOptions
from fakemail.sasl.exchange import CredentialStore, ServerFacts
from fakemail.sasl.mechanisms import MECHANISMS
from fakemail.types.channel import Channel
from fakemail.types.seeded_random import SeededRandom

# With these a server can let in whom it does not know; with SCRAM it would have to prove that it does.
ANY_LOGIN_MECHANISMS: Final = frozenset({"PLAIN", "LOGIN", "CRAM-MD5"})


def offered(
    personality: HostOptions, channel: Channel | None, knows: Callable[[str], bool]
) -> tuple[str, ...]:
    """The mechanisms on such a connection, the strongest first; ``knows("AUTH=PLAIN")`` says which there are."""
    if channel is None and not personality.auth_in_clear:
        return ()
    wanted = personality.auth_mechanisms
    return tuple(
        row.name
        for row in MECHANISMS.values()
        if (row.name in wanted or ALL_MECHANISMS in wanted)
        and knows(f"AUTH={row.name}")
        and not (personality.accept_any_login and row.name not in ANY_LOGIN_MECHANISMS)
        and not (row.needs_channel_binding and (channel is None or channel.end_point is None))
        and not (row.needs_client_certificate and (channel is None or not channel.certificate_names))
    )


def facts_of(
    channel: Channel | None,
    mechanisms: Sequence[str],
    *,
    credentials: CredentialStore,
    chance: SeededRandom,
    host: str,
) -> ServerFacts:
    """What a server knows when an exchange begins on a connection on which those mechanisms were offered."""
    return ServerFacts(
        credentials=credentials,
        chance=chance,
        host=host,
        channel_binding=channel.end_point if channel else None,
        offers_plus=any(name.endswith("-PLUS") for name in mechanisms),
        certificate_names=channel.certificate_names if channel else (),
    )


class ProbingCredentials:
    """Credentials that remember who asked to be let in."""

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
        """Whether one may act as another."""
        return self._own.may_act_as(authentication_id, authorization_id)
