"""TLS that a sender requires of one mail host: a table from policies to a requirement, and its check.

The sources are the host's own habits, DANE (RFC 7672), MTA-STS (RFC 8461) and the message (RFC 8689). No DNS and
no connections here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from fakemail.model.host import HostOptions
from fakemail.smtp.client import TlsUse
from fakemail.tls.dane import DaneFailure, Tlsa, chain_problem, dane_problem
from fakemail.tls.mta_sts import StsPolicy
from fakemail.types.dataclass import dataclass
from fakemail.types.reason import Reason

FAILURES: Final = frozenset(
    {
        Reason.TLS_REQUIRED,
        Reason.TLS_FAILED,
        Reason.CERTIFICATE_REFUSED,
        Reason.DANE_FAILED,
        Reason.STS_FAILED,
        Reason.STS_WRONG_HOST,
        Reason.REQUIRETLS_FAILED,
        Reason.REQUIRETLS_NOT_OFFERED,
    }
)
"""Reasons of a requirement that is not met; the next mail host is tried then."""


@dataclass(frozen=True, slots=True)
class TlsRequirement:
    """Conditions of a connection before the message goes over it."""

    policy: str
    """Its name in events: ``opportunistic``, ``required``, ``verified``, ``dane``, ``sts``..."""
    tls: TlsUse
    checks: bool = False
    """Whether the certificate is looked at."""
    failure: Reason | None = None
    """The reason when the certificate is not good, or there is no TLS; ``None`` where it goes all the same."""
    tlsa: tuple[Tlsa, ...] = ()
    names: tuple[str, ...] = ()
    """One of these has to be in the certificate."""
    refusal: DaneFailure | None = None
    """Why the host does not even need to be tried, or what is to be reported about it."""

    def problem(
        self,
        chain: Sequence[bytes],
        *,
        anchors: Sequence[bytes],
        now: datetime,
        is_revoked: Callable[[bytes], bool] = lambda _: False,
    ) -> DaneFailure | None:
        """The failure of the certificates that a server sent."""
        if not self.checks:
            return None
        if not chain:
            return DaneFailure("validation-failure", "the server showed no certificate")
        if self.tlsa:
            return dane_problem(self.tlsa, chain, anchors=anchors, names=self.names, now=now)
        return chain_problem(chain, anchors=anchors, names=self.names, now=now, is_revoked=is_revoked)

    def reason(self, reason: Reason | None) -> Reason | None:
        """Why an attempt failed, in the words of the demand."""
        if self.failure is Reason.REQUIRETLS_FAILED and reason in (Reason.TLS_REQUIRED, Reason.TLS_FAILED):
            return self.failure
        return self.failure if reason is Reason.TLS_FAILED and self.failure is not None else reason


@dataclass(frozen=True, slots=True)
class TlsCapabilities:
    """Facts about a mail host before a connection to it."""

    host: str
    domain: str
    options: HostOptions
    tlsa: tuple[Tlsa, ...] = ()
    """TLSA records that DNSSEC vouches for, usable or not."""
    sts: StsPolicy | None = None
    is_vouched_for: bool = False
    """Whether DNSSEC vouches for the name of the mail host, or need not."""
    requiretls: bool = False
    tls_is_optional: bool = False
    """``TLS-Required: No`` is in the message (RFC 8689 §3)."""


def demand(facts: TlsCapabilities) -> TlsRequirement:
    """The demand that goes before all others."""
    own = facts.options.sending_tls
    if facts.requiretls:
        return _requiretls(facts)
    if facts.tls_is_optional:
        return TlsRequirement("TLS-Required: No", TlsUse.NEVER if own == "none" else TlsUse.IF_OFFERED)
    usable = tuple([record for record in facts.tlsa if record.is_usable])
    names = (facts.host, facts.domain)
    if usable:
        # RFC 8461 §2: MTA-STS never goes before DANE.
        return TlsRequirement("dane", TlsUse.ALWAYS, True, Reason.DANE_FAILED, usable, names)
    sts = facts.sts
    if sts is not None and sts.mode == "enforce":
        if not sts.lets(facts.host):
            return TlsRequirement(
                "sts", TlsUse.ALWAYS, True, Reason.STS_WRONG_HOST, (), (), _wrong_host(facts)
            )
        return TlsRequirement("sts", TlsUse.ALWAYS, True, Reason.STS_FAILED, (), (facts.host,))
    if own == "verified":
        return TlsRequirement("verified", TlsUse.ALWAYS, True, Reason.CERTIFICATE_REFUSED, (), (facts.host,))
    if facts.tlsa:
        # RFC 7672 §2.2: records that cannot be used still say that there is TLS.
        return TlsRequirement("dane-unusable", TlsUse.ALWAYS)
    if own == "required":
        return TlsRequirement("required", TlsUse.ALWAYS)
    if sts is not None and sts.mode == "testing":
        # RFC 8461 §5: the mail goes as if there were no policy; what would have failed is reported.
        problem = None if sts.lets(facts.host) else _wrong_host(facts)
        return TlsRequirement("sts-testing", TlsUse.IF_OFFERED, True, None, (), (facts.host,), problem)
    return TlsRequirement(own, TlsUse.NEVER if own == "none" else TlsUse.IF_OFFERED)


def _requiretls(facts: TlsCapabilities) -> TlsRequirement:
    """RFC 8689 §4.2.1: who the host is must be certain, and its certificate good."""
    usable = tuple([record for record in facts.tlsa if record.is_usable])
    names = (facts.host, facts.domain) if usable else (facts.host,)
    by_sts = facts.sts is not None and facts.sts.mode != "none" and facts.sts.lets(facts.host)
    refusal = None
    if not facts.is_vouched_for and not by_sts:
        refusal = DaneFailure(
            "validation-failure",
            f"neither DNSSEC nor MTA-STS vouches for {facts.host} as a mail host of {facts.domain}",
        )
    return TlsRequirement("requiretls", TlsUse.ALWAYS, True, Reason.REQUIRETLS_FAILED, usable, names, refusal)


def _wrong_host(facts: TlsCapabilities) -> DaneFailure:
    return DaneFailure("validation-failure", f"{facts.host} is no mail host by the policy of {facts.domain}")
