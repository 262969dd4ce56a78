"""Messages as a test sees them: what was received, how, and by whom."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from fakemail.errors import MailAssertionError
from fakemail.message.envelope import Envelope
from fakemail.message.message import MessageView
from fakemail.store.message import StoredMessage

if TYPE_CHECKING:
    from fakemail.api.hosts import Host
    from fakemail.api.mailnet import AnyNet
    from fakemail.policy.authentication import SenderAuthentication


class Message(MessageView):
    """A message in a mailbox.

    ``raw`` is the octets as they were received, behind the Return-Path and Received lines that the
    delivering host put in front (RFC 5321 §4.4).
    """

    def __init__(self, net: AnyNet, stored: StoredMessage) -> None:
        super().__init__(stored.raw)
        self._net = net
        self._stored = stored

    @property
    def envelope(self) -> Envelope | None:
        """Who it was really from and for; ``None`` if the test put it there itself."""
        return self._stored.envelope

    @property
    def received_by(self) -> Host | None:
        """The host that delivered it; ``None`` if the test put it there itself."""
        return self._net.find_host(self._stored.host) if self._stored.host else None

    @property
    def received_at(self) -> datetime:
        """When it was delivered, on the clock of the fake internet."""
        return self._stored.internal_date

    @property
    def auth(self) -> SenderAuthentication:
        """Who sent it, as the host that delivered it sees that: ``auth.spf``, ``.dkim``, ``.dmarc``, ``.arc``,
        ``.iprev``, ``.bimi``, each equal to its word (``mail.auth.spf == "pass"``) and with the reason.

        Raises :class:`~fakemail.errors.MailAssertionError` if no host received it: the test put it there, or an app
        by IMAP.
        """
        __tracebackhide__ = True
        found = self._net.internet.authentications.of(self._stored)
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
        """Its flags, such as ``\\Seen``."""
        return self._stored.flags

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Message):
            return NotImplemented
        mine, its = self._stored, other._stored
        return (
            self._net.is_one_with(other._net)
            and mine.content is its.content
            and (mine.mailbox_id, mine.uid) == (its.mailbox_id, its.uid)
        )

    def __hash__(self) -> int:
        return hash((self._stored.mailbox_id, self._stored.uid))
