"""Ways of messages to their recipients, followed from host to host through the events.

The index is asked once per recipient and hop, so that the work grows with the way and not with the log. The values
that users see are made in :mod:`fakemail.events.journey`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import field
from datetime import datetime
from operator import attrgetter

from fakemail.events.event_index import EventIndex
from fakemail.events.kinds import (
    Attempt,
    MessageDelivered,
    MessageQueued,
    PolicyEvaluated,
    Query,
    Redirected,
    Returned,
    Routed,
    SmtpCommand,
)
from fakemail.events.smtp_transactions import SubmittedTransaction, TransactionEnd, TransactionResult
from fakemail.types import fate as fates
from fakemail.types.address import NULL_PATH, Address, Path
from fakemail.types.dataclass import dataclass
from fakemail.types.peer import Peer
from fakemail.types.reason import FINAL_REASONS, Reason
from fakemail.types.reply import Reply
from fakemail.types.stage import Stage
from fakemail.types.suggestions import Suggests

_Numbered = tuple[int, str, str, Reply | None]


@dataclass(frozen=True, slots=True)
class Hop(Suggests):
    """One session in which the message was offered to a host, taken or not."""

    number: int
    """From 1, in the order of the journey."""
    host: str
    peer: Peer | None
    """Client that offered it."""
    protocol: str
    """A word of RFC 3848: ESMTP, ESMTPS, ESMTPA, ESMTPSA; SMTP after HELO."""
    tls: str
    """The TLS version, empty for clear text."""
    queue_id: str
    """The queue id under which the host took it, empty if it did not."""
    what: str
    reply: Reply | None
    """The reply that decided, ``None`` when there was none."""
    time: datetime

    def __str__(self) -> str:
        return f"{self.host} {self.what}"


@dataclass(slots=True)
class RecipientTrace:
    """Trace of one recipient of one message."""

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

    def set_fate(self, end: fates.Fate, *, reason: Reason | None = None, reply: Reply | None = None) -> None:
        self.fate, self.reason, self.reply = end, reason, reply


def traces(index: EventIndex, recipients: Iterable[str] | None = None) -> list[RecipientTrace]:
    """One trace for each recipient of each message that an app submitted or a host made itself, in order.

    ``recipients`` are keys of addresses; without them it is all.
    """
    starts = index.starts(recipients)
    visited: set[tuple[str, str]] = set()
    found: list[tuple[tuple[int, int], RecipientTrace]] = []
    # What an app submitted goes through the queues in which it would else be found.
    for number, order, key, where in starts:
        if isinstance(where, SubmittedTransaction):
            trace = _submitted(index, where, key, visited)
            if trace is not None:
                found.append(((number, order), trace))
    for number, order, key, where in starts:
        if isinstance(where, MessageQueued) and (where.message, key) not in visited:
            recipient = where.recipients[order]
            trace = RecipientTrace(recipient, where.sender)
            trace.story.append((number, where.host, f"queued it for {recipient}", None))
            _follow(trace, index, where.message, visited)
            found.append(((number, order), trace))
    found.sort(key=lambda placed: placed[0])
    for _, trace in found:
        trace.story.sort(key=lambda line: line[0])
    return [trace for _, trace in found]


def traces_of(index: EventIndex, transaction: SubmittedTransaction) -> list[RecipientTrace]:
    """The traces of one message to its recipients."""
    visited: set[tuple[str, str]] = set()
    traced = [_submitted(index, transaction, key, visited) for key in transaction.recipients]
    found = [trace for trace in traced if trace is not None]
    for trace in found:
        trace.story.sort(key=lambda line: line[0])
    return found


def _submitted(
    index: EventIndex, transaction: SubmittedTransaction, key: str, visited: set[tuple[str, str]]
) -> RecipientTrace | None:
    address = transaction.recipients[key].address
    if not isinstance(address, Address):
        return None
    trace = RecipientTrace(address, transaction.sender or NULL_PATH)
    if _add_transaction(trace, index, transaction, key).end is TransactionEnd.TAKEN:
        _follow(trace, index, transaction.queue_id, visited)
    return trace


def _follow(trace: RecipientTrace, index: EventIndex, queue_id: str, visited: set[tuple[str, str]]) -> None:
    """Go on from host to host, as long as each one took it."""
    key = trace.recipient.key
    while queue_id and (queue_id, key) not in visited:
        visited.add((queue_id, key))
        trace.queue_ids.append(queue_id)
        if (queued := index.queued.get(queue_id)) is not None and not trace.message_id:
            trace.message_id, trace.subject = queued.message_id, queued.subject
        evaluations = index.evaluations.get((queue_id, key), [])
        redirects = index.redirects.get((queue_id, key), [])
        deliveries = index.deliveries.get((queue_id, key), [])
        if redirects or deliveries:
            _earlier(trace, index, queue_id)
            _redirect(trace, redirects)
            _deliver(trace, deliveries, evaluations)
            return
        if evaluations and evaluations[-1].disposition == "discard":
            last = evaluations[-1]
            trace.set_fate(fates.Discarded(last.reason, host=last.host), reason=last.reason)
            return
        queue_id = _try(trace, index, queue_id)


def _earlier(trace: RecipientTrace, index: EventIndex, queue_id: str) -> None:
    """Tell what was tried in vain before a host delivered from its own queue, to a full mailbox for example."""
    attempts = index.attempts.get((queue_id, trace.recipient.key), [])
    trace.attempts += attempts
    for attempt in attempts:
        trace.story.append((attempt.number, attempt.host, _tried(attempt), attempt.reply))
    _put_off(trace, index, queue_id)


def _put_off(trace: RecipientTrace, index: EventIndex, queue_id: str) -> None:
    for deferred in index.deferrals.get((queue_id, trace.recipient.key), ()):
        what = f"put it off until {deferred.until:%a %H:%M:%S}, after attempt {deferred.attempts}"
        trace.story.append((deferred.number, deferred.host, what, None))


def _redirect(trace: RecipientTrace, redirects: list[Redirected]) -> None:
    targets: dict[str, Address] = {}
    for redirected in redirects:
        to = ", ".join(map(str, redirected.to)) or "nobody"
        what = f"forwarded it to {to} ({redirected.how})"
        trace.story.append((redirected.number, redirected.host, what, None))
        targets.update((target.key, target) for target in redirected.to)
    if redirects:
        trace.set_fate(fates.Forwarded(tuple(targets.values()), host=redirects[-1].host), reply=trace.reply)


def _deliver(
    trace: RecipientTrace, deliveries: list[MessageDelivered], evaluations: list[PolicyEvaluated]
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
    if evaluations and evaluations[-1].disposition == "quarantine":
        reason = evaluations[-1].reason
        trace.set_fate(fates.Quarantined(first.mailbox, reason), reason=reason, reply=trace.reply)
        return
    trace.set_fate(fates.Delivered(first.account, first.mailbox), reply=trace.reply)


def _try(trace: RecipientTrace, index: EventIndex, queue_id: str) -> str:
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
        met = None if contact is None else _add_transaction(trace, index, contact, recipient.key)
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
                trace.set_fate(fates.Relayed(host=last.mail_host), reply=last.reply)
                return ""
            trace.set_fate(fates.Queued(host=last.mail_host), reply=last.reply)
            return contact.queue_id
        deferrals = index.deferrals.get((queue_id, recipient.key), [])
        _failed(trace, last, is_put_off=any(each.number > last.number for each in deferrals[-1:]))
    elif routes and (reason := routes[-1].reason) is not None:
        if reason in FINAL_REASONS:
            trace.set_fate(fates.Refused(Stage.ROUTE, None, reason, host=holder), reason=reason)
        else:
            trace.set_fate(fates.Queued(None, reason, host=holder), reason=reason)
    else:
        trace.set_fate(fates.Queued(host=holder))
    if not attempts and queued is not None and (contact := index.early(queued, recipient.key)):
        _add_transaction(trace, index, contact, recipient.key)
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
    trace.set_fate(end, reason=reason, reply=reply)


def _failed(trace: RecipientTrace, last: Attempt, *, is_put_off: bool) -> None:
    reply, reason = last.reply, last.reason
    is_permanent = reply.is_permanent if reply is not None else reason in FINAL_REASONS
    end: fates.Fate
    # The host itself decides what a reply means to it: some that say 5yz are no last word (RFC 5321 §4.5.3.1.10).
    if last.final and is_permanent and not is_put_off:
        end = fates.Refused(last.at, reply, reason, host=last.mail_host or last.host)
    else:
        end = fates.Queued(reply, reason, host=last.host)
    trace.set_fate(end, reason=reason, reply=reply)


def _route(
    trace: RecipientTrace, index: EventIndex, routes: list[Routed], attempts: list[Attempt], *, after: int
) -> None:
    """Tell each look-up, and collect the DNS questions that were asked for it and its attempt."""
    preferences: dict[str, str] = {}
    for routed in routes:
        place = bisect_right(attempts, routed.number, key=attrgetter("number"))
        until = attempts[place].number if place < len(attempts) else routed.number
        # The domain is asked about before the host is chosen, the addresses perhaps after it.
        spans = {routed.domain: routed.number} | dict.fromkeys(routed.mail_hosts, until)
        for name, end in spans.items():
            for asker in (routed.message, routed.host):
                for query in index.recent_queries(asker, name, after=after, until=end):
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
    """Reply of the host where no reason is logged: it is external, or the reply says enough."""
    if attempt.reply is None or attempt.reply.is_positive:
        return "it took it"
    return "it deferred it" if attempt.reply.is_transient else "it refused it"


def _add_transaction(
    trace: RecipientTrace, index: EventIndex, transaction: SubmittedTransaction, key: str
) -> TransactionResult:
    """Tell what a host did with it in one transaction; this is also the fate as far as is known."""
    for fired in index.faults(transaction, key):
        what = f"a fault fired at {fired.stage}: {fired.action}"
        trace.story.append((fired.number, fired.host, what, None))
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
    trace.set_fate(end, reason=reason, reply=reply)
    told: dict[str, PolicyEvaluated] = {}  # a second EHLO, after STARTTLS, is evaluated as the first was
    for evaluated in transaction.evaluations:
        if evaluated.recipients and key not in map(_key, evaluated.recipients):
            continue
        if found := evaluated.objections:
            told.setdefault(f"checked at {evaluated.stage}: {found}", evaluated)
    trace.story += [(evaluated.number, evaluated.host, found, None) for found, evaluated in told.items()]
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
