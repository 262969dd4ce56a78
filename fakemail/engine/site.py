"""A running host: its ports, its connections, and its decisions about mail."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from fakemail.engine.network import Endpoint, PortPlan
from fakemail.errors import DeclarationError, nearest
from fakemail.faults.book import Book
from fakemail.mail.envelope import Envelope, Origin
from fakemail.mail.trace import complete, count_received, prepend, received_end, received_start
from fakemail.model.domain import Domain
from fakemail.model.host import READING, Host, Security, Service
from fakemail.mta.recipients import resolve
from fakemail.policy.greylist import triplet
from fakemail.smtp.backend import Receipt
from fakemail.smtp.extensions import Profile
from fakemail.store.errors import OverQuota
from fakemail.store.message import SEEN
from fakemail.terms.address import Address, Path
from fakemail.terms.ids import Chance
from fakemail.terms.peer import Peer
from fakemail.terms.reason import Reason
from fakemail.terms.verdict import ACCEPTED, Action, Verdict, refused
from fakemail.tls.authority import process_authority
from fakemail.tls.contexts import ServerContext, server_context
from fakemail.tls.flaws import FLAWS, flawed_leaf
from fakemail.wire.connection import Connection, Core
from fakemail.wire.ports import Listener

if TYPE_CHECKING:
    from fakemail.engine.internet import Internet
    from fakemail.wire.https_server import Document

_P = TypeVar("_P")


class Spoken(NamedTuple):
    """How a protocol is served."""

    connect: Callable[[Site], Connection]
    """The connection that carries it."""
    open: Callable[[Site, Any], Core]
    """The session that speaks it, for a new connection."""


class Site:
    """One port of one host."""

    def __init__(self, running: RunningHost, service: Service, endpoint: Endpoint, spoken: Spoken) -> None:
        self.running = running
        self.host = running.name
        self.service = service.name
        self.implicit_tls = service.security is Security.TLS
        self.log = running.internet.log
        self.supervisor = running.internet.supervisor
        self.connections: set[Connection] = running.connections
        self.port = service
        self.listener = Listener(
            endpoint.address,
            endpoint.port,
            purpose=f"{service.name} of {running.name}",
            factory=lambda: spoken.connect(self),
        )
        self._spoken = spoken

    @property
    def endpoint(self) -> Endpoint:
        """Where it really listens."""
        return Endpoint(self.listener.address, self.listener.port)

    @property
    def idle_timeout(self) -> float:
        """In real seconds."""
        personality = self.running.host.personality
        return personality.reading_timeout if self.port in READING else personality.idle_timeout

    @property
    def handler(self) -> object | None:
        """The aiosmtpd handler that a test attached to the host."""
        return self.running.handler

    def remember_login(self, number: int, login: str) -> None:
        """Somebody has logged in on a connection."""
        self.running.internet.logins.append((number, login))

    def number(self) -> int:
        """The number of a new connection, unique in the fake internet."""
        return self.running.internet.next_connection()

    def peer(self, address: str, port: int) -> Peer:
        """Who connects from there."""
        return self.running.internet.network.who(address, port)

    def tls_context(self) -> ssl.SSLContext:
        """The host's side of TLS."""
        return self.running.tls_context

    def open(self, connection: Connection) -> Core:
        """A session for a new connection."""
        return self._spoken.open(self, connection)

    def profile(self, make: Callable[[Host, Service], _P]) -> _P:
        """What this port is like, made anew when the host has changed.

        A personality can be changed at any time; sessions that are open keep the one they began with.
        """
        host = self.running.host
        known = self.running.profiles.get(self.service)
        if known is None or known[0] is not host:
            known = self.running.profiles[self.service] = (host, make(host, self.port))
        profile: _P = known[1]
        return profile


