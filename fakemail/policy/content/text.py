"""Checks of the text of a message: where its links lead, words, shouting, and pictures without text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Final
from urllib.parse import SplitResult, urlsplit

from fakemail.model.content_rules import listed
from fakemail.policy.content.content_view import ContentView
from fakemail.policy.suffixes import registered_domain
from fakemail.types.domains import a_labels

# What in the text of a link is read as an address of the web.
_SAID: Final = re.compile(
    r"\b(?:https?://)?((?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.){1,8}[a-z]{2,24})\b(?!@)", re.IGNORECASE
)
# A file name is no domain, though ``zip`` and ``mov`` are top-level domains as well.
_FILES: Final = listed("csv doc docx gif html jpg mov pdf png ppt txt xls xlsx zip")
_MOST_TEXT: Final = 500
"""Characters of the text of a link that are looked at; people see no more of it."""
_MOST_NAMES: Final = 100
"""Domains of one message that a blocklist is asked for."""


def link_mismatch(matter: ContentView) -> str:
    """A text that says one domain, and a link that leads to another."""
    for link in matter.links:
        host = _host(link.url)
        said = _SAID.search(link.text[:_MOST_TEXT])
        if not host or said is None or said[1].rpartition(".")[2].lower() in _FILES or "@" in link.text:
            continue
        if registered_domain(said[1]) != registered_domain(host):
            return f"a link says {said[1]} and leads to {host}"
    return ""


def link_address(matter: ContentView) -> str:
    """A link to an address in place of a name, in whatever way it is written."""
    for host in _hosts(matter):
        if _is_address(host):
            return f"a link leads to the address {host}"
    return ""


def link_login(matter: ContentView) -> str:
    """A link with a login before the host, which people read as the host."""
    for link in matter.links:
        url = _split(link.url)
        if url is not None and url.scheme in ("http", "https") and "@" in url.netloc:
            return f"a link has a login in it: {url.netloc[:80]}"
    return ""


def link_shortener(matter: ContentView) -> str:
    """A link that hides where it leads."""
    for host in _hosts(matter):
        if host in matter.rules.shorteners or host.removeprefix("www.") in matter.rules.shorteners:
            return f"a link is shortened by {host}"
    return ""


def link_number(matter: ContentView) -> str:
    """More links than people write."""
    number, most = len(matter.links), matter.rules.max_links
    return f"there are {number} links, more than {most}" if number > most else ""


def link_blocklist(matter: ContentView) -> str:
    """A link to a domain that a blocklist has (asked as those of SURBL and URIBL are)."""
    if not matter.rules.url_blocklists:
        return ""
    names = dict.fromkeys(_listed_as(host) for host in _hosts(matter))
    for name in list(names)[:_MOST_NAMES]:
        for zone in matter.rules.url_blocklists:
            answer = matter.facts.resolve(f"{name}.{zone}", "A")
            if any(record.type == "A" for record in answer.answer):
                return f"a link leads to {name}, which {zone} lists"
    return ""


def _hosts(matter: ContentView) -> Iterator[str]:
    """The hosts of all links to the web, in order, each once."""
    seen = set()
    for link in matter.links:
        host = _host(link.url)
        if host and host not in seen:
            seen.add(host)
            yield host


def _host(url: str) -> str:
    """The host of a link to the web in small letters, ``""`` for any other link."""
    found = _split(url)
    if found is None or found.scheme not in ("http", "https"):
        return ""
    try:
        return a_labels(found.hostname or "")
    except ValueError:
        return ""


def _split(url: str) -> SplitResult | None:
    try:
        return urlsplit(url)
    except ValueError:
        return None


def _is_address(host: str) -> bool:
    """Whether a host is an address, also as one number or in octal or hexadecimal, as browsers read it."""
    try:
        ip_address(host)
        return True
    except ValueError:
        return bool(re.fullmatch(r"(?:0x[0-9a-f]+|\d+)(?:\.(?:0x[0-9a-f]+|\d+)){0,3}", host))


def _listed_as(host: str) -> str:
    """Under which name a blocklist has a host: its registered domain, or its address turned round."""
    try:
        address = ip_address(host)
    except ValueError:
        return registered_domain(host) or host
    return address.reverse_pointer.removesuffix(".in-addr.arpa").removesuffix(".ip6.arpa")


_PICTURE: Final = re.compile(r"<img\b", re.IGNORECASE)
# What no mail program runs, and what only those send who hope that one does.
_ACTIVE: Final = re.compile(
    r"<(script|iframe|object|embed|form)\b|\bon(?:load|click|error)\s*=", re.IGNORECASE
)
_SHOUTED: Final = 8
"""Letters that a subject must have before it can be called shouting."""


def keywords(matter: ContentView) -> str:
    """Words and phrases that spam is fond of."""
    found = [repr(words) for words, _ in matter.rules.keywords if words in matter.words]
    return f"it says {', '.join(found)}" if found else ""


def keyword_points(matter: ContentView) -> float:
    """The points of the words that are there, each counted once."""
    return sum(points for words, points in matter.rules.keywords if words in matter.words)


def shouted_subject(matter: ContentView) -> str:
    """A subject in capitals."""
    subject = matter.message.subject
    letters = [char for char in subject if char.isalpha()]
    is_shouted = len(letters) >= _SHOUTED and subject.upper() == subject and subject.lower() != subject
    return f"the subject is in capitals: {subject[:60]!r}" if is_shouted else ""


def excited_subject(matter: ContentView) -> str:
    """A subject with marks in rows, such as ``!!!`` or ``$$``."""
    found = re.search(r"[!?]{3,}|\${2,}", matter.message.subject)
    return f"the subject has {found[0][:20]!r} in it" if found else ""


def no_subject(matter: ContentView) -> str:
    """A message without any subject."""
    return "" if matter.message.subject.strip() else "there is no subject"


def no_plain_text(matter: ContentView) -> str:
    """HTML without the same in plain text beside it."""
    kinds = {part.content_type for part in matter.parts}
    return "there is HTML and no plain text" if "text/html" in kinds and "text/plain" not in kinds else ""


def pictures_only(matter: ContentView) -> str:
    """Pictures in place of words, which a filter could read."""
    pictures = sum(part.type.main == "image" for part in matter.parts)
    pictures += len(_PICTURE.findall(matter.message.html))
    if not pictures:
        return ""
    words = len(re.findall(r"\w+", matter.message.text))
    if words >= matter.rules.min_words:
        return ""
    return f"there are {pictures} pictures and {words} words"


def active_html(matter: ContentView) -> str:
    """HTML with scripts, frames or forms."""
    found = _ACTIVE.search(matter.message.html)
    return f"the HTML has {found[0]!r} in it" if found else ""
