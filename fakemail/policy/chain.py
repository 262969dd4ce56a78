"""The chain: which checks run at which stage of a session, and the one decision that their findings make.

A check is a function from facts and a policy to findings. It is a row of a table, the order of which is the
order in which checks run; the tables are in the modules beside this one and put together in
:mod:`fakemail.policy.checks`. Nothing here knows what any check looks at.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from fakemail.model.policy import Disposition, DispositionMap, Policy
from fakemail.policy.finding import AuthStatus, Finding
from fakemail.policy.transaction_facts import TransactionFacts
from fakemail.types.reason import Reason
from fakemail.types.reply import Reply
from fakemail.types.stage import Stage
from fakemail.types.verdict import ACCEPTED, Verdict, VerdictAction

STAGES: Final = (
    Stage.SMTP_BANNER,
    Stage.SMTP_HELO,
    Stage.SMTP_MAIL,
    Stage.SMTP_RCPT,
    Stage.SMTP_DATA,
    Stage.SMTP_END,
)
"""Stages at which policies are evaluated, in the order of a session."""


class Check(NamedTuple):
    """One check of the chain."""

    keyword: str
    """The field of :class:`~fakemail.model.policy.Policy` that asks for it."""
    stage: Stage
    find: Callable[[TransactionFacts, Policy], Iterable[Finding]]
    otherwise: Disposition = Disposition.REFUSE
    """Disposition of a failure where the policy has no word for it (a rate, a number)."""
    is_spared: bool = False
    """Whether a client on a list of good addresses is exempt from it."""
    is_trusting: bool = False
    """Whether to pass it is to be on a list of good ones."""
    weigh: Callable[[Policy, Finding], Disposition] | None = None
    """Function for the disposition of a finding, where a word for each is not enough."""

    def is_asked(self, policy: Policy) -> bool:
        """Whether a policy asks for it."""
        value = getattr(policy, self.keyword)
        return value is not None and value is not False and value != () and value != ""

    def outcome(self, policy: Policy, finding: Finding) -> Disposition:
        """Disposition of a finding."""
        if self.weigh is not None:
            return self.weigh(policy, finding)
        then = getattr(policy, self.keyword)
        if isinstance(then, DispositionMap):
            return then.of(finding.status, finding.about)
        if finding.status is AuthStatus.TEMPERROR:
            return Disposition.DEFER if self.otherwise.is_final else Disposition.ACCEPT
        return (
            self.otherwise if finding.status in (AuthStatus.FAIL, AuthStatus.POLICY) else Disposition.ACCEPT
        )


_LONGEST: Final = 400
"""Characters of a sentence in a reply, the lines of which are short (RFC 5321 §4.5.3.1.5)."""
_NOT_PLAIN: Final = re.compile(r"[^ -~]")


class DisposedFinding(NamedTuple):
    """A finding, and what follows from it."""

    finding: Finding
    outcome: Disposition


class PolicyDecision(NamedTuple):
    """Decision of one stage. Of several findings the most severe counts, of equal ones the first."""

    outcome: Disposition = Disposition.ACCEPT
    decisive: Finding | None = None
    """The finding on which it rests, ``None`` where mail is accepted."""
    disposed: tuple[DisposedFinding, ...] = ()
    """All that was found, in order; after what defers or refuses nothing more is looked at."""

    @property
    def reason(self) -> Reason | None:
        """Why it is not simply accepted."""
        return None if self.decisive is None else self.decisive.reason or Reason.POLICY

    @property
    def sentence(self) -> str:
        """The same for people."""
        return "" if self.decisive is None else self.decisive.sentence

    @property
    def reply(self) -> Reply | None:
        """The words of the check itself, where it has any."""
        return None if self.decisive is None else self.decisive.reply

    @property
    def verdict(self) -> Verdict:
        """Reply to the client: mail that is neither deferred nor refused is accepted."""
        if not self.outcome.is_final:
            return ACCEPTED
        action = VerdictAction.DEFER if self.outcome is Disposition.DEFER else VerdictAction.REFUSE
        # What strangers say is part of it, and must not say more than one line of a reply.
        detail = _NOT_PLAIN.sub("?", " ".join(self.sentence.split()))[:_LONGEST]
        return Verdict(action, self.reason, detail, self.reply)


NOTHING: Final = PolicyDecision()


def chain(checks: Iterable[Check], policy: Policy, stage: Stage) -> tuple[Check, ...]:
    """The checks that a policy asks for at a stage, in order."""
    return tuple(check for check in checks if check.stage is stage and check.is_asked(policy))


def evaluate(checks: Sequence[Check], policy: Policy, facts: TransactionFacts) -> PolicyDecision:
    """Make the checks until one of them rejects the client."""
    disposed: list[DisposedFinding] = []
    for check in checks:
        if check.is_spared and facts.is_trusted:
            continue
        for finding in check.find(facts, policy):
            if check.is_trusting and finding.status is AuthStatus.PASS:
                facts.is_trusted = True
            outcome = check.outcome(policy, finding)
            disposed.append(DisposedFinding(finding, outcome))
            if outcome.is_final:
                return PolicyDecision(outcome, finding, tuple(disposed))
    return of(disposed)


def of(disposed: Iterable[DisposedFinding]) -> PolicyDecision:
    """The decision on what was found."""
    found = tuple(disposed)
    worst = max(found, key=lambda each: each.outcome.weight, default=None)
    if worst is None or worst.outcome is Disposition.ACCEPT:
        return PolicyDecision(disposed=found)
    return PolicyDecision(worst.outcome, worst.finding, found)


def most_severe(decisions: Iterable[PolicyDecision]) -> PolicyDecision:
    """The most severe of several decisions, of equal ones the first."""
    return max(decisions, key=lambda each: each.outcome.weight, default=NOTHING)
