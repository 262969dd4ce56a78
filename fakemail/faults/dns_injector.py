"""Answers that have gone wrong, as faults demand: the answer first, then the message that carries it.

Pure: what was asked and what would have been answered go in, what is answered comes out. For a question without
a message it is what a client would have made of the answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Final, cast

from fakemail.dns.codec import DnsQuestion, encode_reply
from fakemail.dns.lookup import LookupAnswer, failure
from fakemail.dns.names import parent_of
from fakemail.dns.rdata import strings_to_text
from fakemail.dns.records import Record, record
from fakemail.dns.responder import DnsResponse, Transport, reply
from fakemail.dns.zones import ROOT_SOA, Zones
from fakemail.faults import actions
from fakemail.faults.action import FaultAction, Instead, OnAnswer
from fakemail.types.seeded_random import SeededRandom
from fakemail.types.write_script import Step

_TC: Final = 0x02  # of the third octet (RFC 1035 §4.1.1)
_AD: Final = 0x20  # of the fourth octet (RFC 4035 §3.2.3)
ROOT_NS: Final = Record("", "NS", 60, "a.root-servers.test.")

PATIENCE: Final = timedelta(seconds=5)
"""Time-out of hosts that wait for an answer, on their clock."""
TIMEOUT: Final = LookupAnswer("TIMEOUT", "TIMEOUT")
"""Result for a client that waits for an answer in vain."""
_MALFORMED: Final = LookupAnswer("FORMERR", "MALFORMED")


class DnsFaultInjector:
    """Carries faults out. It remembers whose turn it is where answers are given in turn."""

    def __init__(self, zones: Callable[[], Zones], random: SeededRandom) -> None:
        self._zones = zones
        self._random = random
        self._turns: Counter[tuple[FaultAction, str, str]] = Counter()

    def answer(self, action: FaultAction, name: str, type: str, answer: LookupAnswer) -> LookupAnswer:
        """Answer in place of that; the same where the fault is about the message alone."""
        records = answer.answer
        match action:
            case actions.rcode("NXDOMAIN"):
                return LookupAnswer("NXDOMAIN", "NXDOMAIN", (), self._negative(name), (), True)
            case actions.rcode(rcode):
                return failure(rcode)
            case actions.no_data():
                return self._with_records(name, type, (), 0)
            case actions.records(values, ttl):
                return self._with_records(name, type, values, ttl)
            case actions.rotate_records(sets, ttl):
                values = sets[self._turn(action, name, type) % len(sets)]
                return self._with_records(name, type, values, ttl)
            case actions.stale_answer(then):
                return cast(LookupAnswer, then(name, type))
            case actions.cname_loop():
                return _cname_loop(name)
            case actions.lame_delegation():
                return LookupAnswer("NOERROR", "REFERRAL", (), (ROOT_NS,))
            case actions.split_text(size):
                changed = [_split(each, size) if each.type in ("TXT", "SPF") else each for each in records]
            case actions.shuffle_records():
                changed = list(records)
                self._random.shuffle(changed)
            case actions.duplicate_records():
                changed = [each for each in records for _ in range(2)]
            case actions.ttl(ttl):
                changed = [Record(each.name, each.type, ttl, each.value) for each in records]
            case actions.no_additional():
                return replace(answer, additional=())
            case actions.claim_authentic():
                return replace(answer, authentic=True)
            case _:
                return answer
        return replace(answer, answer=tuple(changed))

    def resolved(self, action: FaultAction, name: str, type: str, answer: LookupAnswer) -> LookupAnswer:
        """Result for a client that gets the answer without any message."""
        if self.is_lost(action):
            return TIMEOUT
        if isinstance(action, actions.malformed_answer):
            return _MALFORMED
        if isinstance(action, actions.cname_loop | actions.lame_delegation):
            return failure("SERVFAIL")  # a resolver that follows it comes to no end, or to no server
        if isinstance(action, actions.duplicate_records):
            return answer  # RFC 2181 §5: records are read as a set
        return self.answer(action, name, type, answer)

    @staticmethod
    def is_lost(action: FaultAction) -> bool:
        """Whether a client waits in vain: for an answer that comes too late, or never, or to another question."""
        if isinstance(action, actions.delay):
            return action.span >= PATIENCE
        return isinstance(action, Instead | OnAnswer | actions.wrong_id | actions.wrong_question)

    def respond(
        self,
        action: FaultAction,
        question: DnsQuestion,
        answer: LookupAnswer,
        *,
        transport: Transport,
        is_patient: bool = True,
    ) -> DnsResponse:
        """The reply in place of the one that carries that answer; its script is what to do with it.

        For a client that is not patient it has no waits in it: what is lost to it is not sent, the rest is at once.
        """
        answer = self.answer(action, question.name, question.type, answer)
        response = reply(question, answer, transport=transport)
        wire = _changed_message(action, question, answer, response.wire, transport=transport)
        script = _script(action, wire)
        if not is_patient:
            script = () if self.is_lost(action) else (wire,)
        if not any(isinstance(step, bytes) for step in script):
            return replace(response, kind=TIMEOUT.kind, records=(), script=script)
        return replace(response, wire=wire, truncated=bool(wire[2] & _TC), script=script)

    def _negative(self, name: str) -> tuple[Record, ...]:
        """The SOA record that goes with an answer that there is nothing."""
        zone = self._zones().zone_of(name)
        return (ROOT_SOA,) if zone is None else zone.negative

    def _with_records(self, name: str, type: str, values: tuple[str, ...], ttl: int) -> LookupAnswer:
        """The answer that has these records."""
        if not values:
            return LookupAnswer("NOERROR", "NODATA", (), self._negative(name), (), True)
        made = tuple([record(name, type, value, ttl=ttl) for value in values])
        return LookupAnswer("NOERROR", "NOERROR", made, (), (), True)

    def _turn(self, action: FaultAction, name: str, type: str) -> int:
        """Number of times that this was asked before."""
        key = (action, name, type)
        self._turns[key] += 1
        return self._turns[key] - 1


def _script(action: FaultAction, wire: bytes) -> tuple[Step, ...]:
    if isinstance(action, Instead):
        return tuple(action.script())
    return tuple(action.script(wire)) if isinstance(action, OnAnswer) else (wire,)


def _changed_message(
    action: FaultAction, question: DnsQuestion, answer: LookupAnswer, wire: bytes, *, transport: Transport
) -> bytes:
    """The message in place of that one."""
    match action:
        case actions.truncate_answer() if transport == "udp":
            bare = bytearray(encode_reply(question, replace(answer, answer=(), authority=(), additional=())))
            bare[2] |= _TC
            return bytes(bare)
        case actions.wrong_id():
            return ((question.id + 1) & 0xFFFF).to_bytes(2) + wire[2:]
        case actions.wrong_question():
            other = replace(question, labels=(b"elsewhere", *question.labels[1:]), name="")
            return encode_reply(other, answer)
        case actions.malformed_answer():
            return _without_end(question, answer, wire)
        case actions.claim_authentic():
            return wire[:3] + bytes((wire[3] | _AD,)) + wire[4:]
        case _:
            return wire


def _without_end(question: DnsQuestion, answer: LookupAnswer, wire: bytes) -> bytes:
    """The header promises records, and the last of them stops in the middle."""
    if answer.answer:
        return encode_reply(replace(question, edns=None), replace(answer, authority=(), additional=()))[:-3]
    # There is no record to cut, so one is promised that does not come.
    return wire[:6] + b"\0\1" + wire[8:12] + wire[12:]


def _split(text: Record, size: int) -> Record:
    """A TXT record whose text comes in strings of so many bytes."""
    octets, strings = text.wire, b""
    at = 0
    while at < len(octets):
        strings += octets[at + 1 : at + 1 + octets[at]]
        at += 1 + octets[at]
    pieces = [strings[start : start + size] for start in range(0, len(strings), size)]
    return Record(text.name, text.type, text.ttl, strings_to_text(pieces or [b""]))


def _cname_loop(name: str) -> LookupAnswer:
    other = f"loop.{parent_of(name)}" if parent_of(name) else f"loop.{name}"
    if other == name:
        other = f"other.{name}"
    there, back = Record(name, "CNAME", 60, f"{other}."), Record(other, "CNAME", 60, f"{name}.")
    return LookupAnswer("NOERROR", "NOERROR", (there, back), (), (), True)
