"""Domains: their accounts and mail hosts, what they check of mail, and the records that they publish."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, Generic, Self, TypeVar

from fakemail import faults
from fakemail.api.dkim_signing import DkimKey, signing_options, texts
from fakemail.api.faults import Faults
from fakemail.api.handles import Handle
from fakemail.api.hosts import Host, Settings
from fakemail.api.portal import Portal
from fakemail.api.preload import preload_reading
from fakemail.dns.names import name_key
from fakemail.dns.rdata import txt
from fakemail.dns.records import record
from fakemail.errors import DeclarationError, nearest
from fakemail.faults.rule import FaultScope
from fakemail.model.dkim import USUAL_SELECTOR, Dkim, check_selector
from fakemail.model.domain import DomainSpec, Routing
from fakemail.model.policy_schema import read_policy
from fakemail.model.transport_security import MtaSts
from fakemail.types.address import Address, AddressLike, address, read_address
from fakemail.types.domains import u_labels
from fakemail.types.duration import require_span
from fakemail.types.stage import Stage
from fakemail.zones.auth_flaws import FLAWS

_A = TypeVar("_A")


class Domain(Handle, Generic[_A]):
    """A mail domain. Two handles on the same domain are equal."""

    def __init__(self, portal: Portal, name: str, new_account: Callable[[Portal, Address], _A]) -> None:
        self._portal = portal
        self._new_account = new_account
        self.name = name
        """Its name in DNS."""

    @property
    def _spec(self) -> DomainSpec:
        return self._portal.simulation.world.domain(self.name)

    def account(self, local: str, *, password: str | None = None) -> _A:
        """The account of that local part, made if it is not there."""
        wanted = address(f"{local}@{self.name}")
        return self._portal.account(self._new_account, wanted, password)

    def accounts(self) -> tuple[_A, ...]:
        """All accounts of the domain, in the order of declaration."""
        return tuple(
            self._portal.account(self._new_account, each.address, None)
            for each in self._portal.simulation.world.accounts.values()
            if each.address.domain == self.name
        )

    def alias(self, local: str, *targets: AddressLike) -> Self:
        """Let mail for one local part go to other addresses, here or anywhere."""
        addresses = [read_address(target) for target in targets]
        world = self._portal.simulation.world
        self._portal.call(lambda: world.add_alias(address(f"{local}@{self.name}"), addresses))
        return self

    def catch_all(self, account: AddressLike | None) -> Self:
        """Deliver mail for unknown local parts to one account; ``None`` ends that."""
        target = None if account is None else read_address(account)
        self._portal.call(lambda: self._portal.simulation.world.set_catch_all(self.name, target))
        return self

    def ignore_dots(self, ignored: bool = True) -> Self:
        """Let ``jane.doe`` and ``janedoe`` be one account, as at some large providers."""
        world = self._portal.simulation.world
        self._portal.call(lambda: world.change_domain(replace(self._spec, ignore_dots=ignored)))
        return self

    def enable_magic_addresses(self) -> Self:
        """Let local parts decide what happens to their mail, as those of ``mox localserve`` do.

        Mail for one that ends in ``temperror``, ``permerror`` or a code such as ``452`` is refused so, and for
        ``timeout`` nothing is ever said: at the end of the message, or at RCPT where it begins with ``rcptto``, and at
        MAIL for a sender that begins with ``mailfrom``. There need be no such accounts. Each answer is a fault.
        """
        enable_magic_addresses(self.faults, to=f"@{self.name}")
        return self

    def remove(self) -> None:
        """Remove the domain with its accounts, and with the hosts inside it that no other domain uses.

        Its zone is gone, so that senders get NXDOMAIN; sessions of its accounts and hosts end (421, BYE).
        """
        self._portal.require_declared(self.name, "domain")
        self._portal.remove_domain(self.name)

    @property
    def hosts(self) -> tuple[Host, ...]:
        """The hosts that take its mail, the preferred first."""
        return tuple(Host(self._portal, name) for name in self._spec.mail_hosts)

    @property
    def mx(self) -> Settings:
        """Settings of the preferred host that takes its mail."""
        hosts = self.hosts
        if not hosts:
            raise DeclarationError(
                f"domain {self.name!r} has no mail host: its routing is {self._spec.routing}."
            )
        return hosts[0].settings("smtp")

    @property
    def submission_host(self) -> Host:
        """The host where its accounts submit their mail."""
        return Host(self._portal, self._spec.submission_host)

    @property
    def imap_host(self) -> Host:
        """The host where its accounts read their mail, ``mail`` inside the domain; made when first asked for."""
        preload_reading()
        running = self._portal.perform(self._portal.simulation.hosts.run_reading_host(self.name))
        return Host(self._portal, running.name)

    def set_mx(self, *hosts: str | Host | None, implicit: bool = False) -> tuple[Host, ...]:
        """Set where its mail goes, and return the hosts that take it now, the preferred first.

        ``set_mx("mx1", "mx2")`` publishes MX records, the preferred first; a name without a dot is inside the domain,
        and made if it is not there yet. ``set_mx(None)`` publishes a null MX: it takes no mail at all (RFC 7505).
        ``set_mx(implicit=True)`` takes the MX records away, and mail goes to the domain's own address (RFC 5321 §5.1),
        where a host of its name takes it. ``set_mx()`` takes the MX records away, and there is no such host.
        Raises :class:`~fakemail.errors.DeclarationError` for a host that is not there, and for two of these at once.
        """
        names = [each if isinstance(each, str) else each.name for each in hosts if each is not None]
        if len(names) < len(hosts) and (len(hosts) > 1 or implicit):
            raise DeclarationError(
                f"domain {self.name!r}: a null MX record stands alone (RFC 7505 §3): set_mx(None), without other "
                "hosts, and without implicit=True."
            )
        if names and implicit:
            raise DeclarationError(
                f"domain {self.name!r}: with MX records nothing is implicit: set_mx({', '.join(map(repr, names))}) "
                "or set_mx(implicit=True)."
            )
        routing = Routing.MX if names else Routing.NULL_MX if hosts else Routing.NONE
        simulation = self._portal.simulation

        async def change() -> None:
            wanted = Routing.IMPLICIT if implicit else routing
            await simulation.hosts.reroute(simulation.world.route_domain(self.name, wanted, names))
            if simulation.faults.rules():
                await simulation.fault_updates.apply()

        self._portal.perform(change())
        return self.hosts

    def policy(self, **keywords: Any) -> Self:
        """Set what its mail hosts check before they take mail for it, in place of what they checked.

        The keywords are the fields of :class:`~fakemail.model.policy.Policy`, in plain words:
        ``policy(greylist=minutes(5), dnsbl="zen.example", helo={"own_name": "refuse"}, spf="quarantine")``. Without
        arguments the default holds: nothing is done beyond what a sender's own DMARC policy asks for. It counts from
        the next command on. Raises one :class:`~fakemail.errors.DeclarationError` for all mistakes.
        """
        policy = read_policy(self.name, keywords)
        self._portal.call(lambda: self._portal.simulation.world.set_policy(self.name, policy))
        return self

    def publish(
        self,
        *,
        spf: str | None = None,
        dmarc: str | None = None,
        dkim: Mapping[str, DkimKey | str | None] | None = None,
    ) -> Self:
        """Publish its policy records in place of the ones it has; an empty text takes the record away.

        ``dkim`` is a key, or the text of a record, by selector; ``None`` takes the record away, so that what is
        signed with it cannot be checked. For anything else there is ``mailnet.dns``. Raises
        :class:`~fakemail.errors.DeclarationError` for what is no text.
        """
        for what, name, text, mark in (
            ("spf", self.name, spf, "v=spf1"),
            ("dmarc", f"_dmarc.{self.name}", dmarc, "v=DMARC1"),
        ):
            if text is None:
                continue
            if not isinstance(text, str):
                raise DeclarationError(
                    f"domain {self.name!r}: {what} is the text of a record ({mark}...), not {text!r}."
                )
            self._put_text(name, text, mark)
        for selector, key in (dkim or {}).items():
            self._publish_key(selector, key)
        return self

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
            texts(headers),
            texts(oversign),
            body_length,
            expires,
        )
        others = [each for each in self._spec.dkim if each.selector != selector]
        if sign and not beside:
            others = [replace(each, sign=False) for each in others]
        self._keep(*others, new)
        internet = self._portal.simulation
        self._portal.call(lambda: internet.zone_provisioning.key(self.name, new))
        return self

    def dkim_key(self, selector: str | None = None, *, algorithm: str | None = None) -> DkimKey:
        """The key of a selector, by default the one it signs with; made if it is not there, and not published then.

        Publish it with ``domain.publish(dkim={selector: key})``.
        """
        how = signing_options(self._spec, selector, algorithm)
        return DkimKey(name_key(self.name), how.selector, self._portal.simulation.keys.of(self.name, how))

    def enable_dnssec(self, *, flaw: str | None = None) -> Self:
        """Sign its zone with DNSSEC. Its mail hosts in signed zones get TLSA records (DANE, RFC 7672).

        ``flaw`` is ``"expired"``, ``"bogus"`` or ``"missing_signature"``; see ``mailnet.dns.enable_dnssec()``.
        """
        records = self._portal.simulation.tls_policy_records
        self._portal.call(lambda: records.sign_domain(self.name, flaw))
        return self

    def mta_sts(
        self,
        mode: str | None = "enforce",
        *,
        max_age: int = 604800,
        mx: str | Iterable[str] | None = None,
        flaw: str | None = None,
    ) -> Self:
        """Publish an MTA-STS policy (RFC 8461), with a new id, on the host ``mta-sts`` of the domain.

        ``mode`` is ``"enforce"``, ``"testing"`` or ``"none"``; ``None`` takes record and file away. ``max_age`` is in
        seconds of the fake internet's clock, a year at most. ``mx`` are the names the policy lets mail go to,
        those of its mail hosts unless given; ``*.example.org`` stands for one label more. ``flaw`` breaks how
        it is served: ``"not_found"``, ``"malformed"``, ``"too_large"`` or ``"redirect"``; for a bad
        certificate there is ``host.certificate()``.
        """
        hosts = self._portal.simulation.mta_sts_hosts
        if mode is None:
            self._portal.call(lambda: hosts.withdraw(self.name))
            return self
        try:
            names = (mx,) if isinstance(mx, str) else None if mx is None else tuple(mx)
            policy = MtaSts(mode, max_age, names, flaw)
        except DeclarationError as error:
            raise DeclarationError(f"domain {self.name!r}: {error}") from None
        self._portal.perform(hosts.publish(self.name, policy))
        return self

    def tls_reports(self, to: AddressLike | None) -> Self:
        """Request a daily TLS report from its senders (RFC 8460), mailed to an address; ``None`` for no more.

        The message that comes is read with ``message.tls_report``.
        """
        name = f"_smtp._tls.{self.name}"
        target = "" if to is None else f"v=TLSRPTv1; rua=mailto:{read_address(to)}"
        self._put_text(name, target, "v=TLSRPTv1")
        return self

    def add_auth_flaw(self, *flaws: str) -> Self:
        """Break the authentication of its mail (SPF, DKIM, DMARC) in ways with plain names.

        ``domain.add_auth_flaw("spf_two_records", "dkim_key_revoked")``; the page on sender authentication
        has all of them, and what a receiver finds. Raises :class:`~fakemail.errors.DeclarationError` for a name that
        there is not.
        """
        for flaw in flaws:
            if flaw not in FLAWS:
                raise DeclarationError(
                    f"domain {self.name!r}: there is no way {flaw!r}; {nearest(flaw, FLAWS)}"
                )
        internet = self._portal.simulation

        def make() -> None:
            for flaw in flaws:
                internet.auth_flaws.make(self._spec, flaw)
            auth_flaws = (*self._spec.auth_flaws, *flaws)
            internet.world.change_domain(replace(self._spec, auth_flaws=auth_flaws))

        self._portal.call(make)
        return self

    def clear_auth_flaws(self) -> Self:
        """Put back what :meth:`add_auth_flaw` has broken."""
        internet = self._portal.simulation

        def mend() -> None:
            internet.auth_flaws.mend(self._spec)
            internet.world.change_domain(replace(self._spec, auth_flaws=()))

        self._portal.call(mend)
        return self

    @property
    def faults(self) -> Faults:
        """Faults of the hosts that take its mail, and by IMAP and POP3 where it is read."""
        return Faults(self._portal, FaultScope(domain=self.name))

    def _put_text(self, name: str, text: str, mark: str) -> None:
        zones = self._portal.simulation.zones

        def put() -> None:
            others = [old for old in zones.records(name, "TXT") if mark not in old.value]
            zones.replace(name, "TXT", [*others, *([record(name, "TXT", txt(text))] if text else [])])

        self._portal.call(put)

    def _publish_key(self, selector: str, key: DkimKey | str | None) -> None:
        if not isinstance(key, DkimKey | str | None):
            raise DeclarationError(
                f"domain {self.name!r}: dkim {selector!r} is a key, the text of a record or None, not {key!r}."
            )
        name = f"{check_selector(selector)}._domainkey.{self.name}"
        internet = self._portal.simulation
        if isinstance(key, DkimKey) and (key.domain, key.selector) == (name_key(self.name), selector):
            self._publish_own(selector, key.algorithm)
            return
        text = key.record if isinstance(key, DkimKey) else key or ""

        def put() -> None:
            internet.zones.remove(name, "TXT")
            if text:
                internet.zones.add(record(name, "TXT", txt(text)))

        self._portal.call(put)

    def _publish_own(self, selector: str, algorithm: str) -> None:
        """A key of its own is part of what the domain is; it does not sign unless it did."""
        known = {each.selector: each for each in self._spec.dkim}
        how = known.get(selector)
        if how is None or how.algorithm != algorithm:
            how = Dkim(selector, algorithm, sign=False)
        self._keep(*{**known, selector: how}.values())
        self._portal.call(lambda: self._portal.simulation.zone_provisioning.key(self.name, how))

    def _keep(self, *dkim: Dkim) -> None:
        world = self._portal.simulation.world
        self._portal.call(lambda: world.change_domain(replace(self._spec, dkim=dkim)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Domain):
            return NotImplemented
        return self._portal is other._portal and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)

    def _name(self) -> str:
        return f"Domain {u_labels(self.name)}"


def enable_magic_addresses(own: Faults, *, to: str | None = None) -> None:
    """Let local parts of recipients say what shall happen to their mail, see :meth:`Domain.enable_magic_addresses`."""
    act = faults.as_address_says()
    own.add(Stage.SMTP_MAIL, act, must_fire=False)
    own.add(Stage.SMTP_RCPT, act, to=to, must_fire=False)
    own.add(Stage.SMTP_END, act, to=to, must_fire=False)
