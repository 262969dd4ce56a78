"""DMARC: records, where they are found, alignment, and what a domain asks for (RFC 9989, RFC 7489)."""

from __future__ import annotations

import pytest

from fake_dns import FakeDns
from fakemail.message.message import MessageView
from fakemail.policy.dmarc import MAX_AUTHOR_DOMAINS, DmarcCheck
from fakemail.policy.dmarc_record import Discovery, Method, read_dmarc_record
from fakemail.policy.finding import AuthStatus
from fakemail.policy.results import DkimResult, DmarcResult, SignatureResult, SpfResult
from fakemail.types.reason import Reason


def record(domain: str, text: str) -> str:
    return f'_dmarc.{domain} TXT "{text}"\n'


def evaluate(
    zone: str | FakeDns,
    *,
    author: str = "Ann <ann@shop.test>",
    spf: str = "",
    dkim: tuple[str, ...] = (),
    method: Method = Method.TREE_WALK,
    draw: int = 0,
    own_suffixes: tuple[str, ...] = (),
    spf_status: AuthStatus | None = None,
    dkim_status: AuthStatus = AuthStatus.NONE,
) -> DmarcResult:
    """Judge a message of that author; ``spf`` and ``dkim`` are the domains for which those pass."""
    resolve = FakeDns(zone) if isinstance(zone, str) else zone
    raw = f"From: {author}\r\n\r\n".encode() if author else b"Subject: x\r\n\r\n"
    found = SpfResult(spf_status or (AuthStatus.PASS if spf else AuthStatus.NONE), domain=spf)
    signatures = tuple(SignatureResult(AuthStatus.PASS, domain=domain) for domain in dkim)
    signed = DkimResult(AuthStatus.PASS if dkim else dkim_status, signatures=signatures)
    discovery = Discovery(resolve, method, own_suffixes)
    return DmarcCheck(MessageView(raw), discovery).evaluate(found, signed, lambda: draw)


REJECT = record("shop.test", "v=DMARC1; p=reject")


def test_what_passes_and_is_aligned() -> None:
    by_spf = evaluate(REJECT, spf="shop.test")
    assert (by_spf.result, by_spf.disposition, by_spf.aligned) == ("pass", "none", ("spf",))
    assert by_spf.sentence == "SPF passes for shop.test and is aligned with shop.test"
    by_dkim = evaluate(REJECT, dkim=("eve.test", "shop.test"))
    assert (by_dkim.result, by_dkim.aligned) == ("pass", ("dkim",))
    both = evaluate(REJECT, spf="shop.test", dkim=("shop.test",))
    assert both.aligned == ("spf", "dkim")
    assert both.organization == "shop.test"


def test_what_is_wrong_in_a_record_is_in_the_trace() -> None:
    found = evaluate(record("shop.test", "v=DMARC1; p=none; sp=rejected; rua=dmarc@shop.test"))
    assert "  sp=rejected is none of none, quarantine, reject" in found.trace
    assert "  rua= has 'dmarc@shop.test', which is no URI" in found.trace


def test_what_passes_for_somebody_else() -> None:
    found = evaluate(REJECT, spf="bulk.example", dkim=("bulk.example",))
    assert (found.result, found.policy, found.disposition) == ("fail", "reject", "reject")
    assert found.reason is Reason.DMARC_REJECT
    assert found.sentence == (
        "nothing that passed is aligned with shop.test, which asks for reject: "
        "SPF passes for bulk.example; DKIM passes for bulk.example"
    )


@pytest.mark.parametrize(
    ("policy", "reason"),
    [("none", None), ("quarantine", Reason.DMARC_QUARANTINE), ("reject", Reason.DMARC_REJECT)],
)
def test_what_the_domain_asks_for(policy: str, reason: Reason | None) -> None:
    found = evaluate(record("shop.test", f"v=DMARC1; p={policy}"))
    assert (found.result, found.disposition, found.reason) == ("fail", policy, reason)


@pytest.mark.parametrize(
    ("tags", "spf", "dkim", "aligned"),
    [
        ("", "mail.shop.test", "", ("spf",)),
        ("", "", "news.shop.test", ("dkim",)),
        ("aspf=s;", "mail.shop.test", "", ()),
        ("aspf=s;", "shop.test", "", ("spf",)),
        ("adkim=s;", "", "news.shop.test", ()),
        ("adkim=s;", "", "shop.test", ("dkim",)),
        ("adkim=s; aspf=r;", "mail.shop.test", "news.shop.test", ("spf",)),
    ],
)
def test_alignment(tags: str, spf: str, dkim: str, aligned: tuple[str, ...]) -> None:
    found = evaluate(
        record("shop.test", f"v=DMARC1; p=reject; {tags}"), spf=spf, dkim=(dkim,) if dkim else ()
    )
    assert found.aligned == aligned
    assert found.result == ("pass" if aligned else "fail")
    assert ("alignment has to be strict" in found.sentence) == (not aligned)


