"""From packet to packet, with dnspython reading what we write."""

from __future__ import annotations

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import pytest

from fakemail.dns.codec import DnsQuestion, Edns, decode_reply, encode_query
from fakemail.dns.names import text_to_labels
from fakemail.dns.records import record
from fakemail.dns.responder import DnsResponse, Transport, failed, respond
from fakemail.dns.zones import Zones
from fakemail.errors import ProtocolError


@pytest.fixture(scope="module")
def zones() -> Zones:
    zones = Zones()
    zones.add_zone("example.org", name_servers=["ns1.example.org"])
    zones.add(
        record("example.org", "MX", "10 mx1.example.org"),
        record("example.org", "MX", "20 MX2.example.org"),
        record("mx1.example.org", "A", "192.0.2.1"),
        record("mx2.example.org", "AAAA", "2001:db8::2"),
        record("t600.example.org", "TXT", "x" * 600),
        record("t2000.example.org", "TXT", "x" * 2000),
        record("t5000.example.org", "TXT", "x" * 5000),
        record("www.example.org", "CNAME", "example.org"),
        record("broken.example.org", "MX", b"\x00"),
        record("sub.example.org", "NS", "ns.sub.example.org"),
        record("odd.example.org", "TYPE65280", b"\x01\x02"),
        record(r"a\255\.b.example.org", "A", "192.0.2.3"),
        *[record("many.example.org", "MX", f"{at} mail{at}.example.org") for at in range(20)],
        *[record(f"mail{at}.example.org", "A", f"192.0.2.{at}") for at in range(20)],
        *[record("huge.example.org", "TXT", f"{at:05d}" + "x" * 1000) for at in range(70)],
    )
    return zones


def ask(zones: Zones, query: dns.message.Message, transport: Transport = "udp") -> dns.message.Message:
    response = respond(zones, query.to_wire(), transport=transport)
    assert response is not None
    reply = dns.message.from_wire(response.wire)
    assert query.is_response(reply)
    return reply


def raw(zones: Zones, packet: bytes) -> DnsResponse:
    response = respond(zones, packet, transport="udp")
    assert response is not None
    return response


def test_an_answer_and_the_facts_for_the_log(zones: Zones) -> None:
    query = dns.message.make_query("Example.org", "MX")
    response = raw(zones, query.to_wire())
    assert (response.name, response.type, response.kind) == ("example.org", "MX", "NOERROR")
    assert response.records == ("MX 10 mx1.example.org.", "MX 20 MX2.example.org.")
    reply = dns.message.from_wire(response.wire)
    assert {str(each) for rrset in reply.additional for each in rrset} == {"192.0.2.1", "2001:db8::2"}
    assert reply.flags & dns.flags.AA
    assert reply.flags & dns.flags.RA


def test_the_case_of_the_question_is_echoed(zones: Zones) -> None:
    query = dns.message.make_query("eXaMPle.oRG", "MX")
    reply = ask(zones, query)
    assert reply.question[0].name.to_text() == "eXaMPle.oRG."
    assert len(reply.answer[0]) == 2


def test_names_are_compressed_whatever_case_was_asked_in(zones: Zones) -> None:
    lower = raw(zones, dns.message.make_query("many.example.org", "MX").to_wire()).wire
    mixed = raw(zones, dns.message.make_query("MANY.example.ORG", "MX").to_wire()).wire
    assert lower.count(b"\x07example\x03org\x00") == 1
    assert len(mixed) - len(lower) <= len(b"\x07example\x03org\x00")


def test_names_in_data_keep_their_case_whatever_was_asked(zones: Zones) -> None:
    reply = ask(zones, dns.message.make_query("EXAMPLE.org", "MX"))
    assert {str(each) for each in reply.answer[0]} == {"10 mx1.example.org.", "20 MX2.example.org."}


