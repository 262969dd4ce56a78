"""Mail domains: where their mail goes, and which names beside the accounts take mail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import Enum
from types import MappingProxyType

from fakemail.model.dkim import Dkim
from fakemail.model.policy import DEFAULT_POLICY, Policy
from fakemail.model.transport_security import MtaSts
from fakemail.types.address import Address
from fakemail.types.dataclass import dataclass


class Routing(Enum):
    """Routing of mail for a domain to its hosts (RFC 5321 §5.1, RFC 7505)."""

    MX = "mx"
    IMPLICIT = "implicit"
    """No MX records: the domain's own A and AAAA records are used."""
    NULL_MX = "null"
    """One MX record that says that the domain takes no mail."""
    NONE = "none"
    """Neither MX nor address records of its own: the test publishes what it wants."""


@dataclass(frozen=True, slots=True)
class MxTarget:
    """One MX record: lower preferences are tried first."""

    preference: int
    host: str


@dataclass(frozen=True, slots=True)
class DomainSpec:
    """A mail domain. ``mx`` is empty unless ``routing`` is MX; with IMPLICIT it holds the one host."""

    name: str
    routing: Routing = Routing.MX
    mx: tuple[MxTarget, ...] = ()
    submission_host: str = ""
    aliases: Mapping[str, tuple[Address, ...]] = field(default_factory=lambda: MappingProxyType({}))
    """Case-folded local part to the addresses that stand for it."""
    catch_all: Address | None = None
    """Account that gets the mail for local parts without an account or alias."""
    detail_separator: str = "+"
    """``bob+news`` is delivered to ``bob`` (RFC 5233); empty for none."""
    policy: Policy = DEFAULT_POLICY
    imap_host: str = ""
    """Host where its accounts read their mail, empty until it is used."""
    ignore_dots: bool = False
    """Whether ``jane.doe`` and ``janedoe`` are one, as at some large providers."""
    behind: tuple[str, ...] = ()
    """Hosts that deliver its mail although no MX record names them: others pass it on to them."""
    dkim: tuple[Dkim, ...] = (Dkim(),)
    """Its DKIM keys, by different selectors: what its submission host takes is signed with each that signs."""
    mta_sts: MtaSts | None = None
    """The policy that it publishes."""
    auth_flaws: tuple[str, ...] = ()
    """Flaws of its sender authentication, by the names of ``domain.add_auth_flaw``."""

    @property
    def hosts(self) -> tuple[str, ...]:
        """All hosts that do something for it."""
        own = (*self.mail_hosts, *self.behind, self.submission_host, self.imap_host)
        return tuple(dict.fromkeys(name for name in own if name))

    def without_detail(self, address: Address) -> Address:
        """The address of the account that an address of this domain means by itself (RFC 5233)."""
        local = address.local.partition(self.detail_separator)[0] if self.detail_separator else ""
        return Address(local or address.local, address.domain)

    @property
    def mail_hosts(self) -> tuple[str, ...]:
        """The hosts that take mail for it, the preferred first."""
        return tuple(target.host for target in sorted(self.mx, key=lambda target: target.preference))
