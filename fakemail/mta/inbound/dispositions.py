"""What is done with a message after it was judged: one way for each outcome that is not told to the client."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from fakemail.message.envelope import Envelope, Recipient
from fakemail.model.policy import Disposition, Policy
from fakemail.mta.inbound.delivery_agent import DeliveryOutcome as Failures
from fakemail.mta.inbound.tagging import tag
from fakemail.mta.outbound.transfer import LocalCopy, QueuedMessage, RecipientResult
from fakemail.policy.chain import PolicyDecision
from fakemail.smtp.replies import reply_to
from fakemail.types.reason import Reason
from fakemail.types.stage import Stage
from fakemail.types.verdict import Verdict, VerdictAction

if TYPE_CHECKING:
    from fakemail.runtime.simulation import Simulation


@dataclass(frozen=True, slots=True)
class EvaluatedMessage:
    """A message that a host has taken for some recipients, and what was found about it."""

    host: str
    queue_id: str
    envelope: Envelope
    content: bytes
    """With the trace fields of the host."""
    recipients: Sequence[Recipient]
    judgement: PolicyDecision
    policy: Policy


def carry_out(internet: Simulation, mail: EvaluatedMessage) -> Failures:
    """Do what follows; the answer tells who did not get it and has to be tried again."""
    return _WAYS[mail.judgement.outcome](internet, mail)


def copy_of(mail: EvaluatedMessage) -> LocalCopy:
    """What is put into mailboxes, now or when it is tried again."""
    content = mail.content
    if mail.judgement.outcome is Disposition.TAG:
        content = tag(content, mail.judgement.sentence, subject=mail.policy.subject_tag)
    return LocalCopy(content, is_junk=mail.judgement.outcome is Disposition.QUARANTINE)


def _deliver(internet: Simulation, mail: EvaluatedMessage) -> Failures:
    copy = copy_of(mail)
    return internet.delivery_agent.deliver(
        mail.host, mail.queue_id, mail.envelope, copy.content, mail.recipients, is_junk=copy.is_junk
    )


def _delay(_: Simulation, __: EvaluatedMessage) -> Failures:
    """Nothing now: the host queues it for later, together with what else it could not deliver."""
    return Failures([], nobody_has_it=False)


def _discard(_: Simulation, __: EvaluatedMessage) -> Failures:
    return Failures([], nobody_has_it=False)


def _bounce(internet: Simulation, mail: EvaluatedMessage) -> Failures:
    reason = mail.judgement.reason or Reason.POLICY
    reply = reply_to(Verdict(VerdictAction.REFUSE, reason, mail.judgement.sentence, mail.judgement.reply))
    message = QueuedMessage(mail.host, mail.queue_id, mail.envelope, mail.content, tuple(mail.recipients))
    internet.mail_queue.give_back(
        message,
        [
            RecipientResult(each, Stage.DELIVER, reply, reason, "", mail.host, reports_delivery=True)
            for each in mail.recipients
        ],
    )
    return Failures([], nobody_has_it=False)


# Where the client was told yes for others, those who would have been refused hear of it by mail (RFC 5321 §6.1).
_WAYS: Final[dict[Disposition, Callable[[Simulation, EvaluatedMessage], Failures]]] = {
    Disposition.ACCEPT: _deliver,
    Disposition.TAG: _deliver,
    Disposition.DELAY: _delay,
    Disposition.QUARANTINE: _deliver,
    Disposition.DISCARD: _discard,
    Disposition.BOUNCE: _bounce,
    Disposition.DEFER: _bounce,
    Disposition.REFUSE: _bounce,
}
