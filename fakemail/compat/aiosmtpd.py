"""``aiosmtpd.controller.Controller`` on a fake internet: the same handlers, served by fakemail.

``from fakemail.compat.aiosmtpd import Controller`` in place of ``from aiosmtpd.controller import Controller``.
"""

from __future__ import annotations

import asyncio
import inspect
import ssl
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from ipaddress import ip_address
from threading import Thread
from types import TracebackType
from typing import Any, Final, Self

from fakemail.api.hosts import Host, Settings
from fakemail.api.mailnet import BaseMailNet, MailNet
from fakemail.compat.capture import CaptureHost
from fakemail.errors import DeclarationError
from fakemail.model.host import Security
from fakemail.runtime.network import LOOPBACK, real_endpoint
from fakemail.types.dataclass import dataclass
from fakemail.wire.smtp_server import SmtpConnection


class HandlerThread:
    """A thread whose loop runs the hooks of one handler."""

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self._given = loop
        self._made: asyncio.AbstractEventLoop | None = None
        self._thread: Thread | None = None

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """Event loop, made at the first use."""
        if self._given is not None:
            return self._given
        if self._made is None:
            self._made = asyncio.new_event_loop()
        return self._made

    def start(self) -> None:
        """Run the loop, unless it runs already."""
        if not self.loop.is_running():
            self._thread = Thread(target=self._run, name="fakemail handler", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    def stop(self) -> None:
        """End the thread. What hooks are in the middle of is dropped."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self.loop.call_soon_threadsafe(self._end)
            thread.join()
        made, self._made = self._made, None
        if made is not None:
            made.close()

    def _end(self) -> None:
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.call_soon(self.loop.stop)

    def wrap(self, handler: object, *, decode_data: bool = False) -> object:
        """A handler with the same hooks, which may be awaited on another loop.

        With ``decode_data`` the content of a message is text.
        """
        return _Hooks(self.loop, handler, decode_data=decode_data)


class _Hooks:
    def __init__(self, loop: asyncio.AbstractEventLoop, handler: object, *, decode_data: bool) -> None:
        for name in dir(handler):
            if name.startswith("handle_"):
                hook = getattr(handler, name)
                setattr(self, name, _elsewhere(loop, hook, decodes=decode_data and name == "handle_DATA"))


def _elsewhere(loop: asyncio.AbstractEventLoop, hook: Callable[..., Any], *, decodes: bool) -> Any:
    @wraps(hook)
    async def run(*arguments: Any) -> Any:
        if decodes:
            envelope = arguments[-1]
            envelope.content = envelope.original_content.decode("utf-8", "surrogateescape")

        async def call() -> Any:
            result = hook(*arguments)
            return await result if inspect.isawaitable(result) else result

        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(call(), loop))

    return run


DATA_SIZE_LIMIT: Final = 33554432
"""Bytes of a message by default."""
_NO_LIMIT: Final = 1 << 40
_CALL_LIMIT: Final = 20
"""Of a command that a table of limits does not name."""
_EVERYWHERE: Final = ("", "0.0.0.0", "localhost")  # as callers say it; it is loopback all the same


@dataclass(frozen=True, kw_only=True)
class SmtpParameters:
    """The parameters of ``aiosmtpd.smtp.SMTP`` that a controller hands on."""

    data_size_limit: int | None = DATA_SIZE_LIMIT
    enable_SMTPUTF8: bool = True  # noqa: N815  # aiosmtpd's own name
    tls_context: ssl.SSLContext | None = None
    require_starttls: bool = False
    timeout: float = 300
    auth_required: bool = False
    auth_require_tls: bool = True
    auth_exclude_mechanism: Iterable[str] | None = None
    auth_callback: Callable[[str, bytes, bytes], bool] | None = None
    authenticator: Callable[..., Any] | None = None
    hostname: str | None = None
    ident: str | None = None
    decode_data: bool = False
    command_call_limit: int | Mapping[str, int] | None = None

    def options(self) -> dict[str, Any]:
        """The same as options of a host."""
        excluded = {name.upper() for name in self.auth_exclude_mechanism or ()}
        return {
            "max_message_size": self.data_size_limit or _NO_LIMIT,
            "idle_timeout": float(self.timeout),
            "require_tls": self.require_starttls and self.tls_context is not None,
            "require_auth": self.auth_required,
            "auth_in_clear": not self.auth_require_tls,
            "auth_mechanisms": {"LOGIN", "PLAIN"} - excluded or {"PLAIN"},
        }

    def check_password(self, connection: SmtpConnection, mechanism: str, login: str, password: str) -> bool:
        """Ask the authenticator; without one every login fails."""
        if self.authenticator is not None:
            return connection.authenticate(self.authenticator, mechanism, login, password)
        callback = self.auth_callback
        return callback is not None and bool(callback(mechanism, login.encode(), password.encode()))


class Controller:
    """A mail server for a handler, started and stopped by a test."""

    def __init__(
        self,
        handler: object,
        hostname: str | None = None,
        port: int = 8025,
        loop: asyncio.AbstractEventLoop | None = None,
        *,
        ready_timeout: float = 5.0,
        ssl_context: ssl.SSLContext | None = None,
        server_hostname: str | None = None,
        mailnet: BaseMailNet[Any, Any] | None = None,
        **SMTP_parameters: Any,  # noqa: N803  # aiosmtpd's own name
    ) -> None:
        """``mailnet`` is a fake internet that runs already; without it there is a new one from start to stop.

        The handler's hooks run on ``loop``, in a thread of their own. ``ready_timeout`` means nothing: a server that
        was started is ready.
        """
        self.handler = handler
        self.hostname = LOOPBACK if hostname is None else hostname
        self.port = port
        self.ready_timeout = ready_timeout
        self.ssl_context = ssl_context
        self.SMTP_kwargs = {**SMTP_parameters.pop("server_kwargs", {}), **SMTP_parameters}
        if server_hostname:
            self.SMTP_kwargs["hostname"] = server_hostname
        self._thread = HandlerThread(loop)
        self._given = mailnet
        self._mailnet: BaseMailNet[Any, Any] | None = mailnet
        self._capture: CaptureHost | None = None

    @property
    def mailnet(self) -> BaseMailNet[Any, Any]:
        """The fake internet that it is a host of: its journeys, its clock, its faults."""
        if self._mailnet is None:
            raise DeclarationError("this controller has no fake internet before it is started.")
        return self._mailnet

    @property
    def host(self) -> Host:
        """The fake host: ``controller.host.faults``, ``controller.host.configure(...)``."""
        return self._running_host.host

    @property
    def settings(self) -> Settings:
        """Settings for a program, in every form that :class:`~fakemail.Settings` knows."""
        capture = self._running_host
        address = LOOPBACK if capture.endpoint is None else capture.endpoint.address
        return Settings(address, self.port, self._security().value, capture.host, service="submission")

    @property
    def _running_host(self) -> CaptureHost:
        if self._capture is None:
            raise DeclarationError("this controller is not started.")
        return self._capture

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop of the handler's hooks."""
        return self._thread.loop

    @property
    def smtpd(self) -> SmtpConnection | None:
        """The latest connection."""
        return None if self._capture is None else self._capture.latest

    def start(self) -> None:
        """Start to listen; ``port`` is the one that it listens on from then on.

        Raises ``AssertionError`` if it listens already, and :class:`~fakemail.errors.PortInUse`.
        """
        if self._capture is not None:
            raise AssertionError("SMTP daemon already running")
        parameters = SmtpParameters(**self.SMTP_kwargs)
        if self._given is None:
            self._mailnet = MailNet().start()
        try:
            self._capture = self._make_host(parameters)
            self._listen()
        except BaseException:
            self.stop(no_assert=True)
            raise

    def _make_host(self, parameters: SmtpParameters) -> CaptureHost:
        capture = CaptureHost(
            self.mailnet,
            name=parameters.hostname,
            check_password=parameters.check_password,
            **parameters.options(),
        )
        capture.ssl_context = self.ssl_context or parameters.tls_context
        if not parameters.enable_SMTPUTF8:
            capture.host.configure(hide=capture.host.options.hide | {"SMTPUTF8"})
        capture.call_limits = _call_limits(parameters.command_call_limit)
        self._thread.start()
        capture.host.attach_handler(self._thread.wrap(self.handler, decode_data=parameters.decode_data))
        return capture

    def _security(self) -> Security:
        if self.ssl_context is not None:
            return Security.TLS
        return Security.NONE if self.SMTP_kwargs.get("tls_context") is None else Security.STARTTLS

    def _listen(self) -> None:
        """Listen at the host name and port that it has now."""
        self.port = self._running_host.listen(loopback(self.hostname), self.port, self._security()).port

    def stop(self, no_assert: bool = False) -> None:
        """Stop to listen; end the fake internet, if it was made by :meth:`start`.

        Raises ``AssertionError`` if it does not listen, unless ``no_assert`` says that this is all right.
        """
        if self._capture is None and not no_assert:
            raise AssertionError("SMTP daemon not running")
        capture, self._capture = self._capture, None
        if capture is not None:
            capture.close()
        self._thread.stop()
        if self._given is None and self._mailnet is not None:
            self._mailnet.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop(no_assert=True)


def _call_limits(limit: int | Mapping[str, int] | None) -> Mapping[str, int]:
    """Limit of each command in one connection; ``*`` stands for all others."""
    if isinstance(limit, Mapping):
        return {"*": _CALL_LIMIT, **limit}
    return {} if limit is None else {"*": limit}


def loopback(hostname: str) -> str:
    """The address of this machine that a host name stands for; every name stands for 127.0.0.1.

    Raises :class:`~fakemail.errors.DeclarationError` for an address that is not on loopback, or not IPv4.
    """
    try:
        address = ip_address(hostname)
    except ValueError:
        return LOOPBACK
    if hostname in _EVERYWHERE:
        return LOOPBACK
    if address.version != 4:
        raise DeclarationError(f"{hostname} is not an IPv4 address; say '127.0.0.1' or 'localhost'.")
    return real_endpoint("Controller", hostname, 1).address
