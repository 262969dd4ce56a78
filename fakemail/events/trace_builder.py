"""The way of each message to each recipient, followed from host to host through the events.

Everything is indexed in one pass, and each index is asked once per recipient and hop, so that the
work grows with the number of events and not faster. The values that users see are made in
:mod:`fakemail.events.journey`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from fakemail.events.hops import Hop
from fakemail.events.kinds import (
    Attempt,
    Deferred,
    Event,
    FaultFired,
    MessageDelivered,
    MessageQueued,
    PolicyEvaluated,
    Query,
    Redirected,
    Returned,
    Routed,
    SmtpCommand,
)
from fakemail.events.policy_text import notable
from fakemail.events.sessions import SubmittedTransaction, TransactionEnd, TransactionResult, transactions
from fakemail.types import fate as fates
from fakemail.types.address import NULL_PATH, Address, Path
from fakemail.types.reason import FINAL_REASONS, Reason
from fakemail.types.reply import Reply
from fakemail.types.stage import Stage

_Numbered = tuple[int, str, str, Reply | None]

_MOST_QUERIES: Final = 8
"""How many questions about one name are looked through: the address kinds, MX, TLSA, and repetitions."""


@dataclass(slots=True)
class RecipientTrace:
    """What is known about one recipient of one message."""

    recipient: Address
    sender: Path
    message_id: str = ""
    subject: str = ""
    hops: list[Hop] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    queries: dict[int, Query] = field(default_factory=dict)
    deliveries: list[MessageDelivered] = field(default_factory=list)
    queue_ids: list[str] = field(default_factory=list)
    story: list[_Numbered] = field(default_factory=list)
    """Event number, host, what it did, the reply; not yet in order."""
    fate: fates.Fate = field(default_factory=fates.Queued)
    reason: Reason | None = None
    reply: Reply | None = None

    def settle(self, end: fates.Fate, *, reason: Reason | None = None, reply: Reply | None = None) -> None:
        self.fate, self.reason, self.reply = end, reason, reply


class _EventIndex:
    """The events by what they are asked for."""

    def __init__(self, events: Sequence[Event]) -> None:
        self.transactions = transactions(events)
        self.taken = {taken.queue_id: taken for taken in self.transactions if taken.queue_id}
        self.queued: dict[str, MessageQueued] = {}
        self.attempts: defaultdict[tuple[str, str], list[Attempt]] = defaultdict(list)
        self.deliveries: defaultdict[tuple[str, str], list[MessageDelivered]] = defaultdict(list)
        self.deferrals: defaultdict[tuple[str, str], list[Deferred]] = defaultdict(list)
        self.judged: defaultdict[tuple[str, str], list[PolicyEvaluated]] = defaultdict(list)
        self.redirects: defaultdict[tuple[str, str], list[Redirected]] = defaultdict(list)
        self.returns: dict[tuple[str, str], Returned] = {}
        self.routes: defaultdict[tuple[str, str], list[Routed]] = defaultdict(list)
        self.queries: defaultdict[tuple[str, str], list[Query]] = defaultdict(list)
        self.struck: defaultdict[int, list[FaultFired]] = defaultdict(list)
        """The faults by the number of the connection on which they struck."""
        self.contacts: dict[int, SubmittedTransaction] = {}
        """The transaction that an attempt led to, under the attempt's number."""
        self.relays: set[str] = set()
        """The hosts that hand messages on; every other client is an app."""
        for event in events:
            self._add(event)
        self._link()

    def _add(self, event: Event) -> None:
        match event:
            case MessageQueued():
                self.queued[event.message] = event
                self.relays.add(event.host)
            case Attempt():
                self.attempts[event.message, event.recipient.key].append(event)
                self.relays.add(event.host)
            case MessageDelivered():
                self.deliveries[event.message, event.recipient.key].append(event)
            case PolicyEvaluated() if event.message:
                for recipient in event.recipients:
                    self.judged[event.message, recipient.key].append(event)
            case Deferred():
                self.deferrals[event.message, event.recipient.key].append(event)
            case Redirected():
                self.redirects[event.message, event.recipient.key].append(event)
            case Returned():
                self.returns[event.message, event.recipient.key] = event
            case Routed():
                self.routes[event.message, event.domain].append(event)
            case FaultFired() if event.connection:
                self.struck[event.connection].append(event)
            case Query():
                self.queries[event.message or event.client.name, event.name].append(event)

    def strokes(self, transaction: SubmittedTransaction, key: str) -> list[FaultFired]:
        """The faults that struck in a transaction and concern a recipient; one that gave a reply is told by that."""
        found = self.struck.get(transaction.mail.connection)
        if not found:
            return []
        begin = max(
            (
                other.last.number
                for other in self.transactions
                if other.mail.connection == transaction.mail.connection
                and other.last.number < transaction.mail.number
            ),
            default=0,
        )
        own = transaction.recipients[key].number - 1  # a fault strikes right before its answer is noted
        return [
            struck
            for struck in found
            if begin < struck.number <= transaction.last.number
            and not struck.action[:3].isdigit()
            and (struck.stage is not Stage.SMTP_RCPT or struck.number == own)
        ]

    def _link(self) -> None:
        """Find the session on the other side of each attempt: by queue id, else by who, for whom and when."""
        waiting: defaultdict[tuple[str, str, str, str], deque[SubmittedTransaction]] = defaultdict(deque)
        self._claimed: set[tuple[int, str]] = set()
        for transaction in self.transactions:
            if transaction.peer is not None and transaction.peer.name in self.relays:
                for key in transaction.recipients:
                    place = (transaction.host, transaction.peer.name, str(transaction.sender), key)
                    waiting[place].append(transaction)
        claimed = self._claimed
        for attempt in sorted((a for found in self.attempts.values() for a in found), key=_number):
            key = attempt.recipient.key
            contact = self.taken.get(attempt.onward)
            if contact is None and attempt.at.value.startswith("smtp."):
                line = waiting[attempt.mail_host, attempt.host, str(self.sender(attempt.message)), key]
                while line and (id(line[0]), key) in claimed:
                    line.popleft()
                if line and line[0].mail.number < attempt.number:
                    contact = line.popleft()
            if contact is not None and key in contact.recipients:
                claimed.add((id(contact), key))
                self.contacts[attempt.number] = contact

    def early(self, queued: MessageQueued, key: str) -> SubmittedTransaction | None:
        """The session in which a host took a message before the sender had read its reply.

        A test that waits for the mail may look in just that moment.
        """
        for transaction in reversed(self.transactions):
            if transaction.mail.number < queued.number:
                return None
            if (
                transaction.queue_id
                and transaction.peer is not None
                and transaction.peer.name == queued.host
                and transaction.sender == queued.sender
                and key in transaction.recipients
                and (id(transaction), key) not in self._claimed
            ):
                return transaction
        return None

    def sender(self, queue_id: str) -> Path | None:
        """Who sent the message that has that queue id."""
        if queued := self.queued.get(queue_id):
            return queued.sender
        taken = self.taken.get(queue_id)
        return None if taken is None else taken.sender

    def recent(self, asker: str, name: str, *, after: int, until: int) -> Iterable[Query]:
        """The last question of each kind that a host (or a queue id) asked about a name in that span.

        Only the last, because a host that works on many messages for one domain asks the same for
        each, and a question does not tell for which.
        """
        queries = self.queries.get((asker, name), [])
        end = bisect_right(queries, until, key=_number)
        found = queries[max(end - _MOST_QUERIES, 0) : end]
        return {(query.type, query.transport): query for query in found if query.number > after}.values()


