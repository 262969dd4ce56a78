"""Hands queued messages on: asks DNS, talks to mail hosts, writes down what came of it.

One attempt for each recipient, at every mail host of its domain until one answers.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from fakemail.events.kinds import Attempt, Routed, SmtpCommand
from fakemail.message.envelope import Envelope, Recipient
from fakemail.model.host import SMTP
from fakemail.mta.outbound.mx_routing import (
    DnsAnswer,
    DnsQuery,
    MailHost,
    Route,
    find_addresses,
    find_route,
    leads_back,
)
from fakemail.mta.outbound.outbound_tls import StsState
from fakemail.mta.outbound.tls_requirements import FAILURES, TlsRequirement
from fakemail.runtime.connection_pool import Destination
from fakemail.smtp.client import ClientTransaction, Outgoing, PeerFailure, RecipientOutcome, TlsUse
from fakemail.smtp.replies import reply_to
from fakemail.tls.dane import DaneFailure
from fakemail.types.reason import Reason
from fakemail.types.reply import Reply
from fakemail.types.stage import Stage

if TYPE_CHECKING:
    from fakemail.runtime.simulation import Simulation

_T = TypeVar("_T")
_DELIVERED = Reply(250, "2.0.0", "delivered")
# Our own servers end their last reply with the queue id. Texts are read of them only: others mean their own queues.
_QUEUE_ID = re.compile(r"(?:queued|delivered) as ([0-9A-Z]+)")


class LocalCopy(NamedTuple):
    """A message as its host puts it into mailboxes of its own, with all that was found about it."""

    content: bytes
    """With the trace fields of the host."""
    is_junk: bool = False


@dataclass(frozen=True)
class QueuedMessage:
    """A message that a host has taken and not yet handed on."""

    host: str
    queue_id: str
    envelope: Envelope
    content: bytes
    recipients: tuple[Recipient, ...]
    copies: Mapping[str, LocalCopy] = field(default_factory=dict)
    """What the host's own accounts get, by the key of the address, where that is not ``content``."""


class RecipientResult(NamedTuple):
    """How an attempt ended for one recipient."""

    recipient: Recipient
    at: Stage
    reply: Reply | None
    reason: Reason | None
    detail: str
    remote: str
    """The host that was tried, empty if none was found."""
    reports_delivery: bool
    """Whether the next host promised to report deliveries itself (RFC 3461 §5.2.1)."""
    status: str = ""
    """The enhanced status code where the reason stands for several and no reply gives one."""


class _Candidate(NamedTuple):
    """One address of one mail host."""

    domain: str
    """The domain of the recipients."""
    host: str
    address: str
    demand: TlsRequirement | None
    """``None`` when DNS failed to say."""


class _Attempt(NamedTuple):
    """A connection to a candidate, and what was wrong with its TLS."""

    dialogue: ClientTransaction
    problem: DaneFailure | None


