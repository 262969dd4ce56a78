"""Tests that fail for what their app did on the wire, although everything arrived: ``--mailnet-strict``.

Loaded where a fake internet is used. What is looked for is none of its affairs.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import pytest

from fakemail.api.lint import failure
from pytest_fakemail.options import of_item
from pytest_fakemail.stash import PASSED, TRIAL

if TYPE_CHECKING:
    from fakemail.api.mailnet import BaseMailNet
    from fakemail.lint.finding import LintFinding
    from pytest_fakemail.worlds import World


def lint_own(item: pytest.Item, net: BaseMailNet[Any, Any]) -> None:
    """Fail a test that passed, if its app did in this fake internet what a stricter server would mind."""
    if net.is_running:
        _require_clean(item, [(net, 0, ())])


def lint_shared(item: pytest.Item, worlds: Iterable[World]) -> None:
    """The same for worlds that several tests use, of what happened since the test began."""
    _require_clean(item, [(world.net, world.start, world.allow) for world in worlds if world.is_open])


def _require_clean(
    item: pytest.Item, worlds: list[tuple[BaseMailNet[Any, Any], int, tuple[str, ...]]]
) -> None:
    if not item.stash.get(PASSED, False) or TRIAL in item.stash:
        return  # a test that has failed, or lets things fail, has more important things to say
    options = of_item(item)
    if options.strict == "off":
        return
    found: list[LintFinding] = []
    for net, start, allow in worlds:
        every = net.lint(severity=options.strict, allow=(*options.allow, *allow))
        found += [finding for finding in every if finding.event > start and not finding.is_machines]
    if found:
        pytest.fail(failure(found), pytrace=False)
