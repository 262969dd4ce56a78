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
from fakemail.policy.chain import NOTHING, heaviest
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
    """What a host decides about mail on one of its ports."""

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
        self._judge: PolicyEvaluator | None = None
        self._running = running
        self._services = services
        self._world = services.environment.world
        self._profile = profile
        self.credentials = running.credentials
        self.chance: SeededRandom = services.environment.random
        self._homes = services.local_domains.of(running.name)
        self._started: tuple[Origin, str] | None = None

    def _judging(self) -> PolicyEvaluator | None:
        """Who judges this connection; nobody where no domain has a policy, or the host has none for submission.

        Asked at each command, because a policy counts from the next command on.
        """
        is_submission = self._profile.is_submission
        if is_submission:
            is_needed = self._running.host.policy is not None
        else:
            is_needed = self._world.has_policies or self._services.auth_results.is_demanded
        if not is_needed:
            return None
        judge = self._judge
        if judge is None:
            from fakemail.mta.inbound.policy_evaluation import PolicyEvaluator  # few domains have a policy

            judge = self._judge = PolicyEvaluator(
                self._services, self._running, self._peer, self._connection, is_submission=is_submission
            )
            judge.facts.helo, judge.facts.channel = self._hello
            judge.facts.sender = self._sender
        return judge

    def introduce(self, said: Introduction, peer: Peer) -> Peer:
        """Take the client for whom it says it speaks; what was judged so far was about somebody else."""
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
        self._peer, self._judge, self._hello = known, None, ("", None)
        return known

    def check_client(self) -> Verdict | None:
        """Who is connecting."""
        judge = self._judging()
        return ACCEPTED if judge is None else judge.client()

    def check_hello(self, name: str, channel: Channel | None) -> Verdict | None:
        """The name that the client gives itself."""
        self._hello = name, channel
        judge = self._judging()
        return ACCEPTED if judge is None else judge.hello(name, channel)

    def check_data(self) -> Verdict | None:
        """All recipients together."""
        judge = self._judging()
        return ACCEPTED if judge is None else judge.data()

    def check_sender(self, sender: Path, login: str) -> Verdict | None:
        """On a submission port the sender must belong to the account (RFC 6409 §6.1)."""
        self._sender = sender
        judge = self._judging()
        if judge is not None:
            verdict = judge.sender(sender, login)
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
        """Take what is for here, or from those who may send onward (RFC 5321 §3.6.2)."""
        host = self._running.host
        if self._profile.is_submission:
            verdict = self._check_submitted(recipient)
            judge = self._judging()
            return verdict if judge is None else judge.recipient(recipient, verdict)
        if not recipient.domain:
            recipient = self._services.local_domains.postmaster(host.name)
        if recipient.domain in self._homes:
            verdict = self._services.delivery_agent.check(host.name, recipient)
            judge = self._judging()
            return verdict if judge is None else judge.recipient(recipient, verdict)
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
        if recipient.domain not in self._homes:
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
        """What goes elsewhere has to go somewhere, if the host asks for that."""
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
        judge = self._judging()
        if judge is not None:
            judge.facts.scans = ()
            is_judged = self._profile.is_submission
            scanners = judge.scanners(
                each for each in envelope.addresses if is_judged or self._is_home(each.domain)
            )
            if scanners:
                self._services.environment.tasks.spawn(self._scan(judge, scanners, envelope, content), "scan")
                return None
        return self._take(envelope, content, judge)

    async def _scan(
        self, judge: PolicyEvaluator, scanners: Iterable[ScannerAddress], envelope: Envelope, content: bytes
    ) -> None:
        from fakemail.policy.scanners import ScanRequest

        question = ScanRequest(
            content,
            judge.facts.peer.address,
            judge.facts.helo,
            str(envelope.sender) if isinstance(envelope.sender, Address) else "",
            tuple(str(address) for address in envelope.addresses),
        )
        try:
            judge.facts.scans = await self._services.scan(scanners, question)
            receipt = self._take(envelope, content, judge)
        except Exception as error:  # told to the test; the client is not to wait for ever
            self._services.environment.tasks.report(error)
            receipt = Receipt(deferred(Reason.LOCAL_ERROR))
        self.on_answer(receipt)

    def _take(self, envelope: Envelope, content: bytes, judge: PolicyEvaluator | None) -> Receipt:
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
            return self._submit(queue_id, envelope, content, trace, judge)
        return self._deliver(queue_id, envelope, content, trace, judge)

    def _submit(
        self, queue_id: str, envelope: Envelope, content: bytes, trace: bytes, judge: PolicyEvaluator | None
    ) -> Receipt:
        services = self._services
        decided: list[RecipientDecision] = []
        if judge is not None:
            from fakemail.mta.inbound.policy_evaluation import marked

            decided = judge.conclude(queue_id, envelope, content, envelope.recipients)
            if all(each.judgement.outcome.is_final for each in decided):
                return Receipt(judge.turned_away(decided))
            content = marked(decided, content)
        account = self._world.accounts.get(address_key(envelope.origin.login))
        if account is not None and account.sent_copy:
            with suppress(OverQuota):  # a copy for the files is no reason to refuse the mail
                services.delivery_agent.put(account.address, content, "Sent", flags={SEEN})
        signed = services.dkim_signer.submitted(self._running.name, content)
        raw = self._altered(prepend(signed, trace))
        if judge is None:
            services.mail_queue.enqueue(self._running.name, queue_id, envelope, raw)
        else:
            judge.pass_on(decided, queue_id, envelope, raw)
        return Receipt(ACCEPTED, queue_id, f"queued as {queue_id}")

    def _deliver(
        self, queue_id: str, envelope: Envelope, content: bytes, trace: bytes, judge: PolicyEvaluator | None
    ) -> Receipt:
        """Deliver what is for here and queue the rest; refuse if nothing of it can be done."""
        services, name = self._services, self._running.name
        auth_results = services.auth_results
        local: Sequence[Recipient] = envelope.recipients
        waiting = [each for each in local if not self._is_home(each.address.domain)]
        if waiting:
            local = [each for each in local if each not in waiting]
        raw = prepend(content, trace)
        after = None
        copies: dict[str, LocalCopy] = {}
        if local:
            if judge is None:
                if auth_results.is_urgent(name):
                    auth_results.hold(name, queue_id, envelope, content)
                if services.wants_evaluations():
                    services.on_evaluated(auth_results.facts_of(name, envelope, content), NOTHING)
                failed, nobody_has_it = services.delivery_agent.deliver(name, queue_id, envelope, raw, local)
                if failed:
                    copies = {each.address.key: LocalCopy(raw) for each, _ in failed}
                    auth_results.hold(name, queue_id, envelope, content)
            else:
                decided = judge.conclude(queue_id, envelope, content, local)
                if services.wants_evaluations():
                    judgement = heaviest(each.judgement for each in decided)
                    services.on_evaluated(judge.facts, judgement)
                if not waiting and all(each.judgement.outcome.is_final for each in decided):
                    return Receipt(judge.turned_away(decided))
                failed, nobody_has_it, held, copies = judge.apply(decided, queue_id, envelope, raw)
                waiting += held
                delayed = [
                    each.policy.delay for each in decided if each.judgement.outcome is Disposition.DELAY
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
        return Receipt(ACCEPTED, queue_id, f"{'delivered' if local else 'queued'} as {queue_id}")

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
        if local and self._is_home(a_labels(domain)):
            yield Address(local, domain)
        elif not local:
            for home in tuple(self._homes):
                yield Address(name, home)

    def _is_home(self, domain: str) -> bool:
        return not domain or domain in self._homes
