"""Cache of ENVELOPE, BODY, BODYSTRUCTURE, PREVIEW and MIME trees, with the content and within the store's budget."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from fakemail.imap.content.bodystructure import body, bodystructure
from fakemail.imap.content.envelope import envelope
from fakemail.message.decoding import charset_text, transfer_content
from fakemail.message.html_text import read_html
from fakemail.message.mime import Part, parse
from fakemail.store.content import Content

_TREE: Final = "imap.tree"
# What a part of a tree and a field of MIME weigh in memory, roughly.
_PART_OCTETS: Final = 1000
_FIELD_OCTETS: Final = 300


def tree_of(content: Content) -> Part:
    """The MIME tree. Clients ask for one part after the other, so it is cached, although it is heavy."""
    cached = content.recall(_TREE)
    if isinstance(cached, Part):
        return cached
    root = parse(content.raw)
    weight = sum(_PART_OCTETS + _FIELD_OCTETS * len(part.content_fields) for part in root.walk())
    content.remember(_TREE, root, weight)
    return root


def envelope_of(content: Content, *, utf8: bool = False) -> bytes:
    """ENVELOPE, as in :func:`fakemail.imap.content.envelope.envelope`."""
    key = "imap.envelope.utf8" if utf8 else "imap.envelope"
    # Without the index of the header: cached for each message of a large mailbox, it would drive the envelopes out.
    cached = content.recall(key)
    return cached if isinstance(cached, bytes) else _cache(content, key, envelope(content.raw, utf8=utf8))


def body_of(content: Content, *, utf8: bool = False) -> bytes:
    """BODY, as in :func:`fakemail.imap.content.bodystructure.body`."""
    key = "imap.body.utf8" if utf8 else "imap.body"
    cached = content.recall(key)
    return cached if isinstance(cached, bytes) else _cache(content, key, body(_tree(content), utf8=utf8))


def bodystructure_of(content: Content, *, utf8: bool = False) -> bytes:
    """BODYSTRUCTURE, as in :func:`fakemail.imap.content.bodystructure.bodystructure`."""
    key = "imap.bodystructure.utf8" if utf8 else "imap.bodystructure"
    cached = content.recall(key)
    return (
        cached
        if isinstance(cached, bytes)
        else _cache(content, key, bodystructure(_tree(content), utf8=utf8))
    )


def preview_of(content: Content) -> bytes:
    """PREVIEW in UTF-8, as in :func:`fakemail.imap.content.fetch_cache.preview`."""
    key = "imap.preview"
    cached = content.recall(key)
    return cached if isinstance(cached, bytes) else _cache(content, key, preview(_tree(content)).encode())


def has_preview(content: Content) -> bool:
    """Whether :func:`preview_of` is a look-up, for ``PREVIEW (LAZY)`` (RFC 8970 §4.1)."""
    return content.recall("imap.preview") is not None


def _tree(content: Content) -> Part:
    """The tree, cached only if it already was: a structure of each message of a mailbox needs no trees."""
    cached = content.recall(_TREE)
    return cached if isinstance(cached, Part) else parse(content.raw)


def _cache(content: Content, key: str, made: bytes) -> bytes:
    content.remember(key, made, len(made))
    return made


MAX_CHARACTERS: Final = 200
"""RFC 8970 §3.3: a server should stay within 200 characters and must within 256."""
# How much of a part is read for it, in encoded bytes: HTML begins with styles.
_PLAIN_OCTETS: Final = 4 * 1024
_HTML_OCTETS: Final = 128 * 1024


def preview(root: Part) -> str:
    """One line of at most 200 characters out of the text of a message; ``""`` when it has none.

    Lines quoted from another message are left out, unless there is nothing else.
    """
    plain = _first(root, "plain")
    if plain is not None:
        text = _plain_text(plain)
        if text:
            return text
    html = _first(root, "html")
    return "" if html is None else _shortened(read_html(_start(html, _HTML_OCTETS)).text.split())


def _first(root: Part, sub: str) -> Part | None:
    """The first text part of a kind that is no attachment, not inside an enclosed message."""
    waiting = [root]
    while waiting:
        part = waiting.pop()
        if part.is_multipart:
            waiting.extend(reversed(part.children))
        elif part.type.main == "text" and part.type.sub == sub and part.disposition != "attachment":
            return part
    return None


def _plain_text(part: Part) -> str:
    lines = _start(part, _PLAIN_OCTETS).splitlines()
    own = _first_words(line for line in lines if not line.startswith(">"))
    return _shortened(own or _first_words(line.lstrip("> ") for line in lines))


def _first_words(lines: Iterable[str]) -> list[str]:
    """The words of the first lines, enough of them for a preview."""
    words: list[str] = []
    for line in lines:
        words += line.split()
        if len(words) > MAX_CHARACTERS // 2:  # with the space behind it, each takes two characters at least
            break
    return words


def _start(part: Part, length: int) -> str:
    """The beginning of the text of a part, out of so many encoded bytes."""
    data = part.raw[part.body_start : min(part.end, part.body_start + length)]
    content = transfer_content(data, part.encoding)
    return charset_text(_whole_characters(content), part.parameters.get("charset", ""))


def _whole_characters(content: bytes) -> bytes:
    """Without the first bytes of a UTF-8 character that the cut took apart."""
    for back in range(1, min(4, len(content)) + 1):
        byte = content[-back]
        if byte < 0x80:
            return content
        if byte >= 0xC0:
            length = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return content[:-back] if back < length else content
    return content


def _shortened(words: list[str]) -> str:
    text = " ".join(words[:MAX_CHARACTERS])[: 2 * MAX_CHARACTERS]
    if not text.isprintable():
        text = "".join(character for character in text if character.isprintable())
    return text[:MAX_CHARACTERS].rstrip()
