"""DKIM keys as they are published (RFC 6376 §3.6.1): from the text of a TXT record to a key, or to why not."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from fakemail.dkim.tag_list import TagError, listed, read_tags, squeezed
from fakemail.types.dataclass import dataclass

MIN_RSA_BITS: Final = 1024
"""Signatures of shorter keys do not count (RFC 8301 §3.2)."""
MAX_RSA_BITS: Final = 8192
"""Longer keys are not tried: what they cost grows with the cube of their length."""


class TxtAnswer(NamedTuple):
    """The answer of the DNS to a question for TXT records."""

    kind: str
    """``NOERROR``, ``NODATA``, ``NXDOMAIN``; anything else is a failure."""
    texts: tuple[bytes, ...] = ()


LookUp = Callable[[str], TxtAnswer]
"""Asks for the TXT records of a name."""


class KeyProblem(Exception):
    """Why there is no key to check with. Not for users: it becomes a result."""

    def __init__(self, result: str, sentence: str) -> None:
        super().__init__(sentence)
        self.result = result
        """``permerror``, ``temperror`` or ``policy``."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that can check signatures, and what its owner says about it."""

    kind: str
    """``rsa`` or ``ed25519``."""
    key: RSAPublicKey | Ed25519PublicKey
    hashes: tuple[str, ...] = ()
    """The hashes that it may be used with (``h=``); empty for any."""
    is_testing: bool = False
    """``t=y``: the domain only tries DKIM."""
    is_exact: bool = False
    """``t=s``: it is not for names below the domain."""

    @property
    def bits(self) -> int:
        """The length of the key."""
        return self.key.key_size if isinstance(self.key, RSAPublicKey) else 256

    def is_good(self, signature: bytes, data: bytes, digest: str) -> bool:
        """Whether that signature is over that data, with ``sha256`` or ``sha1``."""
        kind: hashes.HashAlgorithm = hashes.SHA1() if digest == "sha1" else hashes.SHA256()
        try:
            if isinstance(self.key, RSAPublicKey):
                self.key.verify(signature, data, PKCS1v15(), kind)
            else:
                # RFC 8463 §3: the signature is over the hash, not over the data.
                hasher = hashes.Hash(hashes.SHA256())
                hasher.update(data)
                self.key.verify(signature, hasher.finalize())
        except (InvalidSignature, UnsupportedAlgorithm):
            return False
        return True


def fetch_key(domain: str, selector: str, look_up: LookUp) -> PublicKey:
    """The key that a domain publishes under a selector. Raises :class:`KeyProblem`."""
    name = f"{selector}._domainkey.{domain}"
    kind, texts = look_up(name)
    if kind not in ("NOERROR", "NODATA", "NXDOMAIN"):
        raise KeyProblem("temperror", f"the key {name} could not be looked up: {kind}")
    if not texts:
        raise KeyProblem("permerror", f"there is no key {name}")
    # RFC 6376 §3.6.2.2: with several records all is undefined; the first that is a key is taken.
    problem: KeyProblem | None = None
    for text in texts[:4]:
        try:
            return read_key(text, name)
        except KeyProblem as error:
            problem = problem or error
    raise problem or KeyProblem("permerror", f"there is no key {name}")


def read_key(text: bytes, name: str) -> PublicKey:
    """The key of one record. Raises :class:`KeyProblem`."""
    try:
        tags = read_tags(text.decode("utf-8", "replace"))
    except TagError as error:
        raise KeyProblem("permerror", f"the key {name} is malformed: {error}") from None
    if tags.get("v", "DKIM1") != "DKIM1" or ("v" in tags and next(iter(tags)) != "v"):
        raise KeyProblem("permerror", f"the key {name} is malformed: v=DKIM1 has to come first")
    if "p" not in tags:
        raise KeyProblem("permerror", f"the key {name} is malformed: it has no p=")
    if not tags["p"]:
        raise KeyProblem("permerror", f"the key {name} is revoked: its p= is empty")
    services = listed(tags.get("s", "*"))
    if "*" not in services and "email" not in services:
        raise KeyProblem("permerror", f"the key {name} is not for mail: s={tags['s'][:40]}")
    flags = listed(tags.get("t", ""))
    kind = tags.get("k", "rsa")
    made = PublicKey(
        kind,
        _read_public(kind, tags["p"], name),
        listed(tags["h"]) if "h" in tags else (),
        is_testing="y" in flags,
        is_exact="s" in flags,
    )
    if isinstance(made.key, RSAPublicKey) and made.bits > MAX_RSA_BITS:
        raise KeyProblem("policy", f"the key {name} has {made.bits} bits, more than {MAX_RSA_BITS}")
    return made


def _read_public(kind: str, text: str, name: str) -> RSAPublicKey | Ed25519PublicKey:
    if kind not in ("rsa", "ed25519"):
        raise KeyProblem("permerror", f"the key {name} is of an unknown kind: k={kind[:40]}")
    try:
        der = base64.b64decode(squeezed(text), validate=True)
    except (binascii.Error, ValueError):
        raise KeyProblem("permerror", f"the key {name} is malformed: its p= is no base64") from None
    try:
        if kind == "ed25519":
            return Ed25519PublicKey.from_public_bytes(der)  # RFC 8463 §4: 32 bytes, no ASN.1
        key = load_der_public_key(der)
        if isinstance(key, RSAPublicKey):
            return key
    except (ValueError, UnsupportedAlgorithm):
        pass  # what the library says about it helps nobody
    told = "RSA" if kind == "rsa" else "Ed25519"
    raise KeyProblem("permerror", f"the key {name} is malformed: its p= is no {told} key")
