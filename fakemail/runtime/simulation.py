"""One running fake internet: the place where everything is put together.

Methods that change it run in the loop's thread; :mod:`fakemail.api` sees to that.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import count
from threading import Lock
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from fakemail.clock import Job, RealClock, TimeSource
from fakemail.dns.responder import DnsResponse, Transport
from fakemail.dns.zones import Zones
from fakemail.errors import ClosedError, MailAssertionError, ServerError
from fakemail.events.journey import Journeys
from fakemail.events.kinds import FaultFired, MessageDelivered, MessageQueued, Query
from fakemail.events.log import Log
from fakemail.faults.context import FaultContext
from fakemail.faults.registry import FaultRegistry
from fakemail.faults.rule import FaultRule
from fakemail.imap.server_kinds import SERVER_KINDS
from fakemail.message.envelope import Envelope, Recipient
from fakemail.message.headers import head_of
from fakemail.model.domain import DomainSpec, Routing
from fakemail.model.host import HostSpec
from fakemail.model.peers import is_among
from fakemail.model.world import WorldSpec
from fakemail.mta.inbound.arc_sealing import ArcSealer
from fakemail.mta.inbound.delivery_agent import DeliveryAgent
from fakemail.mta.inbound.sender_auth_results import SenderAuthResults
from fakemail.mta.outbound.dkim_signer import DkimSigner
from fakemail.mta.outbound.outbound_tls import OutboundTls
from fakemail.mta.outbound.queue import MailQueue, own_envelope
from fakemail.mta.outbound.transfer import LocalCopy, QueuedMessage
from fakemail.mta.reports.dmarc_statistics import DmarcStatistics
from fakemail.mta.reports.tlsrpt_sender import TlsrptSender
from fakemail.policy.transaction_facts import HostContext
from fakemail.runtime.connection_pool import ConnectionPool
from fakemail.runtime.fixed_ports import DNS_PORT, FixedPorts, shifted
from fakemail.runtime.network import Endpoint, Network, PortPlan, own_ports
from fakemail.runtime.protocols import PROTOCOLS, READABLE
from fakemail.runtime.real_ports import RealPorts
from fakemail.runtime.realtime_scheduler import RealtimeScheduler
from fakemail.runtime.resolvers import Resolvers
from fakemail.runtime.service_port import RunningHost
from fakemail.runtime.virtual_timeouts import VirtualTimeouts
from fakemail.store.mailbox import INBOX
from fakemail.store.mailstore import MailStore
from fakemail.store.message import NO_FLAGS, Delivery, StoredMessage
from fakemail.tls.authority import keep_through_forks
from fakemail.types.address import Address, address_key
from fakemail.types.peer import Peer
from fakemail.types.seeded_random import SeededRandom
from fakemail.types.stage import Stage
from fakemail.wire.connection import Connection
from fakemail.wire.dns_client import DnsClient
from fakemail.wire.dns_server import DnsServer
from fakemail.wire.smtp_server import SmtpConnection
from fakemail.wire.supervisor import Supervisor
from fakemail.zones.auth_flaws import AuthFlaws
from fakemail.zones.dkim_keys import DkimKeyRing
from fakemail.zones.name_server_faults import NameServerFaults
from fakemail.zones.tls_policy_records import publish_usual_tlsa
from fakemail.zones.zone_provisioning import INFRASTRUCTURE, NAME_SERVER, LazyZoneProvisioning

if TYPE_CHECKING:
    from fakemail.dns.dnssec import SignatureValidity
    from fakemail.runtime.namespace_listeners import NamespaceListeners


_ORPHANED: Final = 1.0  # real seconds without an event, when no task of ours runs
_INTRODUCTIONS: Final = frozenset({Stage.CONNECT, Stage.TLS_HANDSHAKE, Stage.SMTP_BANNER, Stage.SMTP_HELO})
"""What a connection that goes on must have in the log, for whoever reads later what was said on it."""


class Simulation:
    """A fake internet while it runs. ``start`` it in an event loop and ``stop`` it there."""

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
        self.grease = grease
        self.clock = clock
        self.random = SeededRandom(seed)
        self.world = WorldSpec()
        self.log = Log(clock, lock=Lock())
        self.journeys = Journeys(self.log, lock=Lock())
        self.store = MailStore(clock=clock, folders=self._folders)
        self.network = Network()
        self.supervisor = Supervisor()
        self.scheduler = RealtimeScheduler(clock, self.supervisor)
        self.hosts: dict[str, RunningHost] = {}
        self.certified: dict[str, datetime] = {}
        """Since when the hosts of a domain have certificates, by what stands behind their first label."""
        self._real_ports = RealPorts(self.network) if real_ports else None
        self.plan: PortPlan = self._real_ports or (
            own_ports(self.network)
            if port_offset is None
            else FixedPorts(self.network, self.world, offset=port_offset)
        )
        self.faults = FaultRegistry(
            now=clock.now, seed=seed, hosts_of=self._hosts_of, on_strike=self._note_strike
        )
        self._fault_job: Job | None = None
        self.next_connection = count(1).__next__
        self.connection_pool = ConnectionPool(self)
        self.virtual_timeouts = VirtualTimeouts(self)
        self.logins: list[tuple[int, str]] = []
        """The number of a connection and who logged in on it, in the order of time."""
        self.mail_queue = MailQueue(self)
        self.delivery_agent = DeliveryAgent(self)
        self.outbound_tls = OutboundTls(self)
        self.tlsrpt_sender = TlsrptSender(self)
        self.keys = DkimKeyRing()
        self.dkim_signer = DkimSigner(self)
        self.auth_flaws = AuthFlaws(self)
        self.arc_sealer = ArcSealer(self)
        self.dmarc_statistics = DmarcStatistics(self)
        self.policy_memory = HostContext()
        """What the judging hosts remember together."""
        self.settlements: list[NamespaceListeners] = []
        """Where else its servers listen: inside namespaces."""
        self._homes: defaultdict[str, dict[str, None]] = defaultdict(dict)
        """Host to the domains for which it takes mail: keys only, in the order of their declaration."""
        self.is_stopped = False
        self.on_stop: list[Callable[[], object]] = []
        """Called when it begins to stop, to wake whoever waits in it."""
        self._signs = False
        self._advancing = asyncio.Lock()  # it takes the loop in which it is first waited for
        self.authentications = SenderAuthResults(self)
        self.naming = LazyZoneProvisioning(self.world, self.keys, self.authentications.before_change)
        self.resolvers = Resolvers(self)
        dns_port = 0 if port_offset is None else shifted(DNS_PORT, port_offset)
        self.spoiled_dns = NameServerFaults(self)
        self.dns = DnsServer(
            lambda: self.zones,
            port=dns_port,
            on_query=self._note_query,
            on_error=self.supervisor.report,
            spoils=self.spoiled_dns.spoils,
            may_transfer=lambda address, port, zone: is_among(
                self.network.who(address, port), zone.transfer_to
            ),
        )

    # Life ----------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start the name server; hosts start as they are declared."""
        if self._real_ports is not None:
            await self._real_ports.start(self.dns)
        else:
            await self.dns.start()
        self.scheduler.start()
        keep_through_forks()
        server = self.world.add_host(NAME_SERVER)
        self.naming.do(lambda naming: naming.ensure_zone(INFRASTRUCTURE))
        self.naming.do(lambda naming: naming.host(server))

    async def stop(self) -> None:
        """End everything at once. Ports are free and tasks have ended when it returns."""
        self.is_stopped = True
        for wake in tuple(self.on_stop):
            wake()
        for settlement in tuple(self.settlements):
            settlement.leave()
        for running in self.hosts.values():
            running.close()
        self.scheduler.stop()
        await self.supervisor.aclose()
        self.connection_pool.close()
        await self.resolvers.aclose()
        await self.dns.stop()
        # Whatever was dropped closes its socket in the next turn of the loop, behind which we are then.
        await asyncio.sleep(0)

    async def reset(self) -> None:
        """Forget all mail, wherever it is, and everything that happened. What is declared stays."""
        # What is open between our hosts, at this end of theirs; of the app's, what is in the midst of a message.
        dropped = [each for each in self._connections() if self.network.is_ours(Endpoint(*each.remote_end))]
        dropped += [each for each in self._busy_connections() if each not in dropped]
        self.mail_queue.forget()
        await self.supervisor.cancel("transfer ")
        self.connection_pool.close()
        for connection in dropped:
            connection.abort()
        await asyncio.sleep(0)  # they hear of it in the next turn of the loop
        for owner, name in self.store.mailboxes():
            box = self.store.find(owner, name)
            if box is not None:
                box.expunge(box.uids())
        live = {connection.number for connection in self._connections()}
        self.logins = [(number, login) for number, login in self.logins if number in live]
        self.log.clear(keep=lambda event: event.connection in live and event.stage in _INTRODUCTIONS)

    def _connections(self) -> list[Connection]:
        return [connection for running in self.hosts.values() for connection in running.connections]

    def require_running(self) -> None:
        """Raise :class:`~fakemail.errors.ClosedError` for whoever waits in what has been stopped."""
        if self.is_stopped:
            raise ClosedError(
                "this fake internet was closed while something waited in it; what was to come never will."
            )

    @property
    def is_settled(self) -> bool:
        """Whether no task runs and no session is between MAIL and its final reply."""
        # Who waits for the clock, or behind those who do, is not at work.
        waiting = len(self.virtual_timeouts.waiting) + self.connection_pool.queueing
        return self.supervisor.count == waiting and not self._busy_connections()

    @property
    def activity(self) -> str:
        """What keeps the fake internet from being settled, in words."""
        busy = [
            f"connection {connection.number} of {connection.peer} to {connection.site.host} is {connection.in_progress}"
            for connection in self._busy_connections()
        ]
        tasks = [] if self.supervisor.is_idle else [f"under way: {', '.join(self.supervisor.names)}"]
        return "; ".join([*tasks, *busy]) or "nothing is going on"

    def _folders(self, account: Address) -> Mapping[str, str]:
        """The mailboxes that an account has from the start, by the kind of the server where it reads them."""
        domain = self.world.domains.get(account.domain)
        host = self.world.hosts.get(domain.imap_host) if domain is not None else None
        return SERVER_KINDS[host.options.imap if host is not None else "default"].folders

    def _busy_connections(self) -> list[Connection]:
        return [
            connection
            for running in self.hosts.values()
            for connection in running.connections
            # Readers may idle for hours; mail that is on its way is what quiet is about.
            if isinstance(connection, SmtpConnection)
            and connection.in_progress
            and not (self.virtual_timeouts.waiting and self.virtual_timeouts.holds(connection))
        ]

    @property
    def zones(self) -> Zones:
        """The DNS zones. The first look at them fills them."""
        return self.naming.zones

    def zones_at_present(self) -> Callable[[], Zones]:
        """The DNS zones as they are now, for whoever may ask for them after they have changed."""
        return self.naming.present()

    def past_connections_of(self, account: Address) -> set[int]:
        """The numbers of the connections on which an account has ever logged in."""
        return {number for number, login in self.logins if address_key(login) == account.key}

    def connections_of(self, account: Address) -> set[int]:
        """The numbers of the connections on which an account is logged in now."""
        return {
            connection.number
            for running in self.hosts.values()
            for connection in running.connections
            if connection.login and address_key(connection.login) == account.key
        }

    def ensure_zone(self, origin: str) -> None:
        """Make a DNS zone unless it is there."""
        self.naming.do(lambda naming: naming.ensure_zone(origin))

    def enable_dnssec(self, origin: str, flaw: str | None = None) -> None:
        """Sign a DNS zone, made if it is not there, with a key of its own."""
        from fakemail.dns.dnssec import ZoneSigner

        self.ensure_zone(origin)
        self._signs = True
        self.zones.enable_dnssec(origin, ZoneSigner(origin, validity=self._validity, flaw=flaw))

    def _validity(self) -> SignatureValidity:
        """Good for those who go by the fake internet's clock, and for real validators, who go by the real one."""
        from fakemail.dns.dnssec import GOOD_FOR, SignatureValidity

        both = (self.clock.now(), RealClock().now())
        return SignatureValidity(min(both) - timedelta(days=1), max(both) + GOOD_FOR)

    def raise_errors(self) -> None:
        """Raise the first error of our own code, if there was one."""
        errors, self.supervisor.errors = self.supervisor.errors, []
        if errors:
            __tracebackhide__ = True
            first = errors[0]
            where = "".join(f" {note}" for note in getattr(first, "__notes__", ())[:1])
            what = str(first) if isinstance(first, ServerError) else f"{type(first).__name__}: {first}"
            more = f" ({len(errors)} errors in all)" if len(errors) > 1 else ""
            raise ServerError(f"a server of the fake internet failed{where}: {what}{more}") from first

    # Declaring -----------------------------------------------------------------------------------

    async def run_host(self, host: HostSpec) -> RunningHost:
        """Put a host into DNS and open its ports; one that runs gets the ports it lacks."""
        self.naming.do(lambda naming: naming.host(host))
        running = self.hosts.get(host.name)
        if running is None:
            running = self.hosts[host.name] = RunningHost(self, host, PROTOCOLS)
        await running.listen(self.plan)
        return running

    async def run_account(self, address: Address, password: str | None = None) -> None:
        """Declare an account unless it is there, with its domain, whose hosts run then."""
        world = self.world
        if address.domain not in world.domains:
            await self.run_domain(world.add_domain(address.domain))
        if address.key not in world.accounts:
            world.add_account(address, self.random.token(12) if password is None else password)

    async def run_domain(self, domain: DomainSpec) -> None:
        """Put a domain into DNS and run its hosts."""
        self.naming.do(lambda naming: naming.domain(domain))
        await self._run_hosts_of(domain)

    async def run_reading_host(self, name: str) -> RunningHost:
        """Run the host where the accounts of a domain read their mail; it is made when somebody first asks."""
        domain = self.world.domain(name)
        if domain.imap_host in self.hosts:
            return self.hosts[domain.imap_host]
        domain = self.world.ensure_reading_host(domain.name, READABLE)
        running = await self.run_host(self.world.hosts[domain.imap_host])
        self.naming.do(lambda naming: naming.reading(domain, READABLE))
        return running

    async def reroute(self, domain: DomainSpec) -> None:
        """Make a change of a domain's mail routing visible."""
        for homes in self._homes.values():
            homes.pop(domain.name, None)
        self.naming.do(lambda naming: naming.route(domain))
        await self._run_hosts_of(domain)
        if self.faults.rules():
            await self.heed_faults()

    async def _run_hosts_of(self, domain: DomainSpec) -> None:
        own = (*domain.mail_hosts, *domain.behind)
        for name in own:
            if domain.name not in self.world.hosts[name].routes:
                self.local_domains(name)[domain.name] = None
        for name in dict.fromkeys([*own, domain.submission_host]):
            await self.run_host(self.world.hosts[name])
        if self._signs:
            for name in domain.mail_hosts:
                publish_usual_tlsa(self, name)

    def local_domains(self, host: str) -> dict[str, None]:
        """The domains for which a host takes mail, in the order of their declaration; always the same object."""
        return self._homes[host]

    def is_home(self, host: str, domain: str) -> bool:
        """Whether a host takes mail for a domain, and delivers it."""
        return domain in self.local_domains(host)

    def route(self, host: str) -> None:
        """Note that a host has routes: mail for those domains is passed on, and delivered here no more."""
        for domain in self.world.hosts[host].routes:
            self.local_domains(host).pop(domain, None)
        self.naming.senders()

    def postmaster(self, host: str) -> Address:
        """Who gets the mail for ``<postmaster>`` without a domain (RFC 5321 §4.5.1)."""
        return Address("postmaster", next(iter(self.local_domains(host)), host))

    def is_inside(self, host: str, peer: Peer) -> bool:
        """Whether a client belongs to the domains at home on a host, or is one whose mail the host passes on."""
        world = self.world
        return peer.name in world.hosts[host].relay_from or any(
            peer.name in (*domain.mail_hosts, domain.submission_host, domain.imap_host, *domain.behind)
            for domain in (world.domains[name] for name in self.local_domains(host))
        )

    def takes_no_mail(self, domain: str) -> bool:
        """Whether a domain says in DNS that it takes no mail (RFC 7505 §3)."""
        if domain.startswith("["):
            return False
        declared = self.world.domains.get(domain)
        if declared is not None and declared.routing is Routing.NULL_MX:
            return True
        records = self.zones.records(domain, "MX")
        return bool(records) and all(record.value.split()[-1] == "." for record in records)

    # Faults --------------------------------------------------------------------------------------

    async def heed_faults(self) -> None:
        """Act on a change of what is in force, and be there for the next one that time brings."""
        self.faults.refresh()
        for running in self.hosts.values():
            await running.heed_faults()
        if self._fault_job is not None:
            self._fault_job.cancel()
        due = self.faults.next_change()
        self._fault_job = None if due is None else self.clock.at(due, self._heed_faults_later, name="faults")

    def _heed_faults_later(self) -> None:
        self.faults.refresh()
        self.supervisor.spawn(self.heed_faults(), "faults")

    def _hosts_of(self, domain: str, stage: Stage) -> tuple[str, ...]:
        """Where a domain's faults strike: where its mail is taken, or read; AUTH where it is handed in as well."""
        described = self.world.domains.get(domain)
        if described is None:
            return ()
        if stage.value.startswith(("imap.", "pop3.")):
            return (described.imap_host,)
        own = described.mail_hosts
        return (*own, described.submission_host) if stage is Stage.SMTP_AUTH else own

    def _note_strike(self, host: str, rule: FaultRule, facts: FaultContext) -> None:
        self.log.append(
            FaultFired(
                stage=rule.stage,
                host=host,
                connection=facts.connection,
                action=str(rule.action),
                rule=rule.title,
            )
        )

    # Mail ----------------------------------------------------------------------------------------

    def queue(
        self,
        host: str,
        queue_id: str,
        envelope: Envelope,
        raw: bytes,
        *,
        recipients: Sequence[Recipient] | None = None,
        origin: str = "",
        after: timedelta | None = None,
        copies: Mapping[str, LocalCopy] = MappingProxyType({}),
        is_held: bool = False,
    ) -> None:
        """Take a message into a host's queue, to be handed on at once, or ``after`` some time.

        ``copies`` are for accounts of the host itself, by the key of the address. ``is_held`` keeps it there until
        it is flushed."""
        targets = tuple(envelope.recipients if recipients is None else recipients)
        self.log.append(
            MessageQueued(
                host=host,
                message=queue_id,
                sender=envelope.sender,
                recipients=tuple(target.address for target in targets),
                size=len(raw),
                head=head_of(raw),
                origin=origin,
            )
        )
        message = QueuedMessage(host, queue_id, envelope, raw, targets, copies)
        self.mail_queue.add(message, after=after, is_held=is_held)

    def send_report(
        self, host: str, queue_id: str, to: Address, raw: bytes, *, requiretls: bool = False
    ) -> None:
        """Send a host's own report, to the sender of a message or to a domain."""
        envelope = own_envelope(host, self.world.hosts[host].ipv4, to, requiretls=requiretls)
        self.queue(host, queue_id, envelope, raw)

    # Time ----------------------------------------------------------------------------------------

    async def quiet(self, *, patience: float) -> None:
        """Wait until our side is quiet (see :attr:`is_settled`), for that many real seconds at most.

        Raises :class:`~fakemail.errors.MailAssertionError` when it does not become quiet, and
        :class:`~fakemail.errors.ClosedError` when it is stopped meanwhile.
        """
        self.require_running()
        if self.is_settled:
            return
        woken = asyncio.Event()
        unsubscribe = self.log.subscribe(lambda _: woken.set())
        self.supervisor.on_end.append(woken.set)
        self.on_stop.append(woken.set)
        try:
            async with asyncio.timeout(patience):
                while not self.is_settled:
                    woken.clear()
                    with suppress(TimeoutError):
                        async with asyncio.timeout(_ORPHANED):
                            await woken.wait()
                    self.require_running()
                    if not woken.is_set():
                        self._release_orphans()
        except TimeoutError:
            raise MailAssertionError(
                f"the fake internet did not become quiet within {patience:g} s: {self.activity}."
            ) from None
        finally:
            unsubscribe()
            self.supervisor.on_end.remove(woken.set)
            self.on_stop.remove(woken.set)

    def _release_orphans(self) -> None:
        """End connections at whose other end a host of ours was, and does nothing any more: their mail is told of."""
        if self.supervisor.count > len(self.virtual_timeouts.waiting) + self.connection_pool.queueing:
            return
        for connection in self._busy_connections():
            end = Endpoint(*connection.remote_end)
            if self.network.is_ours(end) or self.network.has_left(end):
                connection.abort()

    async def advance(self, by: timedelta, *, patience: float) -> None:
        """Run all that is due in a span, in order, becoming quiet after each; then stand at its end.

        Of two at once the second begins where the first ends, so that no time is lost.
        """
        async with self._advancing:
            until = self.clock.now() + by
            await self.quiet(patience=patience)
            while jobs := self.clock.take_due(until):
                self.clock.move(max(jobs[0].due - self.clock.now(), timedelta()))
                for job in jobs:
                    job.action()
                await self.quiet(patience=patience)
            self.clock.move(max(until - self.clock.now(), timedelta()))

    def put(
        self, account: Address, raw: bytes, mailbox: str = INBOX, *, flags: Collection[str] = NO_FLAGS
    ) -> StoredMessage:
        """Put a message into a mailbox without any transport."""
        delivery = Delivery(account)
        stored = self.store.mailbox(account, mailbox).append(raw, flags=flags, delivery=delivery)
        self.note_delivery(stored, delivery, account, mailbox)
        return stored

    def note_delivery(
        self,
        stored: StoredMessage,
        delivery: Delivery,
        account: Address,
        mailbox: str = INBOX,
        *,
        recipient: Address | None = None,
    ) -> None:
        """Write down that a message lies in a mailbox."""
        self.log.append(
            MessageDelivered(
                host=delivery.host,
                message=delivery.queue_id,
                recipient=recipient or delivery.recipient,
                account=account,
                mailbox=mailbox,
                uid=stored.uid,
                head=head_of(stored.raw),
            )
        )

    # DNS -----------------------------------------------------------------------------------------

    def dns_client(self, host: str) -> DnsClient:
        """The resolver of a host."""
        return self.resolvers.client(host)

    def _note_query(self, address: str, port: int, transport: Transport, response: DnsResponse) -> None:
        self.log.append(
            Query(
                host=NAME_SERVER,
                client=self.network.who(address, port),
                transport=transport,
                name=response.name,
                type=response.type,
                answer=response.kind,
                records=response.records,
            )
        )
