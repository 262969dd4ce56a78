"""Readers of message octets: DATA up to its end marker, BDAT by count. Bounded, and linear in what arrives."""

from __future__ import annotations

# RFC 5321 §4.1.1.4: the mail data ends with <CRLF>.<CRLF>, and the first CRLF belongs to the data.
# Nothing else ends it: not LF.LF, not LF.CRLF, not CR.CR (SMTP smuggling).
_END = b"\r\n.\r\n"


class DataReader:
    """Collects the octets of DATA until the end marker, then undoes dot-stuffing (RFC 5321 §4.5.2)."""

    __slots__ = ("_data", "_dropped", "_limit", "content", "is_complete", "is_too_big")

    def __init__(self, limit: int) -> None:
        # The CRLF of the DATA command itself starts the first line, so that ".CRLF" alone ends an
        # empty message and a dot at the very start is undone like any other.
        self._data = bytearray(b"\r\n")
        self._limit = limit + 2
        self._dropped = 0
        self.content = b""
        self.is_complete = False
        self.is_too_big = False

    @property
    def received(self) -> int:
        """Octets so far."""
        return self._dropped + len(self._data) - 2

    def feed(self, octets: bytes) -> bytes:
        """Take octets; give back those that come after the end of the message."""
        data = self._data
        start = max(0, len(data) - len(_END) + 1)
        data += octets
        end = data.find(_END, start)
        if end < 0:
            # Stuffed dots may make the wire form half as long again, so this is generous by design.
            if len(data) > self._limit * 2 + len(_END):
                self.is_too_big = True
                kept = len(_END) - 1
                self._dropped += len(data) - kept
                del data[:-kept]
            return b""
        rest = bytes(data[end + len(_END) :])
        self.is_complete = True
        if self.is_too_big:
            return rest
        content = bytes(data[2 : end + 2])
        if data.find(b"\r\n.", 0, end) >= 0:
            content = bytes(data[: end + 2]).replace(b"\r\n.", b"\r\n")[2:]
        self.is_too_big = len(content) > self._limit - 2
        self.content = content
        return rest


class ChunkReader:
    """Collects the octets of one BDAT (RFC 3030 §2), or throws them away when there is no room."""

    __slots__ = ("_data", "_missing", "is_too_big", "last", "size")

    def __init__(self, size: int, *, last: bool, room: int) -> None:
        self.size = size
        self.last = last
        self.is_too_big = size > room
        self._data = bytearray()
        self._missing = size

    @property
    def received(self) -> int:
        """Octets so far."""
        return self.size - self._missing

    @property
    def is_complete(self) -> bool:
        """Whether the announced number of octets has come."""
        return self._missing == 0

    @property
    def content(self) -> bytes:
        """The octets, as they came."""
        return bytes(self._data)

    def feed(self, octets: bytes) -> bytes:
        """Take octets; give back those that come after the chunk."""
        mine = octets[: self._missing]
        self._missing -= len(mine)
        if not self.is_too_big:
            self._data += mine
        return octets[len(mine) :]
