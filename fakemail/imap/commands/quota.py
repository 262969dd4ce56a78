"""GETQUOTA, GETQUOTAROOT and SETQUOTA (RFC 9208): one root for the whole account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fakemail.imap.responses import Completed, no
from fakemail.imap.syntax import mailbox_commands, printing
from fakemail.store.errors import NoSuchMailbox
from fakemail.store.quota import RESOURCES
from fakemail.types.reason import Reason

if TYPE_CHECKING:
    from fakemail.imap.session import ImapSession


def get_quota(session: ImapSession, command: mailbox_commands.GetQuota) -> Completed:
    """RFC 9208 §4.1.2."""
    if command.root != session.mailboxes.quota.root:
        raise no(Reason.NOT_ALLOWED, "There is no such quota root.", code="NONEXISTENT")
    session.say(_quota_line(session))
    return Completed()


def get_quota_root(session: ImapSession, command: mailbox_commands.GetQuotaRoot) -> Completed:
    """RFC 9208 §4.1.3. The mailbox need not exist; a name that can never exist has no root."""
    account = session.mailboxes
    if account.find(command.mailbox) is None:
        raise NoSuchMailbox(command.mailbox)
    name = printing.mailbox(command.mailbox, utf8=session.utf8)
    session.say(
        printing.untagged(b"QUOTAROOT", name, _root(session)),
        _quota_line(session),
    )
    return Completed()


def set_quota(session: ImapSession, command: mailbox_commands.SetQuota) -> Completed:
    """RFC 9208 §4.1.3, for those who have the right ``a`` (§6), as the owner has; limits that are not named end."""
    quota = session.mailboxes.quota
    if command.root != quota.root:
        raise no(Reason.NOT_ALLOWED, "There is no such quota root.", code="NONEXISTENT")
    limits = dict(command.limits)
    for resource in limits:
        if resource not in RESOURCES:
            raise no(Reason.NOT_ALLOWED, f"There is no quota of {resource[:40]}.", code="CANNOT")
    for resource in RESOURCES:
        quota.limit(resource, limits.get(resource))
    session.say(_quota_line(session))
    return Completed()


def _root(session: ImapSession) -> bytes:
    return printing.astring(session.mailboxes.quota.root, utf8=session.utf8)


def _quota_line(session: ImapSession) -> bytes:
    quota = session.mailboxes.quota
    words = [
        f"{resource} {quota.usage(resource)} {limit}".encode() for resource, limit in quota.limits.items()
    ]
    return printing.untagged(b"QUOTA", _root(session), printing.parenthesised(words))