def traces(events: Iterable[Event]) -> list[RecipientTrace]:
    """One trace for each recipient of each message that an app handed over or a host made itself."""
    index = _EventIndex(list(events))
    visited: set[tuple[str, str]] = set()
    found: list[tuple[int, RecipientTrace]] = []
    for transaction in index.transactions:
        if transaction.peer is not None and transaction.peer.name in index.relays:
            continue
        for key, exchange in transaction.recipients.items():
            if isinstance(exchange.address, Address):
                trace = RecipientTrace(exchange.address, transaction.sender or NULL_PATH)
                outcome = _meet(trace, index, transaction, key)
                if outcome.end is TransactionEnd.TAKEN:
                    _follow(trace, index, transaction.queue_id, visited)
                found.append((transaction.mail.number, trace))
    for queued in index.queued.values():
        for recipient in queued.recipients:
            if (queued.message, recipient.key) not in visited:
                trace = RecipientTrace(recipient, queued.sender)
                trace.story.append((queued.number, queued.host, f"queued it for {recipient}", None))
                _follow(trace, index, queued.message, visited)
                found.append((queued.number, trace))
    found.sort(key=lambda numbered: numbered[0])
    for _, trace in found:
        trace.story.sort(key=lambda line: line[0])
    return [trace for _, trace in found]


