"""DMARC reports: who gets them, and how they are written (RFC 9990, RFC 9991, RFC 6591; RFC 7489 §7).

Pure: what is counted, and when reports leave, is elsewhere.
"""

from __future__ import annotations

import gzip
from base64 import encodebytes
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from html import escape
from typing import Final, NamedTuple
from urllib.parse import unquote

from fakemail.errors import DeclarationError
from fakemail.message.headers import body_offset
from fakemail.types.address import Address, address

NAMESPACE: Final = "urn:ietf:params:xml:ns:dmarc-2.0"
_MAILTO: Final = "mailto:"


def read_destinations(uris: Iterable[str]) -> tuple[Address, ...]:
    """The mail addresses among the URIs of ``rua=`` or ``ruf=``; a limit of size (``!10m``) is passed over."""
    found = []
    for uri in uris:
        if uri.lower().startswith(_MAILTO):
            try:
                found.append(address(unquote(uri[len(_MAILTO) :].partition("!")[0].partition("?")[0])))
            except DeclarationError:
                continue
    return tuple(dict.fromkeys(found))


def permission_name(policy_domain: str, destination: str) -> str:
    """Where a domain says that it takes the reports of another one (RFC 9990 §4, RFC 7489 §7.1)."""
    return f"{policy_domain}._report._dmarc.{destination}"


class DkimAuthResult(NamedTuple):
    """How one DKIM signature came out."""

    domain: str
    selector: str
    result: str
    detail: str = ""


class AggregateRow(NamedTuple):
    """What messages have in common that are counted together."""

    source_ip: str
    disposition: str
    dkim: str
    """Whether an aligned signature passed: ``pass`` or ``fail``."""
    spf: str
    header_from: str
    envelope_from: str
    envelope_to: str
    signatures: tuple[DkimAuthResult, ...]
    spf_domain: str
    spf_scope: str
    """``mfrom`` or ``helo``."""
    spf_result: str
    reasons: tuple[tuple[str, str], ...] = ()
    """Why something else was done than the domain asks for: one word of the schema, and a comment."""


class PolicyPublished(NamedTuple):
    """The record that the messages were judged by."""

    domain: str
    discovery_method: str
    """``treewalk`` or ``psl``."""
    tags: Mapping[str, str]
    """``p``, ``sp``, ``np``, ``fo``, ``adkim``, ``aspf``, ``testing``, as the schema calls them."""
    errors: tuple[str, ...] = ()
    """What in it is wrong, a sentence each."""


@dataclass(frozen=True, slots=True)
class AggregateReport:
    """What one host tells one domain about a day."""

    host: str
    published: PolicyPublished
    to: Address
    since: datetime
    until: datetime
    id: str
    """Unique; also the left side of the Message-ID."""
    rows: Counter[AggregateRow]


def to_xml(report: AggregateReport) -> str:
    """The report as the schema has it (RFC 9990 §3.1, Appendix A)."""
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<feedback xmlns="{NAMESPACE}">',
        "<version>1.0</version>",
    ]
    lines += [
        "<report_metadata>",
        *_elements(
            org_name=report.host, email=f"postmaster@{report.host}", report_id=f"{report.id}@{report.host}"
        ),
        "<date_range>",
        *_elements(begin=int(report.since.timestamp()), end=int(report.until.timestamp())),
        "</date_range>",
        *_if_given(error="; ".join(report.published.errors)),
        "</report_metadata>",
        "<policy_published>",
        *_elements(domain=report.published.domain, discovery_method=report.published.discovery_method),
        *_elements(**report.published.tags),
        "</policy_published>",
    ]
    for row, count in report.rows.items():
        lines += _record(row, count)
    return "\n".join([*lines, "</feedback>", ""])


def _record(row: AggregateRow, count: int) -> Iterator[str]:
    yield from ("<record>", "<row>", *_elements(source_ip=row.source_ip, count=count), "<policy_evaluated>")
    yield from _elements(disposition=row.disposition, dkim=row.dkim, spf=row.spf)
    for kind, comment in row.reasons:
        yield from ("<reason>", *_elements(type=kind), *_if_given(comment=comment), "</reason>")
    yield from ("</policy_evaluated>", "</row>", "<identifiers>")
    yield from _elements(header_from=row.header_from)
    yield from _if_given(envelope_from=row.envelope_from, envelope_to=row.envelope_to)
    yield from ("</identifiers>", "<auth_results>")
    for each in row.signatures:
        # What is malformed may have neither name; the schema has both elements all the same.
        yield from ("<dkim>", *_elements(domain=each.domain, selector=each.selector, result=each.result))
        yield from (*_if_given(human_result=each.detail), "</dkim>")
    yield from (
        "<spf>",
        *_elements(domain=row.spf_domain, scope=row.spf_scope, result=row.spf_result),
        "</spf>",
    )
    yield from ("</auth_results>", "</record>")


def _elements(**values: object) -> Iterator[str]:
    for name, value in values.items():
        yield f"<{name}>{escape(_printable(str(value)), quote=False)}</{name}>"


def _if_given(**values: str) -> Iterator[str]:
    """The elements that may be left out, where there is nothing to say."""
    yield from _elements(**{name: value for name, value in values.items() if value})


def _printable(text: str) -> str:
    """Without what XML 1.0 cannot hold at all (§2.2)."""
    return "".join(sign if sign.isprintable() else "?" for sign in text)


