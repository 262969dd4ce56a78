"""How hosts seal what they pass on: they say how it came, and vouch for what they say (RFC 8617)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fakemail.dkim.arc_sign import arc_set
from fakemail.dns.names import name_key
from fakemail.message.envelope import Envelope
from fakemail.message.trace import prepend
from fakemail.model.dkim import Dkim
from fakemail.mta.inbound.transaction_facts import facts_of

if TYPE_CHECKING:
    from fakemail.runtime.simulation import Simulation

_HEAD: Final = b"Authentication-Results: "


class ArcSealer:
    """Seals for the hosts of one fake internet."""

    def __init__(self, internet: Simulation) -> None:
        self._internet = internet
        self._published: set[str] = set()

    def seal(self, host: str, domain: str, envelope: Envelope, came: bytes, leaves: bytes) -> bytes:
        """A message as it leaves, with a set of ARC fields about how it came, in the name of a domain.

        A host that has no domain seals in its own name, and publishes a key for that.
        """
        from fakemail.policy.auth_fields import authentication_results

        internet = self._internet
        found = facts_of(internet, host, envelope, came).authentication
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
            key=internet.keys.of(signer, how),
            now=internet.clock.now(),
        )
        return prepend(leaves, fields)

    def _signer(self, name: str) -> tuple[str, Dkim]:
        """In whose name a seal is made, and with which of its keys."""
        domain = self._internet.world.domains.get(name)
        if domain is not None:
            return name, next((each for each in domain.dkim if each.sign), domain.dkim[0])
        how = Dkim()
        if name not in self._published:
            self._published.add(name)
            self._internet.naming.key(name, how)
        return name, how
