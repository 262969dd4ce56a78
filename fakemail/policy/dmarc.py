"""DMARC (RFC 9989, RFC 7489): does the author's domain stand behind this message, and what if not?

It takes what SPF and DKIM found. What becomes of the message is for the chain of decisions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from fakemail.message.addresses import AddressItemKind, read_addresses
from fakemail.message.message import MessageView
from fakemail.policy.dmarc_record import POLICIES, Discovery, DmarcRecord, DnsFailed, Method
from fakemail.policy.finding import AuthStatus
from fakemail.policy.results import DkimResult, DmarcResult, SpfResult
from fakemail.types.address import is_domain_name
from fakemail.types.dataclass import dataclass
from fakemail.types.domains import a_labels
from fakemail.types.reason import Reason

MAX_AUTHOR_DOMAINS: Final = 5
"""Of how many author domains a message is evaluated; one with more authors has no policy of any."""

Draw = Callable[[], int]
"""A number from 0 to 99, by chance: for ``pct=``."""


def author_domains(message: MessageView) -> tuple[str, ...]:
    """The domains of the From field or fields, each once, as the DNS has them (RFC 9989 §4.10, RFC 8616 §5)."""
    found: dict[str, None] = {}
    for field in message.headers.fields_named("From"):
        for item in read_addresses(field.raw):
            domain = item.domain
            if item.kind is AddressItemKind.MAILBOX and is_domain_name(domain):
                found[a_labels(domain)] = None
    return tuple(found)


@dataclass(frozen=True, slots=True)
class PublishedDmarc:
    """Policy of the author's domain, before anything else was checked."""

    domain: str
    where: str = ""
    record: DmarcRecord | None = None
    policy: str = ""
    failure: str = ""
    """Why the DNS could not tell."""

    @property
    def may_be_enforced(self) -> bool:
        """Whether a failure would have consequences, so that SPF and DKIM have to be looked at."""
        return self.policy not in ("", "none") or bool(self.failure)


