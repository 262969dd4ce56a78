"""DKIM as a test handles it: a domain's keys, what it signs with, and messages that a test signs itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from email.message import Message as StandardMessage
from typing import TYPE_CHECKING, Any, Self

from fakemail.api.spans import require_span
from fakemail.dkim.canonicalization import with_crlf
from fakemail.dns.names import name_key
from fakemail.dns.rdata import txt
from fakemail.dns.records import record
from fakemail.errors import DeclarationError, nearest
from fakemail.message.trace import prepend
from fakemail.model.dkim import USUAL_SELECTOR, Dkim, check_selector
from fakemail.types.suggestions import Suggests
from fakemail.zones.auth_flaws import FLAWS

if TYPE_CHECKING:
    from fakemail.api.mailnet import AnyNet
    from fakemail.dkim.keys import Key
    from fakemail.model.domain import DomainSpec as DescribedDomain


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
        """Where its record belongs: ``mail._domainkey.example.com``."""
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


class Signs(Suggests):
    """What a domain can do with its DKIM keys."""

    name: str
    _net: AnyNet

    @property
    def _described(self) -> DescribedDomain:
        raise NotImplementedError

    def dkim(
        self,
        selector: str = USUAL_SELECTOR,
        *,
        algorithm: str = "rsa-2048",
        sign: bool = True,
        beside: bool = False,
        canonicalization: str = "relaxed/relaxed",
        headers: Iterable[str] = (),
        oversign: Iterable[str] = ("From",),
        body_length: bool = False,
        expires: timedelta | None = None,
    ) -> Self:
        """Publish a DKIM key under a selector, and sign with it what the submission host takes from now on.

        Keys that are there already stay published, for mail that is under way; with ``beside`` they also go on
        signing, so that a message has several signatures. With ``sign=False`` this key does not sign.
        ``algorithm`` is ``"rsa-2048"``, ``"rsa-1024"``, ``"rsa-4096"`` or ``"ed25519"`` (RFC 8463).
        ``headers`` are the fields that are signed, the usual ones unless given; those of ``oversign`` are signed
        once more than they are there (RFC 6376 §8.15). With ``body_length`` the signature says how much of the body
        it covers (``l=``); ``expires`` is how long it is good (``x=``). Raises
        :class:`~fakemail.errors.DeclarationError` for a selector, a word or a name that is none.
        """
        if expires is not None:
            require_span(f"domain {self.name!r}: expires", expires)
        new = Dkim(
            selector,
            algorithm,
            sign,
            canonicalization,
            _texts(headers),
            _texts(oversign),
            body_length,
            expires,
        )
        others = [each for each in self._described.dkim if each.selector != selector]
        if sign and not beside:
            others = [replace(each, sign=False) for each in others]
        self._keep(*others, new)
        internet = self._net.internet
        self._net.call(lambda: internet.naming.key(self.name, new))
        return self

    def dkim_key(self, selector: str | None = None, *, algorithm: str | None = None) -> DkimKey:
        """The key of a selector, by default the one it signs with; made if it is not there, and not published then.

        Publish it with ``domain.publish(dkim={selector: key})``.
        """
        how = _how(self._described, selector, algorithm)
        return DkimKey(name_key(self.name), how.selector, self._net.internet.keys.of(self.name, how))

    def add_auth_flaw(self, *flaws: str) -> Self:
        """Break how receivers can tell that mail is really its own, in ways with plain names.

        ``domain.add_auth_flaw("spf_two_records", "dkim_key_revoked")``; the page on sender authentication
        has all of them, and what a receiver finds. Raises :class:`~fakemail.errors.DeclarationError` for a name that
        there is not.
        """
        for flaw in flaws:
            if flaw not in FLAWS:
                raise DeclarationError(
                    f"domain {self.name!r}: there is no way {flaw!r}; {nearest(flaw, FLAWS)}"
                )
        internet = self._net.internet

        def make() -> None:
            for flaw in flaws:
                internet.auth_flaws.make(self._described, flaw)
            broken = (*self._described.broken, *flaws)
            internet.world.change_domain(replace(self._described, broken=broken))

        self._net.call(make)
        return self

    def clear_auth_flaws(self) -> Self:
        """Put back what :meth:`add_auth_flaw` has broken."""
        internet = self._net.internet

        def mend() -> None:
            internet.auth_flaws.mend(self._described)
            internet.world.change_domain(replace(self._described, broken=()))

        self._net.call(mend)
        return self

    def _publish_key(self, selector: str, key: DkimKey | str | None) -> None:
        if not isinstance(key, DkimKey | str | None):
            raise DeclarationError(
                f"domain {self.name!r}: dkim {selector!r} is a key, the text of a record or None, not {key!r}."
            )
        name = f"{check_selector(selector)}._domainkey.{self.name}"
        internet = self._net.internet
        if isinstance(key, DkimKey) and (key.domain, key.selector) == (name_key(self.name), selector):
            self._publish_own(selector, key.algorithm)
            return
        text = key.record if isinstance(key, DkimKey) else key or ""

        def put() -> None:
            internet.zones.remove(name, "TXT")
            if text:
                internet.zones.add(record(name, "TXT", txt(text)))

        self._net.call(put)

    def _publish_own(self, selector: str, algorithm: str) -> None:
        """A key of its own is part of what the domain is; it does not sign unless it did."""
        known = {each.selector: each for each in self._described.dkim}
        how = known.get(selector)
        if how is None or how.algorithm != algorithm:
            how = Dkim(selector, algorithm, sign=False)
        self._keep(*{**known, selector: how}.values())
        self._net.call(lambda: self._net.internet.naming.key(self.name, how))

    def _keep(self, *dkim: Dkim) -> None:
        world = self._net.internet.world
        self._net.call(lambda: world.change_domain(replace(self._described, dkim=dkim)))


class DkimSigning(Suggests):
    """What a fake internet signs for a test."""

    @property
    def _net(self) -> AnyNet:
        raise NotImplementedError

    def dkim_sign(
        self,
        message: bytes | str | StandardMessage,
        *,
        domain: str,
        selector: str | None = None,
        algorithm: str | None = None,
        canonicalization: str | None = None,
        headers: Iterable[str] | None = None,
        oversign: Iterable[str] | None = None,
        body_length: bool | None = None,
        expires: timedelta | None = None,
    ) -> bytes:
        """A message with the DKIM signature of a domain in front, as octets with CRLF line ends, ready to be sent.

        Without a selector it is signed as the domain's submission host would do it. The key of a selector that
        the domain does not publish signs as well, and nobody can check it. ``t=`` is the time of the fake
        internet's clock. Send what comes with ``sendmail``: ``send_message`` would write the header anew. See
        :meth:`Domain.dkim` for the rest. Raises :class:`~fakemail.errors.UnknownNameError` for a domain that is
        not declared.
        """
        described = self._net.internet.world.domain(domain)
        changes: dict[str, Any] = {
            "canonicalization": canonicalization,
            "headers": None if headers is None else _texts(headers),
            "oversign": None if oversign is None else _texts(oversign),
            "body_length": body_length,
            "expires": expires,
        }
        given = {name: value for name, value in changes.items() if value is not None}
        usual = [each for each in described.dkim if each.sign] if selector is None else []
        if not usual or algorithm is not None:
            usual = [_how(described, selector, algorithm)]
        ways = [replace(how, **given) for how in usual]
        raw = read_octets(message)
        signing = self._net.internet.dkim_signer
        return self._net.call(lambda: prepend(raw, signing.sign(raw, described.name, ways)))


def _how(domain: DescribedDomain, selector: str | None, algorithm: str | None) -> Dkim:
    """How a domain signs with a selector; as usual with one that it does not have."""
    signing = next((each for each in domain.dkim if each.sign), None)
    if selector is None:
        selector = USUAL_SELECTOR if signing is None else signing.selector
    how = next((each for each in domain.dkim if each.selector == selector), None) or Dkim(selector)
    return how if algorithm is None else replace(how, algorithm=algorithm)


def _texts(names: Iterable[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


def read_octets(message: object) -> bytes:
    """The octets of a message that a test gives in whatever form, with CRLF line ends."""
    if isinstance(message, StandardMessage):
        return with_crlf(message.as_bytes())
    if isinstance(message, str):
        return with_crlf(message.encode())
    if isinstance(message, bytes | bytearray | memoryview):
        return with_crlf(bytes(message))
    raise DeclarationError(f"a message is bytes, a text or an email.message.EmailMessage, not {message!r}.")
