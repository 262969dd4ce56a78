"""The certificate authority: one for each process, made when first asked.

Certificates and key files live here; what uses them lives in ``contexts``. trustme and cryptography
are imported inside functions, so that a fake internet without TLS does not pay for them.
"""

from __future__ import annotations

import hashlib
import os
import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from fakemail.clock import machine_time
from fakemail.folders import draft
from fakemail.tls.leaf import Leaf, PrivateFiles, Usage, reissue, rsa_key
from fakemail.types.domains import a_labels

if TYPE_CHECKING:
    from fakemail.tls.x509_imports import trustme

KeyType = Literal["ecdsa", "rsa"]

_ORGANIZATION = "fakemail"
# Real clients compare with the real clock. Some refuse a leaf that is good for more than 398 days.
_SINCE = timedelta(days=1)
_UNTIL = timedelta(days=396)
LIFETIME = _UNTIL
"""Lifetime of a certificate: nearly as long as public authorities may promise."""
_RSA_BITS = 2048
_LONGEST_COMMON_NAME = 64  # RFC 5280 Appendix A: ub-common-name


class Authority:
    """A certificate authority, with the certificates it has issued.

    Nothing is made before it is asked for, and the same leaf is made only once. Usable from any
    thread: the first to finish wins, and everybody gets the winner's.
    """

    def __init__(self) -> None:
        self._files = PrivateFiles()
        self._made: dict[str, trustme.CA] = {}
        self._leaves: dict[object, Leaf] = {}
        self._revoked: dict[str, Leaf] = {}
        self._made_files: set[str] = set()

    @property
    def _ca(self) -> trustme.CA:
        known = self._made.get("ca")
        if known is not None:
            return known
        from fakemail.tls.x509_imports import trustme

        return self._made.setdefault("ca", trustme.CA(organization_name=_ORGANIZATION))

    @cached_property
    def ca_pem(self) -> bytes:
        """The authority's own certificate."""
        return self._ca.cert_pem.bytes()

    @cached_property
    def java_truststore(self) -> bytes:
        """The same as Java reads it: a PKCS #12 file that needs no password, as its own has been since JDK 18."""
        from cryptography.hazmat.primitives.serialization import NoEncryption, pkcs12

        from fakemail.tls.x509_imports import x509

        certificate = pkcs12.PKCS12Certificate(x509.load_pem_x509_certificate(self.ca_pem), b"fakemail")
        return pkcs12.serialize_java_truststore([certificate], NoEncryption())

    @cached_property
    def subject_hash(self) -> str:
        """The name under which OpenSSL looks for it in a directory, without the number behind it."""
        from fakemail.tls.x509_imports import x509

        # OpenSSL's x509_name_canon: small letters, single spaces, UTF-8, and without the outermost header.
        subject = x509.load_pem_x509_certificate(self.ca_pem).subject
        plain = [x509.NameAttribute(each.oid, " ".join(str(each.value).lower().split())) for each in subject]
        encoded = x509.Name(plain).public_bytes()
        header = 2 + (encoded[1] & 0x7F if encoded[1] & 0x80 else 0)
        digest = hashlib.sha1(encoded[header:], usedforsecurity=False).digest()
        return digest[3::-1].hex()

    def ca_file(self) -> Path:
        """File that holds :attr:`ca_pem`, readable for every user; removed when the process ends."""
        return self._ca_file

    @cached_property
    def _ca_file(self) -> Path:
        return self._files.write("ca.pem", self.ca_pem, public=True)

    def leaf(
        self,
        *names: str,
        addresses: Iterable[str] = (),
        key_type: KeyType = "ecdsa",
        not_before: datetime | None = None,
        not_after: datetime | None = None,
    ) -> Leaf:
        """A certificate good for these host names and IP addresses; the same one for the same request.

        The dates are about a year around the real clock unless given.
        """
        identities = tuple(dict.fromkeys([*(a_labels(name) for name in names), *addresses]))
        if not identities:
            raise ValueError("a certificate needs at least one name or address; give the host's name")
        return self._leaf(identities, key_type, not_before, not_after)

    def client_certificate(self, name: str, *, key_type: KeyType = "ecdsa") -> Leaf:
        """A certificate for a client: its mail address, or a host name. The same one for the same request."""
        if "@" not in name:
            return self.leaf(name, key_type=key_type)
        # The local part of a mail address has case, so it is not folded as host names are.
        return self._leaf((name,), key_type, None, None)

    def client_context(self, *, certificate: Leaf | None = None) -> ssl.SSLContext:
        """New context that trusts this authority only, and checks host names.

        With ``certificate`` the client presents it to servers that ask.
        """
        # Given its own trust, the standard library's default leaves the machine's out.
        context = ssl.create_default_context(cadata=self.ca_pem.decode("ascii"))
        if certificate is not None:
            certificate.install(context)
        return context

    def careful_context(self) -> ssl.SSLContext:
        """As :meth:`client_context`, but it refuses what is revoked now, and names in the subject (RFC 9525 §2)."""
        context = self.client_context()
        context.load_verify_locations(self.crl_file())
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
        context.hostname_checks_common_name = False
        return context

    def _leaf(
        self,
        identities: tuple[str, ...],
        key_type: KeyType,
        not_before: datetime | None,
        not_after: datetime | None,
    ) -> Leaf:
        key = (identities, key_type, not_before, not_after)
        known = self._leaves.get(key)
        if known is not None:
            return known
        return self._leaves.setdefault(key, self._issue(*key))

    def _issue(
        self,
        identities: tuple[str, ...],
        key_type: KeyType,
        not_before: datetime | None,
        not_after: datetime | None,
    ) -> Leaf:
        now = machine_time()
        first = identities[0]
        issued = self._ca.issue_cert(
            *identities,
            common_name=first if len(first) <= _LONGEST_COMMON_NAME else None,
            organization_name=_ORGANIZATION,
            not_before=not_before or now - _SINCE,
            not_after=not_after or now + _UNTIL,
        )
        chain = b"".join(pem.bytes() for pem in issued.cert_chain_pems)
        leaf = Leaf(identities, chain, issued.private_key_pem.bytes(), self._files)
        if key_type == "ecdsa":
            return leaf
        return self.reissue(leaf, key_pem=rsa_key(_RSA_BITS))

    def reissue(
        self,
        leaf: Leaf,
        *,
        key_pem: bytes | None = None,
        usage: Usage | None = None,
        alternative_names: bool = True,
    ) -> Leaf:
        """A leaf once more, with something about it changed; see :func:`fakemail.tls.leaf.reissue`."""
        return reissue(
            leaf,
            signed_by=self._ca.private_key_pem.bytes(),
            key_pem=key_pem,
            usage=usage,
            alternative_names=alternative_names,
        )

    def outlived(self, leaf: Leaf) -> Leaf:
        """A leaf for the same key whose time is over by the machine's clock, which is the one that clients go by."""
        return reissue(leaf, signed_by=self._ca.private_key_pem.bytes(), age=LIFETIME + timedelta(hours=1))

    def revoke(self, leaf: Leaf) -> None:
        """Put a leaf on the list of those that are good no more, and on the file that was handed out."""
        self._revoked[leaf.fingerprint] = leaf
        if "crl" in self._made_files:
            self.crl_file()

    def has_revoked(self, certificate: bytes) -> bool:
        """Whether a certificate, DER, is on the list."""
        return hashlib.sha256(certificate).hexdigest() in self._revoked

    @property
    def crl_pem(self) -> bytes:
        """The list of the revoked certificates as it is now, PEM (RFC 5280 §5)."""
        return revocation_list(
            self.ca_pem, self._ca.private_key_pem.bytes(), [leaf.der for leaf in self._revoked.values()]
        )

    def crl_file(self) -> Path:
        """A file that holds :attr:`crl_pem`, written anew at each revocation; always at the same path."""
        self._made_files.add("crl")
        return self._files.write("crl.pem", self.crl_pem, public=True)

    def chain_without_intermediate(self, *names: str, addresses: Iterable[str] = ()) -> Leaf:
        """A leaf signed by a second authority that only this one vouches for, sent without that voucher."""
        identities = (*names, *addresses)
        issued = self._ca.create_child_ca().issue_cert(*identities, organization_name=_ORGANIZATION)
        chain = issued.cert_chain_pems[0].bytes()
        return Leaf(identities, chain, issued.private_key_pem.bytes(), self._files)


