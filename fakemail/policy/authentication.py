"""All that can be found out about who sent a message: each check is made when it is first looked at, and once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Final

from fakemail.policy.dmarc import DmarcCheck
from fakemail.policy.dmarc_record import Discovery, Method
from fakemail.policy.finding import AuthStatus
from fakemail.policy.results import (
    ArcResult,
    ArcSetResult,
    AuthResult,
    BimiResult,
    DkimResult,
    DmarcResult,
    IprevResult,
    SignatureResult,
    SpfResult,
)
from fakemail.policy.sender_facts import Resolve, SenderFacts
from fakemail.policy.txt import texts
from fakemail.types.domains import a_labels
from fakemail.types.reason import Reason
from fakemail.types.suggestions import Suggests

if TYPE_CHECKING:
    from fakemail.dkim.dkim_verify import SignatureCheck, SignedMessage
    from fakemail.dkim.key_record import LookUp


class SenderAuthentication(Suggests):
    """Results of SPF, DKIM, DMARC, ARC, reverse DNS and BIMI for one message.

    The answers are those of the DNS and of the clock at the time of receipt. Compare each with its word:
    ``mail.auth.spf == "pass"``; print one to see why.
    """

    def __init__(
        self,
        facts: SenderFacts,
        *,
        method: Method = Method.TREE_WALK,
        own_suffixes: Collection[str] = (),
        draw: Callable[[], int] = lambda: 0,
    ) -> None:
        """``facts`` may still grow until :func:`freeze`; ``draw`` gives numbers from 0 to 99."""
        self._facts = facts
        self._method = method
        self._own_suffixes = own_suffixes
        self._draw = draw

    # Each of them imports what it needs, since most mail is never looked at.

    @cached_property
    def spf(self) -> SpfResult:
        """Whether the client may send for the domain of the reverse-path (RFC 7208)."""
        from fakemail.policy.spf import check_spf

        return check_spf(self._facts)

    @cached_property
    def iprev(self) -> IprevResult:
        """Whether the client's address has a name that leads back to it (RFC 8601 §2.7.3)."""
        from fakemail.policy.iprev import check_iprev

        return check_iprev(self._facts.peer.address, self._facts.resolve)

    @cached_property
    def dkim(self) -> DkimResult:
        """Whether a signature of the message is good (RFC 6376); ``.signatures`` has each of them."""
        from fakemail.dkim.dkim_verify import verify

        steps: list[str] = []
        found = verify(self._signed, self._look_up(steps), self._facts.now)
        return _of_signatures([_of_signature(each) for each in found], tuple(steps), self._authors)

    @cached_property
    def dmarc(self) -> DmarcResult:
        """Whether the author's domain stands behind the message, and what it asks for if not (RFC 9989)."""
        if not self._dmarc.published:
            # There is no author, so that nothing else matters.
            return self._dmarc.evaluate(SpfResult(AuthStatus.NONE), DkimResult(AuthStatus.NONE), self._draw)
        return self._dmarc.evaluate(self.spf, self.dkim, self._draw)

    @cached_property
    def arc(self) -> ArcResult:
        """Result of the ARC chain of the message (RFC 8617)."""
        from fakemail.dkim.arc_verify import verify_chain

        steps: list[str] = []
        chain = verify_chain(self._signed, self._look_up(steps))
        sets = tuple(
            ArcSetResult(
                AuthStatus.PASS if each.seal == each.message_signature == "pass" else AuthStatus.FAIL,
                each.sentence,
                each.domain,
                instance=each.instance,
                claim=each.claim,
                selector=each.selector,
                seal=AuthStatus(each.seal),
                message_signature=AuthStatus(each.message_signature),
                authentication=each.authentication,
            )
            for each in chain.sets
        )
        sealer = sets[-1].domain if sets else ""
        return ArcResult(
            AuthStatus(chain.result),
            chain.sentence,
            sealer,
            trace=tuple(steps),
            sets=sets,
            oldest_pass=chain.oldest_pass,
        )

    @cached_property
    def bimi(self) -> BimiResult:
        """Which picture the author's domain publishes for its mail."""
        from fakemail.policy.bimi import check_bimi

        return check_bimi(self._facts.message, self.dmarc, self._discovery)

    def __iter__(self) -> Iterator[AuthResult]:
        return (getattr(self, name) for name in METHODS)

    def __len__(self) -> int:
        return len(METHODS)

    def __str__(self) -> str:
        return "\n".join(result.describe() for result in self)

    def __repr__(self) -> str:
        words = " ".join(f"{name}={getattr(self, name)}" for name in ("spf", "dkim", "dmarc"))
        return f"<auth {words}>"

    # Inside --------------------------------------------------------------------------------------

    @cached_property
    def _signed(self) -> SignedMessage:
        from fakemail.dkim.dkim_verify import SignedMessage

        return SignedMessage(self._facts.content)

    @cached_property
    def _discovery(self) -> Discovery:
        return Discovery(self._facts.resolve, self._method, self._own_suffixes)

    @cached_property
    def _dmarc(self) -> DmarcCheck:
        return DmarcCheck(self._facts.message, self._discovery)

    @property
    def _authors(self) -> tuple[str, ...]:
        return self._dmarc.domains

    def _look_up(self, steps: list[str]) -> LookUp:
        """Key look-up, each key once, with a note of each answer."""
        from fakemail.dkim.key_record import TxtAnswer

        known: dict[str, TxtAnswer] = {}

        def look_up(name: str) -> TxtAnswer:
            if name not in known:
                answer = self._facts.resolve(name, "TXT")
                found = known[name] = TxtAnswer(answer.kind, texts(answer))
                shown = ", ".join(f'"{_short(text)}"' for text in found.texts) or answer.kind
                steps.append(f"TXT {name}: {shown}")
            return known[name]

        return look_up


