"""What all tests share: pytest's own tool for the tests of plugins."""

from __future__ import annotations

pytest_plugins = ["pytester"]
