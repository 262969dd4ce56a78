"""Evaluation of the policies of a host's domains for one connection and the mail on it.

The checks and what follows from them are data (:mod:`fakemail.policy`); this module gives them the facts, writes
down what they found, and remembers what does not turn a client away but stays with its mail.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from fakemail.events.kinds import CheckFinding, PolicyEvaluated
from fakemail.message.envelope import Envelope, Recipient
from fakemail.message.trace import prepend
from fakemail.model.content_rules import ScannerAddress
from fakemail.model.policy import SUBMISSION_POLICY, Disposition, Policy
from fakemail.mta.inbound.delivery_agent import DeliveryOutcome
from fakemail.mta.inbound.dispositions import EvaluatedMessage, apply_disposition, copy_of, tag
from fakemail.mta.inbound.services import InboundServices, ReceivingHost
from fakemail.mta.outbound.queued_message import LocalCopy
from fakemail.policy.auth_fields import authentication_results, received_spf, without_claims
from fakemail.policy.chain import STAGES, DisposedFinding, PolicyDecision, evaluate, most_severe
from fakemail.policy.checks import chain_of
from fakemail.policy.client import count_connection
from fakemail.policy.envelope import count_taken
from fakemail.policy.finding import AuthStatus, Finding
from fakemail.policy.sender_facts import HostContext
from fakemail.policy.transaction_facts import TransactionFacts
from fakemail.types.address import Address, Path
from fakemail.types.channel import Channel
from fakemail.types.peer import Peer
from fakemail.types.reason import Reason
from fakemail.types.stage import Stage
from fakemail.types.verdict import ACCEPTED, Verdict

_PASSED_ON: Final = frozenset(
    {Disposition.ACCEPT, Disposition.TAG, Disposition.DELAY, Disposition.QUARANTINE}
)
"""Dispositions with which a submitted message is sent, at once or later."""
_PLACES: Final = {stage: place for place, stage in enumerate(STAGES)}


class _MessageState(NamedTuple):
    """A decision that stays with the mail until its end."""

    stage: Stage
    policy: Policy
    recipient: str
    """The key of the recipient whom it is about, empty where it is about all."""
    decision: PolicyDecision


class RecipientDecision(NamedTuple):
    """The decision about a message for some of its recipients."""

    decision: PolicyDecision
    """The heaviest of all that was found on the way."""
    at_end: PolicyDecision
    """The decision of the last stage alone."""
    policy: Policy
    recipients: list[Recipient]


class AppliedDecisions(NamedTuple):
    """Result of applying the decisions about a message."""

    failed: list[tuple[Recipient, Verdict]]
    """The recipients that failed, and why."""
    nobody_has_it: bool
    later: list[Recipient]
    copies: dict[str, LocalCopy]
    """The message for recipients that get it later, or when it is tried again, by the key of their address."""


class PolicyEvaluator:
    """Judges one connection at one host."""

    def __init__(
        self,
        services: InboundServices,
        running: ReceivingHost,
        peer: Peer,
        connection: int,
        *,
        is_submission: bool = False,
    ) -> None:
        """``is_submission`` where the policy of the host counts, and not those of its domains."""
        memory, local_domains = services.policy_memory, services.local_domains
        self._services = services
        self._clock = services.environment.clock
        self._world = services.environment.world
        self._is_submission = is_submission
        self._running = running
        self._connection = connection
        self._lasting: list[_MessageState] = []
        self.facts = TransactionFacts(
            running.name,
            peer,
            self._clock.now(),
            services.resolver(running.name),
            surroundings=HostContext(
                memory.greylist,
                memory.throughput,
                local_domains.of(running.name),
                (running.host.ipv4, running.host.ipv6),
                local_domains.is_inside(running.name, peer),
                volume=memory.volume,
            ),
        )

    # Before a recipient is named, the policies of all the host's domains count ------------------------

    def client(self) -> Verdict:
        """The client, before anything is said to it."""
        address = self.facts.peer.address
        there = sum(connection.peer.address == address for connection in self._running.connections)
        self.facts.surroundings.open_connections = there
        verdict = self._all(Stage.SMTP_BANNER)
        if verdict.is_accepted:
            count_connection(self.facts, self._policies())
        return verdict

    def hello(self, name: str, channel: Channel | None) -> Verdict:
        """The name that the client gives itself."""
        self.facts.helo, self.facts.channel = name, channel
        return self._all(Stage.SMTP_HELO)

    def sender(self, sender: Path, login: str) -> Verdict:
        """The reverse-path."""
        facts = self.facts
        facts.sender, facts.login, facts.recipients, facts.recipient = sender, login, (), None
        facts.authentication = self._services.auth_results.of_facts(facts)
        return self._all(Stage.SMTP_MAIL)

    # From then on, that of each recipient's domain --------------------------------------------------------

    def recipient(self, address: Address, known: Verdict) -> Verdict:
        """One recipient; ``known`` is whether the host would take mail for it at all.

        An unknown user can be accepted all the same, to be bounced or discarded later.
        """
        policy = self._policy(address.domain)
        if not known.is_accepted and not self._let_in(policy, address, known):
            return known
        self.facts.recipient = address
        verdict = self._at(Stage.SMTP_RCPT, (policy,), address)
        if verdict.is_accepted:
            self.facts.recipients += (address,)
        return verdict

    def _let_in(self, policy: Policy, address: Address, known: Verdict) -> bool:
        outcome = policy.unknown_user
        if known.reason is not Reason.NO_SUCH_USER or outcome not in (
            Disposition.BOUNCE,
            Disposition.DISCARD,
        ):
            return False
        finding = Finding("unknown_user", AuthStatus.FAIL, f"nobody here is <{address}>", known.reason)
        decision = PolicyDecision(outcome, finding, (DisposedFinding(finding, outcome),))
        self.note(Stage.SMTP_RCPT, decision, "", (address,), decision.disposed)
        self._lasting.append(_MessageState(Stage.SMTP_RCPT, policy, address.key, decision))
        return True

    def data(self) -> Verdict:
        """The recipients together, before the message comes."""
        policies = dict.fromkeys(self._policy(address.domain) for address in self.facts.recipients)
        return self._at(Stage.SMTP_DATA, policies)

    def decide(
        self, queue_id: str, envelope: Envelope, content: bytes, recipients: Sequence[Recipient]
    ) -> list[RecipientDecision]:
        """The decisions about a message, for all its local recipients."""
        facts = self.facts
        facts.content, facts.now = content, self._clock.now()
        facts.recipient, facts.body, facts.smtputf8 = None, envelope.body, envelope.smtputf8
        facts.__dict__.pop("message", None)
        groups: dict[Policy, list[Recipient]] = {}
        for recipient in recipients:
            groups.setdefault(self._policy(recipient.address.domain), []).append(recipient)
        decided: list[RecipientDecision] = []
        for policy, group in groups.items():
            decision = evaluate(chain_of(policy, Stage.SMTP_END), policy, facts)
            decided += self._by_recipient(policy, decision, group)
        return decided

    def scanners(self, recipients: Iterable[Address]) -> tuple[ScannerAddress, ...]:
        """The real scanners that the recipients' domains ask."""
        policies = (self._policy(recipient.domain) for recipient in recipients)
        return tuple(dict.fromkeys(scanner for policy in policies for scanner in policy.scanners))

    def rejection(self, decided: Iterable[RecipientDecision]) -> Verdict:
        """The verdict for a message that no recipient gets: deferred, if it is for any of them."""
        decisions = [each.decision for each in decided]
        for each in decided:
            about = [recipient.address for recipient in each.recipients]
            self.note(Stage.SMTP_END, each.decision, "", about, each.at_end.disposed)
        return min(decisions, key=lambda each: each.outcome.weight).verdict

    def apply(
        self, decided: Sequence[RecipientDecision], queue_id: str, envelope: Envelope, content: bytes
    ) -> AppliedDecisions:
        """Do what was decided."""
        failed: list[tuple[Recipient, Verdict]] = []
        later: list[Recipient] = []
        copies: dict[str, LocalCopy] = {}
        self._services.auth_results.keep(self._running.name, queue_id, self.facts.authentication)
        nobody_has_it = True
        for each in decided:
            about = [recipient.address for recipient in each.recipients]
            if each.decision.decisive is not None or each.at_end.disposed:
                self.note(Stage.SMTP_END, each.decision, queue_id, about, each.at_end.disposed)
            raw = self._with_results(each.policy, _with_score(each.at_end, content))
            mail = EvaluatedMessage(
                self._running.name, queue_id, envelope, raw, each.recipients, each.decision, each.policy
            )
            done = self._apply(mail)
            failed += done.failed
            held = each.recipients if each.decision.outcome is Disposition.DELAY else []
            later += held
            copy = copy_of(mail) if held or done.failed else None
            if copy is not None:
                copies.update((one.address.key, copy) for one in (*held, *(who for who, _ in done.failed)))
            nobody_has_it = nobody_has_it and done.nobody_has_it
        if not nobody_has_it:
            policies = [each.policy for each in decided]
            count_taken(
                self.facts, policies, (recipient.address for each in decided for recipient in each.recipients)
            )
        return AppliedDecisions(failed, nobody_has_it, later, copies)

    def apply_submitted(
        self, decided: Sequence[RecipientDecision], queue_id: str, envelope: Envelope, content: bytes
    ) -> None:
        """Do what was decided about a message that was submitted."""
        host = self._running.name
        onward: list[Recipient] = []
        for each in decided:
            about = [recipient.address for recipient in each.recipients]
            if each.decision.decisive is not None or each.at_end.disposed:
                self.note(Stage.SMTP_END, each.decision, queue_id, about, each.at_end.disposed)
            if each.decision.outcome in _PASSED_ON:
                onward += each.recipients
            else:
                mail = EvaluatedMessage(
                    host, queue_id, envelope, content, each.recipients, each.decision, each.policy
                )
                self._apply(mail)
        count_taken(self.facts, self._policies(), envelope.addresses)
        if onward:
            found = {each.decision.outcome for each in decided}
            after = max(each.policy.delay for each in decided) if Disposition.DELAY in found else None
            is_held = Disposition.QUARANTINE in found
            self._services.mail_queue.enqueue(
                host, queue_id, envelope, content, recipients=onward, after=after, is_held=is_held
            )

    def _apply(self, mail: EvaluatedMessage) -> DeliveryOutcome:
        return apply_disposition(self._services.delivery_agent, self._services.mail_queue, mail)

    def _with_results(self, policy: Policy, raw: bytes) -> bytes:
        """The message with the fields about its sender that its domain wants, above all others (RFC 8601 §4)."""
        facts, fields = self.facts, b""
        if policy.authentication_results:
            raw = without_claims(raw, facts.host)
            fields += authentication_results(facts.host, facts.authentication)
        if policy.received_spf:
            fields += received_spf(facts.authentication.spf, facts)
        return prepend(raw, fields) if fields else raw

    def note(
        self,
        stage: Stage,
        decision: PolicyDecision,
        message: str,
        recipients: Iterable[Address],
        disposed: Iterable[DisposedFinding],
    ) -> None:
        """Write down what was found at a stage, and what follows from all that was found."""
        found = tuple(
            CheckFinding(
                check=weighed.finding.check,
                about=weighed.finding.about,
                status=weighed.finding.status.value,
                sentence=weighed.finding.sentence,
                reason=weighed.finding.reason,
                disposition=weighed.outcome.value,
            )
            for weighed in disposed
        )
        self._services.environment.log.append(
            PolicyEvaluated(
                stage=stage,
                host=self._running.name,
                connection=self._connection,
                message=message,
                recipients=tuple(recipients),
                disposition=decision.outcome.value,
                reason=decision.reason,
                sentence=decision.sentence,
                findings=found,
            )
        )

    # Inside -----------------------------------------------------------------------------------------------

    def _policy(self, domain: str) -> Policy:
        if self._is_submission:
            return self._running.host.policy or SUBMISSION_POLICY
        name = domain or self._services.local_domains.postmaster(self._running.name).domain
        return self._world.domains[name].policy

    def _policies(self) -> tuple[Policy, ...]:
        """Those of all the host's domains."""
        if self._is_submission:
            return (self._policy(""),)
        domains = self._world.domains
        return tuple(
            dict.fromkeys(
                domains[name].policy for name in self._services.local_domains.of(self._running.name)
            )
        )

    def _all(self, stage: Stage) -> Verdict:
        return self._at(stage, self._policies())

    def _at(self, stage: Stage, policies: Iterable[Policy], recipient: Address | None = None) -> Verdict:
        if recipient is None:
            place = _PLACES[stage]
            self._lasting = [each for each in self._lasting if _PLACES[each.stage] < place]
        self.facts.now = self._clock.now()
        for policy in policies:
            links = chain_of(policy, stage)
            if not links:
                continue
            decision = evaluate(links, policy, self.facts)
            if decision.disposed:
                about = () if recipient is None else (recipient,)
                self.note(stage, decision, "", about, decision.disposed)
            if decision.outcome.is_final:
                return decision.verdict
            if decision.outcome is not Disposition.ACCEPT:
                key = "" if recipient is None else recipient.key
                self._lasting.append(_MessageState(stage, policy, key, decision))
        return ACCEPTED

    def _by_recipient(
        self, policy: Policy, decision: PolicyDecision, recipients: Sequence[Recipient]
    ) -> list[RecipientDecision]:
        """Together with what was found earlier, some of which is about one recipient alone."""
        found: dict[int, RecipientDecision] = {}
        for recipient in recipients:
            key = recipient.address.key
            earlier = (
                each.decision
                for each in self._lasting
                if each.policy == policy and each.recipient in ("", key)
            )
            worst = most_severe((decision, *earlier))
            found.setdefault(id(worst), RecipientDecision(worst, decision, policy, [])).recipients.append(
                recipient
            )
        return list(found.values())


def marked(decided: Iterable[RecipientDecision], content: bytes) -> bytes:
    """A submitted message with what its findings have brought, before it is signed."""
    worst = max(decided, key=lambda each: each.decision.outcome.weight)
    content = _with_score(worst.at_end, content)
    if worst.decision.outcome is Disposition.TAG:
        content = tag(content, worst.decision.sentence, subject=worst.policy.subject_tag)
    return content


def _with_score(decision: PolicyDecision, raw: bytes) -> bytes:
    """The message with the header fields that its findings have brought."""
    fields = b"".join([weighed.finding.fields for weighed in decision.disposed])
    if not fields:
        return raw
    from fakemail.policy.content.checks import with_fields  # for those who have a score only

    return with_fields(raw, fields)
