"""STORE: flags, conditionally if wanted, and labels of a Gmail-like server (RFC 9051 §6.4.6, RFC 7162 §3.1.3)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from fakemail.imap import gmail
from fakemail.imap.capabilities import GMAIL, Requirement
from fakemail.imap.command import SELECTED, AllowedUpdates, Command
from fakemail.imap.context import ImapContext
from fakemail.imap.fetch_responses import send_keywords
from fakemail.imap.responses import EXPUNGED, Completed, bad
from fakemail.imap.selected_mailbox import SelectedMailbox
from fakemail.imap.syntax import printing
from fakemail.imap.syntax.scanner import NUMBER_63, Scanner
from fakemail.imap.syntax.sets import NumberSet, required_by_numbers
from fakemail.store.mailbox import StoreResult
from fakemail.store.message import SYSTEM_FLAGS, FlagAction, StoredMessage
from fakemail.types.dataclass import dataclass
from fakemail.types.reason import Reason
from fakemail.types.stage import Stage

# RFC 9051 §9: store-att-flags = (["+" / "-"] "FLAGS" [".SILENT"]) SP (flag-list / (flag *(SP flag)))
_STORE_ITEM = re.compile(r"([+-]?)(FLAGS|X-GM-LABELS)(\.SILENT)?(?= )", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Store(Command):
    """STORE (RFC 9051 §6.4.6); ``unchanged_since`` from RFC 7162 §3.1.3.

    ``labels`` says that the flags are Gmail's labels (``X-GM-LABELS``), decoded like mailbox names.
    """

    name = "STORE"
    stage = Stage.IMAP_STORE
    states = SELECTED
    updates = AllowedUpdates.NO_EXPUNGE
    has_uid_form = True

    numbers: NumberSet
    action: FlagAction
    flags: tuple[str, ...]
    silent: bool = False
    unchanged_since: int | None = None
    labels: bool = False
    uid: bool = False

    @classmethod
    def parse(cls, scan: Scanner) -> Store:
        """ "STORE" SP sequence-set [SP "(" "UNCHANGEDSINCE" SP mod-sequence-valzer ")"] SP store-att-flags."""
        scan.space()
        numbers = scan.number_set()
        scan.space()
        unchanged_since: int | None = None
        if scan.peek() == "(":
            scan.open("modifiers of STORE")
            if not scan.try_word("UNCHANGEDSINCE"):
                scan.fail("UNCHANGEDSINCE")
            scan.space()
            unchanged_since = scan.number("a mod-sequence", NUMBER_63)
            if scan.more("a mod-sequence"):
                scan.fail("')', for there is only one modifier")
            scan.space()
        found = scan.take(_STORE_ITEM, "FLAGS, +FLAGS or -FLAGS and a space")
        labels = found[2].upper() != "FLAGS"
        scan.space()
        flags = _values(scan, scan.label, "label") if labels else _values(scan, scan.flag, "flag")
        return cls(numbers, FlagAction(found[1]), flags, bool(found[3]), unchanged_since, labels, scan.uid)

    def requirements(self) -> Iterator[Requirement]:
        """CONDSTORE for UNCHANGEDSINCE, X-GM-EXT-1 for labels."""
        yield from required_by_numbers(self.numbers)
        if self.unchanged_since is not None:
            yield "UNCHANGEDSINCE", ("CONDSTORE",)
        if self.labels:
            yield "X-GM-LABELS", GMAIL

    def run(self, session: ImapContext) -> Completed:
        """Change the flags, and send them as they are now."""
        resolved = session.resolve(self.numbers, uid=self.uid)
        view = session.writable
        if self.labels:
            gmail.store_labels(session.mailboxes, view.mailbox, resolved.uids, self.action, self.flags)
            if not self.silent:
                session.say(*_label_lines(session, view, resolved.uids, uid=self.uid))
            return Completed()
        _check_flags(self.flags)
        if self.unchanged_since is not None:
            session.enable_condstore()
        view.quiet = True
        try:
            result = view.mailbox.store(
                resolved.uids, self.action, self.flags, unchanged_since=self.unchanged_since
            )
        finally:
            view.quiet = False
        send_keywords(session, view)
        _send_flags(session, view, self, result)
        if result.failed:
            numbers = result.failed if self.uid else [view.number(uid) or 0 for uid in result.failed]
            code = b"MODIFIED " + printing.sequence_set(numbers)  # RFC 7162 §3.1.3
            if resolved.missing and not self.uid:
                return Completed("Some messages changed, and some are gone.", code, "NO", Reason.MESSAGE_GONE)
            return Completed("Conditional STORE failed.", code)
        if resolved.missing and not resolved.messages and not self.uid:
            # nothing was stored; with others in the set, all that could be was (RFC 2180 §4.2.1)
            return EXPUNGED
        return Completed()


def _values(scan: Scanner, value: Callable[[], str], what: str) -> tuple[str, ...]:
    """(flag-list / (flag *(SP flag))), or labels in the same form, each once."""
    values: list[str] = []
    if scan.peek() != "(":
        values.append(value())
        while scan.another():
            values.append(value())
        return tuple(dict.fromkeys(values))
    scan.open(f"{what}s")
    if scan.empty():
        return ()
    values.append(value())
    while scan.more(f"a {what}"):
        values.append(value())
    return tuple(dict.fromkeys(values))


def _check_flags(flags: Iterable[str]) -> None:
    for flag in flags:
        if flag.startswith("\\") and flag not in SYSTEM_FLAGS and flag.lower() != "\\recent":
            raise bad(f"{flag[:40]} is no flag of this server.")


def _send_flags(session: ImapContext, view: SelectedMailbox, command: Store, result: StoreResult) -> None:
    stored = sorted([*result.changed, *result.same], key=lambda message: message.uid)
    failed = view.mailbox.find(result.failed)
    if not command.silent:
        view.changed.difference_update([message.uid for message in stored])
        session.say(*_lines(session, view, stored, with_flags=True, uid=command.uid))
    elif session.condstore:
        # RFC 7162 §3.1.3: the mod-sequence is sent even then
        session.say(*_lines(session, view, result.changed, with_flags=False, uid=command.uid))
    # So that the client sees what came between
    view.changed.difference_update(result.failed)
    session.say(*_lines(session, view, failed, with_flags=True, uid=command.uid))


def _lines(
    session: ImapContext,
    view: SelectedMailbox,
    messages: Iterable[StoredMessage],
    *,
    with_flags: bool,
    uid: bool,
) -> list[bytes]:
    with_recent, condstore = not session.rev2, session.condstore
    uid = (uid or session.sends_modseq_and_uid) and not session.uid_only
    lines = []
    for number, message in view.numbered(messages):
        words = []
        if uid:
            words.append(b"UID %d" % message.uid)
        if with_flags:
            words.append(b"FLAGS " + view.flag_text(message, with_recent=with_recent))
        if condstore:
            words.append(b"MODSEQ (%d)" % message.modseq)
        lines.append(_line(session, number, message, b" ".join(words)))
    return lines


def _line(session: ImapContext, number: int, message: StoredMessage, data: bytes) -> bytes:
    if session.uid_only:
        return b"* %d UIDFETCH (%b)\r\n" % (message.uid, data)
    return b"* %d FETCH (%b)\r\n" % (number, data)


def _label_lines(session: ImapContext, view: SelectedMailbox, uids: list[int], *, uid: bool) -> list[bytes]:
    lines = []
    for number, message in view.numbered(view.mailbox.find(uids)):
        labels = gmail.label_list(session.mailboxes, view.mailbox, message, session.utf8)
        data = b"X-GM-LABELS " + labels
        if uid:
            data = b"UID %d %b" % (message.uid, data)
        lines.append(_line(session, number, message, data))
    return lines
