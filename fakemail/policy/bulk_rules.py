"""Rules for bulk senders: a table, each row of which looks at one message.

Which receiver asks for what, and what it does about it, is in :mod:`fakemail.policy.bulk_receivers`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from types import MappingProxyType
from typing import Final, NamedTuple

from fakemail.message.decoding import unfold
from fakemail.model.content_rules import ContentRules
from fakemail.model.policy import RateLimit
from fakemail.policy.authentication import SenderAuthentication
from fakemail.policy.content import form
from fakemail.policy.content.content_view import ContentView
from fakemail.policy.finding import AuthStatus
from fakemail.policy.results import AuthResult
from fakemail.policy.suffixes import registered_domain
from fakemail.policy.transaction_facts import TransactionFacts
from fakemail.types.dataclass import dataclass
from fakemail.types.domains import a_labels
from fakemail.types.reason import Reason

# RFC 2369 §3.2: URLs in angle brackets.
_URL: Final = re.compile(r"<\s*([^<>\s]+)\s*>")
# RFC 8058 §3.1: the only value that there is.
_POST: Final = re.compile(r"\s*List-Unsubscribe\s*=\s*One-Click\s*", re.IGNORECASE)
_UNSUBSCRIBE: Final = re.compile(
    r"unsubscrib|opt[ -]?out|manage (?:your )?(?:preferences|subscription)|abbestell|abmeld|d[ée]sabonn|"
    r"desinscri|darse de baja|cancelar (?:la )?suscripci|disiscri|afmeld|avprenumerer|wypisz",
    re.IGNORECASE,
)


class BulkMessage:
    """One message of a bulk sender."""

    def __init__(
        self,
        facts: TransactionFacts,
        auth: SenderAuthentication,
        *,
        own_domains: Collection[str] = (),
        rate: RateLimit | None = None,
    ) -> None:
        self.facts = facts
        self.auth = auth
        self.own_domains = own_domains
        """The domains of the receiver."""
        self.rate = rate
        """Rate that it accepts from one address."""
        self.matter = ContentView(facts, ContentRules())

    @property
    def domain(self) -> str:
        """The domain of the author, ``""`` if there is none."""
        return a_labels(self.facts.message.sender.rpartition("@")[2])


class BulkViolation(NamedTuple):
    """Problem in words."""

    sentence: str
    status: AuthStatus = AuthStatus.FAIL


@dataclass(frozen=True, slots=True)
class BulkRule:
    """One thing that a receiver can ask for."""

    name: str
    look: Callable[[BulkMessage], BulkViolation | None]
    reason: Reason
    advice: str
    """Remedy for the sender."""

    @property
    def says(self) -> str:
        """Description of the requirement, for the reference."""
        return (self.look.__doc__ or "").strip()


# Rules -----------------------------------------------------------------------------------------------


def _not_passed(result: AuthResult) -> BulkViolation | None:
    if result.result is AuthStatus.PASS:
        return None
    status = AuthStatus.TEMPERROR if result.result is AuthStatus.TEMPERROR else AuthStatus.FAIL
    why = f": {result.sentence}" if result.sentence else ""
    return BulkViolation(f"{result.method}={result.result}{why}", status)


def _authenticated(case: BulkMessage) -> BulkViolation | None:
    """SPF or DKIM passes."""
    spf, dkim = _not_passed(case.auth.spf), _not_passed(case.auth.dkim)
    if spf is None or dkim is None:
        return None
    status = AuthStatus.TEMPERROR if AuthStatus.TEMPERROR in (spf.status, dkim.status) else AuthStatus.FAIL
    return BulkViolation(f"{spf.sentence}; {dkim.sentence}", status)


def _spf(case: BulkMessage) -> BulkViolation | None:
    """SPF passes for the domain of the reverse-path."""
    return _not_passed(case.auth.spf)


def _dkim(case: BulkMessage) -> BulkViolation | None:
    """A DKIM signature passes."""
    return _not_passed(case.auth.dkim)


def _dmarc_record(case: BulkMessage) -> BulkViolation | None:
    """The author's domain publishes a DMARC policy, ``p=none`` at least."""
    found = case.auth.dmarc
    if found.policy:
        return None
    status = AuthStatus.TEMPERROR if found.result is AuthStatus.TEMPERROR else AuthStatus.FAIL
    return BulkViolation(found.sentence or f"there is no DMARC record for {case.domain}", status)


