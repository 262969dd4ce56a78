"""Messages of a whole fake internet: those in all mailboxes, and those that apps have sent."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from functools import cached_property
from typing import TypeVar

from fakemail.api.failures import Where
from fakemail.api.hosts import Host
from fakemail.api.inboxes import MailboxSource
from fakemail.api.journey_notes import with_notes
from fakemail.api.messages import Message
from fakemail.api.portal import Portal
from fakemail.errors import ProtocolError
from fakemail.events.journey import Journey
from fakemail.events.kinds import CommandCompleted, MessageDelivered, SmtpCommand
from fakemail.events.smtp_transactions import SubmittedTransaction
from fakemail.message.envelope import Envelope, Origin, Recipient
from fakemail.message.message import MessageView
from fakemail.smtp.grammar import read_path_argument
from fakemail.smtp.parameters import MailOptions, RcptOptions, read_mail_options, read_rcpt_options
from fakemail.types.address import NULL_PATH, Address
from fakemail.types.peer import Peer
from fakemail.types.reply import Reply
from fakemail.types.stage import Stage

_O = TypeVar("_O")
_Box = tuple[str, str]
"""The key of an account's address, and the name of its mailbox."""


class AllMailboxes:
    """The messages of all mailboxes, in the order in which their contents came. A copy is a message of its own.

    The mailbox of all mail (``\\All``, RFC 6154 §2) is left out: what is in it is in others, or has been removed.
    """

    where = Where("all mailboxes")
    stages = MailboxSource.stages

    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        self._boxes: dict[_Box, MailboxSource] = {}

    def count(self) -> int:
        """Number of messages."""
        return sum(box.count() for box in self._sources())

    def all(self) -> list[Message]:
        """All of them, oldest first."""
        return _in_order([message for box in self._sources() for message in box.all()])

    def at(self, index: int) -> Message:
        """The one at that place, negative from the end."""
        return self.all()[index]

    def arrivals(self) -> Callable[[], list[Message]]:
        """A function that returns what has come since its last call."""
        log = self._portal.simulation.log
        readers: dict[_Box, Callable[[], list[Message]]] = {}
        last, cleared = -1, log.times_cleared

        def new() -> list[Message]:
            nonlocal last, cleared
            if cleared != log.times_cleared:
                last, cleared = -1, log.times_cleared
            first, events = last < 0, log.events(since=max(last, 0))
            last = events[-1].number if events else max(last, 0)
            if first or any(
                isinstance(each, CommandCompleted) and each.stage in self.stages for each in events
            ):
                touched = [source.key for source in self._sources()]
            else:
                delivered = [each for each in events if isinstance(each, MessageDelivered)]
                touched = list(dict.fromkeys(self._key(each.account, each.mailbox) for each in delivered))
            for key in touched:
                if key not in readers:
                    readers[key] = self._boxes[key].arrivals()
            return _in_order([message for key in touched for message in readers[key]()])

        return new

    def has(self, message: Message) -> bool:
        """Whether it is still there."""
        return any(box.has(message) for box in self._sources() if box.is_of(message))

    def _sources(self) -> list[MailboxSource]:
        store = self._portal.simulation.store
        return [
            self._boxes[self._key(owner, name)]
            for owner, name in store.mailboxes()
            if not store.is_all_mail(owner, name)
        ]

    def _key(self, owner: Address, name: str) -> _Box:
        key = owner.key, name
        if key not in self._boxes:
            self._boxes[key] = MailboxSource(self._portal, owner, name)
        return key


def _in_order(messages: list[Message]) -> list[Message]:
    return sorted(messages, key=lambda message: message._stored.content.serial)


