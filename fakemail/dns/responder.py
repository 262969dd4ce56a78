"""From the octets of a query to the octets of its reply, and the facts for the log. No socket, no waiting."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from fakemail.dns.codec import IN, Question, Rejection, decode_query, encode_reply, error_reply
from fakemail.dns.lookup import Answer, Step, failure, lookup
from fakemail.dns.transfer import TYPES, transfer
from fakemail.dns.zones import Zone, Zones
from fakemail.faults import steps

Transport = Literal["udp", "tcp"]


@dataclass(frozen=True, slots=True)
class Response:
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
    script: tuple[steps.Step, ...] | None = None
    """What is sent in place of ``wire``: the messages of a zone transfer, or what a fault does."""


Spoil = Callable[[Question, Answer], Response | None]
"""Makes the reply where something may go wrong; ``None`` when nothing does."""


MayTransfer = Callable[[Zone], bool]
"""Whether the client may have all of a zone."""


def respond(
    zones: Zones,
    packet: bytes,
    *,
    transport: Transport,
    spoil: Spoil | None = None,
    may_transfer: MayTransfer = lambda _: False,
) -> Response | None:
    """Reply to a packet; ``None`` when it deserves silence. Any octets at all may be given."""
    question = decode_query(packet)
    if question is None:
        return None
    if isinstance(question, Rejection):
        asked = question.question
        return Response(
            question.wire, asked.name if asked else "", asked.type if asked else "", question.rcode
        )
    answer = decide(zones, question)
    spoiled = spoil(question, answer) if spoil is not None else None
    if spoiled is None and question.type in TYPES and transport == "tcp":
        spoiled = _transferred(zones, question, may_transfer)
    return spoiled or reply(question, answer, transport=transport)


def _transferred(zones: Zones, question: Question, may_transfer: MayTransfer) -> Response | None:
    zone = zones.zone_of(question.name)
    if zone is None or zone.origin != question.name or question.qclass != IN or not may_transfer(zone):
        return None
    messages = transfer(zone, question)
    if not messages:
        return None
    return Response(messages[0], question.name, question.type, "NOERROR", script=messages)


def decide(zones: Zones, question: Question) -> Answer:
    """The answer to a question that could be read."""
    if question.qclass != IN:
        return failure("REFUSED")
    # RFC 5936 §2.2.1: whoever may not transfer a zone is told REFUSED; over UDP that is everybody (§4.2).
    if question.type in TYPES:
        return failure("REFUSED")
    trail: list[Step] = []
    answer = lookup(zones, question.name, question.type, trail)
    if answer.kind == "REFERRAL" and question.recursion_desired:
        # A resolver would go on to those name servers, and there is nobody (RFC 1034 §5.3.3).
        return failure("SERVFAIL")
    if zones.is_signed:
        from fakemail.dns.denial import secured  # only signed zones need it

        proofs = question.edns is not None and question.edns.dnssec_ok
        judge = not question.checking_disabled
        return secured(zones, answer, trail, proofs=proofs, judge=judge)
    return answer


def reply(question: Question, answer: Answer, *, transport: Transport) -> Response:
    """Make the reply that carries an answer, truncated if the transport demands it."""
    wire = encode_reply(question, answer, limit=question.udp_limit if transport == "udp" else 0xFFFF)
    records = tuple([record.text for record in answer.answer])
    return Response(wire, question.name, question.type, answer.kind, records, bool(wire[2] & 0x02))


def failed(packet: bytes) -> Response | None:
    """The SERVFAIL for a packet that our own code failed on; ``None`` when it is too short to be a query."""
    if len(packet) < 12:
        return None
    try:
        question = decode_query(packet)
    except Exception:
        # That was what failed, and it has been reported.
        question = None
    if isinstance(question, Question):
        return reply(question, failure("SERVFAIL"), transport="udp")
    return Response(error_reply(packet, "SERVFAIL"), "", "", "SERVFAIL")
