"""Deliverability report: what receivers of every kind would say of a message that is not sent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from fakemail.errors import DeclarationError, nearest
from fakemail.model.content_rules import BULK_PACKS, CHECK_GROUPS, ContentRules
from fakemail.model.policy import Disposition
from fakemail.policy.authentication import SenderAuthentication
from fakemail.policy.bulk_receivers import PACKS, check, outcome_of
from fakemail.policy.bulk_rules import RULES, BulkMessage
from fakemail.policy.content.checks import find, score
from fakemail.policy.finding import AuthStatus
from fakemail.policy.transaction_facts import TransactionFacts
from fakemail.smtp.replies import reply_to
from fakemail.types.dataclass import dataclass
from fakemail.types.reason import Reason
from fakemail.types.reply import Reply
from fakemail.types.verdict import Verdict, VerdictAction

CONTENT: Final = "content"
RECEIVERS: Final = (*BULK_PACKS, CONTENT)
_SPAM_FROM: Final = 5.0
"""Points from which a message is called spam, as SpamAssassin does it unless told otherwise."""
# What is wrong by a standard, or would be by any filter; the rest is a matter of taste, and of the score.
_REQUIRED: Final = frozenset({*CHECK_GROUPS["form"], *CHECK_GROUPS["structure"], *CHECK_GROUPS["marks"]})


@dataclass(frozen=True, slots=True)
class DeliverabilityFinding:
    """Something that a receiver would mind."""

    receiver: str
    """``gmail-like``, ``yahoo-like``, ``microsoft-like``, or ``content`` for what filters look for."""
    rule: str
    """The name of the rule or the check."""
    outcome: str
    """Disposition: ``refuse``, ``defer``, ``quarantine``; ``accept`` where nothing follows from it alone."""
    is_required: bool
    """Whether it is demanded, and not only advised."""
    sentence: str
    """Finding in words."""
    reason: Reason
    """Reason of a rejection for this."""
    reply: Reply | None = None
    """The reply by which it would be rejected; ``None`` where it would be taken."""
    advice: str = ""
    """Remedy, where there is more to say than the finding."""

    def __str__(self) -> str:
        follows = {"accept": "required" if self.is_required else "advised"}.get(self.outcome, self.outcome)
        lines = [f"{self.rule} ({follows}): {self.sentence}"]
        if self.reply is not None:
            lines.append(f"  reply: {self.reply}")
        if self.advice:
            lines.append(f"  to do: {self.advice}")
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Deliverability:
    """Findings of receivers of every kind about a message. Iterate it for the problems, or print it.

    It is as long as what they would mind, so it is false when nobody would mind anything; see also :attr:`ok`.
    """

    message: str
    """Which message it is about."""
    sent: str
    """Client that sent it."""
    authentication: str
    """Results of SPF, DKIM, DMARC and reverse DNS."""
    objections: tuple[DeliverabilityFinding, ...]
    """Problems, receiver by receiver."""
    receivers: tuple[str, ...] = RECEIVERS
    """Which receivers were asked."""

    @property
    def ok(self) -> bool:
        """Whether every receiver would deliver it to the inbox, and no requirement is unmet."""
        return not any(each.is_required or each.outcome != Disposition.ACCEPT for each in self.objections)

    @property
    def refused_by(self) -> tuple[str, ...]:
        """Receivers that would reject it."""
        return self._receivers_with("refuse", "defer")

    @property
    def quarantined_by(self) -> tuple[str, ...]:
        """Receivers that would accept it and deliver it to Junk."""
        return tuple(name for name in self._receivers_with("quarantine") if name not in self.refused_by)

    def for_(self, receiver: str) -> Deliverability:
        """The same for one receiver. Raises :class:`~fakemail.errors.DeclarationError` for one that there is not."""
        if receiver not in RECEIVERS:
            raise DeclarationError(f"there is no receiver {receiver!r}; {nearest(receiver, RECEIVERS)}")
        found = tuple(each for each in self.objections if each.receiver == receiver)
        return replace(self, objections=found, receivers=(receiver,))

    def __iter__(self) -> Iterator[DeliverabilityFinding]:
        return iter(self.objections)

    def __len__(self) -> int:
        return len(self.objections)

    def __str__(self) -> str:
        lines = [f"{self.message}, {self.sent}", self.authentication]
        for name in self.receivers:
            found = [each for each in self.objections if each.receiver == name]
            lines.append(f"{name}: {self._verdict(name, found)}")
            lines += [f"  {line}" for each in found for line in str(each).splitlines()]
        return "\n".join(lines)

    def _receivers_with(self, *outcomes: str) -> tuple[str, ...]:
        wanted = [each.receiver for each in self.objections if each.outcome in outcomes]
        return tuple(name for name in self.receivers if name in wanted)

    def _verdict(self, name: str, found: list[DeliverabilityFinding]) -> str:
        if name in self.refused_by:
            return "would reject it"
        if name in self.quarantined_by:
            return "would put it into Junk"
        if any(each.is_required for each in found):
            return "would take it, though something that is required is missing"
        return "would take it" if found else "nothing to object"


def report(
    facts: TransactionFacts,
    auth: SenderAuthentication,
    *,
    message: str,
    sent: str,
    rules: ContentRules,
    transactional: bool = False,
) -> Deliverability:
    """Ask every receiver. ``transactional`` mail, such as a receipt, needs no way to unsubscribe."""
    case = BulkMessage(facts, auth)
    objections = [*_of_packs(case, transactional), *_of_content(facts, rules)]
    results = (auth.spf, auth.dkim, auth.dmarc, auth.iprev)
    authentication = ", ".join(f"{each.method}={each.result}" for each in results)
    return Deliverability(message, sent, authentication, tuple(objections))


def _of_packs(case: BulkMessage, transactional: bool) -> Iterator[DeliverabilityFinding]:
    for pack in PACKS.values():
        for demand, finding in check(case, pack):
            rule = RULES[demand.rule]
            if finding.status is AuthStatus.PASS or (
                transactional and rule.reason is Reason.UNSUBSCRIBE_REQUIRED
            ):
                continue
            outcome = outcome_of(demand, finding)
            reply = None
            if outcome.is_final:
                action = VerdictAction.DEFER if outcome is Disposition.DEFER else VerdictAction.REFUSE
                reply = reply_to(Verdict(action, rule.reason, finding.sentence, finding.reply))
            sentence = finding.sentence.removeprefix(f"{rule.name}: ")
            yield DeliverabilityFinding(
                pack.name, rule.name, outcome, demand.is_required, sentence, rule.reason, reply, rule.advice
            )


def _of_content(facts: TransactionFacts, rules: ContentRules) -> Iterator[DeliverabilityFinding]:
    found = [each for each in find(facts, rules) if each.status is not AuthStatus.PASS]
    for each in found:
        is_required = each.check in _REQUIRED and each.score > 0
        yield DeliverabilityFinding(
            CONTENT, each.check, Disposition.ACCEPT, is_required, each.sentence, each.reason or Reason.SPAM
        )
    total = score(found, required=_SPAM_FROM)
    if total.is_spam:
        sentence = (
            f"{total.points:g} points, from {_SPAM_FROM:g} on filters call it spam: {', '.join(total.checks)}"
        )
        yield DeliverabilityFinding(CONTENT, "spam", Disposition.QUARANTINE, True, sentence, Reason.SPAM)
