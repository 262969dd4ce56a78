"""Reads DMARC aggregate reports: what came in the name of a domain, and how it was judged (RFC 9990, RFC 7489)."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from typing import TYPE_CHECKING, Final

from fakemail.message.mime import Part

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_LARGEST: Final = 16 * 1024 * 1024
"""Octets of an unpacked report; what is longer is not read."""
_GZIP: Final = 16 + zlib.MAX_WBITS
# RFC 7489 §7.2.1.1 has gzip; real reporters send zip as well, and octets with a telling name.
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
    """What the report adds for people."""


@dataclass(frozen=True, slots=True)
class DmarcRow:
    """Messages that came from one address and were judged alike."""

    source_ip: str
    count: int
    disposition: str
    """What became of them: ``none``, ``quarantine``, ``reject``; ``pass`` in newer reports."""
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
    """Who reports."""
    email: str
    """Whom to ask about it."""
    id: str
    since: datetime
    until: datetime
    domain: str
    """Where the DMARC record was found."""
    policy: str
    """What it asks for (``p=``)."""
    subdomain_policy: str
    rows: tuple[DmarcRow, ...]
    error: str = ""
    """What the reporter found wrong with the record."""

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
