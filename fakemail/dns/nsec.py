"""DNSSEC part of an answer: signatures, and proofs that something is not there (RFC 4035 §3.1).

Whether the answer is authentic is decided here as well, for our name server plays the validating resolver of
everybody who asks it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

from fakemail.dns.dnssec import ZoneSigner
from fakemail.dns.lookup import LookupAnswer, LookupStep, failure
from fakemail.dns.names import Labels, ancestors, labels_to_text, parent_of, text_to_labels
from fakemail.dns.records import Record
from fakemail.dns.zones import Zone, Zones


def secured(
    zones: Zones, answer: LookupAnswer, trail: Sequence[LookupStep], *, proofs: bool, validate: bool
) -> LookupAnswer:
    """An answer as a security-aware server gives it.

    ``trail`` says how the lookup went. With ``proofs`` (the client set DO) there are signatures and NSEC
    records in it; with ``validate`` (the client did not set CD) what does not validate becomes SERVFAIL.
    """
    if answer.rcode not in ("NOERROR", "NXDOMAIN"):
        return answer  # a failure proves nothing
    signers = [step.zone.signer if step.zone is not None else None for step in trail]
    if validate and any(signer is not None and signer.flaw for signer in signers):
        return failure("SERVFAIL")  # RFC 4035 §5.5
    authentic = bool(signers) and all(signer is not None and not signer.flaw for signer in signers)
    if authentic and answer.kind == "REFERRAL":
        authentic = False
    if not proofs:
        return replace(answer, authentic=authentic)
    authority = [*_signed(zones, answer.authority)]
    for step in trail:
        if step.zone is not None and step.zone.signer is not None:
            authority += _proofs(step.zone, step, is_last=step is trail[-1], kind=answer.kind)
    return replace(
        answer,
        answer=tuple(_signed_answer(zones, answer.answer, trail)),
        authority=tuple(dict.fromkeys(authority)),
        additional=tuple(_signed(zones, answer.additional)),
        authentic=authentic,
    )


def _signed_answer(zones: Zones, records: Sequence[Record], trail: Sequence[LookupStep]) -> list[Record]:
    sources = {step.name: step for step in trail}
    found: list[Record] = []
    for (name, type), group in groupby(records, key=lambda each: (each.name, each.type)):
        members = tuple(group)
        found += members
        step = sources.get(name)
        zone = step.zone if step is not None else None
        if step is None or zone is None or zone.signer is None or type == "RRSIG":
            continue
        # A record of a wildcard is signed under the wildcard's name (RFC 4035 §3.1.3.3).
        source = step.source or name
        signature = zone.signer.signature(
            members if source == name else tuple([each.at(source) for each in members])
        )
        if signature is not None:
            found.append(signature.at(name))
    return found


def _signed(zones: Zones, records: Sequence[Record]) -> list[Record]:
    """Records outside the answer, with their signatures. A negative answer's SOA is signed with its own TTL."""
    found: list[Record] = []
    for (name, type), group in groupby(records, key=lambda each: (each.name, each.type)):
        members = tuple(group)
        found += members
        zone = zones.zone_of(name) if type != "DS" or not name else zones.zone_of(parent_of(name))
        signer = zone.signer if zone is not None else None
        if zone is None or signer is None or (type == "NS" and name != zone.origin):
            continue
        stored = zone.nodes.get(name, {}).get(type, members)
        signature = signer.negative_signature(stored, members[0].ttl)
        if signature is not None:
            found.append(signature)
    return found


