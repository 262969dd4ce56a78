"""Checks of the links in a message: where they say they lead, and where they do."""

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
