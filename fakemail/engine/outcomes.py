"""What is done with a message after it was judged: one way for each outcome that is not told to the client."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from fakemail.engine.agent import Outcome as Failures
from fakemail.engine.transfer import LocalCopy, QueuedMessage, Result
from fakemail.mail.envelope import Envelope, Recipient
from fakemail.model.policy import Outcome, Policy
from fakemail.mta.tagging import tag
from fakemail.policy.chain import Judgement
from fakemail.smtp.replies import reply_to
from fakemail.terms.reason import Reason
from fakemail.terms.stage import Stage
from fakemail.terms.verdict import Action, Verdict

if TYPE_CHECKING:
    from fakemail.engine.internet import Internet


@dataclass(frozen=True, slots=True)
class Judged:
    """A message that a host has taken for some recipients, and what was found about it."""

    host: str
    queue_id: str
    envelope: Envelope
    content: bytes
    """With the trace fields of the host."""
    recipients: Sequence[Recipient]
    judgement: Judgement
    policy: Policy


def carry_out(internet: Internet, mail: Judged) -> Failures:
    """Do what follows; the answer tells who did not get it and has to be tried again."""
    return _WAYS[mail.judgement.outcome](internet, mail)


def copy_of(mail: Judged) -> LocalCopy:
    """What is put into mailboxes, now or when it is tried again."""
    content = mail.content
    if mail.judgement.outcome is Outcome.TAG:
        content = tag(content, mail.judgement.sentence, subject=mail.policy.subject_tag)
    return LocalCopy(content, is_junk=mail.judgement.outcome is Outcome.QUARANTINE)


def _deliver(internet: Internet, mail: Judged) -> Failures:
    copy = copy_of(mail)
    return internet.agent.deliver(
        mail.host, mail.queue_id, mail.envelope, copy.content, mail.recipients, is_junk=copy.is_junk
    )


def _delay(_: Internet, __: Judged) -> Failures:
    """Nothing now: the host queues it for later, together with what else it could not deliver."""
    return Failures([], nobody_has_it=False)


def _discard(_: Internet, __: Judged) -> Failures:
    return Failures([], nobody_has_it=False)


def _bounce(internet: Internet, mail: Judged) -> Failures:
    reason = mail.judgement.reason or Reason.POLICY
    reply = reply_to(Verdict(Action.REFUSE, reason, mail.judgement.sentence, mail.judgement.reply))
    message = QueuedMessage(mail.host, mail.queue_id, mail.envelope, mail.content, tuple(mail.recipients))
    internet.mail_queue.give_back(
        message,
        [
            Result(each, Stage.DELIVER, reply, reason, "", mail.host, reports_delivery=True)
            for each in mail.recipients
        ],
    )
    return Failures([], nobody_has_it=False)


# Where the client was told yes for others, those who would have been refused hear of it by mail (RFC 5321 §6.1).
_WAYS: Final[dict[Outcome, Callable[[Internet, Judged], Failures]]] = {
    Outcome.ACCEPT: _deliver,
    Outcome.TAG: _deliver,
    Outcome.DELAY: _delay,
    Outcome.QUARANTINE: _deliver,
    Outcome.DISCARD: _discard,
    Outcome.BOUNCE: _bounce,
    Outcome.DEFER: _bounce,
    Outcome.REFUSE: _bounce,
}
