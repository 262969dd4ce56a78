"""CAPABILITY, NOOP, LOGOUT, ID, ENABLE, CHECK, and what else concerns the session alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fakemail.imap.commands.condstore import enable_condstore
from fakemail.imap.responses import Completed, bad, no
from fakemail.imap.syntax import commands, printing
from fakemail.types.reason import Reason

if TYPE_CHECKING:
    from fakemail.imap.session import ImapSession

#: What ENABLE knows, by the capability that must be offered (RFC 5161 §3.1).
ENABLES: Final = {
    "IMAP4REV2": "IMAP4rev2",
    "CONDSTORE": "CONDSTORE",
    "QRESYNC": "QRESYNC",
    "UTF8=ACCEPT": "UTF8=ACCEPT",
    "UIDONLY": "UIDONLY",
}
_SERVER_ID: Final = (("name", "fakemail"), ("vendor", "The fakemail developers"))


def capability(session: ImapSession, command: commands.CapabilityCommand) -> Completed:
    """RFC 9051 §6.1.1."""
    session.say(printing.untagged(b"CAPABILITY", session.capability_words().encode()))
    return Completed()


def noop(session: ImapSession, command: commands.Noop | commands.CheckCommand) -> Completed:
    """RFC 9051 §6.1.2: what is new is told at the end of every command."""
    return Completed()


def logout(session: ImapSession, command: commands.Logout) -> Completed:
    """RFC 9051 §6.1.3."""
    session.say(printing.condition("BYE", "Logging out."))
    session.deselect()
    session.leaving = True
    return Completed()


def identify(session: ImapSession, command: commands.Id) -> Completed:
    """RFC 2971 §3.1. At most 30 fields; names of 30 octets, values of 1024."""
    fields = command.fields or ()
    if len(fields) > 30 or any(len(name) > 30 or len(value or "") > 1024 for name, value in fields):
        raise bad("ID has at most 30 fields, with names of 30 and values of 1024 octets.")
    session.client_id = dict(fields)
    words = [printing.string(word) for pair in _SERVER_ID for word in pair]
    session.say(printing.untagged(b"ID", printing.parenthesised(words)))
    return Completed()


def enable(session: ImapSession, command: commands.Enable) -> Completed:
    """RFC 5161 §3.1: what is unknown is passed over; ENABLED lists what is new."""
    new = []
    for name in command.capabilities:
        if ENABLES.get(name, "") not in session.offered or name in session.enabled:
            continue
        if name == "CONDSTORE" and session.condstore:
            continue
        new.append(name)
    if {"UTF8=ACCEPT", "IMAP4REV2"} & set(new) and session.view is not None:
        # RFC 6855 §3.1: 'MUST NOT be issued ... in the selected state'; RFC 5161 §3.1 takes it for all.
        raise bad("A mailbox is selected already.", reason=Reason.BAD_SEQUENCE)
    session.say(printing.untagged(b"ENABLED", *(ENABLES[name].encode() for name in new)))
    if {"CONDSTORE", "QRESYNC"} & set(new):
        enable_condstore(session)
    session.enabled |= set(new)
    session.update()
    return Completed()


def start_tls(session: ImapSession, command: commands.StartTlsCommand) -> Completed:
    """RFC 9051 §6.2.1."""
    session.wants_tls = True
    return Completed("Begin TLS negotiation now.")


def compress(session: ImapSession, command: commands.Compress) -> Completed:
    """RFC 4978 §3."""
    if session.is_compressed:
        raise no(Reason.BAD_SEQUENCE, "DEFLATE is active already.", code="COMPRESSIONACTIVE")
    if command.mechanism != "DEFLATE":
        raise bad(f"There is no compression {command.mechanism}, only DEFLATE.")
    session.start_compression()
    session.update()
    return Completed("DEFLATE active.")


def unauthenticate(session: ImapSession, command: commands.Unauthenticate) -> Completed:
    """RFC 8437 §2: back to a stranger on the same connection."""
    session.forget_login()
    return Completed()
