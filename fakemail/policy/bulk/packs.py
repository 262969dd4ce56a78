"""Which receiver asks bulk senders for what, what it does about it, and with which reply: as data.

The facts are those of the receivers' own pages, the words are ours. Where a page tells no consequence, a pack
has none: the message is taken, and what is wrong is on record.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, NamedTuple

from fakemail.model.policy import Outcome
from fakemail.policy.bulk.rules import RULES, Case
from fakemail.policy.finding import Finding, Status
from fakemail.terms.reply import Reply

CHECK: Final = "bulk_sender"


class Demand(NamedTuple):
    """What a receiver does when a rule is not met."""

    rule: str
    outcome: Outcome
    reply: tuple[int, str, str] | None = None
    """Code, enhanced code and text where the receiver has its own; ``{domain}`` and ``{address}`` are filled in."""
    of_all: bool = False
    """Whether it is asked of those who send little as well."""
    is_required: bool = True
    """Whether it is demanded, and not only advised."""


@dataclass(frozen=True, slots=True)
class Pack:
    """The demands of one kind of receiver."""

    name: str
    of: str
    """Whose pages it follows, and of which date they are."""
    counts_from: int
    """Messages a day from which a domain is called a bulk sender there."""
    demands: tuple[Demand, ...]


_ACCEPT, _QUARANTINE, _REFUSE = Outcome.ACCEPT, Outcome.QUARANTINE, Outcome.REFUSE
_DEFER = Outcome.DEFER
# Google: "Email sender guidelines" and its FAQ (March 2026), "Gmail SMTP errors and codes" (February 2026).
# The FAQ says that mail without one-click unsubscription is neither refused nor marked as spam for that alone.
_GMAIL: Final = Pack(
    "gmail-like",
    "Google for personal Gmail accounts, early 2026",
    5000,
    (
        Demand(
            "authenticated",
            _REFUSE,
            (550, "5.7.26", "blocked: the sender is not authenticated, neither by SPF nor by DKIM"),
            of_all=True,
        ),
        Demand(
            "spf", _REFUSE, (550, "5.7.27", "blocked: SPF did not pass, which is required of bulk senders")
        ),
        Demand(
            "dkim", _REFUSE, (550, "5.7.30", "blocked: DKIM did not pass, which is required of bulk senders")
        ),
        Demand(
            "dmarc_record", _REFUSE, (550, "5.7.40", "blocked: {domain} has no DMARC record with a policy")
        ),
        Demand(
            "alignment",
            _REFUSE,
            (550, "5.7.32", "blocked: {domain} in From is aligned with neither SPF nor DKIM"),
        ),
        Demand(
            "reverse_dns",
            _REFUSE,
            (550, "5.7.25", "blocked: {address} has no PTR record that leads back to it"),
            of_all=True,
        ),
        Demand("tls", _REFUSE, (550, "5.7.29", "blocked: the message was not sent over TLS"), of_all=True),
        Demand(
            "format", _REFUSE, (550, "5.7.1", "blocked: the message is not as RFC 5322 wants it"), of_all=True
        ),
        Demand("message_id", _REFUSE, (550, "5.7.1", "blocked: there is no valid Message-ID"), of_all=True),
        Demand("one_author", _REFUSE, (550, "5.7.1", "blocked: From has several addresses"), of_all=True),
        Demand("impersonation", _QUARANTINE, of_all=True),
        Demand("one_click", _ACCEPT),
        Demand("unsubscribe_link", _ACCEPT),
        Demand(
            "rate",
            _DEFER,
            (421, "4.7.28", "an unusual rate of mail from {address}, slowed down for now"),
            of_all=True,
        ),
    ),
)
# Yahoo: "Sender Requirements & Recommendations" and "SMTP Error Codes" of its Sender Hub (April 2025). It lets
# mailto: stand for one-click, which it recommends, and tells of negative effects on delivery without a reply.
_YAHOO: Final = Pack(
    "yahoo-like",
    "Yahoo's Sender Hub, 2025",
    5000,
    (
        Demand(
            "authenticated",
            _REFUSE,
            (550, "5.7.9", "blocked: the sender is not authenticated, neither by SPF nor by DKIM"),
            of_all=True,
        ),
        Demand("spf", _REFUSE, (554, "5.7.9", "not accepted for policy reasons: SPF did not pass")),
        Demand("dkim", _REFUSE, (554, "5.7.9", "not accepted for policy reasons: DKIM did not pass")),
        Demand(
            "dmarc_record",
            _REFUSE,
            (554, "5.7.9", "not accepted for policy reasons: {domain} has no DMARC policy"),
        ),
        Demand(
            "alignment",
            _REFUSE,
            (554, "5.7.9", "not accepted for policy reasons: DMARC did not pass for {domain}"),
        ),
        Demand("reverse_dns", _REFUSE, of_all=True),
        Demand("format", _REFUSE, of_all=True),
        Demand("message_id", _ACCEPT, is_required=False),
        Demand("unsubscribe", _QUARANTINE),
        Demand("one_click", _ACCEPT, is_required=False),
        Demand("unsubscribe_link", _ACCEPT),
        Demand(
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
_MICROSOFT: Final = Pack(
    "microsoft-like",
    "Microsoft for outlook.com, since May 2025",
    5000,
    (
        Demand("spf", _REFUSE, _ACCESS),
        Demand("dkim", _REFUSE, _ACCESS),
        Demand("dmarc_record", _REFUSE, _ACCESS),
        Demand("alignment", _REFUSE, _ACCESS),
        Demand("reverse_dns", _ACCEPT, is_required=False),
        Demand("format", _ACCEPT, is_required=False),
        Demand("one_click", _ACCEPT, is_required=False),
        Demand("unsubscribe_link", _ACCEPT, is_required=False),
        Demand("rate", _DEFER, (451, "4.7.650", "{address} is slowed down for now"), of_all=True),
    ),
)
PACKS: Final = MappingProxyType({pack.name: pack for pack in (_GMAIL, _YAHOO, _MICROSOFT)})
"""The packs by name."""


def outcome_of(demand: Demand, finding: Finding) -> Outcome:
    """What follows from a finding; what could not be looked up defers where it would have been refused."""
    if finding.status is Status.PASS:
        return Outcome.ACCEPT
    if finding.status is Status.TEMPERROR:
        return Outcome.DEFER if demand.outcome.is_final else Outcome.ACCEPT
    return demand.outcome


def demand_of(pack: Pack, rule: str) -> Demand:
    """What a pack demands by a rule."""
    return next(demand for demand in pack.demands if demand.rule == rule)


def check(case: Case, pack: Pack, *, is_bulk: bool = True) -> Iterator[tuple[Demand, Finding]]:
    """What a receiver of that kind finds about a message, one finding for each of its demands."""
    for demand in pack.demands:
        if is_bulk or demand.of_all:
            yield demand, _finding(case, demand)


def _finding(case: Case, demand: Demand) -> Finding:
    rule = RULES[demand.rule]
    flaw = rule.look(case)
    if flaw is None:
        return Finding(CHECK, Status.PASS, about=rule.name)
    reply = None
    if demand.reply is not None and flaw.status is Status.FAIL:
        code, enhanced, text = demand.reply
        filled = text.format(domain=case.domain or "the author's domain", address=case.facts.peer.address)
        reply = Reply(code, enhanced, _harmless(filled))
    sentence = _harmless(f"{rule.name}: {flaw.sentence}")
    return Finding(CHECK, flaw.status, sentence, rule.reason, about=rule.name, reply=reply)


def _harmless(text: str) -> str:
    """What a message and the DNS say, fit for a reply."""
    return ascii(text[:300])[1:-1][:300]
