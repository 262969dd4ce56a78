"""``MailNet`` and ``AsyncMailNet``: a fake internet as a test holds it, its verbs in the order of use.

Declaring and looking wait for nothing, so that both do it alike; they differ in their waits only.
"""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import threading
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from datetime import timedelta
from email.message import Message as StandardMessage
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, Protocol, Self, TypeVar, cast

from fakemail.api.accounts import Account, AsyncAccount, BaseAccount
from fakemail.api.all_messages import AllMailboxes, SentMessage, SentMessages
from fakemail.api.clock import AsyncClock, Clock
from fakemail.api.dkim_signing import dkim_sign
from fakemail.api.dns import Dns
from fakemail.api.domains import Domain, enable_magic_addresses
from fakemail.api.env_styles import STYLES
from fakemail.api.failures import missing_anywhere
from fakemail.api.faults import Faults
from fakemail.api.handles import Results
from fakemail.api.hosts import Host, Settings, name_of, smarthost_settings
from fakemail.api.journey_notes import with_notes
from fakemail.api.lint import lint
from fakemail.api.mailing_lists import MailingList
from fakemail.api.message_lists import AsyncMessages, Messages
from fakemail.api.messages import Message
from fakemail.api.namespaces import (
    AsyncNamespace,
    BaseNamespace,
    Command,
    Namespace,
    read_endpoint,
    read_ports,
    several,
)
from fakemail.api.portal import Portal
from fakemail.api.preload import preload
from fakemail.api.queue import Queue
from fakemail.api.waits import arrive, require_blocking_allowed
from fakemail.api.watchdog import HANG_TIMEOUT, take_back_cancellation
from fakemail.clock import TimeSource, VirtualClock
from fakemail.errors import ClosedError, DeclarationError, MailAssertionError, nearest
from fakemail.events.export import to_json_lines
from fakemail.events.journey import Journey
from fakemail.events.kinds import Event
from fakemail.events.refusals import refused_lines
from fakemail.events.transcript import Order, transcript
from fakemail.faults import actions
from fakemail.faults.context import Match
from fakemail.faults.rule import EVERYBODY, FaultRule, Schedule
from fakemail.model.host import SERVICES
from fakemail.model.mailing_list import MailingListSpec
from fakemail.runtime.network import real_endpoint
from fakemail.runtime.simulation import Simulation
from fakemail.runtime.sink import SINK
from fakemail.store.mailbox import INBOX
from fakemail.tls.authority import process_authority
from fakemail.types.address import Address, AddressLike, read_address
from fakemail.types.domains import a_labels
from fakemail.types.reply import Reply
from fakemail.types.stage import Stage
from fakemail.types.suggestions import Suggests
from fakemail.zones.zone_provisioning import is_infrastructure

if TYPE_CHECKING:
    from fakemail.api import config as configuration
    from fakemail.api import sweep as sweeps
    from fakemail.api.redirection import Redirection
    from fakemail.lint.finding import LintFinding
    from fakemail.model.description import Description
    from fakemail.policy.deliverability import Deliverability
    from fakemail.runtime.namespace_listeners import NamespaceListeners

DEFAULT_TIMEOUT: Final = 5.0
"""Real seconds that a wait lasts by default."""
_RETRIES: Final = "retries"
"""The level of grease at which servers also refuse something for now, once."""
_LIKELY: Final = 0.4
_REFUSED_FOR_NOW: Final = (
    (Stage.SMTP_MAIL, Reply(451, "4.3.2", "a moment, please"), "sender"),
    (Stage.SMTP_RCPT, Reply(450, "4.2.1", "the mailbox is busy"), "recipient"),
    (Stage.SMTP_END, Reply(451, "4.3.0", "come again"), "recipient"),
)
"""Temporary refusals of grease: the stage, the reply, and what is refused only once."""

_A = TypeVar("_A", bound=BaseAccount[Any])
_N = TypeVar("_N", bound=BaseNamespace)
_F = TypeVar("_F", bound="BaseMailNet[Any, Any]")


class MonkeyPatch(Protocol):
    """pytest's ``monkeypatch``, which nothing but the plugin may import."""

    def setenv(self, name: str, value: str) -> None:
        """Set a variable until the test ends."""
        ...


