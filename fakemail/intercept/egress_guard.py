"""The guard against escapes: connections to certain ports that would leave this machine fail, and are remembered."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Collection
from typing import Any

from fakemail.intercept.children import HELD, Hold
from fakemail.intercept.egress_attempts import EgressAttempt, EgressBlocked, refused_command
from fakemail.intercept.patches import Patches
from fakemail.intercept.redirect import is_here


class EgressGuard:
    """In force from when it is installed until it is removed. It works beside a redirect, which comes first."""

    def __init__(self, ports: Collection[int], *, children: str = HELD) -> None:
        """``children`` says how programs that are started are treated: one of
        :data:`~fakemail.intercept.children.WAYS`."""
        self._ports = frozenset(ports)
        self._patches = Patches()
        self.hold = Hold(self, way=children)
        """Hold on programs that are started, which the owner of the guard installs and removes."""
        self.escapes: list[EgressAttempt] = []
        """The attempts, oldest first."""

    def install(self) -> None:
        """Begin."""
        self._watch("connect", lambda arguments: arguments[0])
        self._watch("connect_ex", lambda arguments: arguments[0])
        self._watch("sendto", lambda arguments: arguments[-1])
        self._watch("sendmsg", lambda arguments: arguments[3] if len(arguments) > 3 else None)

    def remove(self) -> None:
        """End."""
        self._patches.undo()

    def leads(self, host: str, port: int, family: int) -> None:
        """See :class:`~fakemail.intercept.children.Rules`."""
        escape = self._escape((host, port))
        if escape is not None:
            raise EgressBlocked(escape)

    def refuse_command(self, path: str) -> OSError:
        """See :class:`~fakemail.intercept.children.Rules`."""
        self.escapes.append(EgressAttempt(path, 0))
        return refused_command(path)

    def forget_escape(self, escape: EgressAttempt) -> None:
        """See :class:`~fakemail.intercept.children.Rules`."""
        self.escapes.remove(escape)

    def _watch(self, name: str, where: Callable[[tuple[Any, ...]], Any]) -> None:
        original: Callable[..., Any] = getattr(socket.socket, name)

        def method(sock: socket.socket, *arguments: Any) -> Any:
            escape = self._escape(where(arguments))
            if escape is None:
                return original(sock, *arguments)
            if name == "connect_ex":
                return errno.ENETUNREACH
            raise EgressBlocked(escape)

        self._patches.put(socket.socket, name, method)

    def _escape(self, address: Any) -> EgressAttempt | None:
        """Remember what would have left this machine."""
        if not isinstance(address, tuple) or len(address) < 2 or address[1] not in self._ports:
            return None
        host = address[0].decode("ascii", "replace") if isinstance(address[0], bytes) else str(address[0])
        if is_here(host):
            return None
        escape = EgressAttempt(host, address[1])
        self.escapes.append(escape)
        return escape
