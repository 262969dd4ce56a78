"""Sink: the mail host of every undeclared domain. It makes missing mailboxes."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import Final

from fakemail.environment import Environment
from fakemail.errors import DeclarationError
from fakemail.model.domain import DomainSpec
from fakemail.model.host import SMTP, SUBMISSION, SUBMISSIONS, HostOptions
from fakemail.mta.local_domains import LocalDomains
from fakemail.mta.outbound.queued_message import QueuedMessage
from fakemail.runtime.hosts import Hosts
from fakemail.runtime.protocols import READABLE
from fakemail.types.address import Address
from fakemail.zones.zone_provisioning import INFRASTRUCTURE, LazyZoneProvisioning, ZoneProvisioning

SINK: Final = f"sink.{INFRASTRUCTURE}"
"""Host that accepts mail from any client for any address."""
_READING_HOST: Final = f"mailboxes.{INFRASTRUCTURE}"
_LOCAL: Final = f"local.{INFRASTRUCTURE}"
"""The domain of mail that names none."""


class Sink:
    """The sink of one fake internet."""

    def __init__(
        self,
        environment: Environment,
        *,
        hosts: Hosts,
        zones: LazyZoneProvisioning,
        local_domains: LocalDomains,
    ) -> None:
        self._world = environment.world
        self._hosts = hosts
        self._zones = zones
        self._local_domains = local_domains

    async def open(self) -> None:
        """Run its hosts, and let DNS lead to it from every name that is in no zone."""
        world = self._world
        options = HostOptions(
            require_auth=False, accept_any_login=True, auth_in_clear=True, own_senders_only=False
        )
        sink = world.add_host(SINK, services=(SMTP, SUBMISSION, SUBMISSIONS), options=options, is_sink=True)
        await self._hosts.run_host(sink)
        reading = HostOptions(auth_in_clear=True)
        await self._hosts.run_host(world.add_host(_READING_HOST, services=READABLE, options=reading))
        self._zones.do(lambda provisioning: provisioning.lead_to(sink))
        self.make_mailbox(Address("postmaster", _LOCAL))  # RFC 5321 §4.5.1: it is always there

    def prepared(self, message: QueuedMessage) -> QueuedMessage:
        """The message, with mailboxes for those of its recipients that are undeclared, if it is in the sink's queue."""
        if message.host == SINK:
            for recipient in message.recipients:
                self.make_mailbox(recipient.address)
        return message

    def make_mailbox(self, address: Address, password: str | None = None) -> None:
        """Make a mailbox for an undeclared address, with its domain. The password is by default the address.

        Nothing is made where a test has declared the domain with hosts of its own, nor where no name of a domain is.
        """
        world = self._world
        domain = world.domains.get(address.domain)
        if domain is None:
            try:
                world.add_domain(address.domain, mx=[SINK], submission_host=SINK)
            except DeclarationError:
                return
            domain = world.ensure_reading_host(address.domain, READABLE, host=_READING_HOST)
            self._zones.do(partial(_publish, domain=domain))
            self._local_domains.add(domain)
        if SINK not in domain.mail_hosts:
            return
        owner = domain.without_detail(address)
        if owner.key not in world.accounts:
            with suppress(DeclarationError):  # an alias or a mailing list has the address
                world.add_account(owner, owner.key if password is None else password)


def _publish(provisioning: ZoneProvisioning, *, domain: DomainSpec) -> None:
    provisioning.ensure_zone(domain.name)
    provisioning.domain(domain)
