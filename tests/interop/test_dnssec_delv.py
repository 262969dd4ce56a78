"""``delv`` validates what a signed zone answers (RFC 4033 to 4035), and finds what is wrong with it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from fakemail import MailNet

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(shutil.which("delv") is None, reason="delv (bind9-dnsutils) is not installed"),
]


def delv(net: MailNet, tmp_path: Path, name: str, type: str, *options: str, root: str = "example.org") -> str:
    anchors = tmp_path / "anchors.conf"
    anchors.write_text(net.dns.trust_anchor(root))
    command = ["delv", f"@{net.dns.host}", "-p", str(net.dns.port), "-a", str(anchors), f"+root={root}"]
    run = subprocess.run(
        [*command, *options, name, type], capture_output=True, text=True, timeout=30, check=False
    )
    return run.stdout + run.stderr


@pytest.fixture
def net():
    with MailNet() as mailnet:
        mailnet.domain("example.org")
        mailnet.dns.add("*.wild.example.org", "TXT", "for anybody")
        mailnet.dns.add("alias.example.org", "CNAME", "mx1.example.org.")
        mailnet.dns.add("deep.down.example.org", "A", "192.0.2.7")
        mailnet.dns.add("long.example.org", "TXT", "x" * 2000)
        mailnet.domain("example.org").enable_dnssec()
        yield mailnet


@pytest.mark.parametrize(
    ("name", "type"),
    [
        ("example.org", "MX"),
        ("example.org", "SOA"),
        ("example.org", "DNSKEY"),
        ("mx1.example.org", "A"),
        ("mx1.example.org", "AAAA"),
        ("alias.example.org", "A"),
        ("_25._tcp.mx1.example.org", "TLSA"),
        ("long.example.org", "TXT"),
        ("any.wild.example.org", "TXT"),
        ("a.b.wild.example.org", "TXT"),
    ],
)
def test_answers_are_fully_validated(net, tmp_path, name, type):
    assert "; fully validated" in delv(net, tmp_path, name, type)


@pytest.mark.parametrize(
    ("name", "type", "what"),
    [
        ("nobody.example.org", "A", "ncache nxdomain"),
        ("zzz.example.org", "MX", "ncache nxdomain"),
        ("a.b.c.example.org", "MX", "ncache nxdomain"),
        ("mx1.example.org", "TLSA", "ncache nxrrset"),
        ("down.example.org", "A", "ncache nxrrset"),  # an empty non-terminal
        ("any.wild.example.org", "A", "ncache nxrrset"),
        ("wild.example.org", "TXT", "ncache nxrrset"),
    ],
)
def test_proofs_of_absence_are_validated(net, tmp_path, name, type, what):  # RFC 4035 §3.1.3
    answer = delv(net, tmp_path, name, type)
    assert "; negative response, fully validated" in answer
    assert what in answer


def test_changed_records_are_signed_anew(net, tmp_path):
    net.dns.replace("mx1.example.org", "A", "192.0.2.99")
    answer = delv(net, tmp_path, "mx1.example.org", "A")
    assert "; fully validated" in answer
    assert "192.0.2.99" in answer
    net.dns.add("new.example.org", "A", "192.0.2.100")
    assert "; fully validated" in delv(net, tmp_path, "new.example.org", "A")


def test_a_chain_from_the_parent(net, tmp_path):  # RFC 4035 §5.2
    net.domain("sub.example.org").enable_dnssec()
    assert "; fully validated" in delv(net, tmp_path, "sub.example.org", "MX")


def test_a_child_that_is_not_signed_is_proven_so(net, tmp_path):
    net.domain("plain.example.org")
    assert "; unsigned answer" in delv(net, tmp_path, "plain.example.org", "MX")


@pytest.mark.parametrize(
    ("flaw", "what"),
    [
        ("expired", "RRSIG has expired"),
        ("bogus", "RRSIG failed to verify"),
        ("missing_signature", "insecurity proof failed"),
    ],
)
def test_flaws_are_found(net, tmp_path, flaw, what):
    net.domain("example.org").enable_dnssec(flaw=flaw)
    assert delv(net, tmp_path, "example.org", "MX") == ";; resolution failed: failure\n"  # SERVFAIL
    assert what in delv(net, tmp_path, "example.org", "MX", "+cdflag")
