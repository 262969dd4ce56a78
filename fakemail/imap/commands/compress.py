"""COMPRESS=DEFLATE: the command, and the layer between the bytes of a connection and those of IMAP (RFC 4978)."""

from __future__ import annotations

import zlib
from typing import Final

from fakemail.imap.command import Command
from fakemail.imap.context import ImapContext
from fakemail.imap.responses import Completed, bad, no
from fakemail.imap.syntax.scanner import Scanner
from fakemail.types.dataclass import dataclass
from fakemail.types.reason import Reason
from fakemail.types.stage import Stage

# So much of the client's input is unpacked at once: a few bytes can become very many.
_PIECE: Final = 64 * 1024
_RAW: Final = -zlib.MAX_WBITS  # RFC 4978 §3: RFC 1951 without header and checksum


@dataclass(frozen=True, slots=True)
class Compress(Command):
    """COMPRESS (RFC 4978 §3). ``mechanism`` is upper-case."""

    name = "COMPRESS"
    stage = Stage.IMAP_COMPRESS
    capabilities = ("COMPRESS=DEFLATE",)

    mechanism: str

    @classmethod
    def parse(cls, scan: Scanner) -> Compress:
        """ "COMPRESS" SP algorithm (RFC 4978 §6)."""
        scan.space()
        return cls(scan.word("a compression algorithm"))

    def run(self, session: ImapContext) -> Completed:
        """Compress both ways from the end of this command on."""
        if session.is_compressed:
            raise no(Reason.BAD_SEQUENCE, "DEFLATE is active already.", code="COMPRESSIONACTIVE")
        if self.mechanism != "DEFLATE":
            raise bad(f"There is no compression {self.mechanism}, only DEFLATE.")
        session.start_compression()
        session.update()
        return Completed("DEFLATE active.")


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
            data = self._unpacker.decompress(self._input, _PIECE)
        except zlib.error:
            return None
        self._input = self._unpacker.unconsumed_tail
        self._full = len(data) == _PIECE
        return data

    def pack(self, data: bytes) -> bytes:
        """Bytes as the client gets them, complete up to here."""
        return self._packer.compress(data) + self._packer.flush(zlib.Z_SYNC_FLUSH)
