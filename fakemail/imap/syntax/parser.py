"""A frame to a request: the tag, the name of the command, and the table of all commands.

Here lives the entry, :func:`parse`. What follows the name of a command is read in the ``read_*`` modules.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, NoReturn, Protocol

from fakemail.imap.syntax import commands, mailbox_commands
from fakemail.imap.syntax import read_fetch as fetch
from fakemail.imap.syntax import read_mailbox as mailbox
from fakemail.imap.syntax import read_search as search
from fakemail.imap.syntax import read_session as session
from fakemail.imap.syntax.commands import Command, Request
from fakemail.imap.syntax.errors import UnknownCommand
from fakemail.imap.syntax.framing import TAG, Frame
from fakemail.imap.syntax.scanner import Dialect, Scanner

# RFC 9051 §9: command = tag SP (command-any / command-auth / command-nonauth / command-select) CRLF
_TAG = re.compile(rf"({TAG})(?: |\Z)")
_NAME = r"([A-Za-z][A-Za-z0-9.-]*)(?= |\Z)"
_HEAD = re.compile(rf"({TAG}) +([Uu][Ii][Dd] +)?{_NAME}")
_STRICT_HEAD = re.compile(rf"({TAG}) ([Uu][Ii][Dd] )?{_NAME}")

_DEFAULT: Final = Dialect()


class _UidReader(Protocol):
    def __call__(self, scan: Scanner, *, uid: bool) -> Command: ...


def parse(frame: Frame, dialect: Dialect = _DEFAULT) -> Request:
    """Return the request in a frame.

    Raises :class:`~fakemail.imap.syntax.errors.CommandError`, with the tag when there is one, and nothing else.
    """
    text = frame.text
    scan = Scanner(frame, dialect)
    head = (_STRICT_HEAD if dialect.strict else _HEAD).match(text)
    if head is None:
        _refuse_head(scan)
    tag, uid, word = head.groups()
    scan.tag = tag
    scan.at = head.end()
    word = scan.command = word.upper()
    if reader := _BY_NUMBER.get(word):
        command = reader(scan, uid=uid is not None)
    elif (plain := _READERS.get(word)) and uid is None:
        command = plain(scan)
    else:
        full = word if uid is None else f"UID {word}"
        raise UnknownCommand(f"There is no command {full[:40]}.", tag=tag)
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


def parse_octets(line: bytes, dialect: Dialect = _DEFAULT) -> Request:
    """Return the request in one line without literals, with or without CRLF; for tests and tools."""
    return parse(Frame(line.removesuffix(b"\r\n").decode("latin-1").replace("\0", "\x01")), dialect)


def _alone(command: Command) -> Callable[[Scanner], Command]:
    """A command without arguments; its value can be shared, for it is frozen."""
    return lambda _: command


def _for_mailbox(make: Callable[[str], Command]) -> Callable[[Scanner], Command]:
    return lambda scan: make(mailbox.one_mailbox(scan))


#: Commands that may stand after UID.
_BY_NUMBER: Final[dict[str, _UidReader]] = {
    "FETCH": fetch.read_fetch,
    "STORE": fetch.read_store,
    "COPY": fetch.read_copy,
    "MOVE": fetch.read_move,
    "REPLACE": fetch.read_replace,
    "EXPUNGE": fetch.read_expunge,
    "SEARCH": search.read_search,
    "SORT": search.read_sort,
    "THREAD": search.read_thread,
}

_READERS: Final[dict[str, Callable[[Scanner], Command]]] = {
    "CAPABILITY": _alone(commands.CapabilityCommand()),
    "NOOP": _alone(commands.Noop()),
    "LOGOUT": _alone(commands.Logout()),
    "STARTTLS": _alone(commands.StartTlsCommand()),
    "UNAUTHENTICATE": _alone(commands.Unauthenticate()),
    "IDLE": _alone(commands.IdleCommand()),
    "NAMESPACE": _alone(mailbox_commands.NamespaceCommand()),
    "CHECK": _alone(commands.CheckCommand()),
    "CLOSE": _alone(commands.CloseCommand()),
    "UNSELECT": _alone(commands.Unselect()),
    "ID": session.read_id,
    "AUTHENTICATE": session.read_authenticate,
    "LOGIN": session.read_login,
    "COMPRESS": session.read_compress,
    "ENABLE": session.read_enable,
    "SELECT": lambda scan: mailbox_commands.Select(*mailbox.select_parameters(scan)),
    "EXAMINE": lambda scan: mailbox_commands.Examine(*mailbox.select_parameters(scan)),
    "CREATE": mailbox.read_create,
    "DELETE": _for_mailbox(mailbox_commands.Delete),
    "RENAME": mailbox.read_rename,
    "SUBSCRIBE": _for_mailbox(mailbox_commands.Subscribe),
    "UNSUBSCRIBE": _for_mailbox(mailbox_commands.Unsubscribe),
    "LIST": mailbox.read_list,
    "LSUB": mailbox.read_lsub,
    "XLIST": mailbox.read_xlist,
    "STATUS": mailbox.read_status,
    "APPEND": mailbox.read_append,
    "ESEARCH": search.read_esearch,
    "GETQUOTA": session.read_get_quota,
    "GETQUOTAROOT": _for_mailbox(mailbox_commands.GetQuotaRoot),
    "SETQUOTA": session.read_set_quota,
    "GETMETADATA": session.read_get_metadata,
    "SETMETADATA": session.read_set_metadata,
    "SETACL": session.read_set_acl,
    "DELETEACL": session.read_delete_acl,
    "GETACL": _for_mailbox(mailbox_commands.GetAcl),
    "LISTRIGHTS": session.read_list_rights,
    "MYRIGHTS": _for_mailbox(mailbox_commands.MyRights),
    "NOTIFY": session.read_notify,
}
