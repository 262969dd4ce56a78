"""Handles on hosts and domains: what a test can do with them while the fake internet runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fakemail import faults
from fakemail.api.dkim_signing import DkimKey, Signs
from fakemail.api.faults import FaultPresets
from fakemail.api.handles import Handle
from fakemail.api.settings import Settings
from fakemail.dns.rdata import txt
from fakemail.dns.records import record
from fakemail.errors import DeclarationError, nearest
from fakemail.faults.rule import FaultScope
from fakemail.model.domain import DomainSpec as DescribedDomain
from fakemail.model.domain import Routing
from fakemail.model.host import SERVICES, SUBMISSION_SERVICES, HostOptions
from fakemail.model.host import HostSpec as DescribedHost
from fakemail.model.host_options import read_traits
from fakemail.model.policy_schema import read_policy
from fakemail.model.transport_security import MtaSts
from fakemail.runtime.network import LOOPBACK
from fakemail.runtime.option_words import spelled, unknown_words
from fakemail.tls.dane import TlsaUsage
from fakemail.types.address import Address, address
from fakemail.types.domains import a_labels, u_labels
from fakemail.types.stage import Stage
from fakemail.zones import tls_policy_records

if TYPE_CHECKING:
    from fakemail.api.accounts import Account, BaseAccount
    from fakemail.api.mailnet import AnyNet
    from fakemail.runtime.service_port import RunningHost, ServicePort


class Host(Handle):
    """A machine of the fake internet. Two handles on the same host are equal."""

    def __init__(self, net: AnyNet, name: str) -> None:
        self._net = net
        self.name = name

    @property
    def _described(self) -> DescribedHost:
        return self._net.internet.world.host(self.name)

    @property
    def running(self) -> RunningHost:
        """The engine's side of it."""
        return self._net.internet.hosts[self.name]

    @property
    def faults(self) -> FaultPresets:
        """What goes wrong here: nothing, unless it is asked for."""
        return FaultPresets(self._net, FaultScope(host=self.name))

    @property
    def ipv4(self) -> str:
        """Its address in the fake internet, from a documentation range (RFC 5737)."""
        return self._described.ipv4

    @property
    def ipv6(self) -> str:
        """Its IPv6 address in the fake internet (RFC 3849)."""
        return self._described.ipv6

    @property
    def services(self) -> tuple[str, ...]:
        """The names of the services it runs."""
        return tuple(service.name for service in self._described.services)

    @property
    def personality(self) -> HostOptions:
        """What is particular about it."""
        return self._described.personality

    def configure(self, **changes: Any) -> Host:
        """Change its personality; connections made from now on see it.

        The keywords are the fields of :class:`~fakemail.model.host.HostOptions`:
        ``host.configure(hide={"PIPELINING"}, max_recipients=100)``. Returns the host. Raises
        one :class:`~fakemail.errors.DeclarationError` that tells every trait, value and name to hide that there
        is not.
        """
        traits, wrong = read_traits(changes)
        wrong += [text for trait, value in traits.items() for text in unknown_words(trait, value)]
        if len(wrong) == 1:
            raise DeclarationError(f"host {self.name!r}: {wrong[0]}")
        if wrong:
            told = "\n".join(f"  {text}" for text in wrong)
            raise DeclarationError(f"{len(wrong)} mistakes in the traits of host {self.name!r}:\n{told}")
        if "hide" in traits:
            traits["hide"] = spelled(traits["hide"])
        personality = replace(self._described.personality, **traits)
        world = self._net.internet.world
        self._net.call(lambda: world.change_host(replace(self._described, personality=personality)))
        return self

    def policy(self, **keywords: Any) -> Host:
        """What it checks of mail that clients submit to it, in place of what it checked: sending quotas, for example.

        The keywords are those of :meth:`Domain.policy`, and ``login_rate`` and ``login_recipient_rate`` are for
        it alone: ``policy(login_rate=(100, hours(1)), login_recipient_rate=(500, days(1)))``. Without arguments
        nothing is checked. Where mail is quarantined, it is held in the queue. It counts from the next command on.
        Raises :class:`~fakemail.errors.DeclarationError` for mistakes, and for a host without a submission service.
        """
        if not SUBMISSION_SERVICES.intersection(self.services):
            raise DeclarationError(
                f"host {self.name!r} has no submission service; what a mail host checks of mail from elsewhere is "
                f"the policy of the domain: mailnet.domain(...).policy(...)."
            )
        policy = read_policy(self.name, keywords, of="host") if keywords else None
        world = self._net.internet.world
        self._net.call(lambda: world.change_host(replace(self._described, policy=policy)))
        return self

    def route(self, domain: str, via: str | Host) -> Host:
        """Hand mail for a domain, or for all others with ``"*"``, to that host, whatever DNS says.

        The host is made if it is not there; whether it takes the mail is its own affair
        (see ``relay_for`` of ``mailnet.host``). Returns this host.
        """
        name = via.name if isinstance(via, Host) else via
        internet = self._net.internet

        async def change() -> None:
            if a_labels(name) not in internet.world.hosts:
                internet.world.add_host(name)
            internet.world.add_route(self.name, domain, name)
            internet.route(self.name)
            await internet.run_host(internet.world.host(name))

        self._net.perform(change())
        return self

    @property
    def routes(self) -> dict[str, str]:
        """To which hosts it hands mail whatever DNS says, by domain; ``*`` stands for all others."""
        return dict(self._described.routes)

    def attach_handler(self, handler: object | None) -> Host:
        """Attach a handler written for aiosmtpd; ``None`` takes it away.

        Its ``handle_MAIL``, ``handle_RCPT`` and ``handle_DATA`` are awaited for what the host itself
        would accept, and their status strings (``"550 5.7.1 not today"``) become the replies.
        """
        running = self._net.internet.hosts[self.name]
        running.handler = handler
        return self

    def certificate(self, *, flaw: str | None = None) -> Host:
        """Give it a new certificate: a good one, or one with a flaw, for connections made from now on.

        ``flaw`` is one of :data:`fakemail.tls.flaws.FLAWS`, such as ``"expired"`` or ``"revoked"``. TLSA records
        stay as they are.
        """
        self._net.call(lambda: self._net.internet.hosts[self.name].present(flaw))
        return self

    def offer_starttls(self, offered: bool = True) -> Host:
        """Offer STARTTLS or hide it: ``change(hide={"STARTTLS"})`` and back, other hidden words kept."""
        hidden = self.personality.hide - {"STARTTLS"}
        return self.configure(hide=hidden if offered else hidden | {"STARTTLS"})

    def publish_tlsa(
        self, *, usage: int = 3, selector: int = 1, matching: int = 1, port: int = 25, data: str | None = None
    ) -> Host:
        """Publish a TLSA record for its present certificate in place of the ones for that port (RFC 6698).

        ``usage`` 2 and 0 are about the authority, 3 and 1 about the host's own certificate; ``selector`` 0 takes
        the whole certificate, 1 its key; ``matching`` 0 the octets, 1 SHA-256, 2 SHA-512. ``data`` in
        hexadecimal stands for something else. It counts only where the zone is signed.
        """
        self._net.call(
            lambda: tls_policy_records.publish_tlsa(
                self._net.internet, self.name, TlsaUsage(usage, selector, matching), port=port, data=data
            )
        )
        return self

    def stop(self) -> Host:
        """Switch it off: new connections are refused, open ones end with 421."""
        self._net.call(self._net.internet.hosts[self.name].stop)
        return self

    def start(self) -> Host:
        """Switch it on again, on the same addresses and ports."""
        self._net.perform(self._net.internet.hosts[self.name].start())
        return self

    def settings(self, service: str, *, username: str = "", password: str = "") -> Settings:
        """How to reach one of its services (``"smtp"``, ``"submission"``, ``"submissions"``, ``"pop3"``...)."""
        endpoint = self._net.internet.network.attached(self.name, service)
        if endpoint is None:
            endpoint = self._site(service).endpoint
        security = SERVICES[service].security.value
        return Settings(endpoint.address, endpoint.port, security, self, username, password, service)

    def _site(self, service: str) -> ServicePort:
        """Where the service runs; raises :class:`~fakemail.errors.DeclarationError` for one that does not."""
        sites = self._net.internet.hosts[self.name].sites
        if service not in SERVICES:
            raise DeclarationError(f"there is no service {service!r}; {nearest(service, SERVICES)}")
        if service not in sites:
            raise DeclarationError(f"host {self.name!r} runs no {service!r}; {nearest(service, sites)}")
        return sites[service]

    def listen_on_localhost(self, service: str) -> int:
        """Let a service listen on 127.0.0.1 as well, and return the port there; see :attr:`Settings.localhost`."""
        endpoint = self._net.internet.network.attached(self.name, service)
        if endpoint is None:
            return self._net.perform(self._site(service).listen_on_localhost())
        if endpoint.address != LOOPBACK:
            raise DeclarationError(
                f"host {self.name!r} is an external server at {endpoint.address}, and not at localhost ({LOOPBACK})."
            )
        return endpoint.port

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Host):
            return NotImplemented
        return self._net.is_one_with(other._net) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)

    def _name(self) -> str:
        return f"Host {u_labels(self.name)}"

    def _state(self) -> str:
        return f" [{self.ipv4}]"


