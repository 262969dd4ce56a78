"""Answers that have gone wrong, as faults demand: the answer first, then the message that carries it.

Pure: what was asked and what would have been answered go in, what is answered comes out. Whoever asks without a
message is told what a client would have made of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Final, cast

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
"""How long hosts of the fake internet wait for an answer, on their clock."""
TIMEOUT: Final = LookupAnswer("TIMEOUT", "TIMEOUT")
"""What a client makes of an answer that it waits for in vain."""
_MALFORMED: Final = LookupAnswer("FORMERR", "MALFORMED")


class DnsFaultInjector:
    """Carries faults out. It remembers whose turn it is where answers are given in turn."""

    def __init__(self, zones: Callable[[], Zones], chance: SeededRandom) -> None:
        self._zones = zones
        self.chance = chance
        self._turns: Counter[tuple[FaultAction, str, str]] = Counter()

    def answer(self, action: FaultAction, name: str, type: str, answer: LookupAnswer) -> LookupAnswer:
        """What is answered in place of that; the same where the fault is about the message alone."""
        change = _ON_ANSWERS.get(action.__class__)
        return answer if change is None else change(self, action, name, type, answer)

    def resolved(self, action: FaultAction, name: str, type: str, answer: LookupAnswer) -> LookupAnswer:
        """What a client makes of the answer, without any message."""
        if self.is_lost(action):
            return TIMEOUT
        if isinstance(action, actions.malformed_answer):
            return _MALFORMED
        if isinstance(action, actions.cname_loop | actions.lame_delegation):
            return failure("SERVFAIL")  # who follows such an answer comes to no end, or to nobody
        if isinstance(action, actions.duplicate_records):
            return answer  # RFC 2181 §5: whoever reads records reads a set of them
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
        wire = spoil_message(action, question, answer, response.wire, transport=transport)
        script = _script(action, wire)
        if not is_patient:
            script = () if self.is_lost(action) else (wire,)
        if not any(isinstance(step, bytes) for step in script):
            return replace(response, kind=TIMEOUT.kind, records=(), script=script)
        return replace(response, wire=wire, truncated=bool(wire[2] & _TC), script=script)

    def negative(self, name: str) -> tuple[Record, ...]:
        """The SOA record that goes with an answer that there is nothing."""
        zone = self._zones().zone_of(name)
        return (ROOT_SOA,) if zone is None else zone.negative

    def records(self, name: str, type: str, values: tuple[str, ...], ttl: int) -> LookupAnswer:
        """The answer that has these records."""
        if not values:
            return LookupAnswer("NOERROR", "NODATA", (), self.negative(name), (), True)
        made = tuple([record(name, type, value, ttl=ttl) for value in values])
        return LookupAnswer("NOERROR", "NOERROR", made, (), (), True)

    def turn(self, action: FaultAction, name: str, type: str) -> int:
        """How often this was asked before."""
        key = (action, name, type)
        self._turns[key] += 1
        return self._turns[key] - 1


def _script(action: FaultAction, wire: bytes) -> tuple[Step, ...]:
    if isinstance(action, Instead):
        return tuple(action.script())
    return tuple(action.script(wire)) if isinstance(action, OnAnswer) else (wire,)


def spoil_message(
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


# What becomes of answers ---------------------------------------------------------------------------------

_Change = Callable[[DnsFaultInjector, Any, str, str, LookupAnswer], LookupAnswer]


def _rcode(
    spoiler: DnsFaultInjector, action: actions.rcode, name: str, type: str, answer: LookupAnswer
) -> LookupAnswer:
    if action.rcode == "NXDOMAIN":
        return LookupAnswer("NXDOMAIN", "NXDOMAIN", (), spoiler.negative(name), (), True)
    return failure(action.rcode)


def _no_data(
    spoiler: DnsFaultInjector, action: actions.no_data, name: str, type: str, answer: LookupAnswer
) -> LookupAnswer:
    return spoiler.records(name, type, (), 0)


def _given(
    spoiler: DnsFaultInjector, action: actions.records, name: str, type: str, answer: LookupAnswer
) -> LookupAnswer:
    return spoiler.records(name, type, action.values, action.ttl)


def _in_turn(
    spoiler: DnsFaultInjector, action: actions.rotate_records, name: str, type: str, answer: LookupAnswer
) -> LookupAnswer:
    values = action.sets[spoiler.turn(action, name, type) % len(action.sets)]
    return spoiler.records(name, type, values, action.ttl)


def _stale(
    spoiler: DnsFaultInjector, action: actions.stale_answer, name: str, type: str, answer: LookupAnswer
) -> LookupAnswer:
    return cast(LookupAnswer, action.then(name, type))


def _loop(
    spoiler: DnsFaultInjector, action: actions.cname_loop, name: str, type: str, answer: LookupAnswer
) -> LookupAnswer:
    other = f"loop.{parent_of(name)}" if parent_of(name) else f"loop.{name}"
    if other == name:
        other = f"other.{name}"
    there, back = Record(name, "CNAME", 60, f"{other}."), Record(other, "CNAME", 60, f"{name}.")
    return LookupAnswer("NOERROR", "NOERROR", (there, back), (), (), True)


def _lame(
    spoiler: DnsFaultInjector, action: actions.lame_delegation, name: str, type: str, answer: LookupAnswer
) -> LookupAnswer:
    return LookupAnswer("NOERROR", "REFERRAL", (), (ROOT_NS,))


def _split(
    spoiler: DnsFaultInjector, action: actions.split_text, name: str, type: str, answer: LookupAnswer
) -> LookupAnswer:
    cut = [_cut(each, action.size) if each.type in ("TXT", "SPF") else each for each in answer.answer]
    return replace(answer, answer=tuple(cut))


def _cut(text: Record, size: int) -> Record:
    octets, strings = text.wire, b""
    at = 0
    while at < len(octets):
        strings += octets[at + 1 : at + 1 + octets[at]]
        at += 1 + octets[at]
    pieces = [strings[start : start + size] for start in range(0, len(strings), size)]
    return Record(text.name, text.type, text.ttl, strings_to_text(pieces or [b""]))


def _shuffled(
    spoiler: DnsFaultInjector, action: actions.shuffle_records, name: str, type: str, answer: LookupAnswer
) -> LookupAnswer:
    records = list(answer.answer)
    spoiler.chance.shuffle(records)
    return replace(answer, answer=tuple(records))


def _doubled(
    spoiler: DnsFaultInjector, action: actions.duplicate_records, name: str, type: str, answer: LookupAnswer
) -> LookupAnswer:
    return replace(answer, answer=tuple([each for each in answer.answer for _ in range(2)]))


def _other_ttl(
    spoiler: DnsFaultInjector, action: actions.ttl, name: str, type: str, answer: LookupAnswer
) -> LookupAnswer:
    return replace(
        answer, answer=tuple([Record(each.name, each.type, action.ttl, each.value) for each in answer.answer])
    )


def _bare(
    spoiler: DnsFaultInjector, action: actions.no_additional, name: str, type: str, answer: LookupAnswer
) -> LookupAnswer:
    return replace(answer, additional=())


def _authentic(
    spoiler: DnsFaultInjector, action: actions.claim_authentic, name: str, type: str, answer: LookupAnswer
) -> LookupAnswer:
    return replace(answer, authentic=True)


_ON_ANSWERS: Final[Mapping[type[FaultAction], _Change]] = MappingProxyType(
    {
        actions.rcode: _rcode,
        actions.no_data: _no_data,
        actions.records: _given,
        actions.rotate_records: _in_turn,
        actions.stale_answer: _stale,
        actions.cname_loop: _loop,
        actions.lame_delegation: _lame,
        actions.split_text: _split,
        actions.shuffle_records: _shuffled,
        actions.duplicate_records: _doubled,
        actions.ttl: _other_ttl,
        actions.no_additional: _bare,
        actions.claim_authentic: _authentic,
    }
)
