"""Dispositions of messages that were accepted: delivered, tagged, put aside, delayed, discarded, bounced."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from email.header import Header
from typing import Final, TypeAlias

from fakemail.message.envelope import Envelope, Recipient
from fakemail.message.headers import body_offset, split_fields
from fakemail.message.trace import prepend, without_fields
from fakemail.model.policy import Disposition, Policy
from fakemail.mta.inbound.delivery_agent import DeliveryAgent, DeliveryOutcome
from fakemail.mta.outbound.queue import MailQueue
from fakemail.mta.outbound.queued_message import LocalCopy, QueuedMessage, RecipientResult
from fakemail.policy.chain import PolicyDecision
from fakemail.smtp.replies import reply_to
from fakemail.types.dataclass import dataclass
from fakemail.types.reason import Reason
from fakemail.types.stage import Stage
from fakemail.types.verdict import Verdict, VerdictAction

_NOT_TEXT: Final = re.compile(r"[^\x20-\x7e]+")


@dataclass(frozen=True, slots=True)
class EvaluatedMessage:
    """A message that a host has taken for some recipients, and what was found about it."""

    host: str
    queue_id: str
    envelope: Envelope
    content: bytes
    """With the trace fields of the host."""
    recipients: Sequence[Recipient]
    decision: PolicyDecision
    policy: Policy


def apply_disposition(agent: DeliveryAgent, queue: MailQueue, mail: EvaluatedMessage) -> DeliveryOutcome:
    """Deliver, delay, discard or bounce a message; the answer tells who did not get it and has to be tried again."""
    return _DISPOSITIONS[mail.decision.outcome](agent, queue, mail)


def copy_of(mail: EvaluatedMessage) -> LocalCopy:
    """The message as it is put into mailboxes, now or when it is tried again."""
    content = mail.content
    if mail.decision.outcome is Disposition.TAG:
        content = tag(content, mail.decision.sentence, subject=mail.policy.subject_tag)
    return LocalCopy(content, is_junk=mail.decision.outcome is Disposition.QUARANTINE)


def _deliver(agent: DeliveryAgent, _: MailQueue, mail: EvaluatedMessage) -> DeliveryOutcome:
    copy = copy_of(mail)
    return agent.deliver(
        mail.host, mail.queue_id, mail.envelope, copy.content, mail.recipients, is_junk=copy.is_junk
    )


def _nothing(_: DeliveryAgent, __: MailQueue, ___: EvaluatedMessage) -> DeliveryOutcome:
    """Nothing is done now; what is delayed, the host queues together with what else it could not deliver."""
    return DeliveryOutcome([], nobody_has_it=False)


def _bounce(_: DeliveryAgent, queue: MailQueue, mail: EvaluatedMessage) -> DeliveryOutcome:
    reason = mail.decision.reason or Reason.POLICY
    reply = reply_to(Verdict(VerdictAction.REFUSE, reason, mail.decision.sentence, mail.decision.reply))
    message = QueuedMessage(mail.host, mail.queue_id, mail.envelope, mail.content, tuple(mail.recipients))
    queue.give_back(
        message,
        [
            RecipientResult(each, Stage.DELIVER, reply, reason, "", mail.host, reports_delivery=True)
            for each in mail.recipients
        ],
    )
    return DeliveryOutcome([], nobody_has_it=False)


# Where the client was told yes for others, those who would have been refused hear of it by mail (RFC 5321 §6.1).
_Apply: TypeAlias = Callable[[DeliveryAgent, MailQueue, EvaluatedMessage], DeliveryOutcome]
_DISPOSITIONS: Final[dict[Disposition, _Apply]] = {
    Disposition.ACCEPT: _deliver,
    Disposition.TAG: _deliver,
    Disposition.DELAY: _nothing,
    Disposition.QUARANTINE: _deliver,
    Disposition.DISCARD: _nothing,
    Disposition.BOUNCE: _bounce,
    Disposition.DEFER: _bounce,
    Disposition.REFUSE: _bounce,
}


def tag(raw: bytes, why: str, *, subject: str = "") -> bytes:
    """The message with ``X-Spam-Flag`` and ``X-Spam-Report`` in front, and perhaps a text before its Subject."""
    if subject:
        raw = _with_subject(raw, subject)
    report = _NOT_TEXT.sub(" ", why).strip()[:900]
    # A filter has written the same before, or a sender something else.
    raw = without_fields(raw, "x-spam-flag")
    return prepend(raw, b"X-Spam-Flag: YES\r\nX-Spam-Report: " + report.encode() + b"\r\n")


def _with_subject(raw: bytes, prefix: str) -> bytes:
    for field in split_fields(raw, 0, body_offset(raw)):
        if field.name.lower() == "subject":
            colon = raw.index(b":", field.start) + 1
            rest = raw[colon:].lstrip(b" ")
            # RFC 2047 §6.2: the space between two encoded words is not shown, so it has to be in one of them.
            shown = f"{prefix} " if rest.startswith(b"=?") and not prefix.isascii() else prefix
            return raw[:colon] + b" " + _encoded(shown) + b" " + rest
    return prepend(raw, b"Subject: " + _encoded(prefix) + b"\r\n")


def _encoded(text: str) -> bytes:
    """A text as a header field has it (RFC 2047)."""
    if text.isascii():
        return text.encode()
    return Header(text, "utf-8", maxlinelen=75).encode(linesep="\r\n").encode()