class DmarcCheck:
    """The DMARC check of one message, in two steps: what is published, and what follows."""

    def __init__(self, message: MessageView, discovery: Discovery) -> None:
        self.domains = author_domains(message)
        """The domains of the authors."""
        self._discovery = discovery
        self._has_from = bool(message.headers.fields_named("From"))
        self._published: tuple[PublishedDmarc, ...] | None = None

    @property
    def published(self) -> tuple[PublishedDmarc, ...]:
        """Policy of each author's domain: a question or two to the DNS, and nothing more."""
        if self._published is None:
            domains = self.domains if len(self.domains) <= MAX_AUTHOR_DOMAINS else ()
            self._published = tuple(self._look_up(domain) for domain in domains)
        return self._published

    def _look_up(self, domain: str) -> PublishedDmarc:
        discovery = self._discovery
        try:
            found = discovery.policy_for(domain)
            if found is None:
                return PublishedDmarc(domain)
            where, record = found
            is_below = where != domain
            # Nobody is asked whether a name exists where the answer would change nothing.
            differs = record.np not in ("", record.sp or record.p)
            exists = discovery.exists(domain) if is_below and differs else True
        except DnsFailed as failed:
            return PublishedDmarc(domain, failure=str(failed))
        return PublishedDmarc(domain, where, record, record.policy_for(is_below=is_below, exists=exists))

    @property
    def may_be_enforced(self) -> bool:
        """Whether the result could change what becomes of the message."""
        return any(each.may_be_enforced for each in self.published)

    def evaluate(self, spf: SpfResult, dkim: DkimResult, draw: Draw) -> DmarcResult:
        """The result; of several author domains the one that asks for most (RFC 7489 §6.6.1)."""
        published = self.published
        if not published:
            return DmarcResult(AuthStatus.NONE, self._no_author(), trace=tuple(self._discovery.trace))
        results = [self._evaluate(each, spf, dkim, draw) for each in published]
        worst = max(results, key=_severity)
        if len(results) > 1:
            others = ", ".join(each.domain for each in results)
            worst = replace(worst, sentence=f"{worst.sentence}; the authors are of {others}")
        return replace(worst, trace=tuple(self._discovery.trace))

    def _no_author(self) -> str:
        if len(self.domains) > MAX_AUTHOR_DOMAINS:
            return f"the From field names {len(self.domains)} domains, more than {MAX_AUTHOR_DOMAINS}"
        if self._has_from:
            return "there is no address with a domain in the From field"
        return "there is no From field"

    def _evaluate(
        self, published: PublishedDmarc, spf: SpfResult, dkim: DkimResult, draw: Draw
    ) -> DmarcResult:
        domain, record = published.domain, published.record
        if published.failure:
            return DmarcResult(AuthStatus.TEMPERROR, published.failure, domain, Reason.DNS_TEMPORARY)
        if record is None:
            broken = self._discovery.broken
            if broken:
                where, why = next(iter(broken.items()))
                return DmarcResult(
                    AuthStatus.PERMERROR, f"the DMARC record of {where} is wrong: {why}", domain
                )
            return DmarcResult(AuthStatus.NONE, f"{domain} publishes no DMARC record", domain)
        try:
            organization = self._discovery.organization(domain)
            aligned, why = self._alignment(domain, record, spf, dkim)
        except DnsFailed as failed:
            return DmarcResult(AuthStatus.TEMPERROR, str(failed), domain, Reason.DNS_TEMPORARY)
        known = DmarcResult(
            AuthStatus.PASS,
            domain=domain,
            policy=published.policy,
            policy_domain=published.where,
            record=record.text,
            organization=organization,
            aligned=aligned,
        )
        if aligned:
            return replace(known, sentence=f"{why} and is aligned with {domain}")
        if AuthStatus.TEMPERROR in (spf.result, dkim.result):
            return replace(
                known, result=AuthStatus.TEMPERROR, sentence=f"{domain}: {why}", reason=Reason.DNS_TEMPORARY
            )
        disposition, mercy = self._disposition(published.policy, record, draw)
        asks = f"asks for {published.policy}" + (f", but {mercy}" if mercy else "")
        return replace(
            known,
            result=AuthStatus.FAIL,
            sentence=f"nothing that passed is aligned with {domain}, which {asks}: {why}",
            disposition=disposition,
            reason=_REASONS.get(disposition),
        )

    def _alignment(
        self, domain: str, record: DmarcRecord, spf: SpfResult, dkim: DkimResult
    ) -> tuple[tuple[str, ...], str]:
        """Mechanisms that passed aligned, and a sentence about them (RFC 9989 §4.4)."""
        aligned, good, bad = [], [], []
        if spf.result is AuthStatus.PASS:
            if self._is_aligned(spf.domain, domain, record.aspf):
                aligned.append("spf")
                good.append(f"SPF passes for {spf.domain}")
            else:
                bad.append(f"SPF passes for {spf.domain}{_strictly(record.aspf)}")
        else:
            bad.append(f"SPF is {spf.result}" + (f" for {spf.domain}" if spf.domain else ""))
        signers = list(dict.fromkeys(each.domain for each in dkim.passed))
        fitting = [each for each in signers if self._is_aligned(each, domain, record.adkim)]
        if fitting:
            aligned.append("dkim")
            good.append(f"a signature of {fitting[0]} passes")
        elif signers:
            bad.append(f"DKIM passes for {', '.join(signers[:3])}{_strictly(record.adkim)}")
        else:
            bad.append(f"DKIM is {dkim.result}" + (f" for {dkim.domain}" if dkim.domain else ""))
        return tuple(aligned), " and ".join(good) if good else "; ".join(bad)

    def _is_aligned(self, domain: str, author: str, mode: str) -> bool:
        domain = a_labels(domain)
        if domain == author:
            return True
        if mode == "s":
            return False
        return self._discovery.organization(domain) == self._discovery.organization(author)

    def _disposition(self, policy: str, record: DmarcRecord, draw: Draw) -> tuple[str, str]:
        """Policy that applies in the end, and the reason for a milder one."""
        milder = POLICIES[max(POLICIES.index(policy) - 1, 0)]
        if policy == "none":
            return policy, ""
        if record.t:
            return milder, f"only tries that (t=y), which makes it {milder}"
        if self._discovery.method is Method.PUBLIC_SUFFIX and record.pct < 100 and draw() >= record.pct:
            # RFC 7489 §6.6.4: for the rest of the messages the next lower policy.
            return milder, f"for {record.pct} of 100 messages, which makes it {milder} for this one"
        return policy, ""


_REASONS: Final = {"reject": Reason.DMARC_REJECT, "quarantine": Reason.DMARC_QUARANTINE}


def _strictly(mode: str) -> str:
    return ", and alignment has to be strict" if mode == "s" else ""


_ORDER: Final = (
    AuthStatus.PASS,
    AuthStatus.NONE,
    AuthStatus.PERMERROR,
    AuthStatus.TEMPERROR,
    AuthStatus.FAIL,
)


def _severity(result: DmarcResult) -> tuple[int, int]:
    return POLICIES.index(result.disposition), _ORDER.index(result.result)
