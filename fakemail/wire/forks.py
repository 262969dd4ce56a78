"""Sockets of this process stay its own: a process that is forked from it closes what it was given of them.

A worker that lives on would keep ports and connections open which are closed here: the port stays taken, and
clients wait for ever for somebody who listens no more.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from functools import cache
from weakref import WeakSet

_SOCKETS: WeakSet[socket.socket] = WeakSet()


def own(sock: socket.socket) -> socket.socket:
    """Let no forked process keep a socket open."""
    _register()
    _SOCKETS.add(sock)
    return sock


@cache
def _register() -> None:
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_close_all)


def _close_all() -> None:
    # Only the descriptors go. What the loop of the other process watches is the same as before.
    for sock in tuple(_SOCKETS):
        sock.close()


def stop_listening(sock: socket.socket) -> None:
    """Close a socket that may listen, whoever else has it: a process may be forked by something else than Python."""
    with suppress(OSError):  # it did not listen
        sock.shutdown(socket.SHUT_RDWR)
    sock.close()
