"""Folders of this process where the system keeps temporary files, and the sweep of what killed processes left there.

A folder is locked as long as its process lives, so whoever can lock it may take it away.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from itertools import count
from pathlib import Path
from typing import Final, TypeVar

if sys.platform != "win32":
    import fcntl

_PREFIX: Final = "fakemail-"
_LOCK: Final = ".owner"
_NUMBERS: Final = count()
_T = TypeVar("_T")


class SystemCalls:
    """The system's own calls, where no test that fakes the file system for its app replaces them: OpenSSL, and the
    programs that are given a path, are in the real one."""

    mkdir = staticmethod(os.mkdir)
    open = staticmethod(os.open)
    write = staticmethod(os.write)
    close = staticmethod(os.close)
    chmod = staticmethod(os.chmod)
    replace = staticmethod(os.replace)
    if sys.platform != "win32":
        flock = staticmethod(fcntl.flock)


class Folder:
    """New folder, mode 0700, removed by the process that made it or by the next one."""

    def __init__(self) -> None:
        place = tempfile.gettempdir()
        sweep(place)
        self.name = _first(place, _PREFIX, lambda path: SystemCalls.mkdir(path, 0o700))[0]
        """Its path."""
        self._owner = os.getpid()
        self._lock = -1
        if sys.platform != "win32":
            # It gets its name when it is locked, for a sweep by another process may come in between.
            lock = os.path.join(self.name, _LOCK)
            self._lock = SystemCalls.open(f"{lock}.new", os.O_RDWR | os.O_CREAT, 0o600)
            SystemCalls.flock(self._lock, fcntl.LOCK_EX)
            SystemCalls.replace(f"{lock}.new", lock)

    def cleanup(self) -> None:
        """Take it away with everything in it; in a process that was forked from its owner this does nothing."""
        if os.getpid() != self._owner:
            return
        shutil.rmtree(self.name, ignore_errors=True)
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def draft(directory: str | Path, content: bytes, *, public: bool) -> str:
    """Complete file, moved into place, so that no reader sees half of it. Mode 0600, or 0644 if public."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    path, file = _first(directory, ".draft-", lambda path: SystemCalls.open(path, flags, 0o600))
    try:
        while content:
            content = content[SystemCalls.write(file, content) :]
    finally:
        SystemCalls.close(file)
    if public:
        SystemCalls.chmod(path, 0o644)
    return path


def _first(directory: str | Path, prefix: str, make: Callable[[str], _T]) -> tuple[str, _T]:
    """Make something under the first name of this process that is free, and return both."""
    for number in _NUMBERS:
        path = os.path.join(directory, f"{prefix}{os.getpid()}-{number}")
        with suppress(FileExistsError):  # another user's, or one that was left behind
            return path, make(path)
    raise AssertionError("numbers do not end")


@cache
def sweep(place: str) -> None:
    """Take away the folders of this user's processes that ended without doing so. Once in a process."""
    if sys.platform == "win32":
        return
    with suppress(OSError), os.scandir(place) as entries:
        for entry in entries:
            if entry.name.startswith(_PREFIX) and entry.is_dir(follow_symlinks=False):
                with suppress(OSError), _locked(Path(entry.path, _LOCK)):
                    shutil.rmtree(entry.path, ignore_errors=True)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock. Raises ``OSError`` where another process holds it, or there is none, or it is another user's."""
    file = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
    try:
        if os.fstat(file).st_uid != os.geteuid():
            raise PermissionError
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(file)