class RunningHost:
    """A host that listens."""

    def __init__(self, internet: Internet, host: Host, protocols: Mapping[str, Spoken]) -> None:
        self.internet = internet
        self.name = host.name
        self._protocols = protocols
        self.sites: dict[str, Site] = {}
        self.connections: set[Connection] = set()
        self.profiles: dict[str, tuple[Host, Any]] = {}
        self.logins: dict[str, datetime] = {}
        """When somebody last came to read mail, by the key of the account."""
        self.handler: object | None = None
        self.documents: dict[str, Document] = {}
        """What it serves over HTTPS, by path."""
        self.credentials = Credentials(self)
        self.faults = Book()
        self.is_stopped = False
        self.revision = object()
        """Another one after each change that those must not miss who keep a connection."""
        self._flaw: str | None = None

    @property
    def host(self) -> Host:
        """The host as it is described now."""
        return self.internet.world.hosts[self.name]

    async def listen(self, plan: PortPlan) -> None:
        """Open the ports of the services that do not listen yet.

        Raises :class:`~fakemail.errors.DeclarationError` for one that nobody can serve.
        """
        for service in self.host.services:
            if service.name in self.sites or self.internet.network.attached(self.name, service.name):
                continue
            spoken = self._protocols.get(service.name)
            if spoken is None:
                raise DeclarationError(
                    f"host {self.name!r}: {service.name!r} cannot be served yet; "
                    + nearest(service.name, self._protocols)
                )
            site = Site(self, service, plan(self.host, service), spoken)
            self.__dict__.pop("tls_context", None)  # the certificate names every address of the host
            self.sites[service.name] = site
            self.internet.network.publish(self.host, service, site.endpoint)
        await self.heed_faults()

    async def start(self) -> None:
        """Listen again after a stop, on the same ports."""
        self.is_stopped = False
        await self.heed_faults()

    async def heed_faults(self) -> None:
        """Listen, or not, as the faults demand."""
        self.revision = object()
        self._heed_at_attached()
        for site in self.sites.values():
            if self.is_stopped or self.faults.refuses_connections:
                site.listener.stop()
            else:
                await site.listener.start()

    def stop(self) -> None:
        """Refuse connections, and end those that exist with 421."""
        self.is_stopped = True
        self.revision = object()
        self._heed_at_attached()
        for site in self.sites.values():
            site.listener.stop()
        for connection in tuple(self.connections):
            connection.hang_up(Reason.SHUTTING_DOWN)

    def _heed_at_attached(self) -> None:
        """A real server cannot be kept from listening, so ours are kept from connecting to it."""
        self.internet.network.shut(self.name, is_shut=self.is_stopped or self.faults.refuses_connections)

    def close(self) -> None:
        """Give the ports back and drop every connection."""
        for site in self.sites.values():
            site.listener.close()
        for connection in tuple(self.connections):
            connection.abort()

    def present(self, flaw: str | None) -> None:
        """Present a certificate with that flaw from now on, or a good one.

        Raises :class:`~fakemail.errors.DeclarationError` for a flaw that there is not.
        """
        if flaw is not None and flaw not in FLAWS:
            raise DeclarationError(
                f"host {self.name!r}: there is no certificate flaw {flaw!r}; {nearest(flaw, FLAWS)}"
            )
        self._flaw = flaw
        self.revision = object()
        self.__dict__.pop("tls_context", None)

    @cached_property
    def tls_context(self) -> ServerContext:
        """The server's side of TLS; the certificate is good for the name and the loopback address."""
        loopback = tuple(dict.fromkeys(site.endpoint.address for site in self.sites.values()))
        return server_context(
            self.name,
            addresses=loopback,
            authority=process_authority(),
            client_certificates="ask",
            leaf=None if self._flaw is None else flawed_leaf(self._flaw, self.name, addresses=loopback),
        )


