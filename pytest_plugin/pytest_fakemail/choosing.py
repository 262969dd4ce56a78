"""``-k`` and ``--lf`` for the failure points of a sweep, which nobody has collected: as pytest itself reads them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest
from _pytest.mark import KeywordMatcher
from _pytest.mark.expression import Expression

from fakemail.faults.catalogue import rows
from fakemail.sweep.points import ACTIONS, FailurePoint

_LAST_FAILED: pytest.StashKey[dict[str, set[str]]] = pytest.StashKey()
"""In the config's stash, with --lf: the points that failed in the last run, by the id of their test."""
_POINT: Final = re.compile(
    rf"[\[-]((?:connect|[a-z]+3?\.[a-z0-9]+)(?:\.\d+)?-(?:{'|'.join(map(re.escape, ACTIONS))}))\]$"
)


def choose_last_failed(config: pytest.Config) -> None:
    """Let ``--lf`` find swept tests of which points have failed."""
    plugin: Any = config.pluginmanager.get_plugin("lfplugin")
    failed: dict[Any, bool] = getattr(plugin, "lastfailed", {})
    names = {str(each) for each in failed}
    found: dict[str, set[str]] = {}
    for name in names:
        if match := _POINT.search(name):
            test = name[: match.start()] + ("]" if match[0].startswith("-") else "")
            if test not in names:
                found.setdefault(test, set()).add(match[1])
    for each in list(failed)[:1]:  # texts up to pytest 9.1, then objects that are read from texts
        read = getattr(type(each), "parse", str)
        failed.update((read(test), True) for test in found)
    config.stash[_LAST_FAILED] = found


def is_chosen(item: pytest.Item, point: str) -> bool:
    """Whether ``-k`` and ``--lf`` want that point of a test."""
    failed = item.config.stash.get(_LAST_FAILED, {}).get(item.nodeid)
    if failed is not None and point not in failed:
        return False
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
            yield from (FailurePoint(stage, number, action).name for action in ACTIONS)
