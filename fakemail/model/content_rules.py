"""Content checks of a policy as data: the names of the checks, the rules they go by, and the thresholds of the score.
The checks themselves are in :mod:`fakemail.policy.content`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from ipaddress import ip_address
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from fakemail.errors import DeclarationError, nearest
from fakemail.model.schema import (
    KINDS,
    TEXTS,
    InvalidSentence,
    InvalidValue,
    Place,
    Problems,
    Table,
    is_number,
    plain,
    read_texts,
    require,
)
from fakemail.types.dataclass import dataclass
from fakemail.types.domains import a_labels

CHECK_GROUPS: Final = MappingProxyType(
    {
        "form": (
            "required_fields",
            "message_id",
            "duplicate_fields",
            "header_syntax",
            "from_field",
            "date_field",
            "header_size",
            "line_limit",
            "line_length",
            "bare_line_ends",
            "nul",
            "eight_bit_header",
            "eight_bit_body",
        ),
        "structure": (
            "mime_depth",
            "mime_parts",
            "mime_version",
            "content_types",
            "boundaries",
            "encodings",
            "charsets",
        ),
        "files": (
            "attachment_extension",
            "double_extension",
            "disguised_program",
            "encrypted_archive",
            "archive_bounds",
            "broken_archive",
        ),
        "marks": ("gtube", "eicar"),
        "words": (
            "keywords",
            "shouted_subject",
            "excited_subject",
            "no_subject",
            "no_plain_text",
            "pictures_only",
            "active_html",
        ),
        "links": (
            "link_mismatch",
            "link_address",
            "link_login",
            "link_shortener",
            "link_number",
            "link_blocklist",
        ),
    }
)
"""The names of the checks of content, by group, in the order in which they run."""
CHECK_NAMES: Final = tuple(name for names in CHECK_GROUPS.values() for name in names)
STEPS: Final = ("tag", "quarantine", "refuse")
"""Dispositions that a score can have, the mildest first."""
SCANNERS: Final = ("spamassassin", "rspamd", "clamav")
"""The real scanners that can be asked, by name."""
BULK_PACKS: Final = ("gmail-like", "yahoo-like", "microsoft-like")
"""The rules of large receivers for bulk senders, by the name of the pack."""
BULK_RULES: Final = (
    "authenticated",
    "spf",
    "dkim",
    "dmarc_record",
    "alignment",
    "reverse_dns",
    "tls",
    "format",
    "message_id",
    "one_author",
    "impersonation",
    "unsubscribe",
    "one_click",
    "unsubscribe_link",
    "rate",
)
"""Rules that such a pack can have, in the order in which they are checked."""


def listed(words: str) -> frozenset[str]:
    """A set from words with white space between them."""
    return frozenset(words.split())


# Files that a click starts, as large providers and mail programs refuse them.
PROGRAMS: Final = listed(
    "ade adp apk appx bat cab chm cmd com cpl dll dmg exe hta ins iso isp jar js jse lib lnk mde msc msi msix msp "
    "mst nsh pif ps1 reg scr sct shb sys vb vbe vbs vhd vxd wsc wsf wsh xll"
)
# A name that ends with two extensions, of which the first is one of these, is made to deceive.
DOCUMENTS: Final = listed(
    "avi bmp csv doc docx gif htm html jpeg jpg mp3 mp4 odt pdf png ppt pptx rtf txt wav xls xlsx zip"
)
SHORTENERS: Final = listed(
    "bit.ly buff.ly cutt.ly goo.gl is.gd ow.ly rb.gy rebrand.ly shorturl.at t.co t.ly tiny.cc tinyurl.com v.gd"
)
KEYWORDS: Final = (
    ("100% free", 1.0),
    ("act now", 0.5),
    ("cheap meds", 2.5),
    ("click here now", 1.0),
    ("double your money", 2.0),
    ("earn money from home", 2.0),
    ("lottery winner", 2.5),
    ("make money fast", 2.5),
    ("no prescription", 2.0),
    ("online casino", 2.0),
    ("risk-free", 0.5),
    ("this is not spam", 2.0),
    ("you have been selected", 1.0),
    ("you have won", 2.0),
)


@dataclass(frozen=True, slots=True)
class ContentRules:
    """The limits, lists and points that checks of content go by. Names of files and domains are lower-case."""

    points: tuple[tuple[str, float], ...] = ()
    """Points of checks by name, in place of the usual ones; 0 keeps a check out of the score."""
    max_fields: int = 500
    """Fields in the header."""
    max_header: int = 102_400
    """Bytes in the header."""
    max_depth: int = 15
    """Parts inside of parts."""
    max_parts: int = 500
    """Parts of a message in all."""
    extensions: frozenset[str] = PROGRAMS
    """Extensions of files that are not taken, in archives as well."""
    max_members: int = 1000
    """Files in the archives of a message."""
    max_unpacked: int = 20 * 1024 * 1024
    """Bytes that the archives of a message may unpack to."""
    max_ratio: int = 200
    """Largest permitted ratio of a file in an archive to its packed form."""
    max_nesting: int = 2
    """Archives inside of archives."""
    keywords: tuple[tuple[str, float], ...] = KEYWORDS
    """Words in subject and text, whatever their case and white space, and their points."""
    max_links: int = 50
    """Links in a message."""
    shorteners: frozenset[str] = SHORTENERS
    """Domains that hide where a link leads."""
    url_blocklists: tuple[str, ...] = ()
    """Zones that list domains of links: ``example.com`` is listed where ``example.com.ZONE`` has an address."""
    min_words: int = 10
    """Words that a message with pictures should have."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From how many points on a message is tagged, put into Junk, or refused; ``None`` for never."""

    tag: float | None = 5.0
    quarantine: float | None = None
    refuse: float | None = None

    def step(self, score: float) -> str:
        """The severest of :data:`STEPS` that a score calls for, ``""`` for none."""
        reached = [name for name in STEPS if (limit := getattr(self, name)) is not None and score >= limit]
        return reached[-1] if reached else ""


