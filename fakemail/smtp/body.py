"""Readers of message bytes: DATA up to its end marker, BDAT by count. Bounded, and linear in what arrives."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from enum import Enum
from typing import Protocol

# RFC 5321 §4.1.1.4: the mail data ends with <CRLF>.<CRLF>, and the first CRLF belongs to the data.
# Nothing else ends it: not LF.LF, not LF.CRLF, not CR.CR (SMTP smuggling).
_END = b"\r\n.\r\n"
_DOT = _END[:3]


class BodyReader(Protocol):
    """Reader of the bytes of a message."""

    @property
    def received(self) -> int:
        """Bytes so far."""
        ...

    @property
    def is_complete(self) -> bool:
        """Whether the end has come."""
        ...

    def feed(self, octets: bytes | bytearray) -> int:
        """Take bytes; tell how many of them are the message's."""
        ...


class DataReader:
    """Collects the bytes of DATA until the end marker, then undoes dot-stuffing (RFC 5321 §4.5.2)."""

    __slots__ = (
        "_data",
        "_dropped",
        "_has_dots",
        "_limit",
        "content",
        "is_complete",
        "is_too_big",
        "is_unstuffed",
    )

    def __init__(self, limit: int) -> None:
        # The CRLF of the DATA command itself starts the first line, so that ".CRLF" alone ends an
        # empty message and a dot at the very start is undone like any other.
        self._data = bytearray(b"\r\n")
        self._limit = limit + 2
        self._dropped = 0
        self._has_dots = False
        self.content = b""
        self.is_complete = False
        self.is_too_big = False
        self.is_unstuffed = False
        """Whether a line began with a dot that was not doubled."""

    @property
    def received(self) -> int:
        """Bytes so far."""
        return self._dropped + len(self._data) - 2

    def feed(self, octets: bytes | bytearray) -> int:
        """Take bytes; tell how many of them are the message's, its end marker included."""
        if self.is_complete:
            return 0
        data = self._data
        if len(data) == 2 and octets[:1] != b".":
            # Most messages come in one piece, and have no line that starts with a dot but the last.
            dot = octets.find(_DOT)
            if dot >= 0 and octets.startswith(_END, dot):
                self.is_complete = True
                self.is_too_big = dot + 2 > self._limit - 2
                if not self.is_too_big:
                    self.content = bytes(octets[: dot + 2])
                return dot + len(_END)
        used = self._find_end(octets)
        if used < 0:
            data += octets
            # Stuffed dots may make the wire form half as long again, so this is generous by design.
            if len(data) > self._limit * 2 + len(_END):
                self.is_too_big = True
                kept = len(_END) - 1
                self._dropped += len(data) - kept
                del data[:-kept]
            return len(octets)
        data += octets[:used]
        self.is_complete = True
        if not self.is_too_big:
            self._undo_stuffing()
        return used

    def _find_end(self, octets: bytes | bytearray) -> int:
        """Number of bytes up to the end of the marker, -1 if it is not there yet."""
        reach = len(_END) - 1
        tail = self._data[-reach:]
        seam = tail + octets[:reach]
        if seam.find(_DOT) >= 0:
            straddling = seam.find(_END)
            if straddling >= 0:
                return straddling + len(_END) - len(tail)
            self._has_dots = True
        # Most messages have no line that starts with a dot, so that one look is enough for both.
        dot = octets.find(_DOT)
        if dot < 0:
            return -1
        end = octets.find(_END, dot)
        if end != dot:
            self._has_dots = True
        return end if end < 0 else end + len(_END)

    def _undo_stuffing(self) -> None:
        data = self._data
        del data[2 - len(_END) :]  # the marker without its first CRLF
        content = bytes(memoryview(data)[2:])
        if self._has_dots:
            content = bytes(data.replace(_DOT, b"\r\n"))[2:]
            # A client that doubles each dot at the start of a line leaves no single one.
            self.is_unstuffed = data.count(_DOT) != data.count(b"\r\n..")
        self.is_too_big = len(content) > self._limit - 2
        self.content = content


