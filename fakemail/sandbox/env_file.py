"""A file of ``NAME=value`` lines that shells and readers of ``.env`` files understand alike."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from fakemail.errors import DeclarationError

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

    At the end it is removed, unless somebody else has put another in its place.
    Raises :class:`~fakemail.errors.DeclarationError` when it cannot be written.
    """
    if path is None:
        yield
        return
    target = Path(path)
    text = env_text(values)
    draft = None
    try:
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
            if (now.st_dev, now.st_ino) == (ours.st_dev, ours.st_ino):
                target.unlink()
