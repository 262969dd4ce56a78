"""The table of capabilities: every line of CAPA (RFC 2449), where it is defined and when it is offered.

A capability that a host hides is neither offered nor understood. APOP and CAPA are no lines of CAPA, but can be
hidden by those names all the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from fakemail.model.host import HostOptions, HostSpec, Security, Service
from fakemail.sasl.mechanisms import offered
from fakemail.types.channel import Channel
from fakemail.types.dataclass import dataclass


@dataclass(frozen=True)
class Pop3Profile:
    """Properties of one POP3 port of one host. Made once for each listener, shared by its sessions."""

    host: HostSpec
    service: Service

    @property
    def options(self) -> HostOptions:
        """The host's own."""
        return self.host.options

    def knows(self, capability: str) -> bool:
        """Whether a capability, or ``AUTH=MECHANISM``, is not hidden."""
        return capability not in self.options.hide

    def may_log_in(self, channel: Channel | None) -> bool:
        """Whether logins are allowed on such a connection: not in clear text, unless the host allows it."""
        return channel is not None or self.options.auth_in_clear

    def mechanisms(self, channel: Channel | None) -> tuple[str, ...]:
        """The SASL mechanisms offered on a connection, the strongest first."""
        return offered(self.options, channel, self.knows) if self.knows("SASL") else ()

    def capabilities(self, channel: Channel | None) -> tuple[str, ...]:
        """The lines of CAPA, the same before and after the login (RFC 2449 §5 allows most of them no difference)."""
        said = (
            (row.keyword, row.parameters(self, channel)) for row in CAPABILITIES if self.knows(row.keyword)
        )
        return tuple(f"{keyword} {words}".rstrip() for keyword, words in said if words is not None)


class Pop3Capability(NamedTuple):
    """One line of CAPA."""

    keyword: str
    source: str
    parameters: Callable[[Pop3Profile, Channel | None], str | None]
    """The parameters of the keyword, ``None`` where it is not offered."""


def _always(_: Pop3Profile, __: Channel | None) -> str | None:
    return ""


def _user(profile: Pop3Profile, channel: Channel | None) -> str | None:
    return "" if profile.may_log_in(channel) else None


def _stls(profile: Pop3Profile, channel: Channel | None) -> str | None:
    # RFC 2595 §4: not any more when TLS is active.
    return "" if profile.service.security is Security.STARTTLS and channel is None else None


def _login_delay(profile: Pop3Profile, _: Channel | None) -> str | None:
    return str(profile.options.login_delay) if profile.options.login_delay > 0 else None


def _auth_resp_code(profile: Pop3Profile, _: Channel | None) -> str | None:
    # RFC 3206 §3: its codes are response codes of RFC 2449.
    return "" if profile.knows("RESP-CODES") else None


CAPABILITIES: Final = (
    Pop3Capability("TOP", "RFC 1939 §7", _always),
    Pop3Capability("UIDL", "RFC 1939 §7", _always),
    Pop3Capability("USER", "RFC 1939 §7", _user),
    Pop3Capability(
        "SASL", "RFC 5034", lambda profile, channel: " ".join(profile.mechanisms(channel)) or None
    ),
    Pop3Capability("STLS", "RFC 2595", _stls),
    Pop3Capability("RESP-CODES", "RFC 2449 §6.4", _always),
    Pop3Capability("AUTH-RESP-CODE", "RFC 3206", _auth_resp_code),
    Pop3Capability("PIPELINING", "RFC 2449 §6.6", _always),
    Pop3Capability("EXPIRE", "RFC 2449 §6.7", lambda profile, channel: "NEVER"),
    Pop3Capability("LOGIN-DELAY", "RFC 2449 §6.5", _login_delay),
    # RFC 6856 §2.2: USER says that logins and passwords may be UTF-8, whatever the mode.
    Pop3Capability("UTF8", "RFC 6856", lambda profile, channel: "USER"),
    Pop3Capability("LANG", "RFC 6856 §3", _always),
    Pop3Capability("IMPLEMENTATION", "RFC 2449 §6.9", lambda profile, channel: "fakemail"),
)
