"""``MailNet`` and ``AsyncMailNet``: a fake internet as a test holds it.

Declaring and looking never wait for anybody, so both do that alike; only their waits differ.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from types import TracebackType
from typing import Any, Generic, Self, TypeAlias, TypeVar

from fakemail.api import clock as clocks
from fakemail.api import config as configuration
from fakemail.api import failures
from fakemail.api import sweep as sweeps
from fakemail.api.accounts import Account, AsyncAccount, BaseAccount
from fakemail.api.deliverability import Foreseeing
from fakemail.api.dkim_signing import DkimSigning
from fakemail.api.dns import Dns
from fakemail.api.early import load_early
from fakemail.api.faults import FaultPresets
from fakemail.api.grease import RETRIES, read_grease, refuse_for_now
from fakemail.api.hosts import Domain, Host, read_address
from fakemail.api.lint import Linting
from fakemail.api.looking import Looking
from fakemail.api.namespaces import AwaitedCommands, BlockingCommands
from fakemail.api.queue import Queue
from fakemail.api.redirection import Redirections
from fakemail.api.results import Results
from fakemail.api.settings import Settings
from fakemail.api.trust import Trust
from fakemail.api.waits import arrive, require_blocking_allowed, watch
from fakemail.api.ways import Ways
from fakemail.clock import TimeSource, VirtualClock
from fakemail.errors import ClosedError, DeclarationError, MailAssertionError, nearest
from fakemail.events.kinds import Event
from fakemail.faults.rule import EVERYBODY
from fakemail.model.host import SERVICES
from fakemail.runtime.network import real_endpoint
from fakemail.runtime.simulation import Simulation
from fakemail.types.address import Address
from fakemail.types.domains import a_labels
from fakemail.types.stage import Stage
from fakemail.wire.loop import LoopThread, loop_thread

MOMENT = 0.3
"""Real seconds that a failure waits for what is under way, before it tells of it."""
DEFAULT_TIMEOUT = 5.0
"""Real seconds that a wait lasts unless told otherwise."""

_T = TypeVar("_T")
_A = TypeVar("_A", bound=BaseAccount[Any])
_F = TypeVar("_F", bound="AnyNet")


class BaseNet(Looking, Ways, Trust, DkimSigning, Foreseeing, Redirections, Linting, Generic[_A]):
    """What both faces have in common."""

    _new_account: Callable[[Any, Address], _A]

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
    ) -> None:
        """``config`` is a TOML file, or its text, with what shall be there from the start.

        ``seed`` decides everything that is left to chance, by default that of the configuration, or 0;
        ``timeout`` is the real seconds of a wait. With ``port_offset`` services listen on their real
        port plus that number, so that SMTP is at 1025 with 1000; with ``real_ports`` on the real ports, each
        host on a loopback address of its own, which needs root or a system that allows it; else the system chooses.
        With ``grease=True`` its servers say to the app whatever the standards allow, by chance; with ``"retries"``
        they also refuse something for now, once; by default it is as in the configuration, or off.
        Raises :class:`~fakemail.errors.DeclarationError` with everything that is wrong in the configuration.
        """
        self._config = None if config is None else configuration.load(config)
        if grease is None:
            grease = (self._config.grease if self._config else None) or False
        self.grease = grease
        self._grease = read_grease(grease)
        if seed is None:
            seed = (self._config.seed if self._config else None) or 0
        self.seed = seed
        if real_ports and port_offset is not None:
            raise DeclarationError("real_ports=True and port_offset= exclude each other.")
        self._port_offset = port_offset
        self._real_ports = real_ports
        self.timeout = timeout
        self._clock: TimeSource = clock or VirtualClock()
        self.thread: LoopThread = loop_thread()
        self._internet: Simulation | None = None
        self._accounts: dict[tuple[type[Any], str], Any] = {}
        """By face, and by the key of the address."""
        self.dns = Dns(self)
        self.queue = Queue(self)
        self.faults = FaultPresets(self, EVERYBODY)
        self.faults_must_fire = False
        self.again = f"{type(self).__name__}(seed={seed})"
        """How to run it again with the same chance, in the words of whoever made it."""

    # Inside --------------------------------------------------------------------------------------

    @property
    def _net(self) -> AnyNet:
        return self

    @property
    def internet(self) -> Simulation:
        """The engine; raises :class:`~fakemail.errors.ClosedError` when it does not run."""
        if self._internet is None:
            raise ClosedError("this fake internet is not running; use it inside its 'with' block.")
        return self._internet

    def call(self, function: Callable[[], _T]) -> _T:
        """Call a function in the loop's thread."""
        return self.thread.call(function)

    def perform(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Run a short coroutine in the loop's thread, and wait for it."""
        return self.thread.run(work)

    def let_settle(self) -> None:
        """Give what is under way a moment to end, so that a failure text does not stop in the middle of a story."""
        if self.is_running:
            with suppress(TimeoutError):  # a loop that stands still has a log all the same
                self._settled(MOMENT).result(10 * MOMENT)

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

    def is_one_with(self, other: AnyNet) -> bool:
        """Whether both are the same fake internet, whatever their faces."""
        return self.__dict__ is other.__dict__

    def reset(self) -> None:
        """Empty all mailboxes, the queue and the log, for tests that share it. What is under way is dropped.

        Accounts, domains, hosts, DNS, what receivers remember (greylists, rates), faults and the clock stay.
        """
        self.perform(self.internet.reset())

    @property
    def is_running(self) -> bool:
        """Whether it has been started and not yet closed."""
        return self._internet is not None

    def start(self) -> Self:
        """Start it where no ``with`` block is at hand, and return it. Call :meth:`close` in the end.

        This never waits for anybody else, so it may be called in an event loop.
        """
        __tracebackhide__ = True
        self._start()
        return self

    def close(self) -> None:
        """End it; ports are free when this returns. Closing again does nothing.

        Raises :class:`~fakemail.errors.ServerError` if a server of the fake internet failed in its own code.
        """
        __tracebackhide__ = True
        self._stop()

    def __repr__(self) -> str:
        name = type(self).__name__
        if self._internet is None:
            return f"<{name}, not running>"
        return f"<{name} with {len(self._internet.log)} events, seed {self.seed}>"

    def _enter(self) -> Self:
        """Start it, unless it was started and waits for its ``with`` block."""
        if self._internet is None:
            self._start()
        return self

    def _start(self) -> None:
        if self._internet is not None:
            raise ClosedError("this fake internet runs already.")
        load_early()
        internet = Simulation(
            seed=self.seed,
            clock=self._clock,
            port_offset=self._port_offset,
            real_ports=self._real_ports,
            grease=bool(self._grease),
        )
        self.thread.run_at_once(internet.start())
        self._internet = internet
        if self._grease == RETRIES:
            refuse_for_now(self)
        if self._config is not None:
            try:
                configuration.apply(self, self._config)
            except BaseException:
                self._internet = None
                self.perform(internet.stop())
                raise

    def _stop(self) -> None:
        """Stop; an error of our own servers is raised here, so that it fails the test that caused it."""
        __tracebackhide__ = True
        redirections = self._end_redirects()
        internet, self._internet = self._internet, None
        if internet is not None and self.thread.is_of_this_process:  # else it is another process's to end
            self.perform(internet.stop())
            internet.raise_errors()
        for redirection in redirections:
            redirection.require_none_escaped()

    # Declaring -----------------------------------------------------------------------------------

    def account(self, who: str | Address, *, password: str | None = None) -> _A:
        """The account of that address, made if it is not there, with its domain.

        Raises :class:`~fakemail.errors.DeclarationError` for what is no address, and for a password
        that differs from the one the account has.
        """
        wanted = read_address(who)
        key = type(self), wanted.key
        known: _A | None = self._accounts.get(key)
        if known is None:
            self.thread.run_at_once(self._declare([wanted], password))
            known = self._accounts[key] = self._new_account(self, self.internet.world.account(wanted).address)
        if password is not None and password != known.password:
            raise DeclarationError(f"account {known.address!r} has another password already.")
        return known

    def accounts(self, *who: str | Address) -> tuple[_A, ...]:
        """Several accounts at once."""
        return tuple(self.account(each) for each in who)

    async def _declare(self, addresses: Iterable[Address], password: str | None) -> None:
        for wanted in addresses:
            await self.internet.run_account(wanted, password)

    def domain(self, name: str, *, mx: Sequence[str] | None = None) -> Domain:
        """The domain of that name, made if it is not there: with one mail host ``mx1`` and a submission host.

        ``mx`` names its mail hosts, the preferred first, also when it is there already.
        """

        async def declare() -> None:
            world = self.internet.world
            if a_labels(name) not in world.domains:
                await self.internet.run_domain(world.add_domain(name, mx=mx or ()))

        known = a_labels(name) in self.internet.world.domains
        self.perform(declare())
        domain = Domain(self, a_labels(name))
        if known and mx is not None:
            domain.mx_hosts(*mx)
        return domain

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
        key = a_labels(name)
        if key in self.internet.world.hosts:
            return Host(self, key)
        for service in services:
            if service not in SERVICES:
                raise DeclarationError(
                    f"host {key!r}: there is no service {service!r}; {nearest(service, SERVICES)}"
                )

        async def declare() -> None:
            described = self.internet.world.add_host(
                key,
                services=[SERVICES[service] for service in services],
                ipv4=ipv4,
                ipv6=ipv6,
                open_relay_for=relay_for,
            )
            await self.internet.run_host(described)

        self.perform(declare())
        return Host(self, key)

    def add_external_host(self, name: str, address: str, port: int, *, service: str = "smtp") -> Host:
        """Let a real server, which listens at that loopback address and port, be a host of the fake internet.

        Our own servers reach it under the host's name and public address; the server itself knows
        nothing of it. Name it as a mail host of a domain: ``mailnet.domain("real.test", mx=[name])``.
        While it is stopped, or refuses connections by a fault, our own servers do not reach it; whoever
        connects to it directly does.
        """
        endpoint = real_endpoint(name, address, port)
        if service not in SERVICES:
            raise DeclarationError(
                f"host {name!r}: there is no service {service!r}; {nearest(service, SERVICES)}"
            )
        host = self.host(name)
        internet = self.internet

        def attach() -> None:
            described = internet.world.host(host.name)
            internet.network.attach(described, SERVICES[service], endpoint)
            for settlement in internet.settlements:
                settlement.pass_to_attached(described)

        self.call(attach)
        for redirection in self._redirections:
            redirection.forget()
        return host

    def find_host(self, name: str) -> Host:
        """The host of that name; raises :class:`~fakemail.errors.UnknownNameError` if there is none."""
        return Host(self, self.internet.world.host(name).name)

    def mx(self, domain: str) -> Settings:
        """How to reach the preferred mail host of a declared domain."""
        return Domain(self, self.internet.world.domain(domain).name).mx

    # Waiting -------------------------------------------------------------------------------------

    def _until(
        self, stage: Stage, host: str | Host | None, number: int, timeout: float | None
    ) -> Future[Results[Event] | None]:
        if not isinstance(stage, Stage):  # or it would wait for what cannot come
            raise DeclarationError(
                f"a stage is one of Stage, such as Stage.SMTP_RCPT (smtp.rcpt), not {stage!r}."
            )

        def check() -> Results[Event] | None:
            found = self.events(stage, host=host)
            return found if len(found) >= number else None

        seconds = self.timeout if timeout is None else timeout
        return watch(self.internet, self.thread, check, stages={stage}, timeout=seconds)

    def _judge_until(
        self,
        stage: Stage,
        host: str | Host | None,
        number: int,
        found: Results[Event] | None,
        timeout: float | None,
    ) -> Results[Event]:
        __tracebackhide__ = True
        if found is not None:
            return found
        seconds = self.timeout if timeout is None else timeout
        name = None if host is None else str(getattr(host, "name", host))
        raise MailAssertionError(
            failures.missing_anywhere(self, stage, name, self.events(stage, host=host), number, seconds)
        )

    def _settled(self, timeout: float | None) -> Future[bool | None]:
        internet = self.internet
        return watch(
            internet,
            self.thread,
            lambda: True if internet.is_settled else None,
            stages=None,
            timeout=self.timeout if timeout is None else timeout,
        )

    def _judge_settled(self, settled: bool | None, timeout: float | None) -> None:
        __tracebackhide__ = True
        if settled is None:
            seconds = self.timeout if timeout is None else timeout
            raise MailAssertionError(
                f"the fake internet did not become quiet within {seconds:g} s: {self.internet.activity}."
            )


AnyNet: TypeAlias = BaseNet[Any]


class MailNet(BaseNet[Account], BlockingCommands):
    """A fake internet for blocking code. Use it in a ``with`` block, or take the fixture ``mailnet``."""

    _new_account = Account

    @property
    def clock(self) -> clocks.Clock:
        """Its clock, which only the test moves."""
        return clocks.Clock(self)

    def settle(self, *, timeout: float | None = None) -> None:
        """Wait until our side is quiet: no transfer runs, no session is between MAIL and its final reply.

        ``timeout`` is in real seconds. Raises :class:`~fakemail.errors.MailAssertionError` when time is up.
        """
        __tracebackhide__ = True
        require_blocking_allowed("settle")
        self._judge_settled(self._settled(timeout).result(), timeout)

    def wait_for(
        self, stage: Stage, *, host: str | Host | None = None, number: int = 1, timeout: float | None = None
    ) -> Results[Event]:
        """Wait until that many things have happened at a stage, and return all that did, oldest first.

        ``timeout`` is in real seconds. Raises :class:`~fakemail.errors.MailAssertionError` when time is up.
        """
        __tracebackhide__ = True
        require_blocking_allowed("wait_for")
        found = self._until(stage, host, number, timeout).result()
        return self._judge_until(stage, host, number, found, timeout)

    def sweep(
        self,
        run: Callable[[MailNet], sweeps.Told],
        *,
        handles: type[BaseException] | tuple[type[BaseException], ...] = (),
        only: str | None = None,
        patience: float = sweeps.PATIENCE,
    ) -> sweeps.SweepReport:
        """Run something once without faults, then once more for every single failure point of its journey.

        ``run(net)`` gets a new fake internet each time, with the options of this one: it declares what it needs, lets
        the app send, and returns the addresses that the app says it could not reach (or ``None``). ``handles`` are the
        exceptions by which the app says that it could not send. ``only`` is a pattern for the names of points, such
        as ``"smtp.rcpt*reset"``. An app hangs that keeps a connection for ``patience`` real seconds without a word.
        Raises what the first run raises.
        """
        __tracebackhide__ = True
        require_blocking_allowed("sweep")
        sweep = sweeps.Sweep(handles=handles, only=only, patience=patience)
        return sweeps.sweep_blocking(self, sweep, run)

    def __enter__(self) -> MailNet:
        return self._enter()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        __tracebackhide__ = True
        self._stop()


class AsyncMailNet(BaseNet[AsyncAccount], AwaitedCommands):
    """A fake internet for asyncio and trio. Use it in an ``async with`` block, or the fixture ``async_mailnet``."""

    _new_account = AsyncAccount

    @property
    def clock(self) -> clocks.AsyncClock:
        """Its clock, which only the test moves."""
        return clocks.AsyncClock(self)

    async def settle(self, *, timeout: float | None = None) -> None:  # noqa: ASYNC109 - see Inbox.wait_for_one
        """See :meth:`MailNet.settle`."""
        __tracebackhide__ = True
        self._judge_settled(await arrive(self._settled(timeout)), timeout)

    async def wait_for(
        self,
        stage: Stage,
        *,
        host: str | Host | None = None,
        number: int = 1,
        timeout: float | None = None,  # noqa: ASYNC109 - see Inbox.wait_for_one
    ) -> Results[Event]:
        """See :meth:`MailNet.wait_for`."""
        __tracebackhide__ = True
        future = self._until(stage, host, number, timeout)
        return self._judge_until(stage, host, number, await arrive(future), timeout)

    async def sweep(
        self,
        run: Callable[[AsyncMailNet], Awaitable[sweeps.Told]],
        *,
        handles: type[BaseException] | tuple[type[BaseException], ...] = (),
        only: str | None = None,
        patience: float = sweeps.PATIENCE,
    ) -> sweeps.SweepReport:
        """See :meth:`MailNet.sweep`."""
        __tracebackhide__ = True
        sweep = sweeps.Sweep(handles=handles, only=only, patience=patience)
        return await sweeps.sweep_awaiting(self, sweep, run, arrive)

    async def __aenter__(self) -> AsyncMailNet:
        return self._enter()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        __tracebackhide__ = True
        self._stop()
