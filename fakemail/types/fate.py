"""Fates: how the journey of one message to one recipient ended, or how it stands.

Fates are values and are compared by meaning: replies by their codes (see
:class:`~fakemail.types.reply.Reply`), and the host that decided is told but not compared.
"""

from __future__ import annotations

from dataclasses import field
from typing import ClassVar

from fakemail.types.address import Address
from fakemail.types.dataclass import dataclass
from fakemail.types.domains import u_labels
from fakemail.types.reason import Reason
from fakemail.types.reply import Reply
from fakemail.types.stage import Stage
from fakemail.types.suggestions import Suggests


class Fate(Suggests):
    """The root of all fates. ``str()`` of one is a sentence without its full stop."""

    __slots__ = ()
    is_final: ClassVar[bool] = True
    """Whether nothing more will happen to the message by itself."""


@dataclass(frozen=True, slots=True)
class Delivered(Fate):
    """It lies in a mailbox of the account ``to``."""

    to: Address
    mailbox: str = "INBOX"

    def __str__(self) -> str:
        return f"delivered to {self.to.shown}, {self.mailbox}"


@dataclass(frozen=True, slots=True)
class Forwarded(Fate):
    """Its address stands for others, and it was forwarded to them; each of them has a journey of its own."""

    to: tuple[Address, ...]
    host: str = field(default="", compare=False, kw_only=True)

    def __str__(self) -> str:
        return f"forwarded{_by(self.host)} to {', '.join(each.shown for each in self.to) or 'nobody'}"


@dataclass(frozen=True, slots=True)
class Refused(Fate):
    """Final refusal by a host, without a further attempt: the client was told, or no mail host can ever take it.

    A client that is told "not now" (a 4yz reply) and does not come back was refused as well; a
    host that queues the message after such a reply leaves it :class:`Queued`.
    """

    at: Stage
    reply: Reply | None = None
    reason: Reason | None = None
    host: str = field(default="", compare=False, kw_only=True)

    def __str__(self) -> str:
        return f"refused at {self.at}{_by(self.host)}{_why(self.reply, self.reason)}"


@dataclass(frozen=True, slots=True)
class Bounced(Fate):
    """It was refused after a host had taken it, and the sender was told by a bounce (RFC 3464)."""

    at: Stage
    reply: Reply | None = None
    reason: Reason | None = None
    host: str = field(default="", compare=False, kw_only=True)

    def __str__(self) -> str:
        return f"bounced after a refusal at {self.at}{_by(self.host)}{_why(self.reply, self.reason)}"


@dataclass(frozen=True, slots=True)
class Expired(Fate):
    """It was tried until its time in the queue was over (RFC 5321 §4.5.4.1)."""

    last_reply: Reply | None = None
    reason: Reason | None = None
    host: str = field(default="", compare=False, kw_only=True)

    def __str__(self) -> str:
        return f"expired in the queue{_of(self.host)}{_why(self.last_reply, self.reason)}"


@dataclass(frozen=True, slots=True)
class Discarded(Fate):
    """Message that a host accepted and discarded, or gave up, without a bounce.

    It is given up so when the next host refused it and the sender had asked not to be told
    (``NOTIFY=NEVER``, RFC 3461 §4.1), or is nobody, as that of a bounce.
    """

    reason: Reason | None = None
    host: str = field(default="", compare=False, kw_only=True)
    refusal: Reply | None = field(default=None, compare=False, kw_only=True)
    """The reply for which it was given up, if there was one."""
    is_given_up: bool = field(default=False, compare=False, kw_only=True)

    def __str__(self) -> str:
        if self.is_given_up:
            return f"given up{_by(self.host)}, and the sender not told{_why(self.refusal, self.reason)}"
        return f"silently discarded{_by(self.host)}{_why(None, self.reason)}"


@dataclass(frozen=True, slots=True)
class Quarantined(Fate):
    """It lies where the recipient will hardly look, such as a Junk mailbox."""

    mailbox: str
    reason: Reason | None = None

    def __str__(self) -> str:
        return f"quarantined in {self.mailbox}{_why(None, self.reason)}"


@dataclass(frozen=True, slots=True)
class Queued(Fate):
    """A host has it in its queue: it was not tried yet, or will be tried again."""

    is_final: ClassVar[bool] = False
    last_reply: Reply | None = None
    reason: Reason | None = None
    host: str = field(default="", compare=False, kw_only=True)

    def __str__(self) -> str:
        return f"waiting in the queue{_of(self.host)}{_why(self.last_reply, self.reason)}"


@dataclass(frozen=True, slots=True)
class Relayed(Fate):
    """It was handed to a real server, and what that did with it is not known here."""

    host: str = field(default="", compare=False, kw_only=True)

    def __str__(self) -> str:
        return f"handed to {u_labels(self.host)}, a server outside of the fake internet"


@dataclass(frozen=True, slots=True)
class Dropped(Fate):
    """The client named the recipient and ended, or lost, the session before it handed the message over.

    ``at`` is the last command that was answered for it, ``reason`` what broke the connection
    (``None`` when the client left in good order). Where a fault of the test made the host drop the
    connection, ``at`` is the command that got no answer, and ``reason`` is ``Reason.FAULT``.
    """

    at: Stage
    reason: Reason | None = None
    host: str = field(default="", compare=False, kw_only=True)

    def __str__(self) -> str:
        if self.reason is Reason.FAULT:
            return f"cut off at {self.at}{_by(self.host)}: {self.reason}"
        return f"abandoned by the client after {self.at}{_of(self.host)}{_why(None, self.reason)}"


@dataclass(frozen=True, slots=True)
class InProgress(Fate):
    """The session that hands it over still runs; ``at`` is the last command that was answered for it."""

    is_final: ClassVar[bool] = False
    at: Stage
    host: str = field(default="", compare=False, kw_only=True)

    def __str__(self) -> str:
        return f"underway, after {self.at}{_of(self.host)}"


def _by(host: str) -> str:
    return f" by {u_labels(host)}" if host else ""


def _of(host: str) -> str:
    return f" of {u_labels(host)}" if host else ""


def _why(reply: Reply | None, reason: Reason | None) -> str:
    codes = "" if reply is None else f"{reply.code} {reply.enhanced or ''}".rstrip()
    if codes and reason is not None:
        return f": {codes} ({reason})"
    return f": {codes or reason}" if codes or reason is not None else ""
