"""Table of SASL mechanisms: the needs of each, its two sides, and the choice among them. No steps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Final, Literal

from fakemail.errors import DeclarationError, nearest
from fakemail.model.host import ALL_MECHANISMS, HostOptions
from fakemail.sasl import bearer, external, passwords, scram
from fakemail.sasl.exchange import (
    ClientExchange,
    ClientFacts,
    ClientSteps,
    ServerExchange,
    ServerFacts,
    ServerSteps,
)
from fakemail.types.channel import Channel
from fakemail.types.dataclass import dataclass

Secret = Literal["password", "token", "certificate"]


@dataclass(frozen=True, kw_only=True)
class Mechanism:
    """One mechanism: facts for deciding whether to offer it, and its two sides."""

    name: str
    source: str
    """The document that defines it."""
    serve: Callable[[ServerFacts], ServerSteps]
    speak: Callable[[ClientFacts], ClientSteps]
    client_first: bool = True
    takes_initial: bool = True
    """Whether a client may send an initial response (LOGIN takes one although its server speaks first)."""
    secret: Secret = "password"
    """The kind of secret that the client needs."""
    secret_in_clear: bool = False
    """Whether an eavesdropper learns the secret, so that it needs TLS."""
    needs_channel_binding: bool = False

    @property
    def needs_client_certificate(self) -> bool:
        """Whether the TLS connection must have a verified client certificate."""
        return self.secret == "certificate"

    def server(self, facts: ServerFacts) -> ServerExchange:
        """Begin an exchange as a server."""
        return ServerExchange(self.serve(facts), takes_initial=self.takes_initial)

    def client(self, facts: ClientFacts) -> ClientExchange:
        """Begin an exchange as a client.

        Raises :class:`~fakemail.errors.ProtocolError` when the facts are not enough for it.
        """
        return ClientExchange(self.speak(facts))


def _scram(hash_name: str, *, plus: bool, source: str) -> Mechanism:
    return Mechanism(
        name=f"SCRAM-SHA-{hash_name[3:]}{'-PLUS' if plus else ''}",
        source=source,
        serve=partial(scram.serve_scram, hash_name=hash_name, plus=plus),
        speak=partial(scram.speak_scram, hash_name=hash_name, plus=plus),
        needs_channel_binding=plus,
    )


# Strongest first: the order in which a careful client chooses, and servers list them.
_ROWS = (
    Mechanism(
        name="EXTERNAL",
        source="RFC 4422 Appendix A",
        serve=external.serve_external,
        speak=external.speak_external,
        secret="certificate",
    ),
    _scram("sha256", plus=True, source="RFC 7677"),
    _scram("sha1", plus=True, source="RFC 5802"),
    _scram("sha256", plus=False, source="RFC 7677"),
    _scram("sha1", plus=False, source="RFC 5802"),
    Mechanism(
        name="CRAM-MD5",
        source="RFC 2195",
        serve=passwords.serve_cram_md5,
        speak=passwords.speak_cram_md5,
        client_first=False,
        takes_initial=False,
    ),
    Mechanism(
        name="OAUTHBEARER",
        source="RFC 7628",
        serve=bearer.serve_oauthbearer,
        speak=bearer.speak_oauthbearer,
        secret="token",
        secret_in_clear=True,
    ),
    Mechanism(
        name="XOAUTH2",
        source="Google, XOAUTH2 Mechanism",
        serve=bearer.serve_xoauth2,
        speak=bearer.speak_xoauth2,
        secret="token",
        secret_in_clear=True,
    ),
    Mechanism(
        name="PLAIN",
        source="RFC 4616",
        serve=passwords.serve_plain,
        speak=passwords.speak_plain,
        secret_in_clear=True,
    ),
    Mechanism(
        name="LOGIN",
        source="draft-murchison-sasl-login-00",
        serve=passwords.serve_login,
        speak=passwords.speak_login,
        client_first=False,
        secret_in_clear=True,
    ),
)

MECHANISMS: Mapping[str, Mechanism] = MappingProxyType({row.name: row for row in _ROWS})
"""Every mechanism by its name in capitals, the strongest first."""


def mechanism(name: str) -> Mechanism:
    """The mechanism of that name, in any case. Raises :class:`~fakemail.errors.DeclarationError` if none."""
    try:
        return MECHANISMS[name.upper()]
    except KeyError:
        raise DeclarationError(f"no SASL mechanism {name!r}; {nearest(name.upper(), MECHANISMS)}") from None


def strongest(
    offered: Iterable[str], facts: ClientFacts, *, has_certificate: bool = False
) -> Mechanism | None:
    """The strongest mechanism of a server's list that a client with these facts can play, or None.

    Whether secrets may go in clear is the caller's decision: look at ``secret_in_clear``.
    """
    listed = {name.upper() for name in offered}
    for row in MECHANISMS.values():
        if row.name not in listed or (row.needs_channel_binding and facts.channel_binding is None):
            continue
        has = {
            "password": bool(facts.password),
            "token": facts.token is not None,
            "certificate": has_certificate,
        }
        if has[row.secret]:
            return row
    return None


# With these a server can accept an unknown user; with SCRAM it would have to prove that it knows the password.
ANY_LOGIN_MECHANISMS: Final = frozenset({"PLAIN", "LOGIN", "CRAM-MD5"})


def offered(options: HostOptions, channel: Channel | None, knows: Callable[[str], bool]) -> tuple[str, ...]:
    """The mechanisms on such a connection, the strongest first; ``knows("AUTH=PLAIN")`` says which there are."""
    if channel is None and not options.auth_in_clear:
        return ()
    wanted = options.auth_mechanisms
    return tuple(
        row.name
        for row in MECHANISMS.values()
        if (row.name in wanted or ALL_MECHANISMS in wanted)
        and knows(f"AUTH={row.name}")
        and not (options.accept_any_login and row.name not in ANY_LOGIN_MECHANISMS)
        and not (row.needs_channel_binding and (channel is None or channel.end_point is None))
        and not (row.needs_client_certificate and (channel is None or not channel.certificate_names))
    )
