"""Commands about mailboxes in the authenticated state, as frozen values; see :mod:`fakemail.imap.syntax.commands`.

Nothing here parses, prints or executes.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

from fakemail.imap.syntax.commands import AppendMessage, Command
from fakemail.imap.syntax.fetch_items import FetchItem
from fakemail.imap.syntax.search_keys import SearchKey, SearchReturn
from fakemail.imap.syntax.sets import SequenceSet


@dataclass(frozen=True, slots=True)
class Qresync:
    """The QRESYNC parameter of SELECT and EXAMINE (RFC 7162 §3.2.5).

    ``sequence_match`` is (known sequence numbers, their UIDs); neither has ``*``.
    """

    uidvalidity: int
    modseq: int
    known_uids: SequenceSet | None = None
    sequence_match: tuple[SequenceSet, SequenceSet] | None = None


@dataclass(frozen=True, slots=True)
class Select(Command):
    """RFC 9051 §6.3.2."""

    name: ClassVar[str] = "SELECT"
    mailbox: str
    condstore: bool = False
    qresync: Qresync | None = None


@dataclass(frozen=True, slots=True)
class Examine(Command):
    """RFC 9051 §6.3.3: SELECT, read-only."""

    name: ClassVar[str] = "EXAMINE"
    mailbox: str
    condstore: bool = False
    qresync: Qresync | None = None


@dataclass(frozen=True, slots=True)
class Create(Command):
    """RFC 9051 §6.3.4. ``special_use`` as ``("\\Sent",)`` (RFC 6154 §3). A trailing delimiter is kept."""

    name: ClassVar[str] = "CREATE"
    mailbox: str
    special_use: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Delete(Command):
    """RFC 9051 §6.3.5."""

    name: ClassVar[str] = "DELETE"
    mailbox: str


@dataclass(frozen=True, slots=True)
class Rename(Command):
    """RFC 9051 §6.3.6."""

    name: ClassVar[str] = "RENAME"
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Subscribe(Command):
    """RFC 9051 §6.3.7."""

    name: ClassVar[str] = "SUBSCRIBE"
    mailbox: str


@dataclass(frozen=True, slots=True)
class Unsubscribe(Command):
    """RFC 9051 §6.3.8."""

    name: ClassVar[str] = "UNSUBSCRIBE"
    mailbox: str


class StatusItem(Enum):
    """What STATUS can report."""

    MESSAGES = "MESSAGES"
    RECENT = "RECENT"
    UIDNEXT = "UIDNEXT"
    UIDVALIDITY = "UIDVALIDITY"
    UNSEEN = "UNSEEN"
    DELETED = "DELETED"  # RFC 9051 §6.3.11
    SIZE = "SIZE"  # RFC 8438 §3.1
    HIGHESTMODSEQ = "HIGHESTMODSEQ"  # RFC 7162 §3.1.2.1
    MAILBOXID = "MAILBOXID"  # RFC 8474 §4.3
    APPENDLIMIT = "APPENDLIMIT"  # RFC 7889 §4
    DELETED_STORAGE = "DELETED-STORAGE"  # RFC 9208 §4.1.4


class ListSelect(Enum):
    """Which mailboxes LIST is to look for (RFC 5258 §3.1, RFC 6154 §5.2)."""

    SUBSCRIBED = "SUBSCRIBED"
    REMOTE = "REMOTE"
    RECURSIVEMATCH = "RECURSIVEMATCH"
    SPECIAL_USE = "SPECIAL-USE"


class ListReturn(Enum):
    """What LIST is to tell of them (RFC 5258 §3.2, RFC 6154 §5.2, RFC 8440 §3)."""

    SUBSCRIBED = "SUBSCRIBED"
    CHILDREN = "CHILDREN"
    SPECIAL_USE = "SPECIAL-USE"
    MYRIGHTS = "MYRIGHTS"


@dataclass(frozen=True, slots=True)
class List(Command):
    """RFC 9051 §6.3.9. ``status`` holds the items of RETURN (STATUS (...)) (RFC 5819 §2), or nothing.

    ``extended`` says that the client used any part of the extended syntax (RFC 5258 §3). The reference and
    the patterns are decoded like mailbox names, but INBOX keeps its case in them.
    """

    name: ClassVar[str] = "LIST"
    reference: str
    patterns: tuple[str, ...]
    select: frozenset[ListSelect] = frozenset()
    returns: frozenset[ListReturn] = frozenset()
    status: tuple[StatusItem, ...] = ()
    extended: bool = False


@dataclass(frozen=True, slots=True)
class Lsub(Command):
    """RFC 3501 §6.3.9."""

    name: ClassVar[str] = "LSUB"
    reference: str
    pattern: str


@dataclass(frozen=True, slots=True)
class Xlist(Command):
    """What Gmail had before SPECIAL-USE (RFC 6154)."""

    name: ClassVar[str] = "XLIST"
    reference: str
    pattern: str


@dataclass(frozen=True, slots=True)
class NamespaceCommand(Command):
    """RFC 9051 §6.3.10."""

    name: ClassVar[str] = "NAMESPACE"


@dataclass(frozen=True, slots=True)
class StatusCommand(Command):
    """RFC 9051 §6.3.11."""

    name: ClassVar[str] = "STATUS"
    mailbox: str
    items: tuple[StatusItem, ...]


@dataclass(frozen=True, slots=True)
class Append(Command):
    """RFC 9051 §6.3.12, with one or more messages (RFC 3502)."""

    name: ClassVar[str] = "APPEND"
    mailbox: str
    messages: tuple[AppendMessage, ...]


@dataclass(frozen=True, slots=True)
class GetQuota(Command):
    """RFC 9208 §4.1.2."""

    name: ClassVar[str] = "GETQUOTA"
    root: str


@dataclass(frozen=True, slots=True)
class GetQuotaRoot(Command):
    """RFC 9208 §4.1.3."""

    name: ClassVar[str] = "GETQUOTAROOT"
    mailbox: str


@dataclass(frozen=True, slots=True)
class SetQuota(Command):
    """RFC 9208 §4.1.1. ``limits`` are (resource, limit), the resource upper-case, STORAGE in units of 1024."""

    name: ClassVar[str] = "SETQUOTA"
    root: str
    limits: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class GetMetadata(Command):
    """RFC 5464 §4.2. ``mailbox`` is empty for the server; ``depth`` is 0, 1, or None for infinity.

    ``max_size`` is in octets. Entry names are as the client wrote them; they ignore case.
    """

    name: ClassVar[str] = "GETMETADATA"
    mailbox: str
    entries: tuple[str, ...]
    max_size: int | None = None
    depth: int | None = 0


@dataclass(frozen=True, slots=True)
class SetMetadata(Command):
    """RFC 5464 §4.3. ``entries`` are (name, value); None removes the entry."""

    name: ClassVar[str] = "SETMETADATA"
    mailbox: str
    entries: tuple[tuple[str, bytes | None], ...]


@dataclass(frozen=True, slots=True)
class SetAcl(Command):
    """RFC 4314 §3.1. ``change`` is ``"+"``, ``"-"`` or empty for "exactly these rights"."""

    name: ClassVar[str] = "SETACL"
    mailbox: str
    identifier: str
    rights: str
    change: str = ""


@dataclass(frozen=True, slots=True)
class DeleteAcl(Command):
    """RFC 4314 §3.2."""

    name: ClassVar[str] = "DELETEACL"
    mailbox: str
    identifier: str


@dataclass(frozen=True, slots=True)
class GetAcl(Command):
    """RFC 4314 §3.3."""

    name: ClassVar[str] = "GETACL"
    mailbox: str


@dataclass(frozen=True, slots=True)
class ListRights(Command):
    """RFC 4314 §3.4."""

    name: ClassVar[str] = "LISTRIGHTS"
    mailbox: str
    identifier: str


@dataclass(frozen=True, slots=True)
class MyRights(Command):
    """RFC 4314 §3.5."""

    name: ClassVar[str] = "MYRIGHTS"
    mailbox: str


class FilterKind(Enum):
    """Which mailboxes an event group or a multi-mailbox search covers (RFC 5465 §6, RFC 7377 §2.2)."""

    SELECTED = "selected"
    SELECTED_DELAYED = "selected-delayed"
    INBOXES = "inboxes"
    PERSONAL = "personal"
    SUBSCRIBED = "subscribed"
    SUBTREE = "subtree"
    SUBTREE_ONE = "subtree-one"
    MAILBOXES = "mailboxes"


@dataclass(frozen=True, slots=True)
class MailboxFilter:
    """A kind of mailboxes; ``mailboxes`` are named for SUBTREE, SUBTREE_ONE and MAILBOXES."""

    kind: FilterKind
    mailboxes: tuple[str, ...] = ()


class NotifyEvent(Enum):
    """What NOTIFY can report (RFC 5465 §5)."""

    MESSAGE_NEW = "MessageNew"
    MESSAGE_EXPUNGE = "MessageExpunge"
    FLAG_CHANGE = "FlagChange"
    ANNOTATION_CHANGE = "AnnotationChange"
    MAILBOX_NAME = "MailboxName"
    SUBSCRIPTION_CHANGE = "SubscriptionChange"
    MAILBOX_METADATA_CHANGE = "MailboxMetadataChange"
    SERVER_METADATA_CHANGE = "ServerMetadataChange"


@dataclass(frozen=True, slots=True)
class EventGroup:
    """Events wanted for some mailboxes; no events mean NONE. ``fetch`` belongs to MessageNew."""

    mailboxes: MailboxFilter
    events: frozenset[NotifyEvent] = frozenset()
    fetch: tuple[FetchItem, ...] = ()


@dataclass(frozen=True, slots=True)
class NotifySet(Command):
    """``NOTIFY SET`` (RFC 5465 §3.1). ``status`` asks for a STATUS of each mailbox at once."""

    name: ClassVar[str] = "NOTIFY"
    groups: tuple[EventGroup, ...]
    status: bool = False


@dataclass(frozen=True, slots=True)
class NotifyNone(Command):
    """``NOTIFY NONE`` (RFC 5465 §3.2)."""

    name: ClassVar[str] = "NOTIFY"


@dataclass(frozen=True, slots=True)
class MultiSearch(Command):
    """``ESEARCH`` (RFC 7377 §2.1). ``sources`` is None for the selected mailbox."""

    name: ClassVar[str] = "ESEARCH"
    key: SearchKey
    sources: tuple[MailboxFilter, ...] | None = None
    returns: SearchReturn | None = None
    charset: str | None = None
