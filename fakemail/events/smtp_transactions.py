"""Mail transactions of SMTP sessions, put together again from their events (RFC 5321 §3.3).

The way of a message after a host took it is in :mod:`fakemail.events.journey_builder`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from enum import Enum
from typing import Final, NamedTuple

from fakemail.events.kinds import (
    Connected,
    Disconnected,
    Event,
    Handshake,
    PolicyEvaluated,
    ProxyIdentified,
    SmtpCommand,
)
from fakemail.types.address import Address, Path
from fakemail.types.dataclass import dataclass
from fakemail.types.peer import Peer
from fakemail.types.reason import Reason
from fakemail.types.reply import Reply
from fakemail.types.stage import Stage


class TransactionEnd(Enum):
    """Result of a transaction for one recipient."""

    TAKEN = "taken"
    REFUSED = "refused"
    LOST = "discarded"
    DROPPED = "abandoned"
    CUT = "cut off"
    """The host dropped the connection instead of answering, because the test told it to."""
    IN_PROGRESS = "underway"


class TransactionResult(NamedTuple):
    """The end of a transaction for one recipient, and the exchange that made it so."""

    end: TransactionEnd
    exchange: SmtpCommand
    reason: Reason | None

    @property
    def reply(self) -> Reply | None:
        """The deciding reply, if the server gave one."""
        return self.exchange.reply


@dataclass(slots=True)
class SubmittedTransaction:
    """One MAIL command and what followed it, up to the reply to the message or the end of the attempt."""

    host: str
    peer: Peer | None
    protocol: str
    """A word of RFC 3848: ESMTP, ESMTPS, ESMTPA, ESMTPSA; SMTP after HELO."""
    tls: str
    cipher: str
    helo: str
    """The name that the client gave itself."""
    mail: SmtpCommand
    last: SmtpCommand
    recipients: dict[str, SmtpCommand] = field(default_factory=dict)
    """The RCPT of each recipient, under :attr:`Address.key`; the accepted one if there are several."""
    evaluations: list[PolicyEvaluated] = field(default_factory=list)
    """Policy evaluations of the client and of this transaction."""
    refusal: SmtpCommand | None = None
    """The refused DATA or BDAT, unless a later one was accepted."""
    end: SmtpCommand | None = None
    broken_by: Reason | None = None
    is_open: bool = True

    @property
    def sender(self) -> Path | None:
        """The path of MAIL, ``None`` when its line made no sense."""
        return self.mail.address

    @property
    def queue_id(self) -> str:
        """The queue id under which the host took the message, empty if it did not."""
        return "" if self.end is None else self.end.message

    def outcome(self, key: str) -> TransactionResult:
        """Result for that recipient."""
        for exchange in (self.mail, self.recipients[key], self.refusal):
            if exchange is not None and exchange.reply is not None and not exchange.reply.is_positive:
                return TransactionResult(TransactionEnd.REFUSED, exchange, exchange.reason)
        if _is_cut(self.last) and not self.queue_id:
            return TransactionResult(TransactionEnd.CUT, self.last, self.last.reason)
        if self.end is not None:
            own = self.recipients[key]
            is_pretended = own.reason is Reason.FAULT and own.reply is not None
            if is_pretended and (self.queue_id or _is_positive(self.end)):
                return TransactionResult(
                    TransactionEnd.LOST, own, own.reason
                )  # accepted by a fault, which meant nothing by it
            return self._final(self.end)
        end = TransactionEnd.IN_PROGRESS if self.is_open else TransactionEnd.DROPPED
        return TransactionResult(end, self._answered(key), self.broken_by)

    def _final(self, end: SmtpCommand) -> TransactionResult:
        if end.reply is not None and not end.reply.is_positive:
            return TransactionResult(TransactionEnd.REFUSED, end, end.reason)
        # A host that took the message has it, also when its reply never reached the client.
        if end.message and (end.reply is None or end.reason is None):
            return TransactionResult(TransactionEnd.TAKEN, end, None)
        if end.reply is None:
            return TransactionResult(TransactionEnd.DROPPED, end, end.reason or self.broken_by)
        return TransactionResult(TransactionEnd.LOST, end, end.reason)

    def _answered(self, key: str) -> SmtpCommand:
        """Last exchange of this recipient that got an answer; a RCPT of another one does not count."""
        if self.last.stage in (Stage.SMTP_DATA, Stage.SMTP_BDAT) and self.last.reply is not None:
            return self.last
        own = self.recipients[key]
        return own if own.reply is not None else self.mail


@dataclass(slots=True)
class _SmtpSessionTrace:
    peer: Peer | None
    ended: list[SubmittedTransaction]
    """List to which ended transactions are added."""
    hello: str = ""
    helo: str = ""
    tls: str = ""
    cipher: str = ""
    is_authenticated: bool = False
    current: SubmittedTransaction | None = None
    evaluations: list[PolicyEvaluated] = field(default_factory=list)
    """Policy evaluations before the transaction, which HELO and MAIL make anew."""

    @property
    def protocol(self) -> str:
        if self.hello == "HELO":
            return "SMTP"
        # RFC 3848 §1
        return f"ESMTP{'S' if self.tls else ''}{'A' if self.is_authenticated else ''}"

    def close(self, reason: Reason | None = None) -> None:
        if self.current is not None:
            self.current.is_open = False
            self.ended.append(self.current)
            self.current.broken_by = reason
            self.current = None


class SmtpTransactions:
    """All transactions, put together from the events as they come."""

    def __init__(self) -> None:
        self.ended: list[SubmittedTransaction] = []
        """Those that have ended, in the order of their ends."""
        self._sessions: dict[tuple[str, int], _SmtpSessionTrace] = {}

    def add(self, event: Event) -> SubmittedTransaction | None:
        """Take an event in, and return the transaction that it belongs to, if there is one."""
        place = event.host, event.connection
        match event:
            case SmtpCommand():
                session = self._sessions.get(place)
                if session is None:
                    session = self._sessions[place] = _SmtpSessionTrace(None, self.ended)
                current = session.current
                if event.stage is Stage.SMTP_MAIL:
                    return _mail(session, event)
                if (step := _STEPS.get(event.stage)) is not None:
                    step(session, event)
                return current
            case Connected():
                self._sessions[place] = _SmtpSessionTrace(event.peer, self.ended)
            case ProxyIdentified():
                if session := self._sessions.get(place):
                    session.peer = event.client
            case PolicyEvaluated():
                if session := self._sessions.get(place):
                    _evaluated(session, event)
            case Handshake():
                if session := self._sessions.get(place):
                    session.tls, session.cipher = event.version, event.cipher
            case Disconnected():
                if session := self._sessions.pop(place, None):
                    session.close(event.reason)
        return None


def _mail(session: _SmtpSessionTrace, event: SmtpCommand) -> SubmittedTransaction | None:
    current = session.current
    accepted = event.reply is not None and event.reply.is_positive
    if current is not None and not accepted and _is_positive(current.mail):
        return None  # RFC 5321 §4.1.4: a MAIL inside a transaction is refused and changes nothing
    session.close()
    # A refused MAIL stays open as well: a pipelining client still names its recipients (RFC 2920 §3.1).
    session.current = SubmittedTransaction(
        event.host,
        session.peer,
        session.protocol,
        session.tls,
        session.cipher,
        session.helo,
        mail=event,
        last=event,
    )
    session.current.evaluations += session.evaluations
    session.evaluations = [each for each in session.evaluations if each.stage is not Stage.SMTP_MAIL]
    return session.current


def _evaluated(session: _SmtpSessionTrace, event: PolicyEvaluated) -> None:
    """Note an evaluation. A host makes it before it answers, so that of MAIL comes before the transaction."""
    if event.stage in _BEFORE_MAIL or event.stage is Stage.SMTP_MAIL:
        session.evaluations.append(event)
    elif session.current is not None:
        session.current.evaluations.append(event)


def _rcpt(session: _SmtpSessionTrace, event: SmtpCommand) -> None:
    current = session.current
    if current is None or not isinstance(event.address, Address):
        return
    current.last = event
    earlier = current.recipients.get(event.address.key)
    if earlier is None or not _is_positive(earlier):
        current.recipients[event.address.key] = event


def _data(session: _SmtpSessionTrace, event: SmtpCommand) -> None:
    current = session.current
    if current is not None:
        current.last = event
        current.refusal = None if event.reply is None or _is_positive(event) else event


def _end(session: _SmtpSessionTrace, event: SmtpCommand) -> None:
    current = session.current
    if current is not None:
        current.end = current.last = event
        current.refusal = None
        session.close()


def _hello(session: _SmtpSessionTrace, event: SmtpCommand) -> None:
    if _is_positive(event):
        session.hello, session.helo = event.line[:4].upper(), event.line[4:].strip()
        session.close()  # RFC 5321 §4.1.4: EHLO resets like RSET


def _starttls(session: _SmtpSessionTrace, event: SmtpCommand) -> None:
    if _is_positive(event):  # RFC 3207 §4.2: both sides forget what they knew
        session.hello, session.helo, session.is_authenticated = "", "", False
        session.close()


def _auth(session: _SmtpSessionTrace, event: SmtpCommand) -> None:
    if event.reply is not None and event.reply.code == 235:  # RFC 4954 §6
        session.is_authenticated = True


def _leave(session: _SmtpSessionTrace, event: SmtpCommand) -> None:
    if event.reply is None or event.reply.is_positive:
        session.close()


_BEFORE_MAIL: Final = frozenset({Stage.SMTP_BANNER, Stage.SMTP_HELO})


def _is_cut(event: SmtpCommand) -> bool:
    return event.reply is None and event.reason is Reason.FAULT


def _is_positive(event: SmtpCommand) -> bool:
    return event.reply is not None and event.reply.is_positive


_STEPS: Final[dict[Stage, Callable[[_SmtpSessionTrace, SmtpCommand], None]]] = {
    Stage.SMTP_HELO: _hello,
    Stage.SMTP_STARTTLS: _starttls,
    Stage.SMTP_AUTH: _auth,
    Stage.SMTP_RCPT: _rcpt,
    Stage.SMTP_DATA: _data,
    Stage.SMTP_BDAT: _data,
    Stage.SMTP_END: _end,
    Stage.SMTP_RSET: _leave,
    Stage.SMTP_QUIT: _leave,
}
