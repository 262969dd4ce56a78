"""SETACL, DELETEACL, GETACL, LISTRIGHTS and MYRIGHTS (RFC 4314), where each mailbox has one owner."""

from __future__ import annotations

import re
from typing import Final, Self

from fakemail.imap.command import Command, MailboxCommand
from fakemail.imap.context import ImapContext
from fakemail.imap.responses import Completed, bad
from fakemail.imap.syntax import printing
from fakemail.imap.syntax.scanner import Scanner
from fakemail.store.rights import OWNER_RIGHTS, VIRTUAL_RIGHTS, in_order
from fakemail.types.dataclass import dataclass
from fakemail.types.stage import Stage

_MINE: Final = in_order(frozenset(OWNER_RIGHTS)).encode()
# RFC 4314 §7: rights = astring; only lowercase ASCII letters and digits; mod = "+" / "-" before them
_RIGHTS = re.compile(r"([+-]?)([a-z0-9]*)")


class GetAcl(MailboxCommand):
    """GETACL (RFC 4314 §3.3)."""

    name = "GETACL"
    stage = Stage.IMAP_GETACL
    capabilities = ("ACL",)

    def run(self, session: ImapContext) -> Completed:
        """List the rights of all identifiers."""
        words = [b"ACL", printing.mailbox(session.mailboxes.get(self.mailbox).name, utf8=session.utf8)]
        for identifier, rights in session.mailboxes.acl(self.mailbox).items():
            words += [printing.astring(identifier, utf8=session.utf8), rights.encode()]
        session.say(printing.untagged(*words))
        return Completed()


@dataclass(frozen=True, slots=True)
class SetAcl(Command):
    """SETACL (RFC 4314 §3.1). ``change`` is ``"+"``, ``"-"`` or empty for "exactly these rights"."""

    name = "SETACL"
    stage = Stage.IMAP_SETACL
    capabilities = ("ACL",)

    mailbox: str
    identifier: str
    rights: str
    change: str = ""

    @classmethod
    def parse(cls, scan: Scanner) -> SetAcl:
        """ "SETACL" SP mailbox SP identifier SP mod-rights (RFC 4314 §7)."""
        scan.space()
        mailbox = scan.mailbox()
        scan.space()
        identifier = scan.astring("an identifier")
        scan.space()
        found = _RIGHTS.fullmatch(scan.raw_astring("rights"))
        if not found:  # RFC 4314 §2.1: upper case is BAD; unknown letters are refused below
            scan.refuse("Rights are lower-case letters and digits, perhaps after '+' or '-'.")
        rights = "".join(dict.fromkeys(found[2]))
        return cls(mailbox, identifier, rights, found[1])

    def run(self, session: ImapContext) -> Completed:
        """Change the rights of one identifier."""
        if unknown := set(self.rights) - set(OWNER_RIGHTS + VIRTUAL_RIGHTS):
            raise bad(f"There is no right {''.join(sorted(unknown))}.")  # RFC 4314 §3.1
        session.mailboxes.set_acl(self.mailbox, self.identifier, self.rights, action=self.change)
        return Completed()


@dataclass(frozen=True, slots=True)
class _IdentifierCommand(Command):
    """A command with a mailbox and an identifier."""

    capabilities = ("ACL",)

    mailbox: str
    identifier: str

    @classmethod
    def parse(cls, scan: Scanner) -> Self:
        """SP mailbox SP identifier (RFC 4314 §7)."""
        scan.space()
        mailbox = scan.mailbox()
        scan.space()
        return cls(mailbox, scan.astring("an identifier"))


class DeleteAcl(_IdentifierCommand):
    """DELETEACL (RFC 4314 §3.2)."""

    name = "DELETEACL"
    stage = Stage.IMAP_DELETEACL

    def run(self, session: ImapContext) -> Completed:
        """Take all rights from one identifier."""
        session.mailboxes.set_acl(self.mailbox, self.identifier, "")
        return Completed()


class ListRights(_IdentifierCommand):
    """LISTRIGHTS (RFC 4314 §3.4)."""

    name = "LISTRIGHTS"
    stage = Stage.IMAP_LISTRIGHTS

    def run(self, session: ImapContext) -> Completed:
        """List what can be granted: the owner has all, to others each right can be given alone."""
        box = session.mailboxes.get(self.mailbox)
        words = [
            b"LISTRIGHTS",
            printing.mailbox(box.name, utf8=session.utf8),
            printing.astring(self.identifier, utf8=session.utf8),
        ]
        if self.identifier == session.mailboxes.owner:
            words.append(_MINE)
        else:
            words += [b'""', *[letter.encode() for letter in OWNER_RIGHTS + VIRTUAL_RIGHTS]]
        session.say(printing.untagged(*words))
        return Completed()


class MyRights(MailboxCommand):
    """MYRIGHTS (RFC 4314 §3.5)."""

    name = "MYRIGHTS"
    stage = Stage.IMAP_MYRIGHTS
    capabilities = ("ACL",)

    def run(self, session: ImapContext) -> Completed:
        """Give the client's own rights: those of the owner."""
        box = session.mailboxes.get(self.mailbox)
        session.say(printing.untagged(b"MYRIGHTS", printing.mailbox(box.name, utf8=session.utf8), _MINE))
        return Completed()
