"""One of Dovecot's protocol programs, which speak on standard input and output: no port and no daemon is needed."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_NOBODY = 65534
_CONFIG = """\
base_dir = {home}/run
state_dir = {home}/run
log_path = {home}/log
mail_location = maildir:~/Maildir
mail_uid = {user}
mail_gid = {group}
first_valid_uid = 1
ssl = no
"""


class Dovecot:
    """A program with its configuration, and the home of its only user."""

    def __init__(self, program: str, home: Path, config: str = "") -> None:
        self.home = home
        self._is_root = os.geteuid() == 0  # Dovecot does not serve mail as root
        self._user, self._group = (_NOBODY, _NOBODY) if self._is_root else (os.geteuid(), os.getegid())
        path = home / "dovecot.conf"
        path.write_text(_CONFIG.format(home=home, user=self._user, group=self._group) + config)
        self.command = [program, "-c", str(path)]
        self.own()

    def own(self) -> None:
        """Let all that is in the home be its user's."""
        if self._is_root:
            for path in [self.home, *self.home.rglob("*")]:
                os.chown(path, self._user, self._group)

    @property
    def options(self) -> dict[str, Any]:
        """How :mod:`subprocess` starts it."""
        return {
            "env": {"HOME": str(self.home), "USER": "tester"},
            "user": self._user if self._is_root else None,
            "group": self._group if self._is_root else None,
            "extra_groups": [] if self._is_root else None,
        }

    def popen(self) -> subprocess.Popen[bytes]:
        """A session that a test talks to."""
        return subprocess.Popen(
            self.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            **self.options,
        )


@contextmanager
def dovecot_of(program: Callable[[str], str], protocol: str, config: str = "") -> Iterator[Dovecot]:
    """The program for ``imap`` or ``pop3``; its home goes at the end."""
    folder = subprocess.run(
        [program("doveconf"), "-h", "libexec_dir"], capture_output=True, text=True, check=True
    ).stdout.strip()
    home = Path(tempfile.mkdtemp(prefix="fakemail-dovecot-"))
    try:
        yield Dovecot(program(f"{folder}/{protocol}"), home, config)
    finally:
        shutil.rmtree(home, ignore_errors=True)
