"""A file of ``NAME=value`` lines that shells and readers of ``.env`` files understand alike."""

from __future__ import annotations

import errno
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from fakemail.errors import DeclarationError

MARKER = "# written by fakemail"
"""The first line of a file that is ours to replace and to remove."""

_PLAIN = re.compile(r"[A-Za-z0-9_./:@%+,-]+")


def env_text(values: Mapping[str, str]) -> str:
    """The lines. Raises :class:`~fakemail.errors.DeclarationError` for a value that no spelling can carry."""
    return "".join(f"{name}={quote(name, value)}\n" for name, value in values.items())


def quote(name: str, value: str) -> str:
    """A value in a spelling that means the same to ``sh`` and to python-dotenv.

    ``sh`` takes everything literally between single quotes; python-dotenv unescapes ``\\\\`` and ``\\'``
    there. Between double quotes both unescape ``\\\\`` and ``\\"``, but ``$`` and ``\\``` are special to
    ``sh`` only, and python-dotenv expands ``${`` in whatever quotes.
    """
    if _PLAIN.fullmatch(value):
        return value
    if "'" not in value and "\\" not in value and "${" not in value:
        return f"'{value}'"
    if not {"$", "`"} & set(value):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    raise DeclarationError(
        f"{name}: this value cannot be written so that shells and .env readers understand it alike; "
        "avoid '$' and '`' together with quotes or backslashes, and avoid '${'."
    )


@contextmanager
def env_file(path: str | Path | None, values: Mapping[str, str]) -> Iterator[None]:
    """Have the file there during the block: complete from its first moment, readable by this user only.

    At the end it is removed, unless somebody else has put another in its place, or has taken the first
    line, :data:`MARKER`, out of it. Raises :class:`~fakemail.errors.DeclarationError` when it cannot be
    written, and when there is a file already that does not begin with that line.
    """
    if path is None:
        yield
        return
    target = Path(path)
    text = f"{MARKER}\n{env_text(values)}"
    draft = None
    try:
        _refuse_foreign(target)
        # mkstemp makes it mode 0600; a file that is moved into place is never seen half written.
        handle, draft = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            ours = os.fstat(file.fileno())
        os.replace(draft, target)
    except OSError as error:
        if draft is not None:
            with suppress(OSError):
                os.unlink(draft)
        raise DeclarationError(f"{target}: the env file cannot be written: {error.strerror}.") from None
    try:
        yield
    finally:
        with suppress(OSError):
            now = target.stat()
            if (now.st_dev, now.st_ino) == (ours.st_dev, ours.st_ino) and _is_ours(target):
                target.unlink()


def _refuse_foreign(target: Path) -> None:
    """Let what a user wrote never be lost: a ``.env`` may be all that holds its secrets."""
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if os.path.lexists(target) and not _is_ours(target):
        raise DeclarationError(
            f"{target}: this file is not fakemail's (its first line is not {MARKER!r}), so it is left as it "
            "is. Name another file, or remove this one."
        )


def _is_ours(target: Path) -> bool:
    # What is no regular file, a pipe say, might let the reader wait for ever.
    if not target.is_file():
        return False
    with target.open("rb") as file:
        return file.readline(len(MARKER) + 2).rstrip(b"\r\n") == MARKER.encode()
