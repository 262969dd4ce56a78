"""Index of events by what journeys ask for, extended event by event.

Each event is taken in once, and each entry is asked for by the recipient, the queue id or the connection: what a
journey costs does not depend on how much else is in the log.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict, deque
from collections.abc import Iterable
from operator import attrgetter
from typing import Final, NamedTuple

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
from fakemail.events.smtp_transactions import SmtpTransactions, SubmittedTransaction
from fakemail.types.address import NULL_PATH, Path, path_key
from fakemail.types.stage import Stage

_MOST_QUERIES: Final = 8
"""Number of questions about one name that are looked through: the address kinds, MX, TLSA, and repetitions."""

_ByRecipient = tuple[str, str]
"""A queue id and :attr:`Address.key` of a recipient."""


class Start(NamedTuple):
    """Possible beginnings of a message's way to a recipient: in a transaction, or in a queue."""

    number: int
    """Number of the event, MAIL or queued."""
    order: int
    """Its place among the recipients of the message."""
    key: str
    """:attr:`Address.key` of the recipient."""
    where: SubmittedTransaction | MessageQueued

    @property
    def place(self) -> tuple[int, int]:
        """By which starts are ordered."""
        return self[:2]


class _Offer(NamedTuple):
    """Client, sender and recipient of an offered message."""

    client: str
    sender: str
    recipient: str