class Credentials:
    """Who may log in at a host, with which secret."""

    def __init__(self, running: RunningHost) -> None:
        self._running = running

    def _account(self, login: str) -> str | None:
        """The key of the account that may log in here with that name."""
        world = self._running.internet.world
        account = world.accounts.get(login_key(login))
        if account is None or account.disabled:
            return None
        domain = world.domains.get(account.address.domain)
        at_home = domain is not None and self._is_home_of(domain)
        return account.address.key if at_home or self._running.host.smarthost else None

    def _is_home_of(self, domain: Domain) -> bool:
        """Whether the accounts of a domain log in here: to hand in mail, or to read it."""
        running = self._running
        if running.name in (domain.submission_host, domain.reading_host):
            return True
        is_inside = running.name.partition(".")[2] == domain.name
        return is_inside and any(service in READING for service in running.host.services)

    def key_of(self, login: str) -> str:
        """The key of the account that a login means, if there is one."""
        return login_key(login)

    def password_of(self, login: str) -> str | None:
        """The password of that login."""
        key = self._account(login)
        return None if key is None else self._running.internet.world.accounts[key].password

    def token_owner(self, token: str) -> str | None:
        """The login for which a bearer token is good."""
        for account in self._running.internet.world.accounts.values():
            if token in account.tokens:
                return self._account(str(account.address))
        return None

    def owner_of_certificate(self, subject: str) -> str | None:
        """The login of the holder of a client certificate with that name."""
        return self._account(subject)

    def may_act_as(self, authentication_id: str, authorization_id: str) -> bool:
        """Whether one login may act as another: only as itself, in whatever case it is written."""
        return login_key(authentication_id) == login_key(authorization_id)


def login_key(login: str) -> str:
    local, _, domain = login.rpartition("@")
    return f"{local.casefold()}@{domain.lower()}"


