"""TLS reports (RFC 8460): who wants them, what is counted, and how a report is written and read.

Whose sessions are counted, and when reports leave, is elsewhere.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from base64 import encodebytes
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import field
from datetime import datetime
from email.utils import format_datetime
from typing import Any, Final, NamedTuple

from fakemail.errors import DeclarationError
from fakemail.message.mime import Part
from fakemail.types.address import Address, address
from fakemail.types.dataclass import dataclass

# Writing ---------------------------------------------------------------------------------------------

# RFC 8460 §3: tlsrpt-record = tlsrpt-version 1*(field-delim tlsrpt-field) [field-delim]
_VERSION = re.compile(rb"v=TLSRPTv1[ \t]*;")
_MAILTO: Final = "mailto:"


def record_of(domain: str) -> str:
    """The name of the TXT record with which a domain asks for reports (RFC 8460 §3)."""
    return f"_smtp._tls.{domain}"


def read_recipients(texts: Iterable[bytes]) -> tuple[Address, ...]:
    """The mail addresses to which reports go; none when there is not exactly one record. ``https:`` is left out."""
    ours = [text for text in texts if _VERSION.match(text)]
    if len(ours) != 1:
        return ()
    found: list[Address] = []
    for field_text in ours[0].decode("ascii", "replace").split(";")[1:]:
        key, _, value = field_text.strip(" \t").partition("=")
        if key.strip(" \t") != "rua":
            continue
        for uri in value.split(","):
            if uri.strip(" \t").lower().startswith(_MAILTO):
                try:
                    found.append(address(uri.strip(" \t")[len(_MAILTO) :].partition("?")[0]))
                except DeclarationError:
                    continue
    return tuple(found)


class AppliedPolicy(NamedTuple):
    """The policy that was applied to sessions (RFC 8460 §4.4)."""

    type: str
    """``tlsa``, ``sts`` or ``no-policy-found``."""
    strings: tuple[str, ...] = ()
    """The TLSA records, or the lines of the policy file."""
    mx: tuple[str, ...] = ()
    """The ``mx`` patterns of the policy file."""


class TlsFailureDetail(NamedTuple):
    """One way in which sessions failed."""

    type: str
    """A result type of RFC 8460 §4.3, such as ``certificate-expired``."""
    mail_host: str
    receiving_ip: str
    sending_ip: str
    detail: str


@dataclass
class SessionCount:
    """Sessions with one domain under one policy."""

    successes: int = 0
    failures: Counter[TlsFailureDetail] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class TlsReportData:
    """Report of one host to one domain about a day."""

    host: str
    domain: str
    to: Address
    since: datetime
    until: datetime
    id: str
    """Unique; also the left side of the Message-ID."""
    counts: dict[AppliedPolicy, SessionCount]


def to_json(report: TlsReportData) -> dict[str, Any]:
    """The report as RFC 8460 §4.4 has it."""
    return {
        "organization-name": report.host,
        "date-range": {"start-datetime": _instant(report.since), "end-datetime": _instant(report.until)},
        "contact-info": f"postmaster@{report.host}",
        "report-id": f"{report.id}@{report.host}",
        "policies": [
            _policy_object(report.domain, applied, count) for applied, count in report.counts.items()
        ],
    }


def _policy_object(domain: str, applied: AppliedPolicy, count: SessionCount) -> dict[str, Any]:
    policy: dict[str, Any] = {"policy-type": applied.type}
    if applied.strings:
        policy["policy-string"] = list(applied.strings)
    policy["policy-domain"] = domain
    if applied.mx:
        policy["mx-host"] = list(applied.mx)
    told: dict[str, Any] = {
        "policy": policy,
        "summary": {
            "total-successful-session-count": count.successes,
            "total-failure-session-count": count.failures.total(),
        },
    }
    if count.failures:
        told["failure-details"] = [
            _failure_object(failure, times) for failure, times in count.failures.items()
        ]
    return told


def _failure_object(failure: TlsFailureDetail, times: int) -> dict[str, Any]:
    told = {
        "result-type": failure.type,
        "sending-mta-ip": failure.sending_ip,
        "receiving-mx-hostname": failure.mail_host,
        "receiving-ip": failure.receiving_ip,
        "failed-session-count": times,
        "additional-information": failure.detail,
    }
    return {key: value for key, value in told.items() if value != ""}


def _instant(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"


def write(report: TlsReportData) -> bytes:
    """The report as a message (RFC 8460 §5.3), with CRLF line ends."""
    # A fixed time in it, so that one seed gives the same bytes.
    packed = gzip.compress(json.dumps(to_json(report), indent=1).encode(), mtime=0)
    # RFC 8460 §5.1: filename = sender "!" policy-domain "!" begin-timestamp "!" end-timestamp "!" unique-id
    times = f"{int(report.since.timestamp())}!{int(report.until.timestamp())}"
    name = f"{report.host}!{report.domain}!{times}!{report.id}.json.gz"
    boundary = f"=_{report.id}/{report.host}"
    lines = [
        f"From: TLS reports of {report.host} <tls-reports@{report.host}>",
        f"To: <{report.to}>",
        f"Subject: Report Domain: {report.domain}",
        f" Submitter: {report.host}",
        f" Report-ID: <{report.id}@{report.host}>",
        f"Date: {format_datetime(report.until)}",
        f"Message-ID: <{report.id}@{report.host}>",
        f"TLS-Report-Domain: {report.domain}",
        f"TLS-Report-Submitter: {report.host}",
        "TLS-Required: No",  # RFC 8460 §5.3: such a report goes even where TLS is what fails
        "Auto-Submitted: auto-generated",
        "MIME-Version: 1.0",
        'Content-Type: multipart/report; report-type="tlsrpt";',
        f'\tboundary="{boundary}"',
        "",
        f"--{boundary}",
        "Content-Type: text/plain; charset=utf-8",
        "",
        f"This is a TLS report of {report.host} about mail to {report.domain}.",
        f"--{boundary}",
        "Content-Type: application/tlsrpt+gzip",
        "Content-Transfer-Encoding: base64",
        f'Content-Disposition: attachment; filename="{name}"',
        "",
        *encodebytes(packed).decode("ascii").splitlines(),
        f"--{boundary}--",
        "",
    ]
    return "\r\n".join(lines).encode()


# Reading ---------------------------------------------------------------------------------------------

_TYPES: Final = ("application/tlsrpt+gzip", "application/tlsrpt+json")  # RFC 8460 §6.4, §6.5
_LARGEST: Final = 16 * 1024 * 1024
"""Bytes of an unpacked report; what is longer is not read."""
_GZIP: Final = 16 + zlib.MAX_WBITS


@dataclass(frozen=True, slots=True)
class TlsFailure:
    """One way in which sessions failed."""

    type: str
    """The result type (RFC 8460 §4.3), such as ``certificate-expired``."""
    count: int
    """Number of sessions."""
    mail_host: str = ""
    """The mail host that was tried."""
    detail: str = ""
    """Text of the report for people."""


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
    """The reporting organization."""
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
