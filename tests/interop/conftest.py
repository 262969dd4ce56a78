"""Real programs: skipped with a reason where one is missing, but required in continuous integration."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable

import pytest


@pytest.fixture
def program() -> Callable[[str], str]:
    """Finds a program by its name."""

    def find(name: str) -> str:
        path = shutil.which(name)
        if path is None:
            reason = f"{name} is not installed"
            if os.environ.get("CI"):
                pytest.fail(f"{reason}; continuous integration has to install it")
            pytest.skip(reason)
        return path

    return find
