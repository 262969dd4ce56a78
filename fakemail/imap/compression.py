"""COMPRESS=DEFLATE: a layer between the octets of a connection and those of the protocol (RFC 4978).

What a client can make of few octets is unpacked in bounded pieces, as they are wanted.
"""

from __future__ import annotations

import zlib
from typing import Final

_PIECE: Final = 64 * 1024
_RAW: Final = -zlib.MAX_WBITS  # RFC 4978 §3: RFC 1951 without header and checksum


class Compression:
    """Both directions of one connection."""

    def __init__(self) -> None:
        self.is_running = False
        self._packer = zlib.compressobj(wbits=_RAW)
        self._unpacker = zlib.decompressobj(wbits=_RAW)
        self._input = b""
        self._full = False

    def start(self, rest: bytes) -> None:
        """From here on; ``rest`` is what came behind the command."""
        self.is_running = True
        self._input = rest

    def feed(self, data: bytes) -> None:
        """Add what the client sent."""
        self._input += data

    @property
    def has_input(self) -> bool:
        """Whether ``take`` may give something."""
        return bool(self._input) or self._full

    def take(self) -> bytes | None:
        """The next piece of what the client sent, empty if there is none; ``None`` when it is broken."""
        if not self.has_input or self._unpacker.eof:
            return b""
        try:
            octets = self._unpacker.decompress(self._input, _PIECE)
        except zlib.error:
            return None
        self._input = self._unpacker.unconsumed_tail
        self._full = len(octets) == _PIECE
        return octets

    def pack(self, octets: bytes) -> bytes:
        """Octets as the client gets them, complete up to here."""
        return self._packer.compress(octets) + self._packer.flush(zlib.Z_SYNC_FLUSH)
