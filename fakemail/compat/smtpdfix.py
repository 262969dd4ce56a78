"""smtpdfix 0.5 on a fake internet: its controller, its configuration, its messages."""

from __future__ import annotations

import os
import ssl
from abc import ABC, abstractmethod
from collections.abc import Callable
from email.message import Message
from email.parser import BytesParser
from functools import cache
from pathlib import Path
from typing import Any, Final, Self

from fakemail.api.mailnet import BaseMailNet
from fakemail.compat.aiosmtpd import DATA_SIZE_LIMIT, Controller, SmtpParameters
from fakemail.compat.capture import CaptureHost
from fakemail.model.host import Security
from fakemail.tls.authority import process_authority
from fakemail.tls.leaf import PrivateFiles
from fakemail.wire.smtp_server import SmtpConnection

CERTIFICATE: Final = "SMTPD_SSL_CERTIFICATE_FILE"
"""The environment variable with the path of the server's certificate."""
_TRUE: Final = frozenset({"y", "yes", "t", "true", "on", "1"})
_FALSE: Final = frozenset({"n", "no", "f", "false", "off", "0"})
_PROMPTS: Final = (b"", b"Password")


def read_bool(value: object) -> bool:
    """A truth value, or a word for one. Raises ``ValueError`` for any other text."""
    if not isinstance(value, str):
        return bool(value)
    if value.lower() in _TRUE | _FALSE:
        return value.lower() in _TRUE
    raise ValueError(f"invalid truth value {value}")


class EventHandler:
    """Functions that are called together; ``+=`` adds one, ``-=`` removes it."""

    def __init__(self) -> None:
        self._handlers: list[Callable[..., object]] = []

    def __iadd__(self, handler: Callable[..., object]) -> Self:
        self._handlers.append(handler)
        return self

    def __isub__(self, handler: Callable[..., object]) -> Self:
        self._handlers.remove(handler)
        return self

    def __call__(self, *args: Any, **kwargs: Any) -> None:
        for handler in tuple(self._handlers):
            handler(*args, **kwargs)


class Config:
    """Options of a server. Each change takes effect at once, also while it runs."""

    def __init__(self) -> None:
        """The values of the environment: ``SMTPD_HOST``, ``SMTPD_PORT``, ``SMTPD_USE_STARTTLS``..."""
        self.OnChanged = EventHandler()
        env = os.environ
        self._host: str | None = env.get("SMTPD_HOST", "localhost")
        self._port = int(env.get("SMTPD_PORT", 0))
        self._ready_timeout = float(env.get("SMTPD_READY_TIMEOUT", 10.0))
        self._login_username = env.get("SMTPD_LOGIN_NAME", "user")
        self._login_password = env.get("SMTPD_LOGIN_PASSWORD", "password")
        self._enforce_auth = read_bool(env.get("SMTPD_ENFORCE_AUTH", "False"))
        self._auth_require_tls = read_bool(env.get("SMTPD_AUTH_REQUIRE_TLS", "True"))
        self._ssl_cert_files: tuple[Any, Any] = (env.get(CERTIFICATE), env.get("SMTPD_SSL_KEY_FILE"))
        self._use_starttls = read_bool(env.get("SMTPD_USE_STARTTLS", "False"))
        self._use_ssl = any(read_bool(env.get(name, "False")) for name in ("SMTPD_USE_SSL", "SMTPD_USE_TLS"))
        self._has_own_files = self._ssl_cert_files != (None, None)
        _require_files(self._ssl_cert_files)

    @property
    def host(self) -> str | None:
        """The host name; it listens on loopback, whatever the name."""
        return self._host

    @host.setter
    def host(self, value: str | None) -> None:
        self._host = value
        self.OnChanged()

    @property
    def port(self) -> int:
        """The port, 0 for one that the system chooses."""
        return self._port

    @port.setter
    def port(self, value: int | str) -> None:
        self._port = int(value)
        self.OnChanged()

    @property
    def ready_timeout(self) -> float:
        """Seconds; a server that was started is ready."""
        return self._ready_timeout

    @ready_timeout.setter
    def ready_timeout(self, value: float | str) -> None:
        self._ready_timeout = float(value)
        self.OnChanged()

    @property
    def login_username(self) -> str:
        """The login of the one user."""
        return self._login_username

    @login_username.setter
    def login_username(self, value: str) -> None:
        self._login_username = value
        self.OnChanged()

    @property
    def login_password(self) -> str:
        """The user's password."""
        return self._login_password

    @login_password.setter
    def login_password(self, value: str) -> None:
        self._login_password = value
        self.OnChanged()

    @property
    def enforce_auth(self) -> bool:
        """Whether a client has to log in before it sends."""
        return self._enforce_auth

    @enforce_auth.setter
    def enforce_auth(self, value: object) -> None:
        self._enforce_auth = read_bool(value)
        self.OnChanged()

    @property
    def auth_require_tls(self) -> bool:
        """Whether a client may log in inside TLS only."""
        return self._auth_require_tls

    @auth_require_tls.setter
    def auth_require_tls(self, value: object) -> None:
        self._auth_require_tls = read_bool(value)
        self.OnChanged()

    @property
    def ssl_cert_files(self) -> tuple[Any, Any]:
        """The paths of the certificate and of its key, the latter ``None`` if it is in the same file."""
        return self._ssl_cert_files

    @ssl_cert_files.setter
    def ssl_cert_files(self, value: Any) -> None:
        self._ssl_cert_files = (value[0], value[1]) if isinstance(value, tuple) else (value, None)
        self._has_own_files = True
        _require_files(self._ssl_cert_files)
        self.OnChanged()

    @property
    def use_starttls(self) -> bool:
        """Whether STARTTLS is offered, and required."""
        return self._use_starttls

    @use_starttls.setter
    def use_starttls(self, value: object) -> None:
        self._use_starttls = read_bool(value)
        self.OnChanged()

    @property
    def use_ssl(self) -> bool:
        """Whether a connection is TLS from the first byte; STARTTLS goes first."""
        return self._use_ssl

    @use_ssl.setter
    def use_ssl(self, value: object) -> None:
        self._use_ssl = read_bool(value)
        self.OnChanged()

    def server_context(self) -> ssl.SSLContext | None:
        """The server's context with the certificate of the files; ``None`` for the one of the fake internet.

        Raises ``FileNotFoundError`` where files were named and are not there.
        """
        certificate, key = self._ssl_cert_files
        if not self._has_own_files or (key is None and str(certificate) == str(default_certificate())):
            return None
        if not certificate:
            raise FileNotFoundError(certificate)
        _require_files(self._ssl_cert_files)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_verify_locations(certificate)
        context.load_cert_chain(certificate, keyfile=key)
        return context


