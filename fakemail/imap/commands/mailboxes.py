"""CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE and NAMESPACE: the tree of mailboxes (RFC 9051 §6.3.4 to §6.3.10)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from fakemail.imap.capabilities import Requirement
from fakemail.imap.command import REV2, Command, MailboxCommand
from fakemail.imap.context import ImapContext
from fakemail.imap.responses import Completed, no
from fakemail.imap.syntax import printing
from fakemail.imap.syntax.scanner import Scanner
from fakemail.store.account import SPECIAL_USES
from fakemail.store.errors import NoSuchSubscription
from fakemail.store.names import SEPARATOR
from fakemail.types.dataclass import dataclass
from fakemail.types.reason import Reason
from fakemail.types.stage import Stage

# RFC 6154 §6: use-attr = "\All" / "\Archive" / ... / use-attr-ext; use-attr-ext = "\" atom
_USE = re.compile(r'\\[^\x00-\x20\x7f-\xff(){%*"\\\]]+')
_USES: Final = {use.upper(): use for use in SPECIAL_USES}


@dataclass(frozen=True, slots=True)
class Create(Command):
    """CREATE (RFC 9051 §6.3.4). ``special_use`` as ``("\\Sent",)`` (RFC 6154 §3). A trailing delimiter stays."""

    name = "CREATE"
    stage = Stage.IMAP_CREATE

    mailbox: str
    special_use: tuple[str, ...] = ()

    @classmethod
    def parse(cls, scan: Scanner) -> Create:
        """ "CREATE" SP mailbox [SP "(" "USE" SP "(" [use-attr *(SP use-attr)] ")" ")"] (RFC 6154 §6)."""
        scan.space()
        mailbox = scan.mailbox()
        if not scan.another():
            return cls(mailbox)
        scan.open("USE")
        if not scan.try_word("USE"):
            scan.fail("USE")
        scan.space()
        scan.open("special uses")
        uses: list[str] = []
        going = not scan.empty()
        while going:
            use = scan.take(_USE, "a special use such as \\Sent")[0]
            uses.append(_USES.get(use.upper(), use))
            going = scan.more("a special use")
        if scan.more("special uses"):
            scan.fail("')' after special uses")
        return cls(mailbox, tuple(dict.fromkeys(uses)))

    def requirements(self) -> Iterator[Requirement]:
        """CREATE-SPECIAL-USE for special uses."""
        if self.special_use:
            yield "parameter USE", ("CREATE-SPECIAL-USE",)

    def run(self, session: ImapContext) -> Completed:
        """Make the mailbox."""
        box = session.mailboxes.create(_plain(self.mailbox), special_use=self.special_use)
        if session.may("OBJECTID"):
            return Completed("", f"MAILBOXID ({box.mailbox_id})")  # RFC 8474 §4.1
        return Completed()


class Delete(MailboxCommand):
    """DELETE (RFC 9051 §6.3.5)."""

    name = "DELETE"
    stage = Stage.IMAP_DELETE

    def run(self, session: ImapContext) -> Completed:
        """Delete the mailbox. A session that deletes what it has selected has no mailbox selected afterwards."""
        account = session.mailboxes
        box = account.find(self.mailbox)
        own = session.view is not None and session.view.mailbox is box and self.mailbox != "INBOX"
        if own:
            session.deselect()
        account.delete(self.mailbox)
        if own:
            session.say(printing.condition("OK", "The selected mailbox is deleted.", code="CLOSED"))
        return Completed()


@dataclass(frozen=True, slots=True)
class Rename(Command):
    """RENAME (RFC 9051 §6.3.6)."""

    name = "RENAME"
    stage = Stage.IMAP_RENAME

    old: str
    new: str

    @classmethod
    def parse(cls, scan: Scanner) -> Rename:
        """ "RENAME" SP mailbox SP mailbox."""
        scan.space()
        old = scan.mailbox()
        scan.space()
        return cls(old, scan.mailbox())

    def run(self, session: ImapContext) -> Completed:
        """Rename the mailbox and its children."""
        session.mailboxes.rename(self.old, _plain(self.new))
        return Completed()


class Subscribe(MailboxCommand):
    """SUBSCRIBE (RFC 9051 §6.3.7)."""

    name = "SUBSCRIBE"
    stage = Stage.IMAP_SUBSCRIBE

    def run(self, session: ImapContext) -> Completed:
        """Subscribe the name."""
        session.mailboxes.subscribe(self.mailbox.removesuffix(SEPARATOR))
        return Completed()


class Unsubscribe(MailboxCommand):
    """UNSUBSCRIBE (RFC 9051 §6.3.8)."""

    name = "UNSUBSCRIBE"
    stage = Stage.IMAP_UNSUBSCRIBE

    def run(self, session: ImapContext) -> Completed:
        """Unsubscribe the name: OK also for one that is not subscribed."""
        with suppress(NoSuchSubscription):
            session.mailboxes.unsubscribe(self.mailbox.removesuffix(SEPARATOR))
        return Completed()


class NamespaceCommand(Command):
    """NAMESPACE (RFC 9051 §6.3.10)."""

    name = "NAMESPACE"
    stage = Stage.IMAP_NAMESPACE
    capabilities = ("NAMESPACE", REV2)

    def run(self, session: ImapContext) -> Completed:
        """Tell of the one personal namespace."""
        session.say(b'* NAMESPACE (("" "%b")) NIL NIL\r\n' % SEPARATOR.encode())
        return Completed()


def _plain(name: str) -> str:
    # A name with wildcards could never be listed alone (RFC 9051 §5.1); other servers refuse it too.
    if "*" in name or "%" in name:
        raise no(Reason.NOT_ALLOWED, "A mailbox name has no wildcards in it.", code="CANNOT")
    return name
