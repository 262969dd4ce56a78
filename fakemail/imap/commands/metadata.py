"""GETMETADATA and SETMETADATA (RFC 5464): annotations of mailboxes and of the server."""

from __future__ import annotations

import re
from typing import Final

from fakemail.imap.command import Command
from fakemail.imap.context import ImapContext
from fakemail.imap.responses import Completed, no
from fakemail.imap.syntax import printing
from fakemail.imap.syntax.framing import LITERAL_MARK
from fakemail.imap.syntax.scanner import Scanner
from fakemail.store.errors import AnnotationTooLarge, LimitReached
from fakemail.types.dataclass import dataclass
from fakemail.types.reason import Reason
from fakemail.types.stage import Stage

_SPECIAL_USE: Final = "/private/specialuse"
# RFC 5464 §4.2: the options, which its own examples put behind the mailbox
_METADATA_OPTIONS = re.compile(r"\( *(?:MAXSIZE|DEPTH) ", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class GetMetadata(Command):
    """GETMETADATA (RFC 5464 §4.2).

    ``mailbox`` is empty for the server; ``depth`` is 0, 1, or None for infinity; ``max_size`` is in bytes. Entry
    names are as the client wrote them; they ignore case.
    """

    name = "GETMETADATA"
    stage = Stage.IMAP_GETMETADATA
    capabilities = ("METADATA",)

    mailbox: str
    entries: tuple[str, ...]
    max_size: int | None = None
    depth: int | None = 0

    @classmethod
    def parse(cls, scan: Scanner) -> GetMetadata:
        """ "GETMETADATA" [SP getmetadata-options] SP mailbox SP entries (RFC 5464 §5).

        The examples of the RFC have the options behind the mailbox, and clients do both.
        """
        scan.space()
        options: tuple[int | None, int | None] = (None, 0)
        if scan.peek() == "(":
            options = _options(scan)
            scan.space()
        mailbox = scan.mailbox()
        scan.space()
        if _METADATA_OPTIONS.match(scan.text, scan.at):
            options = _options(scan)
            scan.space()
        max_size, depth = options
        if scan.peek() != "(":
            return cls(mailbox, (_entry(scan),), max_size, depth)
        scan.open("metadata entries")
        entries = [_entry(scan)]
        while scan.more("a metadata entry"):
            entries.append(_entry(scan))
        return cls(mailbox, tuple(entries), max_size, depth)

    def run(self, session: ImapContext) -> Completed:
        """Give the values that are not too long."""
        account = session.mailboxes
        box = account.get(self.mailbox) if self.mailbox else None
        metadata = account.metadata if box is None else box.metadata
        found: dict[str, bytes | None] = {}
        longest = 0
        for entry in self.entries:
            if self.depth == 0:
                values: dict[str, bytes | None] = {entry: metadata.get(entry)}
                if box is not None and entry.lower() == _SPECIAL_USE and box.special_use:
                    values[entry] = " ".join(sorted(box.special_use)).encode()
            else:
                values = {**metadata.below(entry, self.depth)}
            for name, value in values.items():
                if value is not None and self.max_size is not None and len(value) > self.max_size:
                    longest = max(longest, len(value))
                else:
                    found[name] = value
        if found:
            mailbox = printing.mailbox(self.mailbox, utf8=session.utf8) if self.mailbox else b'""'
            words = [b"%b %b" % (printing.astring(entry), _value(value)) for entry, value in found.items()]
            session.say(printing.untagged(b"METADATA", mailbox, printing.parenthesised(words)))
        # RFC 5464 §4.2.1
        return Completed("", f"METADATA LONGENTRIES {longest}" if longest else None)


@dataclass(frozen=True, slots=True)
class SetMetadata(Command):
    """SETMETADATA (RFC 5464 §4.3). ``entries`` are (name, value); None removes the entry."""

    name = "SETMETADATA"
    stage = Stage.IMAP_SETMETADATA
    capabilities = ("METADATA",)

    mailbox: str
    entries: tuple[tuple[str, bytes | None], ...]

    @classmethod
    def parse(cls, scan: Scanner) -> SetMetadata:
        """ "SETMETADATA" SP mailbox SP "(" entry SP value *(SP entry SP value) ")"; value = nstring / literal8."""
        scan.space()
        mailbox = scan.mailbox()
        scan.space()
        scan.open("metadata entries")
        entries: list[tuple[str, bytes | None]] = []
        while True:
            entry = _entry(scan)
            scan.space()
            value: bytes | None
            if scan.peek() == LITERAL_MARK:
                literal = scan.literal()
                value = literal.data
                if b"\0" in value and not literal.binary:
                    scan.refuse("NUL is allowed in a literal8 only.")
            else:
                value = None if scan.try_word("NIL") else scan.raw_string("a value or NIL").encode("latin-1")
            entries.append((entry, value))
            if not scan.more("a metadata value"):
                return cls(mailbox, tuple(entries))

    def run(self, session: ImapContext) -> Completed:
        """Set all entries or none; the special use of a mailbox is one of them (RFC 6154 §4)."""
        entries = dict(self.entries)
        uses = next((name for name in entries if name.lower() == _SPECIAL_USE), None)
        try:
            if uses is not None and self.mailbox:
                value = entries.pop(uses) or b""
                session.mailboxes.set_special_use(self.mailbox, value.decode("ascii", "replace").split())
            session.mailboxes.annotate(self.mailbox, entries)
        except AnnotationTooLarge as error:
            raise no(Reason.LIMIT_REACHED, str(error), code=f"METADATA MAXSIZE {error.limit}") from None
        except LimitReached as error:
            raise no(Reason.LIMIT_REACHED, str(error), code="METADATA TOOMANY") from None
        return Completed()


def _options(scan: Scanner) -> tuple[int | None, int | None]:
    """ "(" option *(SP option) ")"; maxsize-opt = "MAXSIZE" SP number; scope-opt = "DEPTH" SP ("0"/"1"/"infinity")."""
    max_size: int | None = None
    depth: int | None = 0
    scan.open("options of GETMETADATA")
    while True:
        option = scan.word("MAXSIZE or DEPTH")
        scan.space()
        if option == "MAXSIZE":
            max_size = scan.number("a size in octets")
        elif option == "DEPTH":
            value = scan.word("0, 1 or infinity")
            if value not in ("0", "1", "INFINITY"):
                scan.refuse(f"DEPTH is 0, 1 or infinity, not {value}.")
            depth = None if value == "INFINITY" else int(value)
        else:
            scan.refuse(f"GETMETADATA has the options MAXSIZE and DEPTH, not {option}.")
        if not scan.more("an option"):
            return max_size, depth


def _entry(scan: Scanner) -> str:
    """entry = astring: slash-separated path; MUST NOT contain "*" or "%" (RFC 5464 §5, and §3.2)."""
    entry = scan.raw_astring("a metadata entry")
    if not entry.startswith("/") or entry.endswith("/") or "//" in entry:
        scan.refuse("A metadata entry begins with '/', and each '/' is followed by a name.")
    if not entry.isascii() or not entry.isprintable() or "*" in entry or "%" in entry:
        scan.refuse("A metadata entry has printable US-ASCII without '*' and '%'.")
    return entry


def _value(value: bytes | None) -> bytes:
    if value is not None and b"\0" in value:
        return printing.literal(value, binary=True)
    return printing.nstring(value)
