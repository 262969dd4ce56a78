"""Where a sandbox keeps its authority, so that what trusts it once trusts it every time."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from fakemail.errors import DeclarationError
from fakemail.tls.authority import Authority, KeptAuthority, process_authority_is


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
