"""FETCH and FLAGS responses: each item as a function from a message to bytes, chosen once for a whole command.

The command FETCH uses them, and whatever else sends data about messages: STORE, SELECT with QRESYNC, and updates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from fakemail.imap import gmail
from fakemail.imap.content import fetch_cache, sections
from fakemail.imap.context import ImapContext
from fakemail.imap.responses import CommandRefused, no
from fakemail.imap.selected_mailbox import Numbered, SelectedMailbox
from fakemail.imap.syntax import printing
from fakemail.imap.syntax.fetch_items import (
    FetchBinary,
    FetchBinarySize,
    FetchBody,
    FetchData,
    FetchItem,
    Section,
)
from fakemail.store.message import SEEN, SYSTEM_FLAGS, FlagAction, StoredMessage
from fakemail.types.reason import Reason

_BATCH: Final = 4 * 1024  # bytes of responses that are made at once
_SEEN_ONLY: Final = frozenset({SEEN})

Part = Callable[[StoredMessage], bytes]
"""An item of one message, with its name."""
_RFC822: Final = {
    FetchData.RFC822: sections.WHOLE,
    FetchData.RFC822_HEADER: sections.HEADER,
    FetchData.RFC822_TEXT: sections.TEXT,
}
_SIMPLE: Final[dict[FetchData, Part]] = {
    FetchData.UID: lambda message: b"UID %d" % message.uid,
    FetchData.RFC822_SIZE: lambda message: b"RFC822.SIZE %d" % len(message.content.raw),
    FetchData.INTERNALDATE: lambda message: b"INTERNALDATE " + printing.date_time(message.internal_date),
    FetchData.MODSEQ: lambda message: b"MODSEQ (%d)" % message.modseq,
    FetchData.EMAILID: lambda message: b"EMAILID (%b)" % message.content.email_id.encode(),
    FetchData.THREADID: lambda message: b"THREADID (%b)" % message.content.thread_id.encode(),
    FetchData.SAVEDATE: lambda message: b"SAVEDATE " + printing.date_time(message.saved_at),
    FetchData.GMAIL_MESSAGE_ID: lambda message: b"X-GM-MSGID %d" % gmail.message_id(message),
    FetchData.GMAIL_THREAD_ID: lambda message: b"X-GM-THRID %d" % gmail.thread_id(message),
}


# Flags --------------------------------------------------------------------------------------------


def send_keywords(session: ImapContext, view: SelectedMailbox) -> None:
    """Send FLAGS and PERMANENTFLAGS again when there are new keywords."""
    if len(view.mailbox.keywords) != view.sent_keywords:
        session.say(*flag_lists(view))


def flag_lists(view: SelectedMailbox) -> tuple[bytes, bytes]:
    """The FLAGS response and the code PERMANENTFLAGS (RFC 9051 §7.3.5, §7.1)."""
    keywords = view.mailbox.keywords
    view.sent_keywords = len(keywords)
    flags = (*SYSTEM_FLAGS, *keywords)
    permanent = () if view.read_only else (*flags, "\\*")
    text = "Read-only mailbox." if view.read_only else "Flags permitted."
    return (
        printing.untagged(b"FLAGS", printing.flag_list(flags)),
        printing.condition("OK", text, code=b"PERMANENTFLAGS " + printing.flag_list(permanent)),
    )


def recent_line(view: SelectedMailbox) -> bytes:
    """The RECENT response (RFC 3501 §7.3.2)."""
    view.sent_recent = view.recent.count(view.known)
    return b"* %d RECENT\r\n" % view.sent_recent


def flag_lines(session: ImapContext, view: SelectedMailbox, messages: Iterable[StoredMessage]) -> list[bytes]:
    """A FETCH response for each message whose flags are new."""
    with_recent = not session.rev2
    # RFC 7162 §3.1, §3.2.4: MODSEQ and the UID; RFC 9051 §7.5.2: the UID is wanted.
    with_uid = session.sends_modseq_and_uid or session.rev2
    lines: list[bytes] = []
    for number, message in view.numbered(messages):
        data = b"FLAGS " + view.flag_text(message, with_recent=with_recent)
        if session.condstore:
            data += b" MODSEQ (%d)" % message.modseq
        if session.uid_only:
            lines.append(b"* %d UIDFETCH (%b)\r\n" % (message.uid, data))
        elif with_uid:
            lines.append(b"* %d FETCH (UID %d %b)\r\n" % (number, message.uid, data))
        else:
            lines.append(b"* %d FETCH (%b)\r\n" % (number, data))
    return lines


# FETCH --------------------------------------------------------------------------------------------


def fetch_lines(
    session: ImapContext, view: SelectedMailbox, rows: Sequence[Numbered], items: Sequence[FetchItem]
) -> Iterator[list[bytes]]:
    """The FETCH responses for some messages, in batches; what becomes ``\\Seen`` is marked before the first one."""
    seen: set[int] = set()
    if sets_seen(items) and not view.read_only:
        rows, seen = _mark_seen(view, rows)
    if FetchData.FLAGS in items or seen:
        send_keywords(session, view)
        view.changed -= seen  # they are sent with all that is new about them
        _forget_updates(session, view, rows, items)
    plan = FetchPlan(session, view, session.fetch_order(items))
    return _lines(session, plan, rows, seen)


def _lines(
    session: ImapContext, plan: FetchPlan, rows: Iterable[Numbered], seen: set[int]
) -> Iterator[list[bytes]]:
    # RFC 9586 §3.2: UIDFETCH with the UID in place of the number
    form = b"* %d UIDFETCH (%b)\r\n" if session.uid_only else b"* %d FETCH (%b)\r\n"
    by_uid = session.uid_only
    parts = plan.parts
    only = parts[0] if len(parts) == 1 else None
    batch: list[bytes] = []
    size = 0
    for number, message in rows:
        if seen and message.uid in seen:
            data = b" ".join([*(part(message) for part in parts), *plan.flag_echo(message)])
        elif only is not None:
            data = only(message)
        else:
            data = b" ".join([part(message) for part in parts])
        line = form % (message.uid if by_uid else number, data)
        batch.append(line)
        size += len(line)
        if size >= _BATCH:
            yield batch
            batch = []
            size = 0
    if batch:
        yield batch
    if plan.refusal is not None:
        raise plan.refusal


def _mark_seen(view: SelectedMailbox, rows: Sequence[Numbered]) -> tuple[list[Numbered], set[int]]:
    """Add ``\\Seen`` where it is not, as one change; return the messages as they are then."""
    unseen = [message.uid for _, message in rows if SEEN not in message.flags]
    if not unseen:
        return list(rows), set()
    view.quiet = True
    try:
        result = view.mailbox.store(unseen, FlagAction.ADD, _SEEN_ONLY)
    finally:
        view.quiet = False
    changed = {message.uid: message for message in result.changed}
    return [(number, changed.get(message.uid, message)) for number, message in rows], set(changed)


def _forget_updates(
    session: ImapContext, view: SelectedMailbox, rows: Iterable[Numbered], items: Sequence[FetchItem]
) -> None:
    """Flags that are sent now need not be sent again; after CONDSTORE only if MODSEQ goes with them."""
    if view.changed and (not session.condstore or FetchData.MODSEQ in items) and FetchData.FLAGS in items:
        view.changed.difference_update([message.uid for _, message in rows])


def sets_seen(items: Iterable[FetchItem]) -> bool:
    """Whether a message that is fetched so becomes ``\\Seen`` (RFC 9051 §6.4.5)."""
    return any(
        not item.peek
        if isinstance(item, FetchBody | FetchBinary)
        else item is FetchData.RFC822 or item is FetchData.RFC822_TEXT
        for item in items
    )


class FetchPlan:
    """The items of one command."""

    def __init__(self, session: ImapContext, view: SelectedMailbox, items: Sequence[FetchItem]) -> None:
        self.refusal: CommandRefused | None = None
        """The end of the command when something could not be decoded."""
        self._session = session
        self._view = view
        self._utf8 = session.utf8
        self._with_recent = not session.rev2
        self._items = frozenset(items)
        self.parts: list[Part] = [self._part(item) for item in dict.fromkeys(items)]

    def flag_echo(self, message: StoredMessage) -> list[bytes]:
        """Items that go behind a message that has just become ``\\Seen``, if they were not asked for."""
        out = []
        session = self._session
        if session.sends_modseq_and_uid and FetchData.UID not in self._items and not session.uid_only:
            out.append(b"UID %d" % message.uid)
        if FetchData.FLAGS not in self._items:
            out.append(b"FLAGS " + self._view.flag_text(message, with_recent=self._with_recent))
        if session.condstore and FetchData.MODSEQ not in self._items:
            out.append(b"MODSEQ (%d)" % message.modseq)  # RFC 7162 §3.1
        return out

    def _part(self, item: FetchItem) -> Part:
        if isinstance(item, FetchBody):
            return _section(printing.fetch_label(item), item.section, item.partial)
        if isinstance(item, FetchBinary):
            return self._binary(item)
        if isinstance(item, FetchBinarySize):
            return self._binary_size(item)
        if item in _RFC822:
            return _section(item.value.encode(), _RFC822[item], None)
        simple = _SIMPLE.get(item)
        return self._cached(item) if simple is None else simple

    def _cached(self, item: FetchData) -> Part:
        utf8 = self._utf8
        match item:
            case FetchData.FLAGS:
                return self._flags()
            case FetchData.ENVELOPE:
                return lambda message: b"ENVELOPE " + fetch_cache.envelope_of(message.content, utf8=utf8)
            case FetchData.BODY:
                return lambda message: b"BODY " + fetch_cache.body_of(message.content, utf8=utf8)
            case FetchData.BODYSTRUCTURE:
                return lambda message: (
                    b"BODYSTRUCTURE " + fetch_cache.bodystructure_of(message.content, utf8=utf8)
                )
            case FetchData.PREVIEW:
                return lambda message: (
                    b"PREVIEW " + printing.string(fetch_cache.preview_of(message.content), utf8=utf8)
                )
            case FetchData.PREVIEW_LAZY:
                # RFC 8970 §4.1: NIL for what would have to be worked out first
                return lambda message: (
                    b"PREVIEW "
                    + printing.nstring(
                        fetch_cache.preview_of(message.content)
                        if fetch_cache.has_preview(message.content)
                        else None,
                        utf8=utf8,
                    )
                )
            case _:
                account, view = self._session.mailboxes, self._view
                return lambda message: (
                    b"X-GM-LABELS " + gmail.label_list(account, view.mailbox, message, utf8)
                )

    def _flags(self) -> Part:
        text = self._view.flag_text
        if self._with_recent and self._view.recent:
            return lambda message: b"FLAGS " + text(message, with_recent=True)
        # Clients ask for the flags of whole mailboxes, and few sets of flags are in use.
        known: dict[frozenset[str], bytes] = {}

        def part(message: StoredMessage) -> bytes:
            flags = message.flags
            found = known.get(flags)
            if found is None:
                found = known[flags] = b"FLAGS " + text(message, with_recent=False)
            return found

        return part

    def _binary(self, item: FetchBinary) -> Part:
        label = printing.fetch_label(item)

        def part(message: StoredMessage) -> bytes:
            root = fetch_cache.tree_of(message.content)
            try:
                data = sections.binary(root, item.part, partial=item.partial)
            except sections.UnknownEncoding as error:
                return self._undecodable(label, error)
            return b"%b %b" % (label, printing.NIL if data is None else sections.binary_string(data))

        return part

    def _binary_size(self, item: FetchBinarySize) -> Part:
        label = printing.fetch_label(item)

        def part(message: StoredMessage) -> bytes:
            try:
                size = sections.binary_size(fetch_cache.tree_of(message.content), item.part)
            except sections.UnknownEncoding as error:
                self._undecodable(label, error)
                size = 0
            return b"%b %d" % (label, size or 0)

        return part

    def _undecodable(self, label: bytes, error: sections.UnknownEncoding) -> bytes:
        # RFC 3516 §4.3
        self.refusal = no(
            Reason.CANNOT_DECODE, f"{str(error)[:1].upper()}{str(error)[1:]}.", code="UNKNOWN-CTE"
        )
        return label + b" NIL"


def _section(label: bytes, wanted: Section, partial: tuple[int, int] | None) -> Part:
    needs_tree = sections.needs_tree(wanted)

    def part(message: StoredMessage) -> bytes:
        content = message.content
        root = fetch_cache.tree_of(content) if needs_tree else None
        data = sections.section(content.raw, wanted, root=root, partial=partial)
        return b"%b %b" % (label, printing.NIL if data is None else sections.body_string(data))

    return part
