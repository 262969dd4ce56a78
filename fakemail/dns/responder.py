"""Reply to the bytes of a query, and the facts for the log. No socket, no waiting."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

from fakemail.dns.codec import IN, DnsQuestion, UnanswerableQuery, decode_query, encode_reply, error_reply
from fakemail.dns.lookup import LookupAnswer, LookupStep, failure, lookup
from fakemail.dns.records import Record
from fakemail.dns.zones import Zone, Zones
from fakemail.types import write_script
from fakemail.types.dataclass import dataclass

Transport = Literal["udp", "tcp"]


@dataclass(frozen=True, slots=True)
class DnsResponse:
    """A reply, and what it says."""

    wire: bytes
    name: str
    """The name asked for: lower-case, without the final dot; empty when the question was unreadable."""
    type: str
    """``MX``, ``TXT``..., empty when the question was unreadable."""
    kind: str
    """``NOERROR``, ``NODATA``, ``NXDOMAIN``, ``REFERRAL``, ``SERVFAIL``, ``FORMERR``..."""
    records: tuple[str, ...] = ()
    """The answer section, type and data of each record: ``MX 10 mx1.example.org.``"""
    truncated: bool = False
    script: tuple[write_script.Step, ...] | None = None
    """Data sent in place of ``wire``: the messages of a zone transfer, or what a fault does."""


ChangeAnswer = Callable[[DnsQuestion, LookupAnswer], DnsResponse | None]
"""Makes the reply where something may go wrong; ``None`` when nothing does."""


MayTransfer = Callable[[Zone], bool]
"""Whether the client may have all of a zone."""


def respond(
    zones: Zones,
    packet: bytes,
    *,
    transport: Transport,
    change: ChangeAnswer | None = None,
    may_transfer: MayTransfer = lambda _: False,
) -> DnsResponse | None:
    """Reply to a packet; ``None`` when it deserves silence. Any bytes at all may be given."""
    question = decode_query(packet)
    if question is None:
        return None
    if isinstance(question, UnanswerableQuery):
        asked = question.question
        return DnsResponse(
            question.wire, asked.name if asked else "", asked.type if asked else "", question.rcode
        )
    answer = decide(zones, question)
    changed = change(question, answer) if change is not None else None
    if changed is None and question.type in TYPES and transport == "tcp":
        changed = _transferred(zones, question, may_transfer)
    return changed or reply(question, answer, transport=transport)


def _transferred(zones: Zones, question: DnsQuestion, may_transfer: MayTransfer) -> DnsResponse | None:
    zone = zones.zone_of(question.name)
    if zone is None or zone.origin != question.name or question.qclass != IN or not may_transfer(zone):
        return None
    messages = transfer(zone, question)
    if not messages:
        return None
    return DnsResponse(messages[0], question.name, question.type, "NOERROR", script=messages)


def decide(zones: Zones, question: DnsQuestion) -> LookupAnswer:
    """The answer to a question that could be read."""
    if question.qclass != IN:
        return failure("REFUSED")
    # RFC 5936 §2.2.1: whoever may not transfer a zone is told REFUSED; over UDP that is everybody (§4.2).
    if question.type in TYPES:
        return failure("REFUSED")
    trail: list[LookupStep] = []
    answer = lookup(zones, question.name, question.type, trail)
    if answer.kind == "REFERRAL" and question.recursion_desired:
        # A resolver would go on to those name servers, and there is nobody (RFC 1034 §5.3.3).
        return failure("SERVFAIL")
    if zones.is_signed:
        from fakemail.dns.nsec import secured  # only signed zones need it

        proofs = question.edns is not None and question.edns.dnssec_ok
        validate = not question.checking_disabled
        return secured(zones, answer, trail, proofs=proofs, validate=validate)
    return answer


def reply(question: DnsQuestion, answer: LookupAnswer, *, transport: Transport) -> DnsResponse:
    """Make the reply that carries an answer, truncated if the transport demands it."""
    wire = encode_reply(question, answer, limit=question.udp_limit if transport == "udp" else 0xFFFF)
    records = tuple([record.text for record in answer.answer])
    return DnsResponse(wire, question.name, question.type, answer.kind, records, bool(wire[2] & 0x02))


def failed(packet: bytes) -> DnsResponse | None:
    """The SERVFAIL for a packet that our own code failed on; ``None`` when it is too short to be a query."""
    if len(packet) < 12:
        return None
    try:
        question = decode_query(packet)
    except Exception:
        # That was what failed, and it has been reported.
        question = None
    if isinstance(question, DnsQuestion):
        return reply(question, failure("SERVFAIL"), transport="udp")
    return DnsResponse(error_reply(packet, "SERVFAIL"), "", "", "SERVFAIL")


TYPES = frozenset({"AXFR", "IXFR"})
"""RFC 1995 §4: a server that keeps no history of a zone answers IXFR with all of it."""
_MAX_BYTES = 16_000  # in one message, so that pointers reach every name in it (RFC 1035 §4.1.4)


def transfer(zone: Zone, question: DnsQuestion) -> tuple[bytes, ...]:
    """The messages, the SOA record first and last (RFC 5936 §2.2); none for a zone that has no SOA."""
    soa = zone.nodes.get(zone.origin, {}).get("SOA", ())
    if not soa:
        return ()
    records = [*soa, *(each for each in _contents(zone) if each not in soa), *soa]
    return tuple(
        encode_reply(question, LookupAnswer("NOERROR", "NOERROR", answer=tuple(some), authoritative=True))
        for some in _portions(records)
    )


def _contents(zone: Zone) -> Iterator[Record]:
    """Every record, those that DNSSEC adds included (RFC 4035 §3.1.5)."""
    if zone.signer is None:
        for node in zone.nodes.values():
            for records in node.values():
                yield from records
        return
    from fakemail.dns.nsec import NsecChain

    yield from NsecChain.of(zone).everything()


def _portions(records: list[Record]) -> Iterator[list[Record]]:
    some: list[Record] = []
    total = 0
    for record in records:
        size = sum(map(len, record.labels)) + len(record.labels) + 11 + len(record.wire)
        if some and total + size > _MAX_BYTES:
            yield some
            some, total = [], 0
        some.append(record)
        total += size
    yield some
