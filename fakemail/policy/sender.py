"""Checks of the sender: SPF, DKIM, DMARC and ``bulk_sender`` as rows of the chain.

Without a word of the domain only DMARC counts, and only where the author's own domain asks for something."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from fakemail.model.policy import HONOUR, Disposition, Policy, RateLimit
from fakemail.policy.authentication import may_be_enforced
from fakemail.policy.chain import Check
from fakemail.policy.finding import AuthStatus, Finding
from fakemail.policy.results import finding
from fakemail.policy.transaction_facts import TransactionFacts
from fakemail.types.domains import a_labels
from fakemail.types.stage import Stage

if TYPE_CHECKING:
    from fakemail.policy.authentication import SenderAuthentication

# Comments and quoted strings, in which anything may stand, also what strangers have said.
_FREE_TEXT: Final = re.compile(r'"(?:[^"\\]|\\.)*"|\([^()"]*\)')
# RFC 8601 §2.2: resinfo = [CFWS] ";" methodspec [ CFWS reasonspec ] *( CFWS propspec )
_PASSED: Final = re.compile(r";\s*dmarc=pass\b[^;]*?\bheader\.from=([^\s;]+)", re.IGNORECASE)


def _spf(facts: TransactionFacts, _: Policy) -> Iterable[Finding]:
    if not facts.surroundings.is_inside:
        yield finding(facts.authentication.spf)


def _dkim(facts: TransactionFacts, _: Policy) -> Iterable[Finding]:
    if not facts.surroundings.is_inside:
        yield finding(facts.authentication.dkim)


def _dmarc(facts: TransactionFacts, policy: Policy) -> Iterable[Finding]:
    """DMARC, not for mail relayed by hosts of ours: it was checked where it came in, and SPF would fail."""
    found = facts.authentication
    # One look at the record tells whether anything could follow. If not, the rest waits until somebody asks.
    if facts.surroundings.is_inside or (policy.dmarc == HONOUR and not may_be_enforced(found)):
        return
    if found.dmarc.result is not AuthStatus.FAIL:
        yield replace(finding(found.dmarc), about="")
        return
    override = _arc_override(found, policy.trusted_arc_signers)
    if override:
        yield Finding("dmarc", AuthStatus.PASS, override)
    else:
        # "none" is what a policy calls a domain that publishes nothing, and not one that asks for nothing.
        asked = found.dmarc.disposition
        yield replace(finding(found.dmarc), about="" if asked == "none" else asked)


def _arc_override(found: SenderAuthentication, trusted: Collection[str]) -> str:
    """Words of the ARC sealers for the message, empty unless all of them are trusted (RFC 8617 §7.2)."""
    if not trusted or found.arc.result is not AuthStatus.PASS:
        return ""
    sealers = [each.domain for each in found.arc.sets]
    if not all(any(f".{name}".endswith(f".{each}") for each in trusted) for name in sealers):
        return ""
    said = _FREE_TEXT.sub("", found.arc.sets[0].authentication)
    passed = [a_labels(match[1]) for match in _PASSED.finditer(said)]
    if found.dmarc.domain not in passed:
        return ""
    return f"it fails now, but {sealers[0]} has sealed that DMARC passed for {found.dmarc.domain} when it came there"


def _bulk_sender(facts: TransactionFacts, policy: Policy) -> Iterator[Finding]:
    from fakemail.policy import bulk_receivers
    from fakemail.policy.bulk_rules import BulkMessage
    from fakemail.policy.suffixes import registered_domain

    wanted = policy.bulk_sender
    # What hosts of ours pass on has been evaluated where it came in, and SPF would fail for them.
    if wanted is None or facts.surroundings.is_inside:
        return
    own = {recipient.domain for recipient in facts.recipients}
    rate = None if wanted.rate is None else RateLimit(*wanted.rate)
    case = BulkMessage(facts, facts.authentication, own_domains=own, rate=rate)
    is_bulk = True
    if wanted.counts_from:
        sender = registered_domain(case.domain) or case.domain
        sent = max((facts.surroundings.volume.count(each, sender, now=facts.now) for each in own), default=0)
        is_bulk = sent >= wanted.counts_from
    for _, found in bulk_receivers.check(case, bulk_receivers.PACKS[wanted.like], is_bulk=is_bulk):
        if found.status is not AuthStatus.PASS:
            yield found


def _weigh_bulk(policy: Policy, finding: Finding) -> Disposition:
    """Disposition by the test, or else by the pack; a failed look-up defers in place of a refusal."""
    from fakemail.policy import bulk_receivers

    wanted = policy.bulk_sender
    if wanted is None:
        return Disposition.ACCEPT
    demand = bulk_receivers.demand_of(bulk_receivers.PACKS[wanted.like], finding.about)
    given = dict(wanted.outcomes).get(finding.about)
    return bulk_receivers.outcome_of(
        demand if given is None else demand._replace(outcome=Disposition(given)), finding
    )


CHECKS: Final = (
    Check("spf", Stage.SMTP_MAIL, _spf),
    Check("dkim", Stage.SMTP_END, _dkim),
    Check("dmarc", Stage.SMTP_END, _dmarc),
    Check("bulk_sender", Stage.SMTP_END, _bulk_sender, weigh=_weigh_bulk),
)
