"""Cache of ENVELOPE, BODY, BODYSTRUCTURE, PREVIEW and MIME trees, with the content and within the store's budget."""

from __future__ import annotations

from typing import Final

from fakemail.imap.content.bodystructure import body, bodystructure
from fakemail.imap.content.envelope import envelope
from fakemail.imap.content.preview import preview
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
    """PREVIEW in UTF-8, as in :func:`fakemail.imap.content.preview.preview`."""
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
