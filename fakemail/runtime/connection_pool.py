"""Connections from our hosts to mail hosts, and those that are kept for a moment for the next message.

What is said on them is the dialogue's affair, and what becomes of the message the transfer's. A connection is kept
where a new one would show nothing else: to one of our own hosts, without faults, unchanged since it was made.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import field
from datetime import datetime, timedelta
from operator import is_
from typing import Final, TypeAlias

from fakemail.environment import Environment
from fakemail.errors import TooManyOpenFiles
from fakemail.model.host import SMTP
from fakemail.mta.outbound.outbound_tls import OutboundTls
from fakemail.mta.outbound.tls_requirements import TlsRequirement
from fakemail.mta.outbound.transfer import Destination
from fakemail.runtime.network import Endpoint, Network
from fakemail.runtime.service_port import RunningHost
from fakemail.runtime.virtual_timeouts import PeerTimeout, VirtualTimeouts
from fakemail.smtp.client import ClientTransaction, Outgoing, PeerFailure, ServerProfile
from fakemail.tls.authority import process_authority
from fakemail.tls.dane import DaneFailure
from fakemail.tls.layer import ClientLayer
from fakemail.types.dataclass import dataclass
from fakemail.types.peer import Peer
from fakemail.types.reason import Reason
from fakemail.wire.smtp_client import SmtpClient

# Seconds, in real time and by the fake internet's clock; Postfix keeps them as long (smtp_connection_cache_time_limit).
IDLE: Final = 2.0
MAX_MESSAGES: Final = 100
MAX_AT_ONCE: Final = 20  # to one mail host; Postfix: default_destination_concurrency_limit
MAX_KEPT: Final = 20  # two descriptors each, and a process may have as few as 256 of them

_Key: TypeAlias = tuple[str, str, str, str]


@dataclass(slots=True)
class PooledConnection:
    """A connection, what was so when it was made, and what came of its TLS."""

    key: _Key
    client: SmtpClient
    wait: PeerTimeout
    demand: TlsRequirement
    state: tuple[object, ...]
    """Empty where the connection must not be kept."""
    since: datetime
    """Time of the last exchange on it, by the fake internet's clock."""
    problems: list[DaneFailure] = field(default_factory=list)
    greeted: ServerProfile | None = None
    """Once a transaction went well on it."""
    messages: int = 0
    refusals: int = 0
    timer: asyncio.TimerHandle | None = None


