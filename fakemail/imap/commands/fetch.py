"""FETCH: what is asked for becomes one plan, and the plan one response after the other (RFC 9051 §6.4.5)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from fakemail.imap import updates
from fakemail.imap.commands.condstore import enable_condstore
from fakemail.imap.commands.fetch_items import FetchPlan, sets_seen
from fakemail.imap.commands.sets import choose, common
from fakemail.imap.responses import Completed, Streaming, bad
from fakemail.imap.selected_mailbox import Numbered, SelectedMailbox
from fakemail.imap.syntax import commands, printing
from fakemail.imap.syntax.fetch_items import FetchData, FetchItem
from fakemail.imap.syntax.sets import NumberSet, PartialRange, SequenceSet
from fakemail.store.message import SEEN, FlagAction

if TYPE_CHECKING:
    from fakemail.imap.session import ImapSession

_BATCH: Final = 4 * 1024  # octets of responses that are made at once
_SEEN_ONLY: Final = frozenset({SEEN})


def fetch(session: ImapSession, command: commands.Fetch) -> Streaming:
    """RFC 9051 §6.4.5; CHANGEDSINCE and VANISHED from RFC 7162, PARTIAL from RFC 9394."""
    view = session.selected
    items = list(command.items)
    if command.vanished and not (session.qresync and command.uid and command.changed_since is not None):
        # RFC 7162 §3.2.6
        raise bad("VANISHED needs UID FETCH, CHANGEDSINCE and ENABLE QRESYNC.")
    # RFC 2180 §4.1.1: an expunged message can be fetched until the client has been told that it is gone.
    chosen = choose(session, command.numbers, uid=command.uid, with_gone=not command.uid)
    if command.uid and FetchData.UID not in items and not session.uid_only:
        items.insert(0, FetchData.UID)
    if command.changed_since is not None and FetchData.MODSEQ not in items:
        items.append(FetchData.MODSEQ)  # RFC 7162 §3.1.4.1
    if FetchData.MODSEQ in items:
        enable_condstore(session)
    rows = chosen.messages
    if command.changed_since is not None:
        since = command.changed_since
        rows = [row for row in rows if row[1].modseq > since]
        if command.vanished:
            _tell_vanished(session, view, command.numbers, since)
    if command.partial is not None:
        rows = page(rows, command.partial)
    return Streaming(fetch_lines(session, view, rows, items), Completed())


def _tell_vanished(session: ImapSession, view: SelectedMailbox, numbers: NumberSet, since: int) -> None:
    runs = view.mailbox.runs_expunged_since(since)
    if isinstance(numbers, SequenceSet):
        runs = common(runs, numbers.resolve(max(view.mailbox.uid_next - 1, 1)))
    if runs:
        session.say(printing.untagged(b"VANISHED (EARLIER)", printing.ranges(runs)))


def page(rows: Sequence[Numbered], wanted: PartialRange) -> list[Numbered]:
    """The rows at some places, counted from 1, or from the end (RFC 9394 §3.1); always in their own order."""
    count = len(rows)
    if wanted.from_end:
        return list(rows[max(count - wanted.last, 0) : max(count - wanted.first + 1, 0)])
    return list(rows[wanted.first - 1 : wanted.last])


def fetch_lines(
    session: ImapSession, view: SelectedMailbox, rows: Sequence[Numbered], items: Sequence[FetchItem]
) -> Iterator[list[bytes]]:
    """The FETCH responses for some messages, in batches; what becomes ``\\Seen`` is marked before the first one."""
    seen: set[int] = set()
    if sets_seen(items) and not view.read_only:
        rows, seen = _mark_seen(view, rows)
    if FetchData.FLAGS in items or seen:
        updates.tell_keywords(session, view)
        view.changed -= seen  # they are told with all that is new about them
        _forget_news(session, view, rows, items)
    plan = FetchPlan(session, view, session.fetch_order(items))
    return _lines(session, plan, rows, seen)


def _lines(
    session: ImapSession, plan: FetchPlan, rows: Iterable[Numbered], seen: set[int]
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


def _forget_news(
    session: ImapSession, view: SelectedMailbox, rows: Iterable[Numbered], items: Sequence[FetchItem]
) -> None:
    """Flags that are told now need not be told again; after CONDSTORE only if MODSEQ goes with them."""
    if view.changed and (not session.condstore or FetchData.MODSEQ in items) and FetchData.FLAGS in items:
        view.changed.difference_update([message.uid for _, message in rows])
