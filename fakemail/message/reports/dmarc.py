"""DMARC aggregate reports: who gets them, and how they are written and read (RFC 9990; RFC 7489 §7).

What is counted, and when reports leave, is elsewhere.
"""

from __future__ import annotations

import gzip
import zlib
from base64 import encodebytes
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from html import escape
from io import BytesIO
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import unquote

from fakemail.errors import DeclarationError
from fakemail.message.mime import Part
from fakemail.types.address import Address, address
from fakemail.types.dataclass import dataclass

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

# Writing ---------------------------------------------------------------------------------------------

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
    """Name at which a domain permits the reports of another one (RFC 9990 §4, RFC 7489 §7.1)."""
    return f"{policy_domain}._report._dmarc.{destination}"


class DkimAuthResult(NamedTuple):
    """Result of one DKIM signature."""

    domain: str
    selector: str
    result: str
    detail: str = ""


class AggregateRow(NamedTuple):
    """Key of messages that are counted together."""

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
    """The record that the messages were evaluated by."""

    domain: str
    discovery_method: str
    """``treewalk`` or ``psl``."""
    tags: Mapping[str, str]
    """``p``, ``sp``, ``np``, ``fo``, ``adkim``, ``aspf``, ``testing``, as the schema calls them."""
    errors: tuple[str, ...] = ()
    """Mistakes in it, a sentence each."""


@dataclass(frozen=True, slots=True)
class AggregateReport:
    """Report of one host to one domain about a day."""

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
    # A fixed time in it, so that one seed gives the same bytes.
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


# Reading ---------------------------------------------------------------------------------------------

_LARGEST: Final = 16 * 1024 * 1024
"""Bytes of an unpacked report; what is longer is not read."""
_GZIP: Final = 16 + zlib.MAX_WBITS
# RFC 7489 §7.2.1.1 has gzip; real reporters send zip as well, and bytes with a telling name.
_TYPES: Final = (
    "application/gzip",
    "application/x-gzip",
    "application/zip",
    "application/x-zip-compressed",
    "application/xml",
    "text/xml",
    "application/octet-stream",
)


@dataclass(frozen=True, slots=True)
class DmarcSignature:
    """One DKIM signature, whomever it speaks for."""

    domain: str
    selector: str
    result: str
    """``pass``, ``fail``, ``permerror``... (RFC 8601 §2.7.1)."""
    detail: str = ""
    """Text of the report for people."""


@dataclass(frozen=True, slots=True)
class DmarcRow:
    """Messages that came from one address and were evaluated alike."""

    source_ip: str
    count: int
    disposition: str
    """Disposition of them: ``none``, ``quarantine``, ``reject``; ``pass`` in newer reports."""
    dkim: str
    """Whether an aligned signature was good: ``pass`` or ``fail``."""
    spf: str
    """The same of SPF."""
    header_from: str
    """The domain of the author."""
    envelope_from: str = ""
    """The domain of the reverse-path."""
    envelope_to: str = ""
    """The domain of the recipients."""
    signatures: tuple[DmarcSignature, ...] = ()
    spf_domain: str = ""
    spf_result: str = ""
    reasons: tuple[tuple[str, str], ...] = ()
    """Why something else was done than the domain asks for: a word such as ``mailing_list``, and a comment."""

    @property
    def passes(self) -> bool:
        """Whether DMARC passed."""
        return "pass" in (self.dkim, self.spf)


@dataclass(frozen=True, slots=True)
class DmarcReport:
    """A DMARC aggregate report."""

    organization: str
    """The reporting organization."""
    email: str
    """Contact address."""
    id: str
    since: datetime
    until: datetime
    domain: str
    """Domain at which the DMARC record was found."""
    policy: str
    """Policy (``p=``)."""
    subdomain_policy: str
    rows: tuple[DmarcRow, ...]
    error: str = ""
    """Mistakes that the reporter found in the record."""

    @property
    def count(self) -> int:
        """All messages."""
        return sum(row.count for row in self.rows)

    @property
    def passed(self) -> int:
        """Messages for which DMARC passed."""
        return sum(row.count for row in self.rows if row.passes)

    @property
    def failed(self) -> int:
        """Messages for which it did not."""
        return self.count - self.passed


