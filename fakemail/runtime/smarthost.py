"""The ready smarthost: it takes mail for anywhere, and is the own mail server of machines whose programs know no other.

What a program hands to ``localhost``, or to the command ``sendmail``, comes to it without a login.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from fakemail.model.host import LOCAL
from fakemail.runtime.network import LOOPBACK, Endpoint
from fakemail.runtime.service_port import RunningHost, ServicePort
from fakemail.types.address import address
from fakemail.zones.zone_provisioning import INFRASTRUCTURE, SMARTHOST

if TYPE_CHECKING:
    from fakemail.runtime.simulation import Simulation

USER: Final = address(SMARTHOST)
"""Who may log in there."""


async def smarthost(internet: Simulation) -> RunningHost:
    """The smarthost, made when somebody first asks. It waits for nothing."""
    world = internet.world
    ours = world.domains.get(INFRASTRUCTURE)
    if ours is None or not world.host(ours.submission_host).smarthost:
        await internet.run_account(USER)
        world.change_account(replace(world.account(USER), may_send_as=frozenset("*")))
        host = world.host(world.domain(INFRASTRUCTURE).submission_host)
        world.change_host(replace(host, smarthost=True))
        internet.naming.senders()
    return internet.hosts[world.domain(INFRASTRUCTURE).submission_host]


async def local_server(internet: Simulation) -> ServicePort:
    """The own mail server of this machine, as programs in this process see it, on a port that the system chooses."""
    running = await smarthost(internet)
    known = [site for site in running.local if site.is_here]
    return known[0] if known else await running.listen_for(LOCAL[0], Endpoint(LOOPBACK, 0))