class EventIndex:
    """The events so far, by what they are asked for."""

    def __init__(self) -> None:
        self.transactions = SmtpTransactions()
        self.taken: dict[str, SubmittedTransaction] = {}
        """The transaction in which a host took a message, by the queue id that it gave it."""
        self.queued: dict[str, MessageQueued] = {}
        self.attempts: defaultdict[_ByRecipient, list[Attempt]] = defaultdict(list)
        self.deliveries: defaultdict[_ByRecipient, list[MessageDelivered]] = defaultdict(list)
        self.deferrals: defaultdict[_ByRecipient, list[Deferred]] = defaultdict(list)
        self.evaluations: defaultdict[_ByRecipient, list[PolicyEvaluated]] = defaultdict(list)
        self.redirects: defaultdict[_ByRecipient, list[Redirected]] = defaultdict(list)
        self.returns: dict[_ByRecipient, Returned] = {}
        self.routes: defaultdict[tuple[str, str], list[Routed]] = defaultdict(list)
        """By queue id and domain."""
        self.contacts: dict[int, SubmittedTransaction] = {}
        """The transaction that an attempt led to, under the attempt's number."""
        self.relays: set[str] = set()
        """The hosts that hand messages on; every other client is an app."""
        self._queries: defaultdict[tuple[str, str], list[Query]] = defaultdict(list)
        self._faults: defaultdict[int, list[FaultFired]] = defaultdict(list)
        self._by_connection: defaultdict[int, list[SubmittedTransaction]] = defaultdict(list)
        self._starts: defaultdict[str, list[Start]] = defaultdict(list)
        """By recipient."""
        self._counted: dict[int, int] = {}
        """Number of recipients of a transaction among them, by the number of MAIL."""
        self._recipients_of: defaultdict[str, dict[str, None]] = defaultdict(dict)
        """The recipients of each sender."""
        self._offers: defaultdict[_Offer, list[SubmittedTransaction]] = defaultdict(list)
        self._unclaimed: defaultdict[tuple[str, _Offer], deque[SubmittedTransaction]] = defaultdict(deque)
        """By host: transactions of which it is not known yet which attempt led to them."""
        self._unanswered: defaultdict[tuple[str, _Offer], list[Attempt]] = defaultdict(list)
        """By host: attempts of which it is not known yet to which transaction they led."""
        self._claimed: set[tuple[int, str]] = set()
        """Transactions, by the number of MAIL, and recipients, that an attempt is known to have led to."""
        self._named = _NamedMessages()

    def add(self, event: Event) -> None:
        """Take the next event in."""
        transaction = self.transactions.add(event)
        if transaction is not None and isinstance(event, SmtpCommand):
            self._add_command(event, transaction)
        match event:
            case MessageQueued():
                self.queued[event.message] = event
                self.relays.add(event.host)
                self._named.add(event)
                known = self._recipients_of[path_key(event.sender)]
                for order, recipient in enumerate(event.recipients):
                    known[recipient.key] = None
                    self._starts[recipient.key].append(Start(event.number, order, recipient.key, event))
            case Attempt():
                self.attempts[event.message, event.recipient.key].append(event)
                self.relays.add(event.host)
                self._link(event)
            case MessageDelivered():
                self.deliveries[event.message, event.recipient.key].append(event)
                self._named.add(event)
            case PolicyEvaluated() if event.message:
                for recipient in event.recipients:
                    self.evaluations[event.message, recipient.key].append(event)
            case Deferred():
                self.deferrals[event.message, event.recipient.key].append(event)
            case Redirected():
                self.redirects[event.message, event.recipient.key].append(event)
            case Returned():
                self.returns[event.message, event.recipient.key] = event
            case Routed():
                self.routes[event.message, event.domain].append(event)
            case FaultFired() if event.connection:
                self._faults[event.connection].append(event)
            case Query():
                self._queries[event.message or event.client.name, event.name].append(event)

    def _add_command(self, event: SmtpCommand, transaction: SubmittedTransaction) -> None:
        if event is transaction.mail:
            self._by_connection[event.connection].append(transaction)
        elif transaction.queue_id and event is transaction.end:
            self.taken[transaction.queue_id] = transaction
        elif event.stage is Stage.SMTP_RCPT:
            number, order = transaction.mail.number, len(transaction.recipients)
            if order == self._counted.get(number, 0):
                return  # named before, or none that makes sense
            self._counted[number] = order
            key, sender = next(reversed(transaction.recipients)), transaction.sender or NULL_PATH
            self._recipients_of[path_key(sender)][key] = None
            self._starts[key].append(Start(number, order, key, transaction))
            if transaction.peer is not None:
                self._offer(_Offer(transaction.peer.name, str(transaction.sender), key), transaction)

    # Both sides of a hop ---------------------------------------------------------------------------

    def _offer(self, offer: _Offer, transaction: SubmittedTransaction) -> None:
        self._offers[offer].append(transaction)
        # A host that answers late is seen after the client has given up.
        waiting = self._unanswered.get((transaction.host, offer), [])
        late = next((each for each in waiting if each.number > transaction.mail.number), None)
        if late is None:
            self._unclaimed[transaction.host, offer].append(transaction)
        else:
            waiting.remove(late)
            self._claim(late, transaction)

    def _link(self, attempt: Attempt) -> None:
        """Find the transaction on the other side of an attempt: by queue id, else by who, for whom and when."""
        key = attempt.recipient.key
        contact = self.taken.get(attempt.onward)
        if contact is not None:
            if key in contact.recipients:
                self._claim(attempt, contact)
            return
        if not attempt.at.value.startswith("smtp."):
            return
        place = attempt.mail_host, _Offer(attempt.host, str(self.sender(attempt.message)), key)
        unclaimed = self._unclaimed[place]
        while unclaimed and (unclaimed[0].mail.number, key) in self._claimed:
            unclaimed.popleft()
        if unclaimed:
            self._claim(attempt, unclaimed.popleft())
        else:
            self._unanswered[place].append(attempt)

    def _claim(self, attempt: Attempt, transaction: SubmittedTransaction) -> None:
        self._claimed.add((transaction.mail.number, attempt.recipient.key))
        self.contacts[attempt.number] = transaction

    def early(self, queued: MessageQueued, key: str) -> SubmittedTransaction | None:
        """The transaction in which a host took a message before the sender had read its reply.

        A test that waits for the mail may look in just that moment.
        """
        offers = self._offers.get(_Offer(queued.host, str(queued.sender), key), [])
        for transaction in reversed(offers):
            number = transaction.mail.number
            if number < queued.number:
                return None
            if transaction.queue_id and (number, key) not in self._claimed:
                return transaction
        return None

    # Questions -------------------------------------------------------------------------------------

    def sender(self, queue_id: str) -> Path | None:
        """The sender of the message that has that queue id."""
        if queued := self.queued.get(queue_id):
            return queued.sender
        taken = self.taken.get(queue_id)
        return None if taken is None else taken.sender

    def starts(self, recipients: Iterable[str] | None = None) -> list[Start]:
        """First events of messages to these recipients (to all), with transactions of apps alone, in order."""
        keys = self._starts if recipients is None else recipients
        found = [start for key in keys for start in self._starts.get(key, ()) if self._is_first(start.where)]
        return sorted(found, key=lambda start: start.place)

    def _is_first(self, where: SubmittedTransaction | MessageQueued) -> bool:
        """Whether a message comes from nowhere else: a transaction of an app, or a queue."""
        if isinstance(where, MessageQueued):
            return self.queued[where.message] is where
        return self.is_of_app(where)

    def is_of_app(self, transaction: SubmittedTransaction) -> bool:
        """Whether it is not one of a host that hands messages on."""
        return transaction.peer is None or transaction.peer.name not in self.relays

    def recipients(
        self,
        *,
        sender: str | None = None,
        queue_id: str | None = None,
        message_id: str | None = None,
        subject: str | None = None,
    ) -> set[str]:
        """The recipients of a sender, of a message, of all with that Message-ID (without brackets) or subject."""
        found: list[Iterable[str]] = []
        if sender is not None:
            found.append(self._recipients_of.get(sender, ()))
        if queue_id is not None:
            queued, taken = self.queued.get(queue_id), self.taken.get(queue_id)
            found.append([] if queued is None else [each.key for each in queued.recipients])
            found[-1] = {*found[-1], *(() if taken is None else taken.recipients)}
        if message_id is not None:
            found.append(self._named.recipients("message_id", message_id))
        if subject is not None:
            found.append(self._named.recipients("subject", subject))
        return set.intersection(*map(set, found))

    def copies(self, delivered: MessageDelivered, *, until: int) -> list[MessageDelivered]:
        """Other deliveries of the same message into the same mailbox, among the events up to a number."""
        return self._named.copies(delivered, until=until)

    def faults(self, transaction: SubmittedTransaction, key: str) -> list[FaultFired]:
        """The faults that fired in a transaction and concern a recipient; one that gave a reply is told by that."""
        found = self._faults.get(transaction.mail.connection)
        if not found:
            return []
        begin = max(
            (
                other.last.number
                for other in self._by_connection[transaction.mail.connection]
                if other.last.number < transaction.mail.number
            ),
            default=0,
        )
        own = transaction.recipients[key].number - 1  # a fault fires right before its answer is noted
        return [
            fired
            for fired in found
            if begin < fired.number <= transaction.last.number
            and not fired.action[:3].isdigit()
            and (fired.stage is not Stage.SMTP_RCPT or fired.number == own)
        ]

    def recent_queries(self, asker: str, name: str, *, after: int, until: int) -> Iterable[Query]:
        """The last question of each kind that a host (or a queue id) asked about a name in that span.

        Only the last, because a host that works on many messages for one domain asks the same for
        each, and a question does not tell for which.
        """
        queries = self._queries.get((asker, name), [])
        end = bisect_right(queries, until, key=attrgetter("number"))
        found = queries[max(end - _MOST_QUERIES, 0) : end]
        return {(query.type, query.transport): query for query in found if query.number > after}.values()


