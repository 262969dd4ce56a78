"""Publishes what protects the way to a domain: signatures, TLSA records, MTA-STS policies.

Runs in the loop's thread. What senders make of it is in :mod:`fakemail.mta.outbound.outbound_tls`.
"""

from __future__ import annotations

import ssl
from dataclasses import replace
from typing import TYPE_CHECKING, Final, cast

from fakemail.dns.rdata import txt
from fakemail.dns.records import Record, record
from fakemail.errors import DeclarationError
from fakemail.model.host import HTTPS, SMTP
from fakemail.model.transport_security import Mode, MtaSts
from fakemail.tls import mta_sts
from fakemail.tls.authority import process_authority
from fakemail.tls.dane import TRUST_ANCHOR, TlsaUsage, association

if TYPE_CHECKING:
    from fakemail.runtime.simulation import Simulation
    from fakemail.wire.https_server import Document

_USUAL: Final = TlsaUsage(3, 1, 1)  # RFC 7672 §3.1.1: what is recommended


def sign_domain(internet: Simulation, name: str, flaw: str | None) -> None:
    """Sign a domain's zone, and publish TLSA records for those of its mail hosts whose zone is signed."""
    internet.enable_dnssec(name, flaw)
    for host in internet.world.domain(name).mail_hosts:
        publish_usual_tlsa(internet, host)


def publish_usual_tlsa(internet: Simulation, host: str) -> None:
    """Publish a TLSA record for a host's SMTP port where that means something, unless it has one."""
    zone = internet.zones.zone_of(host)
    if zone is None or zone.signer is None or internet.zones.records(tlsa_name(host), "TLSA"):
        return
    if host in internet.hosts and SMTP.name in internet.hosts[host].sites:
        publish_tlsa(internet, host, _USUAL)


def publish_tlsa(
    internet: Simulation, host: str, kind: TlsaUsage, *, port: int = SMTP.port, data: str | None = None
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
        der = authority_der() if authority else internet.hosts[host].tls_context.leaf.der
        data = association(der, kind).hex()
    name = tlsa_name(host, port)
    try:
        octets = bytes(kind) + bytes.fromhex(data)
    except ValueError:
        raise DeclarationError(
            f"host {host!r}: the data of a TLSA record is hexadecimal, not {data!r}."
        ) from None
    if internet.zones.zone_of(name) is None:
        internet.ensure_zone(host)
    internet.zones.replace(name, "TLSA", [record(name, "TLSA", octets)])


def tlsa_name(host: str, port: int = SMTP.port) -> str:
    """Where the TLSA records of a service are (RFC 6698 §3)."""
    return f"_{port}._tcp.{host}"


def authority_der() -> bytes:
    """The certificate of the fake internet's authority."""
    return ssl.PEM_cert_to_DER_cert(process_authority().ca_pem.decode("ascii"))


def usual_tlsa(internet: Simulation, host: str) -> Record | None:
    """The TLSA record that a host's SMTP port has where its zone is signed and nobody said anything else."""
    running, zone = internet.hosts.get(host), internet.zones.zone_of(host)
    if running is None or SMTP.name not in running.sites or zone is None or zone.signer is None:
        return None
    data = association(running.tls_context.leaf.der, _USUAL)
    return record(tlsa_name(host), "TLSA", bytes(_USUAL) + data)


async def publish_sts(internet: Simulation, domain: str, described: MtaSts) -> None:
    """Publish an MTA-STS policy: a TXT record with a new id, and the file on a host of its own.

    Raises :class:`~fakemail.errors.DeclarationError` where it would name no mail host.
    """
    now = internet.world.domain(domain)
    named = now.mail_hosts if described.mx is None else described.mx
    # RFC 8461 §3.2: mode "none" needs no mx, every other mode at least one.
    if not named and described.mode != "none":
        raise DeclarationError(
            f"domain {domain!r} has no mail host, so its MTA-STS policy has to name one, such as "
            f"mx='mx1.{domain}'."
        )
    policy = mta_sts.StsPolicy(cast(Mode, described.mode), described.max_age, named)
    # With the names as they are now: a policy stays as it is when the mail hosts change.
    internet.world.change_domain(replace(now, mta_sts=replace(described, mx=named or None)))
    name = mta_sts.host_of(domain)
    if name not in internet.hosts:
        host = internet.world.hosts.get(name) or internet.world.add_host(name, services=[HTTPS])
        await internet.run_host(host)
    internet.hosts[name].documents[mta_sts.PATH] = _document(domain, policy, described.flaw)
    value = txt(f"v=STSv1; id={internet.random.token(16)};")
    record_name = mta_sts.record_of(domain)
    internet.zones.replace(record_name, "TXT", [record(record_name, "TXT", value)])


def withdraw_sts(internet: Simulation, domain: str) -> None:
    """Take the TXT record and the file away; those who have the policy keep it until it is too old."""
    internet.world.change_domain(replace(internet.world.domain(domain), mta_sts=None))
    internet.zones.remove(mta_sts.record_of(domain), "TXT")
    running = internet.hosts.get(mta_sts.host_of(domain))
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