@pytest.mark.parametrize(
    ("name", "type", "rcode", "kind"),
    [
        ("example.org", "AAAA", "NOERROR", "NODATA"),
        ("nobody.example.org", "A", "NXDOMAIN", "NXDOMAIN"),
        ("nobody.test", "A", "NXDOMAIN", "NXDOMAIN"),
        (".", "NS", "NXDOMAIN", "NXDOMAIN"),
        ("example.org", "AXFR", "REFUSED", "REFUSED"),
        ("x.sub.example.org", "A", "SERVFAIL", "SERVFAIL"),
        ("odd.example.org", "TYPE65280", "NOERROR", "NOERROR"),
        (r"a\255\.b.EXAMPLE.org", "A", "NOERROR", "NOERROR"),
    ],
)
def test_response_codes(zones: Zones, name: str, type: str, rcode: str, kind: str) -> None:
    query = dns.message.make_query(name, type)
    assert dns.rcode.to_text(ask(zones, query).rcode()) == rcode
    assert raw(zones, query.to_wire()).kind == kind


def test_negative_answers_carry_the_soa(zones: Zones) -> None:
    for name in ("nobody.example.org", "nobody.test"):
        reply = ask(zones, dns.message.make_query(name, "A"))
        assert [dns.rdatatype.to_text(each.rdtype) for each in reply.authority] == ["SOA"]


def test_who_does_not_want_recursion_gets_the_referral(zones: Zones) -> None:
    query = dns.message.make_query("x.sub.example.org", "A", flags=0)
    reply = ask(zones, query)
    assert reply.authority[0].name.to_text() == "sub.example.org."
    assert not reply.flags & (dns.flags.AA | dns.flags.RD)
    assert raw(zones, query.to_wire()).kind == "REFERRAL"


def test_recursion_desired_and_checking_disabled_are_echoed(zones: Zones) -> None:
    for flags in (0, dns.flags.RD, dns.flags.CD, dns.flags.RD | dns.flags.CD):
        reply = ask(zones, dns.message.make_query("example.org", "A", flags=flags))
        assert reply.flags & (dns.flags.RD | dns.flags.CD) == flags


def test_malformed_records_are_served_as_they_are(zones: Zones) -> None:
    query = dns.message.make_query("broken.example.org", "MX").to_wire()
    response = raw(zones, query)
    assert response.records == (r"MX \# 1 00",)
    with pytest.raises(dns.exception.FormError):
        dns.message.from_wire(response.wire)
    with pytest.raises(ProtocolError):
        decode_reply(response.wire)


# EDNS


@pytest.mark.parametrize(
    ("payload", "name", "truncated"),
    [
        (None, "t600", True),
        (100, "t600", True),
        (512, "t600", True),
        (1232, "t600", False),
        (1232, "t2000", True),
        (4096, "t2000", False),
        (65000, "t5000", True),
    ],
)
def test_the_size_of_udp_replies(zones: Zones, payload: int | None, name: str, truncated: bool) -> None:
    query = dns.message.make_query(
        f"{name}.example.org", "TXT", payload=payload, use_edns=payload is not None and 0
    )
    response = raw(zones, query.to_wire())
    reply = dns.message.from_wire(response.wire)
    assert response.truncated == bool(reply.flags & dns.flags.TC) == truncated
    assert len(response.wire) <= max(512, min(payload or 512, 4096))
    assert reply.question == query.question
    assert (reply.edns == 0) is (payload is not None)
    if truncated:
        assert (reply.answer, reply.authority, reply.additional) == ([], [], [])
    assert ask(zones, query, "tcp").answer[0].rdtype == dns.rdatatype.TXT


def test_the_additional_section_is_dropped_before_anything_is_truncated(zones: Zones) -> None:
    query = dns.message.make_query("many.example.org", "MX", use_edns=False)
    reply = ask(zones, query)
    assert not reply.flags & dns.flags.TC
    assert len(reply.answer[0]) == 20
    assert reply.additional == []
    assert len(ask(zones, query, "tcp").additional) == 20


def test_what_exceeds_a_message_is_truncated_over_tcp_as_well(zones: Zones) -> None:
    reply = ask(zones, dns.message.make_query("huge.example.org", "TXT"), "tcp")
    assert reply.flags & dns.flags.TC


def test_the_dnssec_bit_is_echoed(zones: Zones) -> None:
    for wanted in (False, True):
        reply = ask(zones, dns.message.make_query("example.org", "A", want_dnssec=wanted))
        assert bool(reply.ednsflags & dns.flags.DO) is wanted


