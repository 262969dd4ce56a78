"""ClamAV's ``clamd``: the command INSTREAM (clamd(8)), in its form with NUL as the end of a line."""

from __future__ import annotations

import struct
from typing import Final

from fakemail.policy.scanners.scan import ScanRequest, ScanResult, failed

NAME: Final = "clamav"
PORT: Final = 3310
_CHUNK: Final = 64 * 1024
_START: Final = "stream: "
_FOUND: Final = " FOUND"


def request(question: ScanRequest) -> bytes:
    """The command, then chunks with their length as four octets in front, then an empty one."""
    content = question.content
    pieces = [b"zINSTREAM\0"]
    for at in range(0, len(content), _CHUNK):
        chunk = content[at : at + _CHUNK]
        pieces += [struct.pack("!I", len(chunk)), chunk]
    return b"".join([*pieces, bytes(4)])


def read(answer: bytes) -> ScanResult:
    """What the answer means: ``stream: OK``, ``stream: NAME FOUND``, or a sentence that ends with ERROR."""
    text = answer.rstrip(b"\0\r\n").decode("ascii", "replace")
    if text == f"{_START}OK":
        return ScanResult(NAME)
    if text.startswith(_START) and text.endswith(_FOUND):
        return ScanResult(NAME, is_bad=True, names=(text[len(_START) : -len(_FOUND)],))
    return failed(NAME, f"clamd says {text}" if text else "clamd gave no answer")
