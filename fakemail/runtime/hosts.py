"""Running hosts of one fake internet: declared, given their records and ports, started when they are needed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from fakemail.environment import Environment
from fakemail.faults.registry import FaultRegistry
from fakemail.model.domain import DomainSpec
from fakemail.model.host import LOCAL, SMTP, HostSpec, Service
from fakemail.mta.inbound.services import InboundServices
from fakemail.mta.local_domains import LocalDomains
from fakemail.runtime.network import LOOPBACK, Endpoint, Network
from fakemail.runtime.port_plans import PortPlan
from fakemail.runtime.service_port import ConnectionRegister, ProtocolFactory, RunningHost, ServicePort
from fakemail.runtime.virtual_timeouts import VirtualTimeouts
from fakemail.store.mailstore import MailStore
from fakemail.tls import mta_sts
from fakemail.types.address import Address, address, address_key
from fakemail.types.reason import Reason
from fakemail.wire.connection import Connection
from fakemail.wire.supervisor import Supervisor
from fakemail.zones.zone_provisioning import INFRASTRUCTURE, SMARTHOST, LazyZoneProvisioning

SMARTHOST_USER: Final = address(SMARTHOST)
"""The account that may log in at the smarthost."""


class Hosts:
    """Every host that runs, and how further ones come to run."""

    def __init__(
        self,
        environment: Environment,
        *,
        protocols: Mapping[str, ProtocolFactory],
        readable: tuple[Service, ...],
        supervisor: Supervisor,
        network: Network,
        plan: PortPlan,
        zones: LazyZoneProvisioning,
        faults: FaultRegistry,
        local_domains: LocalDomains,
        virtual_timeouts: VirtualTimeouts,
        inbound: InboundServices,
        store: MailStore,
        grease: bool,
        on_mail_host: Callable[..., object],
    ) -> None:
        """``readable`` are the services of a host where mail is read; ``on_mail_host`` is called with the names of the
        mail hosts of a domain when they run."""
        self._environment = environment
        self._world = environment.world
        self._protocols = protocols
        self._readable = readable
        self._supervisor = supervisor
        self._network = network
        self._plan = plan
        self._zones = zones
        self._faults = faults
        self._local_domains = local_domains
        self._virtual_timeouts = virtual_timeouts
        self._inbound = inbound
        self._store = store
        self._grease_seed = environment.random.seed if grease else None
        self._on_mail_host = on_mail_host
        self.running: dict[str, RunningHost] = {}
        self.register = ConnectionRegister()
        self.on_listen: list[Callable[[ServicePort], Awaitable[None]]] = []
        """Called with each port that is opened from now on."""
        self._certified: dict[str, datetime] = {}
        """Since when the hosts of a domain have certificates, by the name without its first label."""

    # Declaring -----------------------------------------------------------------------------------

    async def run_host(self, host: HostSpec) -> RunningHost:
        """Put a host into DNS and open its ports; one that runs gets the ports it lacks."""
        self._zones.do(lambda naming: naming.host(host))
        running = self.running.get(host.name)
        if running is None:
            # Its certificate is as old as the first of its domain, for some hosts are started when needed only.
            now = self._environment.clock.now()
            running = self.running[host.name] = RunningHost(
                self._environment,
                host,
                protocols=self._protocols,
                supervisor=self._supervisor,
                network=self._network,
                faults=self._faults.at_host(host.name),
                virtual_timeouts=self._virtual_timeouts,
                register=self.register,
                inbound=self._inbound,
                store=self._store,
                certified=self._certified.setdefault(host.name.partition(".")[2], now),
                grease_seed=self._grease_seed,
                on_listen=self.on_listen,
            )
        await running.listen(self._plan)
        return running

    async def run_account(self, address: Address, password: str | None = None) -> None:
        """Declare an account unless it is there, with its domain, whose hosts run then."""
        world = self._world
        if address.domain not in world.domains:
            await self.run_domain(world.add_domain(address.domain))
        if address.key not in world.accounts:
            world.add_account(address, self._environment.random.token(12) if password is None else password)

    def remove_account(self, account: Address) -> None:
        """Remove an account with its mailboxes; its sessions are ended (421, BYE)."""
        numbers = self.connections_of(account)
        self._world.remove_account(account)
        for connection in [each for each in self.connections if each.number in numbers]:
            connection.hang_up(Reason.SHUTTING_DOWN)
        self._store.remove(account)

    def remove_domain(self, name: str) -> None:
        """Remove a domain from DNS and from its hosts, with its accounts and the hosts inside it that no other uses."""
        world = self._world
        domain = world.domain(name)
        for account in [each.address for each in world.accounts.values()]:
            if account.domain == domain.name:
                self.remove_account(account)
        world.remove_domain(domain.name)
        self._local_domains.remove(domain.name)
        used = {host for each in world.domains.values() for host in each.hosts}
        for host in {*domain.hosts, mta_sts.host_of(domain.name)} - used:
            if host in world.hosts and (host == domain.name or host.endswith(f".{domain.name}")):
                self.remove_host(host)
        self._zones.do(lambda naming: naming.remove_domain(domain))

    def remove_host(self, name: str) -> None:
        """Remove a host: its connections end with 421, its name leaves DNS, and its queue is dropped."""
        host = self._world.remove_host(name)
        running = self.running.pop(host.name, None)
        if running is not None:
            running.remove()
        self._network.withdraw(host)
        self._zones.do(lambda naming: naming.remove_host(host))
        queue = self._inbound.mail_queue
        queue.drop([each for each in queue.entries.values() if each.message.host == host.name])

    async def run_domain(self, domain: DomainSpec) -> None:
        """Put a domain into DNS and run its hosts."""
        self._zones.do(lambda naming: naming.domain(domain))
        await self._run_hosts_of(domain)

    async def run_reading_host(self, name: str) -> RunningHost:
        """Run the host where the accounts of a domain read their mail; it is made when it is first asked for."""
        domain = self._world.domain(name)
        if domain.imap_host in self.running:
            return self.running[domain.imap_host]
        domain = self._world.ensure_reading_host(domain.name, self._readable)
        running = await self.run_host(self._world.hosts[domain.imap_host])
        self._zones.do(lambda naming: naming.reading(domain, self._readable))
        return running

    async def reroute(self, domain: DomainSpec) -> None:
        """Make a change of a domain's mail routing visible."""
        self._local_domains.remove(domain.name)
        self._zones.do(lambda naming: naming.route(domain))
        await self._run_hosts_of(domain)

    async def _run_hosts_of(self, domain: DomainSpec) -> None:
        self._local_domains.add(domain)
        own = (*domain.mail_hosts, *domain.behind)
        for name in dict.fromkeys([*own, domain.submission_host]):
            await self.run_host(self._world.hosts[name])
        self._on_mail_host(*domain.mail_hosts)

    def apply_routes(self, host: str) -> None:
        """Make the routes of a host count: it passes on the mail for those domains, and delivers it no more."""
        self._local_domains.apply_routes(host)
        self._zones.senders()

    # The smarthost -------------------------------------------------------------------------------

    async def smarthost(self) -> RunningHost:
        """The host that takes mail for anywhere, made when it is first asked for. It waits for nothing."""
        world = self._world
        ours = world.domains.get(INFRASTRUCTURE)
        if ours is None or not world.host(ours.submission_host).smarthost:
            await self.run_account(SMARTHOST_USER)
            world.change_account(replace(world.account(SMARTHOST_USER), may_send_as=frozenset("*")))
            host = world.host(world.domain(INFRASTRUCTURE).submission_host)
            world.change_host(replace(host, smarthost=True))
            self._zones.senders()
        return self.running[world.domain(INFRASTRUCTURE).submission_host]

    async def local_server(self) -> ServicePort:
        """The smarthost as the mail server of this machine: programs submit to it at ``localhost`` without a login."""
        running = await self.smarthost()
        known = [service_port for service_port in running.local if service_port.is_here]
        return known[0] if known else await running.listen_for(LOCAL[0], Endpoint(LOOPBACK, 0))

    # Looking -------------------------------------------------------------------------------------

    def connections_of_host(self, host: str) -> set[Connection] | None:
        """The connections of a host that runs; ``None`` for any other name."""
        running = self.running.get(host)
        return None if running is None else running.connections

    def certificate_of(self, host: str) -> bytes:
        """The certificate that a host presents now."""
        der: bytes = self.running[host].tls_context.leaf.der
        return der

    def takes_mail(self, host: str) -> bool:
        """Whether a host runs and has an SMTP port of ours."""
        running = self.running.get(host)
        return running is not None and SMTP.name in running.ports

    @property
    def connections(self) -> list[Connection]:
        """The connections of all hosts."""
        return [connection for running in self.running.values() for connection in running.connections]

    def past_connections_of(self, account: Address) -> set[int]:
        """The numbers of the connections on which an account has ever logged in."""
        return {number for number, login in self.register.logins if address_key(login) == account.key}

    def connections_of(self, account: Address) -> set[int]:
        """The numbers of the connections on which an account is logged in now."""
        return {
            connection.number
            for connection in self.connections
            if connection.login and address_key(connection.login) == account.key
        }