@pytest.mark.parametrize(
    ("tags", "exists", "expected"),
    [
        ("p=reject", True, "reject"),
        ("p=reject; sp=none", True, "none"),
        ("p=none; sp=quarantine", True, "quarantine"),
        ("p=none; sp=quarantine; np=reject", True, "quarantine"),
        ("p=none; sp=quarantine; np=reject", False, "reject"),
        ("p=none; np=reject", False, "reject"),
        ("p=none; sp=reject", False, "reject"),
    ],
)
@pytest.mark.parametrize("method", Method)
def test_names_below_the_domain_of_the_record(tags: str, exists: bool, expected: str, method: Method) -> None:
    zone = record("shop.test", f"v=DMARC1; {tags}")
    if exists:
        zone += "news.shop.test A 192.0.2.1\n"
    found = evaluate(zone, author="ann@news.shop.test", method=method)
    assert (found.policy, found.policy_domain) == (expected, "shop.test")


def test_a_record_of_its_own_counts_before_that_of_the_organization() -> None:
    zone = record("shop.test", "v=DMARC1; p=reject; sp=reject") + record("news.shop.test", "v=DMARC1; p=none")
    found = evaluate(zone, author="ann@news.shop.test", spf="shop.test")
    assert (found.result, found.policy, found.policy_domain) == ("pass", "none", "news.shop.test")


def test_tree_walk_stops_at_the_marks_of_the_domains() -> None:
    zone = (
        record("test", "v=DMARC1; p=reject; psd=y")
        + record("a.shop.test", "v=DMARC1; p=none; psd=n")
        + record("b.a.shop.test", "v=DMARC1; p=none")
    )
    walk = Discovery(FakeDns(zone))
    # RFC 9989 §4.10.2: psd=n is the organization, and below psd=y is the organization.
    assert walk.organization("c.b.a.shop.test") == "a.shop.test"
    assert walk.organization("x.shop.test") == "shop.test"
    assert walk.organization("shop.test") == "shop.test"
    # The policy of a public suffix is for those below it that have none.
    found = evaluate(zone, author="ann@other.test")
    assert (found.policy, found.policy_domain, found.organization) == ("reject", "test", "other.test")


def test_tree_walk_without_any_record_makes_each_name_its_own_organization() -> None:
    walk = Discovery(FakeDns())
    assert walk.organization("a.b.shop.test") == "a.b.shop.test"
    assert evaluate("", author="ann@shop.test").sentence == "shop.test publishes no DMARC record"


def test_tree_walk_of_a_long_name_asks_eight_questions() -> None:
    dns = FakeDns()
    Discovery(dns).organization(".".join("abcdefghijkl") + ".shop.test")
    names = [name for name, _ in dns.asked]
    assert len(names) == 8  # RFC 9989 §4.10: the name itself, then its last seven labels and up
    assert names[1] == "_dmarc.h.i.j.k.l.shop.test"
    assert names[-1] == "_dmarc.test"


def test_public_suffixes_of_the_list_and_of_the_test() -> None:
    zone = record("shop.co.uk", "v=DMARC1; p=reject") + record("co.uk", "v=DMARC1; p=none")
    dns = FakeDns()
    dns.zones.add_zone("uk")
    dns.load(zone)
    found = evaluate(dns, author="ann@news.shop.co.uk", dkim=("co.uk",), method=Method.PUBLIC_SUFFIX)
    assert (found.result, found.organization) == ("fail", "shop.co.uk")
    hosted = Discovery(FakeDns(), Method.PUBLIC_SUFFIX, ("host.test",))
    assert hosted.organization("a.b.host.test") == "b.host.test"
    assert hosted.organization("host.test") == "host.test"


def test_percentage_is_of_the_old_standard_alone() -> None:
    zone = record("shop.test", "v=DMARC1; p=reject; pct=30")
    old = {"method": Method.PUBLIC_SUFFIX}
    assert evaluate(zone, draw=29, **old).disposition == "reject"  # type: ignore[arg-type]
    spared = evaluate(zone, draw=30, **old)  # type: ignore[arg-type]
    assert (spared.disposition, spared.policy) == ("quarantine", "reject")
    assert "for 30 of 100 messages" in spared.sentence
    assert evaluate(zone, draw=99).disposition == "reject"


