"""TLSA records against certificates (RFC 6698, RFC 7672), and certificates against names and an authority.

No DNS and no connections: records come as wire form, certificates as DER. cryptography is imported inside
functions.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from fakemail.types.dataclass import dataclass
from fakemail.types.domains import a_labels

if TYPE_CHECKING:
    from fakemail.tls.x509_imports import x509

TRUST_ANCHOR: Final = 2
"""DANE-TA (RFC 7218 §2.1)."""
END_ENTITY: Final = 3
"""DANE-EE."""
_LONGEST_PATH: Final = 8
_SHORTEST_RSA: Final = 2048
"""In bits (RFC 9325 §4.5)."""
_DIGESTS: Final = {1: hashlib.sha256, 2: hashlib.sha512}


class TlsaUsage(NamedTuple):
    """The three numbers of a TLSA record (RFC 6698 §2.1)."""

    usage: int
    selector: int
    matching: int


@dataclass(frozen=True, slots=True)
class Tlsa:
    """A TLSA record."""

    kind: TlsaUsage
    data: bytes

    @property
    def is_usable(self) -> bool:
        """Whether a sender of mail can do anything with it (RFC 7672 §3.1: only DANE-TA and DANE-EE)."""
        usage, selector, matching = self.kind
        if usage not in (TRUST_ANCHOR, END_ENTITY) or selector not in (0, 1) or matching not in (0, 1, 2):
            return False
        digest = _DIGESTS.get(matching)
        return len(self.data) == digest().digest_size if digest is not None else bool(self.data)

    def fits(self, certificate: bytes) -> bool:
        """Whether it is about that certificate (DER)."""
        return self.is_usable and association(certificate, self.kind) == self.data

    def __str__(self) -> str:
        return f"{self.kind.usage} {self.kind.selector} {self.kind.matching} {self.data.hex()}"


def read_tlsa(wire: bytes) -> Tlsa | None:
    """A TLSA record from its wire form (RFC 6698 §2.1); ``None`` when it is too short to be one."""
    return Tlsa(TlsaUsage(*wire[:3]), wire[3:]) if len(wire) > 3 else None


def association(certificate: bytes, kind: TlsaUsage) -> bytes:
    """The data of a TLSA record of that kind for a certificate (RFC 6698 §2.1.4)."""
    selected = public_key_info(certificate) if kind.selector == 1 else certificate
    digest = _DIGESTS.get(kind.matching)
    return selected if digest is None else digest(selected).digest()


def public_key_info(certificate: bytes) -> bytes:
    """The SubjectPublicKeyInfo of a certificate, DER."""
    from cryptography.hazmat.primitives import serialization

    return (
        _load(certificate)
        .public_key()
        .public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    )


class DaneFailure(NamedTuple):
    """Why a certificate was not accepted: a result type of RFC 8460 §4.3, and a sentence."""

    type: str
    detail: str


def dane_problem(
    records: Iterable[Tlsa],
    chain: Sequence[bytes],
    *,
    anchors: Sequence[bytes],
    names: Sequence[str],
    now: datetime,
) -> DaneFailure | None:
    """Problem of a server's certificates by usable TLSA records; ``None`` when one of them fits.

    ``chain`` starts with the server's own. ``anchors`` are certificates that the sender has itself, since servers
    often leave the last one out. With DANE-EE neither names nor dates count (RFC 7672 §3.1.1); with DANE-TA one
    of ``names`` must be in it.
    """
    last = DaneFailure("validation-failure", "no TLSA record fits the certificate")
    for record in records:
        if record.kind.usage == END_ENTITY and record.fits(chain[0]):
            return None
        if record.kind.usage == TRUST_ANCHOR:
            trusted = [der for der in (*chain, *anchors) if record.fits(der)]
            if trusted:
                problem = chain_problem(chain, anchors=trusted, names=names, now=now)
                if problem is None:
                    return None
                last = problem
    return last


def chain_problem(
    chain: Sequence[bytes],
    *,
    anchors: Sequence[bytes],
    names: Sequence[str],
    now: datetime,
    is_revoked: Callable[[bytes], bool] = lambda _: False,
) -> DaneFailure | None:
    """Problem of a server's certificates by RFC 5280 and RFC 6125; ``None`` for nothing.

    ``chain`` starts with the server's own; ``anchors`` are trusted; one of ``names`` must be in it.
    ``is_revoked`` knows of a certificate whether it was taken back.
    """
    leaf = _load(chain[0])
    if not _leads_to(leaf, [_load(der) for der in chain[1:]], [_load(der) for der in anchors]):
        return DaneFailure("certificate-not-trusted", f"nobody who is trusted issued {_subject(leaf)}")
    if not leaf.not_valid_before_utc <= now <= leaf.not_valid_after_utc:
        span = f"{leaf.not_valid_before_utc:%Y-%m-%d} to {leaf.not_valid_after_utc:%Y-%m-%d}"
        return DaneFailure("certificate-expired", f"the certificate is good from {span}")
    if is_revoked(chain[0]):
        return DaneFailure("validation-failure", "the certificate was revoked")
    unfit = _unfit(leaf)
    if unfit:
        return DaneFailure("validation-failure", unfit)
    known = _host_names(leaf)
    if not any(covers(pattern, name) for pattern in known for name in names):
        said = ", ".join(known) or "no host"
        return DaneFailure(
            "certificate-host-mismatch", f"the certificate is for {said}, not {' or '.join(names)}"
        )
    return None


def _unfit(leaf: x509.Certificate) -> str:
    """Reason against such a certificate for a server, from any issuer; empty without one."""
    from cryptography.hazmat.primitives.asymmetric import rsa

    from fakemail.tls.x509_imports import oid, x509

    key = leaf.public_key()
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < _SHORTEST_RSA:
        return f"the key of the certificate has {key.key_size} bits only"
    try:
        usages = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return ""
    # RFC 5280 §4.2.1.12: where usages are named, no other is meant.
    known = {oid.ExtendedKeyUsageOID.SERVER_AUTH, oid.ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}
    return "" if known & set(usages) else "the certificate is not meant for servers"


def covers(pattern: str, name: str) -> bool:
    """Whether a name in a certificate, ``*.example.org`` perhaps, means a host (RFC 6125 §6.4)."""
    pattern, name = a_labels(pattern), a_labels(name)
    if pattern.startswith("*."):
        # §6.4.3: the wildcard is the whole leftmost label, and stands for exactly one.
        return "." in name and name.partition(".")[2] == pattern[2:]
    return pattern == name


def _leads_to(
    leaf: x509.Certificate, sent: Sequence[x509.Certificate], anchors: Sequence[x509.Certificate]
) -> bool:
    current = leaf
    for _ in range(_LONGEST_PATH):
        if any(_issued(current, anchor) or current == anchor for anchor in anchors):
            return True
        above = next((each for each in sent if each != current and _issued(current, each)), None)
        if above is None:
            return False
        current = above
    return False


def _issued(certificate: x509.Certificate, by: x509.Certificate) -> bool:
    from cryptography.exceptions import InvalidSignature

    try:
        certificate.verify_directly_issued_by(by)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _host_names(certificate: x509.Certificate) -> list[str]:
    from fakemail.tls.x509_imports import x509

    try:
        other = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return other.get_values_for_type(x509.DNSName)


def _subject(certificate: x509.Certificate) -> str:
    return certificate.subject.rfc4514_string() or "the certificate"


def _load(der: bytes) -> x509.Certificate:
    from fakemail.tls.x509_imports import x509

    return x509.load_der_x509_certificate(der)
