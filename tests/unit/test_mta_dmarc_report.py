"""DMARC reports: who gets them, and that what is written can be read (RFC 9990, RFC 6591)."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections import Counter
from datetime import UTC, datetime
from email.message import EmailMessage

import pytest

from fakemail.message import samples
from fakemail.message.message import MessageView
from fakemail.message.reports.arf_mdn import AuthFailure, write_failure
from fakemail.message.reports.dmarc import (
    NAMESPACE,
    AggregateReport,
    AggregateRow,
    DkimAuthResult,
    DmarcRow,
    DmarcSignature,
    PolicyPublished,
    permission_name,
    read_destinations,
    to_xml,
    write,
)
from fakemail.types.address import Address

SINCE, UNTIL = datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 5, 2, tzinfo=UTC)
ROW = AggregateRow(
    source_ip="198.51.100.7",
    disposition="none",
    dkim="fail",
    spf="pass",
    header_from="shop.test",
    envelope_from="shop.test",
    envelope_to="example.org",
    signatures=(DkimAuthResult("lists.test", "mail", "fail", "the body was altered & <more>"),),
    spf_domain="shop.test",
    spf_scope="mfrom",
    spf_result="pass",
    reasons=(("mailing_list", "it came by friends@lists.test"),),
)
TAGS = {"p": "quarantine", "sp": "reject", "fo": "0", "adkim": "r", "aspf": "r"}


def report() -> AggregateReport:
    rows = Counter({ROW: 3, ROW._replace(spf="fail", disposition="quarantine"): 1})
    published = PolicyPublished("shop.test", "treewalk", TAGS)
    return AggregateReport(
        "mx1.example.org", published, Address("dmarc", "shop.test"), SINCE, UNTIL, "ABC00001", rows
    )


@pytest.mark.parametrize(
    ("uris", "addresses"),
    [
        (["mailto:a@a.test"], ["a@a.test"]),
        (["mailto:a@a.test!10m", "MAILTO:b@a.test?subject=x", "https://a.test"], ["a@a.test", "b@a.test"]),
        (["mailto:a%2Bb@a.test", "mailto:nobody", "mailto:a%2Bb@a.test"], ["a+b@a.test"]),
        ([], []),
    ],
)
def test_destinations(uris, addresses):
    """RFC 7489 §6.2: dmarc-uri = URI [ "!" 1*DIGIT [ "k" / "m" / "g" / "t" ] ]."""
    assert [str(each) for each in read_destinations(uris)] == addresses


def test_where_permission_is_given():
    """RFC 7489 §7.1."""
    assert permission_name("a.test", "b.test") == "a.test._report._dmarc.b.test"


def test_an_aggregate_report_is_read_as_it_was_written():
    raw = write(report())
    assert max(map(len, raw.splitlines())) <= 998
    mail = MessageView(raw)
    assert mail.subject == (
        "Report Domain: shop.test Submitter: mx1.example.org Report-ID: <ABC00001@mx1.example.org>"
    )
    [attachment] = mail.attachments
    assert attachment.filename == "mx1.example.org!shop.test!1777593600!1777680000!ABC00001.xml.gz"
    found = mail.dmarc_report
    assert (found.organization, found.id, found.domain) == (
        "mx1.example.org",
        "ABC00001@mx1.example.org",
        "shop.test",
    )
    assert (found.since, found.until, found.policy, found.subdomain_policy) == (
        SINCE,
        UNTIL,
        "quarantine",
        "reject",
    )
    assert (found.count, found.passed, found.failed) == (4, 3, 1)
    assert found.rows[0] == DmarcRow(
        "198.51.100.7",
        3,
        "none",
        "fail",
        "pass",
        "shop.test",
        "shop.test",
        "example.org",
        (DmarcSignature("lists.test", "mail", "fail", "the body was altered & <more>"),),
        "shop.test",
        "pass",
        (("mailing_list", "it came by friends@lists.test"),),
    )


def test_a_signature_without_names_has_its_elements_all_the_same():
    """RFC 9990, DKIMAuthResultType and SPFAuthResultType: domain and selector have to be there."""
    row = ROW._replace(
        signatures=(DkimAuthResult("", "", "permerror", "malformed"),), spf_domain="", envelope_from=""
    )
    text = to_xml(
        AggregateReport(
            "mx1.example.org", report().published, report().to, SINCE, UNTIL, "1", Counter({row: 1})
        )
    )
    assert "<dkim>\n<domain></domain>\n<selector></selector>\n<result>permerror</result>" in text
    assert "<spf>\n<domain></domain>\n<scope>" in text
    assert "envelope_from" not in text


def zipped(text: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("report.xml", text)
    return file.getvalue()


@pytest.mark.parametrize(
    ("kind", "pack"),
    [
        ("application/zip", zipped),
        ("application/gzip", lambda text: gzip.compress(text.encode())),
        ("text/xml", str.encode),
        ("application/octet-stream", lambda text: gzip.compress(text.encode())),
    ],
)
def test_reports_of_others(kind, pack):
    """With or without a namespace, packed in any way, alone or attached."""
    text = to_xml(report()).replace(f' xmlns="{NAMESPACE}"', "")
    main, _, sub = kind.partition("/")
    alone, attached = EmailMessage(), EmailMessage()
    alone.set_content(pack(text), main, sub)
    attached.set_content("See there")
    attached.add_attachment(pack(text), main, sub, filename="report")
    for message in (alone, attached):
        assert MessageView(message.as_bytes()).dmarc_report.count == 4


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<feedback/>",
        b"<feedback><record>",
        b"<!DOCTYPE x [<!ENTITY a 'b'>]><feedback>&a;</feedback>",
        b"\x1f\x8b garbage",
        b"PK\x03\x04 garbage",
        gzip.compress(b"<feedback>" + b"<a>" * 100_000),
    ],
)
def test_what_is_no_report(content):
    message = EmailMessage()
    message.set_content(content, "application", "gzip")
    assert MessageView(message.as_bytes()).dmarc_report is None
    assert MessageView(samples.plain()).dmarc_report is None


def failure(**changes: object) -> AuthFailure:
    values = {
        "host": "mx1.example.org",
        "to": Address("ruf", "shop.test"),
        "now": UNTIL,
        "id": "ABC00002",
        "domain": "shop.test",
        "results": "dmarc=fail header.from=shop.test",
        "not_aligned": ("dkim", "spf"),
        "source_ip": "198.51.100.7",
        "sender": "<eve@evil.test>",
        "recipients": (Address("bob", "example.org"),),
        "delivery": "reject",
        "signature": DkimAuthResult("shop.test", "mail", "fail"),
        "spf_record": 'txt : shop.test : "v=spf1 -all"',
        "original": b"From: a@shop.test\r\nMessage-ID: <1@shop.test>\r\n\r\nsecret\r\n",
    }
    return AuthFailure(**{**values, **changes})  # type: ignore[arg-type]


def test_a_failure_report_is_read_as_it_was_written():
    """RFC 6591 §3.1, RFC 9991 §4."""
    mail = MessageView(write_failure(failure()))
    found = mail.failure_report
    assert (found.kind, found.domain, found.delivery) == ("dmarc", "shop.test", "reject")
    assert (found.source_ip, found.sender, found.recipients) == (
        "198.51.100.7",
        "eve@evil.test",
        ("bob@example.org",),
    )
    assert (found.not_aligned, found.dkim_domain, found.dkim_selector) == (
        ("dkim", "spf"),
        "shop.test",
        "mail",
    )
    assert found.spf_record == 'txt : shop.test : "v=spf1 -all"'
    assert found.results == "mx1.example.org; dmarc=fail header.from=shop.test"
    assert found.original_message_id == "<1@shop.test>"
    assert b"secret" not in mail.raw
    assert MessageView(samples.plain()).failure_report is None


def test_what_failed_is_told_and_nothing_else():
    found = MessageView(write_failure(failure(not_aligned=("spf",), signature=None))).failure_report
    assert (found.not_aligned, found.dkim_domain) == (("spf",), "")
    assert MessageView(write_failure(failure(not_aligned=()))).failure_report.not_aligned == ()
