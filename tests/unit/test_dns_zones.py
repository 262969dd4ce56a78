"""The set of zones: adding, removing, replacing, and zone-file text."""

from __future__ import annotations

import pytest

from fakemail.dns.lookup import lookup
from fakemail.dns.names import reverse_name
from fakemail.dns.records import record
from fakemail.dns.zones import Zones
from fakemail.errors import DeclarationError, UnknownNameError


@pytest.fixture
def zones() -> Zones:
    zones = Zones()
    zones.add_zone("Example.ORG.")
    return zones


def test_a_zone_has_an_soa_and_the_name_servers_given(zones: Zones) -> None:
    zones.add_zone("shop.test", name_servers=["ns1.shop.test", "ns2.shop.test"], negative_ttl=7, serial=42)
    assert [each.value for each in zones.records("shop.test", "SOA")] == [
        "ns1.shop.test. hostmaster.shop.test. 42 3600 600 86400 7"
    ]
    assert [each.value for each in zones.records("shop.test", "NS")] == ["ns1.shop.test.", "ns2.shop.test."]
    assert zones.records("example.org", "NS") == ()
    assert zones.origins() == ("example.org", "shop.test")
    assert zones.has_zone("SHOP.test")


def test_a_zone_is_added_once(zones: Zones) -> None:
    with pytest.raises(DeclarationError, match=r"zone example\.org exists already"):
        zones.add_zone("example.org")


def test_removing_a_zone_gives_back_its_records(zones: Zones) -> None:
    mx = record("example.org", "MX", "10 mx.example.org")
    zones.add(mx)
    removed = zones.remove_zone("EXAMPLE.org")
    assert mx in removed
    assert len(removed) == 2
    assert zones.records() == ()
    with pytest.raises(UnknownNameError, match=r"there is no zone example\.org"):
        zones.remove_zone("example.org")


def test_a_record_outside_of_every_zone_is_refused_with_the_nearest_zone(zones: Zones) -> None:
    with pytest.raises(
        DeclarationError, match=r"mx\.exmple\.org A is in no zone.*did you mean 'example\.org'"
    ):
        zones.add(record("mx.exmple.org", "A", "192.0.2.1"))


def test_names_of_any_case_are_one_name(zones: Zones) -> None:
    zones.add(record("WWW.example.ORG", "A", "192.0.2.1"))
    assert len(zones.records("www.EXAMPLE.org.")) == 1


def test_the_same_data_is_there_once_with_the_newer_ttl(zones: Zones) -> None:
    zones.add(record("example.org", "A", "192.0.2.1", ttl=1), record("example.org", "A", "192.0.2.1", ttl=2))
    assert [each.ttl for each in zones.records("example.org", "A")] == [2]


def test_removing_by_name_and_type(zones: Zones) -> None:
    a, aaaa = record("x.example.org", "A", "192.0.2.1"), record("x.example.org", "AAAA", "2001:db8::1")
    zones.add(a, aaaa)
    assert zones.remove("X.example.org", "a") == (a,)
    assert zones.remove("x.example.org") == (aaaa,)
    assert zones.remove("x.example.org") == ()
    assert zones.remove("x.nowhere.test") == ()
    assert zones.names() == ("example.org",)
    assert lookup(zones, "x.example.org", "A").kind == "NXDOMAIN"


def test_names_above_vanish_with_the_last_name_below(zones: Zones) -> None:
    zones.add(record("a.b.example.org", "A", "192.0.2.1"), record("c.b.example.org", "A", "192.0.2.1"))
    zones.remove("a.b.example.org")
    assert lookup(zones, "b.example.org", "A").kind == "NODATA"
    zones.remove("c.b.example.org")
    assert lookup(zones, "b.example.org", "A").kind == "NXDOMAIN"


def test_replacing(zones: Zones) -> None:
    old, new = record("example.org", "MX", "10 a.test"), record("example.org", "MX", "20 b.test")
    zones.add(old)
    assert zones.replace("example.org", "MX", [new, new]) == (old,)
    assert zones.records("example.org", "MX") == (new,)
    assert zones.replace("example.org", "MX", []) == (new,)
    assert zones.replace("nowhere.test", "MX", []) == ()
    with pytest.raises(DeclarationError, match="cannot stand for A records"):
        zones.replace("example.org", "A", [new])
    with pytest.raises(DeclarationError, match="is in no zone"):
        zones.replace("nowhere.test", "A", [record("nowhere.test", "A", "192.0.2.1")])


