"""MTA-STS policies over HTTPS (RFC 8461): the hosts that serve them, and the fetcher of a sending MTA."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from fakemail.environment import Environment
from fakemail.errors import DeclarationError
from fakemail.model.host import HTTPS
from fakemail.model.transport_security import Mode, MtaSts
from fakemail.mta.outbound.outbound_tls import StsUnusable
from fakemail.runtime.hosts import Hosts
from fakemail.runtime.network import Endpoint, Network
from fakemail.runtime.resolvers import Resolvers
from fakemail.runtime.virtual_timeouts import VirtualTimeouts
from fakemail.tls import mta_sts
from fakemail.tls.authority import process_authority
from fakemail.types.peer import Peer
from fakemail.zones.tls_policy_records import TlsPolicyRecords

if TYPE_CHECKING:
    from fakemail.wire.https_server import Document


class MtaStsHosts:
    """Policies of the domains of one fake internet: a TXT record each, and the file on a host of its own."""

    def __init__(self, environment: Environment, *, hosts: Hosts, records: TlsPolicyRecords) -> None:
        self._world = environment.world
        self._hosts = hosts
        self._records = records

    async def publish(self, domain: str, described: MtaSts) -> None:
        """Publish a policy under a new id.

        Raises :class:`~fakemail.errors.DeclarationError` where it would name no mail host.
        """
        now = self._world.domain(domain)
        named = now.mail_hosts if described.mx is None else described.mx
        # RFC 8461 §3.2: mode "none" needs no mx, every other mode at least one.
        if not named and described.mode != "none":
            raise DeclarationError(
                f"domain {domain!r} has no mail host, so its MTA-STS policy has to name one, such as "
                f"mx='mx1.{domain}'."
            )
        policy = mta_sts.StsPolicy(cast(Mode, described.mode), described.max_age, named)
        # With the names as they are now: a policy stays as it is when the mail hosts change.
        self._world.change_domain(replace(now, mta_sts=replace(described, mx=named or None)))
        name = mta_sts.host_of(domain)
        if name not in self._hosts.running:
            host = self._world.hosts.get(name) or self._world.add_host(name, services=[HTTPS])
            await self._hosts.run_host(host)
        self._hosts.running[name].documents[mta_sts.PATH] = _document(domain, policy, described.flaw)
        self._records.publish_sts_id(domain)

    def withdraw(self, domain: str) -> None:
        """Take the TXT record and the file away; senders that have the policy keep it until it is too old."""
        self._world.change_domain(replace(self._world.domain(domain), mta_sts=None))
        self._records.withdraw_sts_id(domain)
        running = self._hosts.running.get(mta_sts.host_of(domain))
        if running is not None:
            running.documents.pop(mta_sts.PATH, None)


def _document(domain: str, policy: mta_sts.StsPolicy, flaw: str | None) -> Document:
    from fakemail.wire.https_server import NOT_FOUND, Document  # h11 is loaded for those who serve HTTPS only

    text = mta_sts.write_policy(policy).encode()
    match flaw:
        case "not_found":
            return NOT_FOUND
        case "malformed":
            return Document(text.replace(b"version: STSv1\r\n", b"version: STSv9\r\n"))
        case "too_large":
            return Document(text + b"filler: " + b"x" * mta_sts.MAX_SIZE + b"\r\n")
        case "redirect":
            return Document(b"", status=302, location=f"https://www.{domain}/mta-sts.txt")
        case _:
            return Document(text, "text/plain")


class StsFetcher:
    """HTTPS client of the hosts of one fake internet."""

    def __init__(
        self,
        environment: Environment,
        *,
        network: Network,
        resolvers: Resolvers,
        virtual_timeouts: VirtualTimeouts,
    ) -> None:
        self._world = environment.world
        self._network = network
        self._resolvers = resolvers
        self._virtual_timeouts = virtual_timeouts

    async def fetch(self, host: str, name: str) -> tuple[int, bytes]:
        """Get the policy file of a policy host for a host: status and body.

        Raises :class:`~fakemail.mta.outbound.outbound_tls.StsUnusable`.
        """
        from fakemail.wire.https_client import FetchFailed, fetch  # most worlds never fetch anything

        network = self._network
        answer = await self._resolvers.client(host).query(name, "A")
        places = [network.find(address, HTTPS.port) for address in answer.values()]
        target = next((place for place in places if place is not None), None)
        if target is None:
            raise StsUnusable("sts-policy-fetch-error", f"nobody serves {name}")
        described = self._world.hosts[host]
        made: list[Endpoint] = []
        wait = self._virtual_timeouts.client(name, target)

        def connected_from(end: tuple[str, int]) -> None:
            made.append(Endpoint(*end))
            wait.opens(made[-1])
            network.calls_from(made[-1], Peer(described.ipv4, end[1], host))

        try:
            fetched = await fetch(
                name,
                mta_sts.PATH,
                target=target,
                source=network.loopback_of(host),
                context=process_authority().careful_context(),
                connected_from=connected_from,
                max_size=mta_sts.MAX_SIZE,
                wait=wait,
            )
        except FetchFailed as error:
            kind = "sts-webpki-invalid" if error.is_certificate else "sts-policy-fetch-error"
            raise StsUnusable(kind, str(error)) from None
        finally:
            for endpoint in made:
                network.hung_up(endpoint)
            wait.closes()
        return fetched.status, fetched.body
