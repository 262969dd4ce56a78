"""Composition root: the one place where the services of a fake internet are built, each with what it needs.

Methods that change it run in the loop's thread; :mod:`fakemail.api` sees to that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from threading import Lock, RLock
from typing import TYPE_CHECKING, Final

from fakemail.clock import TimeSource
from fakemail.dns.zones import Zones
from fakemail.environment import Environment
from fakemail.events.journey import Journeys
from fakemail.events.log import Log
from fakemail.imap.server_kinds import SERVER_KINDS
from fakemail.model.content_rules import ScannerAddress
from fakemail.model.world import WorldSpec
from fakemail.mta.inbound.arc_sealing import ArcSealer
from fakemail.mta.inbound.delivery_agent import DeliveryAgent
from fakemail.mta.inbound.sender_auth_results import SenderAuthResults
from fakemail.mta.inbound.services import InboundServices
from fakemail.mta.local_domains import LocalDomains
from fakemail.mta.outbound.dkim_signer import DkimSigner
from fakemail.mta.outbound.outbound_tls import OutboundTls
from fakemail.mta.outbound.queue import MailQueue
from fakemail.mta.outbound.transfer import TransferServices
from fakemail.mta.reports.dmarc_reporter import DmarcReporter
from fakemail.mta.reports.tlsrpt_sender import TlsrptSender
from fakemail.runtime.connection_pool import ConnectionPool
from fakemail.runtime.fault_updates import FaultUpdates, fault_registry
from fakemail.runtime.hosts import Hosts
from fakemail.runtime.mta_sts import MtaStsHosts, StsFetcher
from fakemail.runtime.name_server import name_server
from fakemail.runtime.namespaces import Namespaces
from fakemail.runtime.network import Endpoint, Network
from fakemail.runtime.port_plans import DNS_PORT, FixedPorts, PortPlan, RealPorts, own_ports, shifted
from fakemail.runtime.protocols import PROTOCOLS, READABLE
from fakemail.runtime.quiescence import Quiescence
from fakemail.runtime.realtime_scheduler import RealtimeScheduler
from fakemail.runtime.resolvers import Resolvers
from fakemail.runtime.sink import Sink
from fakemail.runtime.virtual_timeouts import VirtualTimeouts
from fakemail.store.mailstore import MailStore
from fakemail.tls.authority import keep_through_forks
from fakemail.types.address import Address
from fakemail.types.seeded_random import SeededRandom
from fakemail.types.stage import Stage
from fakemail.wire.supervisor import Supervisor
from fakemail.zones.auth_flaws import AuthFlaws
from fakemail.zones.dkim_keys import DkimKeyRing
from fakemail.zones.name_server_faults import NameServerFaults
from fakemail.zones.tls_policy_records import TlsPolicyRecords
from fakemail.zones.zone_provisioning import INFRASTRUCTURE, NAME_SERVER, LazyZoneProvisioning

if TYPE_CHECKING:
    from fakemail.policy.scanners import ScanRequest, ScanResult

_SCAN_MAX_WAIT: Final = 30.0
"""Real seconds that a scanner may take."""
_INTRODUCTIONS: Final = frozenset({Stage.CONNECT, Stage.TLS_HANDSHAKE, Stage.SMTP_BANNER, Stage.SMTP_HELO})
"""Stages that a connection which goes on must keep in the log, for what is said on it later to be understood."""


class Simulation:
    """A fake internet while it runs. ``start`` it in an event loop and ``stop`` it there.

    Where two services need each other, the first is given a function that finds the second when it is called.
    """

    def __init__(
        self,
        *,
        seed: int,
        clock: TimeSource,
        port_offset: int | None = None,
        real_ports: bool = False,
        grease: bool = False,
    ) -> None:
        """Services listen where the system chooses, on their real ports plus ``port_offset``, or on ``real_ports``,
        each host on an address of its own; with ``grease`` they say to the app whatever is legal."""
        self.clock = clock
        self.random = SeededRandom(seed)
        self.log = Log(clock, lock=Lock())
        self.journeys = Journeys(self.log, lock=Lock())
        self.supervisor = Supervisor()
        self.world = WorldSpec()
        environment = Environment(
            clock=clock, random=self.random, log=self.log, tasks=self.supervisor, world=self.world
        )
        self._scheduler = RealtimeScheduler(clock, self.supervisor)
        self.store = MailStore(clock=clock, folders=self._folders)
        self.faults = fault_registry(environment, seed=seed)

        # DNS: zones, the name server, resolvers
        self.network = Network()
        self.keys = DkimKeyRing(lock=Lock())
        self.zone_provisioning = provisioning = LazyZoneProvisioning(self.world, self.keys, lock=RLock())
        self.auth_flaws = AuthFlaws(world=self.world, zones=provisioning, keys=self.keys)
        self.tls_policy_records = TlsPolicyRecords(
            environment,
            zones=provisioning,
            certificate_of=lambda host: self.hosts.certificate_of(host),
            takes_mail=lambda host: self.hosts.takes_mail(host),
        )
        dns_faults = NameServerFaults(
            random=self.random,
            faults=self.faults.at_host(NAME_SERVER),
            zones=provisioning,
            client_at=self.network.who,
            resolver_of=lambda host: self.resolvers.asking(host),
        )
        self.dns = name_server(
            environment,
            zones=provisioning,
            faults=dns_faults,
            network=self.network,
            port=0 if port_offset is None else shifted(DNS_PORT, port_offset),
        )
        self.resolvers = Resolvers(
            environment,
            zones=provisioning,
            faults=dns_faults,
            network=self.network,
            name_server=lambda: (self.dns.address, self.dns.port),
        )

        # Outbound and inbound mail
        local_domains = LocalDomains(self.world)
        self.mail_queue = MailQueue(
            environment, transfer=lambda message: transfers.transfer(self.sink.prepared(message))
        )
        self.dkim_signer = DkimSigner(environment, keys=self.keys, flaws=self.auth_flaws)
        self.auth_results = SenderAuthResults(
            environment, zones=provisioning, dns_faults=dns_faults, resolver=self.resolvers.resolver
        )
        arc_sealer = ArcSealer(
            environment, zones=provisioning, keys=self.keys, auth_results=self.auth_results
        )
        self.delivery_agent = DeliveryAgent(
            environment,
            local_domains=local_domains,
            store=self.store,
            queue=self.mail_queue,
            zones=provisioning,
            arc_sealer=arc_sealer,
        )
        tlsrpt_sender = TlsrptSender(
            environment,
            zones=provisioning,
            dns_client=self.resolvers.client,
            dkim_signer=self.dkim_signer,
            queue=self.mail_queue,
        )
        dmarc_reporter = DmarcReporter(
            environment,
            zones=provisioning,
            resolver=self.resolvers.resolver,
            dkim_signer=self.dkim_signer,
            queue=self.mail_queue,
        )
        inbound = InboundServices(
            environment=environment,
            local_domains=local_domains,
            zones=provisioning,
            resolver=self.resolvers.resolver,
            delivery_agent=self.delivery_agent,
            mail_queue=self.mail_queue,
            dkim_signer=self.dkim_signer,
            arc_sealer=arc_sealer,
            auth_results=self.auth_results,
            wants_evaluations=dmarc_reporter.is_wanted,
            on_evaluated=dmarc_reporter.note,
            scan=_scan,
            make_mailbox=lambda address: self.sink.make_mailbox(address),
        )

        # Hosts and the connections between them
        self._real_ports = RealPorts(self.network) if real_ports else None
        plan: PortPlan = self._real_ports or (
            own_ports(self.network)
            if port_offset is None
            else FixedPorts(self.network, self.world, offset=port_offset)
        )
        virtual_timeouts = VirtualTimeouts(
            clock,
            connections_of=lambda host: self.hosts.connections_of_host(host),
            on_wait=self.supervisor.wake,
        )
        self.hosts = Hosts(
            environment,
            protocols=PROTOCOLS,
            readable=READABLE,
            supervisor=self.supervisor,
            network=self.network,
            plan=plan,
            zones=provisioning,
            faults=self.faults,
            local_domains=local_domains,
            virtual_timeouts=virtual_timeouts,
            inbound=inbound,
            store=self.store,
            grease=grease,
            on_mail_host=self.tls_policy_records.publish_usual_tlsa,
        )
        self.sink = Sink(environment, hosts=self.hosts, zones=provisioning, local_domains=local_domains)
        self.mta_sts_hosts = MtaStsHosts(environment, hosts=self.hosts, records=self.tls_policy_records)
        self.fault_updates = FaultUpdates(environment, faults=self.faults, hosts=self.hosts.running)
        fetcher = StsFetcher(
            environment,
            network=self.network,
            resolvers=self.resolvers,
            virtual_timeouts=virtual_timeouts,
        )
        outbound_tls = OutboundTls(
            environment, zones=provisioning, dns_client=self.resolvers.client, fetch=fetcher.fetch
        )
        self._connection_pool = ConnectionPool(
            environment,
            network=self.network,
            hosts=self.hosts.running,
            virtual_timeouts=virtual_timeouts,
            outbound_tls=outbound_tls,
            is_reported=tlsrpt_sender.is_wanted,
        )
        transfers = TransferServices(
            environment=environment,
            local_domains=local_domains,
            outbound_tls=outbound_tls,
            dns_client=self.resolvers.client,
            talk=self._connection_pool.talk,
            is_external=self.network.is_external_mail_host,
            deliver=self.delivery_agent.deliver_queued,
            on_session=tlsrpt_sender.note,
        )
        self.quiescence = Quiescence(
            environment,
            supervisor=self.supervisor,
            hosts=self.hosts,
            network=self.network,
            virtual_timeouts=virtual_timeouts,
            connection_pool=self._connection_pool,
        )
        self.namespaces = Namespaces(
            environment,
            hosts=self.hosts,
            network=self.network,
            name_server=self.dns,
            require_running=self.quiescence.require_running,
        )

    @property
    def zones(self) -> Zones:
        """The DNS zones. The first look at them fills them."""
        return self.zone_provisioning.zones

    def _folders(self, account: Address) -> Mapping[str, str]:
        """The mailboxes that an account has from the start, by the kind of the server where it reads them."""
        domain = self.world.domains.get(account.domain)
        host = self.world.hosts.get(domain.imap_host) if domain is not None else None
        return SERVER_KINDS[host.options.imap if host is not None else "default"].folders

    async def start(self) -> None:
        """Start the name server; hosts start as they are declared."""
        if self._real_ports is not None:
            await self._real_ports.start(self.dns)
        else:
            await self.dns.start()
        self._scheduler.start()
        keep_through_forks()
        server = self.world.add_host(NAME_SERVER)
        self.zone_provisioning.ensure_zone(INFRASTRUCTURE)
        self.zone_provisioning.do(lambda naming: naming.host(server))

    async def stop(self) -> None:
        """End everything at once. Ports are free and tasks have ended when it returns."""
        self.quiescence.stop()
        self.namespaces.close()
        for running in self.hosts.running.values():
            running.close()
        self._scheduler.stop()
        await self.supervisor.aclose()
        self._connection_pool.close()
        await self.resolvers.aclose()
        await self.dns.stop()
        # What was dropped closes its socket in the next turn of the loop, behind which we are then.
        await asyncio.sleep(0)

    async def reset(self) -> None:
        """Forget all mail, wherever it is, and everything that happened. What is declared stays."""
        # What is open between our hosts, at this end of theirs; of the app's, what is in the midst of a message.
        connections = self.hosts.connections
        dropped = [each for each in connections if self.network.is_ours(Endpoint(*each.remote_end))]
        dropped += [each for each in self.quiescence.busy_connections() if each not in dropped]
        self.mail_queue.forget()
        await self.supervisor.cancel("transfer ")
        self._connection_pool.close()
        for connection in dropped:
            connection.abort()
        await asyncio.sleep(0)  # they hear of it in the next turn of the loop
        self.store.expunge_all()
        live = {connection.number for connection in self.hosts.connections}
        self.hosts.register.keep(live)
        self.log.clear(keep=lambda event: event.connection in live and event.stage in _INTRODUCTIONS)


async def _scan(scanners: Iterable[ScannerAddress], question: ScanRequest) -> tuple[ScanResult, ...]:
    from fakemail.wire.scanning import scan_all  # for those who have a scanner only

    places = [(scanner.name, scanner.place) for scanner in scanners]
    return await scan_all(places, question, max_wait=_SCAN_MAX_WAIT)
