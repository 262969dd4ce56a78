"""DKIM keys of a domain by selector, and the signature that is made with each (RFC 6376)."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

from fakemail.errors import DeclarationError, nearest
from fakemail.types.dataclass import dataclass

ALGORITHMS: Final = ("rsa-2048", "rsa-1024", "rsa-4096", "ed25519")
"""The kinds of keys: RSA with the bits of its modulus (RFC 8301 §3.2), and Ed25519 (RFC 8463)."""
CANONICALIZATIONS: Final = ("relaxed/relaxed", "relaxed/simple", "simple/relaxed", "simple/simple")
"""Canonicalizations of header and body (RFC 6376 §3.4)."""
USUAL_SELECTOR: Final = "mail"

# RFC 6376 §3.1: selector = sub-domain *( "." sub-domain ); the underscore is seen in real ones.
_SELECTOR: Final = re.compile(r"(?!.{190})[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_-]{1,63})*")
# RFC 5322 §3.6.8: ftext, without ";", which ends a tag (RFC 6376 §3.2).
_FIELD_NAME: Final = re.compile(r"[!-9<-~]+")


@dataclass(frozen=True, slots=True)
class Dkim:
    """One key of a domain, published under its selector, and the signature that is made with it."""

    selector: str = USUAL_SELECTOR
    """``mail`` by default."""
    algorithm: str = "rsa-2048"
    """``rsa-2048`` by default; ``rsa-1024``, ``rsa-4096``, ``ed25519``."""
    sign: bool = True
    """Whether what the submission host accepts is signed with it; without it the key is only published."""
    canonicalization: str = "relaxed/relaxed"
    """``relaxed/relaxed`` by default: of the header, and of the body."""
    headers: tuple[str, ...] = ()
    """The fields that are signed, each as often as it stands there, in place of the default ones (RFC 6376 §5.4.1)."""
    oversign: tuple[str, ...] = ("From",)
    """Fields that are signed once more than they stand there (RFC 6376 §8.15); ``["From"]`` by default."""
    body_length: bool = False
    """Whether the signature says how much of the body it covers (``l=``), so that text can be added behind it."""
    expires: timedelta | None = None
    """Lifetime of a signature (``x=``), in a configuration in seconds."""

    def __post_init__(self) -> None:
        """Raises :class:`~fakemail.errors.DeclarationError` for what could never be signed with."""
        check_selector(self.selector)
        if self.algorithm not in ALGORITHMS:
            raise DeclarationError(
                f"dkim: there is no algorithm {self.algorithm!r}; {nearest(self.algorithm, ALGORITHMS)}"
            )
        if self.canonicalization not in CANONICALIZATIONS:
            raise DeclarationError(
                f"dkim: there is no canonicalization {self.canonicalization!r}; "
                + nearest(self.canonicalization, CANONICALIZATIONS)
            )
        for name in (*self.headers, *self.oversign):
            if _FIELD_NAME.fullmatch(name) is None:
                raise DeclarationError(f"dkim: {name!r} is not the name of a header field.")


def check_selector(selector: str) -> str:
    """The selector itself; raises :class:`~fakemail.errors.DeclarationError` for one that DNS could not carry."""
    if _SELECTOR.fullmatch(selector) is None:
        raise DeclarationError(
            f"dkim: {selector!r} is not a selector: labels of lower-case letters, digits, inner hyphens and "
            "underscores, joined by dots, such as 'mail' or '2026.eu'."
        )
    return selector
