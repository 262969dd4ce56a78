"""CAPABILITY, ENABLE, ID, NOOP, CHECK, LOGOUT and UNAUTHENTICATE: commands of any state (RFC 9051 §6.1)."""

from __future__ import annotations

from typing import Final

from fakemail.imap.command import ANY_STATE, REV2, SELECTED, AllowedUpdates, Command
from fakemail.imap.context import ImapContext
from fakemail.imap.responses import Completed, bad
from fakemail.imap.syntax import printing
from fakemail.imap.syntax.scanner import Scanner
from fakemail.types.dataclass import dataclass
from fakemail.types.reason import Reason
from fakemail.types.stage import Stage

# RFC 5161 §3.1: what can be enabled, and the capability that must be offered for it.
_ENABLES: Final = {
    "IMAP4REV2": REV2,
    "CONDSTORE": "CONDSTORE",
    "QRESYNC": "QRESYNC",
    "UTF8=ACCEPT": "UTF8=ACCEPT",
    "UIDONLY": "UIDONLY",
}


class CapabilityCommand(Command):
    """CAPABILITY (RFC 9051 §6.1.1)."""

    name = "CAPABILITY"
    stage = Stage.IMAP_CAPABILITY
    states = ANY_STATE

    def run(self, session: ImapContext) -> Completed:
        """List them."""
        session.say(printing.untagged(b"CAPABILITY", session.capability_words().encode()))
        return Completed()


@dataclass(frozen=True, slots=True)
class Enable(Command):
    """ENABLE (RFC 5161 §3.1). ``names`` are upper-case."""

    name = "ENABLE"
    stage = Stage.IMAP_ENABLE
    capabilities = ("ENABLE", REV2)

    names: tuple[str, ...]

    @classmethod
    def parse(cls, scan: Scanner) -> Enable:
        """ "ENABLE" 1*(SP capability) (RFC 5161 §5)."""
        scan.space()
        names = [scan.word("a capability")]
        while scan.another():
            names.append(scan.word("a capability"))
        return cls(tuple(dict.fromkeys(names)))

    def run(self, session: ImapContext) -> Completed:
        """Enable what is known; ENABLED lists what is new (RFC 5161 §3.1)."""
        new = []
        for name in self.names:
            if _ENABLES.get(name, "") not in session.offered or name in session.enabled:
                continue
            if name == "CONDSTORE" and session.condstore:
                continue
            new.append(name)
        if {"UTF8=ACCEPT", "IMAP4REV2"} & set(new) and session.view is not None:
            # RFC 6855 §3.1: 'MUST NOT be issued ... in the selected state'; RFC 5161 §3.1 takes it for all.
            raise bad("A mailbox is selected already.", reason=Reason.BAD_SEQUENCE)
        session.say(printing.untagged(b"ENABLED", *(_ENABLES[name].encode() for name in new)))
        if {"CONDSTORE", "QRESYNC"} & set(new):
            session.enable_condstore()
        session.enabled |= set(new)
        session.update()
        return Completed()


_SERVER_ID: Final = (("name", "fakemail"), ("vendor", "The fakemail developers"))


@dataclass(frozen=True, slots=True)
class Id(Command):
    """ID (RFC 2971 §3.1). ``fields`` is None for NIL; names keep the client's case.

    Nothing is made of the fields; the transcript shows the line with them.
    """

    name = "ID"
    stage = Stage.IMAP_ID
    states = ANY_STATE
    capabilities = ("ID",)

    fields: tuple[tuple[str, str | None], ...] | None

    @classmethod
    def parse(cls, scan: Scanner) -> Id:
        """ "ID" SP ("(" [string SP nstring *(SP string SP nstring)] ")" / nil) (RFC 2971 §4)."""
        scan.space()
        if scan.try_word("NIL"):
            return cls(None)
        scan.open("the fields of ID")
        fields: list[tuple[str, str | None]] = []
        if scan.empty():
            return cls(())
        while True:
            name = scan.string("the name of an ID field")
            scan.space()
            fields.append((name, scan.nstring("the value of an ID field")))
            if not scan.more("an ID field"):
                return cls(tuple(fields))

    def run(self, session: ImapContext) -> Completed:
        """Answer with the server's own. At most 30 fields; names of 30 bytes, values of 1024."""
        fields = self.fields or ()
        if len(fields) > 30 or any(len(name) > 30 or len(value or "") > 1024 for name, value in fields):
            raise bad("ID has at most 30 fields, with names of 30 and values of 1024 octets.")
        words = [printing.string(word) for pair in _SERVER_ID for word in pair]
        session.say(printing.untagged(b"ID", printing.parenthesised(words)))
        return Completed()


class Noop(Command):
    """NOOP (RFC 9051 §6.1.2)."""

    name = "NOOP"
    stage = Stage.IMAP_NOOP
    states = ANY_STATE

    def run(self, session: ImapContext) -> Completed:
        """Do nothing: updates are sent at the end of every command."""
        return Completed()


class CheckCommand(Command):
    """CHECK (RFC 3501 §6.4.1)."""

    name = "CHECK"
    stage = Stage.IMAP_CHECK
    states = SELECTED
    capabilities = ("IMAP4rev1",)

    def run(self, session: ImapContext) -> Completed:
        """Do nothing: a mailbox in memory has no housekeeping."""
        return Completed()


class Logout(Command):
    """LOGOUT (RFC 9051 §6.1.3)."""

    name = "LOGOUT"
    stage = Stage.IMAP_LOGOUT
    states = ANY_STATE
    updates = AllowedUpdates.NONE

    def run(self, session: ImapContext) -> Completed:
        """Say BYE; the connection is closed behind the tagged response."""
        session.say(printing.condition("BYE", "Logging out."))
        session.deselect()
        session.leaving = True
        return Completed()


class Unauthenticate(Command):
    """UNAUTHENTICATE (RFC 8437 §2)."""

    name = "UNAUTHENTICATE"
    stage = Stage.IMAP_UNAUTHENTICATE
    capabilities = ("UNAUTHENTICATE",)
    updates = AllowedUpdates.NONE

    def run(self, session: ImapContext) -> Completed:
        """Go back to the not authenticated state on the same connection."""
        session.forget_login()
        return Completed()
