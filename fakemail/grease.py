"""Table of what may differ from server to server, and the filter that varies replies and responses by chance.

Everything here is legal: a client that keeps to the standards sees the same as ever. One :class:`Grease` belongs to one
connection and is held by its session, so that what is said on one connection does not shift what another one hears.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Final, NamedTuple, TypeVar

from fakemail.types.reply import Reply
from fakemail.types.seeded_random import SeededRandom, seed_from
from fakemail.types.stage import Stage

_T = TypeVar("_T")


class VariationPoint(NamedTuple):
    """One thing that varies."""

    name: str
    protocol: str
    what: str
    source: str
    """The section that makes it legal."""


VARIETIES: Final = (
    VariationPoint(
        "segments",
        "all",
        "answers come in several TCP segments, cut anywhere; not those of IDLE",
        "RFC 9293 §2.2",
    ),
    VariationPoint(
        "windows",
        "all",
        "many services take in a few thousand octets before they are read, in small segments",
        "RFC 9293 §3.8.6",
    ),
    VariationPoint(
        "lines", "SMTP", "replies have several lines, the banner and the reply to DATA too", "RFC 5321 §4.2.1"
    ),
    VariationPoint("texts", "SMTP", "replies have other texts, or none", "RFC 5321 §4.2"),
    VariationPoint("keyword order", "SMTP", "the keywords of EHLO come in any order", "RFC 5321 §4.1.1.1"),
    VariationPoint("keyword case", "SMTP", "most keywords of EHLO come in any case", "RFC 5321 §2.4"),
    VariationPoint("unknown keywords", "SMTP", "EHLO has keywords that nobody knows", "RFC 5321 §2.2.2"),
    VariationPoint("no enhanced codes", "SMTP", "some servers have no enhanced status codes", "RFC 2034 §2"),
    VariationPoint("capability order", "IMAP", "capabilities come in any order", "RFC 9051 §7.2.2"),
    VariationPoint(
        "untagged OK", "IMAP", "there are untagged responses that nobody asked for", "RFC 9051 §7.1.1"
    ),
    VariationPoint(
        "flags",
        "IMAP",
        "behind the data of FETCH the flags of a message are told that nobody asked for",
        "RFC 9051 §7.5.2",
    ),
    VariationPoint(
        "literals", "IMAP", "strings of LIST and ENVELOPE come as literals, or quoted", "RFC 9051 §4.3"
    ),
    VariationPoint("order of data", "IMAP", "the items of FETCH come in any order", "RFC 9051 §7.5.2"),
    VariationPoint("texts", "IMAP", "tagged responses have other texts", "RFC 9051 §7.1"),
    VariationPoint("texts", "POP3", "answers whose text means nothing have others, or none", "RFC 1939 §3"),
    VariationPoint("capability order", "POP3", "CAPA lists its lines in any order", "RFC 2449 §5"),
)

_WINDOWS: Final = (None, 2048, 4096, 8192)
_LONGEST_CUT: Final = 2048
# What a careless reader may take for something else: a code in the text, a text like an address, a hyphen.
_TEXTS: Final = (
    "",
    "OK",
    "Ok.",
    "550 is no code of this reply",
    "-",
    "done <a@b.test>",
    "as you wish; next, please",
)
_IMAP_TEXTS: Final = (
    "Ok",
    "NO problem at all.",
    "done (0.001 + 0.000 secs).",
    "BAD weather, but completed.",
    ".",
)
_UNKNOWN: Final = ("XFORWARD NAME ADDR", "X-EXPS GSSAPI NTLM", "X-LINK2STATE", "XSHADOW")
# curl knows these in capital letters only, and nobody who uses it can help it.
_IN_CAPITALS: Final = frozenset({"STARTTLS", "AUTH", "SIZE", "SMTPUTF8"})
# LIST and LSUB: the mailbox is an astring, and behind it nothing or a list in parentheses (RFC 9051 §9).
_LISTED: Final = re.compile(rb'(\* (?:LIST|LSUB) \([^)]*\) (?:"[^"]*"|NIL) )("?)([A-Za-z0-9/._-]+)\2(\r\n)\Z')
# The first two strings of an envelope: Date and Subject (RFC 9051 §7.5.2).
_ENVELOPE: Final = re.compile(rb'(ENVELOPE \()"([^"\\\r\n]*)" "([^"\\\r\n]*)"')


class Grease:
    """The variations of one connection: texts, orders, segments."""

    def __init__(self, chance: SeededRandom) -> None:
        self._chance = chance
        self.has_codes = not self._may(0.3)
        """Whether its server has enhanced status codes."""

    def _may(self, probability: float) -> bool:
        return self._chance.probability() < probability

    def _one(self, choices: tuple[str, ...]) -> str:
        return choices[int(self._chance.probability() * len(choices))]

    def pieces(self, output: bytes) -> list[bytes]:
        """The output, cut where it pleases; what is long stays whole."""
        if not 1 < len(output) <= _LONGEST_CUT or self._may(0.3):
            return [output]
        places = {1 + int(self._chance.probability() * (len(output) - 1)) for _ in range(3)}
        if len(output) > 2 and self._may(0.5):
            places.add(len(output) - 1)  # between CR and LF
        edges = [0, *sorted(places), len(output)]
        return [output[start:end] for start, end in pairwise(edges)]

    def window(self) -> int | None:
        """Size of the receive window in bytes, ``None`` for the default of the system."""
        return _WINDOWS[int(self._chance.probability() * len(_WINDOWS))]

    def order(self, items: Sequence[_T]) -> list[_T]:
        """The items in another order."""
        found = list(items)
        self._chance.shuffle(found)
        return found

    def words(self, words: str) -> str:
        """Words in another order."""
        return " ".join(self.order(words.split(" ")))

    # SMTP ----------------------------------------------------------------------------------------

    def reply(self, stage: Stage, reply: Reply) -> Reply:
        """A reply that means the same."""
        if reply.code == 334:  # RFC 4954 §4: its text is the challenge
            return reply
        lines = reply.text.split("\n")
        if stage is Stage.SMTP_HELO and reply.is_positive:
            return Reply(reply.code, reply.enhanced, "\n".join(self._keywords(lines)))
        # The banner begins with the name of the host (RFC 5321 §4.2), and HELP and VRFY tell something.
        if (
            stage not in (Stage.SMTP_BANNER, Stage.SMTP_HELP, Stage.SMTP_VRFY, Stage.SMTP_EXPN)
            and reply.is_positive
        ):
            lines = [self._one(_TEXTS)] if self._may(0.6) else lines
        if self._may(0.5):
            lines = (
                [*lines, self._one(_TEXTS)]
                if self._may(0.5)
                else [lines[0], "", self._one(_TEXTS), *lines[1:]]
            )
        return Reply(reply.code, reply.enhanced, "\n".join(lines))

    def _keywords(self, lines: list[str]) -> list[str]:
        first, *keywords = lines
        if not keywords:
            return lines  # the reply to HELO
        if not self.has_codes:
            keywords = [line for line in keywords if line != "ENHANCEDSTATUSCODES"]
        if self._may(0.7):
            keywords.append(self._one(_UNKNOWN))
        self._chance.shuffle(keywords)
        return [first, *map(self._in_any_case, keywords)]

    def _in_any_case(self, line: str) -> str:
        keyword, space, rest = line.partition(" ")
        if keyword in _IN_CAPITALS:
            return line
        shown = (keyword, keyword.lower(), keyword.capitalize())
        return f"{self._one(shown)}{space}{rest}"

    # IMAP ----------------------------------------------------------------------------------------

    def response(self, octets: bytes) -> bytes:
        """An untagged response that means the same."""
        if self._may(0.3):
            return octets
        if match := _LISTED.fullmatch(octets):
            name = match[3]
            shown = (b"{%d}\r\n%s" % (len(name), name)) if self._may(0.5) else b'"%s"' % name
            return match[1] + shown + match[4]
        if octets.startswith(b"* ") and b" FETCH (" in octets[:30] and b"{" not in octets:
            return _ENVELOPE.sub(self._as_literals, octets)
        return octets

    @staticmethod
    def _as_literals(match: re.Match[bytes]) -> bytes:
        date, subject = match[2], match[3]
        return b'%s"%s" {%d}\r\n%s' % (match[1], date, len(subject), subject)

    def unasked(self) -> bytes:
        """An untagged response that means nothing, or no bytes."""
        return (
            b"* OK %s\r\n" % self._one(("Still here.", "[X-LOAD 0.1] busy", "a moment")).encode()
            if self._may(0.4)
            else b""
        )

    def repeats(self) -> bool:
        """Whether flags are told once more."""
        return self._may(0.4)

    def imap_text(self, text: str) -> str:
        """Another text for people."""
        return self._one(_IMAP_TEXTS) if self._may(0.6) else text

    # POP3 ----------------------------------------------------------------------------------------

    def pop3_text(self, text: str) -> str:
        """Another text for people."""
        return self._one(_TEXTS) if self._may(0.7) else text

    def capabilities(self, content: bytes) -> bytes:
        """The lines of CAPA in another order."""
        return b"\r\n".join(self.order(content.removesuffix(b"\r\n").split(b"\r\n"))) + b"\r\n"


def connection_grease(seed: int, connection: int) -> Grease:
    """The variations of a connection, the same ones for the same seed."""
    return Grease(SeededRandom(seed_from(f"grease of connection {connection} of {seed}")))


def receive_window(seed: int, service: str) -> int | None:
    """Bytes that a service of a host takes in before they are read; ``None`` for the default of the system."""
    return Grease(SeededRandom(seed_from(f"window of {service} of {seed}"))).window()
