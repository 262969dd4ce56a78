"""Conditions of rules, and the context that they are matched against: what is known at a moment of a stage."""

from __future__ import annotations

import re
from dataclasses import fields
from enum import Enum
from functools import lru_cache
from typing import Any, Final

from fakemail.types.address import Path, canonical
from fakemail.types.dataclass import dataclass
from fakemail.types.domains import u_labels
from fakemail.types.peer import Peer


class IdleMoment(Enum):
    """Values of ``argument`` at the stage of IDLE, where there are three moments."""

    START = "start"
    """The go-ahead."""
    UPDATES = "updates"
    """An untagged response without a command."""
    DONE = "DONE"
    """The client has had enough."""


@dataclass(frozen=True, slots=True)
class FaultContext:
    """Facts known at a moment, apart from the host; unknown ones are empty or ``None``."""

    client: Peer | None = None
    connection: int = 0
    """Its number, as transcripts print it."""
    service: str = ""
    """``smtp``, ``submission``, ``imaps``... or ``dns``."""
    login: str = ""
    """Login of the connection; at the stages of a login the one that is tried, where it is known."""
    sender: Path | None = None
    recipients: tuple[Path, ...] = ()
    """The one of this RCPT, later all of the transaction."""
    argument: str = ""
    """Argument behind the verb."""
    subject: str = ""
    message: str = ""
    """The number or the UID of the message that is asked for; of some, the set as IMAP writes it: ``1:3,7``."""
    octets: int = 0
    """Bytes of the message received so far."""
    query: str = ""
    """The name that DNS is asked for, lower-case and without the final dot."""
    query_type: str = ""
    """``MX``, ``TXT``..."""
    transport: str = ""
    """``udp`` or ``tcp``, of a question to DNS."""


@dataclass(frozen=True, slots=True)
class Match:
    """Conditions of a rule. All that are given must be met; without any it concerns everything.

    ``sender`` and ``recipient`` are a whole address, a domain written ``@example.org``, ``<>``, or a pattern with
    ``*``. ``client`` is the name of a host (``app`` for the program under test) or its address; it, ``login``,
    ``argument``, ``subject``, ``message`` and ``query`` may be patterns as well, and ``message`` is met by a set that
    it is in. Only ``*`` has a meaning in a pattern. Case does not matter.
    """

    client: str | None = None
    connection: int | None = None
    service: str | None = None
    login: str | None = None
    sender: str | None = None
    recipient: str | None = None
    argument: str | None = None
    subject: str | None = None
    message: str | None = None
    after: int | None = None
    """So many octets of the message must have come."""
    query: str | None = None
    query_type: str | None = None
    transport: str | None = None

    def fits(self, context: FaultContext) -> bool:
        """Whether the context are such."""
        return self.first_miss(context) is None

    def first_miss(self, context: FaultContext) -> str | None:
        """The first condition that is not met, with what there was instead; ``None`` when all are."""
        for name in self.conditions:
            found = FOUND[name](context)
            if not _matches(name, getattr(self, name), found):
                shown = u_labels(", ".join(str(each) for each in found)) or "nothing"
                return f"{WORDS[name]} was {shown}"
        return None

    @property
    def conditions(self) -> tuple[str, ...]:
        """The names of the conditions that are given."""
        return tuple(name for name in CONDITIONS if getattr(self, name) is not None)

    @property
    def recipient_key(self) -> str | None:
        """The recipient, if only one can be meant: whole, and in ASCII, where case is all that may differ."""
        wanted = "*" if self.recipient is None else canonical(self.recipient)
        return None if "*" in wanted or wanted.startswith("@") or not wanted.isascii() else wanted.lower()

    def __str__(self) -> str:
        return "".join(f", {WORDS[name]} {getattr(self, name)}" for name in self.conditions)


EVERYWHERE: Final = Match()
CONDITIONS: Final = tuple(field.name for field in fields(Match))
"""Conditions of a rule."""
WORDS: Final = {name: name.replace("_", " ") for name in CONDITIONS} | {"after": "octets of the message"}
FOUND: Final[dict[str, Any]] = {
    "client": lambda context: () if context.client is None else (context.client.name, context.client.address),
    "connection": lambda context: (context.connection,),
    "service": lambda context: (context.service,),
    "login": lambda context: (context.login,),
    "sender": lambda context: () if context.sender is None else (context.sender,),
    "recipient": lambda context: context.recipients,
    "argument": lambda context: (context.argument,),
    "subject": lambda context: (context.subject,),
    "message": lambda context: (context.message,),
    "after": lambda context: (context.octets,),
    "query": lambda context: (context.query,),
    "query_type": lambda context: (context.query_type,),
    "transport": lambda context: (context.transport,),
}
"""Values of the context for each condition; one of them must match."""
# The conditions about names of the DNS and addresses.
_NAMES: Final = frozenset({"client", "login", "sender", "recipient", "query"})


def _matches(name: str, wanted: Any, found: tuple[Any, ...]) -> bool:
    if name == "connection":
        return wanted in found
    if name == "after":
        return any(octets >= wanted for octets in found)
    if name in ("sender", "recipient") and wanted.startswith("@"):
        wanted = f"*{wanted}"
    if name == "message" and wanted.isdecimal():
        return any(_holds(each, int(wanted)) for each in found)
    if name in _NAMES:
        return any(_is_named(wanted, canonical(str(each))) for each in found)
    pattern = _pattern(wanted)
    return any(pattern.fullmatch(str(each)) for each in found)


def _is_named(wanted: str, name: str) -> bool:
    """Whether a name is meant, in whichever form it is asked for; a pattern may be cut inside a U-label."""
    pattern = _pattern(canonical(wanted))
    return any(pattern.fullmatch(form) for form in (name, u_labels(name)))


@lru_cache(maxsize=256)
def _pattern(text: str) -> re.Pattern[str]:
    """``*`` stands for anything, and everything else for itself: brackets are usual in subjects and in FETCH."""
    return re.compile(".*".join(map(re.escape, text.split("*"))), re.IGNORECASE | re.DOTALL)


def _holds(messages: str, number: int) -> bool:
    """Whether a message is in a set of numbers or UIDs (RFC 9051 §9, ``sequence-set``), as far as one can see.

    Nobody knows here what the last one is, so ``2:*`` holds all from 2 on, and ``*`` alone holds none.
    """
    for part in messages.split(","):
        first, _, last = part.partition(":")
        ends = [int(end) for end in (first, last or first) if end.isdecimal()]
        is_open = "*" in (first, last) and bool(last)
        if ends and min(ends) <= number and (is_open or number <= max(ends)):
            return True
    return False