def _follow(trace: RecipientTrace, index: _EventIndex, queue_id: str, visited: set[tuple[str, str]]) -> None:
    """Go on from host to host, as long as each one took it."""
    key = trace.recipient.key
    while queue_id and (queue_id, key) not in visited:
        visited.add((queue_id, key))
        trace.queue_ids.append(queue_id)
        if (queued := index.queued.get(queue_id)) is not None and not trace.message_id:
            trace.message_id, trace.subject = queued.message_id, queued.subject
        judged = index.judged.get((queue_id, key), [])
        redirects = index.redirects.get((queue_id, key), [])
        deliveries = index.deliveries.get((queue_id, key), [])
        if redirects or deliveries:
            _earlier(trace, index, queue_id)
            _redirect(trace, redirects)
            _deliver(trace, deliveries, judged)
            return
        if judged and judged[-1].disposition == "discard":
            trace.settle(fates.Discarded(judged[-1].reason, host=judged[-1].host), reason=judged[-1].reason)
            return
        queue_id = _try(trace, index, queue_id)


def _earlier(trace: RecipientTrace, index: _EventIndex, queue_id: str) -> None:
    """Tell what was tried in vain before a host delivered from its own queue, to a full mailbox for example."""
    attempts = index.attempts.get((queue_id, trace.recipient.key), [])
    trace.attempts += attempts
    for attempt in attempts:
        trace.story.append((attempt.number, attempt.host, _tried(attempt), attempt.reply))
    _put_off(trace, index, queue_id)


def _put_off(trace: RecipientTrace, index: _EventIndex, queue_id: str) -> None:
    for deferred in index.deferrals.get((queue_id, trace.recipient.key), ()):
        what = f"put it off until {deferred.until:%a %H:%M:%S}, after attempt {deferred.attempts}"
        trace.story.append((deferred.number, deferred.host, what, None))


def _redirect(trace: RecipientTrace, redirects: list[Redirected]) -> None:
    targets: dict[str, Address] = {}
    for redirected in redirects:
        to = ", ".join(map(str, redirected.to)) or "nobody"
        what = f"sent it on to {to} ({redirected.how})"
        trace.story.append((redirected.number, redirected.host, what, None))
        targets.update((target.key, target) for target in redirected.to)
    if redirects:
        trace.settle(fates.Forwarded(tuple(targets.values()), host=redirects[-1].host), reply=trace.reply)


def _deliver(
    trace: RecipientTrace, deliveries: list[MessageDelivered], judged: list[PolicyEvaluated]
) -> None:
    if not deliveries:
        return
    first = deliveries[0]
    trace.deliveries += deliveries
    if not trace.message_id:
        trace.message_id, trace.subject = first.message_id, first.subject
    for delivered in deliveries:
        what = f"delivered it to {delivered.account}, {delivered.mailbox}"
        trace.story.append((delivered.number, delivered.host, what, None))
    if judged and judged[-1].disposition == "quarantine":
        reason = judged[-1].reason
        trace.settle(fates.Quarantined(first.mailbox, reason), reason=reason, reply=trace.reply)
        return
    trace.settle(fates.Delivered(first.account, first.mailbox), reply=trace.reply)


