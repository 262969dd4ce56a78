"""Mechanisms that a server offers on a connection, the same for every protocol."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from fakemail.model.host import ALL_MECHANISMS, HostOptions
from fakemail.sasl.mechanisms import MECHANISMS
from fakemail.types.channel import Channel

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
