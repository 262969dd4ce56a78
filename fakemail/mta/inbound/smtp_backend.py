"""Answers of a receiving host to MAIL, RCPT and DATA: its side of :mod:`fakemail.smtp.backend`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from fakemail.events.kinds import ProxyIdentified
from fakemail.message.envelope import Envelope, Origin, Recipient
from fakemail.message.trace import complete, count_received, prepend, received_end, received_start
from fakemail.model.content_rules import ScannerAddress
from fakemail.model.domain import Routing
from fakemail.model.policy import Disposition
from fakemail.mta.inbound.alterations import alter
from fakemail.mta.inbound.recipients import resolve
from fakemail.mta.inbound.services import InboundServices, ReceivingHost
from fakemail.mta.outbound.queued_message import LocalCopy
from fakemail.policy.chain import NOTHING, most_severe
from fakemail.sasl.exchange import CredentialStore
from fakemail.smtp.backend import Receipt
from fakemail.smtp.extensions import SmtpProfile
from fakemail.smtp.xclient import Introduction
from fakemail.store.errors import OverQuota
from fakemail.store.message import SEEN
from fakemail.types.address import Address, Path, address_key, local_key
from fakemail.types.channel import Channel
from fakemail.types.domains import a_labels
from fakemail.types.peer import Peer
from fakemail.types.reason import Reason
from fakemail.types.seeded_random import SeededRandom
from fakemail.types.verdict import ACCEPTED, Verdict, VerdictAction, deferred, refused

if TYPE_CHECKING:
    from fakemail.mta.inbound.policy_evaluation import PolicyEvaluator, RecipientDecision


def _nobody_waits(_: Verdict | Receipt) -> None:
    """Stand in for a session."""


class SmtpBackend:
    """Decisions of a host about the mail on one connection."""

    def __init__(
        self,
        services: InboundServices,
        running: ReceivingHost,
        profile: SmtpProfile,
        peer: Peer,
        connection: int,
    ) -> None:
        self.on_answer: Callable[[Verdict | Receipt], None] = _nobody_waits
        """Called with what :meth:`take` did not know at once."""
        self._peer = peer
        self._connection = connection
        self._hello: tuple[str, Channel | None] = ("", None)
        self._sender: Path | None = None
        self._evaluator: PolicyEvaluator | None = None
        self._running = running
        self._services = services
        self._world = services.environment.world
        self._profile = profile
        self.credentials: CredentialStore = running.credentials
        self.chance: SeededRandom = services.environment.random
        self._local_domains = services.local_domains.of(running.name)
        self._started: tuple[Origin, str] | None = None

    def _evaluator_in_use(self) -> PolicyEvaluator | None:
        """The policy evaluator of this connection; none where no domain has a policy, or the host none for submission.

        Asked at each command, because a policy counts from the next command on.
        """
        is_submission = self._profile.is_submission
        if is_submission:
            is_needed = self._running.host.policy is not None
        else:
            is_needed = self._world.has_policies or self._services.auth_results.is_demanded
        if not is_needed:
            return None
        evaluator = self._evaluator
        if evaluator is None:
            from fakemail.mta.inbound.policy_evaluation import PolicyEvaluator  # few domains have a policy

            evaluator = self._evaluator = PolicyEvaluator(
                self._services, self._running, self._peer, self._connection, is_submission=is_submission
            )
            evaluator.facts.helo, evaluator.facts.channel = self._hello
            evaluator.facts.sender = self._sender
        return evaluator

    def introduce(self, said: Introduction, peer: Peer) -> Peer:
        """Take the client for the one that it names (XCLIENT); earlier evaluations were about another one."""
        name = peer.name if said.name is None else said.name or "app"
        # A name of ours would make it one of our hosts, whose mail is followed in other ways.
        name = "app" if name in self._world.hosts else name
        known = Peer(said.address or peer.address, said.port if said.port is not None else peer.port, name)
        running = self._running
        self._services.environment.log.append(
            ProxyIdentified(
                host=running.name, connection=self._connection, how="XCLIENT", by=self._peer, client=known
            )
        )
        self._peer, self._evaluator, self._hello = known, None, ("", None)
        return known

    def check_client(self) -> Verdict | None:
        """The client, before anything is said to it."""
        evaluator = self._evaluator_in_use()
        return ACCEPTED if evaluator is None else evaluator.client()

    def check_hello(self, name: str, channel: Channel | None) -> Verdict | None:
        """The name that the client gives itself."""
        self._hello = name, channel
        evaluator = self._evaluator_in_use()
        return ACCEPTED if evaluator is None else evaluator.hello(name, channel)

    def check_data(self) -> Verdict | None:
        """All recipients together."""
        evaluator = self._evaluator_in_use()
        return ACCEPTED if evaluator is None else evaluator.data()

    def check_sender(self, sender: Path, login: str) -> Verdict | None:
        """On a submission port the sender must belong to the account (RFC 6409 §6.1)."""
        self._sender = sender
        evaluator = self._evaluator_in_use()
        if evaluator is not None:
            verdict = evaluator.sender(sender, login)
            if not verdict.is_accepted:
                return verdict
        options = self._profile.options
        if not login or not options.own_senders_only or not isinstance(sender, Address):
            return ACCEPTED
        if options.accept_any_login:
            return ACCEPTED
        world = self._world
        account = world.accounts.get(address_key(login))
        if account is not None:
            separator = world.domains[account.address.domain].detail_separator
            if account.owns(sender, detail_separator=separator):
                return ACCEPTED
        return refused(Reason.SENDER_NOT_OWNED, f"<{sender}>")

    def check_recipient(self, recipient: Address, login: str) -> Verdict | None:
        """Accept mail for local domains, or from clients that may relay (RFC 5321 §3.6.2)."""
        host = self._running.host
        if host.is_sink and recipient.key not in self._world.accounts and recipient.domain:
            self._services.make_mailbox(recipient)
        if self._profile.is_submission:
            verdict = self._check_submitted(recipient)
            evaluator = self._evaluator_in_use()
            return verdict if evaluator is None else evaluator.recipient(recipient, verdict)
        if not recipient.domain:
            recipient = self._services.local_domains.postmaster(host.name)
        if recipient.domain in self._local_domains:
            verdict = self._services.delivery_agent.check(host.name, recipient)
            evaluator = self._evaluator_in_use()
            return verdict if evaluator is None else evaluator.recipient(recipient, verdict)
        if (
            self._peer.name in host.relay_from
            or recipient.domain in host.routes
            or not host.open_relay_for.isdisjoint((recipient.domain, "*"))
        ):
            return self._check_domain(recipient)
        return refused(Reason.RELAY_DENIED, f"<{recipient}>")

    def _check_submitted(self, recipient: Address) -> Verdict:
        """On the submission ports: what is known here to be undeliverable is refused at once (RFC 6409 §5.1)."""
        host = self._running.host
        if host.options.refuse_null_mx and self._takes_no_mail(recipient.domain):
            return refused(Reason.NULL_MX, f"<{recipient}>")  # RFC 7505 §4.1
        if recipient.domain not in self._local_domains:
            return self._check_domain(recipient)
        verdict = self._services.delivery_agent.check(host.name, recipient)
        # A full mailbox may have room again when the queue tries it.
        return ACCEPTED if verdict.reason is Reason.OVER_QUOTA else verdict

    def _takes_no_mail(self, domain: str) -> bool:
        """Whether a domain says in DNS that it takes no mail (RFC 7505 §3)."""
        if domain.startswith("["):
            return False
        declared = self._world.domains.get(domain)
        if declared is not None and declared.routing is Routing.NULL_MX:
            return True
        records = self._services.zones.zones.records(domain, "MX")
        return bool(records) and all(record.value.split()[-1] == "." for record in records)

    def _check_domain(self, recipient: Address) -> Verdict:
        """Refuse domains that cannot get mail, if the host looks for that."""
        host, domain = self._running.host, recipient.domain
        if (
            not host.options.reject_unknown_recipient_domain
            or not domain
            or domain.startswith("[")
            or host.routes.keys() & {domain, "*"}
        ):
            return ACCEPTED
        from fakemail.policy.envelope import mail_records  # for the hosts that ask for it

        found = mail_records(domain, self._services.resolver(host.name))
        if found.failure:
            return deferred(Reason.DNS_TEMPORARY, f"<{recipient}>: {found.failure}")
        if found.is_null:
            return refused(Reason.NULL_MX, f"<{recipient}>")
        return ACCEPTED if found.type else refused(Reason.NO_SUCH_DOMAIN, f"<{recipient}>")

    def take(self, envelope: Envelope, content: bytes) -> Receipt | None:
        """Deliver what is for here, queue the rest; real scanners are asked first, which takes a moment."""
        evaluator = self._evaluator_in_use()
        if evaluator is not None:
            evaluator.facts.scans = ()
            is_judged = self._profile.is_submission
            scanners = evaluator.scanners(
                each for each in envelope.addresses if is_judged or self._is_local(each.domain)
            )
            if scanners:
                self._services.environment.tasks.spawn(
                    self._scan(evaluator, scanners, envelope, content), "scan"
                )
                return None
        return self._take(envelope, content, evaluator)

    async def _scan(
        self,
        evaluator: PolicyEvaluator,
        scanners: Iterable[ScannerAddress],
        envelope: Envelope,
        content: bytes,
    ) -> None:
        from fakemail.policy.scanners import ScanRequest

        question = ScanRequest(
            content,
            evaluator.facts.peer.address,
            evaluator.facts.helo,
            str(envelope.sender) if isinstance(envelope.sender, Address) else "",
            tuple(str(address) for address in envelope.addresses),
        )
        try:
            evaluator.facts.scans = await self._services.scan(scanners, question)
            receipt = self._take(envelope, content, evaluator)
        except Exception as error:  # told to the test; the client is not to wait for ever
            self._services.environment.tasks.report(error)
            receipt = Receipt(deferred(Reason.LOCAL_ERROR))
        self.on_answer(receipt)

    def _take(self, envelope: Envelope, content: bytes, evaluator: PolicyEvaluator | None) -> Receipt:
        name = self._running.name
        queue_id = self.chance.queue_id()
        now = self._services.environment.clock.now()
        recipients = envelope.recipients
        if not self._profile.is_submission and count_received(content) >= self._profile.options.max_hops:
            return Receipt(refused(Reason.MAIL_LOOP))
        if self._profile.is_submission:
            content = complete(content, date=now, message_id=f"<{queue_id}@{name}>")
        trace = received_end(
            self._received_start(envelope.origin),
            queue_id=queue_id,
            date=now,
            recipient=recipients[0].address if len(recipients) == 1 else None,
        )
        if self._profile.is_submission:
            return self._submit(queue_id, envelope, content, trace, evaluator)
        return self._deliver(queue_id, envelope, content, trace, evaluator)

    def _submit(
        self,
        queue_id: str,
        envelope: Envelope,
        content: bytes,
        trace: bytes,
        evaluator: PolicyEvaluator | None,
    ) -> Receipt:
        services = self._services
        decided: list[RecipientDecision] = []
        if evaluator is not None:
            from fakemail.mta.inbound.policy_evaluation import marked

            decided = evaluator.decide(queue_id, envelope, content, envelope.recipients)
            if all(each.decision.outcome.is_final for each in decided):
                return Receipt(evaluator.rejection(decided))
            content = marked(decided, content)
        account = self._world.accounts.get(address_key(envelope.origin.login))
        if account is not None and account.sent_copy:
            with suppress(OverQuota):  # a copy for the files is no reason to refuse the mail
                services.delivery_agent.put(account.address, content, "Sent", flags={SEEN})
        signed = services.dkim_signer.submitted(self._running.name, content)
        raw = self._altered(prepend(signed, trace))
        if evaluator is None:
            services.mail_queue.enqueue(self._running.name, queue_id, envelope, raw)
        else:
            evaluator.apply_submitted(decided, queue_id, envelope, raw)
        return Receipt(ACCEPTED, queue_id, f"queued as {queue_id}", raw)

    def _deliver(
        self,
        queue_id: str,
        envelope: Envelope,
        content: bytes,
        trace: bytes,
        evaluator: PolicyEvaluator | None,
    ) -> Receipt:
        """Deliver what is for here and queue the rest; refuse if nothing of it can be done."""
        services, name = self._services, self._running.name
        auth_results = services.auth_results
        local: Sequence[Recipient] = envelope.recipients
        waiting = [each for each in local if not self._is_local(each.address.domain)]
        if waiting:
            local = [each for each in local if each not in waiting]
        raw = prepend(content, trace)
        after, kept = None, b""
        copies: dict[str, LocalCopy] = {}
        if local:
            if evaluator is None:
                if auth_results.is_urgent(name):
                    auth_results.hold(name, queue_id, envelope, content)
                if services.wants_evaluations():
                    services.on_evaluated(auth_results.facts_of(name, envelope, content), NOTHING)
                failed, nobody_has_it, kept = services.delivery_agent.deliver(
                    name, queue_id, envelope, raw, local
                )
                if failed:
                    copies = {each.address.key: LocalCopy(raw) for each, _ in failed}
                    auth_results.hold(name, queue_id, envelope, content)
            else:
                decided = evaluator.decide(queue_id, envelope, content, local)
                if services.wants_evaluations():
                    decision = most_severe(each.decision for each in decided)
                    services.on_evaluated(evaluator.facts, decision)
                if not waiting and all(each.decision.outcome.is_final for each in decided):
                    return Receipt(evaluator.rejection(decided))
                failed, nobody_has_it, held, copies = evaluator.apply(decided, queue_id, envelope, raw)
                waiting += held
                delayed = [
                    each.policy.delay for each in decided if each.decision.outcome is Disposition.DELAY
                ]
                after = max(delayed, default=None)
            if nobody_has_it and not waiting:
                later = [verdict for _, verdict in failed if verdict.action is VerdictAction.DEFER]
                return Receipt((later or [failed[0][1]])[0])
            if failed:
                waiting += [recipient for recipient, _ in failed]
        if waiting:
            onward = self._altered(raw)
            if self._running.host.options.arc_seal:
                onward = services.arc_sealer.seal(name, "", envelope, raw, onward)
            services.mail_queue.enqueue(
                name, queue_id, envelope, onward, recipients=waiting, after=after, copies=copies
            )
            kept = kept or onward
        return Receipt(ACCEPTED, queue_id, f"{'delivered' if local else 'queued'} as {queue_id}", kept)

    def _altered(self, raw: bytes) -> bytes:
        """A message as it is passed on."""
        alters = self._running.host.options.alters
        return alter(raw, alters, host=self._running.name) if alters else raw

    def _received_start(self, origin: Origin) -> str:
        """The part of the Received field that does not change as long as the client stays who it is."""
        known = self._started
        if known is None or known[0] is not origin:
            known = self._started = (
                origin,
                received_start(
                    helo=origin.helo,
                    client_ip=origin.peer.address,
                    client_name="" if origin.peer.name == "app" else origin.peer.name,
                    by=self._running.name,
                    with_=origin.protocol,
                    tls=f"{origin.tls} with cipher {origin.cipher}" if origin.tls else "",
                ),
            )
        return known[1]

    def verify(self, name: str) -> tuple[Address, ...]:
        """The addresses that a name or an address stands for here, of whatever kind (RFC 5321 §3.5)."""
        found: dict[str, Address] = {}
        for address in self._addresses(name):
            behind = resolve(self._world, address)
            kinds = (behind.accounts, behind.forwards, behind.onward, behind.lists, behind.list_mail)
            found.update((each.key, each) for kind in kinds for each in kind)
        return tuple(found.values())

    def expand(self, name: str) -> tuple[Address, ...]:
        """The addresses behind an alias or a mailing list."""
        world = self._world
        for address in self._addresses(name):
            targets = world.domains[address.domain].aliases.get(local_key(address.local))
            if targets:
                return targets
            role = world.list_role(address)
            if role is not None and not role[1]:
                return role[0].members
        return ()

    def _addresses(self, name: str) -> Iterable[Address]:
        local, _, domain = name.rpartition("@")
        if local and self._is_local(a_labels(domain)):
            yield Address(local, domain)
        elif not local:
            for home in tuple(self._local_domains):
                yield Address(name, home)

    def _is_local(self, domain: str) -> bool:
        return not domain or domain in self._local_domains
