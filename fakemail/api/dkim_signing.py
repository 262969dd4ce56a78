"""DKIM as a test handles it: a domain's keys, and messages that a test signs itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from fakemail.api.message_bytes import AnyMessage, message_bytes
from fakemail.api.portal import Portal
from fakemail.message.trace import prepend
from fakemail.model.dkim import USUAL_SELECTOR, Dkim
from fakemail.model.domain import DomainSpec
from fakemail.types.suggestions import Suggests

if TYPE_CHECKING:
    from fakemail.dkim.keys import Key


class DkimKey(Suggests):
    """A DKIM key of a domain. Its private half is for an app that signs by itself."""

    def __init__(self, domain: str, selector: str, key: Key) -> None:
        self.domain = domain
        """As in ``d=``."""
        self.selector = selector
        self._key = key

    @property
    def algorithm(self) -> str:
        """``rsa-2048``, ``rsa-1024``, ``rsa-4096`` or ``ed25519``."""
        return self._key.algorithm

    @property
    def name(self) -> str:
        """The owner name of its record: ``mail._domainkey.example.com``."""
        return f"{self.selector}._domainkey.{self.domain}"

    @property
    def record(self) -> str:
        """The text of the TXT record that publishes it (RFC 6376 §3.6.1)."""
        return self._key.record

    @property
    def private_pem(self) -> str:
        """The private key: PKCS #8 in PEM, not encrypted."""
        return self._key.private_pem

    @property
    def private_seed(self) -> str:
        """An Ed25519 private key in base64, as dkimpy takes it. An RSA key raises ``DeclarationError``."""
        return self._key.private_seed

    def __repr__(self) -> str:
        return f"<DkimKey {self.name} {self.algorithm}>"


def dkim_sign(
    portal: Portal,
    message: AnyMessage,
    domain: str,
    selector: str | None,
    algorithm: str | None,
    *,
    canonicalization: str | None,
    headers: Iterable[str] | None,
    oversign: Iterable[str] | None,
    body_length: bool | None,
    expires: timedelta | None,
) -> bytes:
    """A message with the signature of a domain in front; see ``mailnet.dkim_sign()``."""
    described = portal.simulation.world.domain(domain)
    changes: dict[str, Any] = {
        "canonicalization": canonicalization,
        "headers": None if headers is None else texts(headers),
        "oversign": None if oversign is None else texts(oversign),
        "body_length": body_length,
        "expires": expires,
    }
    given = {name: value for name, value in changes.items() if value is not None}
    usual = [each for each in described.dkim if each.sign] if selector is None else []
    if not usual or algorithm is not None:
        usual = [signing_options(described, selector, algorithm)]
    ways = [replace(how, **given) for how in usual]
    raw = message_bytes(message)
    signer = portal.simulation.dkim_signer
    return portal.call(lambda: prepend(raw, signer.sign(raw, described.name, ways)))


def signing_options(domain: DomainSpec, selector: str | None, algorithm: str | None) -> Dkim:
    """The options by which a domain signs with a selector; those by default for one that it does not have."""
    signing = next((each for each in domain.dkim if each.sign), None)
    if selector is None:
        selector = USUAL_SELECTOR if signing is None else signing.selector
    how = next((each for each in domain.dkim if each.selector == selector), None) or Dkim(selector)
    return how if algorithm is None else replace(how, algorithm=algorithm)


def texts(names: Iterable[str]) -> tuple[str, ...]:
    """Several texts, or one alone."""
    return (names,) if isinstance(names, str) else tuple(names)
