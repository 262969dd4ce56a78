"""Hosts of the fake internet, and the settings by which a program reaches their services."""

from __future__ import annotations

import imaplib as _imaplib  # not later: under a replaced clock it would keep that one
import poplib as _poplib
import smtplib as _smtplib
import ssl
import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import field, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from fakemail.api.env_styles import STYLES, ConnectionValues
from fakemail.api.faults import Faults
from fakemail.api.handles import Handle
from fakemail.api.portal import Portal
from fakemail.api.preload import preload_login
from fakemail.errors import ClosedError, DeclarationError, nearest
from fakemail.faults.rule import FaultScope
from fakemail.model.host import HOST_OPTIONS, SERVICES, SUBMISSION_SERVICES, HostOptions, HostSpec, Security
from fakemail.model.policy_schema import read_policy
from fakemail.model.schema import Place, Problems
from fakemail.runtime.hosts import SMARTHOST_USER
from fakemail.runtime.network import LOCALHOST, LOOPBACK
from fakemail.runtime.option_words import spelled, unknown_words
from fakemail.tls.authority import process_authority
from fakemail.tls.dane import TlsaUsage
from fakemail.types.dataclass import dataclass
from fakemail.types.domains import a_labels, u_labels
from fakemail.types.suggestions import Suggests
from fakemail.zones.zone_provisioning import SMARTHOST

if TYPE_CHECKING:
    from fakemail.runtime.service_port import RunningHost, ServicePort

# How long a client of ours waits for a server in this very process, in real seconds.
_TIMEOUT = 30.0
# The schemes of URLs: RFC 2384 for POP3, RFC 5092 for IMAP; those with an s are what programs understand.
_BROUGHT = "_ca_file"  # in the settings that came from another process: the path that they brought
_SCHEMES = {"smtp": "smtp", "submission": "smtp", "submissions": "smtps"}


