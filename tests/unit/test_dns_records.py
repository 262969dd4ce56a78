"""Records from what a person wrote: their one spelling, their wire form, what is refused."""

from __future__ import annotations

import subprocess
import sys

import dns.rdata
import dns.rdataclass
import dns.rdatatype
import pytest

from fakemail.dns.rdata import txt
from fakemail.dns.records import Record, record
from fakemail.dns.rrtypes import rcode_name, read_type, type_name, type_number
from fakemail.errors import DeclarationError

ALL_TYPES = [
    ("A", "192.0.2.1", "192.0.2.1"),
    ("AAAA", "2001:DB8::0:1", "2001:db8::1"),
    ("AAAA", "::ffff:1.2.3.4", "::ffff:1.2.3.4"),
    ("MX", "10 mx1.example.org", "10 mx1.example.org."),
    ("MX", "0 .", "0 ."),
    ("TXT", '"a" "b c"', '"a" "b c"'),
    ("TXT", r'"say \"hi\" \\ \200;"', r'"say \"hi\" \\ \200;"'),
    ("CNAME", "www.example.org.", "www.example.org."),
    ("PTR", "mx1.example.org", "mx1.example.org."),
    ("NS", "ns1.example.org", "ns1.example.org."),
    ("SOA", "ns1.x. admin.x. 1 2 3 4 5", "ns1.x. admin.x. 1 2 3 4 5"),
    ("SOA", "ns1.x. admin.x. 1 1h 3 4 1d", "ns1.x. admin.x. 1 3600 3 4 86400"),
    ("SRV", "0 5 993 imap.example.org", "0 5 993 imap.example.org."),
    ("TLSA", "3 1 1 " + "AB" * 32, "3 1 1 " + "ab" * 32),
    ("CAA", '0 issue "ca.test"', '0 issue "ca.test"'),
    ("SVCB", "1 svc.x. alpn=h2", '1 svc.x. alpn="h2"'),
    ("HTTPS", "1 . port=8443", '1 . port="8443"'),
    ("DS", "1 13 2 " + "00" * 32, "1 13 2 " + "00" * 32),
    ("DNSKEY", "257 3 15 " + "A" * 43 + "=", "257 3 15 " + "A" * 32 + " " + "A" * 11 + "="),
    ("DNAME", "other.test", "other.test."),
    ("TYPE65280", r"\# 4 01020304", r"\# 4 01020304"),
]


@pytest.mark.parametrize(("type", "text", "value"), ALL_TYPES)
def test_data_has_one_spelling_and_the_wire_form_that_dnspython_gives_it(
    type: str, text: str, value: str
) -> None:
    made = record("x.test", type, text)
    assert made.value == value
    assert record("x.test", type, value) == made
    theirs = dns.rdata.from_text(dns.rdataclass.IN, dns.rdatatype.from_text(type), value)
    assert made.wire == theirs.to_wire()
    assert made.value == theirs.to_text()


@pytest.mark.parametrize(
    ("type", "value", "problem"),
    [
        ("A", "192.0.2.256", "'192.0.2.256' is not an IPv4 address"),
        ("A", "192.0.2.01", "is not an IPv4 address"),
        ("AAAA", "192.0.2.1", "is not an IPv6 address"),
        ("AAAA", "fe80::1%eth0", "has a scope"),
        ("MX", "mx1.example.org", "has 1 words, 2 are needed"),
        ("MX", "70000 mx1.example.org", "'70000' is not a number from 0 to 65535"),
        ("MX", "10 a..b", "a label in it is empty"),
        ("SRV", "0 0 x mail.test", "'x' is not a number"),
        ("TXT", '"unfinished', "bad quoting at character 1"),
        ("TXT", '"' + "x" * 256 + '"', "256 octets, 255 are allowed; txt() splits them"),
        ("TXT", r'"\999"', r"bad escape \999"),
        ("TLSA", "3 1", "record x.test TLSA"),
        ("TLSA", "3 1 1 abcd", "record x.test TLSA"),
        ("TYPE65280", "hello", "(RFC 3597)"),
        ("A", r"\# 5 01020304", "the length says 5 octets, but there are 4"),
        ("A", r"\# 1 0", "(RFC 3597)"),
        ("ANY", "x", "ANY is a type of question"),
        ("AXFR", b"x", "AXFR is a type of question"),
        ("MXX", "10 a", "'MXX' is not a record type: did you mean 'MX'?"),
        ("TYPE70000", b"", "'TYPE70000' is not a record type"),
        ("TXT", b"x" * 65536, "65536 octets are more than a record can have"),
        ("TXT", "x" * 66000, "66259 octets are more than a record can have, which is 64935"),
        ("TXT", " ".join(['"' + "x" * 255 + '"'] * 260), "66560 octets are more than a record can have"),
        ("TYPE65280", "\\# 65535 " + "00" * 65535, "65535 octets are more than a record can have"),
    ],
)
def test_bad_data_is_refused_with_name_type_and_problem(type: str, value: str | bytes, problem: str) -> None:
    with pytest.raises(DeclarationError) as refused:
        record("x.test", type, value)
    assert str(refused.value).startswith(f"record x.test {type}: ")
    assert problem in str(refused.value)


