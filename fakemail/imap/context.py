"""State of one IMAP session: who the client is, what it has enabled and selected, and its access to the host.

Commands read and change this. How bytes come and go is in :mod:`fakemail.imap.session`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from enum import Enum
from typing import Protocol

from fakemail.clock import datetime
from fakemail.imap import capabilities
from fakemail.imap.capabilities import CapabilityContext
from fakemail.imap.notifications import EventGroup, Notifications
from fakemail.imap.responses import bad, no
from fakemail.imap.selected_mailbox import Resolved, SelectedMailbox
from fakemail.imap.server_kinds import ImapProfile
from fakemail.imap.syntax import printing
from fakemail.imap.syntax.fetch_items import FetchItem
from fakemail.imap.syntax.scanner import Dialect
from fakemail.imap.syntax.sets import NumberSet, SequenceSet
from fakemail.sasl.exchange import CredentialStore
from fakemail.store.account import AccountStore
from fakemail.store.mailbox import Change
from fakemail.types.channel import Channel
from fakemail.types.peer import Peer
from fakemail.types.reason import Reason
from fakemail.types.seeded_random import SeededRandom


class ImapState(Enum):
    """RFC 9051 §3."""

    NOT_AUTHENTICATED = "not authenticated"
    AUTHENTICATED = "authenticated"
    SELECTED = "selected"


class ImapBackend(Protocol):
    """The host behind a session."""

    @property
    def credentials(self) -> CredentialStore:
        """Passwords and tokens of the accounts."""
        ...

    @property
    def chance(self) -> SeededRandom:
        """Source of random values, for what must not be guessed or repeated."""
        ...

    def open(self, login: str) -> AccountStore | None:
        """The mailboxes of an account; ``None`` for a login without any."""
        ...

    def now(self) -> datetime:
        """The present time of the fake internet, with its zone."""
        ...


class ImapContext(ABC):
    """The state of one session, as commands see it."""

    def __init__(
        self, profile: ImapProfile, backend: ImapBackend, peer: Peer, channel: Channel | None
    ) -> None:
        self.profile = profile
        self.backend = backend
        self.peer = peer
        self.channel = channel
        self.login = ""
        self.account: AccountStore | None = None
        self.view: SelectedMailbox | None = None
        self.is_compressed = False
        """Whether COMPRESS was given."""
        self.leaving = False
        """Whether the connection is closed after this command."""
        self.is_acting = False
        """Whether a command of this session is running, so that changes are its own."""
        self.idling = False
        self.notifications: Notifications | None = None
        """The events that NOTIFY asked for; ``None`` before it was used."""
        self.enabled: set[str] = set()
        """Names that the client has enabled, upper-case (RFC 5161)."""
        self.wants_tls = False
        """Whether STARTTLS was given, and the handshake is to follow."""
        self.forget_login()

    def forget_login(self) -> None:
        """Go back to the not authenticated state, with nothing enabled (RFC 8437 §2)."""
        self.deselect()
        if self.notifications is not None:
            self.notifications.stop()
            self.notifications = None
        self.login = ""
        self.account = None
        self.idling = False
        self.enabled.clear()
        self.condstore = False
        """Whether MODSEQ goes with every change of flags (RFC 7162 §3.1)."""
        self.update()

    def update(self) -> None:
        """Set what follows from the names that were enabled."""
        enabled = self.enabled
        self.rev2 = "IMAP4REV2" in enabled
        self.qresync = "QRESYNC" in enabled
        self.uid_only = "UIDONLY" in enabled
        self.utf8 = self.rev2 or "UTF8=ACCEPT" in enabled
        self.condstore = self.condstore or self.qresync or "CONDSTORE" in enabled
        self.sends_vanished = self.qresync or self.uid_only
        imap = self.profile.imap
        self.dialect = Dialect(self.utf8, imap.strict, imap.seven_bit, imap.charsets)
        # Without what is active already: a second COMPRESS is to be refused as such, not to be unknown (RFC 4978 §3).
        facts = CapabilityContext(self.profile, self.channel, self.account is not None)
        self.offered = frozenset(name for name in capabilities.NAMES if capabilities.offers(facts, name))

    @property
    def facts(self) -> CapabilityContext:
        """The facts that capabilities depend on."""
        return CapabilityContext(self.profile, self.channel, self.account is not None, self.is_compressed)

    def capability_words(self) -> str:
        """The words behind CAPABILITY."""
        return " ".join(capabilities.listed(self.facts))

    @property
    def state(self) -> ImapState:
        """The state of the session (RFC 9051 §3)."""
        if self.view is not None:
            return ImapState.SELECTED
        return ImapState.NOT_AUTHENTICATED if self.account is None else ImapState.AUTHENTICATED

    @property
    def sends_selected(self) -> bool:
        """Whether changes of the selected mailbox are sent at all (RFC 5465 §3.1)."""
        return self.notifications is None or self.notifications.wants_selected

    @property
    def sends_modseq_and_uid(self) -> bool:
        """Whether both go with every change of flags that is sent (RFC 7162 §3.2.4)."""
        return self.condstore and "QRESYNC" in self.offered

    def deselect(self) -> None:
        """Leave the selected mailbox."""
        if self.view is not None:
            self.view.close()
            self.view = None

    @property
    def mailboxes(self) -> AccountStore:
        """The account of the client. Raises BAD before the login."""
        if self.account is None:
            raise bad("Log in first.", reason=Reason.BAD_SEQUENCE)
        return self.account

    @property
    def selected(self) -> SelectedMailbox:
        """The selected mailbox. Raises BAD without one."""
        if self.view is None:
            raise bad("No mailbox is selected.", reason=Reason.BAD_SEQUENCE)
        return self.view

    @property
    def writable(self) -> SelectedMailbox:
        """The selected mailbox. Raises NO if it is selected read-only."""
        view = self.selected
        if view.read_only:
            raise no(Reason.READ_ONLY, "The mailbox is selected read-only.", code="READ-ONLY")
        return view

    def resolve(self, numbers: NumberSet, *, uid: bool, with_expunged: bool = False) -> Resolved:
        """The messages of a command. Raises BAD for sequence numbers beyond the last message (RFC 9051 §9)."""
        view = self.selected
        if not uid:
            self.require_numbers()
            if isinstance(numbers, SequenceSet) and _beyond(numbers, len(view.known)):
                raise bad(f"The set names messages that are not there; the last one is {len(view.known)}.")
        return view.resolve(numbers, uid=uid, with_expunged=with_expunged)

    def require_numbers(self) -> None:
        """Refuse a command with message numbers after ENABLE UIDONLY (RFC 9586 §3)."""
        if self.uid_only:
            raise bad("Only UIDs may be used.", code="UIDREQUIRED", reason=Reason.NOT_NEGOTIATED)

    def enable_condstore(self) -> None:
        """Turn mod-sequences on: the first command that shows that the client knows them does (RFC 7162 §3.1)."""
        if self.condstore or "CONDSTORE" not in self.offered:
            return
        self.condstore = True
        if self.view is not None:
            # RFC 7162 §3.1.2.1: the client learns the present value
            self.say(printing.highest_modseq(self.view.mailbox.highest_modseq))

    def notify(self, groups: Sequence[EventGroup]) -> None:
        """Send these events from now on, and no others (RFC 5465 §3)."""
        if self.notifications is not None:
            self.notifications.stop()
        self.notifications = Notifications(groups, self.mailboxes, self._on_change)

    def _on_change(self, change: Change) -> None:
        if self.is_acting or self.notifications is None:
            return  # RFC 5465 §5: the client knows what it has done itself
        if self.notifications.note(change, None if self.view is None else self.view.mailbox):
            self.wake()

    def fetch_order(self, items: Sequence[FetchItem]) -> Sequence[FetchItem]:
        """The order of the items in a FETCH response: as they were asked for."""
        return items

    def may(self, *alternatives: str) -> bool:
        """Whether one of some capabilities is offered."""
        return not self.offered.isdisjoint(alternatives)

    # What the session does for its commands -------------------------------------------------------

    @property
    @abstractmethod
    def tag(self) -> str:
        """The tag of the running command."""

    @abstractmethod
    def say(self, *responses: bytes) -> None:
        """Send untagged responses, whole ones."""

    @abstractmethod
    def bye(self, text: str, *, code: str | None = None, reason: Reason = Reason.MAILBOX_LOST) -> None:
        """End the session from the server's side."""

    @abstractmethod
    def wake(self) -> None:
        """Ask to be polled: something happened that the client may want to know."""

    @abstractmethod
    def start_compression(self) -> None:
        """Compress from the end of this command on, both ways (RFC 4978 §3)."""


def _beyond(numbers: SequenceSet, last: int) -> bool:
    """RFC 9051 §9, seq-number: a number that is not in use, '"*" if the selected mailbox is empty' among them."""
    return numbers.highest > last or (not last and numbers.has_star)
