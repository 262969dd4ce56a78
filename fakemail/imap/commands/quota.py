"""GETQUOTA, GETQUOTAROOT and SETQUOTA (RFC 9208): one root for the whole account."""

from __future__ import annotations

from fakemail.imap.command import Command, MailboxCommand
from fakemail.imap.context import ImapContext
from fakemail.imap.responses import Completed, no
from fakemail.imap.syntax import printing
from fakemail.imap.syntax.scanner import NUMBER_63, Scanner
from fakemail.store.errors import NoSuchMailbox
from fakemail.store.quota import RESOURCES
from fakemail.types.dataclass import dataclass
from fakemail.types.reason import Reason
from fakemail.types.stage import Stage


@dataclass(frozen=True, slots=True)
class GetQuota(Command):
    """GETQUOTA (RFC 9208 §4.1.2)."""

    name = "GETQUOTA"
    stage = Stage.IMAP_GETQUOTA
    capabilities = ("QUOTA",)

    root: str

    @classmethod
    def parse(cls, scan: Scanner) -> GetQuota:
        """ "GETQUOTA" SP quota-root-name (RFC 9208 §7)."""
        scan.space()
        return cls(scan.astring("a quota root"))

    def run(self, session: ImapContext) -> Completed:
        """Give usage and limits of the root."""
        if self.root != session.mailboxes.quota.root:
            raise no(Reason.NOT_ALLOWED, "There is no such quota root.", code="NONEXISTENT")
        session.say(_quota_line(session))
        return Completed()


class GetQuotaRoot(MailboxCommand):
    """GETQUOTAROOT (RFC 9208 §4.1.3)."""

    name = "GETQUOTAROOT"
    stage = Stage.IMAP_GETQUOTAROOT
    capabilities = ("QUOTA",)

    def run(self, session: ImapContext) -> Completed:
        """Give the root of a mailbox."""
        account = session.mailboxes
        if account.find(self.mailbox) is None:
            raise NoSuchMailbox(self.mailbox)
        name = printing.mailbox(self.mailbox, utf8=session.utf8)
        session.say(
            printing.untagged(b"QUOTAROOT", name, _root(session)),
            _quota_line(session),
        )
        return Completed()


@dataclass(frozen=True, slots=True)
class SetQuota(Command):
    """SETQUOTA (RFC 9208 §4.1.1).

    ``limits`` are (resource, limit), the resource upper-case, STORAGE in units of 1024 bytes.
    """

    name = "SETQUOTA"
    stage = Stage.IMAP_SETQUOTA
    capabilities = ("QUOTASET",)

    root: str
    limits: tuple[tuple[str, int], ...]

    @classmethod
    def parse(cls, scan: Scanner) -> SetQuota:
        """ "SETQUOTA" SP quota-root-name SP "(" [resource-name SP resource-limit ...] ")" (RFC 9208 §7)."""
        scan.space()
        root = scan.astring("a quota root")
        scan.space()
        scan.open("quota limits")
        limits: list[tuple[str, int]] = []
        if scan.empty():
            return cls(root, ())
        while True:
            resource = scan.word("a quota resource")
            scan.space()
            limits.append((resource, scan.number("a quota limit", NUMBER_63)))
            if not scan.more("a quota limit"):
                return cls(root, tuple(limits))

    def run(self, session: ImapContext) -> Completed:
        """Set the limits, as the owner may, who has the right ``a`` (RFC 9208 §6); those not named are removed."""
        quota = session.mailboxes.quota
        if self.root != quota.root:
            raise no(Reason.NOT_ALLOWED, "There is no such quota root.", code="NONEXISTENT")
        limits = dict(self.limits)
        for resource in limits:
            if resource not in RESOURCES:
                raise no(Reason.NOT_ALLOWED, f"There is no quota of {resource[:40]}.", code="CANNOT")
        for resource in RESOURCES:
            quota.limit(resource, limits.get(resource))
        session.say(_quota_line(session))
        return Completed()


def _root(session: ImapContext) -> bytes:
    return printing.astring(session.mailboxes.quota.root, utf8=session.utf8)


def _quota_line(session: ImapContext) -> bytes:
    quota = session.mailboxes.quota
    words = [
        f"{resource} {quota.usage(resource)} {limit}".encode() for resource, limit in quota.limits.items()
    ]
    return printing.untagged(b"QUOTA", _root(session), printing.parenthesised(words))