def _try(trace: RecipientTrace, index: _EventIndex, queue_id: str) -> str:
    """Tell how a queued message was routed and tried; return its queue id at the next host, if that took it."""
    recipient = trace.recipient
    attempts = index.attempts.get((queue_id, recipient.key), [])
    routes = index.routes.get((queue_id, recipient.domain), [])
    queued = index.queued.get(queue_id)
    taken = index.taken.get(queue_id)
    holder = queued.host if queued else taken.host if taken else ""
    _route(trace, index, routes, attempts, after=queued.number if queued else 0)
    trace.attempts += attempts
    met: TransactionResult | None = None
    for attempt in attempts:
        contact = index.contacts.get(attempt.number)
        met = None if contact is None else _meet(trace, index, contact, recipient.key)
        if met is None:
            trace.story.append((attempt.number, attempt.host, _tried(attempt), attempt.reply))
    _put_off(trace, index, queue_id)
    if returned := index.returns.get((queue_id, recipient.key)):
        _returned(trace, returned)
        return ""
    if attempts:
        last = attempts[-1]
        if last.reason is None and (last.reply is None or last.reply.is_positive):
            if met is not None and met.end is TransactionEnd.LOST:
                return ""  # what became of it was told where it was taken
            contact = index.contacts.get(last.number)
            if contact is None:  # no host of ours has had it
                trace.settle(fates.Relayed(host=last.mail_host), reply=last.reply)
                return ""
            trace.settle(fates.Queued(host=last.mail_host), reply=last.reply)
            return contact.queue_id
        deferrals = index.deferrals.get((queue_id, recipient.key), [])
        _failed(trace, last, is_put_off=any(each.number > last.number for each in deferrals[-1:]))
    elif routes and (reason := routes[-1].reason) is not None:
        if reason in FINAL_REASONS:
            trace.settle(fates.Refused(Stage.ROUTE, None, reason, host=holder), reason=reason)
        else:
            trace.settle(fates.Queued(None, reason, host=holder), reason=reason)
    else:
        trace.settle(fates.Queued(host=holder))
    if not attempts and queued is not None and (contact := index.early(queued, recipient.key)):
        _meet(trace, index, contact, recipient.key)
        return contact.queue_id
    return ""


def _returned(trace: RecipientTrace, returned: Returned) -> None:
    reply, reason, host = returned.reply, returned.reason, returned.remote or returned.host
    end: fates.Fate
    if returned.expired:
        end = fates.Expired(reply, reason, host=returned.host)
    elif returned.report:
        end = fates.Bounced(returned.at, reply, reason, host=host)
    else:
        given_up = reason is not Reason.DROPPED
        end = fates.Discarded(reason, host=returned.host, refusal=reply, is_given_up=given_up)
    told = f", and told {trace.sender} by {returned.report}" if returned.report else ", and told nobody"
    age = " after its whole time in the queue" if returned.expired else ""
    trace.story.append((returned.number, returned.host, f"gave up{age}{told}", None))
    trace.settle(end, reason=reason, reply=reply)


def _failed(trace: RecipientTrace, last: Attempt, *, is_put_off: bool) -> None:
    reply, reason = last.reply, last.reason
    is_permanent = reply.is_permanent if reply is not None else reason in FINAL_REASONS
    end: fates.Fate
    # The host itself decides what a reply means to it: some that say 5yz are no last word (RFC 5321 §4.5.3.1.10).
    if last.final and is_permanent and not is_put_off:
        end = fates.Refused(last.at, reply, reason, host=last.mail_host or last.host)
    else:
        end = fates.Queued(reply, reason, host=last.host)
    trace.settle(end, reason=reason, reply=reply)


def _route(
    trace: RecipientTrace, index: _EventIndex, routes: list[Routed], attempts: list[Attempt], *, after: int
) -> None:
    """Tell each look-up, and collect the DNS questions that were asked for it and its attempt."""
    preferences: dict[str, str] = {}
    for routed in routes:
        place = bisect_right(attempts, routed.number, key=_number)
        until = attempts[place].number if place < len(attempts) else routed.number
        # The domain is asked about before the host is chosen, the addresses perhaps after it.
        spans = {routed.domain: routed.number} | dict.fromkeys(routed.mail_hosts, until)
        for name, end in spans.items():
            for asker in (routed.message, routed.host):
                for query in index.recent(asker, name, after=after, until=end):
                    trace.queries[query.number] = query
                    if query.type == "MX" and name == routed.domain:
                        preferences |= _preferences(query)
        trace.story.append((routed.number, routed.host, _looked_up(routed, preferences), None))
        after = until


def _preferences(query: Query) -> dict[str, str]:
    """The preference of each mail host in an answer (RFC 1035 §3.3.9); other records do not start with a number."""
    pairs = (record.split() for record in query.records)
    return {pair[1].rstrip(".").lower(): pair[0] for pair in pairs if len(pair) == 2 and pair[0].isdigit()}


