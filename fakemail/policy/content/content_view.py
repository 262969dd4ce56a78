"""Input of the content checks: one message, parsed once for all of them."""

from __future__ import annotations

from functools import cached_property
from typing import Final

from fakemail.message.headers import body_offset
from fakemail.message.html_text import Link
from fakemail.message.message import MessageView
from fakemail.message.mime import Part
from fakemail.model.content_rules import ContentRules
from fakemail.policy.content.archives import ArchiveScan, CarriedFile
from fakemail.policy.transaction_facts import TransactionFacts

_MOST_LINKS: Final = 2000
_MOST_TEXT: Final = 1024 * 1024


class ContentView:
    """A message while its content is evaluated. Everything is worked out at its first use and kept."""

    def __init__(self, facts: TransactionFacts, rules: ContentRules) -> None:
        self.facts = facts
        self.rules = rules

    @property
    def raw(self) -> bytes:
        """The message as it came."""
        return self.facts.content

    @property
    def message(self) -> MessageView:
        """The message, read lazily."""
        return self.facts.message

    @cached_property
    def header(self) -> bytes:
        """The header block with its blank line."""
        return self.raw[: body_offset(self.raw)]

    @cached_property
    def longest_line(self) -> tuple[int, int]:
        """The number of the longest line, from 1, and its bytes without the line end."""
        longest = number = 0
        for at, line in enumerate(self.raw.split(b"\n"), 1):
            if len(line) > longest:
                length = len(line) - line.endswith(b"\r")
                if length > longest:
                    longest, number = length, at
        return number, longest

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """Every part, in the order of the bytes."""
        return tuple(self.message.root.walk())

    @property
    def files(self) -> tuple[CarriedFile, ...]:
        """The parts that hold something, decoded, each followed by what is in it if it is an archive."""
        return self._unpacked[0]

    @property
    def archives(self) -> ArchiveScan:
        """Result of scanning the archives."""
        return self._unpacked[1]

    @cached_property
    def _unpacked(self) -> tuple[tuple[CarriedFile, ...], ArchiveScan]:
        rules = self.rules
        look = ArchiveScan(rules.max_members, rules.max_unpacked, rules.max_ratio, rules.max_nesting)
        found: list[CarriedFile] = []
        for part in self.parts:
            if not part.children and part.size:
                file = CarriedFile(part.filename, part.content)
                found.append(file)
                found.extend(look.into(file))
        return tuple(found), look

    @cached_property
    def links(self) -> tuple[Link, ...]:
        """The links that a person could follow; of very many only the first."""
        return tuple(self.message.links[:_MOST_LINKS])

    @cached_property
    def words(self) -> str:
        """Subject and text in small letters on one line; of a very long text only the start."""
        return " ".join(f"{self.message.subject} {self.message.text[:_MOST_TEXT]}".lower().split())
