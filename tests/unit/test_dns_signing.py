"""What a signed zone answers, checked with dnspython's validator: signatures, and proofs of absence
(RFC 4034, RFC 4035)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import dns.dnssec
import dns.flags
import dns.message
import dns.name
import dns.rdatatype
import dns.rrset
import pytest

from fakemail.dns.dnssec import GOOD_FOR, SignatureValidity, ZoneSigner
from fakemail.dns.nsec import NsecChain
from fakemail.dns.records import record
from fakemail.dns.responder import respond
from fakemail.dns.zones import Zones
from fakemail.errors import DeclarationError, UnknownNameError

NOW = datetime(2026, 5, 1, tzinfo=UTC)
ORIGIN = dns.name.from_text("example.org")


def validity() -> SignatureValidity:
    return SignatureValidity(NOW - timedelta(days=1), NOW + timedelta(days=1))


def signed(flaw: str | None = None) -> Zones:
    zones = Zones()
    zones.add_zone("example.org", name_servers=["ns.mailnet.test"])
    zones.add(
        record("example.org", "MX", "10 mx1.example.org."),
        record("example.org", "MX", "20 mx2.example.org."),
        record("mx1.example.org", "A", "192.0.2.1"),
        record("a.b.example.org", "A", "192.0.2.2"),
        record("*.w.example.org", "TXT", "wild"),
        record("odd.example.org", "TLSA", b"\x03"),
        record("cut.example.org", "NS", "ns.elsewhere.test."),
        record("below.cut.example.org", "A", "192.0.2.3"),
    )
    zones.enable_dnssec("example.org", ZoneSigner("example.org", validity=validity, flaw=flaw))
    return zones


def ask(
    zones: Zones, name: str, type: str, *, flags: int = dns.flags.RD, dnssec: bool = True
) -> dns.message.Message:
    query = dns.message.make_query(name, type, want_dnssec=dnssec, flags=flags, payload=4096)
    response = respond(zones, query.to_wire(), transport="tcp")
    assert response is not None
    return dns.message.from_wire(response.wire)


def key_of(zones: Zones) -> dict[dns.name.Name, dns.rrset.RRset]:
    answer = ask(zones, "example.org", "DNSKEY")
    keys = answer.find_rrset(answer.answer, ORIGIN, dns.rdataclass.IN, dns.rdatatype.DNSKEY)
    return {ORIGIN: keys}


def check(zones: Zones, message: dns.message.Message) -> list[tuple[str, str]]:
    """Validate every signature of the answer and the authority; return what was signed."""
    found = []
    keys = key_of(zones)
    for section in (message.answer, message.authority):
        for rrset in section:
            if rrset.rdtype == dns.rdatatype.RRSIG:
                continue
            rrsigs = message.find_rrset(section, rrset.name, rrset.rdclass, dns.rdatatype.RRSIG, rrset.rdtype)
            dns.dnssec.validate(rrset, rrsigs, keys, now=NOW.timestamp())
            found.append((rrset.name.to_text(), dns.rdatatype.to_text(rrset.rdtype)))
    return found


@pytest.mark.parametrize(
    ("name", "type"),
    [
        ("example.org", "MX"),
        ("example.org", "SOA"),
        ("example.org", "DNSKEY"),
        ("mx1.example.org", "A"),
        ("odd.example.org", "TYPE52"),
    ],
)
def test_answers_validate(name: str, type: str) -> None:
    zones = signed()
    if type == "TYPE52":
        # dnspython cannot read malformed data back; that it was signed is enough.
        assert respond(zones, dns.message.make_query(name, 52, want_dnssec=True).to_wire(), transport="udp")
        return
    answer = ask(zones, name, type)
    assert answer.flags & dns.flags.AD
    assert len(check(zones, answer)) == 1


def test_a_wildcard_shows_that_the_name_is_not_there() -> None:  # RFC 4035 §3.1.3.3
    zones = signed()
    answer = ask(zones, "x.w.example.org", "TXT")
    assert check(zones, answer) == [("x.w.example.org.", "TXT"), ("*.w.example.org.", "NSEC")]


@pytest.mark.parametrize(
    ("name", "type", "rcode", "owners"),
    [
        # The name's span, and that of the wildcard that is not there (RFC 4035 §3.1.3.2).
        ("nobody.example.org", "A", "NXDOMAIN", {"mx1.example.org.", "example.org."}),
        ("zz.example.org", "A", "NXDOMAIN", {"*.w.example.org.", "example.org."}),
        # The name's own, without the type (§3.1.3.1).
        ("mx1.example.org", "AAAA", "NOERROR", {"mx1.example.org."}),
        # An empty non-terminal lies in a span.
        ("b.example.org", "A", "NOERROR", {"example.org."}),
        # A wildcard without the type: its own, and that the name is not there (§3.1.3.4).
        ("x.w.example.org", "A", "NOERROR", {"*.w.example.org."}),
        ("cut.example.org", "DS", "NOERROR", {"cut.example.org."}),
    ],
)
def test_absence_is_proven(name: str, type: str, rcode: str, owners: set[str]) -> None:
    zones = signed()
    answer = ask(zones, name, type)
    assert dns.rcode.to_text(answer.rcode()) == rcode
    proven = check(zones, answer)
    assert ("example.org.", "SOA") in proven
    assert {owner for owner, kind in proven if kind == "NSEC"} == owners
    assert answer.flags & dns.flags.AD


def test_the_chain_is_a_circle_without_what_lies_below_a_cut() -> None:  # RFC 4035 §2.3
    zone = signed().zone_of("example.org")
    assert zone is not None
    chain, name, seen = NsecChain.of(zone), "example.org", []
    while name not in seen:
        seen.append(name)
        name, _, types = chain.covering(name).value.partition(". ")
        if seen[-1] == "cut.example.org":
            assert types == "NS NSEC RRSIG"
    assert name == "example.org"
    assert seen == [
        "example.org",
        "a.b.example.org",
        "cut.example.org",
        "mx1.example.org",
        "odd.example.org",
        "*.w.example.org",
    ]


def test_a_referral_says_whether_the_child_is_signed() -> None:  # RFC 4035 §3.1.4
    zones = signed()
    bare = ask(zones, "below.cut.example.org", "A", flags=0)
    assert {dns.rdatatype.to_text(each.rdtype) for each in bare.authority} == {"NS", "NSEC", "RRSIG"}
    assert not bare.flags & dns.flags.AD
    zones.add(record("cut.example.org", "DS", "1 13 2 " + "ab" * 32))
    with_key = ask(zones, "below.cut.example.org", "A", flags=0)
    assert {dns.rdatatype.to_text(each.rdtype) for each in with_key.authority} == {"NS", "DS", "RRSIG"}


def test_changes_are_signed_anew_and_nothing_else_is() -> None:
    zones = signed()
    before = ask(zones, "example.org", "MX").answer
    assert ask(zones, "example.org", "MX").answer == before
    zones.replace("mx1.example.org", "A", [record("mx1.example.org", "A", "192.0.2.9")])
    assert check(zones, ask(zones, "mx1.example.org", "A")) == [("mx1.example.org.", "A")]
    assert ask(zones, "example.org", "MX").answer == before
    zones.add(record("nobody.example.org", "A", "192.0.2.10"))
    assert check(zones, ask(zones, "nobody.example.org", "A")) == [("nobody.example.org.", "A")]
    assert ("nobody.example.org.", "NSEC") in check(zones, ask(zones, "nobody2.example.org", "A"))


@pytest.mark.parametrize(
    ("name", "type"), [("example.org", "MX"), ("no.example.org", "A"), ("mx1.example.org", "TXT")]
)
def test_what_was_signed_long_ago_is_signed_anew(name: str, type: str) -> None:
    """A server that signs by itself lets no signature end, however far the clock of a test goes."""
    clock = [NOW]
    zones = signed()
    zones.enable_dnssec(
        "example.org",
        ZoneSigner(
            "example.org", validity=lambda: SignatureValidity(NOW - timedelta(days=1), clock[0] + GOOD_FOR)
        ),
    )

    def until() -> set[int]:
        answer = ask(zones, name, type)
        sets = [each for each in (*answer.answer, *answer.authority) if each.rdtype == dns.rdatatype.RRSIG]
        assert sets
        return {signature.expiration for each in sets for signature in each}

    for _ in range(12):
        first = until()
        clock[0] += timedelta(days=1)
        assert until() == first
        clock[0] += timedelta(days=182)
        assert until() == {int((clock[0] + GOOD_FOR).timestamp())}


def test_a_child_is_vouched_for_by_its_parent() -> None:
    zones = signed()
    zones.add_zone("sub.example.org", name_servers=["ns.mailnet.test"])
    assert ask(zones, "sub.example.org", "DS").answer == []
    zones.enable_dnssec("sub.example.org", ZoneSigner("sub.example.org", validity=validity))
    answer = ask(zones, "sub.example.org", "DS")
    assert check(zones, answer) == [("sub.example.org.", "DS")]
    keys = ask(zones, "sub.example.org", "DNSKEY").answer[0]
    assert answer.answer[0][0] == dns.dnssec.make_ds("sub.example.org.", keys[0], "SHA256")
    zones.unsign("sub.example.org")
    assert ask(zones, "sub.example.org", "DS").answer == []
    assert not ask(zones, "sub.example.org", "SOA").flags & dns.flags.AD


@pytest.mark.parametrize("flaw", ["expired", "bogus", "missing_signature"])
def test_flaws_fail_to_validate(flaw: str) -> None:
    zones = signed(flaw)
    assert ask(zones, "example.org", "MX").rcode() == dns.rcode.SERVFAIL
    answer = ask(zones, "example.org", "MX", flags=dns.flags.RD | dns.flags.CD)
    assert not answer.flags & dns.flags.AD
    with pytest.raises((dns.dnssec.ValidationFailure, KeyError)):
        check(zones, answer)


def test_a_failure_is_not_authentic() -> None:
    zones = signed()
    zones.add(record("loop.example.org", "CNAME", "loop.example.org."))
    answer = ask(zones, "loop.example.org", "A")
    assert answer.rcode() == dns.rcode.SERVFAIL
    assert not answer.flags & dns.flags.AD
    assert answer.authority == []


def test_errors_name_what_there_is() -> None:
    with pytest.raises(
        DeclarationError, match="there is no flaw 'expire' of signatures; did you mean 'expired'"
    ):
        ZoneSigner("example.org", validity=validity, flaw="expire")
    with pytest.raises(UnknownNameError, match=r"there is no zone example\.com"):
        signed().enable_dnssec("example.com", ZoneSigner("example.com", validity=validity))
