"""The command ``fakemail`` in this process, for tests of what it says: a process for each costs most of their time."""

from __future__ import annotations

from click.testing import CliRunner

from fakemail.sandbox.cli import main


def fakemail(*options: str) -> tuple[int, str, str]:
    """Run it: the exit status, standard output, standard error."""
    done = CliRunner().invoke(main, options)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout, done.stderr
