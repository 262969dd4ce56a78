"""Table of the content checks (name, function, points), the score of their findings, and the header fields for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from types import MappingProxyType
from typing import Final

from fakemail.message.trace import prepend, without_fields
from fakemail.model.content_rules import ContentRules
from fakemail.policy.content import attachments, form, text
from fakemail.policy.content.content_view import ContentView
from fakemail.policy.finding import AuthStatus, Finding
from fakemail.policy.transaction_facts import TransactionFacts
from fakemail.types.dataclass import dataclass
from fakemail.types.reason import Reason

_LONGEST: Final = 300
"""Characters of what a check says; enough for a reply."""


@dataclass(frozen=True, slots=True)
class ContentCheck:
    """One check of content."""

    name: str
    group: str
    look: Callable[[ContentView], str]
    """Function that states the problem in a sentence; empty where there is none."""
    points: float
    """Towards the score, where something is wrong; those of :class:`ContentRules` go before."""
    reason: Reason
    """Reason of a rejection for this alone."""
    points_of: Callable[[ContentView], float] | None = None
    """The points where they depend on what was found."""

    @property
    def says(self) -> str:
        """Description of the check, for the reference."""
        return (self.look.__doc__ or "").strip()

    def find(self, matter: ContentView) -> Finding:
        """Look at a message."""
        sentence = _harmless(self.look(matter))
        if not sentence:
            return Finding(self.name, AuthStatus.PASS)
        usual = self.points if self.points_of is None else self.points_of(matter)
        score = dict(matter.rules.points).get(self.name, usual)
        return Finding(self.name, AuthStatus.FAIL, sentence, self.reason, score)


_TABLE: Final = (
    # The form of header, lines and bytes
    ContentCheck("required_fields", "form", form.required_fields, 2.5, Reason.BAD_HEADER),
    ContentCheck("message_id", "form", form.message_id, 1.0, Reason.BAD_HEADER),
    ContentCheck("duplicate_fields", "form", form.duplicate_fields, 2.5, Reason.BAD_HEADER),
    ContentCheck("header_syntax", "form", form.header_syntax, 2.0, Reason.BAD_HEADER),
    ContentCheck("from_field", "form", form.from_field, 2.0, Reason.BAD_HEADER),
    ContentCheck("date_field", "form", form.date_field, 1.5, Reason.BAD_HEADER),
    ContentCheck("header_size", "form", form.header_size, 3.0, Reason.HEADER_TOO_BIG),
    ContentCheck("line_limit", "form", form.line_limit, 1.5, Reason.BAD_MESSAGE),
    ContentCheck("line_length", "form", form.line_length, 0.0, Reason.BAD_MESSAGE),
    ContentCheck("bare_line_ends", "form", form.bare_line_ends, 2.0, Reason.BARE_LINE_END),
    ContentCheck("nul", "form", form.nul, 3.0, Reason.BAD_MESSAGE),
    ContentCheck("eight_bit_header", "form", form.eight_bit_header, 1.5, Reason.BAD_HEADER),
    ContentCheck("eight_bit_body", "form", form.eight_bit_body, 1.0, Reason.BAD_MESSAGE),
    # How it is put together
    ContentCheck("mime_depth", "structure", form.mime_depth, 4.0, Reason.BAD_MESSAGE),
    ContentCheck("mime_parts", "structure", form.mime_parts, 4.0, Reason.BAD_MESSAGE),
    ContentCheck("mime_version", "structure", form.mime_version, 0.5, Reason.BAD_MESSAGE),
    ContentCheck("content_types", "structure", form.content_types, 1.5, Reason.BAD_MESSAGE),
    ContentCheck("boundaries", "structure", form.boundaries, 2.0, Reason.BAD_MESSAGE),
    ContentCheck("encodings", "structure", form.encodings, 1.5, Reason.BAD_MESSAGE),
    ContentCheck("charsets", "structure", form.charsets, 0.5, Reason.BAD_MESSAGE),
    # The files that it carries
    ContentCheck(
        "attachment_extension", "files", attachments.attachment_extension, 4.0, Reason.ATTACHMENT_REFUSED
    ),
    ContentCheck("double_extension", "files", attachments.double_extension, 4.0, Reason.ATTACHMENT_REFUSED),
    ContentCheck("disguised_program", "files", attachments.disguised_program, 5.0, Reason.ATTACHMENT_REFUSED),
    ContentCheck("encrypted_archive", "files", attachments.encrypted_archive, 2.0, Reason.ATTACHMENT_REFUSED),
    ContentCheck("archive_bounds", "files", attachments.archive_bounds, 5.0, Reason.ATTACHMENT_REFUSED),
    ContentCheck("broken_archive", "files", attachments.broken_archive, 1.5, Reason.ATTACHMENT_REFUSED),
    # The marks that filters are tried out with
    ContentCheck("gtube", "marks", attachments.gtube, 1000.0, Reason.SPAM),
    ContentCheck("eicar", "marks", attachments.eicar, 1000.0, Reason.VIRUS),
    # What it says
    ContentCheck("keywords", "words", text.keywords, 0.0, Reason.SPAM, text.keyword_points),
    ContentCheck("shouted_subject", "words", text.shouted_subject, 1.5, Reason.SPAM),
    ContentCheck("excited_subject", "words", text.excited_subject, 0.5, Reason.SPAM),
    ContentCheck("no_subject", "words", text.no_subject, 1.0, Reason.SPAM),
    ContentCheck("no_plain_text", "words", text.no_plain_text, 1.0, Reason.SPAM),
    ContentCheck("pictures_only", "words", text.pictures_only, 2.0, Reason.SPAM),
    ContentCheck("active_html", "words", text.active_html, 2.0, Reason.SPAM),
    # Where it leads
    ContentCheck("link_mismatch", "links", text.link_mismatch, 2.5, Reason.SPAM),
    ContentCheck("link_address", "links", text.link_address, 1.5, Reason.SPAM),
    ContentCheck("link_login", "links", text.link_login, 2.0, Reason.SPAM),
    ContentCheck("link_shortener", "links", text.link_shortener, 0.5, Reason.SPAM),
    ContentCheck("link_number", "links", text.link_number, 1.0, Reason.SPAM),
    ContentCheck("link_blocklist", "links", text.link_blocklist, 4.0, Reason.LINK_LISTED),
)

CHECKS: Final = MappingProxyType({check.name: check for check in _TABLE})
"""Every check by name, in the order in which they run."""


def _harmless(sentence: str) -> str:
    """Words of a check without characters by which a message could harm a reply or a terminal."""
    shown = sentence if len(sentence) <= _LONGEST else f"{sentence[: _LONGEST - 3]}..."
    if shown.isascii() and shown.isprintable():
        return shown
    return ascii(shown)[1:-1][:_LONGEST]


def find(
    facts: TransactionFacts, rules: ContentRules, names: tuple[str, ...] = tuple(CHECKS)
) -> Iterator[Finding]:
    """Findings of the checks of those names in a message, one for each."""
    matter = ContentView(facts, rules)
    for name in names:
        yield CHECKS[name].find(matter)


_MOST_STARS: Final = 50
_LINE: Final = 76


@dataclass(frozen=True, slots=True)
class SpamScore:
    """Score of a message."""

    points: float
    required: float
    """From how many points on it is called spam."""
    checks: tuple[str, ...]
    """The names of the checks that gave points."""

    @property
    def is_spam(self) -> bool:
        """Whether it has the points that are required."""
        return self.points >= self.required

    def fields(self) -> bytes:
        """The header fields that filters write, and that mail programs and apps read, as complete lines.

        ``X-Spam-Flag``, ``X-Spam-Score``, ``X-Spam-Level`` and ``X-Spam-Status`` in the form of SpamAssassin.
        """
        words = "YES" if self.is_spam else "NO"
        lines = [f"X-Spam-Flag: {words}", f"X-Spam-Score: {self.points:.1f}"]
        stars = "*" * min(_MOST_STARS, max(0, int(self.points)))
        if stars:
            lines.append(f"X-Spam-Level: {stars}")
        status = f"X-Spam-Status: {words.capitalize()}, score={self.points:.1f} required={self.required:.1f}"
        lines += _folded(status, self.checks or ("none",))
        return "".join(f"{line}\r\n" for line in lines).encode("ascii", "replace")


def score(findings: Iterable[Finding], *, required: float = 5.0) -> SpamScore:
    """Add up the points of what was found."""
    found = [finding for finding in findings if finding.score]
    points = round(sum(finding.score for finding in found), 3)
    return SpamScore(points, required, tuple(dict.fromkeys(finding.check for finding in found)))


def with_fields(raw: bytes, fields: bytes) -> bytes:
    """A message with these fields in front, and without those of a filter that it came with, which could be forged."""
    return prepend(without_fields(raw, "x-spam-"), fields)


def _folded(start: str, checks: Iterable[str]) -> list[str]:
    """The status with its list of checks, folded where lines would grow too long (RFC 5322 §2.2.3)."""
    lines = [start]
    line = "\ttests="
    for at, name in enumerate(checks):
        piece = f",{name}" if at else name
        if len(line) + len(piece) > _LINE and at:
            lines.append(f"{line},")
            line, piece = "\t", name
        line += piece
    return [*lines, line]