class MessageTransfer:
    """The transfer of one message from one host."""

    def __init__(self, internet: Simulation, message: QueuedMessage) -> None:
        self._internet = internet
        self._message = message
        self._since = 0
        self.results: list[RecipientResult] = []
        """One for each recipient, once :meth:`run` has ended."""

    async def run(self) -> None:
        """Try each recipient once."""
        by_domain: dict[str, list[Recipient]] = {}
        for recipient in self._message.recipients:
            by_domain.setdefault(recipient.address.domain, []).append(recipient)
        for domain, recipients in by_domain.items():
            routes = self._internet.world.hosts[self._message.host].routes
            own_route = routes.get(domain)
            if own_route is None and self._internet.is_home(self._message.host, domain):
                self._deliver(recipients)
            else:
                await self._try_domain(domain, recipients, own_route or routes.get("*"))

    def _deliver(self, recipients: list[Recipient]) -> None:
        """What is for the host's own accounts needs no other host."""
        message = self._message
        name = message.host
        groups: dict[LocalCopy, list[Recipient]] = {}
        for recipient in recipients:
            copy = message.copies.get(recipient.address.key, LocalCopy(message.content))
            groups.setdefault(copy, []).append(recipient)
        failed = dict(
            failure
            for copy, group in groups.items()
            for failure in self._internet.delivery_agent.deliver(
                name, message.queue_id, message.envelope, copy.content, group, is_junk=copy.is_junk
            ).failed
        )
        for recipient, verdict in failed.items():
            reply = reply_to(verdict)
            self._internet.log.append(
                Attempt(
                    host=name,
                    message=message.queue_id,
                    recipient=recipient.address,
                    mail_host=name,
                    address=self._internet.world.hosts[name].ipv4,
                    at=Stage.DELIVER,
                    reply=reply,
                    reason=verdict.reason,
                    detail=verdict.detail,
                    tls="",
                    final=True,
                )
            )
            self.results.append(
                RecipientResult(
                    recipient, Stage.DELIVER, reply, verdict.reason, "", name, reports_delivery=True
                )
            )
        self.results += [
            RecipientResult(recipient, Stage.DELIVER, _DELIVERED, None, "", name, reports_delivery=True)
            for recipient in recipients
            if recipient not in failed
        ]

    async def _try_domain(self, domain: str, recipients: list[Recipient], own_route: str | None) -> None:
        internet = self._internet
        if own_route is not None:
            route = Route((MailHost(0, own_route),), detail="by its own table of routes")
        else:
            route = await self._ask(find_route(domain, own_name=self._message.host, chance=internet.random))
        internet.log.append(
            Routed(
                host=self._message.host,
                message=self._message.queue_id,
                domain=domain,
                mail_hosts=tuple(host.name for host in route.hosts),
                reason=route.reason,
                detail=route.detail,
            )
        )
        if route.reason is not None:
            self._give_up(recipients, route)
            return
        sts = StsState()
        if internet.world.hosts[self._message.host].options.mta_sts:
            sts = await internet.outbound_tls.policy_of(self._message.host, domain)
        candidates: list[_Candidate] = []
        failed = False
        back: list[str] = []
        for host in route.hosts:
            addresses = await self._ask(find_addresses(host.name))
            demand = await internet.outbound_tls.demand(
                self._message, host.name, domain, route=route, addresses=addresses, policy=sts.policy
            )
            candidates += [
                _Candidate(domain, host.name, address, demand)
                for address in addresses.found
                if not leads_back(address)
            ]
            back += [f"{host.name} [{each}]" for each in addresses.found if leads_back(each)]
            failed = failed or addresses.failed
        if not candidates:
            names = ", ".join(host.name for host in route.hosts)
            if back and not failed:
                detail = f"{', '.join(back)} is the sending host itself"
                self._give_up(recipients, Route(reason=Reason.MAIL_LOOP, detail=detail))
                return
            reason = Reason.DNS_TEMPORARY if failed else Reason.NO_ADDRESS
            self._give_up(recipients, Route(reason=reason, detail=f"no address for {names}"))
            return
        await self._try_hosts(domain, candidates, recipients, sts)

    async def _try_hosts(
        self, domain: str, candidates: list[_Candidate], recipients: list[Recipient], sts: StsState
    ) -> None:
        while candidates:
            candidate, *candidates = candidates
            dialogue, problem = await self._talk(candidate, recipients)
            reasons = {outcome.reason for outcome in dialogue.outcomes}
            failed_demand = bool(reasons) and reasons <= FAILURES
            if failed_demand:
                # Its other addresses are the same machine with the same certificate.
                candidates = [other for other in candidates if other.host != candidate.host]
            # RFC 5321 §5.1: the next host is tried when this one could not be talked to, and so it is when
            # it does not meet what is demanded of it (RFC 7672 §2.1, RFC 8461 §5.1, RFC 8689 §4.2.1).
            final = not candidates or (dialogue.was_greeted and not failed_demand)
            for outcome in dialogue.outcomes:
                self._note(candidate, outcome, dialogue, final=final)
            self._report(domain, candidate, _Attempt(dialogue, problem), sts)
            if dialogue.left:
                # RFC 9422 §4.1: more recipients than it takes at once; the others follow.
                candidates, recipients = [candidate, *candidates], dialogue.left
            elif final:
                return

    def _report(self, domain: str, candidate: _Candidate, tried: _Attempt, sts: StsState) -> None:
        """Count it for the report to the domain (RFC 8460 §4.4)."""
        if candidate.demand is not None:
            self._internet.tlsrpt_sender.note(
                self._message,
                domain,
                candidate.demand,
                mail_host=candidate.host,
                address=candidate.address,
                dialogue=tried.dialogue,
                problem=tried.problem,
                sts=sts,
            )

    async def _talk(self, candidate: _Candidate, recipients: list[Recipient]) -> _Attempt:
        envelope = self._message.envelope
        outgoing = Outgoing(
            self._message.host,
            envelope.sender,
            tuple(recipients),
            self._message.content,
            envelope.body,
            envelope.smtputf8,
            envelope.ret,
            envelope.envid,
            envelope.requiretls,
        )
        demand = candidate.demand
        if demand is None:
            failure = PeerFailure(Reason.DNS_TEMPORARY, f"TLSA of {candidate.host}")
            return self._not_tried(ClientTransaction(outgoing), failure)
        if demand.refusal is not None and demand.failure is not None:
            tried = self._not_tried(
                ClientTransaction(outgoing), PeerFailure(demand.failure, demand.refusal.detail)
            )
            return tried._replace(problem=demand.refusal)
        tried = await self._run(outgoing, demand.tls, candidate, demand)
        reasons = {outcome.reason for outcome in tried.dialogue.outcomes}
        if demand.tls is TlsUse.IF_OFFERED and reasons == {Reason.TLS_FAILED}:
            # Opportunistic TLS: better in clear text than not at all (RFC 7435 §1).
            outcome = tried.dialogue.outcomes[0]
            in_clear = await self._run(outgoing, TlsUse.NEVER, candidate, demand)
            if outcome.at is Stage.SMTP_STARTTLS:
                return in_clear  # which tells by itself that there was no TLS
            return in_clear._replace(problem=DaneFailure("validation-failure", outcome.detail))
        return tried

    def _not_tried(self, dialogue: ClientTransaction, failure: PeerFailure) -> _Attempt:
        self._since = len(self._internet.log)
        dialogue.never_began(failure)
        return _Attempt(dialogue, None)

    async def _run(
        self, outgoing: Outgoing, tls: TlsUse, candidate: _Candidate, demand: TlsRequirement
    ) -> _Attempt:
        self._since = len(self._internet.log)
        call = Destination(
            self._message.host, candidate.domain, candidate.host, candidate.address, demand, tls
        )
        return _Attempt(*await self._internet.connection_pool.talk(call, outgoing))

    async def _ask(self, questions: Generator[DnsQuery, DnsAnswer, _T]) -> _T:
        """Put a generator's questions to the fake DNS."""
        client = self._internet.dns_client(self._message.host)
        try:
            ask = next(questions)
            while True:
                answer = await client.query(ask.name, ask.type)
                remembered = answer.transport == "memory"
                ask = questions.send(DnsAnswer(answer.kind, answer.values(), answer.authentic, remembered))
        except StopIteration as end:
            result: _T = end.value
            return result

    def _note(
        self, candidate: _Candidate, outcome: RecipientOutcome, dialogue: ClientTransaction, *, final: bool
    ) -> None:
        known = None
        if outcome.reply is not None and outcome.is_accepted and not self._is_external(candidate.address):
            known = _QUEUE_ID.search(outcome.reply.text)
        reason = outcome.reason
        if candidate.demand is not None:
            reason = candidate.demand.reason(reason)
        if reason is None and not outcome.is_accepted:
            reason = self._reason_given(candidate.host, outcome)
        self._internet.log.append(
            Attempt(
                host=self._message.host,
                message=self._message.queue_id,
                recipient=outcome.recipient.address,
                mail_host=candidate.host,
                address=candidate.address,
                at=outcome.at,
                reply=outcome.reply,
                reason=reason,
                detail=outcome.detail,
                tls=dialogue.channel.version if dialogue.channel else "",
                final=final,
                onward=known[1] if known else "",
                policy=candidate.demand.policy if candidate.demand is not None else "",
            )
        )
        if final:
            self.results.append(
                RecipientResult(
                    outcome.recipient,
                    outcome.at,
                    outcome.reply,
                    reason,
                    outcome.detail,
                    candidate.host,
                    dialogue.offers("DSN"),
                    outcome.status,
                )
            )

    def _is_external(self, address: str) -> bool:
        """Whether a real server takes the mail at that address."""
        network = self._internet.network
        return network.attached(network.owner(address), SMTP.name) is not None

    def _reason_given(self, host: str, outcome: RecipientOutcome) -> Reason | None:
        """Why one of our own hosts said no: it wrote it down when it did."""
        for event in reversed(self._internet.log.events(outcome.at, host=host, since=self._since)):
            if (
                isinstance(event, SmtpCommand)
                and event.reply == outcome.reply
                and (outcome.at is not Stage.SMTP_RCPT or event.address == outcome.recipient.address)
            ):
                return event.reason
        return None

    def _give_up(self, recipients: list[Recipient], route: Route) -> None:
        for recipient in recipients:
            self._internet.log.append(
                Attempt(
                    host=self._message.host,
                    message=self._message.queue_id,
                    recipient=recipient.address,
                    mail_host="",
                    address="",
                    at=Stage.ROUTE,
                    reply=None,
                    reason=route.reason,
                    detail=route.detail,
                    tls="",
                    final=True,
                )
            )
            self.results.append(
                RecipientResult(
                    recipient, Stage.ROUTE, None, route.reason, route.detail, "", reports_delivery=False
                )
            )
