"""TLS reports: who gets them, and that what is written can be read (RFC 8460)."""

from __future__ import annotations

import gzip
from collections import Counter
from datetime import UTC, datetime

import pytest

from fakemail.message.message import MessageView
from fakemail.message.reports.tlsrpt import (
    AppliedPolicy,
    SessionCount,
    TlsFailure,
    TlsFailureDetail,
    TlsPolicyReport,
    TlsReportData,
    read_recipients,
    write,
)
from fakemail.types.address import Address


@pytest.mark.parametrize(
    ("texts", "addresses"),
    [
        ([b"v=TLSRPTv1;rua=mailto:reports@example.com"], ["reports@example.com"]),
        ([b"v=TLSRPTv1; rua=https://a.test/v1,mailto:b@a.test"], ["b@a.test"]),
        ([b"v=TLSRPTv1; rua=mailto:a@a.test, mailto:b@a.test?x=y;"], ["a@a.test", "b@a.test"]),
        ([b"v=TLSRPTv1; rua=mailto:nobody"], []),
        ([b"v=TLSRPTv1; rua=mailto:a@a.test", b"v=TLSRPTv1; rua=mailto:b@a.test"], []),
        ([b"v=TLSRPTv2; rua=mailto:a@a.test"], []),
        ([], []),
    ],
)
def test_recipients(texts: list[bytes], addresses: list[str]) -> None:  # RFC 8460 §3
    assert [str(each) for each in read_recipients(texts)] == addresses


def report() -> TlsReportData:
    failures = Counter(
        {TlsFailureDetail("certificate-expired", "mx.example.org", "192.0.2.1", "192.0.2.2", "old"): 3}
    )
    return TlsReportData(
        "smtp.shop.test",
        "example.org",
        Address("tls", "example.org"),
        datetime(2026, 5, 1, tzinfo=UTC),
        datetime(2026, 5, 2, tzinfo=UTC),
        "ABC00001",
        {
            AppliedPolicy("sts", ("version: STSv1", "mode: enforce"), ("mx.example.org",)): SessionCount(
                5, failures
            ),
            AppliedPolicy("no-policy-found"): SessionCount(1),
        },
    )


def test_a_report_is_read_as_it_was_written() -> None:
    raw = write(report())
    assert max(map(len, raw.splitlines())) <= 998
    found = MessageView(raw).tls_report
    assert found is not None
    assert (found.organization, found.id) == ("smtp.shop.test", "ABC00001@smtp.shop.test")
    assert (found.since, found.until) == ("2026-05-01T00:00:00Z", "2026-05-02T00:00:00Z")
    assert found.policies == (
        TlsPolicyReport(
            "sts",
            "example.org",
            5,
            3,
            (TlsFailure("certificate-expired", 3, "mx.example.org", "old"),),
            ("version: STSv1", "mode: enforce"),
        ),
        TlsPolicyReport("no-policy-found", "example.org", 1, 0),
    )
    assert (found.successes, found.failures) == (6, 3)
    assert found.data["policies"][0]["policy"]["mx-host"] == ["mx.example.org"]


def test_the_message_around_it() -> None:  # RFC 8460 §5.3
    view = MessageView(write(report()))
    assert view.subject == (
        "Report Domain: example.org Submitter: smtp.shop.test Report-ID: <ABC00001@smtp.shop.test>"
    )
    assert view.headers["TLS-Required"] == "No"
    [attached] = view.attachments
    assert attached.content_type == "application/tlsrpt+gzip"
    name = "smtp.shop.test!example.org!1777593600!1777680000!ABC00001.json.gz"
    assert attached.filename == name
    assert gzip.decompress(attached.content).startswith(b"{")


def test_the_same_report_has_the_same_octets() -> None:
    assert write(report()) == write(report())


@pytest.mark.parametrize(
    ("old", "new"), [(b"tlsrpt+gzip", b"zip"), (b"multipart/report", b"multipart/mixed")]
)
def test_what_is_no_report(old: bytes, new: bytes) -> None:
    assert MessageView(write(report()).replace(old, new)).tls_report is None