def test_an_unknown_edns_version_is_told_so(zones: Zones) -> None:
    query = dns.message.make_query("example.org", "A")
    query.use_edns(1)
    reply = ask(zones, query)
    assert (reply.rcode(), reply.edns) == (dns.rcode.BADVERS, 0)
    assert raw(zones, query.to_wire()).kind == "BADVERS"


def test_edns_options_do_not_disturb(zones: Zones) -> None:
    query = dns.message.make_query("example.org", "A", options=[dns.edns.CookieOption(b"12345678", b"")])
    assert ask(zones, query).rcode() == dns.rcode.NOERROR


# What is no query


def test_other_classes_are_refused(zones: Zones) -> None:
    assert ask(zones, dns.message.make_query("version.bind", "TXT", "CH")).rcode() == dns.rcode.REFUSED


def test_other_opcodes_are_not_implemented(zones: Zones) -> None:
    query = dns.message.make_query("example.org", "SOA")
    query.set_opcode(dns.opcode.NOTIFY)
    response = raw(zones, query.to_wire())
    reply = dns.message.from_wire(response.wire)
    assert (reply.rcode(), reply.opcode(), reply.id) == (dns.rcode.NOTIMP, dns.opcode.NOTIFY, query.id)
    assert (response.kind, response.name, response.type) == ("NOTIMP", "", "")


HEADER = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"
QUESTION = b"\x01x\x04test\x00\x00\x01\x00\x01"
OPT = b"\x00\x00\x29\x10\x00\x00\x00\x00\x00\x00\x00"


@pytest.mark.parametrize(
    ("packet", "name"),
    [
        pytest.param(HEADER, "", id="no question"),
        pytest.param(HEADER[:5] + b"\x00" + HEADER[6:], "", id="none announced"),
        pytest.param(HEADER[:5] + b"\x02" + HEADER[6:] + QUESTION * 2, "", id="two questions"),
        pytest.param(HEADER + QUESTION[:-1], "", id="cut in the question"),
        pytest.param(HEADER + b"\x05ab", "", id="cut in a label"),
        pytest.param(HEADER + b"\xc0", "", id="cut in a pointer"),
        pytest.param(HEADER + b"\xc0\x0c\x00\x01\x00\x01", "", id="pointer to itself"),
        pytest.param(HEADER + b"\xc0\x20\x00\x01\x00\x01", "", id="pointer forwards"),
        pytest.param(
            HEADER + b"\x41" + b"x" * 65 + b"\x00\x00\x01\x00\x01", "", id="label of a reserved kind"
        ),
        pytest.param(HEADER + (b"\x3f" + b"x" * 63) * 4 + b"\x00\x00\x01\x00\x01", "", id="name too long"),
        pytest.param(HEADER + QUESTION + b"!", "x.test", id="octets after the end"),
        pytest.param(HEADER[:11] + b"\x01" + QUESTION, "x.test", id="record missing"),
        pytest.param(HEADER[:11] + b"\x01" + QUESTION + OPT[:-1], "x.test", id="OPT cut"),
        pytest.param(HEADER[:11] + b"\x02" + QUESTION + OPT * 2, "x.test", id="two OPT"),
        pytest.param(
            HEADER[:11] + b"\x01" + QUESTION + b"\xc0\x0c" + OPT[1:], "x.test", id="OPT with a name"
        ),
    ],
)
def test_malformed_queries_get_formerr_with_their_id(zones: Zones, packet: bytes, name: str) -> None:
    response = raw(zones, packet)
    reply = dns.message.from_wire(response.wire)
    assert (reply.rcode(), reply.id) == (dns.rcode.FORMERR, 0x1234)
    assert reply.flags & dns.flags.RD
    assert (response.kind, response.name) == ("FORMERR", name)


def test_silence_for_what_is_too_short_or_itself_a_reply(zones: Zones) -> None:
    assert respond(zones, HEADER[:11], transport="udp") is None
    assert respond(zones, b"", transport="udp") is None
    assert respond(zones, HEADER[:2] + b"\x81" + HEADER[3:] + QUESTION, transport="udp") is None


@pytest.mark.parametrize(("packet", "name"), [(HEADER + QUESTION, "x.test"), (HEADER, "")])
def test_the_reply_when_our_own_code_failed(packet: bytes, name: str) -> None:
    response = failed(packet)
    assert response is not None
    reply = dns.message.from_wire(response.wire)
    assert (reply.rcode(), reply.id) == (dns.rcode.SERVFAIL, 0x1234)
    assert (response.name, response.kind) == (name, "SERVFAIL")
    assert failed(packet[:11]) is None


