"""DMARC reports: counts of evaluated mail, the aggregate report of each day, failure reports at once.

Only for domains that ask for it (``rua=``, ``ruf=``), and a report is never about reports (RFC 9990, RFC 9991).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from fakemail.dkim.tag_list import read_lenient_tags
from fakemail.dns.records import LateRecord
from fakemail.environment import Environment
from fakemail.message.reports import dmarc
from fakemail.message.reports.arf_mdn import AuthFailure, write_failure
from fakemail.message.reports.dmarc import (
    AggregateReport,
    AggregateRow,
    DkimAuthResult,
    PolicyPublished,
)
from fakemail.model.policy import Disposition
from fakemail.mta.outbound.dkim_signer import DkimSigner
from fakemail.mta.outbound.queue import MailQueue
from fakemail.mta.reports.daily_job import DailyJob
from fakemail.policy.chain import PolicyDecision
from fakemail.policy.dmarc_record import (
    Discovery,
    DmarcRecord,
    DnsFailed,
    Method,
    is_dmarc_record,
    read_dmarc_record,
)
from fakemail.policy.finding import AuthStatus
from fakemail.policy.sender_facts import Resolve
from fakemail.policy.txt import joined, texts
from fakemail.types.address import Address
from fakemail.zones.zone_provisioning import LazyZoneProvisioning

if TYPE_CHECKING:
    from fakemail.policy.results import DmarcResult
    from fakemail.policy.transaction_facts import TransactionFacts

# What a DMARC record has in it that asks for reports; data given as bytes may be anything.
_ASKS: Final = re.compile(r"\\#|DMARC1.*ru[af][ \t]*=", re.IGNORECASE)
_SUBJECTS: Final = ("Report Domain:", "A message in the name of")
# What became of a message, as the schema has it (RFC 9990, ActionDispositionType).
_DISPOSITIONS: Final = {
    Disposition.REFUSE: "reject",
    Disposition.BOUNCE: "reject",
    Disposition.DISCARD: "reject",
    Disposition.QUARANTINE: "quarantine",
}
_METHODS: Final = {"tree_walk": "treewalk", "public_suffix": "psl"}  # RFC 9990, discovery_method
_DELIVERY: Final = {"none": "delivered", "quarantine": "spam", "reject": "reject"}  # RFC 6591 §3.2.2


class _ReportKey(NamedTuple):
    host: str
    domain: str
    record: str


class DmarcReporter:
    """The counts of all hosts since the last reports."""

    def __init__(
        self,
        environment: Environment,
        *,
        zones: LazyZoneProvisioning,
        resolver: Callable[[str], Resolve],
        dkim_signer: DkimSigner,
        queue: MailQueue,
    ) -> None:
        self._random = environment.random
        self._world = environment.world
        self._zones = zones
        self._resolver = resolver
        self._dkim_signer = dkim_signer
        self._mail_queue = queue
        self._counts: dict[_ReportKey, Counter[AggregateRow]] = {}
        self._looked_through = -1
        self._is_wanted = False
        self._daily = DailyJob(environment.clock, self._due, name="DMARC reports")

    def is_wanted(self) -> bool:
        """Whether the DMARC record of any domain asks for reports; if not, nothing has to be looked at."""
        zones = self._zones.published
        # Where nobody has looked at the DNS, it has what every domain begins with.
        if zones is not None and self._looked_through != zones.revision:
            self._looked_through = zones.revision
            self._is_wanted = any(
                _ASKS.search(joined(each.value)) is not None
                for each in zones.records(type="TXT")
                if not isinstance(each, LateRecord)  # the data of which was not needed so far
            )
        return self._is_wanted

    def note(self, facts: TransactionFacts, decision: PolicyDecision) -> None:
        """Count a message that a host has evaluated, unless it is to come again."""
        if decision.outcome is Disposition.DEFER or not self._world.hosts[facts.host].options.dmarc_reports:
            return
        from fakemail.policy.authentication import asks_for_reports

        if not asks_for_reports(facts.authentication) or _is_report(facts):
            return
        result = facts.authentication.dmarc
        record, _ = read_dmarc_record(result.record)
        if record is None:
            return
        row = _row(facts, result, record, decision)
        if record.rua:
            key = _ReportKey(facts.host, result.policy_domain, result.record)
            self._counts.setdefault(key, Counter())[row] += 1
            self._daily.arm()
        if record.ruf and record.psd != "y" and _is_to_be_told(record.fo, row):
            self._tell(facts, result, record, row)

    def _due(self, since: datetime, until: datetime) -> None:
        counts, self._counts = self._counts, {}
        for key, rows in counts.items():
            record, _ = read_dmarc_record(key.record)
            if record is None:
                continue
            method = self._world.hosts[key.host].options.dmarc_discovery
            published = PolicyPublished(key.domain, _METHODS[method], _tags(record), record.errors)
            for to in self._allowed(key.host, key.domain, record.rua, "rua"):
                queue_id = self._random.queue_id()
                report = AggregateReport(key.host, published, to, since, until, queue_id, rows)
                raw = self._dkim_signer.as_host(key.host, dmarc.write(report))
                self._mail_queue.send_report(key.host, queue_id, to, raw)

    def _tell(
        self, facts: TransactionFacts, result: DmarcResult, record: DmarcRecord, row: AggregateRow
    ) -> None:
        bad = [each for each in row.signatures if each.result != "pass"]
        aligned = {"dkim": row.dkim, "spf": row.spf}
        for to in self._allowed(facts.host, result.policy_domain, record.ruf, "ruf"):
            queue_id = self._random.queue_id()
            failure = AuthFailure(
                host=facts.host,
                to=to,
                now=facts.now,
                id=queue_id,
                domain=result.policy_domain,
                results=f"dmarc={result.result} header.from={result.domain}",
                not_aligned=tuple(method for method, outcome in aligned.items() if outcome == "fail"),
                source_ip=row.source_ip,
                sender=f"<{facts.sender}>" if isinstance(facts.sender, Address) else "<>",
                recipients=facts.recipients,
                delivery=_DELIVERY.get(row.disposition, "delivered"),
                signature=bad[0] if bad else None,
                spf_record=self._spf_record(facts, row.spf_domain),
                original=facts.content,
            )
            raw = self._dkim_signer.as_host(facts.host, write_failure(failure))
            self._mail_queue.send_report(facts.host, queue_id, to, raw)

    def _spf_record(self, facts: TransactionFacts, domain: str) -> str:
        """The field SPF-DNS (RFC 6591 §3.2.6)."""
        found = (
            [text.decode("ascii", "replace") for text in texts(facts.resolve(domain, "TXT"))]
            if domain
            else []
        )
        return next((f'txt : {domain} : "{text}"' for text in found if text.startswith("v=spf1")), "")

    def _allowed(self, host: str, domain: str, uris: Iterable[str], tag: str) -> list[Address]:
        """To whom a report goes: those of another organization have to agree (RFC 9990 §4, RFC 7489 §7.1)."""
        resolve = self._resolver(host)
        traits = self._world.hosts[host].options
        discovery = Discovery(resolve, Method(traits.dmarc_discovery), traits.public_suffixes)
        found: list[Address] = []
        for to in dmarc.read_destinations(uris):
            try:
                if discovery.organization(to.domain) == discovery.organization(domain):
                    found.append(to)
                    continue
                answer = resolve(dmarc.permission_name(domain, to.domain), "TXT")
            except DnsFailed:
                continue
            permissions = [text.decode("utf-8", "replace") for text in texts(answer)]
            permissions = [text for text in permissions if is_dmarc_record(text)]
            if len(permissions) == 1:
                found += _redirected(permissions[0], tag, to)
        return found


def _redirected(permission: str, tag: str, to: Address) -> list[Address]:
    """The receiver of reports may name another address of its own for them (RFC 7489 §7.1 step 6)."""
    tags, _ = read_lenient_tags(permission)
    others = dmarc.read_destinations(each.strip() for each in tags.get(tag, "").split(","))
    return [each for each in others if each.domain == to.domain] or [to]


def _row(
    facts: TransactionFacts, result: DmarcResult, record: DmarcRecord, decision: PolicyDecision
) -> AggregateRow:
    spf, dkim = facts.authentication.spf, facts.authentication.dkim
    disposition = _DISPOSITIONS.get(decision.outcome, "none")
    reasons = _milder(result, record)
    if disposition != result.disposition:
        reasons += (_override(decision),)
    elif result.result is AuthStatus.PASS and result.policy != "none":
        disposition = "pass"  # RFC 9990, ActionDispositionType: nothing was done, though it could have been
    return AggregateRow(
        source_ip=facts.peer.address,
        disposition=disposition,
        dkim="pass" if "dkim" in result.aligned else "fail",
        spf="pass" if "spf" in result.aligned else "fail",
        header_from=result.domain,
        envelope_from=facts.sender.domain if isinstance(facts.sender, Address) else "",
        envelope_to=facts.recipients[0].domain if facts.recipients else "",
        signatures=tuple(
            DkimAuthResult(
                each.domain,
                each.selector,
                each.result.value,
                "" if each.result is AuthStatus.PASS else each.sentence,
            )
            for each in dkim.signatures
        ),
        spf_domain=spf.domain,
        spf_scope="helo" if spf.identity == "helo" else "mfrom",
        spf_result=spf.result.value,
        reasons=reasons,
    )


def _milder(result: DmarcResult, record: DmarcRecord) -> tuple[tuple[str, str], ...]:
    """Tags by which the domain asks for less than its policy (RFC 9990, PolicyOverrideType)."""
    if result.result is not AuthStatus.FAIL or result.disposition == result.policy:
        return ()
    return (("policy_test_mode", "t=y") if record.t else ("other", f"sampled out: pct={record.pct}"),)


def _override(decision: PolicyDecision) -> tuple[str, str]:
    """Why something else was done than the domain asks for (RFC 9990, PolicyOverrideType)."""
    for each in decision.disposed:
        if each.finding.check == "dmarc" and each.finding.status is AuthStatus.PASS:
            return "trusted_forwarder", each.finding.sentence
    return "local_policy", decision.sentence


def _is_to_be_told(options: str, row: AggregateRow) -> bool:
    """Failures for which a domain wants a report at once (``fo=``, RFC 9989 §4.7)."""
    wanted = {option.strip().lower() for option in options.split(":")}
    neither = row.dkim == row.spf == "fail"
    return (
        ("0" in wanted and neither)
        or ("1" in wanted and "fail" in (row.dkim, row.spf))
        or ("d" in wanted and any(each.result != "pass" for each in row.signatures))
        or ("s" in wanted and row.spf_result != "pass")
    )


def _tags(record: DmarcRecord) -> dict[str, str]:
    """The published tags, as the schema names them, with defaults for those that are not given."""
    tags = {"p": record.p, "sp": record.sp or record.p, "np": record.np or record.sp or record.p}
    return {
        **tags,
        "fo": record.fo,
        "adkim": record.adkim,
        "aspf": record.aspf,
        "testing": "y" if record.t else "n",
    }


def _is_report(facts: TransactionFacts) -> bool:
    """Reports about reports would never end."""
    message = facts.message
    return message.is_automatic and message.subject.startswith(_SUBJECTS)
