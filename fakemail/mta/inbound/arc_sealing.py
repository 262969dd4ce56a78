"""ARC sets on forwarded mail: how the message came, vouched for by the host that passes it on (RFC 8617)."""

from __future__ import annotations

from typing import Final

from fakemail.dkim.arc_sign import arc_set
from fakemail.dns.names import name_key
from fakemail.environment import Environment
from fakemail.message.envelope import Envelope
from fakemail.message.trace import prepend
from fakemail.model.dkim import Dkim
from fakemail.mta.inbound.sender_auth_results import SenderAuthResults
from fakemail.zones.dkim_keys import DkimKeyRing
from fakemail.zones.zone_provisioning import LazyZoneProvisioning

_HEAD: Final = b"Authentication-Results: "


class ArcSealer:
    """Seals for the hosts of one fake internet."""

    def __init__(
        self,
        environment: Environment,
        *,
        zones: LazyZoneProvisioning,
        keys: DkimKeyRing,
        auth_results: SenderAuthResults,
    ) -> None:
        self._clock = environment.clock
        self._world = environment.world
        self._zones = zones
        self._keys = keys
        self._auth_results = auth_results
        self._published: set[str] = set()

    def seal(self, host: str, domain: str, envelope: Envelope, came: bytes, leaves: bytes) -> bytes:
        """A message as it leaves, with a set of ARC fields about how it came, in the name of a domain.

        A host that has no domain seals in its own name, and publishes a key for that.
        """
        from fakemail.policy.auth_fields import authentication_results

        found = self._auth_results.facts_of(host, envelope, came).authentication
        chain = found.arc.result.value
        results = [found.spf, found.dkim, found.dmarc, *([] if chain == "none" else [found.arc])]
        said = authentication_results(host, results).removeprefix(_HEAD).rstrip(b"\r\n")
        signer, how = self._signer(domain or host)
        fields = arc_set(
            leaves,
            how,
            results=said.decode(),
            claim=chain if chain in ("none", "pass") else "fail",
            domain=name_key(signer),
            key=self._keys.of(signer, how),
            now=self._clock.now(),
        )
        return prepend(leaves, fields)

    def _signer(self, name: str) -> tuple[str, Dkim]:
        """In whose name a seal is made, and with which of its keys."""
        domain = self._world.domains.get(name)
        if domain is not None:
            return name, next((each for each in domain.dkim if each.sign), domain.dkim[0])
        how = Dkim()
        if name not in self._published:
            self._published.add(name)
            self._zones.key(name, how)
        return name, how
