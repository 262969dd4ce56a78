"""Reads TLS reports: how the TLS of somebody's sessions with a domain went (RFC 8460)."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from fakemail.message.mime import Part

_TYPES: Final = ("application/tlsrpt+gzip", "application/tlsrpt+json")  # RFC 8460 §6.4, §6.5
_LARGEST: Final = 16 * 1024 * 1024
"""Octets of an unpacked report; what is longer is not read."""
_GZIP: Final = 16 + zlib.MAX_WBITS


@dataclass(frozen=True, slots=True)
class TlsFailure:
    """One way in which sessions failed."""

    type: str
    """The result type (RFC 8460 §4.3), such as ``certificate-expired``."""
    count: int
    """How many sessions."""
    mail_host: str = ""
    """The mail host that was tried."""
    detail: str = ""
    """What the report adds for people."""


@dataclass(frozen=True, slots=True)
class TlsPolicyReport:
    """Sessions under one policy."""

    type: str
    """``tlsa``, ``sts`` or ``no-policy-found``."""
    domain: str
    successes: int
    failures: int
    details: tuple[TlsFailure, ...] = ()
    strings: tuple[str, ...] = ()
    """The policy: TLSA records, or the lines of an MTA-STS policy."""


@dataclass(frozen=True, slots=True)
class TlsReport:
    """A TLS report."""

    organization: str
    """Who reports."""
    id: str
    since: str
    """The start of its time, as it is written there (RFC 3339)."""
    until: str
    policies: tuple[TlsPolicyReport, ...]
    data: Mapping[str, Any] = field(repr=False, compare=False, default_factory=dict)
    """All of it, as the JSON has it."""

    @property
    def successes(self) -> int:
        """Sessions that went well, under all policies."""
        return sum(policy.successes for policy in self.policies)

    @property
    def failures(self) -> int:
        """Sessions that failed, under all policies."""
        return sum(policy.failures for policy in self.policies)

    @property
    def details(self) -> tuple[TlsFailure, ...]:
        """The ways in which sessions failed, under all policies."""
        return tuple(detail for policy in self.policies for detail in policy.details)


def read_tls_report(root: Part) -> TlsReport | None:
    """The report that a message is, ``None`` if it is none, or cannot be read."""
    if root.content_type != "multipart/report":
        return None
    part = next((part for part in root.children if part.content_type in _TYPES), None)
    if part is None:
        return None
    try:
        content = part.content
        if part.content_type == _TYPES[0]:
            content = zlib.decompressobj(_GZIP).decompress(content, _LARGEST)
        return _read(json.loads(content))
    except (ValueError, TypeError, KeyError, AttributeError, zlib.error, RecursionError):
        return None


def _read(data: dict[str, Any]) -> TlsReport:
    times = data.get("date-range") or {}
    return TlsReport(
        str(data.get("organization-name", "")),
        str(data.get("report-id", "")),
        str(times.get("start-datetime", "")),
        str(times.get("end-datetime", "")),
        tuple(_policy(each) for each in data["policies"]),
        data,
    )


def _policy(data: dict[str, Any]) -> TlsPolicyReport:
    policy, summary = data["policy"], data.get("summary") or {}
    strings = policy.get("policy-string") or ()
    return TlsPolicyReport(
        str(policy.get("policy-type", "")),
        str(policy.get("policy-domain", "")),
        int(summary.get("total-successful-session-count", 0)),
        int(summary.get("total-failure-session-count", 0)),
        tuple(_failure(each) for each in data.get("failure-details") or ()),
        (strings,) if isinstance(strings, str) else tuple(map(str, strings)),
    )


def _failure(data: dict[str, Any]) -> TlsFailure:
    return TlsFailure(
        str(data["result-type"]),
        int(data.get("failed-session-count", 0)),
        str(data.get("receiving-mx-hostname", "")),
        str(data.get("additional-information", "")),
    )