@pytest.mark.parametrize("ttl", [-1, 2**31])
def test_a_bad_ttl_is_refused(ttl: int) -> None:
    with pytest.raises(DeclarationError, match="the TTL is"):
        record("x.test", "A", "192.0.2.1", ttl=ttl)


def test_a_bad_owner_is_refused() -> None:
    with pytest.raises(DeclarationError, match=r"record a\.\.b A: 'a\.\.b' is not a domain name"):
        record("a..b", "A", "192.0.2.1")


def test_the_owner_is_a_key_and_the_type_is_upper_case() -> None:
    assert record("Example.ORG.", "mx", "10 Mail.Example.ORG") == Record(
        "example.org", "MX", 300, "10 Mail.Example.ORG."
    )


def test_a_plain_text_is_one_string_with_its_spaces() -> None:
    assert record("x.test", "TXT", "v=spf1 -all").wire == b"\x0bv=spf1 -all"
    assert record("x.test", "TXT", "").wire == b"\0"


def test_a_long_text_is_split_into_strings_that_join_without_a_space() -> None:
    made = record("x.test", "TXT", "x" * 300)
    assert made.wire == b"\xff" + b"x" * 255 + b"\x2d" + b"x" * 45
    assert txt("x" * 255).count('"') == 2
    assert txt('say "ü"') == r'"say \"\195\188\""'


def test_octets_are_served_unseen() -> None:
    broken = record("x.test", "MX", b"\x00")
    assert (broken.wire, broken.value, broken.host) == (b"\x00", r"\# 1 00", None)
    assert record("x.test", "A", b"").wire == b""


def test_the_host_that_a_record_names() -> None:
    assert record("x.test", "MX", "10 MX1.x.test").host == "mx1.x.test"
    assert record("x.test", "MX", "0 .").host is None
    assert record("x.test", "SRV", "0 0 25 smtp.x.test").host == "smtp.x.test"
    assert record("x.test", "A", "192.0.2.1").host is None
    assert record("x.test", "CNAME", "Y.test").target == "y.test"


def test_a_record_reads_as_in_a_zone_file() -> None:
    assert str(record("x.test", "MX", "10 mx.x.test", ttl=60)) == "x.test. 60 IN MX 10 mx.x.test."
    assert record("x.test", "MX", "10 mx.x.test").text == "MX 10 mx.x.test."


def test_types_and_codes_have_names_and_numbers() -> None:
    assert (read_type("txt"), read_type("TYPE15"), read_type("type65280")) == ("TXT", "MX", "TYPE65280")
    assert (type_number("TYPE65280"), type_name(65280), type_name(257)) == (65280, "TYPE65280", "CAA")
    assert (rcode_name(16), rcode_name(3000)) == ("BADVERS", "RCODE3000")


def test_the_table_of_types_is_the_registry_s() -> None:
    for number in range(1, 300):
        name = type_name(number)
        if not name.startswith("TYPE"):
            assert dns.rdatatype.from_text(name) == number


def test_mail_s_own_types_need_no_dns_library() -> None:
    code = (
        "import sys; from fakemail.dns.records import record; "
        "record('x','MX','10 a').wire, record('x','TXT','a').wire, record('x','A','1.2.3.4').wire; "
        "sys.exit('dns.rdata' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
