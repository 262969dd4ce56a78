"""Receiving policies as data: what the mail hosts of a domain check, and what follows from what they find.

The checks are in :mod:`fakemail.policy`; reading and writing a policy is in :mod:`fakemail.model.policy_schema`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import timedelta
from enum import StrEnum
from typing import Final, NamedTuple

from fakemail.model.content_rules import (
    CHECK_GROUPS,
    CHECK_NAMES,
    SCANNERS,
    USUAL_RULES,
    BulkSender,
    ContentRules,
    ScannerAddress,
    Thresholds,
)
from fakemail.types.dataclass import dataclass


class Disposition(StrEnum):
    """Dispositions of a finding, the mildest first. Of several the most severe counts."""

    ACCEPT = "accept"
    """Nothing but a line in the record."""
    TAG = "tag"
    """Delivered, with header fields that say what was found."""
    DELAY = "delay"
    """Taken, and delivered some time later."""
    QUARANTINE = "quarantine"
    """Delivered into the mailbox for junk."""
    DISCARD = "discard"
    """Taken, and thrown away without a word."""
    BOUNCE = "bounce"
    """Taken, and then returned to the sender."""
    DEFER = "defer"
    """Not now: a 4yz reply."""
    REFUSE = "refuse"
    """Not at all: a 5yz reply."""

    @property
    def weight(self) -> int:
        """Its place in the order."""
        return _WEIGHTS[self]

    @property
    def is_final(self) -> bool:
        """Whether the client hears of it at once, so that nothing more needs to be looked at."""
        return self in (Disposition.DEFER, Disposition.REFUSE)


_WEIGHTS: Final = {outcome: place for place, outcome in enumerate(Disposition)}

STATUSES: Final = ("fail", "softfail", "neutral", "none", "policy", "temperror", "permerror")
"""Results of a check from which something can follow (the words of RFC 8601 §2.7, ``pass`` apart)."""


@dataclass(frozen=True, slots=True)
class DispositionMap:
    """Dispositions of one check, by its finding or its result."""

    pairs: tuple[tuple[str, Disposition], ...]
    fails_open: bool = False
    """Whether nothing follows where it could not be found out, as for lists in the DNS."""

    @property
    def keys(self) -> tuple[str, ...]:
        """Subjects that it names: the zones of lists, for example."""
        return tuple(key for key, _ in self.pairs)

    def of(self, status: str, about: str) -> Disposition:
        """The outcome for a finding: first by what it is about, then by its status.

        What could not be looked up (``temperror``) defers where it would otherwise be rejected.
        """
        if status == "pass":
            return Disposition.ACCEPT
        for key, outcome in self.pairs:
            if key == about:
                return outcome
        for key, outcome in self.pairs:
            if key == status or (key == "fail" and status == "policy"):
                return outcome
        is_strict = not self.fails_open and any(outcome.is_final for _, outcome in self.pairs)
        return Disposition.DEFER if status == "temperror" and is_strict else Disposition.ACCEPT


class RateLimit(NamedTuple):
    """So many in any span of that length."""

    most: int
    span: timedelta

    def __str__(self) -> str:
        return f"{self.most} in {self.span}"


HONOUR: Final = DispositionMap(
    (
        ("reject", Disposition.REFUSE),
        ("quarantine", Disposition.QUARANTINE),
        ("temperror", Disposition.ACCEPT),  # nobody has asked for anything then
    )
)
"""Dispositions that the sender's own DMARC policy asks for, and nothing beyond (RFC 9989 §5)."""


SCANNED: Final = DispositionMap(
    (
        ("spamassassin", Disposition.QUARANTINE),
        ("rspamd", Disposition.QUARANTINE),
        ("clamav", Disposition.REFUSE),
    )
)
"""Spam goes aside, a virus is not taken."""


class CheckSwitch(NamedTuple):
    """Declaration of a check that a word turns on."""

    keys: tuple[str, ...]
    """Possible findings or results: the keys of a table of words."""
    words: Mapping[str, DispositionMap]
    """Value that stands for a whole table."""
    is_listed: bool
    """Whether the lists that it looks at turn it on."""


def _asks(
    *keys: str, words: Mapping[str, DispositionMap] | None = None, is_listed: bool = False
) -> dict[str, CheckSwitch]:
    return {"asks": CheckSwitch(keys or STATUSES, words or {}, is_listed)}


