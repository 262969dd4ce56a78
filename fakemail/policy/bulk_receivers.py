"""Which receiver asks bulk senders for what, what it does about it, and with which reply: as data.

The facts are those of the receivers' own pages, the words are ours. Where a page tells no consequence, a pack
has none: the message is taken, and what is wrong is on record.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType
from typing import Final, NamedTuple

from fakemail.model.policy import Disposition
from fakemail.policy.bulk_rules import RULES, BulkMessage
from fakemail.policy.finding import AuthStatus, Finding
from fakemail.types.dataclass import dataclass
from fakemail.types.reply import Reply

CHECK: Final = "bulk_sender"


class BulkRequirement(NamedTuple):
    """Requirement of a receiver: its action when a rule is not met."""

    rule: str
    outcome: Disposition
    reply: tuple[int, str, str] | None = None
    """Code, enhanced code and text where the receiver has its own; ``{domain}`` and ``{address}`` are filled in."""
    of_all: bool = False
    """Whether it is required of senders of little mail as well."""
    is_required: bool = True
    """Whether it is demanded, and not only advised."""


@dataclass(frozen=True, slots=True)
class ReceiverRules:
    """The demands of one kind of receiver."""

    name: str
    of: str
    """The pages that it follows, and their date."""
    counts_from: int
    """Messages a day from which a domain is called a bulk sender there."""
    demands: tuple[BulkRequirement, ...]


_ACCEPT, _QUARANTINE, _REFUSE = Disposition.ACCEPT, Disposition.QUARANTINE, Disposition.REFUSE
_DEFER = Disposition.DEFER
# Google: "Email sender guidelines" and its FAQ (March 2026), "Gmail SMTP errors and codes" (February 2026).
# The FAQ says that mail without one-click unsubscription is neither refused nor marked as spam for that alone.
_GMAIL: Final = ReceiverRules(
    "gmail-like",
    "Google for personal Gmail accounts, early 2026",
    5000,
    (
        BulkRequirement(
            "authenticated",
            _REFUSE,
            (550, "5.7.26", "blocked: the sender is not authenticated, neither by SPF nor by DKIM"),
            of_all=True,
        ),
        BulkRequirement(
            "spf", _REFUSE, (550, "5.7.27", "blocked: SPF did not pass, which is required of bulk senders")
        ),
        BulkRequirement(
            "dkim", _REFUSE, (550, "5.7.30", "blocked: DKIM did not pass, which is required of bulk senders")
        ),
        BulkRequirement(
            "dmarc_record", _REFUSE, (550, "5.7.40", "blocked: {domain} has no DMARC record with a policy")
        ),
        BulkRequirement(
            "alignment",
            _REFUSE,
            (550, "5.7.32", "blocked: {domain} in From is aligned with neither SPF nor DKIM"),
        ),
        BulkRequirement(
            "reverse_dns",
            _REFUSE,
            (550, "5.7.25", "blocked: {address} has no PTR record that leads back to it"),
            of_all=True,
        ),
        BulkRequirement(
            "tls", _REFUSE, (550, "5.7.29", "blocked: the message was not sent over TLS"), of_all=True
        ),
        BulkRequirement(
            "format", _REFUSE, (550, "5.7.1", "blocked: the message is not as RFC 5322 wants it"), of_all=True
        ),
        BulkRequirement(
            "message_id", _REFUSE, (550, "5.7.1", "blocked: there is no valid Message-ID"), of_all=True
        ),
        BulkRequirement(
            "one_author", _REFUSE, (550, "5.7.1", "blocked: From has several addresses"), of_all=True
        ),
        BulkRequirement("impersonation", _QUARANTINE, of_all=True),
        BulkRequirement("one_click", _ACCEPT),
        BulkRequirement("unsubscribe_link", _ACCEPT),
        BulkRequirement(
            "rate",
            _DEFER,
            (421, "4.7.28", "an unusual rate of mail from {address}, slowed down for now"),
            of_all=True,
        ),
    ),
)
# Yahoo: "Sender Requirements & Recommendations" and "SMTP Error Codes" of its Sender Hub (April 2025). It lets
# mailto: stand for one-click, which it recommends, and tells of negative effects on delivery without a reply.
_YAHOO: Final = ReceiverRules(
    "yahoo-like",
    "Yahoo's Sender Hub, 2025",
    5000,
    (
        BulkRequirement(
            "authenticated",
            _REFUSE,
            (550, "5.7.9", "blocked: the sender is not authenticated, neither by SPF nor by DKIM"),
            of_all=True,
        ),
        BulkRequirement("spf", _REFUSE, (554, "5.7.9", "not accepted for policy reasons: SPF did not pass")),
        BulkRequirement(
            "dkim", _REFUSE, (554, "5.7.9", "not accepted for policy reasons: DKIM did not pass")
        ),
        BulkRequirement(
            "dmarc_record",
            _REFUSE,
            (554, "5.7.9", "not accepted for policy reasons: {domain} has no DMARC policy"),
        ),
        BulkRequirement(
            "alignment",
            _REFUSE,
            (554, "5.7.9", "not accepted for policy reasons: DMARC did not pass for {domain}"),
        ),
        BulkRequirement("reverse_dns", _REFUSE, of_all=True),
        BulkRequirement("format", _REFUSE, of_all=True),
        BulkRequirement("message_id", _ACCEPT, is_required=False),
        BulkRequirement("unsubscribe", _QUARANTINE),
        BulkRequirement("one_click", _ACCEPT, is_required=False),
        BulkRequirement("unsubscribe_link", _ACCEPT),
        BulkRequirement(
            "rate",
            _DEFER,
            (421, "4.7.0", "[TSS04] mail from {address} deferred: unexpected volume"),
            of_all=True,
        ),
    ),
)
# Microsoft: "Outlook's New Requirements for High-Volume Senders" (in force since May 2025).
_ACCESS: Final = (
    550,
    "5.7.515",
    "access denied: {domain} does not meet the level of authentication that is required",
)
_MICROSOFT: Final = ReceiverRules(
    "microsoft-like",
    "Microsoft for outlook.com, since May 2025",
    5000,
    (
        BulkRequirement("spf", _REFUSE, _ACCESS),
        BulkRequirement("dkim", _REFUSE, _ACCESS),
        BulkRequirement("dmarc_record", _REFUSE, _ACCESS),
        BulkRequirement("alignment", _REFUSE, _ACCESS),
        BulkRequirement("reverse_dns", _ACCEPT, is_required=False),
        BulkRequirement("format", _ACCEPT, is_required=False),
        BulkRequirement("one_click", _ACCEPT, is_required=False),
        BulkRequirement("unsubscribe_link", _ACCEPT, is_required=False),
        BulkRequirement("rate", _DEFER, (451, "4.7.650", "{address} is slowed down for now"), of_all=True),
    ),
)
PACKS: Final = MappingProxyType({pack.name: pack for pack in (_GMAIL, _YAHOO, _MICROSOFT)})
"""The packs by name."""


def outcome_of(demand: BulkRequirement, finding: Finding) -> Disposition:
    """Disposition of a finding; a failed look-up defers in place of a refusal."""
    if finding.status is AuthStatus.PASS:
        return Disposition.ACCEPT
    if finding.status is AuthStatus.TEMPERROR:
        return Disposition.DEFER if demand.outcome.is_final else Disposition.ACCEPT
    return demand.outcome


def demand_of(pack: ReceiverRules, rule: str) -> BulkRequirement:
    """Requirement of a pack for a rule."""
    return next(demand for demand in pack.demands if demand.rule == rule)


def check(
    case: BulkMessage, pack: ReceiverRules, *, is_bulk: bool = True
) -> Iterator[tuple[BulkRequirement, Finding]]:
    """Findings of a receiver of that kind about a message, one for each requirement."""
    for demand in pack.demands:
        if is_bulk or demand.of_all:
            yield demand, _finding(case, demand)


def _finding(case: BulkMessage, demand: BulkRequirement) -> Finding:
    rule = RULES[demand.rule]
    flaw = rule.look(case)
    if flaw is None:
        return Finding(CHECK, AuthStatus.PASS, about=rule.name)
    reply = None
    if demand.reply is not None and flaw.status is AuthStatus.FAIL:
        code, enhanced, text = demand.reply
        filled = text.format(domain=case.domain or "the author's domain", address=case.facts.peer.address)
        reply = Reply(code, enhanced, _harmless(filled))
    sentence = _harmless(f"{rule.name}: {flaw.sentence}")
    return Finding(CHECK, flaw.status, sentence, rule.reason, about=rule.name, reply=reply)


def _harmless(text: str) -> str:
    """Words of a message or the DNS, fit for a reply."""
    return ascii(text[:300])[1:-1][:300]
