"""SPF (RFC 7208): may this client send for that domain? The only door to spftrace.

spftrace reads records and follows them. Our part is where its answers come from (the fake DNS, at once and
without an event loop), what time it is, the explanation of the domain, and the words. For that two of its classes are
extended at places that its next version may move, so the version is held where it is declared.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine, Mapping
from types import MappingProxyType
from typing import Any, Final, TypeVar

from spftrace import BaseResolver, DnsError, DnsQueryRecord, EvaluationSession, Evaluator, Event, Limits
from spftrace import parser as spftrace_parser
from spftrace.errors import SpfError
from spftrace.macros import MacroContext, expand, truncate_domain
from spftrace.parser import Term
from spftrace.trace import Trace

from fakemail.clock import datetime
from fakemail.policy.finding import AuthStatus
from fakemail.policy.results import SpfResult
from fakemail.policy.sender_facts import Resolve, SenderFacts
from fakemail.policy.txt import addresses, is_conclusive, names, texts
from fakemail.types.address import Address
from fakemail.types.domains import a_labels
from fakemail.types.reason import Reason

_T = TypeVar("_T")


class _Re:
    """``re`` for spftrace's parser, which gives ``maxsplit`` by position: Python 3.13 and later warn of that at each
    record, and where warnings are errors the check would end in one."""

    def __getattr__(self, name: str) -> Any:
        return getattr(re, name)

    def split(self, pattern: str, text: str, maxsplit: int = 0) -> list[str | Any]:
        return re.split(pattern, text, maxsplit=maxsplit)


vars(spftrace_parser)["re"] = _Re()

# RFC 7208 §7.2: "t" is the current timestamp; digits and "r" change nothing of a value without a dot.
_TIMESTAMP: Final = re.compile(r"%\{[tT]\d{0,3}[rR]?[.\-+,/_=]*\}")
_LONGEST_EXPLANATION: Final = 1000
"""Characters; what a stranger has to say goes into a reply."""


def check_spf(facts: SenderFacts) -> SpfResult:
    """Check the domain of the reverse-path, or the HELO name where the reverse-path is null (RFC 7208 §2.4)."""
    sender = facts.sender
    identity = "mailfrom" if isinstance(sender, Address) else "helo"
    # §4.3: a name with letters beyond ASCII is asked for as the DNS has it.
    domain = a_labels(sender.domain if isinstance(sender, Address) else facts.helo)
    who = f"{sender.local if isinstance(sender, Address) else 'postmaster'}@{domain}"
    evaluator = _Evaluator(facts)
    if not domain:
        # §4.3: no domain to ask about.
        return SpfResult(
            AuthStatus.NONE, "there is neither a reverse-path nor a HELO name to check", identity=identity
        )
    try:
        found = _finish(evaluator.evaluate(facts.peer.address, who, facts.helo))
    except (ValueError, RecursionError) as error:
        # A number of thousands of digits, or such: nothing that a record may hold (§4.6).
        status, steps, explanation = AuthStatus.PERMERROR, list(evaluator.trace.events), ""
        why = f"the SPF record of {domain} cannot be read: {str(error)[:200]}"
    else:
        status, steps, explanation = AuthStatus(found.result), found.trace.events, found.explanation or ""
        why = _sentence(status, facts.peer.address, domain, steps)
    return SpfResult(
        status,
        why,
        domain,
        _REASONS.get(status),
        tuple(line for step in steps if (line := _trace_line(step))),
        identity=identity,
        sender=who,
        explanation=explanation,
        mechanism=_decided_by(steps),
    )


_REASONS: Final = MappingProxyType(
    {
        AuthStatus.FAIL: Reason.SPF_FAIL,
        AuthStatus.SOFTFAIL: Reason.SPF_FAIL,
        AuthStatus.PERMERROR: Reason.SPF_ERROR,
        AuthStatus.TEMPERROR: Reason.DNS_TEMPORARY,
    }
)


def _finish(work: Coroutine[Any, Any, _T]) -> _T:
    """The outcome of a coroutine that never waits, since nothing that it asks does."""
    try:
        work.send(None)
    except StopIteration as end:
        value: _T = end.value
        return value
    work.close()
    raise RuntimeError("an SPF check waited for something, which nothing in it may do")


class _SpfDnsSession(EvaluationSession):
    """The DNS of one check: asked at once, and counted as RFC 7208 §4.6.4 says."""

    def __init__(self, resolve: Resolve, limits: Limits, trace: Trace) -> None:
        super().__init__(BaseResolver(), limits, trace)
        self._resolve = resolve

    async def query(self, name: str, rtype: str) -> tuple[str, list[str]]:
        key = (a_labels(name), rtype)
        known = self._cache.get(key)
        if known is not None:
            return known
        self.network_queries += 1
        answer = self._resolve(name, rtype)
        if rtype == "TXT":
            found = [text.decode("latin-1") for text in texts(answer)]
        elif rtype in ("MX", "PTR"):
            found = list(names(answer, rtype))
        else:
            found = list(addresses(answer, rtype))
        rcode = "NXDOMAIN" if answer.kind == "NXDOMAIN" else "NOERROR"
        # §4.6.4: a void look-up is one that ends in NXDOMAIN, or in no records.
        void = is_conclusive(answer) and not found and not self._void_exempt
        self.limits.void_used += void
        self.queries.append(DnsQueryRecord(name, rtype, answer.kind, found, 0.0, void))
        if rtype != "TXT" or not is_conclusive(answer):
            self._note("dns_lookup", name=name, rtype=rtype, rcode=answer.kind, answers=found)
        if void:
            self._note("void_lookup", used=self.limits.void_used, allowed=self.limits.max_void)
            self._enforce_void(name)
        if not is_conclusive(answer):
            raise DnsError(f"the question for {rtype} of {name} ended in {answer.kind}")
        self._cache[key] = (rcode, found)
        return rcode, found


class _Evaluator(Evaluator):
    """One check of one transaction."""

    def __init__(self, facts: SenderFacts) -> None:
        self._resolve = facts.resolve
        self._now: datetime = facts.now
        # Time stands still, and ten terms of the record bound the questions: no other limit is needed.
        super().__init__(
            BaseResolver(), Limits(time_limit=float("inf"), max_queries=None), receiver=facts.host
        )

    def _begin(self) -> None:
        super()._begin()
        self.session = _SpfDnsSession(self._resolve, self.limits, self.trace)

    async def _explanation(self, ip: Any, domain: str, sender: str, helo: str, exp_term: Term) -> str | None:
        """RFC 7208 §6.2: the text that ``exp=`` names; none where anything is wrong with it."""
        context = MacroContext(ip, sender, helo, domain, self.receiver, self.session)
        try:
            with self.session.void_exempt():
                target = truncate_domain(await expand(exp_term.arg or "", context))
                _, found = await self.session.query(target, "TXT")
                if len(found) != 1:
                    return None
                text = _TIMESTAMP.sub(str(int(self._now.timestamp())), found[0])
                # explain-string = *( macro-string / SP ): the words are expanded one by one.
                words = [await expand(word, context, exp=True) for word in text.split(" ")]
        except (SpfError, DnsError, ValueError):
            return None
        # §6.2: what it says goes into a reply, so it has to be ASCII.
        said = " ".join(words)[:_LONGEST_EXPLANATION]
        return said if said.isascii() and said.isprintable() else None


# Words -------------------------------------------------------------------------------------------


def _decided_by(steps: list[Event]) -> str:
    """The outermost term that matched; those inside an include only tell whether that matches."""
    matched = [step for step in steps if step.kind == "mech_match"]
    return str(matched[-1].data["raw"]) if matched else ""


def _sentence(status: AuthStatus, address: str, domain: str, steps: list[Event]) -> str:
    last = [step for step in steps if step.kind == "exit"]
    if last:
        why = str(last[-1].data["reason"])
        if why.startswith("malformed domain"):
            return f"{domain!r} is no domain name that could publish an SPF record"
        return _EXITS.get(status, "{why}").format(domain=domain, why=why)
    term = _decided_by(steps)
    match status:
        case AuthStatus.PASS:
            return f"{domain} lets {address} send for it ({term})"
        case AuthStatus.FAIL:
            return f"{domain} does not let {address} send for it ({term})"
        case AuthStatus.SOFTFAIL:
            return f"{domain} rather does not let {address} send for it ({term})"
    why = f"({term})" if term else "(no term of its record matches)"
    return f"{domain} does not say whether {address} may send for it {why}"


_EXITS: Final = MappingProxyType(
    {
        AuthStatus.NONE: "{domain} publishes no SPF record",
        AuthStatus.PERMERROR: "the SPF record of {domain} is wrong: {why}",
        AuthStatus.TEMPERROR: "the SPF record of {domain} could not be evaluated now: {why}",
    }
)


def _trace_line(step: Event) -> str:
    tell = _STEPS.get(step.kind)
    return "" if tell is None else "  " * step.depth + tell(step.data)


def _answers(data: Mapping[str, Any], found: list[str]) -> str:
    if found:
        return ", ".join(found)
    return "nothing" if data["rcode"] == "NOERROR" else str(data["rcode"])


_STEPS: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = MappingProxyType(
    {
        "check_start": lambda data: f"{data['ip']} for {data['domain']}",
        "domain_invalid": lambda data: f"{data['domain']!r} is no domain name of several labels",
        "txt_lookup": lambda data: (
            f"TXT {data['domain']}: " + _answers(data, [f'"{text}"' for text in data["records"]])
        ),
        "dns_lookup": lambda data: f"{data['rtype']} {data['name']}: {_answers(data, data['answers'])}",
        "void_lookup": lambda data: f"void look-up {data['used']}, of which {data['allowed']} are allowed",
        "parse_error": lambda data: str(data["message"]),
        "mech_match": lambda data: f"{data['raw']} matches: {data['result']}",
        "mech_nomatch": lambda data: f"{data['raw']} does not match",
        "recurse_in": lambda data: f"{data['via']} {data['domain']}",
        "recurse_out": lambda data: f"{data['via']} {data['domain']} gives {data['result']}",
        "limit_exceeded": lambda data: f"more than {data['allowed']} {str(data['limit']).replace('_', ' ')}",
        "exit": lambda data: f"{data['result']}: {data['reason']}",
    }
)
