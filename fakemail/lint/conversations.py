"""The app's connections, put together again from the log: what was said when, and what was known then.

Connections of our own hosts are left out: how those speak is none of the app's doing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import field
from typing import NamedTuple

from fakemail.events.kinds import CommandCompleted, Connected, Disconnected, Event, Handshake, SmtpCommand
from fakemail.types.address import Address
from fakemail.types.dataclass import dataclass
from fakemail.types.stage import Stage


@dataclass(slots=True)
class Conversation:
    """One connection of the app."""

    connected: Connected
    events: list[SmtpCommand | CommandCompleted | Handshake] = field(default_factory=list)
    """In order; the handshakes where they took place."""
    end: Disconnected | None = None
    """``None`` while it is open."""

    @property
    def service(self) -> str:
        """``smtp``, ``submission``, ``imap``..."""
        return self.connected.protocol


def conversations(events: Iterable[Event]) -> list[Conversation]:
    """The app's connections, in the order in which they began. One pass over the events."""
    found: dict[tuple[str, int], Conversation] = {}
    for event in events:
        if isinstance(event, Connected):
            if event.peer.is_app:
                found[event.host, event.connection] = Conversation(event)
        elif isinstance(event, SmtpCommand | CommandCompleted | Handshake):
            if conversation := found.get((event.host, event.connection)):
                conversation.events.append(event)
        elif isinstance(event, Disconnected) and (conversation := found.get((event.host, event.connection))):
            conversation.end = event
    return list(found.values())


class Turn(NamedTuple):
    """One SMTP exchange and what was so when the client spoke."""

    exchange: SmtpCommand
    is_secure: bool
    """Whether TLS was active."""
    offered: frozenset[str]
    """The keywords of the last reply to EHLO."""
    mail: SmtpCommand | None
    """The MAIL of the transaction under way, accepted or not."""
    recipients: tuple[SmtpCommand, ...]
    """Its RCPT so far."""
    before: SmtpCommand | None
    """The exchange before this one."""

    @property
    def accepted(self) -> tuple[str, ...]:
        """The recipients that the server took."""
        return tuple(
            str(each.address)
            for each in self.recipients
            if is_positive(each) and isinstance(each.address, Address)
        )

    @property
    def waited(self) -> bool:
        """Whether the client had seen the reply to the exchange before it spoke."""
        return (
            self.before is None or self.before.client_bytes is None or not self.before.client_bytes.was_hasty
        )


def turns(conversation: Conversation) -> Iterator[Turn]:
    """The exchanges of an SMTP connection, each with what was so then (RFC 5321 §3.3, §4.1.4)."""
    is_secure, offered, mail, before = False, frozenset[str](), None, None
    recipients: tuple[SmtpCommand, ...] = ()
    for event in conversation.events:
        if isinstance(event, Handshake):
            # RFC 3207 §4.2: what was known before TLS is forgotten.
            is_secure, offered, mail, recipients = bool(event.version), frozenset(), None, ()
            continue
        if not isinstance(event, SmtpCommand):
            continue
        yield Turn(event, is_secure, offered, mail, recipients, before)
        before = event
        if event.stage is Stage.SMTP_HELO and is_positive(event):
            offered = keywords(event) if event.line[:4].upper() == "EHLO" else frozenset()
            mail, recipients = None, ()
        elif event.stage is Stage.SMTP_MAIL:
            # A MAIL inside a transaction is refused and changes nothing.
            if mail is None or not is_positive(mail) or is_positive(event):
                mail, recipients = event, ()
        elif event.stage is Stage.SMTP_RCPT:
            recipients = (*recipients, event)
        elif event.stage in (Stage.SMTP_END, Stage.SMTP_RSET):
            mail, recipients = None, ()


def keywords(hello: SmtpCommand) -> frozenset[str]:
    """The keywords in the reply to an EHLO."""
    if hello.reply is None:
        return frozenset()
    # Not the lines with enhanced codes: replies to EHLO have none (RFC 2034 §3).
    return frozenset(line.partition(" ")[0].upper() for line in hello.reply.text.split("\n")[1:])


def is_positive(exchange: SmtpCommand) -> bool:
    """Whether the server said yes."""
    return exchange.reply is not None and exchange.reply.is_positive


def is_refused(exchange: SmtpCommand) -> bool:
    """Whether the server said no."""
    return exchange.reply is not None and not exchange.reply.is_positive
