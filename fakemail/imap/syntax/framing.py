"""Bytes from a client to frames: one command with its literals, or one plain line.

Here live line ends, literals and the limits on both (RFC 9051 §4, RFC 7888). What a command means is the
business of :mod:`fakemail.imap.syntax.parser`. Memory stays bounded whatever the client announces or sends:
nothing is allocated for bytes that have not come.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum, auto
from typing import Final

from fakemail.types.dataclass import dataclass

#: Stands for a literal in the text of a frame; a NUL sent by a client is refused (RFC 9051 §9, rule 3).
LITERAL_MARK: Final = "\0"

#: RFC 7888 §5: what a server with LITERAL- accepts without being asked.
LITERAL_MINUS: Final = 4096

# RFC 9051 §9: tag = 1*<any ASTRING-CHAR except "+">
TAG: Final = r'[^\x00-\x20\x7f-\xff(){%*"\\+]+'
_HEAD = re.compile(rf"({TAG})(?: +(?:UID +)?([A-Z]+))?", re.IGNORECASE)
# RFC 9051 §9: literal = "{" number64 ["+"] "}" CRLF *CHAR8; literal8 = "~{" number64 "}" CRLF *OCTET;
# RFC 7888 §6 adds "+" to literal8.
_ANNOUNCEMENT = re.compile(r"(~?)\{([0-9]+)(\+?)\}\Z")
_REST_OF_QUOTED = re.compile(r'[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
# Enough of the end of an oversized_line line to see whether it announces a literal.
_TAIL = 64
_LARGEST = 2**63 - 1  # RFC 9051 §9, number64
# How much text, beside its literals, a whole command may have, in lines of the greatest length.
_LINES = 16


@dataclass(frozen=True, slots=True)
class Literal:
    """The bytes of one literal; ``binary`` says that it was a literal8."""

    data: bytes
    binary: bool = False


@dataclass(frozen=True, slots=True)
class Frame:
    """A whole command, or a plain line.

    ``text`` is the line without CRLF, one character for each byte (ISO 8859-1), in which
    :data:`LITERAL_MARK` stands for each of ``literals`` and occurs nowhere else.
    """

    text: str
    literals: tuple[Literal, ...] = ()


@dataclass(frozen=True, slots=True)
class ContinuationWanted:
    """The client waits for ``+`` before it sends a literal of so many bytes."""

    size: int


@dataclass(frozen=True, slots=True)
class LiteralRefused:
    """A command that is answered now and ignored to its end.

    ``tag`` is None when none could be read. With ``closes``, the rest of what the client sends cannot be
    understood any more: say BYE and close.
    """

    text: str
    tag: str | None = None
    response: str = "BAD"
    code: str | None = None
    closes: bool = False


@dataclass(frozen=True, slots=True)
class Announced:
    """A literal that the client announced and that has not been taken yet.

    ``command`` is upper-case, without UID. ``before`` counts the bytes of this command's earlier literals.
    """

    tag: str | None
    command: str
    size: int
    before: int
    binary: bool
    synchronising: bool


Event = Frame | ContinuationWanted | LiteralRefused

#: Says why an announced literal is not taken: (NO or BAD, response code, text), or None to take it.
LiteralPolicy = Callable[[Announced], "tuple[str, str | None, str] | None"]


def literal_limits(*, message: int | None, total: int | None = None, other: int = 64 * 1024) -> LiteralPolicy:
    """Return the usual policy, all sizes in bytes.

    Each message of APPEND and REPLACE may have ``message`` bytes and all of one command ``total`` (None for
    no limit); too large ones are refused with ``NO [TOOBIG]`` (RFC 7889 §4) before they are sent. The
    literals of any other command may have ``other`` bytes together.
    """

    def decide(announced: Announced) -> tuple[str, str | None, str] | None:
        size = announced.size
        if announced.command in ("APPEND", "REPLACE"):
            if message is not None and size > message:
                return "NO", "TOOBIG", f"A message of {size} octets is above the limit of {message}."
            if total is not None and announced.before + size > total:
                return "NO", "TOOBIG", f"The messages together are above the limit of {total} octets."
        elif announced.before + size > other:
            return "BAD", "TOOBIG", f"A literal of {size} octets is above the limit of {other}."
        return None

    return decide


class _FramerState(Enum):
    LINE = auto()  # the text of a command up to CRLF
    LITERAL = auto()  # so many bytes that belong to it
    SKIP_LINE = auto()  # the rest of a line that was too long
    SKIP_LITERAL = auto()  # bytes of a refused literal that come all the same
    BROKEN = auto()  # nothing that follows can be understood


class Framer:
    """Cuts a client's bytes into events. Feed it, then ask for events until there are none.

    ``line_limit`` is the longest line in bytes, ``policy`` decides on literals, ``unasked_limit`` is the
    greatest non-synchronising literal: None for LITERAL+, :data:`LITERAL_MINUS` for LITERAL-, -1 for none at
    all. A refused non-synchronising literal is swallowed up to ``skip_limit`` bytes; beyond that the
    connection is to be closed (RFC 7888 §4).
    """

    def __init__(
        self,
        *,
        policy: LiteralPolicy | None = None,
        line_limit: int = 64 * 1024,
        unasked_limit: int | None = None,
        skip_limit: int = 64 * 1024 * 1024,
    ) -> None:
        self.policy = policy or literal_limits(message=None)
        self.line_limit = line_limit
        self.unasked_limit = unasked_limit
        self.skip_limit = skip_limit
        self._buffer = bytearray()
        self._state = _FramerState.LINE
        self._scanned = 0  # how much of the buffer is known to have no LF
        self._needed = 0  # bytes that are missing from the literal being read or skipped
        self._tail = ""
        self._start_command()

    @property
    def buffered(self) -> int:
        """Number of bytes that wait here, without those that earlier events were made of."""
        return len(self._buffer)

    @property
    def in_command(self) -> bool:
        """Whether a command has begun and not ended, so that nothing may be said unasked but ``+``."""
        return self._state is not _FramerState.LINE or bool(self._parts) or bool(self._buffer)

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Add what the client sent."""
        if self._state is not _FramerState.BROKEN:
            self._buffer += data

    def take_rest(self) -> bytes:
        """Remove and return what has not been framed: plaintext after STARTTLS, or compressed bytes."""
        rest = bytes(self._buffer)
        self._buffer.clear()
        self._scanned = 0
        return rest

    def next_event(self, *, plain: bool = False) -> Event | None:
        """Return the next event, or None when more bytes are needed.

        With ``plain``, the next line is taken as it is, without literals: an answer of AUTHENTICATE or DONE.
        """
        while True:
            state = self._state
            if state is _FramerState.LINE:
                end = self._buffer.find(b"\n", self._scanned)
                if end < 0 and len(self._buffer) <= self.line_limit:
                    self._scanned = len(self._buffer)
                    return None
                if event := self._line(end, plain=plain):
                    return event
            elif state is _FramerState.LITERAL:
                if len(self._buffer) < self._needed:
                    return None
                self._end_literal()
            elif state is _FramerState.BROKEN or not self._skip():
                return None

    def _start_command(self) -> None:
        self._parts: list[str] = []
        self._literals: list[Literal] = []
        self._literal_size = 0
        self._text_size = 0
        self._binary = False
        self._refused = False

    def _line(self, end: int, *, plain: bool) -> Event | None:
        """Take one line, which ends at ``end`` or is too long already (-1)."""
        if end < 0 or end > self.line_limit:
            text = self._buffer[: self.line_limit].decode("latin-1")
            self._state = _FramerState.SKIP_LINE
            self._scanned = 0
            return self._refuse(text, f"A line is longer than {self.line_limit} octets.")
        text = self._buffer[:end].decode("latin-1")
        del self._buffer[: end + 1]
        self._scanned = 0
        complaint = None
        if text.endswith("\r"):
            text = text[:-1]
        else:
            complaint = "A line ends in LF without CR."
        if LITERAL_MARK in text:
            complaint = "NUL is not allowed."
        elif "\r" in text:
            complaint = "CR is not allowed within a line."
        self._text_size += len(text)
        if self._text_size > self.line_limit * _LINES:
            complaint = f"A command has more than {self.line_limit * _LINES} octets beside its literals."
        refusal = self._refuse(text, complaint) if complaint else None
        return self._end_line(text, plain=plain, refusal=refusal)

    def _end_line(self, text: str, *, plain: bool, refusal: LiteralRefused | None) -> Event | None:
        """Go on to the literal that the line announces, or end the command."""
        found = _ANNOUNCEMENT.search(text) if text.endswith("}") and not plain else None
        if found and not _in_quoted(text, found.start()):
            return self._announcement(text[: found.start()], found, refusal)
        if self._refused:
            self._start_command()
            return refusal
        if self._parts:
            self._parts.append(text)
            text = LITERAL_MARK.join(self._parts)
        frame = Frame(text, tuple(self._literals))
        self._start_command()
        return frame

    def _announcement(self, text: str, found: re.Match[str], refusal: LiteralRefused | None) -> Event | None:
        digits = found[2].lstrip("0") or "0"
        size = int(digits) if len(digits) <= 19 else _LARGEST + 1
        synchronising = not found[3]
        if not self._refused:
            refusal = self._refuse_literal(text, size, binary=bool(found[1]), synchronising=synchronising)
        if not self._refused:
            self._parts.append(text)
            self._binary = bool(found[1])
            self._needed = size
            self._state = _FramerState.LITERAL
            return ContinuationWanted(size) if synchronising else None
        if synchronising:
            self._start_command()  # the client was not asked for it, so the command ends here
            self._state = _FramerState.LINE
            return refusal
        if size > self.skip_limit:
            tag = refusal.tag if refusal else None
            code = refusal.code if refusal else "TOOBIG"
            self._state = _FramerState.BROKEN
            self._buffer.clear()
            return LiteralRefused(
                f"A literal of {found[2][:20]} bytes will not be read.", tag, code=code, closes=True
            )
        self._needed = size
        self._state = _FramerState.SKIP_LITERAL
        return refusal

    def _refuse_literal(
        self, text: str, size: int, *, binary: bool, synchronising: bool
    ) -> LiteralRefused | None:
        """Refuse an announced literal, or return None to take it."""
        tag, command = self._head(text)
        if size > _LARGEST:
            return self._refuse(text, "A literal is larger than any number of 63 bits.", code="TOOBIG")
        if not synchronising and self.unasked_limit is not None and size > self.unasked_limit:
            if self.unasked_limit < 0:
                return self._refuse(text, "Literals with '+' are not offered.")
            # RFC 7888 §5: a tagged BAD with TOOBIG
            sentence = f"A literal with '+' of {size} octets is above the limit of {self.unasked_limit}."
            return self._refuse(text, sentence, code="TOOBIG")
        announced = Announced(tag, command, size, self._literal_size, binary, synchronising)
        verdict = self.policy(announced)
        if verdict is None:
            return None
        response, code, sentence = verdict
        return self._refuse(text, sentence, response=response, code=code)

    def _refuse(
        self, text: str, sentence: str, *, response: str = "BAD", code: str | None = None
    ) -> LiteralRefused | None:
        """Answer the running command, unless it has been answered already."""
        if self._refused:
            return None
        self._refused = True
        tag, _ = self._head(text)
        return LiteralRefused(sentence, tag, response, code)

    def _head(self, text: str) -> tuple[str | None, str]:
        """The tag and the name of the running command, as far as they can be read."""
        found = _HEAD.match(self._parts[0] if self._parts else text)
        if not found or found.end(1) >= self.line_limit:  # what was cut off is not the tag that was sent
            return None, ""
        return found[1], (found[2] or "").upper()

    def _end_literal(self) -> None:
        data = bytes(self._buffer[: self._needed])
        del self._buffer[: self._needed]
        self._literals.append(Literal(data, self._binary))
        self._literal_size += self._needed
        self._state = _FramerState.LINE

    def _skip(self) -> bool:
        """Drop what belongs to a refused command; False when more bytes are needed."""
        if self._state is _FramerState.SKIP_LITERAL:
            dropped = min(self._needed, len(self._buffer))
            del self._buffer[:dropped]
            self._needed -= dropped
            if self._needed:
                return False
            self._state = _FramerState.LINE
            return True
        end = self._buffer.find(b"\n")
        stop = len(self._buffer) if end < 0 else end
        self._tail = (self._tail + self._buffer[max(0, stop - _TAIL) : stop].decode("latin-1"))[-_TAIL:]
        del self._buffer[: stop + 1]
        if end < 0:
            return False
        text, self._tail = self._tail.removesuffix("\r"), ""
        self._state = _FramerState.LINE
        self._end_line(text, plain=False, refusal=None)
        return True


def _in_quoted(text: str, stop: int) -> bool:
    """Whether a quoted string is open at ``stop``; then braces are part of it, and it never ends."""
    at = text.find('"')
    while 0 <= at < stop:
        found = _REST_OF_QUOTED.match(text, at + 1, stop)
        if not found:
            return True
        at = text.find('"', found.end())
    return False
