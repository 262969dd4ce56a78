"""Checks of who sent it: SPF, DKIM and DMARC as rows of the chain.

Without a word of the domain only DMARC counts, and only where the author's own domain asks for something.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from fakemail.model.policy import HONOUR, Policy
from fakemail.policy.chain import Link
from fakemail.policy.facts import Facts
from fakemail.policy.finding import Finding, Status
from fakemail.terms.stage import Stage


def _spf(facts: Facts, _: Policy) -> Iterable[Finding]:
    if not facts.surroundings.is_inside:
        yield facts.authentication.spf.finding


def _dkim(facts: Facts, _: Policy) -> Iterable[Finding]:
    if not facts.surroundings.is_inside:
        yield facts.authentication.dkim.finding


def _dmarc(facts: Facts, policy: Policy) -> Iterable[Finding]:
    """What hosts of ours pass on has been checked where it came in, and SPF would fail for them."""
    found = facts.authentication
    # One look at the record tells whether anything could follow. If not, the rest waits until somebody asks.
    if facts.surroundings.is_inside or (policy.dmarc == HONOUR and not found.may_be_enforced):
        return
    about = found.dmarc.disposition if found.dmarc.result is Status.FAIL else ""
    yield replace(found.dmarc.finding, about=about)


LINKS: Final = (
    Link("spf", Stage.SMTP_MAIL, _spf),
    Link("dkim", Stage.SMTP_END, _dkim),
    Link("dmarc", Stage.SMTP_END, _dmarc),
)
