"""Counts how the TLS of outgoing sessions went, and mails the report of each day (RFC 8460).

Only for domains that ask for it, and a report is never about the sending of reports.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Final

from fakemail.dns.lookup import lookup
from fakemail.environment import Environment
from fakemail.message.headers import body_offset
from fakemail.message.reports import tlsrpt
from fakemail.message.reports.tlsrpt import AppliedPolicy, SessionCount, TlsFailureDetail
from fakemail.mta.outbound.dkim_signer import DkimSigner
from fakemail.mta.outbound.mx_routing import DnsResolver
from fakemail.mta.outbound.outbound_tls import StsState
from fakemail.mta.outbound.queue import MailQueue
from fakemail.mta.outbound.tls_requirements import TlsRequirement
from fakemail.mta.outbound.transfer import TlsSession
from fakemail.mta.reports.daily_job import DailyJob
from fakemail.smtp.client import ClientTransaction
from fakemail.tls import mta_sts as policies
from fakemail.tls.dane import DaneFailure
from fakemail.types.reason import Reason
from fakemail.zones.zone_provisioning import LazyZoneProvisioning

_IS_REPORT: Final = re.compile(rb"\nTLS-Report-Domain[ \t]*:", re.IGNORECASE)
_NO_TLS: Final = DaneFailure("starttls-not-supported", "")


class TlsrptSender:
    """The counts of all hosts since the last report."""

    def __init__(
        self,
        environment: Environment,
        *,
        zones: LazyZoneProvisioning,
        dns_client: Callable[[str], DnsResolver],
        dkim_signer: DkimSigner,
        queue: MailQueue,
    ) -> None:
        self._random = environment.random
        self._tasks = environment.tasks
        self._world = environment.world
        self._zones = zones
        self._dns_client = dns_client
        self._dkim_signer = dkim_signer
        self._mail_queue = queue
        self._counts: dict[tuple[str, str], dict[AppliedPolicy, SessionCount]] = {}
        self._daily = DailyJob(environment.clock, self._due, name="TLS reports")

    def note(self, session: TlsSession) -> None:
        """Count a session, or an attempt at one."""
        message, dialogue, sts = session.message, session.dialogue, session.sts
        host = self._world.hosts[message.host]
        if not host.options.tls_reports or not self.is_wanted(session.domain) or _is_report(message.content):
            return
        # A policy that could not be fetched does no harm while an older one counts.
        found = session.problem or (sts.problem if sts.policy is None else None) or _from_outcomes(dialogue)
        if found is None and dialogue.channel is None:
            if not dialogue.was_greeted:
                return  # no host was reached, which says nothing about TLS
            found = _NO_TLS
        counts = self._counts.setdefault((message.host, session.domain), {})
        count = counts.setdefault(_applied(session.demand, sts), SessionCount())
        if found is None:
            count.successes += 1
        else:
            failure = TlsFailureDetail(
                found.type, session.mail_host, session.address, host.ipv4, found.detail
            )
            count.failures[failure] += 1
        self._daily.arm()

    def is_wanted(self, domain: str) -> bool:
        """Whether the domain asks for reports; the recipients are looked up when they are sent."""
        name = tlsrpt.record_of(domain).lower()
        return lookup(self._zones.zones, name, "TXT").kind == "NOERROR"

    def _due(self, since: datetime, until: datetime) -> None:
        counts, self._counts = self._counts, {}
        for (host, domain), each in counts.items():
            work = self._send(host, domain, each, since, until)
            self._tasks.spawn(work, f"TLS report of {host} to {domain}")

    async def _send(
        self,
        host: str,
        domain: str,
        counts: dict[AppliedPolicy, SessionCount],
        since: datetime,
        until: datetime,
    ) -> None:
        answer = await self._dns_client(host).query(tlsrpt.record_of(domain), "TXT")
        for recipient in tlsrpt.read_recipients(answer.values()):
            queue_id = self._random.queue_id()
            report = tlsrpt.TlsReportData(host, domain, recipient, since, until, queue_id, counts)
            raw = self._dkim_signer.as_host(host, tlsrpt.write(report))
            self._mail_queue.send_report(host, queue_id, recipient, raw)


def _applied(demand: TlsRequirement, sts: StsState) -> AppliedPolicy:
    if demand.policy.startswith("dane") or demand.tlsa:
        return AppliedPolicy("tlsa", tuple([str(record) for record in demand.tlsa]))
    if sts.policy is not None and sts.policy.mode != "none":
        lines = tuple(policies.write_policy(sts.policy).splitlines())
        return AppliedPolicy("sts", lines, sts.policy.mx)
    return AppliedPolicy("sts") if sts.problem is not None else AppliedPolicy("no-policy-found")


def _from_outcomes(dialogue: ClientTransaction) -> DaneFailure | None:
    """The TLS failure of a transaction."""
    for outcome in dialogue.outcomes:
        if outcome.reason is Reason.TLS_REQUIRED:
            return DaneFailure(_NO_TLS.type, outcome.detail)
        if outcome.reason is Reason.TLS_FAILED:
            return DaneFailure("validation-failure", outcome.detail)
    return None


def _is_report(content: bytes) -> bool:
    return _IS_REPORT.search(b"\n" + content[: body_offset(content)]) is not None
