"""The base of all IMAP commands: what one class says about one command.

A command is a frozen value, made from a frame by ``parse`` and carried out by ``run``. Its class says when it is
legal, which capability it needs and what may be sent at its end. There is one module for each command, or for a
close family, in :mod:`fakemail.imap.commands`; :mod:`fakemail.imap.command_table` has all of them by name.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import ClassVar, Final, Self

from fakemail.imap.capabilities import Requirement
from fakemail.imap.context import ImapContext, ImapState
from fakemail.imap.responses import Outcome, bad
from fakemail.imap.syntax.scanner import Scanner
from fakemail.types.dataclass import dataclass
from fakemail.types.stage import Stage

ANY_STATE: Final = frozenset(ImapState)
BEFORE_LOGIN: Final = frozenset({ImapState.NOT_AUTHENTICATED})
AFTER_LOGIN: Final = frozenset({ImapState.AUTHENTICATED, ImapState.SELECTED})
SELECTED: Final = frozenset({ImapState.SELECTED})
REV2: Final = "IMAP4rev2"


class AllowedUpdates(Enum):
    """Untagged data about the selected mailbox that may be sent at the end of a command."""

    ALL = "all"
    NO_EXPUNGE = "no expunge"
    """Numbers must stay: FETCH, STORE and SEARCH (RFC 9051 §7.5.1)."""
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Command:
    """A command of a client, with its arguments as fields.

    Mailbox names are Unicode strings (modified UTF-7 is undone, ``inbox`` is ``INBOX``), system flags have their
    usual spelling, and commands with a UID form have a field ``uid``.
    """

    name: ClassVar[str]
    """The name on the wire, without UID."""
    stage: ClassVar[Stage]
    states: ClassVar[frozenset[ImapState]] = AFTER_LOGIN
    capabilities: ClassVar[tuple[str, ...]] = ()
    """One of these must be offered, or the command does not exist."""
    updates: ClassVar[AllowedUpdates] = AllowedUpdates.ALL
    """Updates that may be sent at its end; behind UID always all."""
    has_uid_form: ClassVar[bool] = False
    has_target: ClassVar[bool] = False
    """Whether a missing mailbox is one that the client may create (TRYCREATE)."""

    @classmethod
    def parse(cls, scan: Scanner) -> Command:
        """Read what follows the name; the default is a command without arguments."""
        return cls()

    def requirements(self) -> Iterable[Requirement]:
        """The capabilities that the arguments need; without them those arguments do not exist."""
        return ()

    def run(self, session: ImapContext) -> Outcome:
        """Carry the command out."""
        raise NotImplementedError

    @classmethod
    def exists(cls, offered: frozenset[str]) -> bool:
        """Whether there is such a command in a session that is offered these capabilities."""
        return not cls.capabilities or not offered.isdisjoint(cls.capabilities)

    @classmethod
    def out_of_order(cls, state: ImapState) -> str:
        """The text of the refusal in a state in which the command is not legal."""
        if state is ImapState.NOT_AUTHENTICATED:
            return f"{cls.name}: log in first."
        if ImapState.SELECTED in cls.states and state is ImapState.AUTHENTICATED:
            return f"{cls.name}: select a mailbox first."
        return f"{cls.name} is not allowed after login."

    def missing(self, offered: frozenset[str]) -> str:
        """A sentence about the first argument that needs a capability which is not offered; empty if there is none."""
        for argument, alternatives in self.requirements():
            if offered.isdisjoint(alternatives):
                return f"There is no {argument} here."
        return ""


@dataclass(frozen=True, slots=True)
class MailboxCommand(Command):
    """A command whose only argument is a mailbox."""

    mailbox: str

    @classmethod
    def parse(cls, scan: Scanner) -> Self:
        """SP mailbox."""
        scan.space()
        return cls(scan.mailbox())


class Unrecognized(Command):
    """The place of a command in a line that has none, and in data that is sent unasked."""

    name = "The command"
    stage = Stage.IMAP_UNKNOWN
    states = frozenset()

    def run(self, session: ImapContext) -> Outcome:
        """Refuse it."""
        raise bad("There is no such command.")