class SentMessage(MessageView):
    """A message as an app sent it, in one transaction of SMTP, whatever became of it.

    ``raw`` are the bytes behind DATA or BDAT with dot-stuffing undone, empty if it did not come so far.
    """

    def __init__(self, portal: Portal, transaction: SubmittedTransaction) -> None:
        end = transaction.end
        data = end.client_bytes if end is not None else None
        super().__init__(b"" if data is None else data.content)
        self._portal = portal
        self._transaction = transaction
        self._times_cleared = portal.simulation.log.times_cleared

    @property
    def _is_remembered(self) -> bool:
        return self._portal.simulation.log.times_cleared == self._times_cleared

    @cached_property
    def envelope(self) -> Envelope:
        """Envelope sender and recipients, refused ones included."""
        sent = self._transaction
        login = self._portal.simulation.hosts.register.login_of(sent.mail.connection)
        origin = Origin(sent.helo, sent.peer or Peer("", 0, ""), sent.protocol, sent.tls, sent.cipher, login)
        options = _options(sent.mail, "FROM:", read_mail_options) or MailOptions()
        return Envelope(
            sent.sender or NULL_PATH,
            tuple(_recipient(each) for each in sent.recipients.values()),
            origin,
            body=options.body,
            size=options.size,
            ret=options.ret,
            envid=options.envid,
            smtputf8=options.smtputf8,
            auth=options.auth,
            requiretls=options.requiretls,
        )

    @property
    def host(self) -> Host:
        """The host that it was sent to."""
        return Host(self._portal, self._transaction.host)

    @property
    def sent_at(self) -> datetime:
        """End of the transaction, on the clock of the fake internet."""
        return self._transaction.last.time

    @property
    def is_accepted(self) -> bool:
        """Whether the host took it for at least one recipient."""
        return bool(self._transaction.queue_id)

    @property
    def queue_id(self) -> str:
        """The id under which the host took it, empty if it did not."""
        return self._transaction.queue_id

    @property
    def reply(self) -> Reply | None:
        """The last reply of the transaction; ``None`` if the connection ended before it."""
        return self._transaction.last.reply

    @property
    def refused(self) -> Mapping[str, Reply]:
        """The replies to the recipients that the host did not take, by their address."""
        replies = {str(each.address): each.reply for each in self._transaction.recipients.values()}
        return {to: reply for to, reply in replies.items() if reply is not None and not reply.is_positive}

    @property
    def journeys(self) -> list[Journey]:
        """Fate for each of its recipients so far, in the order of RCPT."""
        simulation = self._portal.simulation
        return with_notes(simulation, simulation.journeys.of(self._transaction), call=self._portal.call)


def _recipient(command: SmtpCommand) -> Recipient:
    options = _options(command, "TO:", read_rcpt_options) or RcptOptions()
    return Recipient(command.address, options.notify, options.original)  # type: ignore[arg-type]


def _options(
    command: SmtpCommand, prefix: str, read: Callable[[Mapping[str, str | None], Callable[[str], bool]], _O]
) -> _O | None:
    """The parameters behind the path of MAIL or RCPT; ``None`` for a line that nobody can read."""
    try:
        parameters = read_path_argument(command.line.partition(" ")[2].strip(" "), prefix).parameters
        return read(parameters, lambda _: True)
    except ProtocolError:
        return None


class SentMessages:
    """The messages that apps have sent, in the order in which their transactions ended."""

    where = Where("what apps have sent")
    stages: Collection[Stage] = frozenset(
        {
            *(Stage.SMTP_END, Stage.SMTP_MAIL, Stage.SMTP_RSET, Stage.SMTP_QUIT),
            *(Stage.SMTP_HELO, Stage.SMTP_STARTTLS, Stage.DISCONNECT),
        }
    )

    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        self._known: dict[int, SentMessage] = {}

    def count(self) -> int:
        """Number of messages."""
        return len(self._ended())

    def all(self) -> list[SentMessage]:
        """All of them, oldest first."""
        return [self._message(each) for each in self._ended()]

    def at(self, index: int) -> SentMessage:
        """The one at that place, negative from the end."""
        return self._message(self._ended()[index])

    def arrivals(self) -> Callable[[], list[SentMessage]]:
        """A function that returns what has come since its last call."""
        place = 0

        def new() -> list[SentMessage]:
            nonlocal place
            found, place = self._portal.simulation.journeys.submitted(since=place)
            return [self._message(each) for each in found]

        return new

    def has(self, message: SentMessage) -> bool:
        """Whether it is still there: what has been sent stays until it is forgotten."""
        return message._is_remembered

    def _ended(self) -> list[SubmittedTransaction]:
        return self._portal.simulation.journeys.submitted()[0]

    def _message(self, transaction: SubmittedTransaction) -> SentMessage:
        number = transaction.mail.number
        known = self._known.get(number)
        if known is None or known._transaction is not transaction or not known._is_remembered:
            known = self._known[number] = SentMessage(self._portal, transaction)
        return known
