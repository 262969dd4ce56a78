"""Keys of pytest's stashes: the worlds and the runs that belong to a test. Loaded in every pytest run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from fakemail.api.sweep import Trial
    from pytest_fakemail.worlds import World

WORLDS: pytest.StashKey[list[World]] = pytest.StashKey()
"""In an item's stash: the worlds that are the test's own."""

TRIAL: pytest.StashKey[Trial] = pytest.StashKey()
"""In the stash of an item that is one run of a sweep: that run."""

ORIGINAL: pytest.StashKey[str] = pytest.StashKey()
"""In the stash of an item that stands for another: the other's id."""

PASSED: pytest.StashKey[bool] = pytest.StashKey()
"""In an item's stash once the test itself has passed."""

CALLED: pytest.StashKey[bool] = pytest.StashKey()
"""In the config's stash: whether a test itself runs, and not its fixtures."""

SHARED: pytest.StashKey[list[World]] = pytest.StashKey()
"""In the config's stash: the open worlds that several tests may use."""
