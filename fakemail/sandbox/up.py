"""``fakemail up``: a fake internet that stands until Ctrl-C or SIGTERM, with an authority that is kept for the next."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue

from fakemail.api.mailnet import MailNet
from fakemail.clock import RealClock
from fakemail.errors import DeclarationError
from fakemail.events.export import to_object
from fakemail.events.kinds import Event
from fakemail.model.description import Description
from fakemail.sandbox.connection_info import ConnectionInfo, gather
from fakemail.sandbox.default_world import SMARTHOST_USER, usual_password, with_passwords
from fakemail.sandbox.env_file import env_file
from fakemail.sandbox.live import full_line
from fakemail.sandbox.start_text import start_text
from fakemail.tls.authority import Authority, KeptAuthority, process_authority_is
from fakemail.types.address import address

# On Windows a thread that waits for a lock does not hear of Ctrl-C, so it looks up this often (real seconds).
_LOOK_UP = None if os.name == "posix" else 0.5

READY = "Ready. What happens is told below; Ctrl-C ends it."


def stand(
    description: Description,
    *,
    seed: int | None,
    port_offset: int,
    env_path: str | None,
    as_json: bool,
    version: str,
    say: Callable[[str], object],
    ca_dir: Path | None = None,
) -> None:
    """Run until a signal comes. ``say`` prints one line or more, at once.

    ``ca_dir`` is where the authority is kept from one time to the next, by default in the user's directory for such
    things. Raises :class:`~fakemail.errors.DeclarationError` if it cannot be kept there.
    """
    happened: SimpleQueue[Event | None] = SimpleQueue()
    # Installed before anything starts, so that an early signal ends what has been begun.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: happened.put(None))
    net = MailNet(config=with_passwords(description), seed=seed, clock=RealClock(), port_offset=port_offset)
    with kept_authority(ca_dir), net:
        net.account(SMARTHOST_USER, password=usual_password(address(SMARTHOST_USER)))
        facts = gather(net)
        net._portal.simulation.log.subscribe(happened.put)
        with env_file(env_path, facts.env()):
            if as_json:
                say(json.dumps({"version": version, **facts.to_object()}))
            else:
                say(f"{start_text(facts, version=version, env_path=env_path)}\n\n{READY}\n")
            _tell(happened, _as_json if as_json else _as_text(facts), say)
        if not as_json:
            say("Ended.")


def _tell(
    happened: SimpleQueue[Event | None], printed: Callable[[Event], str | None], say: Callable[[str], object]
) -> None:
    """Print what happens until there is a ``None``."""
    while True:
        try:
            event = happened.get(timeout=_LOOK_UP)
        except Empty:
            continue
        if event is None:
            return
        text = printed(event)
        if text is not None:
            say(text)


def _as_json(event: Event) -> str:
    return json.dumps(to_object(event))


def _as_text(facts: ConnectionInfo) -> Callable[[Event], str | None]:
    width = max(len(port.host) for port in facts.ports)
    return lambda event: full_line(event, width=width)


@contextmanager
def kept_authority(directory: Path | None) -> Iterator[None]:
    """Meanwhile the authority is the one that is kept in a directory, or in the user's own unless one is given.

    Where there is no directory to keep it in, such as for a user without a home, it is new each time. Raises
    :class:`~fakemail.errors.DeclarationError` for a directory that was given and cannot be used, and for files that
    are no authority.
    """
    place = directory or state_directory(os.environ)
    authority: Authority
    try:
        authority = KeptAuthority(place)
    except ValueError as error:
        raise DeclarationError(f"{error}; remove it, or name another directory with --ca-dir.") from None
    except OSError as error:
        if directory is not None:
            raise DeclarationError(
                f"{place}: the authority cannot be kept there: {error.strerror}."
            ) from None
        authority = Authority()
    with process_authority_is(authority):
        yield


def state_directory(environment: Mapping[str, str], *, platform: str = sys.platform) -> Path:
    """The user's directory for what a program keeps: XDG_STATE_HOME, or what the system has for it."""
    home = Path(environment.get("HOME") or os.path.expanduser("~"))
    if platform == "win32":
        return Path(environment.get("LOCALAPPDATA") or home / "AppData" / "Local", "fakemail")
    if platform == "darwin":
        return home / "Library" / "Application Support" / "fakemail"
    # XDG Base Directory Specification: a path that is not absolute is invalid, and to be ignored.
    given = Path(environment.get("XDG_STATE_HOME", ""))
    return (given if given.is_absolute() else home / ".local" / "state") / "fakemail"
