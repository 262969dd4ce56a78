"""THREAD (RFC 5256 §3). The threads are made in :mod:`fakemail.imap.content.threading`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from fakemail.imap.capabilities import Requirement
from fakemail.imap.command import SELECTED, AllowedUpdates, Command
from fakemail.imap.commands.search import matching, numbers_of
from fakemail.imap.content.threading import thread, thread_lists
from fakemail.imap.context import ImapContext
from fakemail.imap.responses import Completed
from fakemail.imap.syntax.scanner import Scanner
from fakemail.imap.syntax.search_keys import SearchKey, ThreadAlgorithm
from fakemail.imap.syntax.search_program import required_by_keys, search_charset, search_keys
from fakemail.types.stage import Stage

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
