"""The command ``fakemail`` in this process, for tests of what it says: a process for each costs most of their time."""

from __future__ import annotations

from collections.abc import Mapping

from click.testing import CliRunner

from fakemail.sandbox.cli import main


def fakemail(
    *options: str, input: str | None = None, env: Mapping[str, str | None] | None = None
) -> tuple[int, str, str]:
    """Run it: the exit status, standard output, standard error. A variable that is ``None`` is not set."""
    done = CliRunner().invoke(main, options, input=input, env=env)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout, done.stderr
