"""SORT and THREAD (RFC 5256)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from fakemail.imap.capabilities import Requirement
from fakemail.imap.command import SELECTED, AllowedUpdates, Command
from fakemail.imap.commands.search import matching, numbers_of, send_results
from fakemail.imap.content.sort_thread import sort_order, thread, thread_lists
from fakemail.imap.context import ImapContext
from fakemail.imap.responses import Completed
from fakemail.imap.syntax.scanner import Scanner
from fakemail.imap.syntax.search_keys import (
    SearchKey,
    SearchReturn,
    SortCriterion,
    SortField,
    ThreadAlgorithm,
)
from fakemail.imap.syntax.search_program import (
    required_by_keys,
    required_by_returns,
    search_charset,
    search_keys,
    search_return,
)
from fakemail.types.dataclass import dataclass
from fakemail.types.stage import Stage

_FIELDS: Final = {field.value: field for field in SortField}
_DISPLAY: Final = frozenset({SortField.DISPLAYFROM, SortField.DISPLAYTO})


@dataclass(frozen=True, slots=True)
class Sort(Command):
    """SORT (RFC 5256 §3), with RETURN (RFC 5267 §3.1)."""

    name = "SORT"
    stage = Stage.IMAP_SORT
    states = SELECTED
    capabilities = ("SORT",)
    updates = AllowedUpdates.NO_EXPUNGE
    has_uid_form = True

    criteria: tuple[SortCriterion, ...]
    charset: str
    key: SearchKey
    returns: SearchReturn | None = None
    uid: bool = False

    @classmethod
    def parse(cls, scan: Scanner) -> Sort:
        """ "SORT" [search-return-opts] SP sort-criteria SP charset 1*(SP search-key) (RFC 5256 §5, RFC 5267 §4)."""
        scan.space()
        returns = search_return(scan)
        # sort-criteria = "(" sort-criterion *(SP sort-criterion) ")"; sort-criterion = ["REVERSE" SP] sort-key
        scan.open("sort criteria")
        criteria: list[SortCriterion] = []
        going = True
        while going:
            name = scan.word("a sort criterion")
            reverse = name == "REVERSE"
            if reverse:
                scan.space()
                name = scan.word("a sort criterion")
            field = _FIELDS.get(name)
            if field is None:
                scan.refuse(f"{name} is no sort criterion; there are {', '.join(_FIELDS)}.")
            criteria.append(SortCriterion(field, reverse))
            going = scan.more("a sort criterion")
        scan.space()
        charset = search_charset(scan)
        scan.space()
        return cls(tuple(criteria), charset, search_keys(scan, charset), returns, scan.uid)

    def requirements(self) -> Iterator[Requirement]:
        """ESORT for RETURN, SORT=DISPLAY for display names, and a capability for each key that has one."""
        yield from required_by_returns(self.returns, "ESORT")
        if any(criterion.field in _DISPLAY for criterion in self.criteria):
            yield "sorting by display names", ("SORT=DISPLAY",)
        yield from required_by_keys(self.key)

    def run(self, session: ImapContext) -> Completed:
        """Search, and sort what was found."""
        view = session.selected
        found = matching(session, view, self.key, uid=self.uid)
        order = sort_order([message for _, message in found], self.criteria)
        ordered = [found[place] for place in order]
        send_results(session, view, b"SORT", self.key, self.returns, ordered, uid=self.uid)
        return Completed()


_ALGORITHMS: Final = {algorithm.value: algorithm for algorithm in ThreadAlgorithm}


@dataclass(frozen=True, slots=True)
class Thread(Command):
    """THREAD (RFC 5256 §3)."""

    name = "THREAD"
    stage = Stage.IMAP_THREAD
    states = SELECTED
    capabilities = ("THREAD=REFERENCES", "THREAD=ORDEREDSUBJECT")
    updates = AllowedUpdates.NO_EXPUNGE
    has_uid_form = True

    algorithm: ThreadAlgorithm
    charset: str
    key: SearchKey
    uid: bool = False

    @classmethod
    def parse(cls, scan: Scanner) -> Thread:
        """ "THREAD" SP thread-alg SP charset 1*(SP search-key) (RFC 5256 §5)."""
        scan.space()
        name = scan.word("a threading algorithm")
        algorithm = _ALGORITHMS.get(name)
        if algorithm is None:
            scan.refuse(f"{name} is no threading algorithm; there are {', '.join(_ALGORITHMS)}.")
        scan.space()
        charset = search_charset(scan)
        scan.space()
        return cls(algorithm, charset, search_keys(scan, charset), scan.uid)

    def requirements(self) -> Iterator[Requirement]:
        """The capability of the algorithm, and of each key that has one."""
        yield self.algorithm.value, (f"THREAD={self.algorithm.value}",)
        yield from required_by_keys(self.key)

    def run(self, session: ImapContext) -> Completed:
        """Search, and thread what was found."""
        found = matching(session, session.selected, self.key, uid=self.uid)
        threads = thread([message for _, message in found], self.algorithm)
        lists = thread_lists(threads, numbers_of(found, by_uid=self.uid))
        session.say(b"* THREAD %b\r\n" % lists if lists else b"* THREAD\r\n")
        return Completed()
