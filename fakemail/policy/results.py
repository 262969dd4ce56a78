"""Results of sender authentication, as tests and the checks of policies read them.

Each result is equal to its own word (``mail.auth.spf == "pass"``) and knows why. The checks that make
them are in the modules beside this one.
"""

from __future__ import annotations

from typing import ClassVar

from fakemail.policy.finding import AuthStatus, Finding
from fakemail.types.dataclass import dataclass
from fakemail.types.reason import Reason


@dataclass(frozen=True, eq=False, repr=False)
class AuthResult:
    """Result of one method (RFC 8601 §2.7)."""

    method: ClassVar[str] = ""
    """Its name in an Authentication-Results field: ``spf``, ``dkim``..."""
    _blame: ClassVar[Reason | None] = None
    """The reason for mail that is rejected for a result such as ``none``."""

    result: AuthStatus
    """The word: ``pass``, ``fail``, ``none``..."""
    sentence: str = ""
    """Why, for people."""
    domain: str = ""
    """The domain for which it speaks; empty if there is none."""
    reason: Reason | None = None
    """Why mail would be rejected for this; ``None`` where nothing is wrong."""
    trace: tuple[str, ...] = ()
    """Steps of the evaluation: questions, answers and conclusions."""

    def __eq__(self, other: object) -> bool:
        if isinstance(other, AuthResult):
            return (self.method, self.result, self.domain) == (other.method, other.result, other.domain)
        return self.result == other if isinstance(other, str) else NotImplemented

    def __hash__(self) -> int:
        return hash(str(self.result))

    def __str__(self) -> str:
        return str(self.result)

    def __repr__(self) -> str:
        why = f": {self.sentence}" if self.sentence else ""
        return f"<{self.method}={self.result}{why}>"

    def describe(self) -> str:
        """All of it for people: the word, the sentence and every step."""
        return "\n".join(
            [f"{self.method}={self.result}: {self.sentence}", *(f"  {step}" for step in self.trace)]
        )


def finding(result: AuthResult) -> Finding:
    """The finding of a check that is a result of authentication."""
    reason = result.reason or (None if result.result is AuthStatus.PASS else result._blame)
    return Finding(result.method, result.result, result.sentence, reason)


@dataclass(frozen=True, eq=False, repr=False)
class SpfResult(AuthResult):
    """Whether the client may send for the domain of the reverse-path (RFC 7208 §2.6)."""

    method: ClassVar[str] = "spf"
    _blame: ClassVar[Reason | None] = Reason.SPF_FAIL

    identity: str = "mailfrom"
    """Which name was checked: ``mailfrom``, or ``helo`` where the reverse-path is null (RFC 7208 §2.4)."""
    sender: str = ""
    """The address that was checked, ``postmaster@`` the HELO name for ``helo``."""
    explanation: str = ""
    """Explanation of the domain for a failure (``exp=``, RFC 7208 §6.2)."""
    mechanism: str = ""
    """The term of the record that decided: ``ip4:192.0.2.1``, ``-all``; empty if none did."""


@dataclass(frozen=True, eq=False, repr=False)
class SignatureResult(AuthResult):
    """Result of one DKIM signature (RFC 6376 §6.1)."""

    method: ClassVar[str] = "dkim"

    selector: str = ""
    identity: str = ""
    """The agent or user for whom it was made, ``i=``."""
    algorithm: str = ""
    """``rsa-sha256``, ``ed25519-sha256``..."""
    signed: tuple[str, ...] = ()
    """The names of the header fields that it covers, as ``h=`` lists them."""
    length: int | None = None
    """Number of body bytes it covers, ``l=``; ``None`` for all of them."""
    is_testing: bool = False
    """Whether the key says that the domain only tries DKIM (``t=y``)."""
    signature: str = ""
    """The first characters of ``b=``, which tell signatures apart (RFC 6008)."""


@dataclass(frozen=True, eq=False, repr=False)
class DkimResult(AuthResult):
    """Result of the DKIM signatures of a message: ``pass`` where one of them passed."""

    method: ClassVar[str] = "dkim"
    _blame: ClassVar[Reason | None] = Reason.DKIM_FAIL

    signatures: tuple[SignatureResult, ...] = ()
    """Each of them, the topmost first."""
    selector: str = ""
    """The selector of the signature that the result rests on."""

    @property
    def passed(self) -> tuple[SignatureResult, ...]:
        """The signatures that are good."""
        return tuple(each for each in self.signatures if each.result is AuthStatus.PASS)


@dataclass(frozen=True, eq=False, repr=False)
class DmarcResult(AuthResult):
    """Whether the author's domain stands behind a message, and what it asks for where not (RFC 9989)."""

    method: ClassVar[str] = "dmarc"

    policy: str = ""
    """Policy of the domain: ``none``, ``quarantine``, ``reject``; empty without a record."""
    disposition: str = "none"
    """Policy for this message, after ``sp=``, ``np=``, ``pct=`` and ``t=``: ``none`` for a pass."""
    policy_domain: str = ""
    """Domain at which the record was found."""
    record: str = ""
    """The record as it is published."""
    organization: str = ""
    """The organizational domain of the author's domain."""
    aligned: tuple[str, ...] = ()
    """Mechanisms that passed aligned: ``spf``, ``dkim``."""


@dataclass(frozen=True, eq=False, repr=False)
class ArcSetResult(AuthResult):
    """Result of one ARC set (RFC 8617 §5.2)."""

    method: ClassVar[str] = "arc"

    instance: int = 0
    """Its number, 1 for the first sealer."""
    claim: str = ""
    """Status of the earlier chain by the sealer, ``cv=``."""
    selector: str = ""
    seal: AuthStatus = AuthStatus.NONE
    """Result of its ARC-Seal."""
    message_signature: AuthStatus = AuthStatus.NONE
    """Result of its ARC-Message-Signature."""
    authentication: str = ""
    """Results of the sealer for the message as received: its ARC-Authentication-Results."""


@dataclass(frozen=True, eq=False, repr=False)
class ArcResult(AuthResult):
    """Result of the ARC chain of a message (RFC 8617 §5.2)."""

    method: ClassVar[str] = "arc"

    sets: tuple[ArcSetResult, ...] = ()
    """Each set, the first sealer first."""
    oldest_pass: int = 0
    """The lowest instance since which the message was not altered; 0 for all of them (RFC 8617 §5.2)."""


@dataclass(frozen=True, eq=False, repr=False)
class IprevResult(AuthResult):
    """Whether the client's address has a name that leads back to it (RFC 8601 §2.7.3)."""

    method: ClassVar[str] = "iprev"

    address: str = ""
    """The client's, in the fake internet."""
    names: tuple[str, ...] = ()
    """Result of reverse DNS; ``domain`` is the first that leads back."""


@dataclass(frozen=True, eq=False, repr=False)
class BimiResult(AuthResult):
    """Which picture the author's domain publishes for its mail (BIMI)."""

    method: ClassVar[str] = "bimi"

    selector: str = "default"
    location: str = ""
    """URI of the picture, ``l=``."""
    evidence: str = ""
    """URI of its certificate, ``a=``."""
