"""DKIM signatures checked (RFC 6376 §6, RFC 8301, RFC 8463): every signature has a result and a sentence.

Who calls brings the keys and the time. Nothing here raises over a message, whatever it is.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable
from dataclasses import field, replace
from functools import cached_property
from types import MappingProxyType
from typing import Final

from fakemail.clock import datetime
from fakemail.dkim.canonicalization import BODY, FieldStack, signed_header
from fakemail.dkim.key_record import MIN_RSA_BITS, KeyProblem, LookUp, PublicKey, fetch_key
from fakemail.dkim.tag_list import TagError, listed, read_tags, squeezed, without_value
from fakemail.message.headers import Field, body_offset, split_fields
from fakemail.types.dataclass import dataclass

MAX_SIGNATURES: Final = 10
"""Limit of signatures that are checked per message, from the top (RFC 6376 §6.1 leaves that to the verifier)."""
MAX_SIGNED_FIELDS: Final = 1000
"""A signature that lists more header fields is not checked."""

_ALGORITHMS: Final = MappingProxyType(
    {
        # RFC 6376 §3.3, RFC 8463 §3: the kind of the key, and the hash.
        "rsa-sha256": ("rsa", "sha256"),
        "ed25519-sha256": ("ed25519", "sha256"),
        "rsa-sha1": ("rsa", "sha1"),
    }
)
_REQUIRED: Final = ("v", "a", "b", "bh", "d", "h", "s")
_NUMBER: Final = re.compile(r"[0-9]{1,76}")  # RFC 6376 §3.5
# RFC 6376 §3.5: domain-name = sub-domain 1*("." sub-domain); selector = sub-domain *( "." sub-domain );
# U-labels as RFC 8616 §5 has them.
_LABEL: Final = r"[A-Za-z0-9_\u0080-\U0010ffff](?:[A-Za-z0-9_\-\u0080-\U0010ffff]{0,62})"
_DOMAIN: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})+")
_SELECTOR: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")


@dataclass(frozen=True, slots=True)
class SignatureCheck:
    """Result of one signature."""

    result: str
    """``pass``, ``fail``, ``permerror``, ``temperror``, ``policy`` or ``neutral`` (RFC 8601 §2.7.1)."""
    sentence: str
    domain: str = ""
    selector: str = ""
    identity: str = ""
    algorithm: str = ""
    signed: tuple[str, ...] = ()
    length: int | None = None
    is_testing: bool = False
    value: str = ""
    """``b=`` without white space."""


class SignatureProblem(Exception):
    """Why a signature is not good. Not for users: it becomes a result."""

    def __init__(self, result: str, sentence: str) -> None:
        super().__init__(sentence)
        self.result = result


@dataclass
class SignedMessage:
    """A message whose signatures are checked; what several of them need is worked out once."""

    raw: bytes
    _bodies: dict[str, bytes] = field(default_factory=dict)
    _hashes: dict[tuple[str, str, int | None], bytes] = field(default_factory=dict)

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        """The header fields, in order."""
        return split_fields(self.raw, 0, self._body_at)

    @cached_property
    def stack(self) -> FieldStack:
        """The header fields as signatures take them."""
        return FieldStack(self.raw, self.fields)

    @cached_property
    def _body_at(self) -> int:
        return body_offset(self.raw)

    def raw_field(self, one: Field) -> bytes:
        """A field as it stands there, without its last line end."""
        return self.raw[one.start : one.end]

    def named(self, name: str) -> list[Field]:
        """The fields of that name, in order."""
        return [each for each in self.fields if each.name.lower() == name]

    def body_hash(self, kind: str, digest: str, length: int | None) -> bytes:
        """The hash of the body, of its first bytes where ``length`` is given (RFC 6376 §3.7)."""
        known = self._hashes.get((kind, digest, length))
        if known is None:
            body = self._body(kind)
            view = memoryview(body) if length is None else memoryview(body)[:length]
            known = self._hashes[kind, digest, length] = hashlib.new(digest, view).digest()
        return known

    def body_size(self, kind: str) -> int:
        """Number of bytes of the body in its canonical form."""
        return len(self._body(kind))

    def _body(self, kind: str) -> bytes:
        if kind not in self._bodies:
            self._bodies[kind] = BODY[kind](self.raw[self._body_at :])
        return self._bodies[kind]


def verify(message: SignedMessage, look_up: LookUp, now: datetime) -> tuple[SignatureCheck, ...]:
    """Check every signature of a message, the topmost first."""
    found = message.named("dkim-signature")
    checked = [_verify_one(message, each, look_up, now) for each in found[:MAX_SIGNATURES]]
    for _ in found[MAX_SIGNATURES:]:
        why = f"not looked at: {len(found)} signatures are more than the {MAX_SIGNATURES} that are checked"
        checked.append(SignatureCheck("policy", why))
    return tuple(checked)


def _verify_one(message: SignedMessage, own: Field, look_up: LookUp, now: datetime) -> SignatureCheck:
    try:
        tags = read_tags(own.raw.decode("utf-8", "replace"))
    except TagError as error:
        return SignatureCheck("permerror", f"the signature is malformed: {error}")
    seen = SignatureCheck(
        "pass",
        "",
        domain=tags.get("d", "").lower(),
        selector=tags.get("s", ""),
        identity=tags.get("i", ""),
        algorithm=tags.get("a", ""),
        value=squeezed(tags.get("b", "")),
    )
    try:
        seen = _read(seen, tags, now)
        key = fetch_key(seen.domain, seen.selector, look_up)
        seen = replace(seen, is_testing=key.is_testing)
        if key.is_exact and seen.identity.rpartition("@")[2].lower() not in ("", seen.domain):
            raise SignatureProblem(
                "permerror", f"its key is not for names below {seen.domain} (t=s)"
            )  # §3.6.1
        check_signature(message, own, tags, seen.signed, key, names_signer=seen.domain)
    except (SignatureProblem, KeyProblem) as problem:
        if problem.result == "fail" and seen.is_testing:
            # RFC 6376 §3.6.1: while a domain only tries DKIM, its mail is as mail without a signature.
            return replace(seen, result="neutral", sentence=f"{problem} (the key is on trial, t=y)")
        return replace(seen, result=problem.result, sentence=str(problem))
    part = "" if seen.length is None else f", over the first {seen.length} octets of the body"
    return replace(seen, sentence=f"the signature of {seen.domain} is good{part}")


def _read(seen: SignatureCheck, tags: dict[str, str], now: datetime) -> SignatureCheck:
    """RFC 6376 §6.1.1: what can be wrong with a signature before its key is asked for."""
    require(tags, _REQUIRED)
    if tags["v"] != "1":
        raise SignatureProblem("permerror", f"the signature has version {tags['v'][:20]!r}, not 1")
    signed = read_signed(tags)
    if "from" not in signed:
        raise SignatureProblem("permerror", "the signature does not cover the From field")
    identity = tags.get("i", f"@{seen.domain}").rpartition("@")[2].lower()
    if identity != seen.domain and not identity.endswith(f".{seen.domain}"):
        raise SignatureProblem(
            "permerror", f"its i= is {identity[:80]}, which is not in its domain {seen.domain}"
        )
    if "q" in tags and "dns/txt" not in (each.lower() for each in listed(tags["q"])):
        raise SignatureProblem("permerror", f"its key cannot be asked for by q={tags['q'][:40]}")
    made, expires, length = (_number(tags, name) for name in "txl")
    if expires is not None:
        if made is not None and expires < made:
            raise SignatureProblem("permerror", "the signature expires before it was made")
        if expires < now.timestamp():
            raise SignatureProblem(
                "fail", f"the signature has expired: x={expires} is before {now:%Y-%m-%d %H:%M:%S}"
            )
    return replace(seen, signed=signed, length=length)


def require(tags: dict[str, str], names: Iterable[str]) -> None:
    """Raise :class:`SignatureProblem` unless the tags are there, and fit where they can be told to."""
    for name in names:
        if not tags.get(name):
            raise SignatureProblem("permerror", f"the signature has no {name}=")
    if not _DOMAIN.fullmatch(tags["d"]) or len(tags["d"]) > 253:
        raise SignatureProblem("permerror", f"its d= is no domain name: {tags['d'][:80]}")
    if not _SELECTOR.fullmatch(tags["s"]) or len(tags["s"]) > 253:
        raise SignatureProblem("permerror", f"its s= is no selector: {tags['s'][:80]}")
    if tags["a"] not in _ALGORITHMS:
        raise SignatureProblem("permerror", f"its algorithm is unknown: a={tags['a'][:40]}")


def read_signed(tags: dict[str, str]) -> tuple[str, ...]:
    """The names that ``h=`` lists, lower-case."""
    signed = tuple(name.lower() for name in listed(tags["h"]))
    if len(signed) > MAX_SIGNED_FIELDS:
        raise SignatureProblem(
            "policy", f"the signature lists {len(signed)} fields, more than {MAX_SIGNED_FIELDS}"
        )
    return signed


def _number(tags: dict[str, str], name: str) -> int | None:
    value = tags.get(name)
    if value is None:
        return None
    if _NUMBER.fullmatch(value) is None:
        raise SignatureProblem("permerror", f"its {name}= is no number: {value[:40]}")
    return int(value)


def check_signature(
    message: SignedMessage,
    own: Field,
    tags: dict[str, str],
    signed: tuple[str, ...],
    key: PublicKey,
    *,
    names_signer: str,
) -> None:
    """RFC 6376 §6.1.3: check the hash of the body and the signature. Raises :class:`SignatureProblem`."""
    kinds = _canonicalization(tags.get("c", "simple/simple"))
    digest = require_fit(tags["a"], key)
    length = _number(tags, "l")
    if length is not None and length > message.body_size(kinds[1]):
        raise SignatureProblem("permerror", f"its l={length} is more than the body has")
    if message.body_hash(kinds[1], digest, length) != decoded(tags, "bh"):
        raise SignatureProblem("fail", "the body was changed: its hash is not the one that was signed")
    data = signed_header(message.stack.select(signed), without_value(message.raw_field(own)), kinds[0])
    check_value(tags, key, data, digest, names_signer)


def check_value(tags: dict[str, str], key: PublicKey, data: bytes, digest: str, signer: str) -> None:
    """Check ``b=`` over what it is made over, and that it may count. Raises :class:`SignatureProblem`."""
    if not key.is_good(decoded(tags, "b"), data, digest):
        raise SignatureProblem("fail", f"the signature does not fit the header and the key of {signer}")
    # RFC 8301 §3: such signatures are not good, whatever they cover.
    if key.kind == "rsa" and key.bits < MIN_RSA_BITS:
        raise SignatureProblem(
            "policy", f"the key of {signer} has {key.bits} bits, fewer than {MIN_RSA_BITS}"
        )
    if digest == "sha1":
        raise SignatureProblem("policy", "the signature is of rsa-sha1, which is not good enough any more")


def require_fit(algorithm: str, key: PublicKey) -> str:
    """The hash of an algorithm, where the key is one for it. Raises :class:`SignatureProblem`."""
    kind, digest = _ALGORITHMS[algorithm]
    if kind != key.kind:
        raise SignatureProblem("permerror", f"its key is of kind {key.kind}, and its algorithm {algorithm}")
    if key.hashes and digest not in key.hashes:
        raise SignatureProblem("permerror", f"its key is not for {digest}: h={':'.join(key.hashes)[:40]}")
    return digest


def decoded(tags: dict[str, str], name: str) -> bytes:
    """The bytes of a value in base64. Raises :class:`SignatureProblem`."""
    try:
        return base64.b64decode(squeezed(tags[name]), validate=True)
    except (binascii.Error, ValueError):
        raise SignatureProblem("permerror", f"its {name}= is no base64") from None


def _canonicalization(value: str) -> tuple[str, str]:
    # RFC 6376 §3.5: sig-c-tag-alg = "simple" / "relaxed"; of one alone the body is simple.
    header, _, body = value.lower().partition("/")
    kinds = (header, body or "simple")
    if any(kind not in BODY for kind in kinds):
        raise SignatureProblem("permerror", f"its canonicalization is unknown: c={value[:40]}")
    return kinds
