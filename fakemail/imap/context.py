"""What a session knows: who the client is, what it has enabled and selected, and what it may ask of its host.

Commands read and change this. How octets come and go lives in :mod:`fakemail.imap.session`.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Protocol

from fakemail.clock import datetime
from fakemail.imap import capabilities
from fakemail.imap.capabilities import CapabilityContext
from fakemail.imap.notifications import Notifications
from fakemail.imap.responses import bad
from fakemail.imap.selected_mailbox import SelectedMailbox
from fakemail.imap.server_kinds import ImapProfile
from fakemail.imap.syntax.fetch_items import FetchItem
from fakemail.imap.syntax.scanner import Dialect
from fakemail.sasl.exchange import CredentialStore
from fakemail.store.account import AccountStore
from fakemail.types.channel import Channel
from fakemail.types.peer import Peer
from fakemail.types.reason import Reason
from fakemail.types.seeded_random import SeededRandom
from fakemail.types.stage import Stage


class ImapState(Enum):
    """RFC 9051 §3."""

    NOT_AUTHENTICATED = "not authenticated"
    AUTHENTICATED = "authenticated"
    SELECTED = "selected"


class ImapBackend(Protocol):
    """Everything a session asks of its host."""

    @property
    def credentials(self) -> CredentialStore:
        """Who may log in."""
        ...

    @property
    def chance(self) -> SeededRandom:
        """For what must not be guessed or repeated."""
        ...

    def open(self, login: str) -> AccountStore | None:
        """The mailboxes of somebody who has logged in; ``None`` for a login without any."""
        ...

    def now(self) -> datetime:
        """The present time of the fake internet, with its zone."""
        ...


class ImapRecorder(Protocol):
    """Writes down one command and the end of its answer (:class:`fakemail.events.kinds.CommandCompleted`)."""

    def __call__(
        self,
        stage: Stage,
        line: str,
        status: str,
        code: str,
        text: str,
        responses: int,
        octets: int,
        reason: Reason | None,
    ) -> None:
        """Record it."""
        ...


class ImapContext:
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
        """Whether a command of this session is being carried out: what changes is its own doing."""
        self.idling = False
        self.notifications: Notifications | None = None
        """What NOTIFY asked for; ``None`` before it was used."""
        self.client_id: dict[str, str | None] = {}
        """What the client told about itself (RFC 2971)."""
        self.enabled: set[str] = set()
        """What the client has enabled, upper-case (RFC 5161)."""
        self.forget_login()

    def forget_login(self) -> None:
        """Back to the state of a stranger who has enabled nothing (RFC 8437 §2)."""
        self.deselect()
        if self.notifications is not None:
            self.notifications.stop()
            self.notifications = None
        self.login = ""
        self.account = None
        self.idling = False
        self.enabled.clear()
        self.condstore = False
        """Whether MODSEQ is told of every change (RFC 7162 §3.1)."""
        self.update()

    def update(self) -> None:
        """Draw the conclusions from what was enabled."""
        enabled = self.enabled
        self.rev2 = "IMAP4REV2" in enabled
        self.qresync = "QRESYNC" in enabled
        self.uid_only = "UIDONLY" in enabled
        self.utf8 = self.rev2 or "UTF8=ACCEPT" in enabled
        self.condstore = self.condstore or self.qresync or "CONDSTORE" in enabled
        self.says_vanished = self.qresync or self.uid_only
        imap = self.profile.imap
        self.dialect = Dialect(self.utf8, imap.strict, imap.seven_bit, imap.charsets)
        # Without what is active already: a second COMPRESS is to be told so, not to be unknown (RFC 4978 §3).
        facts = CapabilityContext(self.profile, self.channel, self.account is not None)
        self.offered = frozenset(name for name in capabilities.NAMES if capabilities.offers(facts, name))

    @property
    def facts(self) -> CapabilityContext:
        """What the capabilities depend on."""
        return CapabilityContext(self.profile, self.channel, self.account is not None, self.is_compressed)

    def capability_words(self) -> str:
        """What stands behind CAPABILITY."""
        return " ".join(capabilities.listed(self.facts))

    @property
    def state(self) -> ImapState:
        """Where the session stands."""
        if self.view is not None:
            return ImapState.SELECTED
        return ImapState.NOT_AUTHENTICATED if self.account is None else ImapState.AUTHENTICATED

    @property
    def tells_selected(self) -> bool:
        """Whether changes of the selected mailbox are told at all (RFC 5465 §3.1)."""
        return self.notifications is None or self.notifications.tells_selected

    @property
    def tells_modseq_and_uid(self) -> bool:
        """Whether both go with every change of flags that is told (RFC 7162 §3.2.4)."""
        return self.condstore and "QRESYNC" in self.offered

    def deselect(self) -> None:
        """No mailbox is selected any more."""
        if self.view is not None:
            self.view.close()
            self.view = None

    @property
    def mailboxes(self) -> AccountStore:
        """The account of somebody who has logged in."""
        if self.account is None:
            raise bad("Log in first.", reason=Reason.BAD_SEQUENCE)
        return self.account

    @property
    def selected(self) -> SelectedMailbox:
        """The selected mailbox."""
        if self.view is None:
            raise bad("No mailbox is selected.", reason=Reason.BAD_SEQUENCE)
        return self.view

    def fetch_order(self, items: Sequence[FetchItem]) -> Sequence[FetchItem]:
        """In what order the items of a FETCH are told: as they were asked for."""
        return items

    def may(self, *alternatives: str) -> bool:
        """Whether one of some capabilities is offered."""
        return not self.offered.isdisjoint(alternatives)
