"""``fakemail run``: a command for which a fake internet is the internet."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Final

from fakemail.api.mailnet import MailNet
from fakemail.clock import RealClock
from fakemail.model.description import Description
from fakemail.sandbox.default_world import SMARTHOST_USER, usual_password, with_passwords
from fakemail.sandbox.demo import story
from fakemail.types.address import address

_FOR_IT: Final = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
"""Signals that are sent to us alone, and are for the command."""


def run(
    description: Description,
    command: Sequence[str],
    *,
    seed: int | None,
    expose: Sequence[str],
    publish: Sequence[str],
    tell: Callable[[str], object] | None,
) -> int:
    """Run a command, and return its exit status; as a shell has it for one that a signal ended.

    Its streams are ours. ``tell`` is given the journeys of the mail when it has ended.
    Raises :class:`OSError` for a command that cannot be run.
    """
    with MailNet(config=with_passwords(description), seed=seed, clock=RealClock()) as net:
        net.account(SMARTHOST_USER, password=usual_password(address(SMARTHOST_USER)))
        with net.popen(command, expose=expose, publish=publish) as process, _handing_on_to(process):
            for inside in [each.rpartition(":")[2] for each in publish if each.startswith("0:")]:
                where, port = net.published(int(inside))
                say_aside(f"Port {inside} is at {where}:{port}.")
            status = _wait(process)
        if tell is not None:
            net.settle()
            for journey in net.journeys():
                tell("\n".join([f"<{journey.sender}> to <{journey.recipient}>", *story(journey), ""]))
    return status if status >= 0 else 128 - status


@contextmanager
def _handing_on_to(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Pass signals that end this process to the command; it ends when the command has, and leaves nothing behind."""
    before = {each: signal.signal(each, lambda number, _: process.send_signal(number)) for each in _FOR_IT}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _wait(process: subprocess.Popen[bytes]) -> int:
    """Ctrl-C is for the command, which gets it from the terminal as we do; its end is ours."""
    while True:
        with suppress(KeyboardInterrupt):
            return process.wait()


def say_aside(text: str) -> None:
    """Print where the command's own output does not go through."""
    print(text, file=sys.stderr, flush=True)
