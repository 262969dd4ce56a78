"""DNSSEC signatures: the keys of a zone, and what they say about its sets of records (RFC 4034).

A door to dnspython, which is loaded when a zone is first signed. Sets are signed when they are first asked for, and
again when they have changed, or half of the time is over for which the signature is good. What proves that something
is absent is in :mod:`fakemail.dns.nsec`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fakemail.clock import datetime, real_dates
from fakemail.dns.names import text_to_labels
from fakemail.dns.records import DEFAULT_TTL, Record
from fakemail.model.transport_security import check_signed

if TYPE_CHECKING:
    import dns.name
    import dns.rdata
    import dns.rrset
    from cryptography.hazmat.primitives.asymmetric import ec
    from dns.rdtypes.ANY.DNSKEY import DNSKEY


_ALGORITHM: Final = 13  # ECDSAP256SHA256, RFC 6605; RFC 8624 §3.1: every validator knows it
_ZONE_KEY_AND_ENTRY_POINT: Final = 257  # RFC 4034 §2.1.1
_DAY: Final = timedelta(days=1)
GOOD_FOR: Final = 365 * _DAY
"""Lifetime of signatures, counted from the latest clock that they are for."""
_RENEWED_AFTER: Final = GOOD_FOR / 2  # RFC 6781 §4.4.2: long before they end


class SignatureValidity(NamedTuple):
    """From when until when signatures are good."""

    since: datetime
    until: datetime


class ZoneSigner:
    """Signs the records of one zone with one key, made when first needed."""

    def __init__(
        self, origin: str, *, validity: Callable[[], SignatureValidity], flaw: str | None = None
    ) -> None:
        self.origin = origin
        check_signed(True if flaw is None else flaw)
        self.flaw = flaw
        """Problem of the signatures, ``None`` for none."""
        self._validity = validity
        self._signed: dict[tuple[str, str], tuple[tuple[Record, ...], Record, datetime]] = {}
        self._shorter: dict[tuple[str, str], Record] = {}

    @cached_property
    def _private(self) -> ec.EllipticCurvePrivateKey:
        from dns.dnssecalgs.ecdsa import PrivateECDSAP256SHA256

        key: ec.EllipticCurvePrivateKey = PrivateECDSAP256SHA256.generate().key
        return key

    @cached_property
    def _public(self) -> DNSKEY:
        key: DNSKEY = _dnssec().make_dnskey(self._private.public_key(), _ALGORITHM, _ZONE_KEY_AND_ENTRY_POINT)
        return key

    @cached_property
    def key(self) -> Record:
        """The DNSKEY record at the apex; one key signs keys and data alike."""
        return Record(self.origin, "DNSKEY", DEFAULT_TTL, _one_spelling(self._public))

    @cached_property
    def key_digest(self) -> Record:
        """The DS record that the parent publishes for the key, SHA-256 (RFC 4509)."""
        ds = _dnssec().make_ds(_name(self.origin), self._public, "SHA256")
        return Record(self.origin, "DS", DEFAULT_TTL, _one_spelling(ds))

    def signature(self, records: tuple[Record, ...]) -> Record | None:
        """The RRSIG record of one set of records; ``None`` where the flaw is that there is none."""
        name, type = records[0].name, records[0].type
        if self.flaw == "missing_signature" and type != "DNSKEY":
            return None
        now = self._validity()
        known = self._signed.get((name, type))
        if known is not None and known[0] == records and now.until - known[2] < _RENEWED_AFTER:
            return known[1]
        signed = self._sign(records, now)
        self._signed[name, type] = (records, signed, now.until)
        return signed

    def negative_signature(self, records: tuple[Record, ...], ttl: int) -> Record | None:
        """The same with the TTL of negative answers (RFC 2308 §3), made once: each takes long to write."""
        signed = self.signature(records)
        if signed is None or signed.ttl == ttl:
            return signed
        key = (signed.name, records[0].type)
        known = self._shorter.get(key)
        if known is None or (known.ttl, known.value) != (ttl, signed.value):
            known = self._shorter[key] = replace(signed, ttl=ttl)
        return known

    def _sign(self, records: tuple[Record, ...], validity: SignatureValidity) -> Record:
        since, until = validity
        # The key itself stays as it should be, so that what is wrong is the data's.
        flaw = self.flaw if records[0].type != "DNSKEY" else None
        if flaw == "expired":
            since, until = since - 30 * _DAY, since - _DAY
        signature = _dnssec().sign(
            _set(records),
            self._private,
            _name(self.origin),
            self._public,
            inception=int(since.timestamp()),
            expiration=int(until.timestamp()),
        )
        if flaw == "bogus":
            # One bit is enough.
            damaged = bytes([signature.signature[0] ^ 1]) + signature.signature[1:]
            text = _one_spelling(signature.replace(signature=damaged))
        else:
            text = _one_spelling(signature)
        return Record(records[0].name, "RRSIG", records[0].ttl, text)


def _dnssec() -> Any:
    """dnspython's module of that name, which keeps the class of dates that it meets when it is loaded."""
    with real_dates():
        import dns.dnssec
    return dns.dnssec


def _name(key: str) -> dns.name.Name:
    import dns.name

    return dns.name.Name((*text_to_labels(key), b""))


def _set(records: tuple[Record, ...]) -> dns.rrset.RRset:
    import dns.rrset

    # The TTL of a set is one (RFC 2181 §5.2).
    return dns.rrset.from_rdata_list(
        _name(records[0].name), records[0].ttl, [_data(each) for each in records]
    )


def _data(record: Record) -> dns.rdata.Rdata:
    import dns.exception
    import dns.rdata
    import dns.rdataclass
    import dns.rdatatype

    type = dns.rdatatype.RdataType.make(record.number)
    try:
        return dns.rdata.from_wire(dns.rdataclass.IN, type, record.wire, 0, len(record.wire))
    except (dns.exception.DNSException, ValueError):
        # Malformed data can be served, so it can be signed as well.
        return dns.rdata.GenericRdata(dns.rdataclass.IN, type, record.wire)


def _one_spelling(data: dns.rdata.Rdata) -> str:
    return data.to_text()
