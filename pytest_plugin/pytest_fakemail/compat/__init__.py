"""Fixtures of other plugins on the fake internet of the test, for ``mailnet_compat``: one module for each word.

Loaded in runs that ask for them only.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import pytest

WORDS: Final = {
    "smtpdfix": "smtpd",
    "localserver": "smtpserver",
    "aiosmtpd": "smtp_controller",
    "django": "mailoutbox",
}
"""The words of the option, each with the fixture that it brings."""


def register(config: pytest.Config, words: Iterable[str]) -> None:
    """Bring the fixtures of these words. Raises ``pytest.UsageError`` for a word that is none."""
    from fakemail.errors import nearest

    for word in dict.fromkeys(words):
        if word not in WORDS:
            raise pytest.UsageError(f"mailnet_compat: there is no {word!r}; {nearest(word, WORDS)}")
        config.pluginmanager.import_plugin(f"{__name__}.{word}")
