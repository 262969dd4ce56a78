"""Transfer of queued messages: DNS queries, sessions with mail hosts, what came of each recipient.

One attempt for each recipient, at every mail host of its domain until one answers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine, Generator, Sequence
from typing import Any, NamedTuple, TypeVar

from fakemail.environment import Environment
from fakemail.events.kinds import Attempt, Routed, SmtpCommand
from fakemail.message.envelope import Recipient
from fakemail.mta.local_domains import LocalDomains
from fakemail.mta.outbound.mx_routing import (
    DnsAnswer,
    DnsQuery,
    DnsResolver,
    MailHost,
    Route,
    find_addresses,
    find_route,
    leads_back,
)
from fakemail.mta.outbound.outbound_tls import OutboundTls, StsState
from fakemail.mta.outbound.queued_message import LocalCopy, QueuedMessage, RecipientResult
from fakemail.mta.outbound.tls_requirements import FAILURES, TlsRequirement
from fakemail.smtp.client import ClientTransaction, Outgoing, PeerFailure, RecipientOutcome, TlsUse
from fakemail.smtp.replies import reply_to
from fakemail.tls.dane import DaneFailure
from fakemail.types.dataclass import dataclass
from fakemail.types.reason import Reason
from fakemail.types.reply import Reply
from fakemail.types.stage import Stage
from fakemail.types.verdict import Verdict

_T = TypeVar("_T")
_DELIVERED = Reply(250, "2.0.0", "delivered")
# Our own servers end their last reply with the queue id. Texts are read of them only: others mean their own queues.
_QUEUE_ID = re.compile(r"(?:queued|delivered) as ([0-9A-Z]+)")


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


class Destination(NamedTuple):
    """The mail host that a host connects to, and how."""

    host: str
    """The sending host."""
    domain: str
    """The domain of the recipients."""
    mail_host: str
    address: str
    demand: TlsRequirement
    tls: TlsUse

    @property
    def key(self) -> tuple[str, str, str, str]:
        """Under which a connection is kept."""
        return self.host, self.mail_host, self.address, self.demand.policy


class TlsSession(NamedTuple):
    """A session with a mail host, or an attempt at one, as reports count them (RFC 8460 §4.4)."""

    message: QueuedMessage
    domain: str
    """The domain of the recipients."""
    mail_host: str
    address: str
    demand: TlsRequirement
    sts: StsState
    dialogue: ClientTransaction
    problem: DaneFailure | None
    """The failure of its TLS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferServices:
    """Services of sending, the same for all hosts of one fake internet."""

    environment: Environment
    local_domains: LocalDomains
    outbound_tls: OutboundTls
    dns_client: Callable[[str], DnsResolver]
    """The resolver of a host, which asks over the network."""
    talk: Callable[[Destination, Outgoing], Coroutine[Any, Any, tuple[ClientTransaction, DaneFailure | None]]]
    """Talks to a mail host: the transaction tells how it went, the failure what is wrong with its TLS."""
    is_external: Callable[[str], bool]
    """Whether a real server takes the mail at an address."""
    deliver: Callable[[QueuedMessage, LocalCopy, Sequence[Recipient]], Sequence[tuple[Recipient, Verdict]]]
    """Delivers to accounts of the message's own host; returns the recipients that failed, and why."""
    on_session: Callable[[TlsSession], object]
    """Called after each session."""

    async def transfer(self, message: QueuedMessage) -> list[RecipientResult]:
        """Try each recipient of a message once."""
        work = MessageTransfer(self, message)
        await work.run()
        return work.results


class MessageTransfer:
    """The transfer of one message from one host."""

    def __init__(self, services: TransferServices, message: QueuedMessage) -> None:
        self._services = services
        self._log = services.environment.log
        self._world = services.environment.world
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
            routes = self._world.hosts[self._message.host].routes
            own_route = routes.get(domain)
            if own_route is None and self._services.local_domains.is_local(self._message.host, domain):
                self._deliver(recipients)
            else:
                await self._try_domain(domain, recipients, own_route or routes.get("*"))

    def _deliver(self, recipients: list[Recipient]) -> None:
        """Deliver to the host's own accounts, without another host."""
        message = self._message
        name = message.host
        groups: dict[LocalCopy, list[Recipient]] = {}
        for recipient in recipients:
            copy = message.copies.get(recipient.address.key, LocalCopy(message.content))
            groups.setdefault(copy, []).append(recipient)
        failed = dict(
            failure
            for copy, group in groups.items()
            for failure in self._services.deliver(message, copy, group)
        )
        for recipient, verdict in failed.items():
            reply = reply_to(verdict)
            self._log.append(
                Attempt(
                    host=name,
                    message=message.queue_id,
                    recipient=recipient.address,
                    mail_host=name,
                    address=self._world.hosts[name].ipv4,
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
        outbound_tls = self._services.outbound_tls
        if own_route is not None:
            route = Route((MailHost(0, own_route),), detail="by its own table of routes")
        else:
            route = await self._ask(
                find_route(domain, own_name=self._message.host, chance=self._services.environment.random)
            )
        self._log.append(
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
        if self._world.hosts[self._message.host].options.mta_sts:
            sts = await outbound_tls.policy_of(self._message.host, domain)
        candidates: list[_Candidate] = []
        failed = False
        back: list[str] = []
        for host in route.hosts:
            addresses = await self._ask(find_addresses(host.name))
            demand = await outbound_tls.demand(
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
            self._services.on_session(
                TlsSession(
                    message=self._message,
                    domain=domain,
                    mail_host=candidate.host,
                    address=candidate.address,
                    demand=candidate.demand,
                    sts=sts,
                    dialogue=tried.dialogue,
                    problem=tried.problem,
                )
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
        self._since = len(self._log)
        dialogue.never_began(failure)
        return _Attempt(dialogue, None)

    async def _run(
        self, outgoing: Outgoing, tls: TlsUse, candidate: _Candidate, demand: TlsRequirement
    ) -> _Attempt:
        self._since = len(self._log)
        call = Destination(
            self._message.host, candidate.domain, candidate.host, candidate.address, demand, tls
        )
        return _Attempt(*await self._services.talk(call, outgoing))

    async def _ask(self, questions: Generator[DnsQuery, DnsAnswer, _T]) -> _T:
        """Put a generator's questions to the fake DNS."""
        client = self._services.dns_client(self._message.host)
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
        self._log.append(
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
        return self._services.is_external(address)

    def _reason_given(self, host: str, outcome: RecipientOutcome) -> Reason | None:
        """Why one of our own hosts said no: it wrote it down when it did."""
        for event in reversed(self._log.events(outcome.at, host=host, since=self._since)):
            if (
                isinstance(event, SmtpCommand)
                and event.reply == outcome.reply
                and (outcome.at is not Stage.SMTP_RCPT or event.address == outcome.recipient.address)
            ):
                return event.reason
        return None

    def _give_up(self, recipients: list[Recipient], route: Route) -> None:
        for recipient in recipients:
            self._log.append(
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
