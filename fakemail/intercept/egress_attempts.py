"""Attempts to reach the real internet: what they were, and the error that they get."""

from __future__ import annotations

import errno
import os
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple


class EgressAttempt(NamedTuple):
    """An attempt to leave."""

    host: str
    """A name or an address; the path of a command that would have left mail for this machine's own server."""
    port: int
    """0 for a command."""

    def __str__(self) -> str:
        return f"{self.host} port {self.port}" if self.port else f"{self.host}, a mail server's own command"


def counted(escapes: Iterable[EgressAttempt]) -> list[str]:
    """The lines of a failure text that list attempts, each once and with how often it was made."""
    return [
        f"        {escape}" + (f", {times} times" if times > 1 else "")
        for escape, times in Counter(escapes).items()
    ]


def refused_command(path: str) -> OSError:
    """The error for a program that starts such a command."""
    return PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)


class EgressBlocked(OSError):
    """A connection that would have left the fake internet. To a program it is a network that cannot be reached."""

    def __init__(self, escape: EgressAttempt) -> None:
        text = f"{os.strerror(errno.ENETUNREACH)}: {escape} is outside of the fake internet"
        super().__init__(errno.ENETUNREACH, text)
        self.escape = escape
