"""Checks of the envelope: the sender, the recipients, and greylisting, which knows who belongs together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from fakemail.model.policy import Outcome, Policy
from fakemail.policy.chain import Link
from fakemail.policy.facts import Facts
from fakemail.policy.finding import Finding, Status
from fakemail.policy.greylist import triplet
from fakemail.terms.reason import Reason
from fakemail.terms.stage import Stage


def _greylist(facts: Facts, policy: Policy) -> Iterator[Finding]:
    """RFC 6647 §2.1."""
    if policy.greylist is None or facts.recipient is None:
        return
    left = facts.surroundings.greylist.left(
        triplet(facts.peer.address, facts.sender, facts.recipient),
        now=facts.now,
        window=policy.greylist,
        retry_within=policy.greylist_retry_within,
        remember_for=policy.greylist_remember_for,
    )
    if left is not None:
        sentence = f"come back in {int(left.total_seconds())} seconds"
        yield Finding("greylist", Status.POLICY, sentence, Reason.GREYLISTED)


LINKS: Final = (Link("greylist", Stage.SMTP_RCPT, _greylist, otherwise=Outcome.DEFER, is_spared=True),)
