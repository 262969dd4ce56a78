"""ID: client and server introduce themselves (RFC 2971)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fakemail.imap.command import ANY_STATE, Command
from fakemail.imap.context import ImapContext
from fakemail.imap.responses import Completed, bad
from fakemail.imap.syntax import printing
from fakemail.imap.syntax.scanner import Scanner
from fakemail.types.stage import Stage

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
