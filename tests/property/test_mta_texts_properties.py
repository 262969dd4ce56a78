"""Texts of strangers about TLS: what we write we can read, and garbage is a protocol error or nothing."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from fakemail.errors import ProtocolError
from fakemail.message.mime import parse
from fakemail.message.reports.arf_mdn import read_failure
from fakemail.message.reports.dmarc import (
    AggregateReport,
    AggregateRow,
    DkimAuthResult,
    PolicyPublished,
    read_dmarc_report,
    write,
)
from fakemail.message.reports.tlsrpt import read_recipients, read_tls_report
from fakemail.model.transport_security import LONGEST_AGE, STS_MODES
from fakemail.tls.dane import covers, read_tlsa
from fakemail.tls.mta_sts import StsPolicy, read_id, read_policy, write_policy
from fakemail.types.address import Address

ANN = Address("ann", "a.test")
WHEN = datetime(2026, 1, 2, tzinfo=UTC)

labels = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
hosts = st.builds(
    lambda star, parts: star + ".".join(parts),
    st.sampled_from(["", "*."]),
    st.lists(labels, min_size=2, max_size=4),
)
lines = st.sampled_from(
    ["version: STSv1", "mode: none", "mode: enforce", "mx: a.test", "max_age: 1", "mx: *", ":", "x: y"]
)


@given(st.sampled_from(STS_MODES), st.integers(0, LONGEST_AGE), st.lists(hosts, min_size=1, max_size=5))
def test_policies_round_trip(mode: str, age: int, mx: list[str]) -> None:
    policy = StsPolicy(mode, age, tuple(mx))  # type: ignore[arg-type]
    assert read_policy(write_policy(policy).encode()) == policy
    assert all(policy.lets(each.replace("*", "any")) for each in mx)


@given(st.binary(max_size=200) | st.lists(lines).map(lambda found: "\n".join(found).encode()))
def test_garbage_for_a_policy(octets: bytes) -> None:
    with suppress(ProtocolError):
        policy = read_policy(octets)
        assert read_policy(write_policy(policy).encode()) == policy


@given(
    st.lists(st.binary(max_size=60).map(lambda tail: b"v=STSv1;" + tail) | st.binary(max_size=60), max_size=3)
)
def test_garbage_for_an_id(texts: list[bytes]) -> None:
    found = read_id(texts)
    assert found is None or (found.isalnum() and len(found) <= 32)


@given(st.lists(st.binary(max_size=60).map(lambda tail: b"v=TLSRPTv1; rua=mailto:" + tail), max_size=2))
def test_garbage_for_recipients(texts: list[bytes]) -> None:
    read_recipients(texts)


@given(st.binary(max_size=80))
def test_garbage_for_a_tlsa_record(wire: bytes) -> None:
    found = read_tlsa(wire)
    assert found is None or found.is_usable in (True, False)


@given(st.text(max_size=20), st.text(max_size=20))
def test_any_names(pattern: str, name: str) -> None:
    covers(pattern, name)


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["policies", "policy", "summary", "failure-details", "result-type"]), inner
        )
    ),
    max_leaves=10,
)


@given(json, st.booleans())
def test_any_json_for_a_report(data: object, as_json: bool) -> None:
    from json import dumps

    body = dumps(data).encode()
    kind = "json" if as_json else "gzip"
    raw = b"\r\n".join(
        [
            b'Content-Type: multipart/report; report-type=tlsrpt; boundary="b"',
            b"",
            b"--b",
            b"Content-Type: application/tlsrpt+" + kind.encode(),
            b"",
            body,
            b"--b--",
            b"",
        ]
    )
    read_tls_report(parse(raw))


snippets = st.sampled_from(
    [
        "<feedback>",
        "</feedback>",
        "<record>",
        "</record>",
        "<row>",
        "<count>",
        "1",
        "</count>",
        "<!--",
        "&a;",
        "\x00",
    ]
)


@given(st.binary(max_size=200) | st.lists(snippets, max_size=20).map(lambda found: "".join(found).encode()))
def test_garbage_for_a_dmarc_report(octets: bytes) -> None:
    for head in (b"Content-Type: text/xml", b"Content-Type: multipart/report; boundary=x"):
        root = parse(head + b"\r\n\r\n" + octets)
        read_dmarc_report(root)
        assert read_failure(root) is None


@given(st.text(max_size=30), st.integers(1, 99))
def test_dmarc_rows_round_trip(odd: str, count: int) -> None:
    row = AggregateRow(
        "192.0.2.1",
        "none",
        "pass",
        "fail",
        odd,
        odd,
        odd,
        (DkimAuthResult(odd, odd, "pass"),),
        odd,
        "mfrom",
        "none",
    )
    report = AggregateReport(
        "mx.test",
        PolicyPublished("a.test", "psl", {"p": "none"}),
        ANN,
        WHEN,
        WHEN,
        "ID1",
        Counter({row: count}),
    )
    found = read_dmarc_report(parse(write(report)))
    assert found is not None
    assert [(each.source_ip, each.count) for each in found.rows] == [("192.0.2.1", count)]
    if odd.isprintable():
        assert found.rows[0].header_from == odd.strip()
