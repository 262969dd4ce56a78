"""FETCH (RFC 9051 §6.4.5, RFC 7162, RFC 9394). The responses are made in :mod:`fakemail.imap.fetch_responses`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from fakemail.imap.capabilities import Requirement
from fakemail.imap.command import SELECTED, AllowedUpdates, Command
from fakemail.imap.context import ImapContext
from fakemail.imap.fetch_responses import fetch_lines
from fakemail.imap.responses import Completed, Streaming, bad
from fakemail.imap.selected_mailbox import SelectedMailbox
from fakemail.imap.syntax import printing
from fakemail.imap.syntax.fetch_items import FetchData, FetchItem, fetch_items, required_by_fetch_items
from fakemail.imap.syntax.framing import LITERAL_MARK
from fakemail.imap.syntax.scanner import NUMBER_63, Scanner
from fakemail.imap.syntax.sets import NumberSet, PartialRange, SequenceSet, intersect, required_by_numbers
from fakemail.types.dataclass import dataclass
from fakemail.types.stage import Stage

_known_items: dict[str, tuple[FetchItem, ...]] = {}
_MOST_KNOWN: Final = 256
_LONGEST_KNOWN: Final = 256


@dataclass(frozen=True, slots=True)
class Fetch(Command):
    """FETCH (RFC 9051 §6.4.5).

    ``changed_since`` and ``vanished`` are from RFC 7162, ``partial`` is from RFC 9394 §3.3.
    """

    name = "FETCH"
    stage = Stage.IMAP_FETCH
    states = SELECTED
    updates = AllowedUpdates.NO_EXPUNGE
    has_uid_form = True

    numbers: NumberSet
    items: tuple[FetchItem, ...]
    changed_since: int | None = None
    vanished: bool = False
    partial: PartialRange | None = None
    uid: bool = False

    @classmethod
    def parse(cls, scan: Scanner) -> Fetch:
        """ "FETCH" SP sequence-set SP ("ALL" / "FULL" / "FAST" / fetch-att / "(" fetch-att *(SP fetch-att) ")")

        [SP "(" fetch-modifier *(SP fetch-modifier) ")"] (RFC 9051 §9, RFC 4466 §6).
        """
        scan.space()
        numbers = scan.number_set()
        scan.space()
        # Clients ask for the same few lists of items again and again.
        rest = scan.text[scan.at :]
        if (known := _known_items.get(rest)) and not scan.dialect.strict:
            scan.at += len(rest)
            return cls(numbers, known, uid=scan.uid)
        items = fetch_items(scan)
        if not scan.another():
            _remember_items(scan, rest, items)
            return cls(numbers, items, uid=scan.uid)
        changed_since: int | None = None
        partial: PartialRange | None = None
        vanished = False
        scan.open("modifiers of FETCH")
        while True:
            modifier = scan.word("a modifier of FETCH")
            if modifier == "VANISHED":  # RFC 7162 §7, rexpunges-fetch-mod
                vanished = True
            elif modifier == "CHANGEDSINCE":  # RFC 7162 §7: "CHANGEDSINCE" SP mod-sequence-value
                scan.space()
                changed_since = scan.number("a mod-sequence", NUMBER_63)
            elif modifier == "PARTIAL":  # RFC 9394 §4
                scan.space()
                partial = scan.partial_range()
            else:
                scan.refuse(f"FETCH has the modifiers CHANGEDSINCE, VANISHED and PARTIAL, not {modifier}.")
            if not scan.more("a modifier"):
                break
        if vanished and (changed_since is None or not scan.uid):  # RFC 7162 §3.2.6
            scan.refuse("VANISHED is for UID FETCH with CHANGEDSINCE.")
        return cls(numbers, items, changed_since, vanished, partial, scan.uid)

    def requirements(self) -> Iterator[Requirement]:
        """A capability for each item and modifier that has one."""
        yield from required_by_numbers(self.numbers)
        yield from required_by_fetch_items(self.items)
        if self.changed_since is not None:
            yield "CHANGEDSINCE", ("CONDSTORE",)
        if self.vanished:
            yield "VANISHED", ("QRESYNC",)
        if self.partial is not None:
            yield "PARTIAL", ("PARTIAL",)

    def run(self, session: ImapContext) -> Streaming:
        """Resolve the messages and stream a response for each."""
        view = session.selected
        items = list(self.items)
        if self.vanished and not (session.qresync and self.uid and self.changed_since is not None):
            # RFC 7162 §3.2.6
            raise bad("VANISHED needs UID FETCH, CHANGEDSINCE and ENABLE QRESYNC.")
        # RFC 2180 §4.1.1: an expunged message can be fetched until EXPUNGE was sent for it.
        resolved = session.resolve(self.numbers, uid=self.uid, with_expunged=not self.uid)
        if self.uid and FetchData.UID not in items and not session.uid_only:
            items.insert(0, FetchData.UID)
        if self.changed_since is not None and FetchData.MODSEQ not in items:
            items.append(FetchData.MODSEQ)  # RFC 7162 §3.1.4.1
        if FetchData.MODSEQ in items:
            session.enable_condstore()
        rows = resolved.messages
        if self.changed_since is not None:
            since = self.changed_since
            rows = [row for row in rows if row[1].modseq > since]
            if self.vanished:
                _send_vanished(session, view, self.numbers, since)
        if self.partial is not None:
            rows = self.partial.of(rows)
        return Streaming(fetch_lines(session, view, rows, items), Completed())


def _remember_items(scan: Scanner, text: str, items: tuple[FetchItem, ...]) -> None:
    """Keep what a text means, for texts that mean the same in every dialect but the strict one."""
    if (
        len(text) <= _LONGEST_KNOWN
        and text.isascii()
        and LITERAL_MARK not in text
        and not scan.dialect.strict
    ):
        if len(_known_items) >= _MOST_KNOWN:
            _known_items.clear()
        _known_items[text] = items


def _send_vanished(session: ImapContext, view: SelectedMailbox, numbers: NumberSet, since: int) -> None:
    runs = view.mailbox.runs_expunged_since(since)
    if isinstance(numbers, SequenceSet):
        runs = intersect(runs, numbers.resolve(max(view.mailbox.uid_next - 1, 1)))
    if runs:
        session.say(printing.untagged(b"VANISHED (EARLIER)", printing.ranges(runs)))
