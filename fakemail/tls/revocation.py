"""The list of certificates that an authority has revoked (RFC 5280 §5). Whom to put on it is decided elsewhere."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from fakemail.clock import machine_time

# Real clients compare with the real clock, as with certificates.
_SINCE: Final = timedelta(days=1)
_UNTIL: Final = timedelta(days=396)


def revocation_list(ca_pem: bytes, ca_key_pem: bytes, revoked: Iterable[bytes]) -> bytes:
    """The list of an authority, PEM; ``revoked`` are certificates, DER. It may be empty."""
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    from fakemail.tls.certificates import x509

    authority = x509.load_pem_x509_certificate(ca_pem)
    key = serialization.load_pem_private_key(ca_key_pem, None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError("the key of the authority is an ECDSA key")
    now = machine_time()
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.subject)
        .last_update(now - _SINCE)
        .next_update(now + _UNTIL)
        .add_extension(x509.CRLNumber(int(now.timestamp() * 1000)), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
    )
    for der in revoked:
        entry = (
            x509.RevokedCertificateBuilder()
            .serial_number(x509.load_der_x509_certificate(der).serial_number)
            .revocation_date(now - _SINCE)
            .add_extension(x509.CRLReason(x509.ReasonFlags.key_compromise), critical=False)
        )
        builder = builder.add_revoked_certificate(entry.build())
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
