"""CAPABILITY, NOOP, LOGOUT, ID, ENABLE, CHECK, and what else concerns the session alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fakemail.imap.commands.condstore import enable_condstore
from fakemail.imap.responses import Done, bad, no
from fakemail.imap.syntax import commands, printing
from fakemail.terms.reason import Reason

if TYPE_CHECKING:
    from fakemail.imap.session import Session

#: What ENABLE knows, by the capability that must be offered (RFC 5161 §3.1).
ENABLES: Final = {
    "IMAP4REV2": "IMAP4rev2",
    "CONDSTORE": "CONDSTORE",
    "QRESYNC": "QRESYNC",
    "UTF8=ACCEPT": "UTF8=ACCEPT",
    "UIDONLY": "UIDONLY",
}
_SERVER_ID: Final = (("name", "fakemail"), ("vendor", "The fakemail developers"))


def capability(session: Session, command: commands.Capability) -> Done:
    """RFC 9051 §6.1.1."""
    session.say(printing.untagged(b"CAPABILITY", session.capability_words().encode()))
    return Done()


def noop(session: Session, command: commands.Noop | commands.Check) -> Done:
    """RFC 9051 §6.1.2: what is new is told at the end of every command."""
    return Done()


def logout(session: Session, command: commands.Logout) -> Done:
    """RFC 9051 §6.1.3."""
    session.say(printing.condition("BYE", "Logging out."))
    session.deselect()
    session.leaving = True
    return Done()


def identify(session: Session, command: commands.Id) -> Done:
    """RFC 2971 §3.1. At most 30 fields; names of 30 octets, values of 1024."""
    fields = command.fields or ()
    if len(fields) > 30 or any(len(name) > 30 or len(value or "") > 1024 for name, value in fields):
        raise bad("ID has at most 30 fields, with names of 30 and values of 1024 octets.")
    session.client_id = dict(fields)
    words = [printing.string(word) for pair in _SERVER_ID for word in pair]
    session.say(printing.untagged(b"ID", printing.parenthesised(words)))
    return Done()


def enable(session: Session, command: commands.Enable) -> Done:
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
    return Done()


def start_tls(session: Session, command: commands.StartTls) -> Done:
    """RFC 9051 §6.2.1."""
    session.wants_tls = True
    return Done("Begin TLS negotiation now.")


def compress(session: Session, command: commands.Compress) -> Done:
    """RFC 4978 §3."""
    if session.is_compressed:
        raise no(Reason.BAD_SEQUENCE, "DEFLATE is active already.", code="COMPRESSIONACTIVE")
    if command.mechanism != "DEFLATE":
        raise bad(f"There is no compression {command.mechanism}, only DEFLATE.")
    session.start_compression()
    session.update()
    return Done("DEFLATE active.")


def unauthenticate(session: Session, command: commands.Unauthenticate) -> Done:
    """RFC 8437 §2: back to a stranger on the same connection."""
    session.forget_login()
    return Done()
