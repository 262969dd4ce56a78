"""Others check the same zones and messages as we do, and find the same: pyspf, Mail::SPF, spfquery, OpenDKIM."""

from __future__ import annotations

import subprocess
import warnings
from collections.abc import Callable, Iterator
from email import policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from fakemail import MailNet
from fakemail.dkim.dkim_verify import SignedMessage, verify
from fakemail.dkim.key_record import TxtAnswer
from fakemail.policy.spf import check_spf
from fakemail.policy.transaction_facts import TransactionFacts
from fakemail.policy.txt import texts
from fakemail.types.address import NULL_PATH, address
from fakemail.types.peer import Peer
from namespaces import require_namespaces
from spf_table import SpfCase, SpfGroup, groups

pytestmark = pytest.mark.interop

GROUPS = list(groups())


@pytest.fixture(params=GROUPS, ids=lambda group: group.about)
def group(request: pytest.FixtureRequest) -> SpfGroup:
    found: SpfGroup = request.param
    return found


@pytest.fixture
def net(group: SpfGroup) -> Iterator[MailNet]:
    """A fake internet with the zones of a group; what should have no answer fails, so that nobody waits."""
    with MailNet() as mailnet:
        for name in {line.split()[0] for line in group.zone.splitlines() if " PTR " in line}:
            mailnet.dns.remove(name)
        mailnet._portal.simulation.zones.add_zone("example")
        text = "\n".join([group.zone, *(case.zone for case in group.cases)])
        mailnet._portal.call(
            lambda: mailnet._portal.simulation.zones.load_text(text, origin=".", unchecked=True)
        )
        for name in group.timeout:
            mailnet.dns.faults.servfail(name)
        yield mailnet


def ours(net: MailNet, case: SpfCase) -> str:
    sender = address(case.sender) if case.sender else NULL_PATH
    facts = TransactionFacts(
        "mx.example",
        Peer(case.client, 0, "app"),
        net._portal.simulation.clock.now(),
        net._portal.simulation.resolvers.resolver("app"),
        helo=case.helo,
        sender=sender,
    )
    return str(check_spf(facts).result)


def differences(
    net: MailNet, group: SpfGroup, theirs: Callable[[SpfCase], str], known: set[str]
) -> dict[str, tuple[str, str]]:
    """The cases in which somebody finds what neither we nor the RFC does."""
    found = {}
    for case in group.cases:
        our, their = ours(net, case), theirs(case)
        assert our in case.results, case
        if their != our and their not in case.results and f"{case.about}: {case.name}" not in known:
            found[case.name] = (our, their)
    return found


# What pyspf finds otherwise.
PYSPF = {
    "reading the record: unknown-modifier-twice",  # §6: only redirect and exp may not stand there twice
    "reading the record: unknown-modifier-bad-macro",  # §12: unknown-modifier has a macro-string
    "ptr: error-is-no-match",  # §5.5: "if a DNS error occurs..., the mechanism fails to match"
    "macros: no-parts",  # §7.3: the number of parts must be nonzero
    "macros: not-closed",  # §7.1: "%" must be part of a macro
    "macros: unknown-delimiter",  # §7.1: ":" is no delimiter
    "macros: too-long-a-name-loses-labels",  # dnspython refuses what it asks for
}


def test_pyspf_agrees(net: MailNet, group: SpfGroup, monkeypatch: pytest.MonkeyPatch) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import dns.resolver
        import spf
    resolver = net.dns.resolver()

    def look_up(name: str, qtype: str, strict: bool = True, timeout: float = 5) -> list[Any]:
        found = []
        try:
            for data in resolver.resolve(name, qtype):
                match qtype:
                    case "A" | "AAAA":
                        value: Any = data.address
                    case "MX":
                        value = (data.preference, data.exchange)
                    case "PTR":
                        value = data.target.to_text(omit_final_dot=True)
                    case _:
                        value = data.strings
                found.append(((name, qtype), value))
        except (dns.resolver.NoAnswer, dns.resolver.NXDOMAIN):
            return []
        except dns.exception.DNSException as error:
            raise spf.TempError(f"DNS {error}") from error
        return found

    monkeypatch.setattr(spf, "DNSLookup", look_up)

    def theirs(case: SpfCase) -> str:
        return str(spf.check2(case.client, case.sender, case.helo, receiver="mx.example")[0])

    assert differences(net, group, theirs, PYSPF) == {}


# What Mail::SPF finds otherwise; it follows RFC 4408.
MAIL_SPF = {
    "limits: eleven-mail-hosts",  # RFC 7208 §4.6.4: more than ten are an error, and not only passed over
    "ptr: error-is-no-match",  # §5.5
    "ip4 and ip6: six-everything-is-not-four",  # §5: an IPv4 client is not seen as ::ffff:192.0.2.1
    "ip4 and ip6: six-with-four-inside",
    "macros: split-at-plus",  # §7.3: what was split at "+" is joined with "."
    # Net::DNS dies of names that are none.
    "identities and first steps: long-label",
    "identities and first steps: empty-label",
    "a: expands-to-nonsense",
}


