"""What holds for every packet, every name, every record and every zone."""

from __future__ import annotations

import contextlib

import dns.message
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
from hypothesis import given, settings
from hypothesis import strategies as st

from fakemail.dns.codec import decode_reply
from fakemail.dns.lookup import lookup
from fakemail.dns.names import labels_to_text, read_name, text_to_labels
from fakemail.dns.rdata import txt
from fakemail.dns.records import record
from fakemail.dns.responder import respond
from fakemail.dns.zones import Zones
from fakemail.errors import DeclarationError, ProtocolError

_zones = Zones()
_zones.add_zone("test", name_servers=["ns.test"])
_zones.add(
    record("a.test", "MX", "10 mx.test"),
    record("mx.test", "A", "192.0.2.1"),
    record("*.w.test", "TXT", "x" * 700),
    record("c.test", "CNAME", "a.test"),
)
_QUERY = dns.message.make_query("c.test", "MX", use_edns=0, id=7).to_wire()

labels = st.binary(min_size=1, max_size=63)
names = st.lists(labels, max_size=6).map(tuple).filter(lambda each: sum(map(len, each)) + len(each) < 255)


def _is_sound(packet: bytes, response_wire: bytes) -> None:
    assert response_wire[:2] == packet[:2]
    assert response_wire[2] & 0x80
    dns.message.from_wire(response_wire)


@given(st.binary(min_size=2, max_size=600))
def test_garbage_gets_silence_or_a_sound_reply(packet: bytes) -> None:
    response = respond(_zones, packet, transport="udp")
    if response is not None:
        _is_sound(packet, response.wire)
    with contextlib.suppress(ProtocolError):
        decode_reply(packet)


@given(st.data())
def test_a_damaged_query_gets_silence_or_a_sound_reply(data: st.DataObject) -> None:
    packet = bytearray(_QUERY)
    for _ in range(data.draw(st.integers(1, 4))):
        packet[data.draw(st.integers(0, len(packet) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(2, len(packet)))
    response = respond(_zones, bytes(packet[:cut]), transport="udp")
    if response is not None:
        _is_sound(bytes(packet), response.wire)


@given(st.data())
def test_a_damaged_reply_is_read_or_refused(data: st.DataObject) -> None:
    response = respond(_zones, _QUERY, transport="udp")
    assert response is not None
    packet = bytearray(response.wire)
    for _ in range(data.draw(st.integers(1, 4))):
        packet[data.draw(st.integers(0, len(packet) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(ProtocolError):
        decode_reply(bytes(packet[: data.draw(st.integers(2, len(packet)))]))


@given(names)
def test_any_name_survives_as_text_and_dnspython_agrees(name: tuple[bytes, ...]) -> None:
    text = labels_to_text(name)
    assert text_to_labels(read_name(text)) == name
    assert dns.name.from_text(text + ".").labels == (*name, b"")


@given(st.text(max_size=80))
def test_any_text_is_a_name_or_refused(text: str) -> None:
    try:
        name = read_name(text)
    except DeclarationError:
        return
    assert read_name(name) == name


@given(names.filter(bool), st.text(max_size=600))
@settings(max_examples=60)
def test_any_text_at_any_name_comes_back_through_dnspython(name: tuple[bytes, ...], text: str) -> None:
    zones = Zones()
    zones.add_zone(".")
    owner = labels_to_text(name)
    octets = (
        text.encode("utf-8", "surrogateescape") if text.isprintable() else text.encode("utf-8", "replace")
    )
    zones.add(record(owner, "TXT", txt(octets.decode("utf-8", "surrogateescape"))))
    query = dns.message.make_query(dns.name.Name((*name, b"")), "TXT")
    response = respond(zones, query.to_wire(), transport="tcp")
    assert response is not None
    reply = dns.message.from_wire(response.wire)
    assert query.is_response(reply)
    assert b"".join(reply.answer[0][0].strings) == octets
    assert decode_reply(response.wire).answer[0].value == octets


@given(st.binary(max_size=300), st.sampled_from(["MX", "TXT", "TLSA", "TYPE65280", "A"]))
def test_octets_of_any_type_are_served_unchanged(data: bytes, type: str) -> None:
    made = record("x.test", type, data)
    assert made.wire == data
    assert record("x.test", type, made.value) == made
    generic = dns.rdata.GenericRdata(dns.rdataclass.IN, dns.rdatatype.from_text("TYPE65280"), data)
    assert made.value == generic.to_text().rstrip()


# Lookup against a model that knows no trees: it asks every owner name in turn.

_short = st.sampled_from(["a", "b", "*", "c"])
_owners = st.lists(_short, max_size=3).map(lambda parts: ".".join([*parts, "test"]))
_types = st.sampled_from(["A", "MX", "TXT"])
_VALUES = {"A": "192.0.2.1", "MX": "10 x.other", "TXT": "hello"}


def _model(owners: set[tuple[str, str]], name: str, type: str) -> str:
    data = {*owners, ("test", "SOA")}

    def exists(wanted: str) -> bool:
        return any(owner == wanted or owner.endswith("." + wanted) for owner, _ in data)

    if exists(name):
        return "NOERROR" if (name, type) in data else "NODATA"
    encloser = name
    while not exists(encloser):
        encloser = encloser.partition(".")[2]
    wildcard = "*." + encloser
    if not exists(wildcard):
        return "NXDOMAIN"
    return "NOERROR" if (wildcard, type) in data else "NODATA"


@given(st.sets(st.tuples(_owners, _types), max_size=8), st.data())
def test_lookup_agrees_with_the_model_after_any_changes(
    owners: set[tuple[str, str]], data: st.DataObject
) -> None:
    zones = Zones()
    zones.add_zone("test")
    zones.add(*[record(owner, type, _VALUES[type]) for owner, type in sorted(owners)])
    for owner, type in data.draw(st.sets(st.sampled_from(sorted(owners)))) if owners else ():
        zones.remove(owner, type)
        owners = owners - {(owner, type)}
    for _ in range(4):
        name, type = data.draw(_owners), data.draw(_types)
        answer = lookup(zones, name, type)
        assert answer.kind == _model(owners, name, type), (name, type)
        assert all(each.name == name for each in answer.answer)