@dataclass(frozen=True, slots=True)
class Policy:
    """The checks of a domain; nothing but DMARC is checked unless it is asked for."""

    # Who is connecting
    dnsbl: DispositionMap | None = field(default=None, metadata=_asks(is_listed=True))
    """Lists of bad addresses in the DNS (RFC 5782): their zones, or each zone with what follows from being listed."""
    dnswl: tuple[str, ...] = ()
    """Lists of good addresses: their clients are exempt from the checks of the client and from greylisting."""
    ptr: DispositionMap | None = field(default=None, metadata=_asks("missing", "mismatch", "temperror"))
    """The client's address needs a name that leads back to it (FCrDNS, RFC 8601 §3)."""
    helo: DispositionMap | None = field(
        default=None, metadata=_asks("bare_address", "not_fqdn", "unknown_host", "own_name", "temperror")
    )
    """Dispositions of mistakes in the client's HELO name."""
    max_connections: int | None = None
    """At the same time from one address; the next one gets 421."""
    connection_rate: RateLimit | None = None
    """New connections from one address; the next one gets 421."""
    address_rate: RateLimit | None = None
    """Messages from one address; then MAIL gets 450."""
    greylist: timedelta | None = None
    """Delay before a second try of an unknown sender is accepted (RFC 6647)."""
    greylist_retry_within: timedelta = timedelta(days=2)
    """A sender that comes back later than that starts anew."""
    greylist_remember_for: timedelta = timedelta(days=36)
    """Time for which a sender that came back is known, counted from the last message."""
    greylist_allow: tuple[str, ...] = ()
    """Exempt from greylisting: addresses and networks of clients, and addresses and domains of senders."""

    # The envelope
    rhsbl: DispositionMap | None = field(default=None, metadata=_asks(is_listed=True))
    """Lists of bad domains in the DNS: the sender's and the one of HELO are looked up (RFC 5782 §2.3)."""
    sender_domain: DispositionMap | None = field(default=None, metadata=_asks("fail", "temperror"))
    """The sender's domain has to take mail: an MX record, or an address."""
    sender_rate: RateLimit | None = None
    """Messages from one sender; then MAIL gets 450."""
    domain_rate: RateLimit | None = None
    """Messages from one sender's domain; then MAIL gets 450."""
    own_domain: DispositionMap | None = field(default=None, metadata=_asks("fail"))
    """A sender of this domain who comes from outside."""
    null_sender: DispositionMap | None = field(default=None, metadata=_asks("fail", "recipients"))
    """Mail from the null sender, also (``recipients``) to more than one: a bounce has one (RFC 5321 §4.5.5)."""
    login_rate: RateLimit | None = None
    """Messages that one account submits; then MAIL gets 450."""
    login_recipient_rate: RateLimit | None = None
    """Recipients of all messages that one account submits; then RCPT gets 450."""
    recipient_rate: RateLimit | None = None
    """Messages to one recipient; then RCPT gets 450."""
    unknown_user: Disposition = Disposition.REFUSE
    """Unknown recipient: refused at RCPT, or taken first and then bounced or discarded."""

    # Sender authentication
    spf: DispositionMap | None = field(default=None, metadata=_asks())
    """SPF (RFC 7208) of the sender's domain, or of the HELO name for mail from the null sender."""
    dkim: DispositionMap | None = field(default=None, metadata=_asks())
    """DKIM (RFC 6376): ``fail`` where no signature holds, ``none`` where there is none."""
    dmarc: DispositionMap | None = field(
        default=HONOUR,
        metadata=_asks(
            "reject", "quarantine", "fail", "none", "temperror", "permerror", words={"honour": HONOUR}
        ),
    )
    """DMARC (RFC 9989): ``honour`` does what the sender's own policy asks for; or what follows from a failure under
    the policy ``reject``, under ``quarantine``, under any (``fail``), and where there is no policy (``none``). A table
    stands in place of ``honour``: what it does not name is accepted."""
    trusted_arc_signers: tuple[str, ...] = ()
    """Domains whose ARC seals are believed, with those below them: mail that fails DMARC is taken all the same if its
    chain is whole, all who sealed it are among them, and the first of them found that it passed (RFC 8617 §7.2)."""
    authentication_results: bool = False
    """Write an Authentication-Results field (RFC 8601) into what is delivered."""
    received_spf: bool = False
    """Write a Received-SPF field (RFC 7208 §9.1) into what is delivered."""

    # Content
    content: DispositionMap | None = field(default=None, metadata=_asks(*CHECK_NAMES, *CHECK_GROUPS))
    """Dispositions of content checks, by the name of the check or of its group; a word alone is for all."""
    spam: Thresholds | None = None
    """From how many points of all those checks together a message is tagged, quarantined or refused."""
    content_rules: ContentRules = USUAL_RULES
    """The limits, lists and points that those checks go by."""
    scanners: tuple[ScannerAddress, ...] = ()
    """Real scanners on this machine that are asked about each message."""
    scan: DispositionMap | None = field(default=SCANNED, metadata=_asks(*SCANNERS, "temperror"))
    """Dispositions where a scanner finds spam or a virus, by its name, and where it does not answer (``temperror``)."""
    bulk_sender: BulkSender | None = None
    """The rules of a large receiver for bulk senders."""

    # What follows
    subject_tag: str = ""
    """Prefix for the subject of a tagged message, such as ``[SPAM]``."""
    delay: timedelta = timedelta(hours=1)
    """After how long a delayed message is delivered."""


DEFAULT_POLICY: Final = Policy()
SUBMISSION_POLICY: Final = Policy(dmarc=None)
"""Policy for mail that is submitted: it is not signed yet, and its sender is known by the login."""