class Decisions:
    """What a host decides about mail on one of its ports."""

    def __init__(self, running: RunningHost, profile: Profile, peer: Peer) -> None:
        self._peer = peer
        self._sender: Path | None = None
        self._running = running
        self._internet = running.internet
        self._profile = profile
        self.credentials = running.credentials
        self.chance: Chance = running.internet.chance
        self._homes = running.internet.homes(running.name)
        self._started: tuple[Origin, str] | None = None

    def check_sender(self, sender: Path, login: str) -> Verdict | None:
        """On a submission port the sender must belong to the account (RFC 6409 §6.1)."""
        self._sender = sender
        personality = self._profile.personality
        if not login or not personality.own_senders_only or not isinstance(sender, Address):
            return ACCEPTED
        if personality.accept_any_login:
            return ACCEPTED
        world = self._internet.world
        account = world.accounts.get(login_key(login))
        if account is not None:
            separator = world.domains[account.address.domain].detail_separator
            if account.owns(sender, detail_separator=separator):
                return ACCEPTED
        return refused(Reason.SENDER_NOT_OWNED, f"<{sender}>")

    def check_recipient(self, recipient: Address, login: str) -> Verdict | None:
        """Take what is for here, or from those who may send onward (RFC 5321 §3.6.2)."""
        host = self._running.host
        if self._profile.is_submission:
            no_mail = host.personality.refuse_null_mx and self._internet.takes_no_mail(recipient.domain)
            return refused(Reason.NULL_MX, f"<{recipient}>") if no_mail else ACCEPTED  # RFC 7505 §4.1
        if not recipient.domain:
            recipient = self._internet.postmaster(host.name)
        if self._is_home(recipient.domain):
            verdict = self._internet.agent.check(host.name, recipient)
            return self._check_policy(recipient) if verdict.is_accepted else verdict
        if self._peer.name in host.relay_from or recipient.domain in host.routes:
            return ACCEPTED
        if recipient.domain in host.open_relay_for or "*" in host.open_relay_for:
            return ACCEPTED
        return refused(Reason.RELAY_DENIED, f"<{recipient}>")

    def _check_policy(self, recipient: Address) -> Verdict:
        """What the recipient's domain asks its mail hosts to check."""
        internet = self._internet
        window = internet.world.domains[recipient.domain].policy.greylist
        if window is None:
            return ACCEPTED
        who = triplet(self._peer.address, self._sender, recipient)
        return internet.greylist.check(who, now=internet.clock.now(), window=window)

    def take(self, envelope: Envelope, content: bytes) -> Receipt | None:
        """Deliver what is for here, queue the rest."""
        internet, name = self._internet, self._running.name
        queue_id = internet.chance.queue_id()
        now = internet.clock.now()
        recipients = envelope.recipients
        if not self._profile.is_submission and count_received(content) >= self._profile.personality.max_hops:
            return Receipt(refused(Reason.MAIL_LOOP))
        if self._profile.is_submission:
            content = complete(content, date=now, message_id=f"<{queue_id}@{name}>")
        trace = received_end(
            self._received_start(envelope.origin),
            queue_id=queue_id,
            date=now,
            recipient=recipients[0].address if len(recipients) == 1 else None,
        )
        if self._profile.is_submission:
            return self._submit(queue_id, envelope, content, trace)
        return self._deliver(queue_id, envelope, content, trace)

    def _submit(self, queue_id: str, envelope: Envelope, content: bytes, trace: bytes) -> Receipt:
        account = self._internet.world.accounts.get(login_key(envelope.origin.login))
        if account is not None and account.sent_copy:
            with suppress(OverQuota):  # a copy for the files is no reason to refuse the mail
                self._internet.put(account.address, content, "Sent", flags={SEEN})
        self._internet.queue(self._running.name, queue_id, envelope, prepend(content, trace))
        return Receipt(ACCEPTED, queue_id, f"queued as {queue_id}")

    def _deliver(self, queue_id: str, envelope: Envelope, content: bytes, trace: bytes) -> Receipt:
        """Deliver what is for here and queue the rest; refuse if nothing of it can be done."""
        internet, name = self._internet, self._running.name
        local = [each for each in envelope.recipients if self._is_home(each.address.domain)]
        waiting = [each for each in envelope.recipients if not self._is_home(each.address.domain)]
        raw = prepend(content, trace)
        if local:
            failed, nobody_has_it = internet.agent.deliver(name, queue_id, envelope, raw, local)
            if nobody_has_it and not waiting:
                later = [verdict for _, verdict in failed if verdict.action is Action.DEFER]
                return Receipt((later or [failed[0][1]])[0])
            waiting += [recipient for recipient, _ in failed]
        if waiting:
            internet.queue(name, queue_id, envelope, raw, recipients=waiting)
        return Receipt(ACCEPTED, queue_id, f"{'delivered' if local else 'queued'} as {queue_id}")

    def _received_start(self, origin: Origin) -> str:
        """The part of the Received field that does not change as long as the client stays who it is."""
        known = self._started
        if known is None or known[0] is not origin:
            known = self._started = (
                origin,
                received_start(
                    helo=origin.helo,
                    client_ip=origin.peer.address,
                    client_name="" if origin.peer.name == "app" else origin.peer.name,
                    by=self._running.name,
                    with_=origin.protocol,
                    tls=f"{origin.tls} with cipher {origin.cipher}" if origin.tls else "",
                ),
            )
        return known[1]

    def verify(self, name: str) -> tuple[Address, ...]:
        """The accounts that a name or an address stands for here (RFC 5321 §3.5)."""
        found: dict[str, Address] = {}
        for address in self._addresses(name):
            for account in resolve(self._internet.world, address).accounts:
                found[account.key] = account
        return tuple(found.values())

    def expand(self, name: str) -> tuple[Address, ...]:
        """The addresses behind an alias."""
        world = self._internet.world
        for address in self._addresses(name):
            targets = world.domains[address.domain].aliases.get(address.local.casefold())
            if targets:
                return targets
        return ()

    def _addresses(self, name: str) -> Iterable[Address]:
        local, _, domain = name.rpartition("@")
        if local and self._is_home(domain.lower()):
            yield Address(local, domain.lower())
        elif not local:
            for home in tuple(self._homes):
                yield Address(name, home)

    def _is_home(self, domain: str) -> bool:
        return not domain or domain in self._homes