def read_dmarc_report(root: Part) -> DmarcReport | None:
    """The report that a message is, ``None`` if it is none, or cannot be read."""
    for part in _parts(root):
        try:
            text = _unpacked(part.content)
            if b"<feedback" in text and b"<!" not in text.replace(b"<!--", b""):  # no entities, which grow
                return _read(text)
        except (ValueError, KeyError, OverflowError, SyntaxError, NotImplementedError, zlib.error):
            continue
    return None


def _parts(root: Part) -> Iterator[Part]:
    if root.content_type in _TYPES:
        yield root
    for part in root.children:
        yield from _parts(part)


def _unpacked(content: bytes) -> bytes:
    if content.startswith(b"\x1f\x8b"):
        return zlib.decompressobj(_GZIP).decompress(content, _LARGEST)
    if content.startswith(b"PK\x03\x04"):
        return _unzipped(content)
    return content[:_LARGEST]


def _unzipped(content: bytes) -> bytes:
    import zipfile

    try:
        with zipfile.ZipFile(BytesIO(content)) as archive, archive.open(archive.infolist()[0]) as file:
            return file.read(_LARGEST)
    except (zipfile.BadZipFile, IndexError, EOFError, RuntimeError) as error:
        raise ValueError(str(error)) from None


def _read(text: bytes) -> DmarcReport:
    from xml.etree import ElementTree  # few messages are reports

    feedback = ElementTree.fromstring(text)  # there are no entities in it
    for each in feedback.iter():
        each.tag = each.tag.rpartition("}")[2]  # older reports have no namespace
    if feedback.tag != "feedback":
        raise ValueError("no report")
    return DmarcReport(
        organization=_text(feedback, "report_metadata/org_name"),
        email=_text(feedback, "report_metadata/email"),
        id=_text(feedback, "report_metadata/report_id"),
        since=_time(_text(feedback, "report_metadata/date_range/begin")),
        until=_time(_text(feedback, "report_metadata/date_range/end")),
        domain=_text(feedback, "policy_published/domain"),
        policy=_text(feedback, "policy_published/p"),
        subdomain_policy=_text(feedback, "policy_published/sp"),
        rows=tuple(_row(each) for each in feedback.findall("record")),
        error="; ".join(each.text or "" for each in feedback.findall("report_metadata/error")),
    )


def _row(record: Element) -> DmarcRow:
    results = record.find("auth_results")
    signatures = () if results is None else tuple(_signature(each) for each in results.findall("dkim"))
    return DmarcRow(
        source_ip=_text(record, "row/source_ip"),
        count=int(_text(record, "row/count")),
        disposition=_text(record, "row/policy_evaluated/disposition"),
        dkim=_text(record, "row/policy_evaluated/dkim"),
        spf=_text(record, "row/policy_evaluated/spf"),
        header_from=_text(record, "identifiers/header_from"),
        envelope_from=_text(record, "identifiers/envelope_from"),
        envelope_to=_text(record, "identifiers/envelope_to"),
        signatures=signatures,
        spf_domain=_text(record, "auth_results/spf/domain"),
        spf_result=_text(record, "auth_results/spf/result"),
        reasons=tuple(
            (_text(each, "type"), _text(each, "comment"))
            for each in record.findall("row/policy_evaluated/reason")
        ),
    )


def _signature(dkim: Element) -> DmarcSignature:
    return DmarcSignature(
        _text(dkim, "domain"), _text(dkim, "selector"), _text(dkim, "result"), _text(dkim, "human_result")
    )


def _text(element: Element, path: str) -> str:
    return (element.findtext(path) or "").strip()


def _time(text: str) -> datetime:
    return datetime.fromtimestamp(int(text), UTC)