def test_a_changed_soa_changes_negative_answers_at_once(zones: Zones) -> None:
    assert lookup(zones, "no.example.org", "A").authority[0].ttl == 60
    zones.replace("example.org", "SOA", [record("example.org", "SOA", "a. b. 1 2 3 4 5", ttl=9)])
    assert lookup(zones, "no.example.org", "A").authority[0].ttl == 5
    zones.replace("example.org", "SOA", [record("example.org", "SOA", "a. b. 1 2 3 4 50", ttl=9)])
    assert lookup(zones, "no.example.org", "A").authority[0].ttl == 9
    zones.remove("example.org", "SOA")
    assert lookup(zones, "no.example.org", "A").authority == ()


def test_cname_beside_other_data_is_refused_unless_unchecked(zones: Zones) -> None:
    cname, mx = record("x.example.org", "CNAME", "y.test"), record("x.example.org", "MX", "10 y.test")
    zones.add(cname)
    zones.add(cname)  # the same once more harms nobody
    with pytest.raises(DeclarationError, match=r"x\.example\.org MX cannot stand beside the CNAME record"):
        zones.add(mx)
    with pytest.raises(DeclarationError, match="cannot stand beside the CNAME record"):
        zones.add(record("x.example.org", "CNAME", "z.test"))
    with pytest.raises(DeclarationError, match="cannot stand beside the SOA record"):
        zones.add(record("example.org", "CNAME", "y.test"))
    zones.add(mx, unchecked=True)
    assert zones.records("x.example.org") == (cname, mx)


def test_replacing_checks_cnames_too(zones: Zones) -> None:
    one, two = record("x.example.org", "CNAME", "y.test"), record("x.example.org", "CNAME", "z.test")
    zones.add(one)
    assert zones.replace("x.example.org", "CNAME", [two]) == (one,)
    with pytest.raises(DeclarationError, match="can have one CNAME record, not 2"):
        zones.replace("x.example.org", "CNAME", [one, two])
    with pytest.raises(DeclarationError, match="cannot stand beside the CNAME record"):
        zones.replace("x.example.org", "A", [record("x.example.org", "A", "192.0.2.1")])


def test_reverse_zones(zones: Zones) -> None:
    for network, ip in [("2.0.192.in-addr.arpa", "192.0.2.1"), ("8.b.d.0.1.0.0.2.ip6.arpa", "2001:db8::1")]:
        zones.add_zone(network)
        zones.add(record(reverse_name(ip), "PTR", "mx1.example.org"))
        assert lookup(zones, reverse_name(ip), "PTR").answer[0].value == "mx1.example.org."


def test_a_zone_inside_another_takes_its_names_over_and_gives_them_back(zones: Zones) -> None:
    zones.add(record("x.sub.example.org", "A", "192.0.2.1"))
    zones.add_zone("sub.example.org")
    assert lookup(zones, "x.sub.example.org", "A").kind == "NXDOMAIN"
    zones.remove_zone("sub.example.org")
    assert lookup(zones, "x.sub.example.org", "A").kind == "NOERROR"


def test_the_root_can_be_a_zone() -> None:
    zones = Zones()
    zones.add_zone(".")
    zones.add(record("*", "A", "192.0.2.1"))
    assert zones.records(".", "SOA")[0].value.startswith("ns1. hostmaster. ")
    assert lookup(zones, "any.thing", "A").answer[0].name == "any.thing"


ZONE = """\
$TTL 1h
@       IN SOA ns1 hostmaster ( 7      ; serial
                 1d 2h 4w 90 )
        IN NS  ns1
        IN MX  10 mx1
        IN MX  20 mx2.other.test.
mx1  60 IN A   192.0.2.1
txt     IN TXT "v=DKIM1; " "p=abc"
$ORIGIN sub.example.net.
w       IN TYPE65280 \\# 2 0102
a\\.b   IN A 192.0.2.9
"""


def test_zone_file_text_is_loaded(zones: Zones) -> None:
    loaded = zones.load_text(ZONE, origin="Example.NET")
    assert len(loaded) == 8
    assert zones.records("example.net", "SOA")[0].value.startswith(
        "ns1.example.net. hostmaster.example.net. 7 86400"
    )
    assert [each.value for each in zones.records("example.net", "MX")] == [
        "10 mx1.example.net.",
        "20 mx2.other.test.",
    ]
    assert [(each.ttl, each.value) for each in zones.records("mx1.example.net")] == [(60, "192.0.2.1")]
    assert zones.records("txt.example.net")[0].wire == b"\x09v=DKIM1; \x05p=abc"
    assert zones.records("w.sub.example.net")[0].type == "TYPE65280"
    assert zones.records(r"a\.b.sub.example.net")[0].labels[0] == b"a.b"


