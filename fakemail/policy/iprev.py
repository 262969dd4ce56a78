"""Reverse DNS (RFC 8601 §2.7.3): has the client's address a name, and does the name lead back to it?"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Final

from fakemail.dns.names import reverse_name
from fakemail.policy.finding import AuthStatus
from fakemail.policy.results import IprevResult
from fakemail.policy.sender_facts import Resolve
from fakemail.policy.txt import addresses, is_conclusive, names
from fakemail.types.reason import Reason

MAX_NAMES: Final = 10
"""Of how many names the addresses are asked for (as RFC 7208 §4.6.4 has it for PTR)."""


def check_iprev(address: str, resolve: Resolve) -> IprevResult:
    """Look an address up, and the names that it has."""
    reverse = reverse_name(address)
    answer = resolve(reverse, "PTR")
    found = names(answer, "PTR")
    trace = [f"PTR {reverse}: {', '.join(found) or answer.kind}"]
    if not is_conclusive(answer):
        return _failed(address, f"the name of {address} could not be looked up: {answer.kind}", found, trace)
    if not found:
        # RFC 8601 §2.7.3: "permerror" is for an address without PTR data.
        return IprevResult(
            AuthStatus.PERMERROR, f"{address} has no name in reverse DNS", trace=tuple(trace), address=address
        )
    type = "AAAA" if ":" in address else "A"
    wanted = ip_address(address)
    unresolved = ""
    for name in found[:MAX_NAMES]:
        answer = resolve(name, type)
        back = addresses(answer, type)
        trace.append(f"{type} {name}: {', '.join(back) or answer.kind}")
        if not is_conclusive(answer):
            unresolved = f"the addresses of {name} could not be looked up: {answer.kind}"
        elif any(_is_same(each, wanted) for each in back):
            why = f"{address} has the name {name}, which leads back to it"
            return IprevResult(AuthStatus.PASS, why, name, trace=tuple(trace), address=address, names=found)
    if unresolved:
        return _failed(address, unresolved, found, trace)
    shown = ", ".join(found[:3])
    return IprevResult(
        AuthStatus.FAIL,
        f"{address} has the name {shown}, which does not lead back to it",
        found[0],
        trace=tuple(trace),
        address=address,
        names=found,
    )


def _failed(address: str, why: str, found: tuple[str, ...], trace: list[str]) -> IprevResult:
    return IprevResult(
        AuthStatus.TEMPERROR,
        why,
        reason=Reason.DNS_TEMPORARY,
        trace=tuple(trace),
        address=address,
        names=found,
    )


def _is_same(text: str, wanted: object) -> bool:
    try:
        return ip_address(text) == wanted
    except ValueError:
        return False