class _NamedMessages:
    """Messages by their headers, which are read at the first use."""

    def __init__(self) -> None:
        self._unread: list[MessageQueued | MessageDelivered] = []
        self._recipients: dict[str, defaultdict[str, set[str]]] = {
            "message_id": defaultdict(set),
            "subject": defaultdict(set),
        }
        self._copies: dict[tuple[str, str, str], dict[int, MessageDelivered]] = {}

    def add(self, event: MessageQueued | MessageDelivered) -> None:
        self._unread.append(event)

    def recipients(self, field: str, value: str) -> set[str]:
        self._read()
        return self._recipients[field].get(value, set())

    def copies(self, delivered: MessageDelivered, *, until: int) -> list[MessageDelivered]:
        self._read()
        copies = self._copies.get(_content(delivered), {})
        return [copy for uid, copy in copies.items() if uid != delivered.uid and copy.number <= until]

    def _read(self) -> None:
        for event in self._unread:
            targets = event.recipients if isinstance(event, MessageQueued) else (event.recipient,)
            keys = {each.key for each in targets}
            self._recipients["message_id"][event.message_id.strip("<>")] |= keys
            self._recipients["subject"][event.subject] |= keys
            if isinstance(event, MessageDelivered) and event.message and event.message_id:
                self._copies.setdefault(_content(event), {}).setdefault(event.uid, event)
        self._unread.clear()


def _content(delivered: MessageDelivered) -> tuple[str, str, str]:
    return delivered.account.key, delivered.mailbox, delivered.message_id
