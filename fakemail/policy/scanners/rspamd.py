"""rspamd: a POST to ``/checkv2`` of its normal worker, and the JSON that comes back.

HTTP/1.0, so that the answer comes in one piece and ends with the connection; one request needs no more.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from fakemail.policy.scanners.scan import ScanRequest, ScanResult, failed

NAME: Final = "rspamd"
PORT: Final = 11333

_STATUS: Final = re.compile(rb"HTTP/[0-9.]+ ([0-9]{3})\b")
_NOT_IN_FIELD: Final = re.compile(r"[^\x20-\x7e]")
# The actions that turn mail away or aside; "no action" and "greylist" do not call it spam.
_BAD: Final = frozenset({"reject", "soft reject", "add header", "rewrite subject", "quarantine", "discard"})


def request(question: ScanRequest) -> bytes:
    """Everything that is sent; the envelope goes into fields of the request."""
    lines = ["POST /checkv2 HTTP/1.0", f"Content-Length: {len(question.content)}", *_fields(question)]
    return "\r\n".join([*lines, "\r\n"]).encode("ascii") + question.content


def _fields(question: ScanRequest) -> Iterator[str]:
    known = [("IP", question.client), ("Helo", question.helo), ("From", question.sender)]
    for name, value in [*known, *(("Rcpt", recipient) for recipient in question.recipients)]:
        if value:
            yield f"{name}: {_NOT_IN_FIELD.sub('?', value)}"


def read(answer: bytes) -> ScanResult:
    """What the answer means, all of it up to the end of the connection."""
    status = _STATUS.match(answer)
    if status is None:
        return failed(NAME, "the answer is not HTTP")
    _, _, body = answer.partition(b"\r\n\r\n")
    if status[1] != b"200":
        return failed(NAME, f"rspamd answers with status {status[1].decode()}")
    try:
        found: Any = json.loads(body)
        action = str(found["action"])
        score, required = float(found["score"]), float(found["required_score"])
        symbols: dict[str, Any] = dict(found.get("symbols") or {})
    except (ValueError, KeyError, TypeError, RecursionError):
        return failed(NAME, "the answer of rspamd is not the JSON of /checkv2")
    names = tuple(str(name) for name, each in symbols.items() if _matters(each))
    return ScanResult(NAME, action in _BAD, score, required, names, action)


def _matters(symbol: object) -> bool:
    """Whether a symbol gave points; many only note something."""
    return not isinstance(symbol, dict) or bool(symbol.get("score", 1))
