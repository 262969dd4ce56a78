"""Messages in mailboxes: what was received, how and from whom; and queries that say which message is meant."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Protocol, TypedDict

from fakemail.api.hosts import Host
from fakemail.api.matchers import (
    HasAttachment,
    HasHeader,
    HasHtml,
    HasSubject,
    HasText,
    Matcher,
    SentBy,
    SentTo,
)
from fakemail.api.message_bytes import read_flags
from fakemail.api.portal import Portal
from fakemail.errors import DeclarationError, MailAssertionError
from fakemail.message.envelope import Envelope
from fakemail.message.message import MessageView
from fakemail.store.mailbox import Mailbox
from fakemail.store.message import FlagAction, StoredMessage
from fakemail.types.address import Address, AddressLike, read_address
from fakemail.types.dataclass import dataclass
from fakemail.types.suggestions import suggests_keywords

if TYPE_CHECKING:
    from fakemail.policy.authentication import SenderAuthentication


class MailboxHandle(Protocol):
    """A folder: an inbox handle."""

    @property
    def address(self) -> str: ...

    name: str


class Message(MessageView):
    """A message in a mailbox.

    ``raw`` is the octets as they were received, behind the Return-Path and Received lines that the
    delivering host put in front (RFC 5321 §4.4).
    """

    def __init__(self, portal: Portal, stored: StoredMessage, owner: Address) -> None:
        super().__init__(stored.raw)
        self._portal = portal
        self._stored = stored
        self._owner = owner

    @property
    def envelope(self) -> Envelope | None:
        """Its envelope: reverse-path and recipients; ``None`` if the test put it there itself."""
        return self._stored.envelope

    @property
    def received_by(self) -> Host | None:
        """The host that delivered it; ``None`` if the test put it there itself."""
        return Host(self._portal, self._stored.host) if self._stored.host else None

    @property
    def received_at(self) -> datetime:
        """Time of delivery, on the clock of the fake internet."""
        return self._stored.internal_date

    @property
    def auth(self) -> SenderAuthentication:
        """Authentication of its sender by the host that delivered it: ``auth.spf``, ``.dkim``, ``.dmarc``, ``.arc``,
        ``.iprev``, ``.bimi``, each equal to its word (``mail.auth.spf == "pass"``) and with the reason.

        Raises :class:`~fakemail.errors.MailAssertionError` if no host received it: the test put it there, or an app
        by IMAP.
        """
        __tracebackhide__ = True
        found = self._portal.simulation.auth_results.of(self._stored)
        if found is None:
            raise MailAssertionError(
                f"{self!r} was put into the mailbox by the test, or by an app over IMAP: no host received it, so "
                "there is no client, envelope or moment to check. Send it over SMTP to look at its authentication."
            )
        return found

    @property
    def tls(self) -> str:
        """The TLS version of the last hop (``TLSv1.3``), empty for clear text."""
        return self._stored.envelope.origin.tls if self._stored.envelope is not None else ""

    @property
    def queue_id(self) -> str:
        """The id under which the delivering host had it."""
        return self._stored.queue_id

    @property
    def uid(self) -> int:
        """Its unique id in the mailbox."""
        return self._stored.uid

    @property
    def flags(self) -> frozenset[str]:
        """Its flags, such as ``\\Seen``, as they are now. Setting them is seen by sessions at once (RFC 9051 §6.4.6).

        ``mail.flags = {"\\Seen"}`` replaces them, ``mail.flags |= {"\\Flagged"}`` adds one.
        """
        box = self._mailbox
        now = None if box is None else box.get(self._stored.uid)
        return self._stored.flags if now is None or now.content is not self._stored.content else now.flags

    @flags.setter
    def flags(self, flags: Collection[str]) -> None:
        __tracebackhide__ = True
        wanted = read_flags(flags)
        box = self._require_mailbox()
        uid = self._stored.uid
        self._portal.call(lambda: box.store([uid], FlagAction.REPLACE, wanted))
        self._stored = box.get(uid) or self._stored

    def delete(self) -> None:
        """Remove it from its mailbox, as EXPUNGE does."""
        __tracebackhide__ = True
        box = self._require_mailbox()
        self._portal.call(lambda: box.expunge([self._stored.uid]))

    def move_to(self, folder: str | MailboxHandle) -> Message:
        """Move it to a folder of its account (RFC 6851), which is made if it is not there; return it as it is there."""
        __tracebackhide__ = True
        return self._transfer(folder, keep=False)

    def copy_to(self, folder: str | MailboxHandle) -> Message:
        """Copy it to a folder of its account, which is made if it is not there, and return the copy."""
        __tracebackhide__ = True
        return self._transfer(folder, keep=True)

    def _transfer(self, folder: str | MailboxHandle, *, keep: bool) -> Message:
        __tracebackhide__ = True
        name = folder if isinstance(folder, str) else folder.name
        of = self._owner if isinstance(folder, str) else read_address(folder.address)
        if of.key != self._owner.key:
            raise DeclarationError(
                f"a message stays in its account, {self._owner.shown}; put() it into {name} of {of.shown} for a copy."
            )
        box, agent = self._require_mailbox(), self._portal.simulation.delivery_agent
        stored = self._portal.call(lambda: agent.transfer(self._owner, self._stored, box, name, keep=keep))
        if stored is None:
            raise self._gone()
        return Message(self._portal, stored, self._owner)

    def _gone(self) -> MailAssertionError:
        return MailAssertionError(f"{self!r} is no longer in the mailbox that it was in.")

    @property
    def _mailbox(self) -> Mailbox | None:
        """Its mailbox, whatever the name of that is now."""
        known = self._portal.simulation.store.account(self._owner).mailboxes()
        return next((box for box in known if box.mailbox_id == self._stored.mailbox_id), None)

    def _require_mailbox(self) -> Mailbox:
        __tracebackhide__ = True
        box = self._mailbox
        now = None if box is None else box.get(self._stored.uid)
        if box is None or now is None or now.content is not self._stored.content:
            raise self._gone()
        return box

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Message):
            return NotImplemented
        mine, its = self._stored, other._stored
        return (
            self._portal is other._portal
            and mine.content is its.content
            and (mine.mailbox_id, mine.uid) == (its.mailbox_id, its.uid)
        )

    def __hash__(self) -> int:
        return hash((self._stored.mailbox_id, self._stored.uid))


def stored_messages(
    portal: Portal, account: Address, mailbox: str, *, known: dict[int, Message] | None = None
) -> list[Message]:
    """The messages of a mailbox, oldest first; none for one that is not there. ``known`` keeps handles by UID."""
    known = {} if known is None else known
    box = portal.simulation.store.find(account, mailbox)
    found = []
    for stored in box.snapshot() if box is not None else ():
        message = known.get(stored.uid)
        if message is None or message._stored is not stored:
            message = known[stored.uid] = Message(portal, stored, account)
        found.append(message)
    return found


class MessageQuery(TypedDict, total=False):
    """Conditions on a message; all that are given must fit, texts and patterns as in matchers.

    ``sender`` is that of From, ``to`` one of To or Cc: an account, an address or a pattern. ``text`` and ``html``
    must be contained. ``header`` is a name, or a name and its value; ``attachment`` the name of a file.
    """

    subject: str | re.Pattern[str] | None
    sender: AddressLike | re.Pattern[str] | None
    to: AddressLike | re.Pattern[str] | None
    text: str | re.Pattern[str] | None
    html: str | re.Pattern[str] | None
    header: tuple[str, str | re.Pattern[str]] | str | None
    attachment: str | re.Pattern[str] | None
    matching: Matcher | None


@dataclass(frozen=True)
class Wanted:
    """Condition on a message; without a matcher every message fits."""

    matcher: Matcher | None = None

    @classmethod
    def of(cls, query: MessageQuery, also: Matcher | None = None) -> Wanted:
        """All of what is given, and that matcher.

        Raises ``TypeError`` for what is no matcher, and for what nobody can be asked.
        """
        __tracebackhide__ = True
        matcher = _matcher(**query)
        return cls(also if matcher is None else matcher if also is None else matcher & also)

    def fits(self, message: MessageView) -> bool:
        """Whether a message is like that."""
        return self.matcher is None or self.matcher.matches(message)

    def mismatch(self, message: MessageView) -> str:
        """The difference between a message and the condition."""
        return "" if self.matcher is None else self.matcher.mismatch(message)

    def __str__(self) -> str:
        return "" if self.matcher is None else f" with {self.matcher!r}"


@suggests_keywords
def _matcher(
    *,
    subject: object = None,
    sender: object = None,
    to: object = None,
    text: object = None,
    html: object = None,
    header: object = None,
    attachment: object = None,
    matching: object = None,
) -> Matcher | None:
    __tracebackhide__ = True
    whole: Matcher | None = None
    kinds: Sequence[tuple[Callable[..., Matcher], object]] = (
        (HasSubject, subject),
        (SentBy, sender),
        (SentTo, to),
        (HasText, text),
        (HasHtml, html),
        (HasHeader, header),
        (HasAttachment, attachment),
    )
    for kind, value in kinds:
        if value is not None:
            part = kind(*value) if isinstance(value, tuple) else kind(value)
            whole = part if whole is None else whole & part
    if matching is None:
        return whole
    if not isinstance(matching, Matcher):
        raise TypeError(
            "matching= takes a matcher such as HasSubject('Welcome') or HasText('Welcome'), "
            f"not {matching!r}; see fakemail's matchers."
        )
    return matching if whole is None else whole & matching
