"""CAPABILITY and ENABLE (RFC 9051 §6.1.1, RFC 5161)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fakemail.imap.command import ANY_STATE, REV2, Command
from fakemail.imap.context import ImapContext
from fakemail.imap.responses import Completed, bad
from fakemail.imap.syntax import printing
from fakemail.imap.syntax.scanner import Scanner
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
