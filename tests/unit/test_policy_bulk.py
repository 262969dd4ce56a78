"""What large receivers ask of bulk senders: each rule, each pack, and who counts as a bulk sender."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakemail.message import samples
from fakemail.model.content_rules import BULK_PACKS, BULK_RULES
from fakemail.model.policy import Disposition, RateLimit
from fakemail.policy.bulk_receivers import PACKS, check
from fakemail.policy.bulk_rules import RULES, BulkMessage
from fakemail.policy.finding import AuthStatus
from fakemail.policy.rate_limiter import BulkVolume
from fakemail.policy.results import DkimResult, DmarcResult, IprevResult, SignatureResult, SpfResult
from fakemail.smtp.replies import reply_to
from fakemail.types.channel import Channel
from fakemail.types.reply import Reply
from fakemail.types.verdict import deferred
from judging import NOW, facts

LISTS = ("From", "List-Unsubscribe", "List-Unsubscribe-Post")
SIGNED = SignatureResult(AuthStatus.PASS, domain="example.com", signed=LISTS)
NEWS = samples.newsletter()
TLS = Channel("TLSv1.3", "TLS_AES_128_GCM_SHA256")


@dataclass(frozen=True)
class Auth:
    """What was found about who sent it."""

    spf: SpfResult
    dkim: DkimResult
    dmarc: DmarcResult
    iprev: IprevResult


# Everything is as it should be.
GOOD = Auth(
    SpfResult(AuthStatus.PASS, domain="example.com"),
    DkimResult(AuthStatus.PASS, domain="example.com", signatures=(SIGNED,)),
    DmarcResult(AuthStatus.PASS, policy="none", aligned=("spf", "dkim")),
    IprevResult(AuthStatus.PASS),
)
NO_SPF = replace(GOOD, spf=SpfResult(AuthStatus.FAIL, "192.0.2.9 is not in it", "example.com"))
NO_DKIM = replace(GOOD, dkim=DkimResult(AuthStatus.NONE, "there is no DKIM signature in it"))
NEITHER = replace(NO_SPF, dkim=NO_DKIM.dkim)
NO_DMARC = replace(GOOD, dmarc=DmarcResult(AuthStatus.NONE, aligned=("spf",)))
UNALIGNED = replace(GOOD, dmarc=DmarcResult(AuthStatus.FAIL, policy="none"))
NO_NAME = replace(GOOD, iprev=IprevResult(AuthStatus.PERMERROR, "192.0.2.9 has no name in reverse DNS"))
NOT_COVERED = replace(GOOD, dkim=replace(GOOD.dkim, signatures=(replace(SIGNED, signed=("From",)),)))
NOT_GOOD = replace(GOOD, dkim=replace(GOOD.dkim, signatures=(replace(SIGNED, result=AuthStatus.FAIL),)))


def case(raw: bytes = NEWS, auth: Auth = GOOD, *, channel: Channel | None = TLS, **more: Any) -> BulkMessage:
    return BulkMessage(facts(raw, channel=channel), auth, **more)


def without(name: bytes, raw: bytes = NEWS) -> bytes:
    return b"".join(line for line in raw.splitlines(True) if not line.startswith(name + b":"))


HTTPS = b"<https://example.com/unsubscribe/4711>, "
ROWS = [
    ("authenticated", case(auth=NEITHER), "spf=fail: 192.0.2.9 is not in it; dkim=none"),
    ("spf", case(auth=NO_SPF), "spf=fail: 192.0.2.9 is not in it"),
    ("dkim", case(auth=NO_DKIM), "dkim=none: there is no DKIM signature in it"),
    ("dmarc_record", case(auth=NO_DMARC), "there is no DMARC record for example.com"),
    ("alignment", case(auth=UNALIGNED), "the author's domain is example.com; SPF pass for example.com"),
    ("reverse_dns", case(auth=NO_NAME), "iprev=permerror: 192.0.2.9 has no name in reverse DNS"),
    ("tls", case(channel=None), "without TLS"),
    ("format", case(without(b"Date")), "no Date field"),
    ("format", case(b"Subject: two\r\n" + NEWS), "Subject (2 times)"),
    ("message_id", case(without(b"Message-ID")), "no Message-ID"),
    ("one_author", case(NEWS.replace(b"news@example.com", b"news@example.com, ann@example.com", 1)), "2 addresses"),
    ("impersonation", case(auth=UNALIGNED, own_domains={"example.com"}), "the receiver's own domain"),
    ("unsubscribe", case(without(b"List-Unsubscribe")), "no List-Unsubscribe field with a link"),
    ("one_click", case(without(b"List-Unsubscribe")), "no List-Unsubscribe field with an https link"),
    ("one_click", case(NEWS.replace(HTTPS, b"")), "no List-Unsubscribe field with an https link"),
    ("one_click", case(without(b"List-Unsubscribe-Post")), "no List-Unsubscribe-Post field"),
    ("one_click", case(NEWS.replace(b"=One-Click", b"=Yes")), "does not say List-Unsubscribe=One-Click"),
    ("one_click", case(auth=NOT_COVERED), "no DKIM signature that passes covers"),
    ("one_click", case(auth=NOT_GOOD), "no DKIM signature that passes covers"),
    ("unsubscribe_link", case(samples.plain()), "no link in the text"),
    ("rate", case(rate=RateLimit(0, timedelta(hours=1))), "192.0.2.9 has sent 0 messages in 1:00:00"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "asked", "words"), ROWS, ids=[f"{at}-{row[0]}" for at, row in enumerate(ROWS)]
)
def test_a_rule_finds_what_it_is_for(name: str, asked: BulkMessage, words: str) -> None:
    flaw = RULES[name].look(asked)
    assert flaw is not None
    assert flaw.status is AuthStatus.FAIL
    assert words in flaw.sentence


def test_every_rule_has_a_row_a_reply_and_advice() -> None:
    assert tuple(RULES) == BULK_RULES
    assert {row[0] for row in ROWS} == set(BULK_RULES)
    for rule in RULES.values():
        assert reply_to(deferred(rule.reason)).code >= 400
        assert rule.says.endswith(".")
        assert rule.advice


@pytest.mark.parametrize("pack", PACKS.values(), ids=list(PACKS))
def test_a_good_newsletter_is_taken_by_all(pack) -> None:
    assert [found for _, found in check(case(), pack) if found.status is not AuthStatus.PASS] == []


def test_there_are_the_packs_that_can_be_asked_for() -> None:
    assert tuple(PACKS) == BULK_PACKS
    for pack in PACKS.values():
        assert pack.counts_from == 5000
        assert all(demand.rule in RULES for demand in pack.demands)


def first(pack: str, asked: BulkMessage) -> tuple[str, Disposition, Reply | None]:
    """The first demand that is not met, what is done, and with which reply."""
    for demand, found in check(asked, PACKS[pack]):
        if found.status is not AuthStatus.PASS:
            return demand.rule, demand.outcome, found.reply
    raise AssertionError("everything is met")


@pytest.mark.parametrize(
    ("pack", "asked", "rule", "code", "enhanced"),
    [
        ("gmail-like", case(auth=NEITHER), "authenticated", 550, "5.7.26"),
        ("gmail-like", case(auth=NO_SPF), "spf", 550, "5.7.27"),
        ("gmail-like", case(auth=NO_DKIM), "dkim", 550, "5.7.30"),
        ("gmail-like", case(auth=NO_DMARC), "dmarc_record", 550, "5.7.40"),
        ("gmail-like", case(auth=UNALIGNED), "alignment", 550, "5.7.32"),
        ("gmail-like", case(auth=NO_NAME), "reverse_dns", 550, "5.7.25"),
        ("gmail-like", case(channel=None), "tls", 550, "5.7.29"),
        ("gmail-like", case(without(b"Message-ID")), "message_id", 550, "5.7.1"),
        ("yahoo-like", case(auth=NEITHER), "authenticated", 550, "5.7.9"),
        ("yahoo-like", case(auth=NO_DKIM), "dkim", 554, "5.7.9"),
        ("microsoft-like", case(auth=NO_SPF), "spf", 550, "5.7.515"),
        ("microsoft-like", case(auth=UNALIGNED), "alignment", 550, "5.7.515"),
    ],
)  # fmt: skip
def test_replies_are_of_the_receivers_kind(
    pack: str, asked: BulkMessage, rule: str, code: int, enhanced: str
) -> None:
    assert first(pack, asked) == (rule, Disposition.REFUSE, Reply(code, enhanced))


def test_a_reply_names_the_domain_and_the_address() -> None:
    reply = first("microsoft-like", case(auth=NO_SPF))[2]
    assert reply is not None
    assert reply.text.startswith("access denied: example.com does not meet")
    reply = first("gmail-like", case(auth=NO_NAME))[2]
    assert reply is not None
    assert "192.0.2.9" in reply.text


@pytest.mark.parametrize(
    ("pack", "outcome"),
    [
        ("gmail-like", Disposition.ACCEPT),
        ("yahoo-like", Disposition.QUARANTINE),
        ("microsoft-like", Disposition.ACCEPT),
    ],
)
def test_mail_without_a_way_to_unsubscribe(pack: str, outcome: Disposition) -> None:
    assert first(pack, case(without(b"List-Unsubscribe")))[1] is outcome


def test_who_sends_little_has_less_to_do() -> None:
    found = [demand.rule for demand, found in check(case(auth=NO_DKIM), PACKS["gmail-like"], is_bulk=False)
             if found.status is not AuthStatus.PASS]  # fmt: skip
    assert found == []
    found = [demand.rule for demand, found in check(case(auth=NEITHER), PACKS["gmail-like"], is_bulk=False)
             if found.status is not AuthStatus.PASS]  # fmt: skip
    assert found == ["authenticated"]
    assert [demand.rule for demand, _ in check(case(), PACKS["microsoft-like"], is_bulk=False)] == ["rate"]


def test_what_cannot_be_looked_up_is_no_failure() -> None:
    auth = replace(GOOD, spf=SpfResult(AuthStatus.TEMPERROR, "SERVFAIL"))
    [found] = [
        each for _, each in check(case(auth=auth), PACKS["gmail-like"]) if each.status is not AuthStatus.PASS
    ]
    assert (found.about, found.status, found.reply) == ("spf", AuthStatus.TEMPERROR, None)


def test_messages_of_a_day_are_counted_and_never_forgotten() -> None:
    volume = BulkVolume()
    assert [volume.count("example.org", "example.com", now=NOW) for _ in range(3)] == [1, 2, 3]
    assert volume.count("example.org", "other.test", now=NOW) == 1
    assert volume.count("example.com", "example.com", now=NOW) == 1
    assert volume.count("example.org", "example.com", now=NOW + timedelta(days=2)) == 3


def test_an_author_cannot_write_a_reply() -> None:
    raw = NEWS.replace(b"news@example.com", '"x"@sh\u00f6p\u202e.test'.encode(), 1)
    reply = first("microsoft-like", case(raw, NO_SPF))[2]
    assert reply is not None
    assert reply.text.isascii()
    assert reply.text.isprintable()


@given(st.binary(max_size=300) | st.binary(max_size=60).map(lambda value: b"From: " + value + b"\r\n" + NEWS))
def test_any_octets_get_an_answer(raw: bytes) -> None:
    for pack in PACKS.values():
        for _, found in check(case(raw, own_domains={"example.com"}), pack):
            assert found.sentence.isprintable()