class Host(Handle):
    """A machine of the fake internet. Two handles on the same host are equal."""

    def __init__(self, portal: Portal, name: str) -> None:
        self._portal = portal
        self.name = name
        """Its name in the fake internet."""

    @property
    def _spec(self) -> HostSpec:
        return self._portal.simulation.world.host(self.name)

    @property
    def _running(self) -> RunningHost:
        return self._portal.simulation.hosts.running[self._spec.name]

    @property
    def faults(self) -> Faults:
        """Faults of this host; none by default."""
        return Faults(self._portal, FaultScope(host=self.name))

    @property
    def ipv4(self) -> str:
        """Its address in the fake internet, from a documentation range (RFC 5737)."""
        return self._spec.ipv4

    @property
    def ipv6(self) -> str:
        """Its IPv6 address in the fake internet (RFC 3849)."""
        return self._spec.ipv6

    @property
    def services(self) -> tuple[str, ...]:
        """The names of the services it runs."""
        return tuple(service.name for service in self._spec.services)

    @property
    def options(self) -> HostOptions:
        """Options of its servers."""
        return self._spec.options

    def configure(self, **changes: Any) -> Host:
        """Change its options; connections made from now on see it.

        The keywords are the fields of :class:`~fakemail.model.host.HostOptions`:
        ``host.configure(hide={"PIPELINING"}, max_recipients=100)``. Returns the host. Raises
        one :class:`~fakemail.errors.DeclarationError` that tells every option, value and name to hide that there
        is not.
        """
        problems = Problems()
        given = HOST_OPTIONS.values(changes, Place(problems))
        problems.lines += [text for option, value in given.items() for text in unknown_words(option, value)]
        problems.raise_all(
            f"host {self.name!r}: ", f"{{count}} mistakes in the options of host {self.name!r}:"
        )
        if "hide" in given:
            given["hide"] = spelled(given["hide"])
        options = replace(self._spec.options, **given)
        world = self._portal.simulation.world
        self._portal.call(lambda: world.change_host(replace(self._spec, options=options)))
        return self

    def policy(self, **keywords: Any) -> Host:
        """Set what it checks of submitted mail, in place of what it checked: sending quotas, for example.

        The keywords are those of :meth:`Domain.policy`, and ``login_rate`` and ``login_recipient_rate`` are for
        it alone: ``policy(login_rate=(100, hours(1)), login_recipient_rate=(500, days(1)))``. Without arguments
        nothing is checked. Where mail is quarantined, it is held in the queue. It counts from the next command on.
        Raises :class:`~fakemail.errors.DeclarationError` for mistakes, and for a host without a submission service.
        """
        if not SUBMISSION_SERVICES.intersection(self.services):
            raise DeclarationError(
                f"host {self.name!r} has no submission service; what a mail host checks of mail from elsewhere is "
                f"the policy of the domain: mailnet.domain(...).policy(...)."
            )
        policy = read_policy(self.name, keywords, of="host") if keywords else None
        world = self._portal.simulation.world
        self._portal.call(lambda: world.change_host(replace(self._spec, policy=policy)))
        return self

    def route(self, domain: str, via: str | Host) -> Host:
        """Relay mail for a domain, or for all others with ``"*"``, to that host, whatever DNS says.

        The host is made if it is not there; whether it takes the mail is its own affair
        (see ``relay_for`` of ``mailnet.host``). Returns this host.
        """
        name = via.name if isinstance(via, Host) else via
        internet = self._portal.simulation

        async def change() -> None:
            if a_labels(name) not in internet.world.hosts:
                internet.world.add_host(name)
            internet.world.add_route(self.name, domain, name)
            internet.hosts.apply_routes(self.name)
            await internet.hosts.run_host(internet.world.host(name))

        self._portal.perform(change())
        return self

    @property
    def routes(self) -> dict[str, str]:
        """To which hosts it hands mail whatever DNS says, by domain; ``*`` stands for all others."""
        return dict(self._spec.routes)

    def attach_handler(self, handler: object | None) -> Host:
        """Attach a handler written for aiosmtpd; ``None`` takes it away.

        Its ``handle_HELO``, ``handle_EHLO``, ``handle_MAIL``, ``handle_RCPT`` and ``handle_DATA`` are awaited for
        what the host itself would accept, and their refusals (``"550 5.7.1 not today"``) become the replies.
        """
        self._running.handler = handler
        return self

    def certificate(self, *, flaw: str | None = None) -> Host:
        """Give it a new certificate: a good one, or one with a flaw, for connections made from now on.

        ``flaw`` is one of :data:`fakemail.tls.flaws.FLAWS`, such as ``"expired"`` or ``"revoked"``. TLSA records
        stay as they are.
        """
        self._portal.call(lambda: self._running.present(flaw))
        return self

    def offer_starttls(self, offered: bool = True) -> Host:
        """Offer STARTTLS or hide it: ``configure(hide={"STARTTLS"})`` and back, other hidden words kept."""
        hidden = self.options.hide - {"STARTTLS"}
        return self.configure(hide=hidden if offered else hidden | {"STARTTLS"})

    def publish_tlsa(
        self, *, usage: int = 3, selector: int = 1, matching: int = 1, port: int = 25, data: str | None = None
    ) -> Host:
        """Publish a TLSA record for its present certificate in place of the ones for that port (RFC 6698).

        ``usage`` 2 and 0 are about the authority, 3 and 1 about the host's own certificate; ``selector`` 0 takes
        the whole certificate, 1 its key; ``matching`` 0 the octets, 1 SHA-256, 2 SHA-512. ``data`` in
        hexadecimal stands for something else. It counts only where the zone is signed.
        """
        self._portal.call(
            lambda: self._portal.simulation.tls_policy_records.publish_tlsa(
                self.name, TlsaUsage(usage, selector, matching), port=port, data=data
            )
        )
        return self

    def stop(self) -> Host:
        """Switch it off: new connections are refused, open ones end with 421."""
        self._portal.call(self._running.stop)
        return self

    def start(self) -> Host:
        """Switch it on again, on the same addresses and ports."""
        self._portal.perform(self._running.start())
        return self

    def remove(self) -> None:
        """Remove the host: its connections end (421, BYE), its name leaves DNS, and what waits in its queue is dropped.

        Raises :class:`~fakemail.errors.DeclarationError` for a host of a domain: remove that, or give it others.
        """
        __tracebackhide__ = True
        self._portal.require_declared(self.name, "host")
        self._portal.remove_host(self.name)

    def settings(self, service: str, *, username: str = "", password: str = "") -> Settings:
        """Settings of one of its services (``"smtp"``, ``"submission"``, ``"submissions"``, ``"pop3"``...)."""
        if service in SERVICES and service != "smtp":
            preload_login()
        endpoint = self._portal.simulation.network.attached(self.name, service)
        if endpoint is None:
            endpoint = self._site(service).endpoint
        security = SERVICES[service].security.value
        return Settings(endpoint.address, endpoint.port, security, self, username, password, service)

    def _site(self, service: str) -> ServicePort:
        """The port of a service; raises :class:`~fakemail.errors.DeclarationError` for one that does not."""
        ports = self._running.ports
        if service not in SERVICES:
            raise DeclarationError(f"there is no service {service!r}; {nearest(service, SERVICES)}")
        if service not in ports:
            raise DeclarationError(f"host {self.name!r} runs no {service!r}; {nearest(service, ports)}")
        return ports[service]

    def listen_on_localhost(self, service: str) -> int:
        """Let a service listen on 127.0.0.1 as well, and return the port there; see :attr:`Settings.localhost`."""
        endpoint = self._portal.simulation.network.attached(self.name, service)
        if endpoint is None:
            return self._portal.perform(self._site(service).listen_on_localhost())
        if endpoint.address != LOOPBACK:
            raise DeclarationError(
                f"host {self.name!r} is an external server at {endpoint.address}, and not at localhost ({LOOPBACK})."
            )
        return endpoint.port

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Host):
            return NotImplemented
        return self._portal is other._portal and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)

    def _name(self) -> str:
        return f"Host {u_labels(self.name)}"

    def _state(self) -> str:
        return f" [{self.ipv4}]"


