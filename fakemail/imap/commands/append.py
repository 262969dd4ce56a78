"""APPEND, also of several messages, and REPLACE (RFC 9051 §6.3.12, RFC 3502, RFC 8508)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fakemail.clock import datetime
from fakemail.imap.capabilities import Requirement
from fakemail.imap.command import REV2, SELECTED, Command
from fakemail.imap.context import ImapContext
from fakemail.imap.responses import Completed, bad, no
from fakemail.imap.syntax import printing
from fakemail.imap.syntax.framing import LITERAL_MARK
from fakemail.imap.syntax.scanner import Scanner
from fakemail.imap.syntax.sets import STAR, SequenceSet
from fakemail.imap.updates import send_updates
from fakemail.message.headers import body_offset
from fakemail.store.mailbox import Mailbox
from fakemail.store.message import NewMessage, StoredMessage
from fakemail.types.dataclass import dataclass
from fakemail.types.reason import Reason
from fakemail.types.stage import Stage


@dataclass(frozen=True, slots=True)
class AppendMessage:
    """A message to store, with what is to be stored beside it.

    ``date`` has a time zone. ``binary`` says that it came as literal8 and so may hold NUL (RFC 3516 §4.4),
    ``utf8`` that it came as ``UTF8 (~{n}...)`` (RFC 6855 §4).
    """

    raw: bytes
    flags: tuple[str, ...] = ()
    date: datetime | None = None
    binary: bool = False
    utf8: bool = False

    @classmethod
    def parse(cls, scan: Scanner) -> AppendMessage:
        """append-message = append-opts SP append-data; append-opts = [SP flag-list] [SP date-time] (RFC 4466 §6).

        append-data = literal / literal8 / "UTF8" SP "(" literal8 ")" (RFC 6855 §4). A quoted string is no message.
        """
        flags: tuple[str, ...] = ()
        date = None
        if scan.peek() == "(":
            flags = scan.flag_list()
            scan.space()
        if scan.peek() == '"':
            date = scan.date_time()
            scan.space()
        utf8 = scan.try_word("UTF8")
        if utf8:
            scan.space()
            scan.open("a literal8")
        if scan.peek() != LITERAL_MARK:
            scan.fail("a message as a literal")
        literal = scan.literal()
        if b"\0" in literal.data and not literal.binary:
            scan.refuse("NUL is allowed in a literal8 only.")
        if utf8 and not literal.binary:
            scan.refuse("A message in UTF8 (...) is a literal8.")
        if utf8 and scan.more("a message"):
            scan.fail("')' after a message")
        return cls(literal.data, flags, date, literal.binary, utf8)

    def requirements(self) -> Iterator[Requirement]:
        """UTF8=ACCEPT or BINARY for the form in which it came."""
        if self.utf8:
            yield "UTF8", ("UTF8=ACCEPT", REV2)
        elif self.binary:
            yield "literal8", ("BINARY", REV2)


@dataclass(frozen=True, slots=True)
class Append(Command):
    """APPEND (RFC 9051 §6.3.12), with one or more messages (RFC 3502)."""

    name = "APPEND"
    stage = Stage.IMAP_APPEND
    has_target = True

    mailbox: str
    messages: tuple[AppendMessage, ...]

    @classmethod
    def parse(cls, scan: Scanner) -> Append:
        """ "APPEND" SP mailbox 1*append-message (RFC 3502 §6)."""
        scan.space()
        mailbox = scan.mailbox()
        scan.space()
        messages = [AppendMessage.parse(scan)]
        while scan.another():
            messages.append(AppendMessage.parse(scan))
        return cls(mailbox, tuple(messages))

    def requirements(self) -> Iterator[Requirement]:
        """MULTIAPPEND for several messages, and what each of them needs."""
        if len(self.messages) > 1:
            yield "APPEND of several messages", ("MULTIAPPEND",)
        for message in self.messages:
            yield from message.requirements()

    def run(self, session: ImapContext) -> Completed:
        """Store all messages or none (RFC 3502 §6.3.11)."""
        if len(self.messages) > 1 and not session.may("MULTIAPPEND"):
            raise bad("One message at a time: MULTIAPPEND is not offered.")
        box = session.mailboxes.get(self.mailbox)
        added = box.append_many([_new(session, message) for message in self.messages])
        return Completed("", _append_uid(session, box, added))


@dataclass(frozen=True, slots=True)
class Replace(Command):
    """REPLACE (RFC 8508 §3). ``number`` is a sequence number or UID, or ``STAR``."""

    name = "REPLACE"
    stage = Stage.IMAP_REPLACE
    states = SELECTED
    capabilities = ("REPLACE",)
    has_uid_form = True
    has_target = True

    number: int
    mailbox: str
    message: AppendMessage
    uid: bool = False

    @classmethod
    def parse(cls, scan: Scanner) -> Replace:
        """ "REPLACE" SP seq-number SP mailbox append-message (RFC 8508 §5)."""
        scan.space()
        number = STAR if scan.try_mark("*") else scan.nz_number("a message number or '*'")
        scan.space()
        mailbox = scan.mailbox()
        scan.space()
        return cls(number, mailbox, AppendMessage.parse(scan), scan.uid)

    def requirements(self) -> Iterator[Requirement]:
        """Capabilities that the message needs."""
        return self.message.requirements()

    def run(self, session: ImapContext) -> Completed:
        """APPEND and EXPUNGE of the old message in one step, perhaps into another mailbox (RFC 8508 §3)."""
        if not self.uid:
            session.require_numbers()
        view = session.writable
        numbers = SequenceSet(((self.number, self.number),))
        resolved = view.resolve(numbers, uid=self.uid)
        if not resolved.messages:
            if resolved.missing:
                raise no(Reason.MESSAGE_GONE, "The message has been expunged.", code="EXPUNGEISSUED")
            if not self.uid and self.number != STAR:
                raise bad("There is no message of that number.")
            raise no(Reason.MESSAGE_GONE, "There is no such message.", code="NONEXISTENT")
        target = session.mailboxes.get(self.mailbox)
        uid = resolved.messages[-1][1].uid
        added = view.mailbox.replace(uid, _new(session, self.message), target)
        if added is None:
            raise no(Reason.MESSAGE_GONE, "The message has been expunged.", code="EXPUNGEISSUED")
        if code := _append_uid(session, target, [added]):
            # RFC 8508 §4.3: before EXPUNGE, so that the client knows the new one first
            session.say(printing.condition("OK", "Replacement message ready.", code=code))
        send_updates(session, expunges=True)
        return Completed()


def _new(session: ImapContext, message: AppendMessage) -> NewMessage:
    raw = message.raw
    if not raw:
        # other servers take it for a cancelled APPEND
        raise no(Reason.BAD_MESSAGE, "A message has octets.")
    if not raw.isascii() and not message.utf8 and not session.utf8 and session.profile.imap.strict:
        start = body_offset(raw)
        if not raw[:start].isascii():
            # RFC 6855 §4: 8-bit headers need UTF8 (...)
            raise no(Reason.BAD_MESSAGE, "The header is not US-ASCII.")
    return NewMessage(raw, message.flags, message.date)


def _append_uid(session: ImapContext, box: Mailbox, added: Sequence[StoredMessage]) -> bytes | None:
    if not session.may("UIDPLUS", "IMAP4rev2") or not added:
        return None
    uids = printing.sequence_set([message.uid for message in added])
    return b"APPENDUID %d %b" % (box.uid_validity, uids)  # RFC 4315 §3
