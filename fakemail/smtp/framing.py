"""From octets that arrive to lines and message bodies, and the order in which they are answered.

What a line means is the affair of the class above: :class:`fakemail.smtp.session.SmtpSession`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from fakemail.events.kinds import ClientBytes
from fakemail.faults.write_script import Step
from fakemail.smtp.backend import Receipt
from fakemail.smtp.body import BodyReader
from fakemail.smtp.commands import LONGEST_LINE
from fakemail.types.stage import Stage
from fakemail.types.verdict import Verdict

# Lines answered in one go; a client that sends thousands must not keep the others from being served.
_LINES_AT_ONCE: Final = 250
_HASTY: Final = ClientBytes(was_hasty=True)
OVERLONG: Final = b""
"""What stands for a line that was thrown away; no real line is empty."""


class Framing:
    """Octets in, octets out; lines and bodies are handed to the class above, one at a time."""

    def __init__(self) -> None:
        self.wants_tls = False
        self.closing = False
        self.has_more = False
        """Whether lines that have arrived are still unanswered; ``more`` goes on with them."""
        self.discarded_plaintext = 0
        """Octets that came in clear text behind STARTTLS and were thrown away (RFC 3207 §5)."""
        self.script: list[Step] = []
        """What goes out before the output that is returned, when a fault has struck."""
        self.struck_at = Stage.SMTP_BANNER
        self._keeps_plaintext = False
        self._buffer = bytearray()
        self._skipping = False
        self._body: BodyReader | None = None
        self.is_waiting = False
        """Whether an answer of the backend is outstanding."""
        self._on_answer: Callable[[Verdict | Receipt], None] | None = None
        self._octets: ClientBytes | None = None
        """What is to be noted of the command or the message that is being answered."""
        self._out: list[bytes] = []

    def _answer(self, raw: bytes) -> None:
        """Answer one line, which has its line end, or is ``OVERLONG``."""
        raise NotImplementedError

    def _end_of_body(self) -> None:
        """Answer what ``_body`` has read to its end."""
        raise NotImplementedError

    def feed(self, data: bytes) -> bytes:
        """Take octets in, give octets out."""
        if self.closing:
            return b""
        if not self._buffer:
            # Nearly always the octets are a piece of the message, or one whole line.
            if self._body is not None:
                used = self._body.feed(data)
                if not self._body.is_complete:
                    return b""
                self._end_of_body()
                if used == len(data):
                    return self._take_output()
                data = data[used:]
            elif 0 < len(data) == data.find(b"\n") + 1 <= LONGEST_LINE and not (
                self._skipping or self.wants_tls or self.is_waiting
            ):
                self._answer(data)
                return self._take_output()
        self._buffer += data
        self._run()
        return self._take_output()

    def resume(self, answer: Verdict | Receipt) -> bytes:
        """Go on with the backend's answer to the question that it left open."""
        on_answer, self._on_answer = self._on_answer, None
        self.is_waiting = False
        if on_answer is None:
            raise RuntimeError("no question is open in this session")
        on_answer(answer)
        self._run()
        return self._take_output()

    def more(self) -> bytes:
        """Go on with what has arrived, where ``feed`` stopped so as not to keep everybody else waiting."""
        self._run()
        return self._take_output()

    def _wait(self, on_answer: Callable[[Verdict | Receipt], None]) -> None:
        """Answer nothing more before the backend's answer has come."""
        self._on_answer, self.is_waiting = on_answer, True

    def _run(self) -> None:
        self.has_more = False
        left = _LINES_AT_ONCE
        while not self.is_waiting and not self.closing and not self.wants_tls:
            if self._body is not None:
                del self._buffer[: self._body.feed(self._buffer)]
                if not self._body.is_complete:
                    return
                self._end_of_body()
                continue
            line = self._take_line()
            if line is None:
                return
            if self._buffer:
                self._octets = _HASTY
            self._answer(line)
            left -= 1
            if left == 0 and self._buffer:
                self.has_more = True
                return
        if self.wants_tls and not self._keeps_plaintext:
            # Whatever came behind STARTTLS in clear text was put there by a stranger (RFC 3207 §5).
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

    def _take_output(self) -> bytes:
        out = self._out
        if len(out) == 1:
            return out.pop()
        octets = b"".join(out)
        out.clear()
        return octets
