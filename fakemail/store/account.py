"""The mailboxes of one account: a tree of names, subscriptions, quota, annotations, and one lock for POP3."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import count

from fakemail.store import names
from fakemail.store.all_mail import AllMail
from fakemail.store.content import Content, ContentPool
from fakemail.store.errors import (
    HasChildren,
    MailboxExists,
    NoSuchMailbox,
    NoSuchSubscription,
    NotAllowed,
    SpecialUseRefused,
)
from fakemail.store.listeners import Subscription
from fakemail.store.mailbox import (
    INBOX,
    AccountContext,
    Change,
    Listener,
    Mailbox,
    MailboxCreated,
    MailboxDeleted,
    MailboxRenamed,
    MetadataChanged,
    RightsChanged,
    SubscriptionChanged,
)
from fakemail.store.message import NO_FLAGS
from fakemail.store.metadata import Metadata
from fakemail.store.quota import QuotaRoot
from fakemail.store.rights import OWNER_RIGHTS, in_order
from fakemail.store.threads import ThreadNumbers
from fakemail.types.dataclass import dataclass

SPECIAL_USES = frozenset(
    {"\\All", "\\Archive", "\\Drafts", "\\Flagged", "\\Important", "\\Junk", "\\Sent", "\\Trash"}
)
"""RFC 6154 §2, RFC 8457 §3."""
DEFAULT_FOLDERS: Mapping[str, str] = {
    "Sent": "\\Sent",
    "Drafts": "\\Drafts",
    "Trash": "\\Trash",
    "Junk": "\\Junk",
    "Archive": "\\Archive",
}
"""Folders that every account has from the start, beside INBOX, by default."""


@dataclass(frozen=True, slots=True)
class FolderEntry:
    """One name of a listing."""

    name: str
    mailbox: Mailbox | None
    """``None`` for a name that only has children, or is only subscribed."""
    has_children: bool
    subscribed: bool

    @property
    def attributes(self) -> tuple[str, ...]:
        """The attributes of LIST (RFC 9051 §7.3.1), with those of RFC 5258 and RFC 6154."""
        found = [] if self.mailbox is not None else ["\\NonExistent", "\\Noselect"]
        found.append("\\HasChildren" if self.has_children else "\\HasNoChildren")
        if self.subscribed:
            found.append("\\Subscribed")
        if self.mailbox is not None:
            found += sorted(self.mailbox.special_use)
        return tuple(found)


class AccountStore:
    """Mailboxes, subscriptions, annotations and quota of one account. INBOX is always there."""

    def __init__(
        self,
        owner: str = "",
        *,
        shared: AccountContext | None = None,
        folders: Mapping[str, str] = DEFAULT_FOLDERS,
        creates_parents: bool = False,
    ) -> None:
        """``folders`` are names with their special use (or ``""``); they are subscribed, as INBOX is. One with
        ``\\All`` holds every message, by itself, and cannot be deleted or renamed.

        With ``creates_parents``, CREATE of ``a/b`` makes a mailbox ``a`` too; without, ``a`` is a
        name that does not exist and has a child, as with Dovecot (Maildir++).
        """
        self.owner = owner
        """The identifier that has every right: the address of the account."""
        self.metadata = Metadata()
        """The annotations of the server, as this account sees them; change them by :meth:`annotate`."""
        self._shared = shared or AccountContext()
        self._creates_parents = creates_parents
        self._boxes: dict[str, Mailbox] = {}
        self._next_validity = count(1).__next__
        self._serial = self._shared.home.serials
        self._listing: tuple[FolderEntry, ...] | None = None
        self._lock: object = None
        self._places: dict[int, tuple[Mailbox, ...]] = {}
        self._places_state: tuple[tuple[str, int, int], ...] = ()
        self._threaded: dict[str, int] = {}
        self._shared.home.place_in_thread = ThreadNumbers(self._unthreaded).place
        for name, use in {INBOX: "", **folders}.items():
            self._make(name, frozenset({use}) if use else NO_FLAGS, is_all=use == "\\All")
        self._subscribed = dict.fromkeys(self._boxes)
        self._all_mail = self.with_use("\\All")
        if self._all_mail is not None:
            self._shared.announcer.everything.add(AllMail(self._all_mail).hear)

    # Reading -------------------------------------------------------------------------------------

    @property
    def inbox(self) -> Mailbox:
        """The mailbox that is always there."""
        return self._boxes[INBOX]

    @property
    def quota(self) -> QuotaRoot:
        """Limits and usage of the account."""
        return self._shared.quota

    @property
    def home(self) -> ContentPool:
        """The pool that contents of this account are made in: ``Content(raw, account.home)``."""
        return self._shared.home

    def find(self, name: str) -> Mailbox | None:
        """The mailbox of that name. Safe to call from any thread."""
        return self._boxes.get(names.canonical(name))

    def get(self, name: str) -> Mailbox:
        """The mailbox of that name. Raises ``NoSuchMailbox``."""
        box = self.find(name)
        if box is None:
            raise NoSuchMailbox(name)
        return box

    def with_use(self, use: str) -> Mailbox | None:
        """The first mailbox with that special use, such as ``\\Junk``."""
        return next((box for box in self.mailboxes() if use in box.special_use), None)

    def is_all_mail(self, name: str) -> bool:
        """Whether the mailbox of that name is kept complete with what lies in the others."""
        return self._all_mail is not None and self._all_mail.name == name

    def mailboxes(self) -> list[Mailbox]:
        """Every mailbox, in the order of their making. Safe to call from any thread."""
        return list(self._boxes.copy().values())

    def subscriptions(self) -> list[str]:
        """The subscribed names, in the order of subscribing; some may have no mailbox (RFC 9051 §6.3.7)."""
        return list(self._subscribed)

    def entries(self, *, subscribed: bool = False) -> tuple[FolderEntry, ...]:
        """Every name, sorted: INBOX first, children right behind their parents.

        Names that only have children are among them; those that are only subscribed, if asked for.
        """
        if self._listing is None:
            self._listing = self._list(self._boxes)
        if not subscribed or all(name in self._boxes for name in self._subscribed):
            return self._listing
        lonely = [name for name in self._subscribed if name not in self._boxes]
        have = {entry.name for entry in self._listing}
        more = [FolderEntry(name, None, False, True) for name in lonely if name not in have]
        return tuple(sorted((*self._listing, *more), key=lambda entry: names.order(entry.name)))

    def _list(self, known: Iterable[str]) -> tuple[FolderEntry, ...]:
        above = {parent for name in known for parent in names.parents(name)}
        return tuple(
            FolderEntry(name, self._boxes.get(name), name in above, name in self._subscribed)
            for name in sorted({*self._boxes, *above}, key=names.order)
        )

    # The tree ------------------------------------------------------------------------------------

    def create(self, name: str, *, special_use: Iterable[str] = NO_FLAGS) -> Mailbox:
        """Make a mailbox (RFC 9051 §6.3.4); a ``/`` at the end says that children will follow, and is dropped.

        Raises ``InvalidName``, ``MailboxExists``, ``SpecialUseRefused``, ``OverQuota``.
        """
        name = names.checked(name.removesuffix(names.SEPARATOR))
        uses = frozenset(special_use)
        if name in self._boxes:
            raise MailboxExists(name)
        self._admit_uses(name, uses)
        above = self._missing_parents(name)
        self.quota.check(mailboxes=1 + len(above))
        made = [self._make(up, NO_FLAGS) for up in above]
        made.append(self._make(name, uses))
        for box in made:
            self._announce(MailboxCreated(box, box.name), box)
        return made[-1]

    def _missing_parents(self, name: str) -> list[str]:
        """The mailboxes to be made above a new one, the topmost first."""
        if not self._creates_parents:
            return []
        return [up for up in names.parents(name) if up not in self._boxes][::-1]

    def set_special_use(self, name: str, uses: Iterable[str]) -> None:
        """Give a mailbox other special uses (RFC 6154 §4). Raises ``NoSuchMailbox``, ``SpecialUseRefused``."""
        box, wanted = self.get(name), frozenset(uses)
        self._admit_uses(box.name, wanted)
        box.special_use = wanted
        self._announce(MetadataChanged(box.name, ("/private/specialuse",)), box)

    def _admit_uses(self, name: str, uses: frozenset[str]) -> None:
        for use in sorted(uses):
            if use not in SPECIAL_USES:
                raise SpecialUseRefused(name, f"there is no special use {use}.")
            holder = self.with_use(use)
            if holder is not None and holder.name != name:
                raise SpecialUseRefused(name, f"{use} is the special use of {holder.name!r} already.")

    def _make(self, name: str, uses: frozenset[str], *, is_all: bool = False) -> Mailbox:
        box = Mailbox(
            name,
            uid_validity=self._next_validity(),
            mailbox_id=f"F{self._serial()}",
            shared=self._shared.beside_quota() if is_all else self._shared,
            special_use=uses,
        )
        self._boxes[name] = box
        self.quota.mailboxes += 1
        self._listing = None
        return box

    def delete(self, name: str) -> None:
        """Delete a mailbox with its messages; its children stay (RFC 9051 §6.3.5).

        Raises ``NoSuchMailbox``, ``HasChildren`` for a name that is no mailbox, ``NotAllowed`` for INBOX.
        """
        name = names.canonical(name)
        if name == INBOX:
            raise NotAllowed(name, "INBOX cannot be deleted.")
        box = self._boxes.get(name)
        if box is None:
            raise HasChildren(name) if self._below(name) else NoSuchMailbox(name)
        self._require_movable(box)
        del self._boxes[name]
        self._listing = None
        box.is_deleted = True
        self._threaded.pop(box.mailbox_id, None)
        self.quota.add(-box.size, -len(box))
        self.quota.mailboxes -= 1
        self._announce(MailboxDeleted(box, name), box)

    def rename(self, old: str, new: str) -> None:
        """Rename a mailbox and its children (RFC 9051 §6.3.6). Subscriptions are names, and stay.

        INBOX itself stays: its messages move to a new mailbox, its children do not.
        Raises ``NoSuchMailbox``, ``MailboxExists``, ``InvalidName``, ``NotAllowed``.
        """
        old = names.canonical(old)
        new = names.checked(new.removesuffix(names.SEPARATOR))
        if old == INBOX:
            into = self.create(new)
            self.inbox.move_to(into, self.inbox.uids())
            return
        moving = [name for name in (old, *self._below(old)) if name in self._boxes]
        if not moving:
            raise NoSuchMailbox(old)
        if new == old:
            raise MailboxExists(new)
        if names.is_below(new, old):
            raise NotAllowed(new, f"{old!r} cannot move below itself.")
        targets = [names.checked(new + name[len(old) :]) for name in moving]
        for target in (new, *targets):
            if target in self._boxes and target not in moving:
                raise MailboxExists(target)
        above = self._missing_parents(new)
        self.quota.check(mailboxes=len(above))
        for name in moving:
            self._require_movable(self._boxes[name])
        boxes = [self._boxes.pop(name) for name in moving]
        for box, target in zip(boxes, targets, strict=True):
            box.name = target
            self._boxes[target] = box
        made = [self._make(up, NO_FLAGS) for up in above]
        self._listing = None
        for box, name, target in zip(boxes, moving, targets, strict=True):
            self._announce(MailboxRenamed(box, name, target), box)
        for box in made:
            self._announce(MailboxCreated(box, box.name), box)

    def _require_movable(self, box: Mailbox) -> None:
        if box is self._all_mail:
            raise NotAllowed(box.name, f"{box.name!r} holds all mail, and stays where it is.")

    def _below(self, name: str) -> list[str]:
        return [known for known in self._boxes if names.is_below(known, name)]

    def renew_uid_validity(self, name: str) -> int:
        """Make every uid of a mailbox invalid, as an accident does; return the new UIDVALIDITY."""
        box = self.get(name)
        box.renew_uid_validity(self._next_validity())
        self._threaded.pop(box.mailbox_id, None)
        return box.uid_validity

    # Subscriptions, annotations, rights ----------------------------------------------------------

    def subscribe(self, name: str) -> None:
        """Add a name to the subscribed ones, whether it exists or not (RFC 9051 §6.3.7)."""
        name = names.checked(name)
        if name not in self._subscribed:
            self._subscribed[name] = None
            self._listing = None
            self._announce(SubscriptionChanged(name, True))

    def unsubscribe(self, name: str) -> None:
        """Take a name from the subscribed ones. Raises ``NoSuchSubscription``."""
        name = names.canonical(name)
        if name not in self._subscribed:
            raise NoSuchSubscription(name)
        del self._subscribed[name]
        self._listing = None
        self._announce(SubscriptionChanged(name, False))

    def annotate(self, name: str, entries: Mapping[str, bytes | None]) -> None:
        """Set or, with ``None``, remove annotations of a mailbox, or of the server for ``""`` (RFC 5464 §4.3).

        All, or none. Raises ``NoSuchMailbox``, ``InvalidName``, ``AnnotationTooLarge``, ``LimitReached``.
        """
        box = self.get(name) if name else None
        changed = (box.metadata if box is not None else self.metadata).update(entries)
        if changed:
            self._announce(MetadataChanged(box.name if box is not None else "", changed), box)

    def acl(self, name: str) -> dict[str, str]:
        """Rights by identifier, the owner first (GETACL, RFC 4314 §3.3). Raises ``NoSuchMailbox``."""
        return {self.owner: in_order(frozenset(OWNER_RIGHTS)), **self.get(name).rights.entries()}

    def set_acl(self, name: str, identifier: str, rights: str, *, action: str = "") -> None:
        """Replace, or with ``+`` and ``-`` change, the rights of an identifier (SETACL, DELETEACL).

        Raises ``NoSuchMailbox``, ``NotAllowed`` for an unknown right and for the owner's rights.
        """
        box = self.get(name)
        if identifier == self.owner:
            raise NotAllowed(box.name, "the owner's rights cannot be changed.")
        box.rights.change(identifier, action, rights)
        self._announce(RightsChanged(box, identifier), box)

    # Listening, locking --------------------------------------------------------------------------

    def listen(self, listener: Listener) -> Subscription[Change]:
        """Call a function with every change of the account and its mailboxes, until it is cancelled."""
        return self._shared.announcer.everything.add(listener)

    def _announce(self, change: Change, box: Mailbox | None = None) -> None:
        self._shared.announcer.announce(change, box.listeners if box is not None else None)

    def lock(self, owner: object) -> bool:
        """Take the maildrop for one POP3 session (RFC 1939 §4); ``False`` if another has it."""
        if self._lock is None:
            self._lock = owner
        return self._lock is owner

    def unlock(self, owner: object) -> None:
        """Give the maildrop back; nothing happens if another session has it."""
        if self._lock is owner:
            self._lock = None

    @property
    def is_locked(self) -> bool:
        """Whether a POP3 session has the maildrop."""
        return self._lock is not None

    # What copies have in common ------------------------------------------------------------------

    def places(self, content: Content) -> tuple[Mailbox, ...]:
        """The mailboxes in which that content lies: the labels of a Gmail-like server.

        The index is made anew after a mailbox has got or lost messages.
        """
        state = tuple((box.mailbox_id, box.uid_next, len(box)) for box in self._boxes.values())
        if state != self._places_state:
            found: dict[int, dict[Mailbox, None]] = {}
            for box in self._boxes.values():
                for message in box:
                    found.setdefault(message.content.serial, {})[box] = None
            self._places = {serial: tuple(boxes) for serial, boxes in found.items()}
            self._places_state = state
        return self._places.get(content.serial, ())

    def _unthreaded(self) -> Sequence[Content]:
        """The contents that came since the last question."""
        found: list[Content] = []
        for box in self._boxes.values():
            found += [message.content for message in box.between(self._threaded.get(box.mailbox_id, 1))]
            self._threaded[box.mailbox_id] = box.uid_next
        return found
