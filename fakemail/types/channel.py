"""TLS channel of a connection, in facts that any protocol can ask about."""

from __future__ import annotations

from typing import Final, NamedTuple


class Channel(NamedTuple):
    """A TLS connection after its handshake."""

    version: str
    """``TLSv1.3``."""
    cipher: str
    server_name: str = ""
    """Host name that the client sent by SNI, empty without."""
    certificate_names: tuple[str, ...] = ()
    """Names and addresses in the client's verified certificate, empty if it showed none."""
    end_point: bytes | None = None
    """The ``tls-server-end-point`` channel binding (RFC 5929 §4)."""


# Why there is no TLS, where the cause is a client at the wrong port and nothing about its trust or ours.
NOTHING_SENT: Final = "the client sent nothing"
CLEAR_TEXT: Final = "clear text in place of a TLS ClientHello"
HELLO_TOO_SOON: Final = "a TLS ClientHello where TLS has not begun"