METHODS: Final = ("spf", "dkim", "dmarc", "arc", "iprev", "bimi")
"""Checks in the order of their report."""


def freeze(found: SenderAuthentication, resolve: Resolve) -> None:
    """Keep the facts as they are now, whatever becomes of the connection they came from.

    ``resolve`` answers from now on as the DNS would have done now.
    """
    found._facts = replace(found._facts, resolve=resolve)
    if "_discovery" in found.__dict__:
        found._discovery.resolve = resolve


def complete(found: SenderAuthentication) -> None:
    """Make every check now, before the world changes."""
    for name in METHODS:
        getattr(found, name)


def made(found: SenderAuthentication) -> tuple[AuthResult, ...]:
    """The results of the checks that have been made."""
    return tuple(found.__dict__[name] for name in METHODS if name in found.__dict__)


def may_be_enforced(found: SenderAuthentication) -> bool:
    """Whether the author's domain asks for more than reports: a question or two to the DNS."""
    return found._dmarc.may_be_enforced


def asks_for_reports(found: SenderAuthentication) -> bool:
    """Whether the author's domain asks for reports about its mail (``rua=``, ``ruf=``)."""
    records = (each.record for each in found._dmarc.published)
    return any(record is not None and (record.rua or record.ruf) for record in records)


def _short(text: bytes) -> str:
    shown = text.decode("latin-1")
    return shown if len(shown) <= 80 else f"{shown[:60]}...{shown[-16:]}"


_BLAME: Final = {AuthStatus.TEMPERROR: Reason.DNS_TEMPORARY, AuthStatus.PASS: None, AuthStatus.NONE: None}
# Which of several signatures that are not good the message is evaluated by: the one that may yet be, first.
_TELLING: Final = (
    AuthStatus.TEMPERROR,
    AuthStatus.FAIL,
    AuthStatus.POLICY,
    AuthStatus.NEUTRAL,
    AuthStatus.PERMERROR,
)


def _of_signature(found: SignatureCheck) -> SignatureResult:
    status = AuthStatus(found.result)
    return SignatureResult(
        status,
        found.sentence,
        a_labels(found.domain),
        _BLAME.get(status, Reason.DKIM_FAIL),
        selector=found.selector,
        identity=found.identity,
        algorithm=found.algorithm,
        signed=found.signed,
        length=found.length,
        is_testing=found.is_testing,
        signature=found.value[:8],
    )


def _of_signatures(
    found: list[SignatureResult], steps: tuple[str, ...], authors: tuple[str, ...]
) -> DkimResult:
    """The result for the message: of good signatures that of an author's domain, or the first."""
    if not found:
        return DkimResult(AuthStatus.NONE, "there is no DKIM signature in it")
    good = [each for each in found if each.result is AuthStatus.PASS]
    good.sort(key=lambda each: each.domain not in authors)
    chosen = good[0] if good else min(found, key=lambda each: _TELLING.index(each.result))
    others = "" if len(found) == 1 else f" ({len(good)} of {len(found)} signatures are good)"
    notes = [
        f"{each.domain or 'a signature'} ({each.selector}): {each.result}, {each.sentence}" for each in found
    ]
    return DkimResult(
        chosen.result,
        chosen.sentence + others,
        chosen.domain,
        chosen.reason,
        (*steps, *notes),
        signatures=tuple(found),
        selector=chosen.selector,
    )