def test_mail_spf_agrees(net: MailNet, group: SpfGroup, program: Callable[[str], str]) -> None:
    perl = program("perl")
    if subprocess.run([perl, "-MMail::SPF", "-e1"], capture_output=True, check=False).returncode:
        program("Mail::SPF (libmail-spf-perl)")
    script = Path(__file__).with_name("spf_check.pl")
    lines = [f"{case.client}|{case.identity}|{case.helo}" for case in group.cases]
    run = subprocess.run(
        [perl, str(script), net.dns.host, str(net.dns.port)],
        input="\n".join(lines) + "\n",
        capture_output=True,
        text=True,
        timeout=50,
        check=True,
    )
    said = dict(zip((case.name for case in group.cases), run.stdout.split(), strict=True))
    assert differences(net, group, lambda case: said[case.name], MAIL_SPF) == {}


# With a real resolver ------------------------------------------------------------------------------


@pytest.fixture
def shop() -> Iterator[MailNet]:
    """A fake internet in which shop.test sends mail, and programs find the DNS where they always do."""
    require_namespaces()
    with MailNet() as mailnet:
        mailnet.account("ann@shop.test")
        mailnet.domain("shop.test").publish(spf="v=spf1 ip4:192.0.2.1 include:bulk.test ~all")
        mailnet.domain("bulk.test").publish(spf="v=spf1 ip4:198.51.100.0/28 -all")
        mailnet.domain("broken.test").publish(spf="v=spf1 nonsense")
        yield mailnet


@pytest.mark.parametrize(
    ("client", "sender", "result"),
    [
        ("192.0.2.1", "ann@shop.test", "pass"),
        ("198.51.100.9", "ann@shop.test", "pass"),
        ("203.0.113.1", "ann@shop.test", "softfail"),
        ("203.0.113.1", "ann@broken.test", "permerror"),
        ("203.0.113.1", "ann@nowhere.test", "none"),
    ],
)
def test_spfquery_agrees(
    shop: MailNet, program: Callable[[str], str], client: str, sender: str, result: str
) -> None:
    command = [program("spfquery"), "--scope", "mfrom", "--identity", sender, "--ip-address", client]
    run = shop.run(command, capture_output=True, text=True, timeout=30)
    assert run.stdout.split()[0] == result, run.stdout + run.stderr
    facts = TransactionFacts(
        "mx.example",
        Peer(client, 0, "app"),
        shop._portal.simulation.clock.now(),
        shop._portal.simulation.resolvers.resolver("app"),
        sender=address(sender),
    )
    assert check_spf(facts) == result


def letter() -> bytes:
    message = EmailMessage(policy.SMTP)
    message["From"], message["To"], message["Subject"] = "ann@shop.test", "bob@example.org", "News \t of  it"
    message["Date"], message["Message-ID"] = "Sun, 1 Mar 2026 12:00:00 +0000", "<1@shop.test>"
    message.set_content("Hello  Bob,\n\nan extra   space \n\n\n")
    return message.as_bytes()


def dkim_results(net: MailNet, raw: bytes) -> list[str]:
    resolve = net._portal.simulation.resolvers.resolver("app")

    def look_up(name: str) -> TxtAnswer:
        answer = resolve(name, "TXT")
        return TxtAnswer(answer.kind, texts(answer))

    return [each.result for each in verify(SignedMessage(raw), look_up, net._portal.simulation.clock.now())]


@pytest.mark.parametrize(
    "canonicalization", ["simple/simple", "relaxed/relaxed", "relaxed/simple", "simple/relaxed"]
)
def test_opendkim_agrees_on_our_signatures(
    shop: MailNet, program: Callable[[str], str], canonicalization: str
) -> None:
    testmsg = program("opendkim-testmsg")
    raw = shop.dkim_sign(letter(), domain="shop.test", canonicalization=canonicalization)
    for text, is_good in (
        (raw, True),
        (raw.replace(b"Hello", b"Hullo"), False),
        (raw.replace(b"Subject: News", b"Subject: Olds"), False),
        (raw.replace(b"an extra   space", b"an extra space"), canonicalization.endswith("/relaxed")),
    ):
        run = shop.run([testmsg], input=text, capture_output=True, timeout=30)
        assert (run.returncode == 0) is is_good, run.stderr
        assert (dkim_results(shop, text) == ["pass"]) is is_good


def test_opendkim_agrees_on_a_key_that_is_not_there(shop: MailNet, program: Callable[[str], str]) -> None:
    testmsg = program("opendkim-testmsg")
    raw = shop.dkim_sign(letter(), domain="shop.test", selector="unpublished")
    run = shop.run([testmsg], input=raw, capture_output=True, timeout=30)
    assert run.returncode
    assert dkim_results(shop, raw) == ["permerror"]


def test_what_opendkim_signs_fits(shop: MailNet, program: Callable[[str], str], tmp_path: Path) -> None:
    testmsg = program("opendkim-testmsg")
    key = shop.domain("shop.test").dkim_key()
    pem = tmp_path / "key.pem"
    pem.write_text(key.private_pem)
    command = [testmsg, "-C", "-d", "shop.test", "-s", key.selector, "-k", str(pem)]
    run = subprocess.run(command, input=letter(), capture_output=True, timeout=30, check=True)
    # It signs with rsa-sha1, which fits and does not count (RFC 8301 §3.1).
    assert b"a=rsa-sha1" in run.stdout
    assert dkim_results(shop, run.stdout) == ["policy"]
    assert dkim_results(shop, run.stdout.replace(b"Hello", b"Hullo")) == ["fail"]