def _looked_up(routed: Routed, preferences: dict[str, str]) -> str:
    hosts = ", ".join(
        f"{host} ({preferences[host]})" if host in preferences else host for host in routed.mail_hosts
    )
    why = "" if routed.reason is None else str(routed.reason)
    detail = f" ({routed.detail})" if routed.detail else ""
    return f"looked up {routed.domain}: {hosts or why or 'no mail host'}{detail}"


def _tried(attempt: Attempt) -> str:
    where = f"{attempt.mail_host} [{attempt.address}]" if attempt.address else attempt.mail_host
    why = _answer(attempt) if attempt.reason is None else str(attempt.reason)
    detail = f" ({attempt.detail})" if attempt.detail else ""
    if attempt.policy not in ("", "opportunistic"):
        detail += f", TLS policy {attempt.policy}"
    if not where:
        return f"found no host for {attempt.recipient}: {why}{detail}"
    return f"tried {where} for {attempt.recipient}, came to {attempt.at}: {why}{detail}"


def _answer(attempt: Attempt) -> str:
    """What the host said where nobody wrote down why: it is none of ours, or its answer has to do."""
    if attempt.reply is None or attempt.reply.is_positive:
        return "it took it"
    return "it deferred it" if attempt.reply.is_transient else "it refused it"


def _meet(
    trace: RecipientTrace, index: _EventIndex, transaction: SubmittedTransaction, key: str
) -> TransactionResult:
    """Tell what a host did with it in one transaction; this is also the fate as far as is known."""
    for struck in index.strokes(transaction, key):
        what = f"a fault struck at {struck.stage}: {struck.action}"
        trace.story.append((struck.number, struck.host, what, None))
    outcome = transaction.outcome(key)
    at, reply, reason, host = outcome.exchange.stage, outcome.reply, outcome.reason, transaction.host
    client = "a client" if transaction.peer is None else str(transaction.peer)
    end: fates.Fate
    match outcome.end:
        case TransactionEnd.TAKEN | TransactionEnd.LOST:
            is_lost = outcome.end is TransactionEnd.LOST
            verb = "took and discarded it" if is_lost else "took it"
            tls = f" ({transaction.tls})" if transaction.tls else ""
            what = f"{verb} from {client} over {transaction.protocol}{tls}, for {trace.recipient}"
            end = fates.Discarded(reason, host=host) if is_lost else fates.Queued(host=host)
        case TransactionEnd.REFUSED:
            verb = "deferred" if reply is not None and reply.is_transient else "refused"
            what, end = f"{verb} {_named(outcome.exchange)}", fates.Refused(at, reply, reason, host=host)
        case TransactionEnd.DROPPED:
            why = "" if reason is None else f": {reason}"
            what, end = f"was left by {client} after {at}{why}", fates.Dropped(at, reason, host=host)
        case TransactionEnd.CUT:
            what = f"dropped the connection of {client} at {at}: {reason}"
            end = fates.Dropped(at, reason, host=host)
        case TransactionEnd.IN_PROGRESS:
            what, end = f"is talking with {client}, after {at}", fates.InProgress(at, host=host)
    trace.settle(end, reason=reason, reply=reply)
    told: dict[str, PolicyEvaluated] = {}  # a second EHLO, after STARTTLS, is judged as the first was
    for judged in transaction.judged:
        if (not judged.recipients or key in map(_key, judged.recipients)) and (found := notable(judged)):
            told.setdefault(f"judged at {judged.stage}: {found}", judged)
    trace.story += [(judged.number, judged.host, found, None) for found, judged in told.items()]
    # A host delivers before it says so; the story is told the other way round.
    place = transaction.mail.number if outcome.end is TransactionEnd.TAKEN else outcome.exchange.number
    trace.story.append((place, host, what, reply))
    hop = Hop(
        number=len(trace.hops) + 1,
        host=host,
        peer=transaction.peer,
        protocol=transaction.protocol,
        tls=transaction.tls,
        queue_id=transaction.queue_id if outcome.end is TransactionEnd.TAKEN else "",
        what=what,
        reply=reply,
        time=outcome.exchange.time,
    )
    trace.hops.append(hop)
    return outcome


def _named(exchange: SmtpCommand) -> str:
    return "the message" if exchange.stage is Stage.SMTP_END else exchange.line or str(exchange.stage)


def _key(address: Address) -> str:
    return address.key


def _number(event: Event) -> int:
    return event.number