@dataclass(frozen=True)
class Settings(Suggests):
    """Settings to reach one server: address, port, TLS and login.

    ``host`` is a literal loopback address: the name ``localhost`` may mean IPv6 first, and some systems wait a
    second or two before they try the other. For clients that need a name there is :attr:`localhost`.
    """

    host: str
    """A literal loopback address."""
    port: int
    """The port at that address, chosen by the system unless told otherwise."""
    security: str
    """``"starttls"``, ``"tls"`` or ``"none"``."""
    server: Host = field(repr=False, compare=False)
    """The fake host behind the address; it stays behind when settings go to another process."""
    username: str = ""
    """The login; empty for none."""
    password: str = field(default="", repr=False)
    """The password for it."""
    service: str = "smtp"
    """The name of the host's service: ``"smtp"``, ``"submission"``, ``"pop3s"``..."""

    @property
    def faults(self) -> Faults:
        """Faults of the host behind the address."""
        return self.server.faults

    @property
    def ca_file(self) -> str:
        """The path of a PEM file with the authority that signed the server's certificate."""
        brought: str | None = self.__dict__.get(_BROUGHT)
        return str(process_authority().ca_file()) if brought is None else brought

    @property
    def ssl_context(self) -> ssl.SSLContext:
        """New client context that trusts the fake internet's authority only."""
        if _BROUGHT in self.__dict__:
            return ssl.create_default_context(cafile=self.ca_file)
        return process_authority().client_context()

    # Pickled they are plain values, for a program under test that runs in a process of its own: what
    # is needed to connect goes with them, and the fake internet stays where it is.

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "server": None, _BROUGHT: self.ca_file}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update({name: value for name, value in state.items() if name != "server"})

    if not TYPE_CHECKING:  # or every name would seem to be there

        def __getattr__(self, name: str) -> Any:
            if name == "server" and _BROUGHT in self.__dict__:
                raise ClosedError(
                    "these settings came from another process, with what is needed to connect; the host itself, "
                    "and its faults, are in the process of the fake internet."
                )
            return super().__getattr__(name)

    def __copy__(self) -> Settings:
        return self

    def __deepcopy__(self, _: object) -> Settings:
        return self

    @property
    def url(self) -> str:
        """``smtp://user:password@host:port``, or ``pop3://``, or ``imap://``; with an ``s`` for implicit TLS."""
        scheme = _SCHEMES.get(self.service, self.service)
        who = f"{quote(self.username, safe='')}:{quote(self.password, safe='')}@" if self.username else ""
        return f"{scheme}://{who}{self.host}:{self.port}"

    @property
    def localhost(self) -> Settings:
        """The same server at the host name ``localhost``, for which its certificate is good as well.

        For clients that compare certificates with names only, and never with an IP address: mbsync, fetchmail,
        offlineimap, JavaMail. The server listens on 127.0.0.1 too from then on, at a port of its own. Raises
        :class:`~fakemail.errors.DeclarationError` for an external server that listens elsewhere.
        """
        port = self.server.listen_on_localhost(self.service)
        return replace(self, host=LOCALHOST, port=port)

    @property
    def public(self) -> Settings:
        """The same server as it is known in the fake internet: by its name, at its real port.

        For programs to which the fake internet is the internet: those in a namespace, or redirected.
        """
        return replace(self, host=self.server.name, port=SERVICES[self.service].port)

    def env(self, prefix: str | None = None, *, style: str | None = None) -> dict[str, str]:
        """The settings as environment variables.

        ``SMTP_HOST``, ``SMTP_PORT``, ``SMTP_USERNAME``, ``SMTP_PASSWORD``, ``SMTP_SECURITY`` and
        ``SMTP_URL``, and the variables by which programs trust the authority, as in ``mailnet.run``:
        ``SSL_CERT_FILE`` (OpenSSL, Python, Go), ``NODE_EXTRA_CA_CERTS``, ``REQUESTS_CA_BUNDLE``... For a server where
        mail is read, ``POP3`` or ``IMAP`` stands in the place of ``SMTP``. ``style`` gives the names of a framework
        instead: ``"django"``, ``"flask"`` (Flask-Mail, FastAPI-Mail), ``"laravel"``, ``"rails"``, ``"spring"`` or
        ``"symfony"``.
        """
        from fakemail.intercept.ca_bundles import trust_variables  # few tests start a program

        if style is not None:
            return {**self._style(style), **trust_variables(self.ca_file)}
        prefix = self._protocol.upper() if prefix is None else prefix
        return {
            f"{prefix}_HOST": self.host,
            f"{prefix}_PORT": str(self.port),
            f"{prefix}_USERNAME": self.username,
            f"{prefix}_PASSWORD": self.password,
            f"{prefix}_SECURITY": self.security,
            f"{prefix}_URL": self.url,
            **trust_variables(self.ca_file),
        }

    def _style(self, style: str) -> dict[str, str]:
        self._require("smtp", "env(style=...)")
        if style not in STYLES:
            raise DeclarationError(f"there is no style {style!r} of environments; {nearest(style, STYLES)}")
        values = ConnectionValues(self.host, self.port, self.security, self.username, self.password)
        return STYLES[style](values)

    def flask_mail(self) -> dict[str, Any]:
        """The configuration of Flask-Mail and Flask-Mailman: ``app.config.update(settings.flask_mail())``.

        Mail is sent also in an app with ``TESTING``. Both trust what Python trusts: see :meth:`env`.
        """
        self._require("smtp", "flask_mail")
        return {
            "MAIL_SERVER": self.host,
            "MAIL_PORT": self.port,
            "MAIL_USERNAME": self.username or None,
            "MAIL_PASSWORD": self.password or None,
            "MAIL_USE_TLS": self.security == Security.STARTTLS.value and bool(self.username),
            "MAIL_USE_SSL": self.security == Security.TLS.value,
            # In an app with TESTING, Flask-Mail sends nothing, and Flask-Mailman keeps mail to itself.
            "MAIL_SUPPRESS_SEND": False,
            "MAIL_BACKEND": "smtp",
        }

    def fastapi_mail(self, *, sender: str | None = None) -> dict[str, Any]:
        """The keywords of FastAPI-Mail: ``ConnectionConfig(**settings.fastapi_mail())``.

        ``sender`` is its ``MAIL_FROM``, by default the login, or the smarthost's where that is no
        address.
        Mail is sent also where ``SUPPRESS_SEND`` is in the environment.
        """
        self._require("smtp", "fastapi_mail")
        return {
            "MAIL_SERVER": self.host,
            "MAIL_PORT": self.port,
            "MAIL_USERNAME": self.username,
            "MAIL_PASSWORD": self.password,
            "MAIL_FROM": sender or (self.username if "@" in self.username else SMARTHOST),
            "MAIL_STARTTLS": self.security == Security.STARTTLS.value and bool(self.username),
            "MAIL_SSL_TLS": self.security == Security.TLS.value,
            "USE_CREDENTIALS": bool(self.username),
            "VALIDATE_CERTS": True,
            "SUPPRESS_SEND": 0,
        }

    @property
    def _protocol(self) -> str:
        """``smtp``, ``pop3`` or ``imap``."""
        return _SCHEMES.get(self.service, self.service).removesuffix("s")

    def _require(self, protocol: str, verb: str) -> None:
        if self._protocol != protocol:
            said = verb if verb.endswith(")") else f"{verb}()"
            raise DeclarationError(
                f"{said} is for {protocol.upper()}, and these are the settings of {self.service!r}."
            )

    def django_settings(self, *, mailers: bool | None = None) -> dict[str, Any]:
        """Django's settings for mail, for ``override_settings`` or pytest-django's ``settings``.

        Since 6.1 Django has ``MAILERS``, and warns of the ``EMAIL_*`` settings of before. It gets what it
        knows, unless ``mailers`` says which of the two it shall be. Every mailer that the project has
        comes here.

        Django's backend trusts what Python trusts, so let it know the authority as well:
        ``monkeypatch.setenv("SSL_CERT_FILE", settings.ca_file)``.
        """
        if mailers is None:
            mailers = _django_has_mailers()
        if mailers:
            return {"MAILERS": {alias: self._mailer() for alias in ("default", *_django_aliases())}}
        return {
            "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
            "EMAIL_HOST": self.host,
            "EMAIL_PORT": self.port,
            "EMAIL_HOST_USER": self.username,
            "EMAIL_HOST_PASSWORD": self.password,
            "EMAIL_USE_TLS": self.security == Security.STARTTLS.value and bool(self.username),
            "EMAIL_USE_SSL": self.security == Security.TLS.value,
            "EMAIL_TIMEOUT": _TIMEOUT,
        }

    def _mailer(self) -> dict[str, Any]:
        return {
            "BACKEND": "django.core.mail.backends.smtp.EmailBackend",
            "OPTIONS": {
                "host": self.host,
                "port": self.port,
                "username": self.username,
                "password": self.password,
                "use_tls": self.security == Security.STARTTLS.value and bool(self.username),
                "use_ssl": self.security == Security.TLS.value,
                "timeout": _TIMEOUT,
            },
        }

    def smtplib(self, *, local_hostname: str | None = None) -> _smtplib.SMTP:
        """A standard library client: connected, with TLS where it is offered, logged in if there is a login.

        ``local_hostname`` is the name that it gives itself in EHLO; ``None`` is that of this machine. Raises
        ``smtplib.SMTPConnectError`` and ``smtplib.SMTPHeloError`` for a server that rejects it.
        """
        self._require("smtp", "smtplib")
        if self.security == Security.TLS.value:
            client: _smtplib.SMTP = _smtplib.SMTP_SSL(
                self.host, self.port, local_hostname, context=self.ssl_context, timeout=_TIMEOUT
            )
        else:
            client = _smtplib.SMTP(self.host, self.port, local_hostname, timeout=_TIMEOUT)
        try:
            client.ehlo_or_helo_if_needed()
            if self.security == Security.STARTTLS.value and client.has_extn("starttls"):
                client.starttls(context=self.ssl_context)
                client.ehlo_or_helo_if_needed()
            if self.username:
                client.login(self.username, self.password)
        except BaseException:
            client.close()
            raise
        return client

    def imaplib(self) -> _imaplib.IMAP4:
        """A standard library client: connected, with TLS where it is offered, logged in if there is a login."""
        self._require("imap", "imaplib")
        if self.security == Security.TLS.value:
            client: _imaplib.IMAP4 = _imaplib.IMAP4_SSL(
                self.host, self.port, ssl_context=self.ssl_context, timeout=_TIMEOUT
            )
        else:
            client = _imaplib.IMAP4(self.host, self.port, timeout=_TIMEOUT)
        try:
            if self.security == Security.STARTTLS.value and "STARTTLS" in client.capabilities:
                client.starttls(ssl_context=self.ssl_context)
            if self.username:
                client.login(self.username, self.password)
        except BaseException:
            with suppress(OSError):  # after a failed handshake there is no socket any more
                client.shutdown()
            raise
        return client

    def poplib(self) -> _poplib.POP3:
        """A standard library client: connected, with TLS where it is offered, logged in if there is a login."""
        self._require("pop3", "poplib")
        if self.security == Security.TLS.value:
            client: _poplib.POP3 = _poplib.POP3_SSL(
                self.host, self.port, context=self.ssl_context, timeout=_TIMEOUT
            )
        else:
            client = _poplib.POP3(self.host, self.port, timeout=_TIMEOUT)
        try:
            if self.security == Security.STARTTLS.value and "STLS" in client.capa():
                client.stls(context=self.ssl_context)
            if self.username:
                client.user(self.username)
                client.pass_(self.password)
        except BaseException:
            client.close()
            raise
        return client


def smarthost_settings(portal: Portal, service: str) -> Settings:
    """Settings of the ready smarthost, which is made if it is not there."""
    running = portal.perform(portal.simulation.hosts.smarthost())
    account = portal.simulation.world.account(SMARTHOST_USER)
    return Host(portal, running.name).settings(
        service, username=str(SMARTHOST_USER), password=account.password
    )


def name_of(host: str | Host) -> str:
    """The name of a host in DNS."""
    return host.name if isinstance(host, Host) else a_labels(host)


def _django_has_mailers() -> bool:
    try:
        version: tuple[object, ...] = import_module("django").VERSION
    except ImportError:
        return False
    return version >= (6, 1)


def _django_aliases() -> Iterable[str]:
    """The names of the project's own mailers, as far as Django has read its settings."""
    conf = sys.modules.get("django.conf")
    if conf is None or not conf.settings.configured:
        return ()
    return tuple(getattr(conf.settings, "MAILERS", ()))