class LaxDataReader:
    """Collects the bytes of DATA, and takes other bytes for the end marker as well (SMTP smuggling)."""

    def __init__(self, limit: int, ends: tuple[bytes, ...]) -> None:
        self._data = bytearray(b"\r\n")  # as in DataReader
        self._limit = limit
        self._end = re.compile(b"|".join(map(re.escape, sorted((_END, *ends), key=len, reverse=True))))
        self._reach = max(len(_END), *map(len, ends))
        self.content = b""
        self.is_complete = False
        self.is_too_big = False
        self.is_unstuffed = False
        """Not looked at: what is in the message here is not what the client meant to be in it."""

    @property
    def received(self) -> int:
        """Bytes so far."""
        return len(self._data) - 2

    def feed(self, octets: bytes | bytearray) -> int:
        """Take bytes; tell how many of them are the message's, its end marker included."""
        if self.is_complete:
            return 0
        before = len(self._data)
        self._data += octets
        match = self._end.search(self._data, max(0, before - self._reach))
        if match is None:
            return len(octets)
        self.is_complete = True
        self.is_too_big = match.start() > self._limit
        if not self.is_too_big:
            # Whoever takes a lone LF for the end of a line here does so everywhere.
            lines = re.sub(rb"\r\n|\r|\n", b"\r\n", bytes(self._data[2 : match.start()]))
            self.content = (b"\r\n" + lines).replace(b"\r\n.", b"\r\n")[2:] + (b"\r\n" if lines else b"")
        return match.end() - before


class ChunkReader:
    """Collects the bytes of one BDAT (RFC 3030 §2), or throws them away when there is no room."""

    __slots__ = ("_data", "_missing", "is_too_big", "last", "size")

    def __init__(self, size: int, *, last: bool, room: int) -> None:
        self.size = size
        self.last = last
        self.is_too_big = size > room
        self._data = bytearray()
        self._missing = size

    @property
    def received(self) -> int:
        """Bytes so far."""
        return self.size - self._missing

    @property
    def is_complete(self) -> bool:
        """Whether the announced number of bytes has come."""
        return self._missing == 0

    @property
    def content(self) -> bytes:
        """The bytes, as they came."""
        return bytes(self._data)

    def feed(self, octets: bytes | bytearray) -> int:
        """Take bytes; tell how many of them are the chunk's."""
        used = min(self._missing, len(octets))
        self._missing -= used
        if not self.is_too_big:
            self._data += octets[:used]
        return used


class TransferProgress(Enum):
    """Fate of a message that is still coming."""

    ON = "on"
    ON_UNWATCHED = "on, and the fault has fired"
    NOT = "no further"


class WatchedBody:
    """A message on its way in; a fault gets the number of bytes so far."""

    def __init__(self, body: BodyReader, watch: Callable[[int], TransferProgress]) -> None:
        """``watch`` gets the number of bytes."""
        self.inner = body
        self._watch = watch
        self._goes = TransferProgress.ON
        self.received = 0
        """Bytes so far, as they came."""

    @property
    def is_complete(self) -> bool:
        """Whether the end has come; never when the fault ended it."""
        return self.inner.is_complete and self._goes is not TransferProgress.NOT

    def feed(self, octets: bytes | bytearray) -> int:
        """Take bytes; tell how many of them are the message's."""
        if self._goes is TransferProgress.NOT:
            return len(octets)
        used = self.inner.feed(octets)
        self.received += used
        if self._goes is TransferProgress.ON:
            self._goes = self._watch(self.received)
        return used


def has_bare_line_ends(content: bytes) -> bool:
    """Whether a CR or an LF stands alone (RFC 5321 §2.3.8)."""
    # It notes which kinds of line end there are, three times as fast as counting them.
    decoder = io.IncrementalNewlineDecoder(None, translate=False)
    decoder.decode(content.decode("latin-1"), final=True)
    return decoder.newlines not in (None, "\r\n")
