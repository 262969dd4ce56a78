"""Fetching of MTA-STS policies over HTTPS from the fake internet's own hosts (RFC 8461 §3.3)."""

from __future__ import annotations

from fakemail.environment import Environment
from fakemail.model.host import HTTPS
from fakemail.mta.outbound.outbound_tls import StsUnusable
from fakemail.runtime.network import Endpoint, Network
from fakemail.runtime.resolvers import Resolvers
from fakemail.runtime.virtual_timeouts import VirtualTimeouts
from fakemail.tls import mta_sts
from fakemail.tls.authority import process_authority
from fakemail.types.peer import Peer


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
