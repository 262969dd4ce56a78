"""A certificate once more, with something about it changed. What changes make a flaw is told in ``flaws``."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Literal, cast

if TYPE_CHECKING:
    from fakemail.tls.certificates import x509
    from fakemail.tls.leaf import Leaf

Usage = Literal["client", "email"]


@cache
def rsa_key(size: int) -> bytes:
    """An RSA key of so many bits, PEM: always the same, for a new one takes a hundred times as long as the rest."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    return rsa.generate_private_key(public_exponent=65537, key_size=size).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def reissue(
    leaf: Leaf,
    *,
    signed_by: bytes | None,
    key_pem: bytes | None = None,
    usage: Usage | None = None,
    alternative_names: bool = True,
    age: timedelta = timedelta(),
) -> Leaf:
    """The same certificate with a new serial number, signed by the authority's key, or by itself if ``None``.

    It is for another key if ``key_pem`` is given, good for nothing but ``usage`` (RFC 5280 §4.2.1.12), and, without
    ``alternative_names``, names its owner in the subject only. Its dates are earlier by ``age``.
    """
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes

    from fakemail.tls.certificates import x509

    def load(pem: bytes) -> CertificateIssuerPrivateKeyTypes:
        # We made the key ourselves, and validating an RSA key takes as long as making one.
        key = serialization.load_pem_private_key(pem, None, unsafe_skip_rsa_key_validation=True)
        return cast(CertificateIssuerPrivateKeyTypes, key)

    old = x509.load_der_x509_certificate(leaf.der)
    key_pem = key_pem or leaf.key_pem
    key, signer = load(key_pem), load(signed_by or key_pem)
    builder = (
        x509.CertificateBuilder()
        .subject_name(old.subject)
        .issuer_name(old.subject if signed_by is None else old.issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(old.not_valid_before_utc - age)
        .not_valid_after(old.not_valid_after_utc - age)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    for extension in old.extensions:
        value = extension.value
        if isinstance(value, x509.SubjectKeyIdentifier):
            continue
        if isinstance(value, x509.AuthorityKeyIdentifier) and signed_by is None:
            continue
        if isinstance(value, x509.SubjectAlternativeName) and not alternative_names:
            continue
        if isinstance(value, x509.ExtendedKeyUsage) and usage is not None:
            value = _usage(usage)
        builder = builder.add_extension(value, critical=extension.critical)
    made = builder.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    return replace(leaf, chain_pem=made, key_pem=key_pem)


def _usage(usage: Usage) -> x509.ExtendedKeyUsage:
    from fakemail.tls.certificates import oid, x509

    meant = {"client": oid.ExtendedKeyUsageOID.CLIENT_AUTH, "email": oid.ExtendedKeyUsageOID.EMAIL_PROTECTION}
    return x509.ExtendedKeyUsage([meant[usage]])
