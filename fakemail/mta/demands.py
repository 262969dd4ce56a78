"""What a sender demands of TLS with one mail host: one table from policies to a demand, and its check.

The sources are the host's own habits, DANE (RFC 7672), MTA-STS (RFC 8461) and the message (RFC 8689). No DNS and
no connections here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from fakemail.model.host import Personality
from fakemail.mta.sts import Policy
from fakemail.smtp.dialogue import Tls
from fakemail.terms.reason import Reason
from fakemail.tls.dane import Problem, Tlsa, chain_problem, dane_problem

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
"""What becomes of a demand that is not met; the next mail host is tried then."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What has to be true of a connection before the message goes over it."""

    policy: str
    """Its name in events: ``opportunistic``, ``required``, ``verified``, ``dane``, ``sts``..."""
    tls: Tls
    checks: bool = False
    """Whether the certificate is looked at."""
    failure: Reason | None = None
    """What it is called when the certificate is not good, or there is no TLS; ``None`` where it goes all the same."""
    tlsa: tuple[Tlsa, ...] = ()
    names: tuple[str, ...] = ()
    """One of these has to be in the certificate."""
    refusal: Problem | None = None
    """Why the host does not even need to be tried, or what is to be reported about it."""

    def problem(
        self,
        chain: Sequence[bytes],
        *,
        anchors: Sequence[bytes],
        now: datetime,
        is_revoked: Callable[[bytes], bool] = lambda _: False,
    ) -> Problem | None:
        """What is wrong with the certificates that a server sent."""
        if not self.checks:
            return None
        if not chain:
            return Problem("validation-failure", "the server showed no certificate")
        if self.tlsa:
            return dane_problem(self.tlsa, chain, anchors=anchors, names=self.names, now=now)
        return chain_problem(chain, anchors=anchors, names=self.names, now=now, is_revoked=is_revoked)

    def reason(self, reason: Reason | None) -> Reason | None:
        """Why an attempt failed, in the words of the demand."""
        if self.failure is Reason.REQUIRETLS_FAILED and reason in (Reason.TLS_REQUIRED, Reason.TLS_FAILED):
            return self.failure
        return self.failure if reason is Reason.TLS_FAILED and self.failure is not None else reason


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known before a mail host is connected to."""

    host: str
    domain: str
    personality: Personality
    tlsa: tuple[Tlsa, ...] = ()
    """TLSA records that DNSSEC vouches for, usable or not."""
    sts: Policy | None = None
    is_vouched_for: bool = False
    """Whether DNSSEC vouches for the name of the mail host, or nobody has to."""
    requiretls: bool = False
    tls_is_optional: bool = False
    """``TLS-Required: No`` is in the message (RFC 8689 §3)."""


def demand(facts: Facts) -> Demand:
    """The demand that goes before all others."""
    own = facts.personality.sending_tls
    if facts.requiretls:
        return _requiretls(facts)
    if facts.tls_is_optional:
        return Demand("TLS-Required: No", Tls.NEVER if own == "none" else Tls.IF_OFFERED)
    usable = tuple([record for record in facts.tlsa if record.is_usable])
    names = (facts.host, facts.domain)
    if usable:
        # RFC 8461 §2: MTA-STS never goes before DANE.
        return Demand("dane", Tls.ALWAYS, True, Reason.DANE_FAILED, usable, names)
    sts = facts.sts
    if sts is not None and sts.mode == "enforce":
        if not sts.lets(facts.host):
            return Demand("sts", Tls.ALWAYS, True, Reason.STS_WRONG_HOST, (), (), _wrong_host(facts))
        return Demand("sts", Tls.ALWAYS, True, Reason.STS_FAILED, (), (facts.host,))
    if own == "verified":
        return Demand("verified", Tls.ALWAYS, True, Reason.CERTIFICATE_REFUSED, (), (facts.host,))
    if facts.tlsa:
        # RFC 7672 §2.2: records that cannot be used still say that there is TLS.
        return Demand("dane-unusable", Tls.ALWAYS)
    if own == "required":
        return Demand("required", Tls.ALWAYS)
    if sts is not None and sts.mode == "testing":
        # RFC 8461 §5: the mail goes as if there were no policy; what would have failed is reported.
        problem = None if sts.lets(facts.host) else _wrong_host(facts)
        return Demand("sts-testing", Tls.IF_OFFERED, True, None, (), (facts.host,), problem)
    return Demand(own, Tls.NEVER if own == "none" else Tls.IF_OFFERED)


def _requiretls(facts: Facts) -> Demand:
    """RFC 8689 §4.2.1: who the host is must be certain, and its certificate good."""
    usable = tuple([record for record in facts.tlsa if record.is_usable])
    names = (facts.host, facts.domain) if usable else (facts.host,)
    by_sts = facts.sts is not None and facts.sts.mode != "none" and facts.sts.lets(facts.host)
    refusal = None
    if not facts.is_vouched_for and not by_sts:
        refusal = Problem(
            "validation-failure",
            f"neither DNSSEC nor MTA-STS vouches for {facts.host} as a mail host of {facts.domain}",
        )
    return Demand("requiretls", Tls.ALWAYS, True, Reason.REQUIRETLS_FAILED, usable, names, refusal)


def _wrong_host(facts: Facts) -> Problem:
    return Problem("validation-failure", f"{facts.host} is no mail host by the policy of {facts.domain}")
