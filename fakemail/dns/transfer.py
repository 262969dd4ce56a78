"""Zone transfers: all of a zone as the messages of one answer over TCP (AXFR, RFC 5936).

Who may have it is asked elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator

from fakemail.dns.codec import DnsQuestion, encode_reply
from fakemail.dns.lookup import LookupAnswer
from fakemail.dns.records import Record
from fakemail.dns.zones import Zone

TYPES = frozenset({"AXFR", "IXFR"})
"""RFC 1995 §4: a server that keeps no history of a zone answers IXFR with all of it."""
_OCTETS = 16_000  # in one message, so that pointers reach every name in it (RFC 1035 §4.1.4)


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
    octets = 0
    for record in records:
        size = sum(map(len, record.labels)) + len(record.labels) + 11 + len(record.wire)
        if some and octets + size > _OCTETS:
            yield some
            some, octets = [], 0
        some.append(record)
        octets += size
    yield some
