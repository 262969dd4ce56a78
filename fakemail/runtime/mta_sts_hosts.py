"""Hosts that serve MTA-STS policies over HTTPS (RFC 8461 §3.3)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from fakemail.environment import Environment
from fakemail.errors import DeclarationError
from fakemail.model.host import HTTPS
from fakemail.model.transport_security import Mode, MtaSts
from fakemail.runtime.hosts import Hosts
from fakemail.tls import mta_sts
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