class KeptAuthority(Authority):
    """An authority that stays the same from process to process, since it lies in a directory.

    ``ca.pem`` there is for everybody to read and to trust, ``ca-key.pem`` for its owner only. What it issues is
    anew in each process, in private files of that process.
    """

    def __init__(self, directory: Path) -> None:
        """Made in the directory unless it is there. Raises ``OSError`` where that cannot be, and ``ValueError`` for
        files that are no authority."""
        from fakemail.tls.x509_imports import trustme

        super().__init__()
        if not directory.is_dir():
            directory.mkdir(parents=True, exist_ok=True)
            directory.chmod(0o755)  # whatever the umask: others are to read ca.pem
        key_file, self._kept_file = directory / "ca-key.pem", directory / "ca.pem"
        has_file = self._kept_file.exists()  # asked before the key, which another process makes first
        if not key_file.exists():
            if has_file:
                raise ValueError(f"{self._kept_file} is of another authority, whose key is not beside it")
            new = trustme.CA(organization_name=_ORGANIZATION)
            made = draft(directory, new.private_key_pem.bytes() + new.cert_pem.bytes(), public=False)
            with suppress(FileExistsError):  # or another process was faster: its authority is the one
                os.link(made, key_file)
            os.unlink(made)
        pem = key_file.read_bytes()
        try:
            self._made["ca"] = trustme.CA.from_pem(pem[pem.index(b"-----BEGIN CERTIFICATE") :], pem)
        except (ValueError, TypeError):
            raise ValueError(f"{key_file} holds no key and certificate of an authority") from None
        if not self._kept_file.exists() or self._kept_file.read_bytes() != self.ca_pem:
            os.replace(draft(directory, self.ca_pem, public=True), self._kept_file)

    def ca_file(self) -> Path:
        """The file in the directory."""
        return self._kept_file


_PROCESS: dict[str, Authority] = {}


def process_authority() -> Authority:
    """The authority that all fake internets of this process share, so that nothing is made twice."""
    return _PROCESS.get("authority") or _PROCESS.setdefault("authority", Authority())


@contextmanager
def process_authority_is(authority: Authority) -> Iterator[None]:
    """Meanwhile it is the one of this process."""
    before = _PROCESS.get("authority")
    _PROCESS["authority"] = authority
    try:
        yield
    finally:
        if before is None:
            del _PROCESS["authority"]
        else:
            _PROCESS["authority"] = before


@cache
def keep_through_forks() -> None:
    """Let the children that this process forks from now on trust the same authority.

    It is made when somebody first needs it; a child that forked before that would make its own, which
    no server of its parent presents a certificate of.
    """
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=lambda: process_authority().ca_file())


def revocation_list(ca_pem: bytes, ca_key_pem: bytes, revoked: Iterable[bytes]) -> bytes:
    """The list of an authority, PEM; ``revoked`` are certificates, DER. It may be empty."""
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    from fakemail.tls.x509_imports import x509

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