def _alignment(case: BulkMessage) -> BulkViolation | None:
    """The author's domain is that of the SPF pass or of the DKIM pass, or belongs to it (DMARC alignment)."""
    found = case.auth.dmarc
    passed = [
        each.domain for each in (case.auth.spf, *case.auth.dkim.passed) if each.result is AuthStatus.PASS
    ]
    # Without a record nobody has said how strict to be, so it is relaxed.
    is_aligned = not found.policy and _organization(case.domain) in {_organization(each) for each in passed}
    if found.aligned or is_aligned:
        return None
    if found.result is AuthStatus.TEMPERROR:
        return BulkViolation(found.sentence, AuthStatus.TEMPERROR)
    spf = f"SPF {case.auth.spf} for {case.auth.spf.domain or 'nobody'}"
    dkim = f"DKIM {case.auth.dkim} for {case.auth.dkim.domain or 'nobody'}"
    return BulkViolation(f"the author's domain is {case.domain or 'none'}; {spf}, {dkim}")


def _organization(domain: str) -> str:
    return registered_domain(domain) or domain


def _reverse_dns(case: BulkMessage) -> BulkViolation | None:
    """The client's address has a name in reverse DNS that leads back to it."""
    return _not_passed(case.auth.iprev)


def _tls(case: BulkMessage) -> BulkViolation | None:
    """The connection is encrypted."""
    return None if case.facts.channel is not None else BulkViolation("the message came without TLS")


def _format(case: BulkMessage) -> BulkViolation | None:
    """The header is as RFC 5322 wants it: what is required is there, what may be there once is there once."""
    for check in (
        form.required_fields,
        form.duplicate_fields,
        form.from_field,
        form.date_field,
        form.header_size,
    ):
        if sentence := check(case.matter):
            return BulkViolation(sentence)
    return None


def _message_id(case: BulkMessage) -> BulkViolation | None:
    """There is a valid Message-ID."""
    sentence = form.message_id(case.matter)
    return BulkViolation(sentence) if sentence else None


def _one_author(case: BulkMessage) -> BulkViolation | None:
    """From names one address."""
    number = len(case.facts.message.from_)
    return BulkViolation(f"From names {number} addresses") if number > 1 else None


def _impersonation(case: BulkMessage) -> BulkViolation | None:
    """The author's domain is not the receiver's own, unless DMARC passes."""
    if case.domain not in case.own_domains or case.auth.dmarc.result is AuthStatus.PASS:
        return None
    return BulkViolation(
        f"From names {case.domain}, which is the receiver's own domain, and DMARC does not pass"
    )


def _unsubscribe(case: BulkMessage) -> BulkViolation | None:
    """There is a List-Unsubscribe field with a link that can be followed or written to (RFC 2369)."""
    if any(url.startswith(("https:", "http:", "mailto:")) for url in _list_unsubscribe(case)):
        return None
    return BulkViolation("there is no List-Unsubscribe field with a link")


def _one_click(case: BulkMessage) -> BulkViolation | None:
    """One click unsubscribes (RFC 8058): an https link, List-Unsubscribe-Post, and a DKIM signature over both."""
    if not any(url.startswith("https:") for url in _list_unsubscribe(case)):
        return BulkViolation("there is no List-Unsubscribe field with an https link")
    post = case.facts.message.headers.first("List-Unsubscribe-Post")
    if post is None:
        return BulkViolation("there is no List-Unsubscribe-Post field")
    if _POST.fullmatch(unfold(post.raw)) is None:
        return BulkViolation("List-Unsubscribe-Post does not say List-Unsubscribe=One-Click")
    wanted = {"list-unsubscribe", "list-unsubscribe-post"}
    for signature in case.auth.dkim.signatures:  # RFC 8058 §4: both have to be covered
        if signature.result is AuthStatus.PASS and wanted <= {name.lower() for name in signature.signed}:
            return None
    return BulkViolation("no DKIM signature that passes covers List-Unsubscribe and List-Unsubscribe-Post")


