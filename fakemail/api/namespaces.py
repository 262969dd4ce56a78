"""Running unmodified programs on the fake internet: each command in a Linux namespace where it is the only one."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeAlias, TypeVar

from fakemail.api.handles import Handle
from fakemail.api.portal import Portal
from fakemail.api.waits import arrive, require_blocking_allowed
from fakemail.errors import ClosedError, DeclarationError
from fakemail.runtime.network import Endpoint, real_endpoint

if TYPE_CHECKING:
    from fakemail.runtime.namespace_listeners import NamespaceListeners

Command: TypeAlias = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]


class BaseNamespace(Handle):
    """Network in which the fake internet is the internet, without its waits."""

    def __init__(self, portal: Portal, listeners: NamespaceListeners) -> None:
        self._portal = portal
        self._listeners: NamespaceListeners | None = listeners
        self.name = listeners.name
        """The name of the machine inside: ``app``, or that of the host it was made for."""

    @property
    def _inside(self) -> NamespaceListeners:
        listeners, portal = self._listeners, self._portal
        if (
            listeners is None
            or portal.running is None
            or listeners not in portal.simulation.namespaces.opened
        ):
            raise ClosedError("this namespace has been closed.")
        return listeners

    def expose(self, *services: str) -> Self:
        """Let services of this machine be reached inside, under the same loopback address and port.

        Each is ``"127.0.0.1:5432"``. Raises :class:`~fakemail.errors.DeclarationError` for what is not on loopback.
        """
        endpoints = [read_endpoint(each) for each in services]
        inside = self._inside
        self._portal.call(lambda: inside.expose(endpoints))
        return self

    def publish(self, *ports: int | str) -> Self:
        """Let servers inside be reached from the test and from this machine's browsers, on 127.0.0.1.

        Each is a port inside, ``8000``, or ``"8080:8000"`` for port 8000 inside at 8080 outside; ``"0:8000"`` takes any
        free one, which :meth:`published` tells. Raises :class:`~fakemail.errors.DeclarationError` for what is no port,
        and :class:`~fakemail.errors.PortInUse` where another program is at that port.
        """
        wanted = [read_ports(each) for each in ports]
        inside = self._inside
        for outside, port in wanted:
            self._portal.call(partial(inside.publish, outside, port))
        return self

    def published(self, port: int) -> tuple[str, int]:
        """The address and port at which a server inside is reached from this machine.

        Raises :class:`~fakemail.errors.DeclarationError` if the port was not published.
        """
        found = self._inside.published(port)
        if found is None:
            raise DeclarationError(f"port {port} of {self.name} was not published; say publish=[{port}].")
        return found.address, found.port

    def popen(self, args: Command, **options: Any) -> subprocess.Popen[Any]:
        """Start a command inside, as :class:`subprocess.Popen` does, with its options and its errors.

        The environment is this process's with the authority of the fake internet in ``SSL_CERT_FILE`` and its kin;
        with ``env=`` what is given there. ``preexec_fn``, ``user``, ``group`` and ``extra_groups`` cannot be used.
        """
        return self._inside.namespace.popen(args, **options)

    def _run(
        self,
        args: Command,
        *,
        began: Callable[[subprocess.Popen[Any]], object] = lambda _: None,
        input: str | bytes | None = None,
        capture_output: bool = False,
        timeout: float | None = None,
        check: bool = False,
        **options: Any,
    ) -> subprocess.CompletedProcess[Any]:
        if input is not None:
            if options.get("stdin") is not None:
                raise ValueError("stdin and input arguments may not both be used.")
            options["stdin"] = subprocess.PIPE
        if capture_output:
            if options.get("stdout") is not None or options.get("stderr") is not None:
                raise ValueError("stdout and stderr arguments may not be used with capture_output.")
            options["stdout"] = options["stderr"] = subprocess.PIPE
        with self.popen(args, **options) as process:
            try:
                began(process)
                out, err = process.communicate(input, timeout=timeout)
            except BaseException:
                process.kill()
                process.wait()
                raise
            done = subprocess.CompletedProcess(process.args, process.returncode, out, err)
        if done.returncode < 0:
            _ = self._inside  # killed, because the namespace was closed meanwhile: then that is the error
        if check:
            done.check_returncode()
        return done

    def close(self) -> None:
        """End what still runs inside, and let it go; closing again does nothing."""
        listeners, self._listeners = self._listeners, None
        if listeners is not None and self._portal.running is not None:
            self._portal.call(lambda: self._portal.simulation.namespaces.leave(listeners))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _name(self) -> str:
        return f"{type(self).__name__} {self.name}"

    def _state(self) -> str:
        return f": {', '.join(self._inside.addresses)}"


class Namespace(BaseNamespace):
    """A network in which the fake internet is the internet: real names, public addresses, real ports.

    Use it in a ``with`` block, or close it; what still runs in it then is ended. Linux only.
    """

    def run(self, args: Command, **options: Any) -> subprocess.CompletedProcess[Any]:
        """Run a command inside, and wait for its end, as :func:`subprocess.run` does, with its options and errors."""
        __tracebackhide__ = True
        require_blocking_allowed("run")
        return self._run(args, **options)


class AsyncNamespace(BaseNamespace):
    """A network of this kind for asyncio and trio."""

    async def run(self, args: Command, **options: Any) -> subprocess.CompletedProcess[Any]:
        """See :meth:`Namespace.run`. When the one who waits is cancelled, the command is killed."""
        __tracebackhide__ = True
        future: Future[subprocess.CompletedProcess[Any]] = Future()
        future.set_running_or_notify_cancel()  # so the thread alone decides what comes of it
        started: list[subprocess.Popen[Any]] = []
        is_cancelled = False

        def began(process: subprocess.Popen[Any]) -> None:
            started.append(process)
            if is_cancelled:
                process.kill()

        def work() -> None:
            try:
                future.set_result(self._run(args, began=began, **options))
            except BaseException as error:
                future.set_exception(error)

        threading.Thread(target=work, name="fakemail command", daemon=True).start()
        try:
            return await arrive(future)
        finally:
            # Nothing is left to be killed unless this was cancelled.
            is_cancelled = True
            for process in started:
                process.kill()


_T = TypeVar("_T", str, int | str)


def several(given: Iterable[_T] | _T) -> list[Any]:
    """Several values, or one that was given alone."""
    return [given] if isinstance(given, str | int) else list(given)


def read_ports(given: int | str) -> tuple[int, int]:
    """Read ``8000``, ``"8000"`` and ``"8080:8000"``: the port outside, 0 for any, and the one inside."""
    words = str(given).split(":")
    if not isinstance(given, bool) and len(words) in (1, 2) and all(word.isdecimal() for word in words):
        outside, inside = int(words[0]), int(words[-1])
        if outside <= 65535 and 1 <= inside <= 65535:
            return outside, inside
    raise DeclarationError(
        f"publish: {given!r} is no port, such as 8000, and no pair of ports, outside and inside, such as '8080:8000'."
    )


def read_endpoint(text: str) -> Endpoint:
    """Read ``127.0.0.1:5432`` or ``[::1]:5432``."""
    address, _, port = str(text).rpartition(":")
    if not address or not port.isdecimal():
        raise DeclarationError(f"expose: {text!r} is not an address and a port, such as '127.0.0.1:5432'.")
    return real_endpoint("expose", address.removeprefix("[").removesuffix("]"), int(port))
