"""Scripts that a connection carries out in place of plain output: bytes, pauses, and an end of the connection.

A session that knows no socket puts these into its ``script``; :mod:`fakemail.wire.script_runner` carries them out,
for all protocols.
"""

from __future__ import annotations

from datetime import timedelta
from enum import Enum
from typing import TypeAlias

from fakemail.errors import DeclarationError, nearest
from fakemail.types.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Pause:
    """Let time pass before the next step: on the fake clock for hosts of the fake internet, else in real seconds."""

    span: timedelta
    is_real: bool = False
    """Whether it is real time for all clients."""


class ConnectionEnd(Enum):
    """End of a connection; nothing comes after it."""

    DROP = "drop"
    """Closed: the client reads up to the end of the stream."""
    RESET = "reset"
    """A TCP segment with RST: the client's system tells it that the connection was reset."""
    HANG = "hang"
    """It stays open, and nothing is ever said or heard again."""


Step: TypeAlias = bytes | Pause | ConnectionEnd
End: TypeAlias = ConnectionEnd | str
"""An end, or its name."""


def read_end(text: End) -> ConnectionEnd:
    """The end of that name. Raises :class:`~fakemail.errors.DeclarationError` for one that there is not."""
    if isinstance(text, ConnectionEnd):
        return text
    ends = {end.value: end for end in ConnectionEnd}
    if text not in ends:
        raise DeclarationError(f"a connection cannot end by {text!r}; {nearest(str(text), ends)}")
    return ends[text]
