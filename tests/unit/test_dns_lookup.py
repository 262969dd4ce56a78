"""Questions and answers: RFC 1034 §4.3.2, RFC 2308, RFC 4592."""

from __future__ import annotations

import pytest

from fakemail.dns.lookup import MAX_CHAIN, lookup
from fakemail.dns.records import record
from fakemail.dns.zones import Zones

# The zone of RFC 4592 §2.2.1, and what mail adds.
ZONE = """\
$ORIGIN example.
@                3600 SOA ns.example.com. hostmaster.example. 1 2 3 4 300
                 NS     ns.example.com.
*                TXT "this is a wildcard"
*                MX 10 host1.example.
sub.*            TXT "this is not a wildcard"
host1            A 192.0.2.1
_ssh._tcp.host1  SRV 0 0 22 host1
_ssh._tcp.host2  SRV 0 0 22 host2
subdel           NS ns.subdel
ns.subdel        A 192.0.2.53
alias            CNAME Host1
alias2           CNAME alias
dangling         CNAME nowhere
abroad           CNAME nobody.test.
intodel          CNAME x.subdel
loop1            CNAME loop2
loop2            CNAME loop1
self             CNAME self
null             MX 0 .
mail             MX 10 host1
mail             MX 20 alias
mail             MX 30 host1
_imap._tcp       SRV 0 0 143 host1
"""


@pytest.fixture(scope="module")
def zones() -> Zones:
    zones = Zones()
    zones.load_text(ZONE, origin="example")
    return zones


def ask(zones: Zones, name: str, type: str) -> tuple[str, list[str]]:
    answer = lookup(zones, name, type)
    return answer.kind, [f"{each.name} {each.text}" for each in answer.answer]


@pytest.mark.parametrize(
    ("name", "type", "kind", "records"),
    [
        # RFC 4592 §2.2.1: the responses that are synthesised, and those that are not.
        ("host3.example", "MX", "NOERROR", ["host3.example MX 10 host1.example."]),
        ("host3.example", "A", "NODATA", []),
        ("foo.bar.example", "TXT", "NOERROR", ['foo.bar.example TXT "this is a wildcard"']),
        ("host1.example", "MX", "NODATA", []),
        ("sub.*.example", "MX", "NODATA", []),
        ("_telnet._tcp.host1.example", "SRV", "NXDOMAIN", []),
        ("*.example", "MX", "NOERROR", ["*.example MX 10 host1.example."]),
        ("ghost.*.example", "MX", "NXDOMAIN", []),
        # Empty non-terminals exist.
        ("_tcp.host1.example", "A", "NODATA", []),
        ("host2.example", "TXT", "NODATA", []),
        # CNAME
        (
            "alias.example",
            "A",
            "NOERROR",
            ["alias.example CNAME Host1.example.", "host1.example A 192.0.2.1"],
        ),
        ("alias.example", "CNAME", "NOERROR", ["alias.example CNAME Host1.example."]),
        ("alias.example", "ANY", "NOERROR", ["alias.example CNAME Host1.example."]),
        (
            "alias2.example",
            "A",
            "NOERROR",
            [
                "alias2.example CNAME alias.example.",
                "alias.example CNAME Host1.example.",
                "host1.example A 192.0.2.1",
            ],
        ),
        ("alias.example", "AAAA", "NODATA", ["alias.example CNAME Host1.example."]),
        ("abroad.example", "A", "NXDOMAIN", ["abroad.example CNAME nobody.test."]),
        ("loop1.example", "A", "SERVFAIL", []),
        ("self.example", "A", "SERVFAIL", []),
        ("intodel.example", "A", "SERVFAIL", []),
        # The rest
        ("example", "NS", "NOERROR", ["example NS ns.example.com."]),
        ("null.example", "MX", "NOERROR", ["null.example MX 0 ."]),
        ("host1.example", "ANY", "NOERROR", ["host1.example A 192.0.2.1"]),
        ("nobody.test", "MX", "NXDOMAIN", []),
        ("", "NS", "NXDOMAIN", []),
    ],
)
def test_answers(zones: Zones, name: str, type: str, kind: str, records: list[str]) -> None:
    assert ask(zones, name, type) == (kind, records)


