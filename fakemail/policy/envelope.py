"""Checks of the envelope: the sender, the recipients, how much of them comes, and greylisting."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from ipaddress import ip_address, ip_network
from typing import Final, NamedTuple

from fakemail.model.policy import Disposition, Policy, RateLimit
from fakemail.policy.blocklists import domain_name, look_up
from fakemail.policy.chain import Check
from fakemail.policy.finding import AuthStatus, Finding
from fakemail.policy.greylist import triplet
from fakemail.policy.sender_facts import Resolve
from fakemail.policy.transaction_facts import TransactionFacts
from fakemail.policy.txt import addresses, is_conclusive, names
from fakemail.types.address import Address, NullPath, address_key
from fakemail.types.domains import a_labels
from fakemail.types.reason import Reason
from fakemail.types.stage import Stage

# The sender -------------------------------------------------------------------------------------------


def _bad_domains(facts: TransactionFacts, policy: Policy) -> Iterator[Finding]:
    """RFC 5782 §3: lists of domains are asked for the domain itself."""
    sender = facts.sender
    wanted = dict.fromkeys(
        a_labels(name)
        for name in (sender.domain if isinstance(sender, Address) else "", facts.helo)
        if "." in name and not name.startswith("[")
    )
    for zone in () if policy.rhsbl is None else policy.rhsbl.keys:
        for name in wanted:
            found = look_up(domain_name(name, zone), facts.resolve)
            if found.codes:
                why = f": {found.text}" if found.text else ""
                sentence = f"{name} is on {zone} ({', '.join(found.codes)}{why})"
                yield Finding("rhsbl", AuthStatus.FAIL, sentence, Reason.BLOCKLISTED, about=zone)
            elif found.failure:
                yield Finding("rhsbl", AuthStatus.TEMPERROR, f"{zone} could not be asked: {found.failure}")
            else:
                yield Finding("rhsbl", AuthStatus.PASS, f"{name} is not on {zone}", about=zone)


class MailRecords(NamedTuple):
    """Mail route of a domain by DNS (RFC 5321 §5.1)."""

    type: str
    """``MX``, without such records the type of its own address (``A``, ``AAAA``), or empty."""
    is_null: bool = False
    """Whether it says that it takes no mail (RFC 7505 §3)."""
    failure: str = ""
    """Why DNS could not say."""


def mail_records(domain: str, resolve: Resolve) -> MailRecords:
    """Mail goes to the MX records, and without them to the address of the domain itself (RFC 5321 §5.1)."""
    for type in ("MX", "A", "AAAA"):
        answer = resolve(domain, type)
        if not is_conclusive(answer):
            return MailRecords("", failure=answer.kind)
        if type == "MX" and answer.kind == "NOERROR" and not names(answer, "MX"):
            return MailRecords("", is_null=True)
        if names(answer, type) if type == "MX" else addresses(answer, type):
            return MailRecords(type)
        if answer.kind == "NXDOMAIN":
            break
    return MailRecords("")


def _sender_domain(facts: TransactionFacts, _: Policy) -> Iterator[Finding]:
    sender = facts.sender
    if not isinstance(sender, Address) or sender.domain.startswith("["):
        return
    domain = sender.domain
    found = mail_records(domain, facts.resolve)
    if found.failure:
        sentence = f"{domain} could not be looked up: {found.failure}"
        yield Finding("sender_domain", AuthStatus.TEMPERROR, sentence, Reason.SENDER_DOMAIN)
    elif found.is_null:
        # RFC 7505 §4.2: who takes no mail should not send any either.
        sentence = f"{domain} says that it takes no mail (a null MX)"
        yield Finding("sender_domain", AuthStatus.FAIL, sentence, Reason.SENDER_TAKES_NO_MAIL)
    elif found.type:
        yield Finding("sender_domain", AuthStatus.PASS, f"{domain} has {found.type} records")
    else:
        sentence = f"{domain} has neither MX nor address records"
        yield Finding("sender_domain", AuthStatus.FAIL, sentence, Reason.SENDER_DOMAIN)


def _own_domain(facts: TransactionFacts, _: Policy) -> Iterator[Finding]:
    around, sender = facts.surroundings, facts.sender
    if (
        isinstance(sender, Address)
        and sender.domain in around.homes
        and not around.is_inside
        and not facts.login
    ):
        sentence = (
            f"<{sender}> is of this host's own domain, and {facts.peer.address} is not one of its hosts"
        )
        yield Finding("own_domain", AuthStatus.FAIL, sentence, Reason.SENDER_FORGED)


def _null_sender(facts: TransactionFacts, _: Policy) -> Iterator[Finding]:
    if isinstance(facts.sender, NullPath):
        yield Finding("null_sender", AuthStatus.FAIL, "mail from <> is not taken here", Reason.NULL_SENDER)


def _null_sender_recipients(facts: TransactionFacts, policy: Policy) -> Iterator[Finding]:
    """RFC 5321 §4.5.5, §6.1: a notification goes to the one reverse-path that it is about."""
    number = len({recipient.key for recipient in facts.recipients})
    if isinstance(facts.sender, NullPath) and number > 1:
        sentence = f"a bounce is for one recipient, and not for {number}"
        yield Finding("null_sender", AuthStatus.FAIL, sentence, Reason.NULL_SENDER, about="recipients")


# How much ---------------------------------------------------------------------------------------------


RATES: Final = (
    "address_rate",
    "sender_rate",
    "domain_rate",
    "login_rate",
    "login_recipient_rate",
    "recipient_rate",
)


def counted(facts: TransactionFacts) -> Iterator[tuple[str, str, str]]:
    """Counters of a message: the keyword of each rate, for whom, and that in words."""
    yield "address_rate", facts.peer.address, facts.peer.address
    if isinstance(facts.sender, Address):
        yield "sender_rate", facts.sender.key, f"<{facts.sender}>"
        yield "domain_rate", facts.sender.domain, facts.sender.domain
    if facts.login:
        yield "login_rate", facts.login.lower(), facts.login


def _rate(keyword: str, facts: TransactionFacts, policy: Policy) -> Iterator[Finding]:
    for name, who, said in counted(facts):
        if name == keyword:
            yield from _room(facts, name, who, f"from {said}", getattr(policy, name))


def _recipient_rate(facts: TransactionFacts, policy: Policy) -> Iterator[Finding]:
    to = facts.recipient
    if to is not None:
        yield from _room(facts, "recipient_rate", to.key, f"for <{to}>", policy.recipient_rate)


def _login_recipient_rate(facts: TransactionFacts, policy: Policy) -> Iterator[Finding]:
    if facts.login:
        keyword, rate = "login_recipient_rate", policy.login_recipient_rate
        said = f"from {facts.login}"
        yield from _room(
            facts, keyword, facts.login.lower(), said, rate, what="recipient", pending=len(facts.recipients)
        )


def _room(
    facts: TransactionFacts,
    keyword: str,
    who: str,
    said: str,
    rate: RateLimit | None,
    *,
    what: str = "message",
    pending: int = 0,
) -> Iterator[Finding]:
    if rate is None:
        return
    kind = f"{keyword} of {facts.host}"
    if not facts.surroundings.throughput.has_room(kind, who, rate, now=facts.now, pending=pending):
        taken = f"1 {what}" if rate.most == 1 else f"{rate.most} {what}s"
        sentence = f"{taken} {said} {'was' if rate.most == 1 else 'were'} taken within {rate.span}"
        yield Finding(keyword, AuthStatus.POLICY, sentence, Reason.RATE_LIMITED)


def count_taken(facts: TransactionFacts, policies: Iterable[Policy], recipients: Iterable[Address]) -> None:
    """Note that a message was taken, once for each rate that any of the policies has."""
    named = list(recipients)
    whom = [*dict.fromkeys((keyword, who) for keyword, who, _ in counted(facts))]
    whom += dict.fromkeys(("recipient_rate", each.key) for each in named)
    if facts.login:
        whom += [("login_recipient_rate", facts.login.lower())] * len(named)
    rates: dict[str, list[RateLimit]] = {}
    for policy in policies:
        for keyword in RATES:
            if (rate := getattr(policy, keyword)) is not None:
                rates.setdefault(keyword, []).append(rate)
    for keyword, who in whom:
        if keyword in rates:
            kind = f"{keyword} of {facts.host}"
            facts.surroundings.throughput.count(kind, who, rates[keyword], now=facts.now)


# Greylisting ------------------------------------------------------------------------------------------


def _greylist(facts: TransactionFacts, policy: Policy) -> Iterator[Finding]:
    """RFC 6647 §2.1."""
    if policy.greylist is None or facts.recipient is None or _is_allowed(facts, policy.greylist_allow):
        return
    left = facts.surroundings.greylist.left(
        triplet(facts.peer.address, facts.sender, facts.recipient),
        now=facts.now,
        window=policy.greylist,
        retry_within=policy.greylist_retry_within,
        remember_for=policy.greylist_remember_for,
    )
    if left is not None:
        sentence = f"come back in {int(left.total_seconds())} seconds"
        yield Finding("greylist", AuthStatus.POLICY, sentence, Reason.GREYLISTED)


def _is_allowed(facts: TransactionFacts, allowed: tuple[str, ...]) -> bool:
    """Whether a client or a sender is never greylisted (RFC 6647 §5: some never come back)."""
    if not allowed:
        return False
    sender = facts.sender
    known = {facts.peer.name}
    if isinstance(sender, Address):
        known |= {sender.key, sender.domain}
    return any(address_key(each) in known or _is_in(facts.peer.address, each) for each in allowed)


def _is_in(address: str, network: str) -> bool:
    try:
        return ip_address(address) in ip_network(network, strict=False)
    except ValueError:
        return False


CHECKS: Final = (
    Check("rhsbl", Stage.SMTP_MAIL, _bad_domains, is_spared=True),
    Check("null_sender", Stage.SMTP_MAIL, _null_sender),
    Check("own_domain", Stage.SMTP_MAIL, _own_domain),
    Check("sender_domain", Stage.SMTP_MAIL, _sender_domain),
    Check("address_rate", Stage.SMTP_MAIL, partial(_rate, "address_rate"), otherwise=Disposition.DEFER),
    Check("sender_rate", Stage.SMTP_MAIL, partial(_rate, "sender_rate"), otherwise=Disposition.DEFER),
    Check("domain_rate", Stage.SMTP_MAIL, partial(_rate, "domain_rate"), otherwise=Disposition.DEFER),
    Check("login_rate", Stage.SMTP_MAIL, partial(_rate, "login_rate"), otherwise=Disposition.DEFER),
    Check("login_recipient_rate", Stage.SMTP_RCPT, _login_recipient_rate, otherwise=Disposition.DEFER),
    Check("recipient_rate", Stage.SMTP_RCPT, _recipient_rate, otherwise=Disposition.DEFER),
    Check("greylist", Stage.SMTP_RCPT, _greylist, otherwise=Disposition.DEFER, is_spared=True),
    Check("null_sender", Stage.SMTP_DATA, _null_sender_recipients),
)
