"""HTML mail as a person reads it: plain text and the links, from one pass of the standard parser.

Nothing is loaded, run or rendered.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Final, NamedTuple

_DROPPED: Final = frozenset({"script", "style", "head", "title", "template"})
_PARAGRAPHS: Final = frozenset(
    {"p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "table", "blockquote", "pre", "hr", "dl"}
)
_LINES: Final = frozenset(
    {
        "br",
        "div",
        "tr",
        "li",
        "section",
        "article",
        "header",
        "footer",
        "address",
        "dt",
        "dd",
        "center",
        "form",
    }
)
_SPACE: Final = re.compile(r"\s+")
# RFC 3986 §3.1 and the two characters after which no URL in running text goes on.
_BARE_URL: Final = re.compile(r"(?:https?|ftp)://[^\s<>\"]++|mailto:[^\s<>\"]++", re.IGNORECASE)
_PAIRS: Final = {")": "(", "]": "[", "}": "{"}


class Link(NamedTuple):
    """A link: what a person sees of it, and where it leads."""

    text: str
    url: str


class Hypertext(NamedTuple):
    """What an HTML document says, and its links in order."""

    text: str
    links: tuple[Link, ...]


def read_html(html: str) -> Hypertext:
    """Read an HTML document of any quality."""
    reader = _Reader()
    try:
        reader.feed(html)
        reader.close()
    except (AssertionError, ValueError):
        # The standard parser gives up on some broken declarations; what came before them counts.
        pass
    reader.end_link()
    return Hypertext(reader.finished_text(), tuple(reader.links))


def bare_links(text: str) -> list[Link]:
    """The URLs that stand in plain text.

    The text of such a link is what comes before it on its line, or else the line of text above it, or
    else the URL: ``Confirm your address: https://...`` is the link "Confirm your address".
    """
    links: list[Link] = []
    above = ""
    for line in text.splitlines():
        end = 0
        for match in _BARE_URL.finditer(line):
            url = _trim(match[0])
            label = _label(line[end : match.start()]) or above or url
            links.append(Link(label, url))
            end = match.start() + len(url)
        rest = _label(line[end:])
        if rest or end:
            above = "" if end else rest
    return links


def _label(text: str) -> str:
    return _SPACE.sub(" ", text).strip(" \t.,:;-–>*<([\"'")


def _trim(url: str) -> str:
    """Cut off the punctuation of the sentence around a URL; a bracket stays when its pair is inside."""
    opened = {mark: url.count(mark) for mark in _PAIRS.values()}
    closed = {mark: url.count(mark) for mark in _PAIRS}
    end = len(url)
    while end:
        mark = url[end - 1]
        if mark in _PAIRS and closed[mark] > opened[_PAIRS[mark]]:
            closed[mark] -= 1
        elif mark not in ".,:;!?'*":
            break
        end -= 1
    return url[:end]


class _Reader(HTMLParser):
    """Collects text with line breaks, and links."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.links: list[Link] = []
        self._out: list[str] = []
        self._breaks = 2  # line ends already standing at the end of the text
        self._space = False
        self._dropped = ""
        self._pre = 0
        self._href: str | None = None
        self._anchor: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._dropped:
            # A head that is never closed ends where the body starts.
            if self._dropped in ("head", "title") and tag == "body":
                self._dropped = ""
            return
        if tag in _DROPPED:
            self._dropped = tag
        elif tag == "a":
            self.end_link()
            self._href = _attribute(attrs, "href")
        elif tag == "img":
            self._say(_attribute(attrs, "alt") or "")
        elif tag in _PARAGRAPHS:
            self._break(2)
            self._pre += tag == "pre"
        elif tag in _LINES:
            self._break(1, force=tag == "br")
            if tag == "li":
                self._say("- ")
        elif tag in ("td", "th"):
            self._space = True

    def handle_endtag(self, tag: str) -> None:
        if self._dropped:
            if tag == self._dropped:
                self._dropped = ""
        elif tag == "a":
            self.end_link()
        elif tag in _PARAGRAPHS:
            self._break(2)
            self._pre -= tag == "pre" and self._pre > 0
        elif tag in _LINES:
            self._break(1)

    def handle_data(self, data: str) -> None:
        if not self._dropped:
            self._say(data)

    def end_link(self) -> None:
        """Finish the link that is open, if one is."""
        if self._href is not None:
            text = _SPACE.sub(" ", "".join(self._anchor)).strip()
            self.links.append(Link(text, self._href))
        self._href = None
        self._anchor.clear()

    def finished_text(self) -> str:
        """The text so far, without blank edges."""
        text = "".join(self._out).strip()
        return text + "\n" if text else ""

    def _say(self, data: str) -> None:
        if self._href is not None:
            self._anchor.append(data)
        if self._pre:
            self._out.append(data)
            self._breaks = int(data.endswith("\n"))
            return
        text = _SPACE.sub(" ", data)
        if text.startswith(" "):
            self._space = True
        body = text.strip()
        if body:
            self._out.append((" " if self._space and not self._breaks else "") + body)
            self._breaks = 0
        if body or self._breaks:
            self._space = bool(body) and text.endswith(" ")

    def _break(self, lines: int, *, force: bool = False) -> None:
        if self._href is not None:
            self._anchor.append(" ")
        missing = lines if force else lines - self._breaks
        if missing > 0 and self._breaks < 2:
            self._out.append("\n" * missing)
            self._breaks += missing
        self._space = False


def _attribute(attrs: list[tuple[str, str | None]], name: str) -> str | None:
    found = next((value for key, value in attrs if key == name), None)
    return None if found is None else found.strip()
