"""SMTP replies: a three-digit code, perhaps an enhanced status code, and text for people."""

from __future__ import annotations

import re
from dataclasses import field
from functools import cached_property, lru_cache

from fakemail.errors import ProtocolError
from fakemail.types.dataclass import dataclass

# RFC 3463 §2: status-code = class "." subject "." detail
_ENHANCED = re.compile(r"([245])\.([0-9]{1,3})\.([0-9]{1,3})")
# RFC 5321 §4.2: Reply-line = *( Reply-code "-" [ textstring ] CRLF ) Reply-code [ SP textstring ] CRLF
_LINE = re.compile(r"([2-5][0-5][0-9])(?:([ -])(.*))?", re.DOTALL)


@dataclass(frozen=True)
class Reply:
    """One reply of an SMTP server (RFC 5321 §4.2), with its enhanced status code if it has one (RFC 3463).

    Two replies are equal when their code and enhanced code are: those are for programs, while the
    text is for people (RFC 5321 §4.2) and may be anything. Look at ``text`` to compare it.
    A text of several lines, split by ``"\\n"``, makes a multi-line reply.
    """

    code: int
    enhanced: str | None = None
    text: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        __tracebackhide__ = True
        if not 200 <= self.code <= 599:
            raise ValueError(f"a reply code has three digits and starts with 2, 3, 4 or 5, not {self.code}")
        if self.enhanced is not None:
            _check_enhanced(self.code, self.enhanced)

    @property
    def is_positive(self) -> bool:
        """2yz or 3yz: go on (RFC 5321 §4.2.1)."""
        return self.code < 400

    @property
    def is_transient(self) -> bool:
        """4yz: not now, try again later."""
        return 400 <= self.code < 500

    @property
    def is_permanent(self) -> bool:
        """5yz: do not try again."""
        return self.code >= 500

    @property
    def lines(self) -> tuple[str, ...]:
        """The text as a person sees it, with the enhanced code at the head of each line (RFC 2034 §3)."""
        lines = self.text.split("\n")
        if self.enhanced is not None:
            lines = [f"{self.enhanced} {line}" if line else self.enhanced for line in lines]
        return tuple(lines)

    def __str__(self) -> str:
        return f"{self.code} {' / '.join(self.lines)}".rstrip()

    @cached_property
    def wire(self) -> bytes:
        """The reply as it is sent, CRLF included."""
        if "\n" not in self.text and self.enhanced is not None and self.text:
            return f"{self.code} {self.enhanced} {self.text}\r\n".encode("utf-8", "surrogateescape")
        *others, last = self.lines
        head = f"{self.code}-" + f"\r\n{self.code}-".join(others) + "\r\n" if others else ""
        return f"{head}{self.code} {last}\r\n".encode("utf-8", "surrogateescape")


@lru_cache(maxsize=1024)
def _check_enhanced(code: int, enhanced: str) -> None:
    """Raise ``ValueError`` unless they go together. Kept, because there are few of them and many replies."""
    __tracebackhide__ = True
    match = _ENHANCED.fullmatch(enhanced)
    if match is None:
        raise ValueError(f"{enhanced!r} is not an enhanced status code such as '5.1.1'")
    if int(match[1]) != code // 100:
        raise ValueError(f"enhanced status code {enhanced} does not go with reply code {code}")


def read_reply(lines: list[bytes]) -> Reply:
    """Read the lines of one complete reply, without their line ends.

    Raises :class:`~fakemail.errors.ProtocolError` when they are not a reply: no code, codes that
    differ from line to line, or a last line that is marked as continued.
    """
    texts: list[str] = []
    code: str | None = None
    enhanced: str | None = None
    for number, raw in enumerate(lines):
        match = _LINE.fullmatch(raw.decode("utf-8", "surrogateescape"))
        if match is None or (code is not None and match[1] != code):
            raise ProtocolError(f"not a reply line: {raw[:200]!r}")
        if (match[2] == "-") is not (number < len(lines) - 1):
            raise ProtocolError(f"continuation is marked wrongly at {raw[:200]!r}")
        code, text = match[1], match[3] or ""
        head, _, rest = text.partition(" ")
        status = _ENHANCED.fullmatch(head)
        if status and int(status[1]) == int(code) // 100 and (number == 0 or head == enhanced):
            enhanced, text = head, rest
        texts.append(text)
    if code is None:
        raise ProtocolError("an empty reply")
    return Reply(int(code), enhanced, "\n".join(texts))
