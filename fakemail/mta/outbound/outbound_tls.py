"""TLSA records and MTA-STS policies that a host looks up before it sends, and the TLS that they require.

The demand itself is the table in :mod:`fakemail.mta.outbound.tls_requirements`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final, NamedTuple

from fakemail.clock import RealClock
from fakemail.dns.lookup import lookup
from fakemail.environment import Environment
from fakemail.errors import ProtocolError
from fakemail.message.headers import body_offset
from fakemail.model.host import HostSpec
from fakemail.mta.outbound.mx_routing import Addresses, DnsResolver, Route
from fakemail.mta.outbound.queued_message import QueuedMessage
from fakemail.mta.outbound.tls_requirements import TlsCapabilities, TlsRequirement, demand
from fakemail.tls import mta_sts
from fakemail.tls.authority import process_authority
from fakemail.tls.dane import DaneFailure, Tlsa, read_tlsa
from fakemail.types.address import Address
from fakemail.types.domains import a_labels
from fakemail.zones.tls_policy_records import authority_der, tlsa_name
from fakemail.zones.zone_provisioning import LazyZoneProvisioning

# RFC 8689 §3: requiretls-field = "TLS-Required:" [FWS] "No" CRLF
_OPTIONAL: Final = re.compile(rb"\nTLS-Required[ \t]*:[ \t\r\n]*No[ \t]*\r\n", re.IGNORECASE)
_HTTP_OK: Final = 200


class StsState(NamedTuple):
    """MTA-STS policy of a domain, as far as a sender has it."""

    policy: mta_sts.StsPolicy | None = None
    problem: DaneFailure | None = None
    """Why a policy that the domain says it has could not be had."""


class OutboundTls:
    """TLS requirements of the hosts of one fake internet, and their caches of MTA-STS policies."""

    def __init__(
        self,
        environment: Environment,
        *,
        zones: LazyZoneProvisioning,
        dns_client: Callable[[str], DnsResolver],
        fetch: Callable[[str, str], Coroutine[Any, Any, tuple[int, bytes]]],
    ) -> None:
        """``fetch`` gets the policy file of a domain's policy host for a host over HTTPS, and raises
        :class:`StsUnusable` where it cannot."""
        self._clock = environment.clock
        self._world = environment.world
        self._zones = zones
        self._dns_client = dns_client
        self._fetch_file = fetch
        self.kept: dict[tuple[str, str], mta_sts.CachedPolicy] = {}
        """The MTA-STS policies in the caches, by the host that has it and the domain."""

    def check(self, wanted: TlsRequirement, chain: Sequence[bytes]) -> DaneFailure | None:
        """The failure of the certificates that a server sent; they are dated by the real clock."""
        return wanted.problem(
            chain,
            anchors=(authority_der(),),
            now=RealClock().now(),
            is_revoked=process_authority().has_revoked,
        )

    async def policy_of(self, host: str, domain: str) -> StsState:
        """The policy of a domain, from the cache of a host or fetched (RFC 8461 §3, §4)."""
        kept = self.kept.get((host, domain))
        now = self._clock.now()
        if kept is not None and not kept.is_fresh(now):
            del self.kept[host, domain]
            kept = None
        record = mta_sts.record_of(domain)
        # Nobody is asked for what is known not to be there: most domains have no policy.
        if kept is None and lookup(self._zones.zones, _key(record), "TXT").kind != "NOERROR":
            return StsState()
        answer = await self._dns_client(host).query(record, "TXT")
        found = mta_sts.read_id(answer.values())
        # RFC 8461 §3.1: without a record, what is kept still counts.
        if found is None or (kept is not None and kept.id == found):
            return StsState(kept.policy if kept is not None else None)
        try:
            policy = await self._fetch(host, domain)
        except StsUnusable as error:
            return StsState(kept.policy if kept is not None else None, error.problem)
        self.kept[host, domain] = mta_sts.CachedPolicy(found, policy, now)
        return StsState(policy)

    async def _fetch(self, host: str, domain: str) -> mta_sts.StsPolicy:
        """Get a policy over HTTPS (RFC 8461 §3.3); raises :class:`StsUnusable`."""
        name = mta_sts.host_of(domain)
        status, body = await self._fetch_file(host, name)
        # RFC 8461 §3.3: redirects are not followed, and only 200 is an answer.
        if status != _HTTP_OK:
            raise StsUnusable("sts-policy-fetch-error", f"{name} answered {status}")
        try:
            return mta_sts.read_policy(body)
        except ProtocolError as error:
            raise StsUnusable("sts-policy-invalid", str(error)) from None

    async def tlsa(self, host: str, mail_host: str) -> tuple[Tlsa, ...] | None:
        """The TLSA records of a mail host that DNSSEC vouches for; ``None`` when DNS failed (RFC 7672 §2.1)."""
        answer = await self._dns_client(host).query(tlsa_name(mail_host), "TLSA")
        if answer.is_temporary:
            return None
        if not answer.authentic:
            return ()
        return tuple([record for wire in answer.values() if (record := read_tlsa(wire)) is not None])

    async def demand(
        self,
        message: QueuedMessage,
        mail_host: str,
        domain: str,
        *,
        route: Route,
        addresses: Addresses,
        policy: mta_sts.StsPolicy | None,
    ) -> TlsRequirement | None:
        """The TLS that a message requires with one mail host; ``None`` when DNS failed for now."""
        host: HostSpec = self._world.hosts[message.host]
        wants_verified = message.envelope.requiretls and isinstance(message.envelope.sender, Address)
        tlsa: tuple[Tlsa, ...] | None = ()
        # RFC 7672 §2.2.1: TLSA records count where the name of the host and its addresses are authentic.
        if host.options.dane and route.authentic and addresses.authentic:
            tlsa = await self.tlsa(message.host, mail_host)
        if tlsa is None:
            return None
        return demand(
            TlsCapabilities(
                mail_host,
                domain,
                host.options,
                tlsa,
                policy,
                is_vouched_for=route.authentic or not route.by_mx,
                requiretls=wants_verified,
                tls_is_optional=not message.envelope.requiretls and tls_is_optional(message.content),
            )
        )


class StsUnusable(Exception):
    """A policy cannot be used; what is kept counts on."""

    def __init__(self, type: str, detail: str) -> None:
        super().__init__(detail)
        self.problem = DaneFailure(type, detail)


def tls_is_optional(content: bytes) -> bool:
    """Whether a message says ``TLS-Required: No`` (RFC 8689 §3)."""
    return _OPTIONAL.search(b"\n" + content[: body_offset(content)]) is not None


def _key(name: str) -> str:
    return a_labels(name)
