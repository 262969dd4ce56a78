"""Answers are worked out once, and the same as those that are not kept."""

from __future__ import annotations

from fakemail.imap.content.bodystructure import body, bodystructure
from fakemail.imap.content.envelope import envelope
from fakemail.imap.content.fetch_cache import (
    body_of,
    bodystructure_of,
    envelope_of,
    has_preview,
    preview,
    preview_of,
    tree_of,
)
from fakemail.message import samples
from fakemail.message.mime import parse
from fakemail.store.content import Budget, Content, ContentPool


def test_each_answer_is_made_once() -> None:
    raw = samples.utf8(subject="Grüße")
    content, root = Content(raw), parse(raw)
    for _ in range(2):
        assert envelope_of(content) == envelope(raw)
        assert body_of(content) == body(root)
        assert bodystructure_of(content) == bodystructure(root)
        assert envelope_of(content, utf8=True) == envelope(raw, utf8=True)
        assert bodystructure_of(content, utf8=True) == bodystructure(root, utf8=True)
        assert body_of(content, utf8=True) == body(root, utf8=True)
        assert preview_of(content).decode() == preview(root)
    assert envelope_of(content) is envelope_of(content)
    assert tree_of(content) is tree_of(content)


def test_a_lazy_preview_is_one_that_is_there() -> None:
    # RFC 8970 §4.1
    content = Content(samples.plain())
    assert not has_preview(content)
    assert preview_of(content)
    assert has_preview(content)


def test_what_is_kept_stays_within_the_budget() -> None:
    home = ContentPool(budget=Budget(50_000))
    contents = [Content(samples.with_attachment(), home) for _ in range(100)]
    for content in contents:
        tree_of(content)
        bodystructure_of(content)
        envelope_of(content)
    assert home.budget.used <= 50_000
    assert envelope_of(contents[0]) == envelope(contents[0].raw)
