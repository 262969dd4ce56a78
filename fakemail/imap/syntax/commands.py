"""Commands as frozen values: what the client asked for, after all questions of spelling.

Here live the commands about the session and the selected mailbox; the others are in
:mod:`fakemail.imap.syntax.mailbox_commands`.

Mailbox names are Unicode strings (modified UTF-7 is undone, ``inbox`` is ``INBOX``), system flags have their
usual spelling, and commands with a UID variant carry ``uid``. Nothing here parses, prints or executes.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

from fakemail.imap.syntax.fetch_items import FetchItem
from fakemail.imap.syntax.search_keys import SearchKey, SearchReturn, SortCriterion, ThreadAlgorithm
from fakemail.imap.syntax.sets import NumberSet, PartialRange


@dataclass(frozen=True, slots=True)
class Request:
    """A command with the tag under which its response is wanted."""

    tag: str
    command: Command


@dataclass(frozen=True, slots=True)
class Command:
    """The base of all commands; ``name`` is how it is written, without UID."""

    name: ClassVar[str] = ""


@dataclass(frozen=True, slots=True)
class AppendMessage:
    """A message to store, with what is to be stored beside it.

    ``date`` has a time zone. ``binary`` says that it came as literal8 and so may hold NUL (RFC 3516 §4.4),
    ``utf8`` that it came as ``UTF8 (~{n}...)`` (RFC 6855 §4).
    """

    octets: bytes
    flags: tuple[str, ...] = ()
    date: datetime.datetime | None = None
    binary: bool = False
    utf8: bool = False


# Any state, and before authentication


@dataclass(frozen=True, slots=True)
class CapabilityCommand(Command):
    """RFC 9051 §6.1.1."""

    name: ClassVar[str] = "CAPABILITY"


@dataclass(frozen=True, slots=True)
class Noop(Command):
    """RFC 9051 §6.1.2."""

    name: ClassVar[str] = "NOOP"


@dataclass(frozen=True, slots=True)
class Logout(Command):
    """RFC 9051 §6.1.3."""

    name: ClassVar[str] = "LOGOUT"


@dataclass(frozen=True, slots=True)
class Id(Command):
    """RFC 2971 §3.1. ``fields`` is None for NIL; names keep the client's case."""

    name: ClassVar[str] = "ID"
    fields: tuple[tuple[str, str | None], ...] | None


@dataclass(frozen=True, slots=True)
class StartTlsCommand(Command):
    """RFC 9051 §6.2.1."""

    name: ClassVar[str] = "STARTTLS"


@dataclass(frozen=True, slots=True)
class Authenticate(Command):
    """RFC 9051 §6.2.2. ``mechanism`` is upper-case; ``initial`` is the decoded initial response (RFC 4959)."""

    name: ClassVar[str] = "AUTHENTICATE"
    mechanism: str
    initial: bytes | None = None


@dataclass(frozen=True, slots=True)
class LoginCommand(Command):
    """RFC 9051 §6.2.3."""

    name: ClassVar[str] = "LOGIN"
    username: str
    password: str


@dataclass(frozen=True, slots=True)
class Unauthenticate(Command):
    """RFC 8437 §2."""

    name: ClassVar[str] = "UNAUTHENTICATE"


@dataclass(frozen=True, slots=True)
class Compress(Command):
    """RFC 4978 §3. ``mechanism`` is upper-case."""

    name: ClassVar[str] = "COMPRESS"
    mechanism: str


# Authenticated state; the commands about mailboxes are in mailbox_commands.py


@dataclass(frozen=True, slots=True)
class Enable(Command):
    """RFC 5161 §3.1. ``capabilities`` are upper-case."""

    name: ClassVar[str] = "ENABLE"
    capabilities: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class IdleCommand(Command):
    """RFC 2177. The line DONE that ends it is no command: the session takes it from the frame."""

    name: ClassVar[str] = "IDLE"


# Selected state


@dataclass(frozen=True, slots=True)
class CheckCommand(Command):
    """RFC 3501 §6.4.1."""

    name: ClassVar[str] = "CHECK"


@dataclass(frozen=True, slots=True)
class CloseCommand(Command):
    """RFC 9051 §6.4.1."""

    name: ClassVar[str] = "CLOSE"


@dataclass(frozen=True, slots=True)
class Unselect(Command):
    """RFC 9051 §6.4.2."""

    name: ClassVar[str] = "UNSELECT"


@dataclass(frozen=True, slots=True)
class Expunge(Command):
    """RFC 9051 §6.4.3; ``uids`` is set for UID EXPUNGE (RFC 4315 §2.1)."""

    name: ClassVar[str] = "EXPUNGE"
    uids: NumberSet | None = None


@dataclass(frozen=True, slots=True)
class Search(Command):
    """RFC 9051 §6.4.4. ``returns`` is None without RETURN. ``charset`` is upper-case, None when not given."""

    name: ClassVar[str] = "SEARCH"
    key: SearchKey
    returns: SearchReturn | None = None
    charset: str | None = None
    uid: bool = False


@dataclass(frozen=True, slots=True)
class Sort(Command):
    """RFC 5256 §3, with RETURN (RFC 5267 §3.1)."""

    name: ClassVar[str] = "SORT"
    criteria: tuple[SortCriterion, ...]
    charset: str
    key: SearchKey
    returns: SearchReturn | None = None
    uid: bool = False


@dataclass(frozen=True, slots=True)
class Thread(Command):
    """RFC 5256 §3."""

    name: ClassVar[str] = "THREAD"
    algorithm: ThreadAlgorithm
    charset: str
    key: SearchKey
    uid: bool = False


@dataclass(frozen=True, slots=True)
class Fetch(Command):
    """RFC 9051 §6.4.5; ``changed_since`` and ``vanished`` from RFC 7162, ``partial`` from RFC 9394 §3.3."""

    name: ClassVar[str] = "FETCH"
    numbers: NumberSet
    items: tuple[FetchItem, ...]
    changed_since: int | None = None
    vanished: bool = False
    partial: PartialRange | None = None
    uid: bool = False


class StoreAction(Enum):
    """What STORE does with its flags; the value is the sign before FLAGS."""

    REPLACE = ""
    ADD = "+"
    REMOVE = "-"


@dataclass(frozen=True, slots=True)
class Store(Command):
    """RFC 9051 §6.4.6; ``unchanged_since`` from RFC 7162 §3.1.3.

    ``labels`` says that the flags are Gmail's labels (``X-GM-LABELS``), decoded like mailbox names.
    """

    name: ClassVar[str] = "STORE"
    numbers: NumberSet
    action: StoreAction
    flags: tuple[str, ...]
    silent: bool = False
    unchanged_since: int | None = None
    labels: bool = False
    uid: bool = False


@dataclass(frozen=True, slots=True)
class Copy(Command):
    """RFC 9051 §6.4.7."""

    name: ClassVar[str] = "COPY"
    numbers: NumberSet
    mailbox: str
    uid: bool = False


@dataclass(frozen=True, slots=True)
class Move(Command):
    """RFC 9051 §6.4.8."""

    name: ClassVar[str] = "MOVE"
    numbers: NumberSet
    mailbox: str
    uid: bool = False


@dataclass(frozen=True, slots=True)
class Replace(Command):
    """RFC 8508 §3. ``number`` is a sequence number or UID, or ``STAR``."""

    name: ClassVar[str] = "REPLACE"
    number: int
    mailbox: str
    message: AppendMessage
    uid: bool = False