class Domain(Signs):
    """A mail domain."""

    def __init__(self, net: AnyNet, name: str) -> None:
        self._net = net
        self.name = name

    @property
    def faults(self) -> FaultPresets:
        """What goes wrong at the hosts that take its mail, and by IMAP and POP3 where it is read."""
        return FaultPresets(self._net, FaultScope(domain=self.name))

    @property
    def _described(self) -> DescribedDomain:
        return self._net.internet.world.domain(self.name)

    @property
    def hosts(self) -> tuple[Host, ...]:
        """The hosts that take its mail, the preferred first."""
        return tuple(Host(self._net, name) for name in self._described.mail_hosts)

    @property
    def mx(self) -> Settings:
        """How to reach the host that takes its mail, the preferred one."""
        hosts = self.hosts
        if not hosts:
            raise DeclarationError(
                f"domain {self.name!r} has no mail host: its routing is {self._described.routing}."
            )
        return hosts[0].settings("smtp")

    @property
    def submission_host(self) -> Host:
        """The host where its accounts hand in their mail."""
        return Host(self._net, self._described.submission_host)

    @property
    def imap_host(self) -> Host:
        """The host where its accounts read their mail, ``mail`` inside the domain; made when first asked for."""
        return Host(self._net, self._net.perform(self._net.internet.run_reading_host(self.name)).name)

    def mx_hosts(self, *names: str) -> tuple[Host, ...]:
        """Let these hosts take its mail, the preferred first, and return them.

        A name without a dot is inside the domain, and made if it is not there yet.
        """
        self._route(Routing.MX, names)
        return self.hosts

    def enable_magic_addresses(self) -> Domain:
        """Let local parts say what shall happen to their mail, as those of ``mox localserve`` do.

        Mail for one that ends in ``temperror``, ``permerror`` or a code such as ``452`` is refused so, and for
        ``timeout`` nothing is ever said: at the end of the message, or at RCPT where it begins with ``rcptto``, and at
        MAIL for a sender that begins with ``mailfrom``. There need be no such accounts. Each answer is a fault.
        """
        act, to = faults.as_address_says(), f"@{self.name}"
        self.faults.add(Stage.SMTP_MAIL, act, must_fire=False)
        self.faults.add(Stage.SMTP_RCPT, act, to=to, must_fire=False)
        self.faults.add(Stage.SMTP_END, act, to=to, must_fire=False)
        return self

    def null_mx(self) -> Domain:
        """Publish that it takes no mail at all (RFC 7505)."""
        self._route(Routing.NULL_MX)
        return self

    def implicit_mx(self) -> Host:
        """Take the MX records away: mail goes to the domain's own address (RFC 5321 §5.1). Returns that host."""
        self._route(Routing.IMPLICIT)
        return self.hosts[0]

    def no_mx(self) -> Domain:
        """Take the MX records away and run no host of the domain's own name."""
        self._route(Routing.NONE)
        return self

    def _route(self, routing: Routing, names: Iterable[str] = ()) -> None:
        internet = self._net.internet

        async def change() -> None:
            await internet.reroute(internet.world.route_domain(self.name, routing, tuple(names)))

        self._net.perform(change())

    def account(self, local: str, *, password: str | None = None) -> Account:
        """The account of that local part, made if it is not there."""
        account: Account = self._net.account(f"{local}@{self.name}", password=password)
        return account

    def alias(self, local: str, *targets: str | Address | Account) -> Domain:
        """Let mail for one local part go to other addresses, here or anywhere."""
        addresses = [read_address(target) for target in targets]
        world = self._net.internet.world
        self._net.call(lambda: world.add_alias(address(f"{local}@{self.name}"), addresses))
        return self

    def catch_all(self, account: str | Address | Account | None) -> Domain:
        """Let one account get the mail for every local part that nobody has; ``None`` ends that."""
        target = None if account is None else read_address(account)
        self._net.call(lambda: self._net.internet.world.set_catch_all(self.name, target))
        return self

    def ignore_dots(self, ignored: bool = True) -> Domain:
        """Let ``jane.doe`` and ``janedoe`` be one account, as at some large providers."""
        world = self._net.internet.world
        self._net.call(lambda: world.change_domain(replace(self._described, ignore_dots=ignored)))
        return self

    def policy(self, **keywords: Any) -> Domain:
        """What its mail hosts check before they take mail for it, in place of what they checked.

        The keywords are the fields of :class:`~fakemail.model.policy.Policy`, in plain words:
        ``policy(greylist=minutes(5), dnsbl="zen.example", helo={"own_name": "refuse"}, spf="quarantine")``. Without
        arguments it is as usual: nothing is done beyond what a sender's own DMARC policy asks for. It counts from
        the next command on. Raises one :class:`~fakemail.errors.DeclarationError` for all mistakes.
        """
        policy = read_policy(self.name, keywords)
        self._net.call(lambda: self._net.internet.world.set_policy(self.name, policy))
        return self

    def publish(
        self,
        *,
        spf: str | None = None,
        dmarc: str | None = None,
        dkim: Mapping[str, DkimKey | str | None] | None = None,
    ) -> Domain:
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

    def enable_dnssec(self, *, flaw: str | None = None) -> Domain:
        """Sign its zone with DNSSEC. Its mail hosts in signed zones get TLSA records (DANE, RFC 7672).

        ``flaw`` is ``"expired"``, ``"bogus"`` or ``"missing_signature"``; see ``mailnet.dns.enable_dnssec()``.
        """
        self._net.call(lambda: tls_policy_records.sign_domain(self._net.internet, self.name, flaw))
        return self

    def mta_sts(
        self,
        mode: str | None = "enforce",
        *,
        max_age: int = 604800,
        mx: str | Iterable[str] | None = None,
        flaw: str | None = None,
    ) -> Domain:
        """Publish an MTA-STS policy (RFC 8461), with a new id, on the host ``mta-sts`` of the domain.

        ``mode`` is ``"enforce"``, ``"testing"`` or ``"none"``; ``None`` takes record and file away. ``max_age`` is in
        seconds of the fake internet's clock, a year at most. ``mx`` are the names the policy lets mail go to,
        those of its mail hosts unless given; ``*.example.org`` stands for one label more. ``flaw`` breaks how
        it is served: ``"not_found"``, ``"malformed"``, ``"too_large"`` or ``"redirect"``; for a bad
        certificate there is ``host.certificate()``.
        """
        internet = self._net.internet
        if mode is None:
            self._net.call(lambda: tls_policy_records.withdraw_sts(internet, self.name))
            return self
        try:
            names = (mx,) if isinstance(mx, str) else None if mx is None else tuple(mx)
            policy = MtaSts(mode, max_age, names, flaw)
        except DeclarationError as error:
            raise DeclarationError(f"domain {self.name!r}: {error}") from None
        self._net.perform(tls_policy_records.publish_sts(internet, self.name, policy))
        return self

    def tls_reports(self, to: str | Address | Account | None) -> Domain:
        """Ask those who send to it for a daily TLS report (RFC 8460), mailed to an address; ``None`` for no more.

        The message that comes is read with ``message.tls_report``.
        """
        name = f"_smtp._tls.{self.name}"
        target = "" if to is None else f"v=TLSRPTv1; rua=mailto:{read_address(to)}"
        self._put_text(name, target, "v=TLSRPTv1")
        return self

    def _put_text(self, name: str, text: str, mark: str) -> None:
        zones = self._net.internet.zones

        def put() -> None:
            others = [old for old in zones.records(name, "TXT") if mark not in old.value]
            zones.replace(name, "TXT", [*others, *([record(name, "TXT", txt(text))] if text else [])])

        self._net.call(put)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Domain):
            return NotImplemented
        return self._net.is_one_with(other._net) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f"<Domain {u_labels(self.name)}>"


def read_address(who: str | Address | BaseAccount[Any]) -> Address:
    """The address of whatever names somebody. Raises :class:`~fakemail.errors.DeclarationError` for what does not."""
    if isinstance(who, str):
        return address(who)
    if isinstance(who, list | tuple | set | frozenset):
        raise DeclarationError(f"pass addresses one by one, as in accounts(*names), and not as {who!r}.")
    if not isinstance(who, Address) and not isinstance(getattr(who, "address", None), str):
        raise DeclarationError(f"{who!r} is not an address: it is a text such as 'bob@example.org'.")
    return who if isinstance(who, Address) else address(who.address)
