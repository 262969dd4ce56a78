"""Records that protect the way to a domain: DNSSEC signatures and TLSA (RFC 6698), and the TXT record of MTA-STS.

Runs in the loop's thread. What senders make of it is in :mod:`fakemail.mta.outbound.outbound_tls`.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from fakemail.clock import RealClock
from fakemail.dns.rdata import txt
from fakemail.dns.records import Record, record
from fakemail.environment import Environment
from fakemail.errors import DeclarationError
from fakemail.model.host import SMTP
from fakemail.tls import mta_sts
from fakemail.tls.authority import process_authority
from fakemail.tls.dane import TRUST_ANCHOR, TlsaUsage, association
from fakemail.zones.zone_provisioning import LazyZoneProvisioning

if TYPE_CHECKING:
    from fakemail.dns.dnssec import SignatureValidity

_USUAL: Final = TlsaUsage(3, 1, 1)  # RFC 7672 §3.1.1: what is recommended


class TlsPolicyRecords:
    """Signed zones of one fake internet, and the records in them about TLS."""

    def __init__(
        self,
        environment: Environment,
        *,
        zones: LazyZoneProvisioning,
        certificate_of: Callable[[str], bytes],
        takes_mail: Callable[[str], bool],
    ) -> None:
        """``certificate_of`` is what a host presents now, ``takes_mail`` tells whether its SMTP port is open."""
        self._clock = environment.clock
        self._random = environment.random
        self._world = environment.world
        self._provisioning = zones
        self._certificate_of = certificate_of
        self._takes_mail = takes_mail
        self._signs = False

    def enable_dnssec(self, origin: str, flaw: str | None = None) -> None:
        """Sign a DNS zone, made if it is not there, with a key of its own."""
        from fakemail.dns.dnssec import ZoneSigner

        self._provisioning.ensure_zone(origin)
        self._signs = True
        zones = self._provisioning.zones
        zones.enable_dnssec(origin, ZoneSigner(origin, validity=self._validity, flaw=flaw))

    def _validity(self) -> SignatureValidity:
        """Good for those who go by the fake internet's clock, and for real validators, who go by the real one."""
        from fakemail.dns.dnssec import GOOD_FOR, SignatureValidity

        both = (self._clock.now(), RealClock().now())
        return SignatureValidity(min(both) - timedelta(days=1), max(both) + GOOD_FOR)

    def sign_domain(self, name: str, flaw: str | None) -> None:
        """Sign a domain's zone, and publish TLSA records for those of its mail hosts whose zone is signed."""
        self.enable_dnssec(name, flaw)
        self.publish_usual_tlsa(*self._world.domain(name).mail_hosts)

    def publish_usual_tlsa(self, *hosts: str) -> None:
        """Publish a TLSA record for the SMTP port of each host where that means something, unless it has one."""
        if not self._signs:
            return
        zones = self._provisioning.zones
        for host in hosts:
            zone = zones.zone_of(host)
            if zone is None or zone.signer is None or zones.records(tlsa_name(host), "TLSA"):
                continue
            if self._takes_mail(host):
                self.publish_tlsa(host, _USUAL)

    def publish_tlsa(
        self, host: str, kind: TlsaUsage, *, port: int = SMTP.port, data: str | None = None
    ) -> None:
        """Publish a TLSA record for the certificate that a host presents now, or with that data.

        Raises :class:`~fakemail.errors.DeclarationError` for what is no TLSA record.
        """
        if not all(0 <= number <= 255 for number in kind):
            raise DeclarationError(
                f"host {host!r}: the numbers of a TLSA record are from 0 to 255, not {tuple(kind)}."
            )
        if data is None:
            authority = kind.usage in (0, TRUST_ANCHOR)
            der = authority_der() if authority else self._certificate_of(host)
            data = association(der, kind).hex()
        name = tlsa_name(host, port)
        try:
            octets = bytes(kind) + bytes.fromhex(data)
        except ValueError:
            raise DeclarationError(
                f"host {host!r}: the data of a TLSA record is hexadecimal, not {data!r}."
            ) from None
        zones = self._provisioning.zones
        if zones.zone_of(name) is None:
            self._provisioning.ensure_zone(host)
        zones.replace(name, "TLSA", [record(name, "TLSA", octets)])

    def usual_tlsa(self, host: str) -> Record | None:
        """The TLSA record that a host's SMTP port has where its zone is signed, by default."""
        zone = self._provisioning.zones.zone_of(host)
        if zone is None or zone.signer is None or not self._takes_mail(host):
            return None
        data = association(self._certificate_of(host), _USUAL)
        return record(tlsa_name(host), "TLSA", bytes(_USUAL) + data)

    def publish_sts_id(self, domain: str) -> None:
        """Publish the TXT record of MTA-STS with a new id, at which senders fetch the policy again (RFC 8461 §3.1)."""
        name = mta_sts.record_of(domain)
        value = txt(f"v=STSv1; id={self._random.token(16)};")
        self._provisioning.zones.replace(name, "TXT", [record(name, "TXT", value)])

    def withdraw_sts_id(self, domain: str) -> None:
        """Remove the TXT record of MTA-STS."""
        self._provisioning.zones.remove(mta_sts.record_of(domain), "TXT")


def tlsa_name(host: str, port: int = SMTP.port) -> str:
    """The name of the TLSA records of a service (RFC 6698 §3)."""
    return f"_{port}._tcp.{host}"


def authority_der() -> bytes:
    """The certificate of the fake internet's authority."""
    return ssl.PEM_cert_to_DER_cert(process_authority().ca_pem.decode("ascii"))
