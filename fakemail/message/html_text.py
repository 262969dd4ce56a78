"""HTML mail as a person reads it: plain text and the links, in one pass.

Nothing is loaded, run or rendered. The tokens are split here and not by ``html.parser``, which needs
quadratic time for unfinished tags (minutes for a hostile mail) and raises on some declarations.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from html.entities import html5
from typing import Final, NamedTuple
from urllib.parse import urljoin

MAX_READ: Final = 4 * 1024 * 1024
"""Limit of characters that are read: more than anybody writes by hand, and little enough for filters."""
MAX_TAGS: Final = 100_000
"""Tags of HTML that are read, for the same reason; and links of plain text."""

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
# WHATWG HTML §13.2.5: a tag ends at the first ">" outside a quoted value, and only "=" starts a value.
_TAG: Final = re.compile(r"<(/?)([A-Za-z][^\s/>]*+)((?:[^>=]++|=\s*+(?:\"[^\"]*+\"|'[^']*+')|=)*+)>")
_ATTRIBUTE: Final = re.compile(
    r"(?<![^\s\"'>/=])([^\s\"'>/=]++)\s*+=\s*+(?:\"([^\"]*+)\"|'([^']*+)'|([^\s>]++))"
)
# Elements whose content is text, not tags, up to their own end tag.
_RAW_END: Final = {
    name: re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE)
    for name in ("script", "style", "title", "textarea")
}
_SPACE: Final = re.compile(r"\s+")
# WHATWG HTML §13.2.5.73: in an attribute a name without its semicolon is no reference in front of "=" or, as no
# name goes on there, of a letter: "?a=1&copy=2" is what it says.
_REFERENCE: Final = re.compile(r"&(?:#(?:[xX][0-9A-Fa-f]++|[0-9]++);?|[A-Za-z][A-Za-z0-9]*+(?:;|(?!=)))")
# RFC 3986 §3.1; no URL in running text goes on behind white space, a bracket of §C, a quotation mark of whatever
# language, or the punctuation of a language that puts no blank behind it.
_UNTIL: Final = r"[^\s<>\"“”„«»‹›「」『』【】（），、。]++"
_BARE_URL: Final = re.compile(rf"(?:https?|ftp)://{_UNTIL}|mailto:{_UNTIL}", re.IGNORECASE)
# RFC 3986 appendix C: an old way to say that a URL follows.
_URL_PREFIX: Final = re.compile(r"<URL:[ \t]*+(?=(?:https?|ftp)://|mailto:)", re.IGNORECASE)
# RFC 3986 appendix C: between angle brackets a URL may be folded, and the white space is no part of it.
_FOLDED_URL: Final = re.compile(r"<((?:https?|ftp)://[^<>\"\r\n]++(?:\r?\n[^<>\"\r\n]++)+)>", re.IGNORECASE)
_PAIRS: Final = {")": "(", "]": "[", "}": "{"}


class Link(NamedTuple):
    """A link: what a person sees of it, and where it leads."""

    text: str
    url: str


class HtmlText(NamedTuple):
    """Text of an HTML document, and its links in order."""

    text: str
    links: tuple[Link, ...]


def read_html(html: str) -> HtmlText:
    """Read an HTML document of any quality; of one beyond :data:`MAX_READ` and :data:`MAX_TAGS` the beginning."""
    reader = _HtmlReader()
    left = MAX_TAGS
    for tag, closing, content in _tokens(html[:MAX_READ]):
        left -= bool(tag)
        if left < 0:
            break
        if not tag:
            reader.text(unescape(content))
        elif closing:
            reader.end_tag(tag)
        else:
            reader.start_tag(tag, content)
    reader.end_link()
    return HtmlText(reader.finished_text(), reader.finished_links())


def bare_links(text: str) -> list[Link]:
    """The URLs that stand in plain text; of one beyond :data:`MAX_READ` and :data:`MAX_TAGS` in its beginning.

    The text of such a link is what else stands on its line, or else the line of text above it, or else the URL:
    ``Confirm your address: https://...`` is the link "Confirm your address". Of several on one line each has what
    stands before it, and the last one also what stands behind it.
    """
    links: list[Link] = []
    above = ""
    for line in _FOLDED_URL.sub(_unfolded, _URL_PREFIX.sub("<", text[:MAX_READ])).splitlines():
        if len(links) >= MAX_TAGS:
            break
        end = 0
        for match in _BARE_URL.finditer(line):
            url = _trim(match[0])
            label = _label(line[end : match.start()])
            links.append(Link(label or above or url, url))
            end = match.start() + len(url)
        rest = _label(line[end:])
        if rest and end:
            last = links[-1]
            before = label or above
            links[-1] = last._replace(text=f"{before} {rest}" if before else rest)
        if rest or end:
            above = "" if end else rest
    return links


def _unfolded(match: re.Match[str]) -> str:
    return f"<{_SPACE.sub('', match[1])}>"


def _label(text: str) -> str:
    return _SPACE.sub(" ", text).strip(" \t.,:;!?-–>*<([)]\"'“”„«»‹›‘’「」『』【】（），：、。…")


def _trim(url: str) -> str:
    """Cut off the punctuation of the sentence around a URL; a bracket stays when its pair is inside."""
    opened = {mark: url.count(mark) for mark in _PAIRS.values()}
    closed = {mark: url.count(mark) for mark in _PAIRS}
    end = len(url)
    while end:
        mark = url[end - 1]
        if mark in _PAIRS and closed[mark] > opened[_PAIRS[mark]]:
            closed[mark] -= 1
        elif mark not in ".,:;!?'*’‘…":
            break
        end -= 1
    return url[:end]


def _tokens(html: str) -> Iterator[tuple[str, bool, str]]:
    """Tag name (lower-case, ``""`` for text), whether it is an end tag, attributes or text.

    What is not finished at the end of the document is dropped, as browsers do; that keeps it linear.
    """
    at, size = 0, len(html)
    while at < size:
        mark = html.find("<", at)
        if mark < 0:
            mark = size
        if mark > at:
            yield "", False, html[at:mark]
        following = html[mark + 1 : mark + 3]
        if following[:1] in ("!", "?") or (following[:1] == "/" and not following[1:].isalpha()):
            # A comment, a declaration, or what WHATWG HTML calls a bogus comment.
            ending = "-->" if html.startswith("<!--", mark) else ">"
            end = html.find(ending, mark + 2)
            at = size if end < 0 else end + len(ending)
        elif tag := _TAG.match(html, mark):
            name = tag[2].lower()
            yield name, bool(tag[1]), tag[3]
            at = tag.end()
            if name in _RAW_END and not tag[1]:
                found = _RAW_END[name].search(html, at)
                end = size if found is None else found.start()
                if name == "textarea":
                    yield "", False, html[at:end]
                at = end
        elif following[:1].isalpha() or following[:1] == "/":
            return
        else:
            if mark < size:
                yield "", False, "<"
            at = mark + 1


class _HtmlReader:
    """Collects text with line breaks, and links."""

    def __init__(self) -> None:
        self.links: list[Link] = []
        self._out: list[str] = []
        self._breaks = 2  # line ends already standing at the end of the text
        self._space = False
        self._dropped = ""
        self._pre = 0
        self._href: str | None = None
        self._anchor: list[str] = []
        self._base = ""

    def start_tag(self, tag: str, attributes: str) -> None:
        if tag == "base":
            # WHATWG HTML §4.2.3: the first one with an address counts, for all links.
            self._base = self._base or _url(attributes) or ""
            return
        if self._dropped:
            # A head that is never closed ends where the body starts.
            if self._dropped in ("head", "title") and tag == "body":
                self._dropped = ""
            return
        if tag in _DROPPED:
            self._dropped = tag
        elif tag == "a":
            self.end_link()
            self._href = _url(attributes)
        elif tag == "area":
            url = _url(attributes)
            if url is not None:
                self.links.append(Link(_attribute(attributes, "alt") or "", url))
        elif tag == "img":
            self._say(_attribute(attributes, "alt") or "")
        elif tag in _PARAGRAPHS:
            self._break(2)
            self._pre += tag == "pre"
        elif tag in _LINES:
            self._break(1, force=tag == "br")
            if tag == "li":
                self._say("- ")
        elif tag in ("td", "th"):
            self._space = True

    def end_tag(self, tag: str) -> None:
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

    def text(self, data: str) -> None:
        if not self._dropped:
            self._say(data)

    def end_link(self) -> None:
        """Finish the link that is open, if one is."""
        if self._href is not None:
            text = _SPACE.sub(" ", "".join(self._anchor)).strip()
            self.links.append(Link(text, self._href))
        self._href = None
        self._anchor.clear()

    def finished_links(self) -> tuple[Link, ...]:
        """The links, relative ones completed."""
        if not self._base:
            return tuple(self.links)
        return tuple([link._replace(url=_joined(self._base, link.url)) for link in self.links])

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


def _url(attributes: str) -> str | None:
    """The ``href``, unfolded: line ends and tabs are no part of a URL (WHATWG URL §4.4)."""
    url = _attribute(attributes, "href")
    if url is None or not ("\n" in url or "\r" in url or "\t" in url):
        return url
    return "".join([line.strip() for line in url.splitlines()]).replace("\t", "")


def _joined(base: str, url: str) -> str:
    try:
        return urljoin(base, url)
    except ValueError:  # such as an address of IPv6 that is none
        return url


def _attribute(attributes: str, name: str) -> str | None:
    """The value of an attribute, entities decoded, or None. The first of two counts."""
    for match in _ATTRIBUTE.finditer(attributes):
        if match[1].lower() == name:
            return _REFERENCE.sub(_character, match[2] or match[3] or match[4] or "").strip()
    return None


def _character(reference: re.Match[str]) -> str:
    found = reference[0]
    return unescape(found) if found[1] == "#" else html5.get(found[1:], found)
