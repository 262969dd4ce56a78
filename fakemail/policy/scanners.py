"""Real content scanners, asked over their own protocols: what is sent to each, and what its answer means.

Bytes in, values out; the sockets are in :mod:`fakemail.wire.scanning`.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable, Iterator
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from fakemail.policy.finding import AuthStatus, Finding
from fakemail.types.dataclass import dataclass
from fakemail.types.reason import Reason

_SHOWN = 12
_LONGEST = 300


@dataclass(frozen=True, slots=True)
class ScanRequest:
    """Facts that scanners get beside the message."""

    content: bytes
    client: str = ""
    """The address of the client in the fake internet."""
    helo: str = ""
    sender: str = ""
    """The reverse-path, empty for the null one."""
    recipients: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ScanResult:
    """The answer of one scanner."""

    scanner: str
    """Which it was: ``spamassassin``, ``rspamd``, ``clamav``."""
    is_bad: bool = False
    """Whether it calls the message spam, or found a virus."""
    score: float = 0.0
    required: float = 0.0
    """From which score on it calls a message spam; 0 for a scanner without scores."""
    names: tuple[str, ...] = ()
    """The rules that matched, or the viruses that were found."""
    advice: str = ""
    """Action that it asks for, in its own word (rspamd's action)."""
    failure: str = ""
    """Why there is no answer; empty where there is one."""

    @property
    def finding(self) -> Finding:
        """The same for a chain of decisions."""
        if self.failure:
            return Finding(
                "scan",
                AuthStatus.TEMPERROR,
                f"{self.scanner}: {_harmless(self.failure)}",
                Reason.SCANNER_UNAVAILABLE,
            )
        named = ", ".join(self.names[:_SHOWN]) + (", ..." if len(self.names) > _SHOWN else "")
        scored = f"{self.score:g} of {self.required:g} points" if self.required else ""
        said = "; ".join(each for each in (self.advice, scored, named) if each) or "nothing"
        reason = Reason.SPAM if self.required else Reason.VIRUS
        return Finding(
            "scan",
            AuthStatus.FAIL if self.is_bad else AuthStatus.PASS,
            _harmless(f"{self.scanner} found {said}"),
            reason if self.is_bad else None,
            about=self.scanner if self.is_bad else "",
        )


def failed(scanner: str, why: str) -> ScanResult:
    """A scan that came to nothing."""
    return ScanResult(scanner, failure=why)


def _harmless(text: str) -> str:
    """Words of another program, fit for a reply."""
    return ascii(text[:_LONGEST])[1:-1][:_LONGEST]


# SpamAssassin's spamd: the protocol SPAMC/1.5 (spamd/PROTOCOL of its sources), the command SYMBOLS.
# SPAMD/1.1 0 EX_OK
_SPAMASSASSIN_STATUS: Final = re.compile(rb"SPAMD/[0-9.]+ ([0-9]{1,9})\b ?([^\r\n]*)\r?\n")
# Spam: True ; 1000.0 / 5.0
_SPAMASSASSIN_VERDICT: Final = re.compile(
    rb"^Spam:\s*(True|Yes|False|No)\s*;\s*(-?[0-9.]+)\s*/\s*(-?[0-9.]+)\s*$", re.IGNORECASE | re.MULTILINE
)


def _ask_spamassassin(question: ScanRequest) -> bytes:
    """Everything that is sent."""
    content = question.content
    return b"SYMBOLS SPAMC/1.5\r\nContent-length: %d\r\n\r\n%b" % (len(content), content)


def _read_spamassassin(answer: bytes) -> ScanResult:
    """Meaning of the answer, which ends with the connection."""
    status = _SPAMASSASSIN_STATUS.match(answer)
    if status is None:
        return failed("spamassassin", "the answer is not one of spamd")
    if int(status[1]):
        return failed(
            "spamassassin", f"spamd says {status[2].decode('ascii', 'replace') or status[1].decode()}"
        )
    head, _, body = answer[status.end() :].replace(b"\r\n", b"\n").partition(b"\n\n")
    verdict = _SPAMASSASSIN_VERDICT.search(head)
    if verdict is None:
        return failed("spamassassin", "the answer of spamd has no verdict")
    try:
        score, required = float(verdict[2]), float(verdict[3])
    except ValueError:
        return failed("spamassassin", "the answer of spamd has no points")
    is_spam = verdict[1].lower() in (b"true", b"yes")
    names = tuple(
        each for each in body.decode("ascii", "replace").replace("\n", ",").split(",") if each.strip()
    )
    return ScanResult("spamassassin", is_spam, score, required, names)


# rspamd: a POST to /checkv2 of its normal worker, and the JSON that comes back.
#
# HTTP/1.0, so that the answer comes in one piece and ends with the connection; one request needs no more.
_RSPAMD_STATUS: Final = re.compile(rb"HTTP/[0-9.]+ ([0-9]{3})\b")
_RSPAMD_NOT_IN_FIELD: Final = re.compile(r"[^\x20-\x7e]")
# The actions that turn mail away or aside; "no action" and "greylist" do not call it spam.
_RSPAMD_BAD: Final = frozenset(
    {"reject", "soft reject", "add header", "rewrite subject", "quarantine", "discard"}
)


def _ask_rspamd(question: ScanRequest) -> bytes:
    """Everything that is sent; the envelope goes into fields of the request."""
    lines = ["POST /checkv2 HTTP/1.0", f"Content-Length: {len(question.content)}", *_rspamd_fields(question)]
    return "\r\n".join([*lines, "\r\n"]).encode("ascii") + question.content


def _rspamd_fields(question: ScanRequest) -> Iterator[str]:
    known = [("IP", question.client), ("Helo", question.helo), ("From", question.sender)]
    for name, value in [*known, *(("Rcpt", recipient) for recipient in question.recipients)]:
        if value:
            yield f"{name}: {_RSPAMD_NOT_IN_FIELD.sub('?', value)}"


def _read_rspamd(answer: bytes) -> ScanResult:
    """Meaning of the answer, which ends with the connection."""
    status = _RSPAMD_STATUS.match(answer)
    if status is None:
        return failed("rspamd", "the answer is not HTTP")
    _, _, body = answer.partition(b"\r\n\r\n")
    if status[1] != b"200":
        return failed("rspamd", f"rspamd answers with status {status[1].decode()}")
    try:
        found: Any = json.loads(body)
        action = str(found["action"])
        score, required = float(found["score"]), float(found["required_score"])
        symbols: dict[str, Any] = dict(found.get("symbols") or {})
    except (ValueError, KeyError, TypeError, RecursionError):
        return failed("rspamd", "the answer of rspamd is not the JSON of /checkv2")
    names = tuple(str(name) for name, each in symbols.items() if _matters(each))
    return ScanResult("rspamd", action in _RSPAMD_BAD, score, required, names, action)


def _matters(symbol: object) -> bool:
    """Whether a symbol gave points; many only note something."""
    return not isinstance(symbol, dict) or bool(symbol.get("score", 1))


# ClamAV's clamd: the command INSTREAM (clamd(8)), in its form with NUL as the end of a line.
_CLAMAV_CHUNK: Final = 64 * 1024
_CLAMAV_START: Final = "stream: "
_CLAMAV_FOUND: Final = " FOUND"


def _ask_clamav(question: ScanRequest) -> bytes:
    """The command, then chunks with their length as four bytes in front, then an empty one."""
    content = question.content
    pieces = [b"zINSTREAM\0"]
    for at in range(0, len(content), _CLAMAV_CHUNK):
        chunk = content[at : at + _CLAMAV_CHUNK]
        pieces += [struct.pack("!I", len(chunk)), chunk]
    return b"".join([*pieces, bytes(4)])


def _read_clamav(answer: bytes) -> ScanResult:
    """Meaning of the answer: ``stream: OK``, ``stream: "clamav" FOUND``, or a sentence that ends with ERROR."""
    text = answer.rstrip(b"\0\r\n").decode("ascii", "replace")
    if text == f"{_CLAMAV_START}OK":
        return ScanResult("clamav")
    if text.startswith(_CLAMAV_START) and text.endswith(_CLAMAV_FOUND):
        return ScanResult("clamav", is_bad=True, names=(text[len(_CLAMAV_START) : -len(_CLAMAV_FOUND)],))
    return failed("clamav", f"clamd says {text}" if text else "clamd gave no answer")


class ScannerKind(NamedTuple):
    """One kind of scanner."""

    name: str
    port: int
    """Default address on which it listens."""
    request: Callable[[ScanRequest], bytes]
    read: Callable[[bytes], ScanResult]


SCANNERS: Final = MappingProxyType(
    {
        each.name: each
        for each in (
            ScannerKind("spamassassin", 783, _ask_spamassassin, _read_spamassassin),
            ScannerKind("rspamd", 11333, _ask_rspamd, _read_rspamd),
            ScannerKind("clamav", 3310, _ask_clamav, _read_clamav),
        )
    }
)
"""The scanners by name."""
