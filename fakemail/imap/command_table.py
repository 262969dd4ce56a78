"""The table of IMAP commands, made from the classes in :mod:`fakemail.imap.commands`, and the way from a line to one.

The session runs by this table, the documentation prints it, and the tests walk through every command in every state.
"""

from __future__ import annotations

import re
from typing import Final, NoReturn

from fakemail.imap.command import Command
from fakemail.imap.commands.acl import DeleteAcl, GetAcl, ListRights, MyRights, SetAcl
from fakemail.imap.commands.any_state import (
    CapabilityCommand,
    CheckCommand,
    Enable,
    Id,
    Logout,
    Noop,
    Unauthenticate,
)
from fakemail.imap.commands.append import Append, Replace
from fakemail.imap.commands.compress import Compress
from fakemail.imap.commands.copy import Copy, Move
from fakemail.imap.commands.expunge import Expunge
from fakemail.imap.commands.fetch import Fetch
from fakemail.imap.commands.list import List, Lsub, Xlist
from fakemail.imap.commands.login import Authenticate, LoginCommand, StartTlsCommand
from fakemail.imap.commands.mailboxes import (
    Create,
    Delete,
    NamespaceCommand,
    Rename,
    Subscribe,
    Unsubscribe,
)
from fakemail.imap.commands.metadata import GetMetadata, SetMetadata
from fakemail.imap.commands.notify import IdleCommand, Notify
from fakemail.imap.commands.quota import GetQuota, GetQuotaRoot, SetQuota
from fakemail.imap.commands.search import MultiSearch, Search
from fakemail.imap.commands.select import CloseCommand, Examine, Select, Unselect
from fakemail.imap.commands.sort import Sort, Thread
from fakemail.imap.commands.status import StatusCommand
from fakemail.imap.commands.store import Store
from fakemail.imap.syntax.framing import TAG, Frame
from fakemail.imap.syntax.scanner import Dialect, Scanner, UnknownCommand
from fakemail.types.dataclass import dataclass

COMMANDS: Final[dict[str, type[Command]]] = {
    command.name: command
    for command in (
        # RFC 9051 §6.1: any state
        *(CapabilityCommand, Noop, Logout, Id, Compress),
        # RFC 9051 §6.2: not authenticated
        *(StartTlsCommand, Authenticate, LoginCommand),
        # RFC 9051 §6.3: authenticated
        *(Unauthenticate, Enable, Select, Examine, Create, Delete, Rename, Subscribe, Unsubscribe),
        *(List, Lsub, Xlist, NamespaceCommand, StatusCommand, Append, IdleCommand, Notify, MultiSearch),
        *(GetQuota, GetQuotaRoot, SetQuota, GetMetadata, SetMetadata),
        *(GetAcl, SetAcl, DeleteAcl, ListRights, MyRights),
        # RFC 9051 §6.4: selected
        *(CheckCommand, CloseCommand, Unselect, Expunge, Search, Sort, Thread),
        *(Fetch, Store, Copy, Move, Replace),
    )
}
"""Every command by its name."""

# RFC 9051 §9: command = tag SP (command-any / command-auth / command-nonauth / command-select) CRLF
_TAG = re.compile(rf"({TAG})(?: |\Z)")
_NAME = r"([A-Za-z][A-Za-z0-9.-]*)(?= |\Z)"
_HEAD = re.compile(rf"({TAG}) +([Uu][Ii][Dd] +)?{_NAME}")
_STRICT_HEAD = re.compile(rf"({TAG}) ([Uu][Ii][Dd] )?{_NAME}")

_DEFAULT: Final = Dialect()


@dataclass(frozen=True, slots=True)
class Request:
    """A command with the tag under which its response is wanted."""

    tag: str
    command: Command


def parse(frame: Frame, dialect: Dialect = _DEFAULT) -> Request:
    """Return the request in a frame.

    Raises :class:`~fakemail.imap.syntax.scanner.CommandError`, with the tag when there is one, and nothing else.
    """
    text = frame.text
    scan = Scanner(frame, dialect)
    head = (_STRICT_HEAD if dialect.strict else _HEAD).match(text)
    if head is None:
        _refuse_head(scan)
    tag, uid, word = head.groups()
    scan.tag = tag
    scan.at = head.end()
    scan.uid = uid is not None
    word = scan.command = word.upper()
    kind = COMMANDS.get(word)
    if kind is None or (scan.uid and not kind.has_uid_form):
        full = word if uid is None else f"UID {word}"
        raise UnknownCommand(f"There is no command {full[:40]}.", tag=tag)
    command = kind.parse(scan)
    if scan.at != len(text):
        scan.finish()
    return Request(tag, command)


def _refuse_head(scan: Scanner) -> NoReturn:
    """Say what is wrong with the beginning of a line."""
    found = _TAG.match(scan.text)
    if found is None:
        scan.refuse("Expected a tag and a command." if scan.text else "The line is empty.")
    scan.tag = found[1]
    scan.at = found.end()
    scan.fail("a command")
