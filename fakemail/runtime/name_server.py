"""The name server of one fake internet: answers over real sockets from its zones, each query on record."""

from __future__ import annotations

from fakemail.dns.responder import DnsResponse, Transport
from fakemail.environment import Environment
from fakemail.events.kinds import Query
from fakemail.runtime.network import Network
from fakemail.types.peer import is_among
from fakemail.wire.dns_server import DnsServer
from fakemail.zones.name_server_faults import NameServerFaults
from fakemail.zones.zone_provisioning import NAME_SERVER, LazyZoneProvisioning


def name_server(
    environment: Environment,
    *,
    zones: LazyZoneProvisioning,
    faults: NameServerFaults,
    network: Network,
    port: int,
) -> DnsServer:
    """A name server that does not listen yet."""

    def note_query(address: str, port: int, transport: Transport, response: DnsResponse) -> None:
        environment.log.append(
            Query(
                host=NAME_SERVER,
                client=network.who(address, port),
                transport=transport,
                name=response.name,
                type=response.type,
                answer=response.kind,
                records=response.records,
            )
        )

    return DnsServer(
        lambda: zones.zones,
        port=port,
        on_query=note_query,
        on_error=environment.tasks.report,
        find_change=faults.change_for,
        may_transfer=lambda address, port, zone: is_among(network.who(address, port), zone.transfer_to),
    )
