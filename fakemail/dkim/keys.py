"""DKIM keys: made when first needed, kept for the process, with their records (RFC 6376 §3.6.1, RFC 8463).

Making an RSA key takes tens of milliseconds, so all fake internets of a process share one row of keys for each
algorithm, as they share the authority. Within one fake internet every domain and selector has a key of its own.
What a verifier makes of a record is not here.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from fakemail.errors import DeclarationError, nearest

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    Private: TypeAlias = RSAPrivateKey | Ed25519PrivateKey


class _KeyKind(NamedTuple):
    name: str
    """The ``k=`` tag of the record."""
    signs_as: str
    """The ``a=`` tag of the signature."""
    bits: int


_KINDS: Final = {
    "rsa-2048": _KeyKind("rsa", "rsa-sha256", 2048),
    "rsa-1024": _KeyKind("rsa", "rsa-sha256", 1024),
    "rsa-4096": _KeyKind("rsa", "rsa-sha256", 4096),
    "ed25519": _KeyKind("ed25519", "ed25519-sha256", 256),
}


class Key:
    """A pair of keys. ``algorithm`` is one of :data:`fakemail.model.dkim.ALGORITHMS`."""

    def __init__(self, algorithm: str, private: Private) -> None:
        self.algorithm = algorithm
        self._private = private
        self._sign = _signer(private)

    @property
    def signs_as(self) -> str:
        """The algorithm of its signatures, as in ``a=``: ``rsa-sha256`` or ``ed25519-sha256``."""
        return _KINDS[self.algorithm].signs_as

    def sign(self, data: bytes) -> bytes:
        """The signature of these bytes (RFC 6376 §3.3.2, RFC 8463 §3)."""
        return self._sign(data)

    @cached_property
    def public(self) -> str:
        """The public key in base64, as in ``p=``."""
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        public = self._private.public_key()
        if _KINDS[self.algorithm].name == "ed25519":  # RFC 8463 §4: the 32 bytes alone
            return b64encode(public.public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()
        # RFC 6376 §3.6.1: "a DER-encoded RSAPublicKey"; what everybody publishes is its SubjectPublicKeyInfo.
        return b64encode(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()

    @property
    def record(self) -> str:
        """The text of the TXT record that publishes it."""
        return f"v=DKIM1; k={_KINDS[self.algorithm].name}; p={self.public}"

    @cached_property
    def private_pem(self) -> str:
        """The private key for a program that signs: PKCS #8 in PEM, not encrypted."""
        from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

        return self._private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    @cached_property
    def private_seed(self) -> str:
        """The 32 bytes of an Ed25519 key in base64, as dkimpy takes it.

        Raises :class:`~fakemail.errors.DeclarationError` for an RSA key, which has no such form.
        """
        from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

        if _KINDS[self.algorithm].name != "ed25519":
            raise DeclarationError(f"a key of {self.algorithm} has no seed; take its private_pem.")
        return b64encode(
            self._private.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
        ).decode()

    def __repr__(self) -> str:
        return f"<Key {self.algorithm} {self.public[-16:]}>"  # the private half is nobody's to read in a log


_PROCESS: dict[tuple[str, int], Key] = {}


def process_key(algorithm: str, place: int) -> Key:
    """The key at a place, from 0 on, in the process's row of one algorithm; made when first asked for."""
    known = _PROCESS.get((algorithm, place))
    return known or _PROCESS.setdefault((algorithm, place), make_key(algorithm))


def make_key(algorithm: str) -> Key:
    """A new key. RSA takes tens of milliseconds with 2048 bits, and far more with 4096."""
    from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

    kind = _KINDS.get(algorithm)
    if kind is None:
        raise DeclarationError(f"there is no algorithm {algorithm!r}; {nearest(algorithm, _KINDS)}")
    if kind.name == "ed25519":
        return Key(algorithm, ed25519.Ed25519PrivateKey.generate())
    return Key(algorithm, rsa.generate_private_key(65537, kind.bits))


def _signer(private: Private) -> Callable[[bytes], bytes]:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding, rsa

    if isinstance(private, rsa.RSAPrivateKey):
        fill, digest = padding.PKCS1v15(), hashes.SHA256()
        return lambda data: private.sign(data, fill, digest)

    def sign(data: bytes) -> bytes:
        hashed = hashes.Hash(hashes.SHA256())  # RFC 8463 §3: PureEdDSA over the hash
        hashed.update(data)
        return private.sign(hashed.finalize())

    return sign