USUAL_RULES: Final = ContentRules()


class ScannerAddress(NamedTuple):
    """A real scanner, and where it is."""

    name: str
    at: str
    """A loopback address and a port, ``127.0.0.1:783``, or the path of a Unix socket."""

    @property
    def place(self) -> str | tuple[str, int]:
        """The path, or address and port."""
        if self.at.startswith("/"):
            return self.at
        host, _, port = self.at.rpartition(":")
        return host.strip("[]"), int(port)


class BulkSender(NamedTuple):
    """The rules of a large receiver, and for whom they hold."""

    like: str
    """One of :data:`BULK_PACKS`."""
    counts_from: int = 0
    """Messages of a registered domain in a day from which it counts as a bulk sender; who sends less is asked less."""
    outcomes: tuple[tuple[str, str], ...] = ()
    """Dispositions of rules in place of those of the pack, by the name of the rule."""
    rate: tuple[int, timedelta] | None = None
    """Messages from one address in a span; more are deferred with the receiver's own reply (no receiver publishes a
    figure)."""


# Reading and writing --------------------------------------------------------------------------------------


def _read_points(value: Any) -> dict[str, float]:
    require(isinstance(value, Mapping), f"must give points by name, such as {{'gtube': 100}}, not {value!r}.")
    for name, points in value.items():
        if not isinstance(name, str) or not is_number(points):
            raise InvalidValue(f"has points by name: {name!r} must have a number of points, not {points!r}.")
    return {name: float(points) for name, points in value.items()}


def _read_points_of_checks(value: Any) -> tuple[tuple[str, float], ...]:
    points = _read_points(value)
    wrong = [
        f"there is no check {name!r}; {nearest(name, CHECK_NAMES)}"
        for name in points
        if name not in CHECK_NAMES
    ]
    if wrong:
        raise InvalidSentence(*wrong)
    return tuple(points.items())


def _read_keywords(value: Any) -> tuple[tuple[str, float], ...]:
    given = {_folded(words): points for words, points in _read_points(value).items()}
    return tuple((words, points) for words, points in {**dict(KEYWORDS), **given}.items() if points)


def _write_keywords(keywords: Iterable[tuple[str, float]]) -> dict[str, float]:
    given, usual = dict(keywords), dict(KEYWORDS)
    return {
        words: given.get(words, 0) for words in {**usual, **given} if given.get(words) != usual.get(words)
    }


def _read_names(value: Any) -> tuple[str, ...]:
    odd = (
        next((each for each in value if not isinstance(each, str)), None)
        if isinstance(value, list | tuple)
        else None
    )
    require(odd is None, f"must be a list of strings; {odd!r} is none.")
    return read_texts(value)


