"""How POP3 is spoken, whatever is said: lines that come, answers that go, long ones in pieces, and the end.

What the commands mean is in :mod:`fakemail.pop3.session`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Protocol

from fakemail.faults.write_script import Step
from fakemail.pop3.capabilities import Pop3Profile
from fakemail.pop3.commands import LONGEST_LINE
from fakemail.pop3.maildrop import multiline
from fakemail.pop3.replies import ERR, OK, Pop3Reply, needed_for, refusal
from fakemail.types.reason import Reason
from fakemail.types.stage import Stage

# A client must not keep the others from being served, by thousands of lines or by a long message.
_LINES_AT_ONCE: Final = 250
_OCTETS_AT_ONCE: Final = 128 * 1024
OVERLONG: Final = b""
"""Stands for a line that was too long and is thrown away; no real line is empty."""


class Pop3Recorder(Protocol):
    """Writes down one command and its answer, and of what the answer brings how many lines and octets."""

    def __call__(self, stage: Stage, line: str, answer: Pop3Reply, responses: int, octets: int) -> None:
        """Record it."""
        ...


class Pop3Framing:
    """The framing of one connection's dialogue; :class:`~fakemail.pop3.session.Pop3Session` answers its lines."""

    def __init__(self, profile: Pop3Profile, record: Pop3Recorder) -> None:
        self.profile = profile
        self.wants_tls = False
        self.closing = False
        self.has_more = False
        """Whether there is more to say, or lines that have arrived are still unanswered."""
        self.discarded_plaintext = 0
        """Octets that came in clear text behind STLS and were thrown away (RFC 2595 §4)."""
        self.script: list[Step] = []
        """What goes out before the output that is returned, when a fault has struck."""
        self.struck_at = Stage.POP3_BANNER
        self._record = record
        self._errors = 0
        self._buffer = bytearray()
        self._skipping = False
        self._pieces: Iterator[bytes] | None = None
        self._out: list[bytes] = []
        self._line = ""
        self._stage = Stage.POP3_BANNER
        self._keeps_plaintext = False
        """Whether a fault lets clear text from behind STLS count."""

    def _answer(self, raw: bytes) -> None:
        """Answer one line, which has its line end or is :data:`OVERLONG`; say one thing, unless a fault forbids."""
        raise NotImplementedError

    def release(self) -> None:
        """Give back what the session holds, as nobody listens any more."""
        self._pieces = None

    # What the shell calls ------------------------------------------------------------------------

    def feed(self, data: bytes) -> bytes:
        """Take octets in, give octets out."""
        if self.closing:
            return b""
        self._buffer += data
        return self.more()

    def more(self) -> bytes:
        """Go on where ``feed`` stopped so as not to keep everybody else waiting."""
        self._run()
        return self._take_output()

    def resume(self, answer: Any) -> bytes:
        """Nothing is ever outstanding in this protocol."""
        raise RuntimeError("no question is open in this session")

    def hang_up(self, reason: Reason) -> bytes:
        """The last words of a server that must end the session; the messages stay."""
        inside = self._pieces is not None
        self._end()
        self._stage, self._line = Stage.DISCONNECT, ""
        # RFC 1939 §3: after inactivity not a word is said. And none may be taken for a line of a message.
        if reason is not Reason.TIMEOUT and not inside:
            self._reply(refusal(reason))
        return self._take_output()

    @property
    def is_waiting(self) -> bool:
        """Never: no answer comes from elsewhere."""
        return False

    # Inside --------------------------------------------------------------------------------------

    def _run(self) -> None:
        self.has_more = False
        lines, octets = _LINES_AT_ONCE, 0
        while not self.closing and not self.wants_tls:
            piece = next(self._pieces, None) if self._pieces is not None else None
            if piece is not None:
                self._out.append(piece)
            else:
                self._pieces = None
                line = self._take_line()
                if line is None:
                    return
                self._answer(line)
                lines -= 1
            octets += len(self._out[-1]) if self._out else 0
            if lines == 0 or octets >= _OCTETS_AT_ONCE:
                self.has_more = not self.closing and (self._pieces is not None or bool(self._buffer))
                break
        if self.wants_tls and not self._keeps_plaintext:
            # Whatever came behind STLS in clear text was put there by a stranger.
            self.discarded_plaintext = len(self._buffer)
            self._buffer.clear()

    def _take_line(self) -> bytes | None:
        end = self._buffer.find(b"\n") + 1
        if end == 0:
            if len(self._buffer) > LONGEST_LINE:
                self._skipping = True
                self._buffer.clear()
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[:end]
        if self._skipping or end > LONGEST_LINE:
            self._skipping = False
            return OVERLONG
        return line

    def _reply(
        self, answer: Pop3Reply, content: bytes | None = None, *, end: int = -1, lines: int = 1
    ) -> None:
        """Say the first line, and begin to say the content, or so much of it, if there is any."""
        if answer.status == ERR and not self.closing:
            self._errors += 1
            if self._errors > self.profile.personality.max_errors:
                answer = refusal(Reason.TOO_MANY_ERRORS)
                self._end()
        if not all(map(self.profile.knows, needed_for(answer.code))):
            answer = answer._replace(code="")
        self._out.append(answer.wire)
        octets = 0
        if content is not None:
            octets = len(content) if end < 0 else end
            self._pieces = multiline(content, octets)
        self._record(self._stage, self._line, answer, lines if content is not None else 0, octets)

    def _take_output(self) -> bytes:
        out = b"".join(self._out)
        self._out.clear()
        return out

    def _end(self) -> None:
        self.closing = True
        self.has_more = False
        self.release()

    def _say_list(self, text: str, lines: list[str] | tuple[str, ...]) -> None:
        content = "".join([f"{line}\r\n" for line in lines]).encode("ascii", "replace")
        self._reply(Pop3Reply(OK, text), content, lines=len(lines))