class BaseMailNet(Suggests, Generic[_A, _N]):
    """A fake internet without its waits: what both faces have in common."""

    seed: int
    """The number that decides everything that is left to chance."""
    grease: bool | str
    """Whether its servers vary what the standards leave open, or ``"retries"``."""
    dns: Dns
    """Its DNS: records to change, queries to look at, resolvers to give to a program."""
    queue: Queue
    """The messages that wait at its hosts."""
    faults: Faults
    """The faults of every host."""

    _new_account: Callable[[Portal, Address], _A]
    _new_namespace: Callable[[Portal, NamespaceListeners], _N]
    _redirections: tuple[Redirection, ...] = ()
    """All redirects so far; the last one may be in force."""
    _own_namespace: _N | None = None
    _making_own: ClassVar = threading.Lock()  # for threads that all run their first command

    def __init__(
        self,
        *,
        config: configuration.Config | None = None,
        seed: int | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        clock: TimeSource | None = None,
        port_offset: int | None = None,
        real_ports: bool = False,
        grease: bool | str | None = None,
        sink: bool | None = None,
    ) -> None:
        """``config`` is a TOML file, or its text, with what shall be there from the start.

        ``seed`` decides everything that is left to chance, by default that of the configuration, or 0;
        ``timeout`` is the real seconds of a wait. With ``port_offset`` services listen on their real
        port plus that number, so that SMTP is at 1025 with 1000; with ``real_ports`` on the real ports, each
        host on a loopback address of its own, which needs root or a system that allows it; else the system chooses.
        With ``grease=True`` its servers say to the app whatever the standards allow, by chance; with ``"retries"``
        they also refuse something for now, once; by default it is as in the configuration, or off.
        With ``sink=True`` mail for every domain that nobody declared is taken, see :attr:`sink`.
        Raises :class:`~fakemail.errors.DeclarationError` with everything that is wrong in the configuration.
        """
        self._config = None if config is None else _load(config)
        if grease is None:
            grease = (self._config.grease if self._config else None) or False
        if grease != _RETRIES and not isinstance(grease, bool):
            raise DeclarationError(f"grease is True, False or {_RETRIES!r}, not {grease!r}.")
        if seed is None:
            seed = (self._config.seed if self._config else None) or 0
        if real_ports and port_offset is not None:
            raise DeclarationError("real_ports=True and port_offset= exclude each other.")
        self._clock: TimeSource = clock or VirtualClock()
        self._port_offset = port_offset
        self._real_ports = real_ports
        self._portal = Portal(timeout=timeout, again=f"{type(self).__name__}(seed={seed})")
        self.seed = seed
        self.grease = grease
        if sink is not None and not isinstance(sink, bool):
            raise DeclarationError(f"sink is True or False, not {sink!r}.")
        self._is_sink = bool(self._config and self._config.sink) if sink is None else sink
        self.dns = Dns(self._portal)
        self.queue = Queue(self._portal)
        self._all_mailboxes = AllMailboxes(self._portal)
        self._sent_messages = SentMessages(self._portal)
        self.faults = Faults(self._portal, EVERYBODY)

    # Start and end -------------------------------------------------------------------------------

    def start(self) -> Self:
        """Start it where no ``with`` block is at hand, and return it. Call :meth:`close` in the end.

        This never waits for anybody else, so it may be called in an event loop.
        """
        __tracebackhide__ = True
        if self.is_running:
            raise ClosedError("this fake internet runs already.")
        preload()
        simulation = Simulation(
            seed=self.seed,
            clock=self._clock,
            port_offset=self._port_offset,
            real_ports=self._real_ports,
            grease=bool(self.grease),
        )
        portal = self._portal
        portal.thread.run_at_once(simulation.start())
        portal.running = simulation
        if self._is_sink:
            portal.thread.run_at_once(simulation.sink.open())
            enable_magic_addresses(Host(portal, SINK).faults)
        if self.grease == _RETRIES:
            portal.perform(_refuse_for_now(simulation))
        if self._config is not None:
            from fakemail.api import config as configuration

            try:
                configuration.apply(portal, self._config)
            except BaseException:
                portal.running = None
                portal.perform(simulation.stop())
                raise
        return self

    def close(self) -> None:
        """End it; ports are free when this returns. Closing again does nothing.

        Raises :class:`~fakemail.errors.ServerError` if a server of the fake internet failed in its own code.
        """
        __tracebackhide__ = True
        portal = self._portal
        redirections, self._redirections = self._redirections, ()
        for redirection in redirections:
            redirection.end()
        simulation, portal.running = portal.running, None
        if simulation is not None and portal.thread.is_of_this_process:  # else it is another process's to end
            portal.perform(simulation.stop())
            simulation.supervisor.raise_errors()
        for redirection in redirections:
            redirection.require_none_escaped()

    @property
    def is_running(self) -> bool:
        """Whether it has been started and not yet closed."""
        return self._portal.running is not None

    def reset(self) -> None:
        """Empty all mailboxes, the queue and the log, for tests that share it. What is under way is dropped.

        Accounts, domains, hosts, DNS, what receivers remember (greylists, rates), faults and the clock stay.
        """
        self._portal.perform(self._portal.simulation.reset())

    def as_blocking(self) -> MailNet:
        """This very fake internet with waits that block."""
        return self._face(MailNet)

    def as_async(self) -> AsyncMailNet:
        """This very fake internet with waits to be awaited."""
        return self._face(AsyncMailNet)

    def _face(self, kind: type[_F]) -> _F:
        """The faces differ in their methods only; whatever one remembers, the other does too."""
        if isinstance(self, kind):
            return self
        face = object.__new__(kind)
        face.__dict__ = self.__dict__
        return face

    def _enter(self) -> Self:
        """Start it, unless it was started and waits for its ``with`` block."""
        return self if self.is_running else self.start()

    def __repr__(self) -> str:
        name, running = type(self).__name__, self._portal.running
        if running is None:
            return f"<{name}, not running>"
        return f"<{name} with {len(running.log)} events, seed {self.seed}>"

    # Accounts, domains and hosts -----------------------------------------------------------------

    def account(self, who: str | Address, *, password: str | None = None) -> _A:
        """The account of that address, made if it is not there, with its domain.

        Raises :class:`~fakemail.errors.DeclarationError` for what is no address, and for a password
        that differs from the one the account has.
        """
        account = self._portal.account(type(self)._new_account, read_address(who), password)
        if password is not None and password != account.password:
            raise DeclarationError(f"account {account.address!r} has another password already.")
        return account

    def accounts(self, *who: str | Address) -> tuple[_A, ...]:
        """Several accounts at once, made if they are not there; without arguments all there are.

        All there are come in the order of declaration.
        """
        if who:
            return tuple(self.account(each) for each in who)
        return tuple(
            self.account(each.address)
            for each in self._portal.simulation.world.accounts.values()
            if not is_infrastructure(each.address.domain)
        )

    def import_mail(
        self, path: str | Path, account: str | Address | BaseAccount[Any], *, folder: str = INBOX
    ) -> list[Message]:
        """Put the messages of files into the mailboxes of an account, made if it is not there, and return them.

        ``path`` is an ``.eml`` file, an mbox, a Maildir, or a folder of ``.eml`` and ``.mbox`` files.
        Messages of subfolders come into mailboxes of these names, all others into ``folder``. Raises
        :class:`~fakemail.errors.DeclarationError` for what is no mail, and then has put nothing.
        """
        from fakemail.api.mail_files import put_all, read_mail

        wanted = account if isinstance(account, BaseAccount) else self.account(account)
        return put_all(self._portal, wanted._address, read_mail(Path(path), folder))

    def export_mail(
        self,
        path: str | Path,
        *,
        format: str = "eml",
        account: str | Address | BaseAccount[Any] | None = None,
    ) -> list[Path]:
        """Write all messages into a new folder, one subfolder for each account, and return the files.

        ``format`` is ``eml``, ``mbox`` or ``maildir``. With ``account`` they are those of that account alone, without a
        subfolder.
        """
        from fakemail.api.mail_files import filed_messages, write_mail

        simulation = self._portal.simulation
        if account is None:
            known = [each.address for each in simulation.world.accounts.values()]
            owners = {str(each): each for each in known if not is_infrastructure(each.domain)}
        else:
            owners = {"": simulation.world.account(read_address(account)).address}
        filed = self._portal.call(
            lambda: {name: filed_messages(simulation.store, owner) for name, owner in owners.items()}
        )
        return write_mail(Path(path), filed, format)

    def domain(self, name: str, *, mx: Sequence[str] | None = None) -> Domain[_A]:
        """The domain of that name, made if it is not there: with one mail host ``mx1`` and a submission host.

        ``mx`` names its mail hosts, the preferred first, also when it is there already.
        """
        simulation, key = self._portal.simulation, a_labels(name)

        async def declare() -> None:
            if key not in simulation.world.domains:
                await simulation.hosts.run_domain(simulation.world.add_domain(name, mx=mx or ()))

        known = key in simulation.world.domains
        self._portal.perform(declare())
        domain = self._domain(key)
        if known and mx:
            domain.set_mx(*mx)
        return domain

    def _domain(self, key: str) -> Domain[_A]:
        return Domain(self._portal, key, type(self)._new_account)

    def domains(self) -> tuple[Domain[_A], ...]:
        """All domains there are, in the order of declaration."""
        names = self._portal.simulation.world.domains
        return tuple(self._domain(name) for name in names if not is_infrastructure(name))

    def host(
        self,
        name: str,
        *,
        services: Iterable[str] = (),
        ipv4: str | None = None,
        ipv6: str | None = None,
        relay_for: Iterable[str] = (),
    ) -> Host:
        """The host of that name, made if it is not there.

        ``services`` are names such as ``"smtp"`` and ``"submission"``; the public addresses are from the
        documentation ranges (RFC 5737, RFC 3849), free ones unless given. For the domains of
        ``relay_for`` (``"*"``: all) it takes mail from anybody and passes it on.
        """
        simulation, key = self._portal.simulation, a_labels(name)
        if key in simulation.world.hosts:
            return Host(self._portal, key)
        for service in services:
            _require_service(key, service)

        async def declare() -> None:
            spec = simulation.world.add_host(
                key,
                services=[SERVICES[service] for service in services],
                ipv4=ipv4,
                ipv6=ipv6,
                open_relay_for=relay_for,
            )
            await simulation.hosts.run_host(spec)

        self._portal.perform(declare())
        return Host(self._portal, key)

    def find_host(self, name: str) -> Host:
        """The host of that name; raises :class:`~fakemail.errors.UnknownNameError` if there is none."""
        return Host(self._portal, self._portal.simulation.world.host(name).name)

    def hosts(self) -> tuple[Host, ...]:
        """All hosts there are, in the order of declaration."""
        names = self._portal.simulation.world.hosts
        return tuple(Host(self._portal, name) for name in names if not is_infrastructure(name))

    def add_external_host(self, name: str, address: str, port: int, *, service: str = "smtp") -> Host:
        """Let a real server, which listens at that loopback address and port, be a host of the fake internet.

        Our own servers reach it under the host's name and public address; the server itself knows
        nothing of it. Name it as a mail host of a domain: ``mailnet.domain("real.test", mx=[name])``.
        While it is stopped, or refuses connections by a fault, our own servers do not reach it; a program that
        connects to it directly does.
        """
        endpoint = real_endpoint(name, address, port)
        _require_service(name, service)
        host = self.host(name)
        simulation = self._portal.simulation

        def attach() -> None:
            spec = simulation.world.host(host.name)
            simulation.network.attach(spec, SERVICES[service], endpoint)
            for settlement in simulation.namespaces.opened:
                settlement.pass_to_attached(spec)

        self._portal.call(attach)
        for redirection in self._redirections:
            redirection._forget()
        return host

    def mailing_list(
        self,
        address: str | Address,
        members: Iterable[AddressLike] | None = None,
        *,
        name: str | None = None,
        prefix: str | None = None,
        footer: str | None = None,
        verp: bool | None = None,
        arc: bool | None = None,
    ) -> MailingList:
        """The mailing list of that address, made if it is not there, with its domain.

        What is given is changed, also when it is there already. ``name`` is for people, by default the local part;
        ``prefix`` goes before the subject, by default the name in brackets; ``footer`` goes behind the text;
        empty texts are for none. With ``verp`` each member gets mail with a reverse-path of its own,
        such as ``friends-bounces+bob=example.org@lists.example.org``. With ``arc`` it seals what it sends, so that
        the hosts of the members can know how the mail came to the list (RFC 8617).
        """
        wanted = read_address(address)
        changes: dict[str, Any] = {"name": name, "prefix": prefix, "footer": footer, "verp": verp, "arc": arc}
        if members is not None:
            changes["members"] = tuple(read_address(member) for member in members)
        given = {key: value for key, value in changes.items() if value is not None}
        simulation = self._portal.simulation

        async def declare() -> None:
            world = simulation.world
            if wanted.domain not in world.domains:
                await simulation.hosts.run_domain(world.add_domain(wanted.domain))
            known = world.lists.get(wanted.key) or MailingListSpec(wanted)
            world.put_list(replace(known, **given))

        self._portal.perform(declare())
        return MailingList(self._portal, simulation.world.lists[wanted.key].address)

    def route(self, domain: str, *, via: str | Host | Sequence[str | Host]) -> tuple[Host, ...]:
        """Let what the accounts of a domain send leave through these hosts, one after the other; return them.

        Each relays it to the next, and the last finds the mail host of the recipient. Hosts that are not there
        are made, and the domain too. A host can stand in the routes of several domains if it relays mail
        to the same next host in all of them.
        """
        names = _route_names(domain, via)
        sender = self.domain(domain).submission_host.name
        return self._chain([sender, *names], "*")[1:]

    def route_to(self, domain: str, *, via: str | Host | Sequence[str | Host]) -> tuple[Host, ...]:
        """Let mail for a domain come in through these hosts, one after the other; return them.

        The first becomes the domain's mail host in DNS; the last relays mail to the one that delivers.
        """
        names = _route_names(domain, via)
        wanted, world = self.domain(domain), self._portal.simulation.world
        spec = world.domain(wanted.name)
        behind = spec.behind or spec.mail_hosts[:1]
        hosts = self._chain([*names, *behind[:1]], wanted.name)
        self._portal.call(lambda: world.change_domain(replace(world.domain(wanted.name), behind=behind)))
        wanted.set_mx(names[0])
        return hosts[:-1]

    def _chain(self, names: Sequence[str], domain: str) -> tuple[Host, ...]:
        simulation = self._portal.simulation

        async def change() -> None:
            simulation.world.chain(names, domain)
            for name in names:
                host = simulation.world.host(name)
                simulation.hosts.apply_routes(host.name)
                await simulation.hosts.run_host(host)

        self._portal.perform(change())
        return tuple(self.find_host(name) for name in names)

    # Connecting a program ------------------------------------------------------------------------

    @property
    def submission(self) -> Settings:
        """A ready smarthost with credentials: takes mail from any sender to anywhere (port 587, STARTTLS)."""
        return smarthost_settings(self._portal, "submission")

    @property
    def submissions(self) -> Settings:
        """The same smarthost with implicit TLS (port 465)."""
        return smarthost_settings(self._portal, "submissions")

    @property
    def sink(self) -> Settings:
        """Settings of the sink, with ``MailNet(sink=True)``: it accepts all mail, without a login.

        Mailboxes of domains that nobody declared are made when mail for them comes; the password of such an account is
        its address. DNS leads to the sink from every name that is in no zone. Raises
        :class:`~fakemail.errors.DeclarationError` where there is none.
        """
        if not self._is_sink:
            raise DeclarationError("this fake internet has no sink; make it with MailNet(sink=True).")
        return Host(self._portal, SINK).settings("smtp")

    def mx(self, domain: str) -> Settings:
        """Settings of the preferred mail host of a declared domain; of the sink for another, where there is one."""
        if self._is_sink and a_labels(domain) not in self._portal.simulation.world.domains:
            return self.sink
        return self._domain(self._portal.simulation.world.domain(domain).name).mx

    def set_env(self, monkeypatch: MonkeyPatch, *, account: BaseAccount[Any] | None = None) -> Settings:
        """Set every usual environment variable for sending mail, for the time of a test, and return the settings.

        ``monkeypatch`` is pytest's. Mail goes by the ready smarthost, or by the submission host of ``account``. Set
        are ``SMTP_HOST`` and its kin, the names of the frameworks, and what makes programs trust the authority (see
        ``settings.env()``).
        An app that has read its environment already does not notice.
        """
        settings = self.submission if account is None else account.submission
        named = [settings.env(style=style) for style in STYLES]
        for each in (*named, settings.env()):
            for name, value in each.items():
                monkeypatch.setenv(name, value)
        return settings

    @property
    def ca_file(self) -> str:
        """The path of a PEM file with the authority of the fake internet."""
        return str(process_authority().ca_file())

    @property
    def crl_file(self) -> str:
        """The path of a PEM file with the list of revoked certificates, kept up to date (RFC 5280 §5).

        For a client context that has ``ssl.VERIFY_CRL_CHECK_LEAF`` among its ``verify_flags``.
        """
        return str(process_authority().crl_file())

    @property
    def ssl_context(self) -> ssl.SSLContext:
        """New client context that trusts that authority only. It knows no revoked certificates."""
        return process_authority().client_context()

    # Waiting -------------------------------------------------------------------------------------

    @property
    def timeout(self) -> float:
        """Real seconds that a wait lasts by default."""
        return self._portal.timeout

    def _until(
        self, stage: Stage, host: str | Host | None, count: int, timeout: float | None
    ) -> Future[Results[Event] | None]:
        if not isinstance(stage, Stage):  # or it would wait for what cannot come
            raise DeclarationError(
                f"a stage is one of Stage, such as Stage.SMTP_RCPT (smtp.rcpt), not {stage!r}."
            )

        log, name = self._portal.simulation.log, None if host is None else name_of(host)
        seen, last, cleared = 0, 0, log.times_cleared

        def check() -> Results[Event] | None:
            nonlocal seen, last, cleared
            if log.times_cleared != cleared:
                seen, last, cleared = 0, 0, log.times_cleared
            if new := log.events(stage, host=name, since=last):
                seen, last = seen + len(new), new[-1].number
            return self.events(stage, host=host) if seen >= count else None

        return self._portal.watch(check, stages={stage}, timeout=timeout)

    def _require_events(
        self,
        stage: Stage,
        host: str | Host | None,
        count: int,
        found: Results[Event] | None,
        timeout: float | None,
    ) -> Results[Event]:
        __tracebackhide__ = True
        if found is not None:
            return found
        seconds = self.timeout if timeout is None else timeout
        name = None if host is None else str(getattr(host, "name", host))
        raise MailAssertionError(
            missing_anywhere(self._portal, stage, name, self.events(stage, host=host), count, seconds)
        )

    def _require_settled(self, settled: bool | None, timeout: float | None) -> None:
        __tracebackhide__ = True
        if settled is None:
            seconds = self.timeout if timeout is None else timeout
            quiescence = self._portal.simulation.quiescence
            activity = self._portal.call(lambda: quiescence.activity)
            raise MailAssertionError(
                f"the fake internet did not become quiet within {seconds:g} s: {activity}."
            )

    # Looking -------------------------------------------------------------------------------------

    def journey(
        self,
        *,
        to: AddressLike | None = None,
        sender: AddressLike | None = None,
        subject: str | None = None,
        message_id: str | None = None,
    ) -> Journey:
        """The one journey that fits. Raises :class:`~fakemail.errors.MailAssertionError` for none or several."""
        __tracebackhide__ = True
        found = self.journeys(to=to, sender=sender, subject=subject, message_id=message_id)
        if len(found) != 1:
            every = found or self.journeys()
            lines = [f"expected one of {found._question}, but there are {len(found) or 'none'}."]
            lines += [f"  {journey!r}" for journey in every[:20]]
            if not found:
                lines += [f"  {line}" for line in refused_lines(self._portal.simulation.log.events())]
            raise MailAssertionError("\n".join(lines))
        return found[0]

    def journeys(
        self,
        *,
        to: AddressLike | None = None,
        sender: AddressLike | None = None,
        subject: str | None = None,
        message_id: str | None = None,
    ) -> Results[Journey]:
        """The ways of messages to their recipients, one journey for each recipient, oldest first."""
        simulation = self._portal.simulation
        found = simulation.journeys.find(
            to=None if to is None else str(to),
            sender=None if sender is None else str(sender),
            subject=subject,
            message_id=message_id,
        )
        found = with_notes(simulation, found, call=self._portal.call)
        asked = {"to": to, "sender": sender, "subject": subject, "message_id": message_id}
        said = ", ".join(f"{name}={str(value)!r}" for name, value in asked.items() if value is not None)
        return Results(found, question=f"the journeys with {said}" if said else "the journeys")

    def events(self, stage: Stage | None = None, *, host: str | Host | None = None) -> Results[Event]:
        """The events, oldest first: all, or those of one stage or host."""
        name = None if host is None else name_of(host)
        where = "".join([f" at {stage}" if stage else "", f" on {name}" if name else ""])
        found = self._portal.simulation.log.events(stage, host=name)
        return Results(found, question=f"the events{where}")

    def transcript(
        self, *, host: str | Host | None = None, connection: int | None = None, order: str = "connection"
    ) -> str:
        """The dialogues of all connections in readable lines, secrets masked.

        ``order="connection"`` prints them one connection after the other, ``order="time"`` as they happened.
        """
        orders = [each.value for each in Order]
        if order not in orders:
            raise DeclarationError(f"there is no order {order!r} of a transcript; {nearest(order, orders)}")
        return transcript(
            self._portal.simulation.log.events(connection=connection),
            host=None if host is None else name_of(host),
            order=Order(order),
        )

    def export(self, path: str | Path | None = None) -> str:
        """Every event as a line of JSON, secrets masked; written to a file as well if a path is given."""
        text = to_json_lines(self._portal.simulation.log.events())
        if path is not None:
            Path(path).write_text(text, encoding="utf-8")
        return text

    def to_toml(self) -> str:
        """The configuration that declares what is there now, with all passwords; mail is not in it."""
        from fakemail.api import config as configuration
        from fakemail.model.toml import to_toml

        return to_toml(
            configuration.write_down(self._portal, seed=self.seed, grease=self.grease, sink=self._is_sink)
        )

    def lint(
        self,
        *,
        name: str | None = None,
        severity: str | None = None,
        host: str | Host | None = None,
        connection: int | None = None,
        allow: Iterable[str] = (),
    ) -> Results[LintFinding]:
        """The habits of the app on the wire that a stricter server would mind, in the order in which they showed.

        Of one rule with ``name``; with ``severity="warning"`` those as bad as that or worse; without the
        rules that ``allow`` names. A greeting with the name that this machine has is never more than a hint.
        Raises :class:`~fakemail.errors.DeclarationError` for a rule or a severity that there is not.
        """
        __tracebackhide__ = True
        return lint(self._portal, name=name, severity=severity, host=host, connection=connection, allow=allow)

    def deliverability(
        self,
        message: Message | StandardMessage | bytes | str,
        *,
        sender: AddressLike | None = None,
        via: str | Host | None = None,
        transactional: bool = False,
        rules: Mapping[str, Any] | None = None,
    ) -> Deliverability:
        """The verdicts of large receivers and content filters on a message: refused by whom, and why.

        A delivered message is evaluated as it came. Any other is evaluated as if ``sender``, by default its author, had
        submitted it to the submission host of that domain, which completes and signs it, and it were sent from there;
        ``via`` names another host that sends. ``transactional`` mail, such as a
        receipt, needs no way to unsubscribe. ``rules`` are those of the checks of content, as in
        ``domain.policy(content_rules=...)``. Raises :class:`~fakemail.errors.DeclarationError` for a message without
        an author unless ``sender`` or ``via`` is given, and :class:`~fakemail.errors.UnknownNameError` for a host that
        is not there.
        """
        from fakemail.api.deliverability import deliverability

        return deliverability(
            self._portal, message, sender=sender, via=via, transactional=transactional, rules=rules
        )

    def dkim_sign(
        self,
        message: bytes | str | StandardMessage,
        *,
        domain: str,
        selector: str | None = None,
        algorithm: str | None = None,
        canonicalization: str | None = None,
        headers: Iterable[str] | None = None,
        oversign: Iterable[str] | None = None,
        body_length: bool | None = None,
        expires: timedelta | None = None,
    ) -> bytes:
        """A message with the DKIM signature of a domain in front, as bytes with CRLF line ends, ready to be sent.

        Without a selector it is signed as the domain's submission host would do it. The key of a selector that
        the domain does not publish signs as well, and nobody can check it. ``t=`` is the time of the fake
        internet's clock. Send what comes with ``sendmail``: ``send_message`` would write the header anew. See
        :meth:`Domain.dkim` for the rest. Raises :class:`~fakemail.errors.UnknownNameError` for a domain that is
        not declared.
        """
        return dkim_sign(
            self._portal,
            message,
            domain,
            selector,
            algorithm,
            canonicalization=canonicalization,
            headers=headers,
            oversign=oversign,
            body_length=body_length,
            expires=expires,
        )

    # Programs ------------------------------------------------------------------------------------

    def popen(
        self,
        args: Command,
        *,
        expose: Iterable[str] = (),
        publish: Iterable[int | str] | int = (),
        **options: Any,
    ) -> subprocess.Popen[Any]:
        """Start a command for which this fake internet is the internet, as :class:`subprocess.Popen` does.

        All commands of a fake internet share one namespace unless they are run in one of their own. ``expose`` lists
        services of this machine that it may reach, such as ``"127.0.0.1:5432"``; ``publish`` ports at which servers in
        there can be reached from the test: ``8000``, ``"8080:8000"``, or ``"0:8000"`` for any free one, which
        ``mailnet.published(8000)`` tells. The other options, and the errors, are as at :meth:`Namespace.popen`.
        """
        return self._usual_namespace(expose, publish).popen(args, **options)

    def published(self, port: int) -> tuple[str, int]:
        """The address and port at which a server that a command runs is reached; see ``publish`` of :meth:`popen`."""
        return self._usual_namespace((), ()).published(port)

    def namespace(
        self,
        *,
        host: str | Host | None = None,
        expose: Iterable[str] = (),
        publish: Iterable[int | str] | int = (),
    ) -> _N:
        """A network of its own for commands, in which this fake internet is the internet.

        Programs that connect from there have the address of the program under test; with ``host`` that of a host,
        which is made if it is not there. ``expose`` lists services of this machine that can be reached inside, such
        as ``"127.0.0.1:5432"``; ``publish`` the ports of servers inside that can be reached outside, such as ``8000``.
        Raises :class:`~fakemail.errors.NamespaceUnavailable` where the system does not allow it, with
        the reason, and :class:`~fakemail.errors.DeclarationError` when another namespace has that address.
        """
        services, ports = several(expose), several(publish)
        for each in services:
            read_endpoint(each)
        for port in ports:
            read_ports(port)
        name = None if host is None else self.host(name_of(host)).name
        settlement = self._portal.perform(self._portal.simulation.namespaces.open(name))
        namespace = type(self)._new_namespace(self._portal, settlement)
        try:
            return namespace.expose(*services).publish(*ports)
        except BaseException:
            namespace.close()
            raise

    def _usual_namespace(self, expose: Iterable[str], publish: Iterable[int | str] | int) -> _N:
        """The namespace that all commands share that have none of their own."""
        with self._making_own:
            if self._own_namespace is None:
                self._own_namespace = self.namespace()
        own: BaseNamespace = self._own_namespace
        kind = type(self)._new_namespace
        # The other face of this fake internet may have made it.
        namespace = own if type(own) is kind else kind(self._portal, own._inside)
        return cast(_N, namespace.expose(*several(expose)).publish(*several(publish)))

    def redirect(self, *, allow: Iterable[str] = (), children: str = "held") -> Redirection:
        """Let this process see this fake internet as the internet, all its threads, until the redirect is ended.

        Names are looked up in the fake DNS; connections to public addresses and real ports, such as
        ``mx1.example.org:25``, reach the fake hosts; and default TLS contexts trust the authority. Loopback and
        what ``allow`` names (names and addresses) stay reachable; everything else fails, and fails the test at the
        end, even where the program keeps the error to itself. Covered are sockets, asyncio, uvloop, dnspython, and
        pycares with aiodns.

        Ports 25 and 587 of this machine are those of a mail server of the fake internet that wants no login, unless
        ``allow`` names ``localhost``. Programs that are started meanwhile are redirected as well, by the kernel
        (Linux 5.5 and later), and may not call this machine's ``sendmail``: ``children="held"``. Where the kernel
        cannot do it, starting one warns; ``"refused"`` lets none be started, and ``"free"`` leaves them alone.

        Raises :class:`~fakemail.errors.DeclarationError` while another redirect is in force.
        """
        from fakemail.api.redirection import Redirection

        redirection = Redirection(
            self._portal, allow=[allow] if isinstance(allow, str) else allow, children=children
        )
        self._redirections = (*self._redirections, redirection)
        return redirection