class ConnectionPool:
    """The connections of one fake internet between its hosts."""

    def __init__(
        self,
        environment: Environment,
        *,
        network: Network,
        hosts: Mapping[str, RunningHost],
        virtual_timeouts: VirtualTimeouts,
        outbound_tls: OutboundTls,
        is_reported: Callable[[str], bool],
    ) -> None:
        """``hosts`` are those that run; ``is_reported`` tells whether a domain wants reports about sessions."""
        self._clock = environment.clock
        self._tasks = environment.tasks
        self._world = environment.world
        self._network = network
        self._hosts = hosts
        self._virtual_timeouts = virtual_timeouts
        self._outbound_tls = outbound_tls
        self._is_reported = is_reported
        self._kept: list[PooledConnection] = []
        self._leaving: dict[SmtpClient, PeerTimeout] = {}
        self._turns: defaultdict[_Key, asyncio.Semaphore] = defaultdict(
            lambda: asyncio.Semaphore(MAX_AT_ONCE)
        )
        self.queueing = 0
        """Number of messages that wait for their turn behind those that are sent."""

    async def talk(
        self, call: Destination, outgoing: Outgoing
    ) -> tuple[ClientTransaction, DaneFailure | None]:
        """Hand a message to a mail host: the dialogue tells how it went, the problem what is wrong with its TLS."""
        turns = self._turns[call.key]
        self.queueing += 1
        try:
            await turns.acquire()
        finally:
            self.queueing -= 1
        try:
            return await self._talk(call, outgoing)
        finally:
            turns.release()

    async def _talk(
        self, call: Destination, outgoing: Outgoing
    ) -> tuple[ClientTransaction, DaneFailure | None]:
        network = self._network
        target = network.find(call.address, SMTP.port)
        if target is None or network.refuses(call.address, SMTP.port):
            dialogue = ClientTransaction(outgoing)
            detail = f"no host has the address {call.address}" if target is None else ""
            dialogue.never_began(PeerFailure(Reason.CONNECTION_REFUSED, detail))
            return dialogue, None
        if self._clock.is_virtual and self._hangs(call):
            await self._virtual_timeouts.wait_to_connect(call.mail_host, target)
            dialogue = ClientTransaction(outgoing)
            dialogue.never_began(PeerFailure(Reason.TIMEOUT, "the connection was not answered"))
            return dialogue, None
        link = self._take(call, len(outgoing.recipients))
        if link is not None:
            dialogue = await self._run(call, link, outgoing)
            if not dialogue.is_stale:
                return dialogue, call.demand.refusal
        try:
            link = self._link(call, target)
        except TooManyOpenFiles as error:
            dialogue = ClientTransaction(outgoing)
            dialogue.never_began(PeerFailure(Reason.LOCAL_ERROR, str(error)))
            return dialogue, None
        dialogue = await self._run(call, link, outgoing)
        return dialogue, link.problems[0] if link.problems else call.demand.refusal

    def close(self) -> None:
        """Drop what is kept, without a word."""
        for link in self._kept:
            if link.timer is not None:
                link.timer.cancel()
            link.client.close()
        # One whose task was cancelled before it began is still open.
        for client in self._leaving:
            client.close()
        self._kept.clear()
        self._leaving.clear()

    def _hangs(self, call: Destination) -> bool:
        """Whether a fault lets those wait who connect to that host."""
        running = self._hosts.get(self._network.owner(call.address))
        return running is not None and running.faults.hangs("smtp")

    async def _run(self, call: Destination, link: PooledConnection, outgoing: Outgoing) -> ClientTransaction:
        dialogue = ClientTransaction(
            outgoing,
            tls=call.tls,
            greeted=link.greeted,
            stay=lambda: self._may_stay(call, link),
            earlier=link.messages,
        )
        await link.client.run(dialogue)
        link.refusals += dialogue.refusals
        if link.client.owes_quit:
            self._quit(link)
        if dialogue.stays:
            link.greeted = dialogue.greeted
            link.since = self._clock.now()
            link.timer = asyncio.get_running_loop().call_later(IDLE, self._leave, link)
            self._kept.append(link)
            if len(self._kept) > MAX_KEPT:
                self._leave(self._kept[0])
        return dialogue

    # Keeping -------------------------------------------------------------------------------------

    def _may_stay(self, call: Destination, link: PooledConnection) -> bool:
        link.messages += 1
        return (
            link.messages < MAX_MESSAGES
            and not link.problems
            and self._is_unchanged(call, link)
            and link.client.is_quiet
        )

    def _take(self, call: Destination, recipients: int) -> PooledConnection | None:
        """A kept connection that is as good as a new one; those that are not are ended."""
        if call.tls is not call.demand.tls:
            return None
        # The last that was used first, so that those of a busy moment end when it is over.
        for link in [link for link in reversed(self._kept) if link.key == call.key]:
            if self._is_good(call, link, recipients):
                self._kept.remove(link)
                if link.timer is not None:
                    link.timer.cancel()
                return link
            self._leave(link)
        return None

    def _is_good(self, call: Destination, link: PooledConnection, recipients: int) -> bool:
        # TLS that was checked for one demand says nothing about another.
        if link.demand != call.demand or not self._is_unchanged(call, link) or not link.client.is_quiet:
            return False
        host = self._world.hosts[self._network.owner(call.address)]
        # Whoever is refused too often is hung up on: at worst, here, for MAIL, each RCPT and DATA.
        worst = link.refusals + recipients + 2
        return worst <= host.options.max_errors and self._clock.now() - link.since <= timedelta(seconds=IDLE)

    def _leave(self, link: PooledConnection) -> None:
        """End a kept connection politely."""
        self._kept.remove(link)
        if link.timer is not None:
            link.timer.cancel()
        self._quit(link)

    def _quit(self, link: PooledConnection) -> None:
        """Say goodbye, for which no message has to wait."""
        if len(self._leaving) >= MAX_KEPT:
            next(iter(self._leaving.values())).expire()  # such servers are slow to say goodbye, and are left
        self._leaving[link.client] = link.wait
        self._tasks.spawn(self._say_goodbye(link.client), f"QUIT to {link.key[1]}")

    async def _say_goodbye(self, client: SmtpClient) -> None:
        try:
            await client.leave()
        finally:
            self._leaving.pop(client, None)

    def _is_unchanged(self, call: Destination, link: PooledConnection) -> bool:
        target = self._network.find(call.address, SMTP.port)
        state = self._state(call, target)
        return bool(state) and len(state) == len(link.state) and all(map(is_, state, link.state))

    def _state(self, call: Destination, target: Endpoint | None) -> tuple[object, ...]:
        """Objects that must be the same ones for a connection to be used again; empty if it must not be."""
        sender = self._world.hosts[call.host]
        name = self._network.owner(call.address)
        running = self._hosts.get(name)
        # A server that a test attached may not like connections that outlive their message.
        if running is None or self._network.attached(name, SMTP.name) is not None:
            return ()
        # A report counts sessions (RFC 8460 §4.4): their number should not depend on how quick a test is.
        if running.faults or not sender.options.keep_connections or self._is_reported(call.domain):
            return ()
        return sender, target, running, running.host, running.handler, running.revision

    # Connecting ----------------------------------------------------------------------------------

    def _link(self, call: Destination, target: Endpoint) -> PooledConnection:
        network, outbound_tls = self._network, self._outbound_tls
        wait = self._virtual_timeouts.client(network.owner(call.address), target)
        host, demand = self._world.hosts[call.host], call.demand
        problems: list[DaneFailure] = []

        def check(tls: ClientLayer) -> PeerFailure | None:
            problem = outbound_tls.check(demand, tls.peer_chain) if demand.checks else None
            if problem is None:
                return None
            problems.append(problem)
            return PeerFailure(demand.failure, problem.detail) if demand.failure is not None else None

        def arrives(end: tuple[str, int]) -> None:
            network.calls_from(Endpoint(*end), Peer(host.ipv4, end[1], host.name))
            wait.opens(Endpoint(*end))

        def leaves(end: tuple[str, int]) -> None:
            network.hung_up(Endpoint(*end))
            wait.closes()

        client = SmtpClient(
            target=target,
            source=network.loopback_of(host.name),
            tls_context=_unverified_context,
            server_name="" if call.mail_host.startswith("[") else call.mail_host,
            connected_from=arrives,
            hung_up=leaves,
            check=check,
            wait=wait,
        )
        # What was sent in clear text because TLS failed is no example for the next message.
        state = self._state(call, target) if call.tls is demand.tls else ()
        return PooledConnection(call.key, client, wait, demand, state, self._clock.now(), problems)


_unverified: ssl.SSLContext | None = None


def _unverified_context() -> ssl.SSLContext:
    """Opportunistic TLS takes any certificate (RFC 7435 §3)."""
    global _unverified
    if _unverified is None:
        context = process_authority().client_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        _unverified = context
    return _unverified