CONTENT_RULES: Final = Table(
    ContentRules,
    {
        **KINDS,
        "points": plain("points by name", _read_points_of_checks, dict),
        "keywords": plain("points by words", _read_keywords, _write_keywords),
        tuple[str, ...]: plain(TEXTS.says, _read_names, list),
        frozenset[str]: plain(
            TEXTS.says,
            lambda value: frozenset(a_labels(each).lstrip(".") for each in _read_names(value)),
            sorted,
        ),
    },
    says='a table of rules, such as `{"max_links": 10}`',
    unknown="there is no rule {key!r}; {hint}",
)
"""The rules by name. Keywords are added to the default ones, and one with 0 points is taken away; lists take the place
of the default ones.
"""


def read_rules(changes: Mapping[str, Any], *, where: str = "") -> ContentRules:
    """Rules in plain types; what is not given stays as it is.

    Raises :class:`~fakemail.errors.DeclarationError`, which begins with ``where``.
    """
    if not isinstance(changes, Mapping):
        raise DeclarationError(f"{where}give rules by name, such as {{'max_links': 10}}, not {changes!r}.")
    problems = Problems()
    rules = CONTENT_RULES.read(changes, Place(problems))
    problems.raise_all(where, f"{where}{{count}} mistakes:")
    return rules or USUAL_RULES


def read_thresholds(value: object, *, where: str = "") -> Thresholds:
    """Thresholds as a test or a file gives them: ``{"tag": 5, "quarantine": 8, "refuse": 15}``, or ``True``.

    A threshold that is not given is never reached; ``True`` stands for a tag at 5 points. Raises
    :class:`~fakemail.errors.DeclarationError`.
    """
    if value is True:
        return Thresholds()
    if not isinstance(value, Mapping):
        raise DeclarationError(
            f"{where}give thresholds such as {{'tag': 5, 'quarantine': 8, 'refuse': 15}}, not {value!r}."
        )
    given: dict[str, Any] = {"tag": None}
    for name, limit in value.items():
        if name not in STEPS:
            raise DeclarationError(f"{where}there is no step {name!r}; {nearest(str(name), STEPS)}")
        if not is_number(limit):
            raise DeclarationError(f"{where}{name!r} must be a number of points, not {limit!r}.")
        given[name] = float(limit)
    limits = [given[name] for name in STEPS if given.get(name) is not None]
    if limits != sorted(limits):
        raise DeclarationError(
            f"{where}a message is tagged before it is quarantined, and quarantined before it is refused, "
            f"so the points cannot be {dict(value)!r}."
        )
    return Thresholds(**given)


def write_thresholds(thresholds: Thresholds | None) -> dict[str, float]:
    """Thresholds as :func:`read_thresholds` takes them."""
    return {name: limit for name in STEPS if (limit := getattr(thresholds, name, None)) is not None}


def read_scanners(value: object) -> tuple[ScannerAddress, ...]:
    """Scanners as a test or a file gives them: ``{"clamav": "127.0.0.1:3310"}``, or the path of a Unix socket.

    Raises :class:`~fakemail.errors.DeclarationError` for anything that is not on this machine.
    """
    if not isinstance(value, Mapping):
        raise DeclarationError(
            f"give scanners by name, such as {{'clamav': '127.0.0.1:3310'}}, not {value!r}."
        )
    return tuple(_scanner(name, at) for name, at in value.items())


def _scanner(name: object, at: object) -> ScannerAddress:
    if name not in SCANNERS:
        raise DeclarationError(f"there is no scanner {name!r}; {nearest(str(name), SCANNERS)}")
    if isinstance(at, str) and at.startswith("/"):
        return ScannerAddress(str(name), at)
    host, _, port = at.rpartition(":") if isinstance(at, str) else ("", "", "")
    try:
        is_here = ip_address(host.strip("[]")).is_loopback and 0 < int(port) < 65536
    except ValueError:
        is_here = False
    if not is_here:
        raise DeclarationError(
            f"{name!r} is at a loopback address and a port, such as '127.0.0.1:783', or at the path of a Unix "
            f"socket, not at {at!r}; nothing leaves this machine."
        )
    return ScannerAddress(str(name), str(at))


def _folded(words: str) -> str:
    return " ".join(words.lower().split())