class MailNet(BaseMailNet[Account, Namespace]):
    """A fake internet for blocking code. Use it in a ``with`` block, or take the fixture ``mailnet``."""

    _new_account = Account
    _new_namespace = Namespace

    @property
    def messages(self) -> Messages[Message]:
        """The messages in all mailboxes, in the order in which they came."""
        return Messages(self._portal, self._all_mailboxes)

    @property
    def sent(self) -> Messages[SentMessage]:
        """The messages that apps have sent, in the order of their ends: one for each transaction, refused ones too."""
        return Messages(self._portal, self._sent_messages)

    def __enter__(self) -> MailNet:
        return self._enter()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        __tracebackhide__ = True
        self.close()

    @property
    def clock(self) -> Clock:
        """Its clock, which only the test moves."""
        return Clock(self._portal)

    def settle(self, *, timeout: float | None = None) -> None:
        """Wait until our side is quiet: no transfer runs, no session is between MAIL and its final reply.

        ``timeout`` is in real seconds. Raises :class:`~fakemail.errors.MailAssertionError` when time is up.
        """
        __tracebackhide__ = True
        require_blocking_allowed("settle")
        self._require_settled(self._portal.settled(timeout).result(), timeout)

    def wait_for(
        self, stage: Stage, *, host: str | Host | None = None, count: int = 1, timeout: float | None = None
    ) -> Results[Event]:
        """Wait until that many things have happened at a stage, and return all that did, oldest first.

        ``timeout`` is in real seconds. Raises :class:`~fakemail.errors.MailAssertionError` when time is up.
        """
        __tracebackhide__ = True
        require_blocking_allowed("wait_for")
        found = self._until(stage, host, count, timeout).result()
        return self._require_events(stage, host, count, found, timeout)

    def run(
        self,
        args: Command,
        *,
        expose: Iterable[str] = (),
        publish: Iterable[int | str] | int = (),
        **options: Any,
    ) -> subprocess.CompletedProcess[Any]:
        """Run a command for which this fake internet is the internet, and wait for its end.

        As :func:`subprocess.run` does, with its options and errors. ``expose`` and ``publish`` are as at :meth:`popen`.
        """
        __tracebackhide__ = True
        require_blocking_allowed("run")
        return self._usual_namespace(expose, publish).run(args, **options)

    def sweep(
        self,
        run: Callable[[MailNet], sweeps.Unreached],
        *,
        expected_errors: type[BaseException] | tuple[type[BaseException], ...] = (),
        only: str | None = None,
        hang_timeout: float = HANG_TIMEOUT,
    ) -> sweeps.SweepReport:
        """Run something once without faults, then once more for every single failure point of its journey.

        ``run(net)`` gets a new fake internet each time, with the options of this one: it declares what it needs, lets
        the app send, and returns the addresses that the app says it could not reach (or ``None``). ``expected_errors``
        are the exceptions by which the app says that it could not send. ``only`` is a pattern for the names of points,
        such as ``"smtp.rcpt*reset"``. An app hangs that keeps a connection for ``hang_timeout`` real seconds without
        a word. Raises what the first run raises.
        """
        __tracebackhide__ = True
        require_blocking_allowed("sweep")
        from fakemail.api import sweep as sweeps

        sweep = sweeps.Sweep(expected_errors=expected_errors, only=only, hang_timeout=hang_timeout)
        for trial in sweep.trials():
            with _fresh(self) as net:
                trial.begin(net._portal)
                try:
                    trial.returned(run(net))
                except BaseException as error:
                    trial.raised_or_raise(error)
                trial.settled(net._portal).result()
                trial.end(net._portal)
        return sweeps.SweepReport(sweep.outcomes)