def write(report: AggregateReport) -> bytes:
    """The report as a message (RFC 9990 §3.5, RFC 7489 §7.2.1.1), with CRLF line ends."""
    # A fixed time in it, so that one seed gives the same octets.
    packed = gzip.compress(to_xml(report).encode(), mtime=0)
    domain = report.published.domain
    # filename = receiver "!" policy-domain "!" begin-timestamp "!" end-timestamp "!" unique-id "." extension
    times = f"{int(report.since.timestamp())}!{int(report.until.timestamp())}"
    name = f"{report.host}!{domain}!{times}!{report.id}.xml.gz"
    boundary = f"=_{report.id}/{report.host}"
    lines = [
        f"From: DMARC reports of {report.host} <dmarc-reports@{report.host}>",
        f"To: <{report.to}>",
        f"Subject: Report Domain: {domain}",
        f" Submitter: {report.host}",
        f" Report-ID: <{report.id}@{report.host}>",
        f"Date: {format_datetime(report.until)}",
        f"Message-ID: <{report.id}@{report.host}>",
        "Auto-Submitted: auto-generated",
        "MIME-Version: 1.0",
        f'Content-Type: multipart/mixed; boundary="{boundary}"',
        "",
        f"--{boundary}",
        "Content-Type: text/plain; charset=utf-8",
        "",
        f"This is a DMARC aggregate report of {report.host} about mail in the name of {domain}.",
        f"--{boundary}",
        "Content-Type: application/gzip",
        "Content-Transfer-Encoding: base64",
        f'Content-Disposition: attachment; filename="{name}"',
        "",
        *encodebytes(packed).decode("ascii").splitlines(),
        f"--{boundary}--",
        "",
    ]
    return "\r\n".join(lines).encode()


@dataclass(frozen=True, slots=True)
class AuthFailure:
    """One message that failed, as its domain is told at once."""

    host: str
    to: Address
    now: datetime
    id: str
    """Unique; also the left side of the Message-ID."""
    domain: str
    """Where the DMARC record was found."""
    results: str
    """What follows the name in Authentication-Results."""
    not_aligned: tuple[str, ...]
    """The methods that authenticated nobody who is aligned: ``dkim``, ``spf``."""
    source_ip: str
    sender: str
    """The reverse-path, in brackets."""
    recipients: tuple[Address, ...]
    delivery: str
    """``delivered``, ``spam``, ``policy`` or ``reject`` (RFC 6591 §3.2.2)."""
    signature: DkimAuthResult | None
    """One that failed, if there was one."""
    spf_record: str
    """Where SPF was asked for, and what was there."""
    original: bytes


def _feedback(failure: AuthFailure) -> list[str]:
    """What a program reads of the report (RFC 5965 §3, RFC 6591 §3.1, RFC 9991 §4)."""
    fields = [
        "Feedback-Type: auth-failure",
        "User-Agent: fakemail-dmarc/1.0",
        "Version: 1",
        "Auth-Failure: dmarc",
        f"Authentication-Results: {failure.host}; {failure.results}",
        f"Identity-Alignment: {', '.join(failure.not_aligned) or 'none'}",
        f"Original-Mail-From: {failure.sender}",
        *(f"Original-Rcpt-To: <{each}>" for each in failure.recipients),
        f"Arrival-Date: {format_datetime(failure.now)}",
        f"Reporting-MTA: dns; {failure.host}",
        f"Source-IP: {failure.source_ip}",
        f"Reported-Domain: {failure.domain}",
        f"Delivery-Result: {failure.delivery}",
    ]
    if failure.signature is not None and "dkim" in failure.not_aligned:
        fields += [f"DKIM-Domain: {failure.signature.domain}", f"DKIM-Selector: {failure.signature.selector}"]
    if failure.spf_record and "spf" in failure.not_aligned:
        fields.append(f"SPF-DNS: {failure.spf_record}")  # RFC 6591 §3.2.6
    return fields


def write_failure(failure: AuthFailure) -> bytes:
    """The report as a message: ARF with what is special to DMARC, and the header of the original."""
    boundary = f"=_{failure.id}/{failure.host}"
    head = failure.original[: body_offset(failure.original)]
    lines = [
        f"From: DMARC reports of {failure.host} <dmarc-reports@{failure.host}>",
        f"To: <{failure.to}>",
        f"Subject: A message in the name of {failure.domain} failed DMARC",
        f"Date: {format_datetime(failure.now)}",
        f"Message-ID: <{failure.id}@{failure.host}>",
        "Auto-Submitted: auto-generated",
        "MIME-Version: 1.0",
        'Content-Type: multipart/report; report-type="feedback-report";',
        f'\tboundary="{boundary}"',
        "",
        f"--{boundary}",
        "Content-Type: text/plain; charset=utf-8",
        "",
        f"A message from {failure.source_ip} in the name of {failure.domain} failed DMARC.",
        f"--{boundary}",
        "Content-Type: message/feedback-report",
        "",
        *_feedback(failure),
        "",
        f"--{boundary}",
        "Content-Type: text/rfc822-headers",
        "",
        "",
    ]
    return (
        "\r\n".join(lines).encode("utf-8", "replace")
        + head.rstrip(b"\r\n")
        + f"\r\n\r\n--{boundary}--\r\n".encode()
    )