def test_nodata_is_noerror_and_both_negatives_carry_the_soa_with_the_negative_ttl(zones: Zones) -> None:
    for name, rcode in [("host1.example", "NOERROR"), ("x.host1.example", "NXDOMAIN")]:
        answer = lookup(zones, name, "AAAA")
        assert answer.rcode == rcode
        assert [(each.name, each.type, each.ttl) for each in answer.authority] == [("example", "SOA", 300)]
        assert answer.authoritative


def test_a_domain_nobody_declared_does_not_exist(zones: Zones) -> None:
    answer = lookup(zones, "nobody.test", "MX")
    assert (answer.rcode, answer.authoritative) == ("NXDOMAIN", False)
    assert [(each.name, each.type) for each in answer.authority] == [("", "SOA")]


def test_the_hosts_of_mx_srv_and_ns_come_with_their_addresses_once(zones: Zones) -> None:
    for name, type in [("mail.example", "MX"), ("_imap._tcp.example", "SRV")]:
        assert [each.name for each in lookup(zones, name, type).additional] == ["host1.example"]


def test_a_delegation_is_a_referral_with_glue(zones: Zones) -> None:
    for name in ("subdel.example", "a.b.subdel.example", "ns.subdel.example"):
        answer = lookup(zones, name, "A")
        assert (answer.rcode, answer.kind, answer.answer, answer.authoritative) == (
            "NOERROR",
            "REFERRAL",
            (),
            False,
        )
        assert [each.text for each in answer.authority] == ["NS ns.subdel.example."]
        assert [each.text for each in answer.additional] == ["A 192.0.2.53"]
    assert lookup(zones, "subdel.example", "DS").kind == "NODATA"


def test_a_delegated_zone_that_is_here_answers() -> None:
    zones = Zones()
    zones.add_zone("test")
    zones.add_zone("sub.test", name_servers=["ns.test"])
    zones.add(record("x.sub.test", "A", "192.0.2.1"), record("sub.test", "MX", "10 x.sub.test"))
    assert lookup(zones, "x.sub.test", "A").authoritative
    assert lookup(zones, "sub.test", "NS").kind == "NOERROR"
    # RFC 4035 §3.1.4.1: the parent answers for DS.
    assert lookup(zones, "sub.test", "DS").authority[0].name == "test"


def test_removing_the_delegation_ends_it() -> None:
    zones = Zones()
    zones.add_zone("test")
    zones.add(record("sub.test", "NS", "ns.sub.test"), record("x.sub.test", "A", "192.0.2.1"))
    assert lookup(zones, "x.sub.test", "A").kind == "REFERRAL"
    zones.remove("sub.test", "NS")
    assert lookup(zones, "x.sub.test", "A").kind == "NOERROR"


def test_a_chain_is_followed_only_so_far() -> None:
    zones = Zones()
    zones.add_zone("test")
    zones.add(*[record(f"n{at}.test", "CNAME", f"n{at + 1}.test") for at in range(MAX_CHAIN + 1)])
    zones.add(record(f"n{MAX_CHAIN + 1}.test", "A", "192.0.2.1"))
    assert lookup(zones, "n0.test", "A").kind == "SERVFAIL"
    assert len(lookup(zones, "n1.test", "A").answer) == MAX_CHAIN + 1


def test_a_wildcard_alias_is_followed() -> None:
    zones = Zones()
    zones.add_zone("test")
    zones.add(record("*.test", "CNAME", "www.test"), record("www.test", "A", "192.0.2.1"))
    assert ask(zones, "any.thing.test", "A") == (
        "NOERROR",
        ["any.thing.test CNAME www.test.", "www.test A 192.0.2.1"],
    )


def test_a_cname_wins_over_data_that_should_not_be_beside_it() -> None:
    zones = Zones()
    zones.add_zone("test")
    zones.add(record("x.test", "MX", "10 a.test"), record("x.test", "CNAME", "y.test"), unchecked=True)
    assert ask(zones, "x.test", "MX") == ("NXDOMAIN", ["x.test CNAME y.test."])


def test_a_malformed_alias_is_served_as_it_is() -> None:
    zones = Zones()
    zones.add_zone("test")
    zones.add(record("x.test", "CNAME", b"\x05ab"))
    assert ask(zones, "x.test", "A") == ("NOERROR", [r"x.test CNAME \# 3 056162"])
