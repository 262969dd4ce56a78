"""``-k`` for the failure points of a sweep, which nobody has collected: the same expression, read by pytest itself."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import pytest
from _pytest.mark import KeywordMatcher
from _pytest.mark.expression import Expression

from fakemail.faults.table import rows
from fakemail.sweep.points import ACTIONS, Point


def is_chosen(item: pytest.Item, point: str) -> bool:
    """Whether ``-k`` wants that point of a test."""
    expression = _expression(item.config)
    return expression is None or _fits(expression, item, point)


@contextmanager
def kept_for_their_points(config: pytest.Config, items: Iterable[pytest.Item]) -> Iterator[None]:
    """Meanwhile ``-k`` finds swept tests by the names of points that they may have."""
    expression = _expression(config)
    named: list[tuple[pytest.Item, str]] = []
    for item in items if expression is not None else ():
        if (
            item.get_closest_marker("mailnet_sweep") is None
            or expression is None
            or _fits(expression, item, "")
        ):
            continue
        if point := next(
            (point for point in _possible(config.option.keyword) if _fits(expression, item, point)), None
        ):
            item.extra_keyword_matches.add(point)
            named.append((item, point))
    yield
    for item, point in named:
        item.extra_keyword_matches.discard(point)


def _expression(config: pytest.Config) -> Expression | None:
    text = (config.option.keyword or "").lstrip()
    try:
        return Expression.compile(text) if text else None
    except SyntaxError:
        return None  # pytest says so


def _fits(expression: Expression, item: pytest.Item, point: str) -> bool:
    names = KeywordMatcher.from_item(item)
    return expression.evaluate(lambda name, /, **_: names(name) or name.lower() in point.lower())


def _possible(keywords: str) -> Iterator[str]:
    """The names of all points that there may be, with the numbers that stand in the expression."""
    numbers = {1, 2, *map(int, re.findall(r"\d{1,4}", keywords))} - {0}
    for stage in rows():
        for number in sorted(numbers):
            yield from (Point(stage, number, action).name for action in ACTIONS)
