"""Folders of this process where the system keeps temporary files, and the sweep of what killed processes left there.

A folder is locked as long as its process lives, so whoever can lock it may take it away.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Final

if sys.platform != "win32":
    import fcntl

_PREFIX: Final = "fakemail-"
_LOCK: Final = ".owner"


class Folder:
    """A new folder, mode 0700; whoever made it takes it away again, or the next process does."""

    def __init__(self) -> None:
        place = tempfile.gettempdir()
        sweep(place)
        self.name = tempfile.mkdtemp(prefix=_PREFIX, dir=place)
        """Its path."""
        self._owner = os.getpid()
        self._lock = -1
        if sys.platform != "win32":
            # It gets its name when it is locked, for a sweep by another process may come in between.
            lock = Path(self.name, _LOCK)
            self._lock = os.open(f"{lock}.new", os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            os.rename(f"{lock}.new", lock)

    def cleanup(self) -> None:
        """Take it away with everything in it; in a process that was forked from its owner this does nothing."""
        if os.getpid() != self._owner:
            return
        shutil.rmtree(self.name, ignore_errors=True)
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


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
    """Hold a lock. Raises ``OSError`` where somebody else does, or there is none, or it is another user's."""
    file = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
    try:
        if os.fstat(file).st_uid != os.geteuid():
            raise PermissionError
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(file)
