"""How faults strike a receiving session: what each action does to the command at hand and to its answer.

The session asks at each stage, and only while a fault is in force at its host. What is done to the octets of an answer
becomes a script for the connection (:mod:`fakemail.faults.write_script`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum

from fakemail.faults.actions.action import FaultAction, Instead, OnAnswer
from fakemail.faults.actions.connections import CloseConnection
from fakemail.faults.actions.smtp import (
    AcceptSmuggledEnd,
    Advertise,
    AlterMessage,
    DeliverTwice,
    Hide,
    PretendSuccess,
    SendReply,
)
from fakemail.faults.context import FaultContext
from fakemail.faults.host_faults import HostFaults
from fakemail.faults.magic_addresses import AsAddressSays
from fakemail.faults.write_script import ConnectionEnd, Step
from fakemail.message.envelope import Envelope
from fakemail.message.headers import field_in_head, head_of
from fakemail.smtp import replies
from fakemail.smtp.backend import Backend
from fakemail.smtp.body import BodyReader, LaxDataReader
from fakemail.smtp.errors import CommandRejected, HangUp
from fakemail.smtp.framing import Framing
from fakemail.smtp.transaction import Transaction
from fakemail.types.address import Path
from fakemail.types.peer import Peer
from fakemail.types.reason import Reason
from fakemail.types.reply import Reply
from fakemail.types.stage import Stage


class SmtpFaultInjector(Framing):
    """The part of a session that faults strike."""

    def __init__(self, faults: HostFaults | None, peer: Peer, service: str, connection: int) -> None:
        super().__init__()
        self.login = ""
        self._faults = HostFaults() if faults is None else faults
        self._peer = peer
        self._service = service
        self._connection = connection
        self._transaction: Transaction | None = None
        self._address: Path | None = None
        self._line = ""
        """The command at hand, secrets masked."""
        self._hidden: frozenset[str] = frozenset()
        self._offered: frozenset[str] = frozenset()
        self._stage = Stage.SMTP_BANNER
        self._struck: OnAnswer | SendReply | None = None
        """What becomes of the next answer."""
        self._special: FaultAction | None = None
        """What the command at hand has to do by itself."""

    def _interfere(self, stage: Stage, content: bytes = b"", octets: int = 0) -> None:
        """Let a fault of the test strike, if one is due here."""
        self._special = None
        if stage not in self._faults.active:
            return
        facts = self._facts(stage, content, octets)
        action = self._faults.decide(stage, facts)
        if isinstance(action, AsAddressSays):
            action = action.said(stage, facts)
        match action:
            case None:
                pass
            case SendReply(reply) if not reply.is_positive:
                raise CommandRejected(reply, Reason.FAULT)
            case CloseConnection():
                raise CommandRejected(replies.CLOSING, Reason.FAULT)
            case Instead():
                self._play(action.script())
                raise HangUp
            case OnAnswer() | SendReply():
                self._struck = action
            case _:
                self._special = action

    def _facts(self, stage: Stage, content: bytes, octets: int) -> FaultContext:
        transaction, address = self._transaction, self._address
        recipients: tuple[Path, ...] = ()
        if stage is Stage.SMTP_RCPT:
            recipients = () if address is None else (address,)
        elif transaction is not None:
            recipients = (*(each.address for each in transaction.recipients), *transaction.pretended)
        return FaultContext(
            client=self._peer,
            connection=self._connection,
            service=self._service,
            login=self.login,
            sender=address if transaction is None else transaction.sender,
            recipients=recipients,
            argument=self._line.partition(" ")[2],
            subject=field_in_head(head_of(content), "subject") if content else "",
            octets=octets,
        )

    def _take_special(self) -> FaultAction | None:
        special, self._special = self._special, None
        return special

    def _reply(self, reply: Reply, reason: Reason | None = None, queue_id: str = "") -> None:
        """Give a reply out, and write it down."""
        raise NotImplementedError

    def _fall_silent(self) -> None:
        """Write down that there was no reply."""
        raise NotImplementedError

    def _play(self, steps: Sequence[Step]) -> None:
        """Let the connection do this after all that has been said so far."""
        self.script += [*self._out, *steps]
        self.struck_at = self._stage
        self._out.clear()
        if steps and isinstance(steps[-1], ConnectionEnd):
            self.closing = True

    @property
    def _is_heard(self) -> bool:
        """Whether the client can read the next answer."""
        return not isinstance(self._struck, OnAnswer) or self._struck.arrives

    def _spoil(self, reply: Reply) -> Reply | None:
        """Answer as the fault wants it; returns what the client sees of the reply."""
        action, self._struck = self._struck, None
        if isinstance(action, SendReply):
            # What the server refuses by itself stays refused: it would not know what to go on with.
            reply = action.reply if reply.is_positive else reply
            self._out.append(reply.wire)
            return reply
        if action is None:
            return reply
        self._play(action.script(reply.wire))
        return reply if action.arrives else None

    def _spoil_keywords(self, keywords: tuple[str, ...]) -> tuple[str, ...]:
        """What the reply to EHLO offers in place of these."""
        match self._take_special():
            case Hide(hidden):
                self._hidden = hidden
                self._offered -= hidden
                return tuple(each for each in keywords if each.partition(" ")[0].upper() not in hidden)
            case Advertise(added):
                return keywords + added
        return keywords

    def _pretends(self, transaction: Transaction, recipient: Path) -> bool:
        """Whether a recipient is accepted and gets nothing."""
        if not isinstance(self._take_special(), PretendSuccess):
            return False
        transaction.pretended.append(recipient)
        return True

    def _interfered(self, body: BodyReader, room: int, *, already: int = 0) -> BodyReader:
        """What takes the octets of the message in: of so many at most, and so many have come before."""
        special = self._take_special()
        if isinstance(special, AcceptSmuggledEnd):
            body = LaxDataReader(room, special.ends)
        if Stage.SMTP_BODY not in self._faults.active:
            return body
        return WatchedBody(body, lambda octets: self._watch(already + octets))

    def _watch(self, octets: int) -> TransferProgress:
        """Let a fault strike in the middle of the message."""
        stage, self._stage = self._stage, Stage.SMTP_BODY
        try:
            self._interfere(Stage.SMTP_BODY, octets=octets)
        except CommandRejected as refused:
            self._reply(refused.reply, refused.reason)
            self._play(())  # the message is not complete, so nothing else would bring the reply out
            return TransferProgress.NOT
        except HangUp:
            self._fall_silent()
            return TransferProgress.NOT
        delay, self._struck = self._struck, None
        if isinstance(delay, OnAnswer):
            self._play(delay.script(b""))
        self._stage = stage
        return TransferProgress.ON if delay is None else TransferProgress.ON_UNWATCHED

    def _spoil_message(self, backend: Backend, envelope: Envelope, content: bytes) -> bytes | None:
        """What is taken in place of the message; ``None`` if nothing is."""
        special = self._take_special()
        if isinstance(special, PretendSuccess) or not envelope.recipients:
            return None
        if isinstance(special, DeliverTwice):
            backend.take(envelope, content)
        return special.apply(content) if isinstance(special, AlterMessage) else content


class TransferProgress(Enum):
    """How a message goes on of which some octets have come."""

    ON = "on"
    ON_UNWATCHED = "on, and the fault has struck"
    NOT = "no further"


class WatchedBody:
    """A message on its way in, of which a fault wants to know how far it is."""

    def __init__(self, body: BodyReader, watch: Callable[[int], TransferProgress]) -> None:
        """``watch`` is told how many octets there are."""
        self.inner = body
        self._watch = watch
        self._goes = TransferProgress.ON
        self.received = 0
        """Octets so far, as they came."""

    @property
    def is_complete(self) -> bool:
        """Whether the end has come; never when the fault ended it."""
        return self.inner.is_complete and self._goes is not TransferProgress.NOT

    def feed(self, octets: bytes | bytearray) -> int:
        """Take octets; tell how many of them are the message's."""
        if self._goes is TransferProgress.NOT:
            return len(octets)
        used = self.inner.feed(octets)
        self.received += used
        if self._goes is TransferProgress.ON:
            self._goes = self._watch(self.received)
        return used