def test_our_own_failure_in_reading_is_answered_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fakemail.dns.responder.decode_query", None)
    response = failed(HEADER + QUESTION)
    assert response is not None
    assert dns.message.from_wire(response.wire).rcode() == dns.rcode.SERVFAIL


# The client's half


def test_what_we_ask_dnspython_understands() -> None:
    labels = text_to_labels(r"a\.b.Example.org")
    question = DnsQuestion(7, labels, "", "MX", 1, edns=Edns(1232, 0, dnssec_ok=True), checking_disabled=True)
    query = dns.message.from_wire(encode_query(question))
    assert query.question[0].to_text() == r"a\.b.Example.org. IN MX"
    assert (query.id, query.payload, query.ednsflags) == (7, 1232, dns.flags.DO)
    assert query.flags == dns.flags.RD | dns.flags.CD


REPLY = """\
id 9
opcode QUERY
rcode {rcode}
flags QR AA RD RA
;QUESTION
X.test. IN ANY
;ANSWER
X.test. 5 IN A 192.0.2.1
X.test. 5 IN AAAA 2001:db8::1
X.test. 5 IN MX 10 Mx.X.test.
X.test. 5 IN SRV 1 2 3 srv.X.test.
X.test. 5 IN TXT "a b" "c"
X.test. 5 IN PTR ptr.X.test.
X.test. 5 IN TYPE65280 \\# 2 0102
"""


def test_what_dnspython_answers_we_understand() -> None:
    reply = decode_reply(dns.message.from_text(REPLY.format(rcode="NOERROR")).to_wire())
    assert (reply.id, reply.name, reply.type, reply.rcode, reply.authoritative) == (
        9,
        "x.test",
        "ANY",
        "NOERROR",
        True,
    )
    assert {each.type: each.value for each in reply.answer} == {
        "A": "192.0.2.1",
        "AAAA": "2001:db8::1",
        "MX": (10, "Mx.X.test"),
        "SRV": (1, 2, 3, "srv.X.test"),
        "TXT": b"a bc",
        "PTR": "ptr.X.test",
        "TYPE65280": b"\x01\x02",
    }
    assert {(each.name, each.ttl) for each in reply.answer} == {("x.test", 5)}


def test_extended_response_codes_are_put_together() -> None:
    message = dns.message.from_text(REPLY.format(rcode="NOERROR"))
    message.use_edns(0)
    message.set_rcode(dns.rcode.BADVERS)
    assert decode_reply(message.to_wire()).rcode == "BADVERS"


@pytest.mark.parametrize(
    ("type", "data"),
    [
        ("A", b"\x01\x02\x03"),
        ("AAAA", b"\x01"),
        ("MX", b"\x00\x0a"),
        ("MX", b"\x00\x0a\x03ab"),
        ("MX", b"\x00\x0a\x00\x00"),
        ("SRV", b"\x00\x00"),
        ("CNAME", b""),
        ("TXT", b"\x05ab"),
    ],
)
def test_malformed_data_is_found_by_our_client(type: str, data: bytes) -> None:
    zones = Zones()
    zones.add_zone("test")
    zones.add(record("x.test", type, data))
    response = raw(zones, dns.message.make_query("x.test", type).to_wire())
    with pytest.raises(ProtocolError):
        decode_reply(response.wire)


@pytest.mark.parametrize("packet", [b"", HEADER + QUESTION, b"\0\0\x80\0" + b"\0" * 8])
def test_what_is_no_reply_is_found_by_our_client(packet: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode_reply(packet)


def test_the_largest_record_fits_whatever_its_name_is() -> None:
    zones = Zones()
    zones.add_zone("example.org")
    name = ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 40, "example.org"])
    data = '"' + '" "'.join(["x" * 255] * 253 + ["x" * 166]) + '"'
    largest = record(name, "TXT", data)
    assert len(largest.wire) == 64935
    zones.add(largest)
    reply = ask(zones, dns.message.make_query(name, "TXT", use_edns=0), "tcp")
    assert not reply.flags & dns.flags.TC
    assert len(reply.answer) == 1
