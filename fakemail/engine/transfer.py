"""Hands queued messages on: asks DNS, talks to mail hosts, writes down what came of it.

One attempt for each recipient, at every mail host of its domain until one answers.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from fakemail.engine.network import Endpoint
from fakemail.mail.envelope import Envelope, Recipient
from fakemail.model.host import SMTP
from fakemail.mta.routing import Ask, Found, Route, find_addresses, find_route
from fakemail.record.events import Attempt, Exchange, Routed
from fakemail.smtp.dialogue import Dialogue, Outcome, Outgoing, PeerFailure
from fakemail.terms.peer import Peer
from fakemail.terms.reason import Reason
from fakemail.terms.reply import Reply
from fakemail.terms.stage import Stage
from fakemail.tls.authority import process_authority
from fakemail.wire.smtp_client import SmtpClient

if TYPE_CHECKING:
    from fakemail.engine.internet import Internet

_T = TypeVar("_T")
# Our own servers end their last reply with the queue id; for a foreign server this stays unknown.
_QUEUE_ID = re.compile(r"(?:queued|delivered) as ([0-9A-Z]+)")


@dataclass(frozen=True)
class QueuedMessage:
    """A message that a host has taken and not yet handed on."""

    host: str
    queue_id: str
    envelope: Envelope
    content: bytes
    recipients: tuple[Recipient, ...]


class Result(NamedTuple):
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


class _Candidate(NamedTuple):
    """One address of one mail host."""

    host: str
    address: str


class Transfer:
    """The transfer of one message from one host."""

    def __init__(self, internet: Internet, message: QueuedMessage) -> None:
        self._internet = internet
        self._message = message
        self._since = 0
        self.results: list[Result] = []
        """One for each recipient, once :meth:`run` has ended."""

    async def run(self) -> None:
        """Try each recipient once."""
        by_domain: dict[str, list[Recipient]] = {}
        for recipient in self._message.recipients:
            by_domain.setdefault(recipient.address.domain, []).append(recipient)
        for domain, recipients in by_domain.items():
            await self._try_domain(domain, recipients)

    async def _try_domain(self, domain: str, recipients: list[Recipient]) -> None:
        internet = self._internet
        route = await self._ask(find_route(domain, own_name=self._message.host, chance=internet.chance))
        internet.log.append(
            Routed,
            Stage.ROUTE,
            self._message.host,
            0,
            self._message.queue_id,
            domain,
            tuple(host.name for host in route.hosts),
            route.reason,
            route.detail,
        )
        if route.reason is not None:
            self._give_up(recipients, route)
            return
        candidates: list[_Candidate] = []
        failed = False
        for host in route.hosts:
            addresses = await self._ask(find_addresses(host.name))
            candidates += [_Candidate(host.name, address) for address in addresses.found]
            failed = failed or addresses.failed
        if not candidates:
            names = ", ".join(host.name for host in route.hosts)
            reason = Reason.DNS_TEMPORARY if failed else Reason.NO_ADDRESS
            self._give_up(recipients, Route(reason=reason, detail=f"no address for {names}"))
            return
        await self._try_hosts(candidates, recipients)

    async def _try_hosts(self, candidates: list[_Candidate], recipients: list[Recipient]) -> None:
        for place, candidate in enumerate(candidates, 1):
            dialogue = await self._talk(candidate, recipients)
            is_last = place == len(candidates)
            # RFC 5321 §5.1: the next host is tried when this one could not be talked to.
            final = dialogue.was_greeted or is_last
            for outcome in dialogue.outcomes:
                self._note(candidate, outcome, dialogue, final=final)
            if final:
                return

    async def _talk(self, candidate: _Candidate, recipients: list[Recipient]) -> Dialogue:
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
        )
        dialogue = await self._run(Dialogue(outgoing), candidate)
        if all(outcome.reason is Reason.TLS_FAILED for outcome in dialogue.outcomes):
            # Opportunistic TLS: better in clear text than not at all (RFC 7435 §1).
            dialogue = await self._run(Dialogue(outgoing, use_tls=False), candidate)
        return dialogue

    async def _run(self, dialogue: Dialogue, candidate: _Candidate) -> Dialogue:
        self._since = len(self._internet.log)
        network = self._internet.network
        host = self._internet.world.hosts[self._message.host]
        target = network.find(candidate.address, SMTP.port)
        if target is None:
            failure = PeerFailure(Reason.CONNECTION_REFUSED, f"no host has the address {candidate.address}")
            dialogue.never_began(failure)
            return dialogue
        made: list[Endpoint] = []

        def connected_from(endpoint: tuple[str, int]) -> None:
            made.append(Endpoint(*endpoint))
            network.calls_from(made[-1], Peer(host.ipv4, made[-1].port, host.name))

        client = SmtpClient(
            target=target,
            source=network.loopback_of(host.name),
            tls_context=_unverified_context,
            server_name="" if candidate.host.startswith("[") else candidate.host,
            connected_from=connected_from,
        )
        try:
            await client.run(dialogue)
        finally:
            for endpoint in made:
                network.hung_up(endpoint)
        return dialogue

    async def _ask(self, questions: Generator[Ask, Found, _T]) -> _T:
        """Put a generator's questions to the fake DNS."""
        client = self._internet.dns_client(self._message.host)
        try:
            ask = next(questions)
            while True:
                answer = await client.query(ask.name, ask.type)
                ask = questions.send(Found(answer.kind, answer.values()))
        except StopIteration as end:
            result: _T = end.value
            return result

    def _note(self, candidate: _Candidate, outcome: Outcome, dialogue: Dialogue, *, final: bool) -> None:
        known = _QUEUE_ID.search(outcome.reply.text) if outcome.reply and outcome.is_accepted else None
        reason = outcome.reason
        if reason is None and not outcome.is_accepted:
            reason = self._reason_given(candidate.host, outcome)
        self._internet.log.append(
            Attempt,
            Stage.ATTEMPT,
            self._message.host,
            0,
            self._message.queue_id,
            outcome.recipient.address,
            candidate.host,
            candidate.address,
            outcome.at,
            outcome.reply,
            reason,
            outcome.detail,
            dialogue.channel.version if dialogue.channel else "",
            final,
            known[1] if known else "",
        )
        if final:
            self.results.append(
                Result(
                    outcome.recipient,
                    outcome.at,
                    outcome.reply,
                    reason,
                    outcome.detail,
                    candidate.host,
                    dialogue.offers("DSN"),
                )
            )

    def _reason_given(self, host: str, outcome: Outcome) -> Reason | None:
        """Why one of our own hosts said no: it wrote it down when it did."""
        for event in reversed(self._internet.log.events(outcome.at, host=host, since=self._since)):
            if (
                isinstance(event, Exchange)
                and event.reply == outcome.reply
                and (outcome.at is not Stage.SMTP_RCPT or event.address == outcome.recipient.address)
            ):
                return event.reason
        return None

    def _give_up(self, recipients: list[Recipient], route: Route) -> None:
        for recipient in recipients:
            self._internet.log.append(
                Attempt,
                Stage.ATTEMPT,
                self._message.host,
                0,
                self._message.queue_id,
                recipient.address,
                "",
                "",
                Stage.ROUTE,
                None,
                route.reason,
                route.detail,
                "",
                True,
            )
            self.results.append(
                Result(recipient, Stage.ROUTE, None, route.reason, route.detail, "", reports_delivery=False)
            )


def _unverified_context() -> ssl.SSLContext:
    """Opportunistic TLS takes any certificate (RFC 7435 §3)."""
    global _unverified
    if _unverified is None:
        context = process_authority().client_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        _unverified = context
    return _unverified


_unverified: ssl.SSLContext | None = None