def test_zone_file_text_adds_to_a_zone_that_is_there(zones: Zones) -> None:
    zones.load_text("www A 192.0.2.1\nexample.org. MX 10 www", origin="example.org")
    assert zones.origins() == ("example.org",)
    assert zones.records("example.org", "MX")[0].value == "10 www.example.org."
    zones.load_text("abs.example.org 5 A 192.0.2.2")
    assert zones.records("abs.example.org")[0].ttl == 5


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("www A 192.0.2.1\nwww A 192.0.2\n", "zone text, line 2: "),
        ("\n\nwww FOO bar", "zone text, line 3: unknown rdatatype 'FOO' in 'www FOO bar'."),
        (
            "@ A 192.0.2.1\nmx mx mx1",
            "zone text, line 2: expecting an integer in the MX record 'mx mx mx1'; "
            "one is written such as 'MX 10 mx1.example.org.'.",
        ),
        ("$TTL MX", "zone text, line 1: DNS TTL value is not well-formed in '$TTL MX'."),
        ("a A " + "1" * 200, "zone text, line 1: Text input is malformed in the A record 'a A 111"),
        ("www A 192.0.2.1\n\n@ MX 10", "zone text, line 3: "),
        ("$INCLUDE /dev/null", "zone text, line 1: zone file directive '$INCLUDE' is not allowed"),
        ('x TXT "abc\ny A 192.0.2.1', "zone text, line 1: "),
        ("other.test. A 192.0.2.1", "zone text, line 1: record other.test A is in no zone"),
        ("www CNAME x\nwww A 192.0.2.1", "zone text, line 2: record www.example.org A cannot stand beside"),
        ("www CH A 192.0.2.1", "zone text, line 1: RR class is not zone's class"),
    ],
)
def test_bad_zone_file_text_is_refused_with_the_line(zones: Zones, text: str, problem: str) -> None:
    with pytest.raises(DeclarationError) as refused:
        zones.load_text(text, origin="example.org")
    assert str(refused.value).startswith(problem)


def test_generated_records_have_a_limit(zones: Zones) -> None:
    loaded = zones.load_text(
        "$GENERATE 1-200 h$ A 192.0.2.$\n$GENERATE 1-50 g$ A 192.0.2.$", origin="example.org"
    )
    assert len(loaded) == 250
    before = len(zones.records())
    for text in (
        "$GENERATE 1-1000000000 h$ A 192.0.2.1",
        "$GENERATE 1-6000 h$ A 192.0.2.1\n$GENERATE 1-6000 g$ A 192.0.2.1",
    ):
        with pytest.raises(DeclarationError, match=r"\$GENERATE may make 10000 records, and these are more"):
            zones.load_text(text, origin="example.org")
    assert len(zones.records()) == before


def test_zone_text_with_a_record_that_no_message_can_carry(zones: Zones) -> None:
    text = "big TXT " + " ".join(['"' + "x" * 255 + '"'] * 260)
    with pytest.raises(
        DeclarationError, match=r"zone text, line 1: 66560 octets are more than a record can have"
    ):
        zones.load_text(text, origin="example.org")


def test_a_copy_stays_as_it_was_and_shares_what_has_not_changed():
    zones = Zones()
    for origin in ("a.test", "b.test"):
        zones.add_zone(origin)
    zones.add(record("a.test", "TXT", "one"))
    first = zones.copy()
    zones.add(record("a.test", "TXT", "two"))
    second = zones.copy()
    assert [each.value for each in first.records("a.test", "TXT")] == ['"one"']
    assert [each.value for each in second.records("a.test", "TXT")] == ['"one"', '"two"']
    assert first.zone_of("b.test") is second.zone_of("b.test")
    assert first.zone_of("b.test") is not zones.zone_of("b.test")


def test_whoever_wants_to_know_hears_of_a_change_before_it():
    zones = Zones()
    seen = []
    copies = []

    def note() -> None:
        seen.append(len(zones.records()))
        copies.append(zones.copy())

    zones.before_change = note
    zones.add_zone("a.test")
    zones.add(record("a.test", "TXT", "one"))
    zones.replace("a.test", "TXT", [record("a.test", "TXT", "two")])
    zones.remove("a.test", "TXT")
    zones.remove_zone("a.test")
    assert seen[0] == 0
    assert seen[-1] == 1  # the SOA record
    assert len(seen) >= 5
    assert [len(copy.records()) for copy in copies] == seen
