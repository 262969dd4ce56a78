"""The check of the chain that a policy asks for with ``bulk_sender``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from fakemail.model.policy import Disposition, Policy, RateLimit
from fakemail.policy.chain import Check
from fakemail.policy.finding import AuthStatus, Finding
from fakemail.policy.transaction_facts import TransactionFacts
from fakemail.types.stage import Stage


def _bulk_sender(facts: TransactionFacts, policy: Policy) -> Iterator[Finding]:
    from fakemail.policy.bulk import receivers
    from fakemail.policy.bulk.rules import BulkMessage
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
    for _, finding in receivers.check(case, receivers.PACKS[wanted.like], is_bulk=is_bulk):
        if finding.status is not AuthStatus.PASS:
            yield finding


def _weigh_bulk(policy: Policy, finding: Finding) -> Disposition:
    """What the test says, or else the pack; what could not be looked up defers where it would have been refused."""
    from fakemail.policy.bulk import receivers

    wanted = policy.bulk_sender
    if wanted is None:
        return Disposition.ACCEPT
    demand = receivers.demand_of(receivers.PACKS[wanted.like], finding.about)
    given = dict(wanted.outcomes).get(finding.about)
    return receivers.outcome_of(
        demand if given is None else demand._replace(outcome=Disposition(given)), finding
    )


CHECKS: Final = (Check("bulk_sender", Stage.SMTP_END, _bulk_sender, weigh=_weigh_bulk),)