def _unsubscribe_link(case: BulkMessage) -> BulkViolation | None:
    """There is a link in the text by which people can unsubscribe."""
    links = case.matter.links
    if any(_UNSUBSCRIBE.search(link.text) or _UNSUBSCRIBE.search(link.url) for link in links):
        return None
    return BulkViolation("no link in the text says that it unsubscribes")


def _rate(case: BulkMessage) -> BulkViolation | None:
    """No more comes from one address than the receiver takes."""
    rate, facts = case.rate, case.facts
    if rate is None:
        return None
    throughput, address = facts.surroundings.throughput, facts.peer.address
    if throughput.has_room("bulk_sender", address, rate, now=facts.now):
        throughput.count("bulk_sender", address, (rate,), now=facts.now)
        return None
    return BulkViolation(f"{address} has sent {rate.most} messages in {rate.span}")


def _list_unsubscribe(case: BulkMessage) -> list[str]:
    return [url.lower() for url in _URL.findall(case.facts.message.headers.get("List-Unsubscribe", ""))]


_TABLE: Final = (
    BulkRule(
        "authenticated",
        _authenticated,
        Reason.UNAUTHENTICATED,
        "publish SPF for the domain of the reverse-path; sign with DKIM",
    ),
    BulkRule(
        "spf",
        _spf,
        Reason.SPF_REQUIRED,
        "let the SPF record of the reverse-path's domain name the hosts that send",
    ),
    BulkRule("dkim", _dkim, Reason.DKIM_REQUIRED, "sign with DKIM, and publish the key"),
    BulkRule(
        "dmarc_record",
        _dmarc_record,
        Reason.DMARC_REQUIRED,
        "publish v=DMARC1; p=none at _dmarc below the author's domain",
    ),
    BulkRule(
        "alignment",
        _alignment,
        Reason.NOT_ALIGNED,
        "sign with a DKIM key of the author's domain, or use that domain in the reverse-path",
    ),
    BulkRule(
        "reverse_dns",
        _reverse_dns,
        Reason.REVERSE_DNS_REQUIRED,
        "give the sending address a PTR record, and the name in it that address",
    ),
    BulkRule("tls", _tls, Reason.TLS_REQUIRED, "use STARTTLS"),
    BulkRule(
        "format", _format, Reason.BAD_HEADER, "write every field that is required, and each of them once"
    ),
    BulkRule("message_id", _message_id, Reason.BAD_HEADER, "write a Message-ID such as <unique@your.domain>"),
    BulkRule("one_author", _one_author, Reason.BAD_HEADER, "write one address into From"),
    BulkRule(
        "impersonation", _impersonation, Reason.IMPERSONATION, "write an address of your own domain into From"
    ),
    BulkRule("unsubscribe", _unsubscribe, Reason.UNSUBSCRIBE_REQUIRED, "write a List-Unsubscribe field"),
    BulkRule(
        "one_click",
        _one_click,
        Reason.UNSUBSCRIBE_REQUIRED,
        "write List-Unsubscribe with an https link, List-Unsubscribe-Post: List-Unsubscribe=One-Click, and sign both",
    ),
    BulkRule(
        "unsubscribe_link",
        _unsubscribe_link,
        Reason.UNSUBSCRIBE_REQUIRED,
        "put a link into the text that says that it unsubscribes",
    ),
    BulkRule("rate", _rate, Reason.RATE_LIMITED, "send more slowly, and raise the volume step by step"),
)
RULES: Final = MappingProxyType({rule.name: rule for rule in _TABLE})
"""Every rule by name."""