def _proofs(zone: Zone, step: LookupStep, *, is_last: bool, kind: str) -> list[Record]:
    """The NSEC records that a step of the lookup needs, signed (RFC 4035 §3.1.3)."""
    chain = NsecChain.of(zone)
    name, source = step.name, step.source
    if is_last and kind == "REFERRAL":
        # §3.1.4: the DS records of the cut, or that there are none.
        cut = next((each for each in ancestors(name) if "NS" in zone.nodes.get(each, {})), name)
        keys = zone.nodes.get(cut, {}).get("DS", ())
        return chain.signed(*keys) if keys else chain.signed(chain.covering(cut))
    if source is None:
        # §3.1.3.2: no such name, and no wildcard that could have stood for it.
        return chain.signed(chain.covering(name), chain.covering(f"*.{_encloser(zone, name)}".rstrip(".")))
    absent = is_last and kind == "NODATA"
    needed: list[Record] = []
    if absent:
        needed.append(chain.covering(source))  # §3.1.3.1: the name itself, or what lies around it
    if source != name:
        needed.append(chain.covering(name))  # §3.1.3.3: the name itself is not there
    return chain.signed(*needed)


def _encloser(zone: Zone, name: str) -> str:
    """The longest name at or above a name that exists (RFC 4592 §3.3.1)."""
    while name != zone.origin and not zone.exists(name):
        name = parent_of(name)
    return name


def _order(name: str) -> Labels:
    """RFC 4034 §6.1: names are in order of their labels, the rightmost first."""
    return tuple(reversed(text_to_labels(name)))


class NsecChain:
    """The NSEC records of a zone as it is now (RFC 4034 §4)."""

    def __init__(self, zone: Zone, signer: ZoneSigner) -> None:
        self._zone = zone
        self._signer = signer
        cuts = {_order(name) for name, node in zone.nodes.items() if "NS" in node and name != zone.origin}
        places = sorted(map(_order, zone.nodes))
        # What lies below a delegation is not the zone's own to speak of (RFC 4035 §2.3).
        self._places = (
            [place for place in places if not any(place[:end] in cuts for end in range(1, len(place)))]
            if cuts
            else places
        )
        self._records: dict[int, Record] = {}

    @classmethod
    def of(cls, zone: Zone) -> NsecChain:
        """The chain of a zone that is signed, made anew after each change."""
        signer = zone.signer
        if signer is None:
            raise ValueError(f"zone {zone.origin} is not signed")
        known = zone.chain
        if isinstance(known, NsecChain) and known._signer is signer:
            return known
        chain = zone.chain = cls(zone, signer)
        return chain

    def covering(self, name: str) -> Record:
        """The NSEC record at a name, or the one whose span it lies in."""
        return self._at(max(bisect_right(self._places, _order(name)) - 1, 0))

    def everything(self) -> list[Record]:
        """Every record of the zone, with signatures and this chain (RFC 4035 §3.1.5)."""
        spans = {record.name: record for record in map(self._at, range(len(self._places)))}
        found: list[Record] = []
        for name, node in self._zone.nodes.items():
            span = spans.get(name)
            for type, records in node.items():
                # Of a cut the DS records are signed; its NS records, and what lies below it, are not the zone's.
                is_own = span is not None and (name == self._zone.origin or "NS" not in node or type == "DS")
                found += self.signed(*records) if is_own else records
            found += self.signed(span) if span is not None else ()
        return found

    def _at(self, at: int) -> Record:
        known = self._records.get(at)
        if known is None:
            known = self._records[at] = self._span(at)
        return known

    def _span(self, at: int) -> Record:
        here, following = self._places[at], self._places[(at + 1) % len(self._places)]
        owner = labels_to_text(tuple(reversed(here)))
        node = self._zone.nodes[owner]
        types = set(node)
        if "NS" in node and owner != self._zone.origin:
            types &= {"NS", "DS"}  # RFC 4035 §2.3: of a cut, what the parent is authoritative for
        types |= {"NSEC", "RRSIG"}
        ttl = min([soa.ttl for soa in self._zone.negative] or [60])  # RFC 9077 §3
        next_name = labels_to_text(tuple(reversed(following)))
        return Record(owner, "NSEC", ttl, f"{next_name}. {' '.join(sorted(types))}")

    def signed(self, *records: Record) -> list[Record]:
        """Records of the zone, each set once and with its signature."""
        found: list[Record] = []
        for _, group in groupby(dict.fromkeys(records), key=lambda each: (each.name, each.type)):
            members = tuple(group)
            found += members
            signature = self._signer.signature(members)
            if signature is not None:
                found.append(signature)
        return found
