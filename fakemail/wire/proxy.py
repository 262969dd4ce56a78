"""The PROXY protocol, versions 1 and 2: what a proxy says of its client before anything else (HAProxy,
"The PROXY protocol"). A pure reader, and the listener's side of it."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final, NamedTuple

from fakemail.errors import ProtocolError
from fakemail.events.kinds import Connected, Disconnected
from fakemail.types.peer import Peer
from fakemail.types.reason import Reason
from fakemail.wire.connection import Connection, Port

_SIGNATURE: Final = b"\r\n\r\n\0\r\nQUIT\n"  # §2.2
_LONGEST_LINE: Final = 107  # §2.1: "a 108-byte buffer is always enough"
_LONGEST_BLOCK: Final = 4096
_STREAMS: Final = {0x11: (4, IPv4Address), 0x21: (16, IPv6Address)}  # §2.2: TCP over IPv4, TCP over IPv6


class ProxyHeader(NamedTuple):
    """A header that was read."""

    version: int
    source: tuple[str, int] | None
    """Address and port of the client; ``None`` where the proxy speaks for itself, or does not know."""
    length: int
    """In bytes."""


def read_header(octets: bytes) -> ProxyHeader | None:
    """Read the header at the beginning of a connection; ``None`` while bytes are missing.

    Raises :class:`~fakemail.errors.ProtocolError` for anything that is no header.
    """
    if octets.startswith(_SIGNATURE):
        return _read_second(octets)
    if _SIGNATURE.startswith(octets) or b"PROXY ".startswith(octets[:6]):
        return _read_first(octets) if octets.startswith(b"PROXY ") else None
    raise ProtocolError("the connection does not begin with a PROXY header")


def _read_first(octets: bytes) -> ProxyHeader | None:
    """§2.1: ``PROXY TCP4 source destination source-port destination-port CRLF``."""
    end = octets.find(b"\r\n", 0, _LONGEST_LINE)
    if end < 0:
        if len(octets) >= _LONGEST_LINE:
            raise ProtocolError("the PROXY line is longer than 107 octets")
        return None
    words = octets[:end].decode("latin-1").split(" ")
    length = end + 2
    if words[1] == "UNKNOWN":
        return ProxyHeader(1, None, length)
    family = {"TCP4": 4, "TCP6": 6}.get(words[1])
    if family is None or len(words) != 6:
        raise ProtocolError("the PROXY line is not 'PROXY TCP4 source destination port port'")
    try:
        source, destination = ip_address(words[2]), ip_address(words[3])
    except ValueError:
        raise ProtocolError("an address of the PROXY line is none") from None
    if {source.version, destination.version} != {family}:
        raise ProtocolError("the addresses of the PROXY line are of another family than it says")
    return ProxyHeader(1, (str(source), _port(words[4], words[5])), length)


def _port(*words: str) -> int:
    for word in words:
        if not (word.isascii() and word.isdigit() and len(word) <= 5 and int(word) <= 0xFFFF):
            raise ProtocolError("a port of the PROXY line is no number from 0 to 65535")
    return int(words[0])


def _read_second(octets: bytes) -> ProxyHeader | None:
    """§2.2: the signature, version and command, family, the length of what follows, and that."""
    if len(octets) < 16:
        return None
    command, family, size = struct.unpack_from("!BBH", octets, 12)
    if command not in (0x20, 0x21):
        raise ProtocolError(f"the PROXY header is of an unknown version or command: {command:#04x}")
    if size > _LONGEST_BLOCK:
        raise ProtocolError(f"the PROXY header is too long: {size} octets")
    length = 16 + size
    if len(octets) < length:
        return None
    if command == 0x20 or family not in _STREAMS:
        return ProxyHeader(2, None, length)  # LOCAL, or a family that says nothing about an address of ours
    width, kind = _STREAMS[family]
    if size < 2 * width + 4:
        raise ProtocolError("the PROXY header is too short for its addresses")
    source = kind(octets[16 : 16 + width])
    (port,) = struct.unpack_from("!H", octets, 16 + 2 * width)
    return ProxyHeader(2, (str(source), port), length)


class ProxyReader(asyncio.Protocol):
    """Stands before a connection until the header is there; then the connection takes over.

    From those who may not speak for others no header is expected (§2: the reader must not guess).
    """

    def __init__(self, port: Port, connect: Callable[[], Connection]) -> None:
        self._port = port
        self._connect = connect
        self._octets = b""
        self._transport: asyncio.Transport | None = None
        self._peer = Peer("", 0, "")
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The client, or its proxy, is there."""
        if not isinstance(transport, asyncio.Transport):
            raise TypeError("a connection needs a stream")
        self._transport = transport
        address, port = (transport.get_extra_info("peername") or ("", 0))[:2]
        self._peer = self._port.peer(address, port)
        if self._port.trusts(self._peer):
            patience = self._port.idle_timeout
            self._timer = asyncio.get_running_loop().call_later(
                patience, self._give_up, "no PROXY header came"
            )
        else:
            self._hand_over(transport, None)

    def data_received(self, data: bytes) -> None:
        """Bytes of the header, and perhaps what follows it."""
        self._octets += data
        try:
            header = read_header(self._octets)
        except ProtocolError as error:
            self._give_up(str(error))
            return
        if header is not None and self._transport is not None:
            self._octets = self._octets[header.length :]
            self._hand_over(self._transport, header)

    def connection_lost(self, exc: Exception | None) -> None:
        """It went before it had said enough."""
        self._give_up("the connection ended before the PROXY header", by="client")

    def _hand_over(self, transport: asyncio.Transport, header: ProxyHeader | None) -> None:
        self._end()
        connection = self._connect()
        if header is not None and header.source is not None:
            client = Peer(header.source[0], header.source[1], "app")
            connection.introduced = (f"PROXY v{header.version}", self._peer, client)
        transport.set_protocol(connection)
        connection.connection_made(transport)
        if self._octets:
            connection.data_received(self._octets)

    def _give_up(self, why: str, *, by: str = "server") -> None:
        """Drop the connection without a word (§2)."""
        transport = self._end()
        if transport is None:
            return
        port = self._port
        number = port.number()
        port.log.append(Connected(host=port.host, connection=number, protocol=port.service, peer=self._peer))
        port.log.append(
            Disconnected(host=port.host, connection=number, by=by, reason=Reason.PROTOCOL_ERROR, detail=why)
        )
        transport.abort()

    def _end(self) -> asyncio.Transport | None:
        if self._timer is not None:
            self._timer.cancel()
        transport, self._transport = self._transport, None
        return transport