class AsyncMailNet(BaseMailNet[AsyncAccount, AsyncNamespace]):
    """A fake internet for asyncio and trio. Use it in an ``async with`` block, or the fixture ``async_mailnet``."""

    _new_account = AsyncAccount
    _new_namespace = AsyncNamespace

    @property
    def messages(self) -> AsyncMessages[Message]:
        """The messages in all mailboxes, in the order in which they came."""
        return AsyncMessages(self._portal, self._all_mailboxes)

    @property
    def sent(self) -> AsyncMessages[SentMessage]:
        """The messages that apps have sent, in the order of their ends: one for each transaction, refused ones too."""
        return AsyncMessages(self._portal, self._sent_messages)

    async def __aenter__(self) -> AsyncMailNet:
        return self._enter()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        __tracebackhide__ = True
        self.close()

    @property
    def clock(self) -> AsyncClock:
        """Its clock, which only the test moves."""
        return AsyncClock(self._portal)

    async def settle(self, *, timeout: float | None = None) -> None:  # noqa: ASYNC109 - see Inbox.wait_for_one
        """See :meth:`MailNet.settle`."""
        __tracebackhide__ = True
        self._require_settled(await arrive(self._portal.settled(timeout)), timeout)

    async def wait_for(
        self,
        stage: Stage,
        *,
        host: str | Host | None = None,
        count: int = 1,
        timeout: float | None = None,  # noqa: ASYNC109 - see Inbox.wait_for_one
    ) -> Results[Event]:
        """See :meth:`MailNet.wait_for`."""
        __tracebackhide__ = True
        future = self._until(stage, host, count, timeout)
        return self._require_events(stage, host, count, await arrive(future), timeout)

    async def run(
        self,
        args: Command,
        *,
        expose: Iterable[str] = (),
        publish: Iterable[int | str] | int = (),
        **options: Any,
    ) -> subprocess.CompletedProcess[Any]:
        """See :meth:`MailNet.run`."""
        __tracebackhide__ = True
        return await self._usual_namespace(expose, publish).run(args, **options)

    async def sweep(
        self,
        run: Callable[[AsyncMailNet], Awaitable[sweeps.Unreached]],
        *,
        expected_errors: type[BaseException] | tuple[type[BaseException], ...] = (),
        only: str | None = None,
        hang_timeout: float = HANG_TIMEOUT,
    ) -> sweeps.SweepReport:
        """See :meth:`MailNet.sweep`."""
        __tracebackhide__ = True
        from fakemail.api import sweep as sweeps

        sweep = sweeps.Sweep(expected_errors=expected_errors, only=only, hang_timeout=hang_timeout)
        for trial in sweep.trials():
            async with _fresh(self) as net:
                trial.begin(net._portal)
                try:
                    trial.returned(await run(net))
                except asyncio.CancelledError:
                    if not trial.hung:
                        raise
                    take_back_cancellation()
                except BaseException as error:
                    trial.raised_or_raise(error)
                await arrive(trial.settled(net._portal))
                trial.end(net._portal)
        return sweeps.SweepReport(sweep.outcomes)


