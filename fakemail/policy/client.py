"""Checks of the client: rate limits, DNS lists, reverse DNS, HELO name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from fakemail.model.policy import Disposition, Policy
from fakemail.policy.blocklists import Listing, address_name, look_up
from fakemail.policy.chain import Check
from fakemail.policy.finding import AuthStatus, Finding
from fakemail.policy.transaction_facts import TransactionFacts
from fakemail.policy.txt import addresses, is_conclusive, names
from fakemail.types.domains import a_labels
from fakemail.types.peer import is_ip_address
from fakemail.types.reason import Reason
from fakemail.types.stage import Stage


def _connections(facts: TransactionFacts, policy: Policy) -> Iterator[Finding]:
    most, there = policy.max_connections, facts.surroundings.open_connections
    if most is not None and there > most:
        sentence = f"{facts.peer.address} has {there} connections, of {most} at most"
        yield Finding("max_connections", AuthStatus.POLICY, sentence, Reason.TOO_MANY_CONNECTIONS)


def _connection_rate(facts: TransactionFacts, policy: Policy) -> Iterator[Finding]:
    rate, address = policy.connection_rate, facts.peer.address
    if rate is None:
        return
    if not facts.surroundings.throughput.has_room(_connections_to(facts), address, rate, now=facts.now):
        times = "once" if rate.most == 1 else f"{rate.most} times"
        sentence = f"{address} has connected {times} within {rate.span}"
        yield Finding("connection_rate", AuthStatus.POLICY, sentence, Reason.RATE_LIMITED)


def count_connection(facts: TransactionFacts, policies: Iterable[Policy]) -> None:
    """Note that a client was let in, once for all the rates that the policies have."""
    rates = [policy.connection_rate for policy in policies if policy.connection_rate is not None]
    if rates:
        facts.surroundings.throughput.count(_connections_to(facts), facts.peer.address, rates, now=facts.now)


def _connections_to(facts: TransactionFacts) -> str:
    return f"connections to {facts.host}"


def _good_lists(facts: TransactionFacts, policy: Policy) -> Iterator[Finding]:
    address = facts.peer.address
    for zone in policy.dnswl:
        found = look_up(address_name(address, zone), facts.resolve)
        if found.codes:
            yield Finding("dnswl", AuthStatus.PASS, f"{address} is on {zone} ({_said(found)})", about=zone)
        else:
            yield Finding("dnswl", AuthStatus.NONE, f"{address} is not on {zone}", about=zone)


def _bad_lists(facts: TransactionFacts, policy: Policy) -> Iterator[Finding]:
    address = facts.peer.address
    for zone in () if policy.dnsbl is None else policy.dnsbl.keys:
        found = look_up(address_name(address, zone), facts.resolve)
        if found.codes:
            sentence = f"{address} is on {zone} ({_said(found)})"
            yield Finding("dnsbl", AuthStatus.FAIL, sentence, Reason.BLOCKLISTED, about=zone)
        elif found.failure:
            # RFC 5782 §2.1 and all practice: a list that cannot be asked lists nobody.
            yield Finding("dnsbl", AuthStatus.TEMPERROR, f"{zone} could not be asked: {found.failure}")
        else:
            yield Finding("dnsbl", AuthStatus.PASS, f"{address} is not on {zone}", about=zone)


def _said(found: Listing) -> str:
    return f"{', '.join(found.codes)}{': ' if found.text else ''}{found.text}"


def _reverse_dns(facts: TransactionFacts, _: Policy) -> Iterator[Finding]:
    """RFC 8601 §2.7.3: an address without a name is a ``permerror``, one whose name leads elsewhere a ``fail``."""
    from fakemail.policy.iprev import check_iprev  # for those only who ask for it

    found = check_iprev(facts.peer.address, facts.resolve)
    about = {AuthStatus.PERMERROR: "missing", AuthStatus.FAIL: "mismatch"}.get(found.result, "")
    status = AuthStatus.FAIL if found.result is AuthStatus.PERMERROR else found.result
    reason = Reason.NO_REVERSE_DNS if about else found.reason
    yield Finding("ptr", status, found.sentence, reason, about=about)


def _hello(facts: TransactionFacts, _: Policy) -> Iterator[Finding]:
    """RFC 5321 §2.3.5, §4.1.4: a fully qualified name, or an address literal in its brackets (§4.1.3)."""
    name = a_labels(facts.helo)
    literal = name.startswith("[") and name.endswith("]")
    if _is_own_name(facts, name) and not facts.surroundings.is_inside:
        sentence = f"{facts.peer.address} calls itself {facts.helo}, which is this host"
        yield Finding("helo", AuthStatus.FAIL, sentence, Reason.BAD_HELO, about="own_name")
    elif is_ip_address(name):
        sentence = f"{facts.helo} is an address without brackets"
        yield Finding("helo", AuthStatus.FAIL, sentence, Reason.BAD_HELO, about="bare_address")
    elif not literal and "." not in name:
        sentence = f"{facts.helo} is not a fully qualified name"
        yield Finding("helo", AuthStatus.FAIL, sentence, Reason.BAD_HELO, about="not_fqdn")
    elif literal:
        yield Finding("helo", AuthStatus.PASS, f"{facts.helo} is an address literal")
    else:
        yield _known_host(facts, name)


def _known_host(facts: TransactionFacts, name: str) -> Finding:
    for type in ("A", "AAAA", "MX"):
        answer = facts.resolve(name, type)
        if not is_conclusive(answer):
            sentence = f"{facts.helo} could not be looked up: {answer.kind}"
            return Finding("helo", AuthStatus.TEMPERROR, sentence, Reason.DNS_TEMPORARY)
        if addresses(answer, type) if type != "MX" else names(answer, type):
            return Finding("helo", AuthStatus.PASS, f"{facts.helo} exists")
        if answer.kind == "NXDOMAIN":
            break
    sentence = f"{facts.helo} has neither an address nor an MX record"
    return Finding("helo", AuthStatus.FAIL, sentence, Reason.BAD_HELO, about="unknown_host")


def _is_own_name(facts: TransactionFacts, name: str) -> bool:
    around = facts.surroundings
    bare = name.strip("[]").removeprefix("ipv6:")
    return name == facts.host or name in around.homes or bare in around.addresses


CHECKS: Final = (
    Check("max_connections", Stage.SMTP_BANNER, _connections, otherwise=Disposition.DEFER),
    Check("connection_rate", Stage.SMTP_BANNER, _connection_rate, otherwise=Disposition.DEFER),
    Check("dnswl", Stage.SMTP_BANNER, _good_lists, is_trusting=True),
    Check("dnsbl", Stage.SMTP_BANNER, _bad_lists, is_spared=True),
    Check("ptr", Stage.SMTP_BANNER, _reverse_dns, is_spared=True),
    Check("helo", Stage.SMTP_HELO, _hello, is_spared=True),
)