def test_trial() -> None:
    for policy, after in (("reject", "quarantine"), ("quarantine", "none"), ("none", "none")):
        found = evaluate(record("shop.test", f"v=DMARC1; p={policy}; t=y"))
        assert (found.policy, found.disposition) == (policy, after)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("v=DMARC1", "it has no p="),
        ("v=DMARC1; p=maybe", "it has p=maybe"),
        ("v=DMARC1; p", "it has no p="),
        ("v=DMARC1; p=maybe; rua=bob", "it has p=maybe"),
        ("v=DMARC1 ;;; ==; p=reject; p=none", ""),
    ],
)
def test_malformed_records(text: str, why: str) -> None:
    found = evaluate(record("shop.test", text.replace(";", "\\;")))
    if why:
        assert (found.result, found.policy) == ("permerror", "")
        assert found.sentence.startswith(f"the DMARC record of shop.test is wrong: {why}")
    else:
        assert found.policy == "reject"


def test_what_is_no_record_at_all() -> None:
    zone = 'shop.test TXT "v=DMARC1\\; p=reject"\n_dmarc.shop.test TXT "v=spf1 -all"\n'
    assert evaluate(zone).result == "none"
    assert evaluate(record("shop.test", "v=dmarc1; p=reject")).result == "none"
    assert evaluate(record("shop.test", "p=reject; v=DMARC1")).result == "none"
    two = evaluate(REJECT + record("shop.test", "v=DMARC1; p=none"))
    assert (two.result, two.sentence) == (
        "permerror",
        "the DMARC record of shop.test is wrong: there are 2 of them",
    )


def test_reports_keep_a_record_without_a_policy_alive() -> None:
    for text in ("v=DMARC1; rua=mailto:d@shop.test", "v=DMARC1; p=x; rua=mailto:d@shop.test"):
        made, _ = read_dmarc_record(text)
        assert made is not None
        assert (made.p, made.rua) == ("none", ("mailto:d@shop.test",))


def test_tags_that_are_wrong_are_passed_over_and_told() -> None:
    made, _ = read_dmarc_record("v=DMARC1; p=reject; sp=x; adkim=q; pct=101; ri=-1; t=?; psd=maybe; rua=;x")
    assert made is not None
    assert (made.sp, made.adkim, made.pct, made.ri, made.t, made.psd) == ("", "r", 100, 86400, False, "u")
    assert len(made.errors) == 8


@pytest.mark.parametrize("kind", ["SERVFAIL", "TIMEOUT", "REFUSED"])
def test_dns_that_fails(kind: str) -> None:
    dns = FakeDns(REJECT)
    dns.fail("_dmarc.shop.test", kind=kind)
    found = evaluate(dns)
    assert (found.result, found.reason) == ("temperror", Reason.DNS_TEMPORARY)
    assert kind in found.sentence


def test_what_could_not_be_checked_does_not_fail() -> None:
    assert evaluate(REJECT, spf_status=AuthStatus.TEMPERROR).result == "temperror"
    assert evaluate(REJECT, dkim_status=AuthStatus.TEMPERROR).result == "temperror"
    assert evaluate(REJECT, spf="shop.test", dkim_status=AuthStatus.TEMPERROR).result == "pass"


def test_messages_without_an_author() -> None:
    assert evaluate(REJECT, author="").sentence == "there is no From field"
    for nobody in ("undisclosed:;", "Ann", "<>", "ann@", "@", "ann@[192.0.2.1]"):
        found = evaluate(REJECT, author=nobody)
        assert (found.result, found.sentence) == (
            "none",
            "there is no address with a domain in the From field",
        )


def test_messages_with_several_authors() -> None:
    zone = REJECT + record("eve.test", "v=DMARC1; p=none")
    found = evaluate(zone, author="eve@eve.test, ann@shop.test", spf="eve.test")
    # RFC 7489 §6.6.1: the strictest policy of those that fail.
    assert (found.result, found.domain, found.disposition) == ("fail", "shop.test", "reject")
    assert found.sentence.endswith("the authors are of eve.test, shop.test")
    twice = evaluate(REJECT, author="eve@eve.test\r\nFrom: ann@shop.test", spf="eve.test")
    assert twice.disposition == "reject"
    many = evaluate(REJECT, author=", ".join(f"a@{number}.test" for number in range(50)))
    assert (many.result, f"more than {MAX_AUTHOR_DOMAINS}" in many.sentence) == ("none", True)


def test_trace_tells_each_question_once() -> None:
    dns = FakeDns(REJECT)
    found = evaluate(dns, spf="mail.shop.test")
    assert found.trace[0] == 'TXT _dmarc.shop.test: "v=DMARC1; p=reject"'
    assert len(dns.asked) == len(set(dns.asked))


def test_nothing_but_the_record_is_asked_for_before_it_matters() -> None:
    dns = FakeDns(record("shop.test", "v=DMARC1; p=none"))
    check = DmarcCheck(MessageView(b"From: ann@shop.test\r\n\r\n"), Discovery(dns))
    assert not check.may_be_enforced
    assert dns.asked == [("_dmarc.shop.test", "TXT")]
