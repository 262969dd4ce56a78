"""SpamAssassin's ``spamd``: the protocol SPAMC/1.5 (spamd/PROTOCOL of its sources), the command SYMBOLS."""

from __future__ import annotations

import re
from typing import Final

from fakemail.policy.scanners.scan import ScanRequest, ScanResult, failed

NAME: Final = "spamassassin"
PORT: Final = 783

# SPAMD/1.1 0 EX_OK
_STATUS: Final = re.compile(rb"SPAMD/[0-9.]+ ([0-9]{1,9})\b ?([^\r\n]*)\r?\n")
# Spam: True ; 1000.0 / 5.0
_VERDICT: Final = re.compile(
    rb"^Spam:\s*(True|Yes|False|No)\s*;\s*(-?[0-9.]+)\s*/\s*(-?[0-9.]+)\s*$", re.IGNORECASE | re.MULTILINE
)


def request(question: ScanRequest) -> bytes:
    """Everything that is sent."""
    content = question.content
    return b"SYMBOLS SPAMC/1.5\r\nContent-length: %d\r\n\r\n%b" % (len(content), content)


def read(answer: bytes) -> ScanResult:
    """What the answer means, all of it up to the end of the connection."""
    status = _STATUS.match(answer)
    if status is None:
        return failed(NAME, "the answer is not one of spamd")
    if int(status[1]):
        return failed(NAME, f"spamd says {status[2].decode('ascii', 'replace') or status[1].decode()}")
    head, _, body = answer[status.end() :].replace(b"\r\n", b"\n").partition(b"\n\n")
    verdict = _VERDICT.search(head)
    if verdict is None:
        return failed(NAME, "the answer of spamd has no verdict")
    try:
        score, required = float(verdict[2]), float(verdict[3])
    except ValueError:
        return failed(NAME, "the answer of spamd has no points")
    is_spam = verdict[1].lower() in (b"true", b"yes")
    names = tuple(
        each for each in body.decode("ascii", "replace").replace("\n", ",").split(",") if each.strip()
    )
    return ScanResult(NAME, is_spam, score, required, names)
