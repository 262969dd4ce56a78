"""Certificates that are no authority, with their chains and keys, and the private files that hold them."""

from __future__ import annotations

import hashlib
import ssl
import weakref
from dataclasses import replace
from datetime import timedelta
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from fakemail.folders import Folder, SystemCalls, draft
from fakemail.types.dataclass import dataclass

if TYPE_CHECKING:
    from fakemail.tls.x509_imports import x509

ANY_STRENGTH = "DEFAULT:@SECLEVEL=0"
"""The ciphers of a context that OpenSSL shall let do what it thinks too weak: short keys, old versions."""


class PrivateFiles:
    """A directory for keys that only this user can read, made when first needed, removed when the process ends.

    What is public in it, the authority's certificate, can be read by anybody who knows its name.
    """

    @cached_property
    def directory(self) -> Path:
        """The directory, mode 0711: others can open what they may read, and not look around."""
        folder = Folder()
        SystemCalls.chmod(folder.name, 0o711)
        weakref.finalize(self, folder.cleanup)
        return Path(folder.name)

    def write(self, name: str, content: bytes, *, public: bool = False) -> Path:
        """Write a file, mode 0600, or 0644 if public, and return its path."""
        path = self.directory / name
        SystemCalls.replace(draft(self.directory, content, public=public), str(path))
        return path


@dataclass(frozen=True, eq=False)
class Leaf:
    """A certificate that is no authority, with its chain and private key."""

    names: tuple[str, ...]
    """The host names, addresses or mail addresses it is good for."""
    chain_pem: bytes
    """The leaf first, then any certificates between it and the authority."""
    key_pem: bytes
    """The private key: PEM, not encrypted."""
    _files: PrivateFiles
    is_weak: bool = False
    """Whether its key is too short for OpenSSL's usual demands; see :func:`fakemail.tls.contexts.server_context`."""

    @cached_property
    def der(self) -> bytes:
        """The leaf itself, DER."""
        end = b"-----END CERTIFICATE-----"
        first = self.chain_pem[: self.chain_pem.index(end) + len(end)]
        return ssl.PEM_cert_to_DER_cert(first.decode())

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the leaf, in lower-case hex."""
        return hashlib.sha256(self.der).hexdigest()

    @cached_property
    def file(self) -> Path:
        """A file with the key and the chain, for programs that want a path."""
        return self._files.write(f"leaf-{self.fingerprint[:24]}.pem", self.key_pem + self.chain_pem)

    @cached_property
    def tls_server_end_point(self) -> bytes:
        """The channel binding of connections to a server with this certificate (RFC 5929 §4.1)."""
        return tls_server_end_point(self.der)

    def install(self, context: ssl.SSLContext) -> None:
        """Make a context present this certificate."""
        if self.is_weak:
            context.set_ciphers(ANY_STRENGTH)
        context.load_cert_chain(self.file)


def tls_server_end_point(der: bytes) -> bytes:
    """The ``tls-server-end-point`` channel binding of a server's certificate, DER (RFC 5929 §4.1)."""
    from cryptography.exceptions import UnsupportedAlgorithm

    from fakemail.tls.x509_imports import x509

    # RFC 5929 §4.1: the hash of the signature algorithm, but SHA-256 in place of MD5 and SHA-1. Where the
    # signature has no one hash (Ed25519) the binding is undefined; implementations take SHA-256.
    try:
        algorithm = x509.load_der_x509_certificate(der).signature_hash_algorithm
    except (UnsupportedAlgorithm, ValueError):
        algorithm = None
    name = "sha256" if algorithm is None or algorithm.name in ("md5", "sha1") else algorithm.name
    return hashlib.new(name.replace("-", "_"), der).digest()


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

    from fakemail.tls.x509_imports import x509

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
    from fakemail.tls.x509_imports import oid, x509

    meant = {"client": oid.ExtendedKeyUsageOID.CLIENT_AUTH, "email": oid.ExtendedKeyUsageOID.EMAIL_PROTECTION}
    return x509.ExtendedKeyUsage([meant[usage]])