def _require_files(paths: tuple[Any, Any]) -> None:
    for path in paths:
        if path is not None and not Path(path).is_file():
            raise FileNotFoundError(path)


def default_certificate() -> Path:
    """A file with a certificate for ``localhost``, its key and the authority: the server's, and what clients trust."""
    authority = process_authority()
    leaf = authority.leaf("localhost", addresses=["127.0.0.1"])
    return _files().write(
        f"smtpd-{leaf.fingerprint[:24]}.pem", leaf.key_pem + leaf.chain_pem + authority.ca_pem
    )


@cache
def _files() -> PrivateFiles:
    return PrivateFiles()


class Authenticator(ABC):
    """Users that may log in."""

    @abstractmethod
    def validate(self, username: str, password: str) -> bool:
        """Whether that is the user's password."""

    @abstractmethod
    def verify(self, username: str) -> bool:
        """Whether there is such a user."""

    @abstractmethod
    def get_password(self, username: str) -> str:
        """The password of a user, for CRAM-MD5."""


class ConfigAuthenticator(Authenticator):
    """The one user of a configuration."""

    def __init__(self, config: Config) -> None:
        self.config = config

    def validate(self, username: str, password: str) -> bool:
        """Whether it is the user and the password of the configuration."""
        return (username, password) == (self.config.login_username, self.config.login_password)

    def verify(self, username: str) -> bool:
        """Not done, as in smtpdfix."""
        raise NotImplementedError

    def get_password(self, username: str | None) -> str:
        """Password of the configuration, for any user."""
        return str(self.config.login_password)


class _Passwords:
    """An authenticator as the store of passwords for CRAM-MD5."""

    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator

    def password_of(self, login: str) -> str | None:
        return self._authenticator.get_password(login)

    def token_owner(self, token: str) -> str | None:
        return None

    def owner_of_certificate(self, subject: str) -> str | None:
        return None

    def may_act_as(self, authentication_id: str, authorization_id: str) -> bool:
        return False


class AuthMessage:
    """The handler: it keeps what was sent."""

    def __init__(self, messages: list[Message]) -> None:
        self._messages = messages

    async def handle_DATA(self, server: object, session: Any, envelope: Any) -> str:
        """Keep the message, with fields for its envelope."""
        message: Message = BytesParser().parsebytes(envelope.content)
        message["X-Peer"] = str(session.peer)
        message["X-MailFrom"] = envelope.mail_from
        message["X-RcptTo"] = ", ".join(envelope.rcpt_tos)
        self._messages.append(message)
        return "250 OK"