def _load(config: configuration.Config) -> Description:
    from fakemail.api.config import load  # what reads configurations is for those who have one

    return load(config)


def _fresh(net: _F) -> _F:
    """A new fake internet with the options of this one, and nothing in it but what its configuration has."""
    new = type(net)(config=net._config, seed=net.seed, timeout=net.timeout, grease=net.grease)
    new._portal.again = net._portal.again
    return new


def _require_service(host: str, service: str) -> None:
    if service not in SERVICES:
        raise DeclarationError(
            f"host {host!r}: there is no service {service!r}; {nearest(service, SERVICES)}"
        )


def _route_names(domain: str, via: str | Host | Sequence[str | Host]) -> list[str]:
    """The hosts of a route by name; one alone may be given as it is."""
    hosts = [via] if isinstance(via, str | Host) else via
    names = [each.name if isinstance(each, Host) else each for each in hosts]
    if not names:
        raise DeclarationError(f"domain {domain!r}: a route goes through one host at least.")
    return names


async def _refuse_for_now(simulation: Simulation) -> None:
    """Let some of what the app sends be refused for now, each sender and recipient once; the retry succeeds."""
    for stage, reply, once_per in _REFUSED_FOR_NOW:
        when = Schedule(probability=_LIKELY, once_per=once_per)
        simulation.faults.add(FaultRule(stage, actions.reply(reply), Match(client="app"), when))
    await simulation.fault_updates.apply()
