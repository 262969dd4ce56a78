"""The name that a client asks for, read from its ClientHello before TLS begins. Bytes only, no ``ssl``.

OpenSSL hands the name to a callback, and the standard library prints an exception that nobody can catch when
it is not ASCII. Read here, it is a value like any other, and the certificate is chosen before there is a TLS
object at all.
"""

from __future__ import annotations

from typing import Final

_HANDSHAKE: Final = 22  # RFC 8446 §5.1: ContentType handshake(22)
_CLIENT_HELLO: Final = 1  # RFC 8446 §4: HandshakeType client_hello(1)
_SERVER_NAME: Final = 0  # RFC 8446 §4.2: ExtensionType server_name(0)
_HOST_NAME: Final = 0  # RFC 6066 §3: NameType host_name(0)
# RFC 8446 §5.1 and §5.2: 2^14 bytes, and 2048 more in a record of older versions.
_LARGEST_RECORD: Final = 16384 + 2048
MAX_HELLO: Final = 64 * 1024
"""A longer ClientHello is left to OpenSSL, which refuses it."""


class HelloReader:
    """Takes the first bytes of a client until its ClientHello is complete, or can be none.

    Any bytes may come, in any pieces; what each piece costs does not depend on what came before.
    """

    def __init__(self) -> None:
        self.is_done = False
        """Whether there is nothing more to be learned."""
        self.server_name: str | None = None
        """Host name that the client sent (SNI), ``None`` if it asked for no host name. Bytes that are not ASCII,
        which RFC 6066 §3 forbids, are written ``\\xNN``."""
        self._header = bytearray()
        self._left = 0
        self._message = bytearray()

    def feed(self, octets: bytes) -> bool:
        """Take bytes; return :attr:`is_done`."""
        at = 0
        while at < len(octets) and not self.is_done:
            if self._left:
                piece = octets[at : at + self._left]
                at += len(piece)
                self._left -= len(piece)
                self._message += piece
                self._look()
            else:
                piece = octets[at : at + 5 - len(self._header)]
                at += len(piece)
                self._header += piece
                self._begin_record()
        return self.is_done

    def _begin_record(self) -> None:
        # RFC 8446 §5.1: struct { ContentType type; ProtocolVersion legacy_record_version; uint16 length; ... }
        header = self._header
        if header[0] != _HANDSHAKE or (len(header) > 1 and header[1] != 3):
            self.is_done = True
        elif len(header) == 5:
            self._left = int.from_bytes(header[3:5])
            # RFC 8446 §5.1: a handshake record is not empty.
            self.is_done = not 0 < self._left <= _LARGEST_RECORD
            header.clear()

    def _look(self) -> None:
        # RFC 8446 §4: struct { HandshakeType msg_type; uint24 length; ... }; it may span records (§5.1).
        message = self._message
        if message[0] != _CLIENT_HELLO:
            self.is_done = True
        elif len(message) >= 4:
            end = 4 + int.from_bytes(message[1:4])
            if end > MAX_HELLO:
                self.is_done = True
            elif len(message) >= end:
                self.is_done = True
                self.server_name = read_server_name(bytes(message[4:end]))
        if self.is_done:
            message.clear()


def read_server_name(hello: bytes) -> str | None:
    """The host name in the body of a ClientHello (RFC 8446 §4.1.2); ``None`` for none, or for garbage."""
    # ProtocolVersion legacy_version (2), Random random (32)
    at = 34
    # legacy_session_id<0..32>, cipher_suites<2..2^16-2>, legacy_compression_methods<1..2^8-1>
    for width in (1, 2, 1):
        at += width + int.from_bytes(hello[at : at + width])
    end = at + 2 + int.from_bytes(hello[at : at + 2])
    at += 2
    if end > len(hello):
        return None
    while at + 4 <= end:
        # struct { ExtensionType extension_type; opaque extension_data<0..2^16-1>; }
        kind, size = int.from_bytes(hello[at : at + 2]), int.from_bytes(hello[at + 2 : at + 4])
        at += 4 + size
        if kind == _SERVER_NAME:
            return _host_name(hello[at - size : at]) if at <= end else None
    return None


def _host_name(data: bytes) -> str | None:
    # RFC 6066 §3: ServerName server_name_list<1..2^16-1>, each NameType name_type and opaque HostName<1..2^16-1>
    at = 2
    while at + 3 <= len(data):
        kind, size = data[at], int.from_bytes(data[at + 1 : at + 3])
        at += 3 + size
        if kind == _HOST_NAME:
            name = data[at - size : at]
            return name.decode("ascii", "backslashreplace") if size and at <= len(data) else None
    return None