class AuthController(Controller):
    """A server that keeps what it is sent, and that is changed by its :attr:`config` while it runs."""

    def __init__(
        self,
        loop: object | None = None,
        hostname: str | None = None,
        port: int | None = None,
        ready_timeout: float | None = None,
        ssl_context: ssl.SSLContext | None = None,
        config: Config | None = None,
        authenticator: Authenticator | None = None,
        mailnet: BaseMailNet[Any, Any] | None = None,
        **SMTP_parameters: Any,  # noqa: N803
    ) -> None:
        self.config = config or Config()
        self._messages: list[Message] = SMTP_parameters.pop("messages", None) or []
        self._own_context = ssl_context
        self._authenticator = authenticator or ConfigAuthenticator(self.config)
        self._listens: tuple[object, ...] = ()
        self._configured: dict[str, bool] | None = None
        self._files_context: tuple[tuple[Any, Any], ssl.SSLContext | None] | None = None
        super().__init__(
            AuthMessage(self._messages),
            hostname=hostname or self.config.host,
            port=int(port or self.config.port),
            ready_timeout=float(ready_timeout or self.config.ready_timeout),
            mailnet=mailnet,
            **SMTP_parameters,
        )
        self.config._host = self.hostname
        if port is not None:
            self.config._port = int(port)
        self.config.OnChanged += self.reset

    @property
    def messages(self) -> list[Message]:
        """A copy of the list of messages that were sent to it."""
        return self._messages.copy()

    def reset(self, persist_messages: bool = True) -> None:
        """Apply the configuration; drop the messages, if they shall not persist."""
        if not persist_messages:
            self._messages.clear()
        config = self.config
        self.hostname, self.port = config.host or "localhost", config.port
        if self._capture is not None:
            self._configure(self._capture)
            if self._listens != self._wanted():
                self._listen()

    def _security(self) -> Security:
        if self.config.use_starttls:
            return Security.STARTTLS
        return Security.TLS if self.config.use_ssl else Security.NONE

    def _wanted(self) -> tuple[object, ...]:
        return self.hostname, self.port, self._security()

    def _listen(self) -> None:
        super()._listen()
        self.config._port = self.port
        self._listens = self._wanted()

    def _make_host(self, parameters: SmtpParameters) -> CaptureHost:
        capture = CaptureHost(
            self.mailnet,
            check_password=self._check_password,
            credentials=_Passwords(self._authenticator),
            prompts=_PROMPTS,
            **{
                **parameters.options(),
                "max_message_size": DATA_SIZE_LIMIT,
                "auth_mechanisms": {"CRAM-MD5", "LOGIN", "PLAIN"},
            },
        )
        capture.host.configure(hide=capture.host.options.hide | {"SMTPUTF8"})
        capture.host.attach_handler(self.handler)
        self._configured = None
        self._configure(capture)
        # As smtpdfix, whose configuration tests also change by patching its class, which tells nobody.
        capture.before_session = lambda: self._configure(capture)
        return capture

    def _configure(self, capture: CaptureHost) -> None:
        config = self.config
        options = {
            "require_tls": config.use_starttls,
            "require_auth": config.enforce_auth,
            "auth_in_clear": not config.auth_require_tls,
        }
        if options != self._configured:
            capture.host.configure(**options)
            self._configured = options
        if self._security() is Security.NONE:
            capture.ssl_context = None
        else:
            capture.ssl_context = self._own_context or self._file_context()

    def _file_context(self) -> ssl.SSLContext | None:
        """The context of the certificate's files, made anew when others are named."""
        files = self.config.ssl_cert_files
        if self._files_context is None or self._files_context[0] != files:
            self._files_context = files, self.config.server_context()
        return self._files_context[1]

    def _check_password(self, _: SmtpConnection, mechanism: str, login: str, password: str) -> bool:
        return self._authenticator.validate(login, password)


class SMTPDFix:
    """A server for a ``with`` block."""

    def __init__(
        self,
        hostname: str | None = None,
        port: int | None = None,
        config: Config | None = None,
        *,
        mailnet: BaseMailNet[Any, Any] | None = None,
    ) -> None:
        self.hostname = hostname
        self.port = None if port is None else int(port)
        self.config = config or Config()
        self._mailnet = mailnet
        self.controller: AuthController | None = None

    def __enter__(self) -> AuthController:
        controller = self.controller = AuthController(
            hostname=self.hostname, port=self.port, config=self.config, mailnet=self._mailnet
        )
        controller.start()
        self.port = controller.port
        return controller

    def __exit__(self, *_: object) -> None:
        if self.controller is not None:
            self.controller.stop(no_assert=True)
