"""DNS messages between bytes and values (RFC 1035 §4, RFC 6891). No zones, no decisions about what is true.

The only door of dnslib, which packs and unpacks; its record classes and its server are not used. Names
are unpacked here, for dnslib refuses labels that are not UTF-8.
"""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import replace
from typing import Any, Final

from dnslib.buffer import BufferError as ShortMessage
from dnslib.label import DNSBuffer, DNSLabel

from fakemail.dns.lookup import LookupAnswer, failure
from fakemail.dns.names import Labels, labels_to_text
from fakemail.dns.records import Record
from fakemail.dns.rrtypes import RCODES, rcode_name, type_name, type_number
from fakemail.errors import ProtocolError
from fakemail.types.dataclass import dataclass

IN: Final = 1
OUR_UDP_SIZE: Final = 4096
"""The largest UDP message that is sent and asked for, in bytes."""
_SOA, _OPT = 6, 41
_SOA_NUMBERS: Final = 20  # bytes: RFC 1035 §3.3.13, five numbers behind two names
_HEADER: Final = struct.Struct("!HHHHHH")
# RFC 1035 §4.1.1, RFC 4035 §3.2: the bits of the second word.
_QR, _AA, _TC, _RD, _RA, _AD, _CD = 0x8000, 0x0400, 0x0200, 0x0100, 0x0080, 0x0020, 0x0010
_OPCODE, _RCODE = 0x7800, 0x000F
_DO: Final = 0x8000  # RFC 3225 §3, in the second half of the OPT record's TTL


@dataclass(frozen=True, slots=True)
class Edns:
    """Contents of a client's OPT record (RFC 6891 §6.1.2)."""

    udp_size: int
    version: int
    dnssec_ok: bool


@dataclass(frozen=True, slots=True)
class DnsQuestion:
    """One query: what is asked, and how the reply has to look."""

    id: int
    labels: Labels
    """The name as it was asked for: its case is echoed."""
    name: str
    """The name as a key: lower-case, without the final dot."""
    type: str
    qclass: int
    opcode: int = 0
    recursion_desired: bool = True
    checking_disabled: bool = False
    edns: Edns | None = None
    wants_authentic: bool = False
    """AD in a query: the client wants to know whether the answer is authentic (RFC 6840 §5.7)."""

    @property
    def udp_limit(self) -> int:
        """The largest reply over UDP, in bytes (RFC 6891 §6.2.3 and §6.2.5)."""
        return 512 if self.edns is None else max(512, min(self.edns.udp_size, OUR_UDP_SIZE))


@dataclass(frozen=True, slots=True)
class UnanswerableQuery:
    """A message that is no query which could be answered, and the reply it gets."""

    question: DnsQuestion | None
    """Contents as far as they could be read."""
    rcode: str
    wire: bytes


def decode_query(packet: bytes) -> DnsQuestion | UnanswerableQuery | None:
    """Read a query. ``None`` when it deserves silence: too short for a header, or itself a reply."""
    if len(packet) < 12:
        return None
    id, flags, questions, *_ = _HEADER.unpack_from(packet)
    if flags & _QR:
        return None
    question: DnsQuestion | None = None
    try:
        if flags & _OPCODE:
            return UnanswerableQuery(None, "NOTIMP", error_reply(packet, "NOTIMP"))
        if questions != 1:
            return UnanswerableQuery(None, "FORMERR", error_reply(packet, "FORMERR"))
        buffer = DNSBuffer(packet)
        buffer.offset = 12
        labels = _take_name(buffer)
        rtype, qclass = buffer.unpack("!HH")
        question = DnsQuestion(
            id,
            labels,
            labels_to_text(labels).lower(),
            type_name(rtype),
            qclass,
            0,
            bool(flags & _RD),
            bool(flags & _CD),
            wants_authentic=bool(flags & _AD),
        )
        edns = _take_edns(buffer, packet)
    except (ProtocolError, ShortMessage):
        return UnanswerableQuery(question, "FORMERR", error_reply(packet, "FORMERR", question))
    if edns is None:
        return question
    question = replace(question, edns=edns)
    # RFC 6891 §6.1.3: only version 0 exists.
    if edns.version > 0:
        return UnanswerableQuery(question, "BADVERS", encode_reply(question, failure("BADVERS")))
    return question


def encode_query(question: DnsQuestion) -> bytes:
    """The message that asks a question."""
    flags = question.opcode << 11 | _RD * question.recursion_desired | _CD * question.checking_disabled
    flags |= _AD * question.wants_authentic
    buffer = DNSBuffer()
    buffer.append(_HEADER.pack(question.id, flags, 1, 0, 0, 1 if question.edns else 0))
    _put_question(buffer, question)
    if question.edns is not None:
        _put_opt(buffer, question.edns, 0)
    return bytes(buffer.data)


def encode_reply(question: DnsQuestion, answer: LookupAnswer, *, limit: int = 0xFFFF) -> bytes:
    """The message that answers a question, of at most ``limit`` bytes.

    What does not fit loses its additional section first (RFC 2181 §9); then it is truncated: TC is set,
    and only the question and the OPT record are left, which makes every client ask again over TCP.
    """
    wire = _encode(question, answer, truncated=False, limit=limit)
    if len(wire) > limit and answer.additional:
        slim = replace(answer, additional=())
        wire = _encode(question, slim, truncated=False, limit=limit)
    if len(wire) > limit:
        bare = replace(answer, answer=(), authority=(), additional=())
        wire = _encode(question, bare, truncated=True, limit=limit)
    return wire


def error_reply(packet: bytes, rcode: str, question: DnsQuestion | None = None) -> bytes:
    """The reply to a packet of at least a header, whether or not its question could be read."""
    if question is not None:
        return encode_reply(question, failure(rcode))
    id, flags, *_ = _HEADER.unpack_from(packet)
    return _HEADER.pack(id, _QR | _RA | (flags & (_OPCODE | _RD | _CD)) | RCODES[rcode], 0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class ReceivedRecord:
    """A record as it came in a reply."""

    name: str
    """Its owner as a key."""
    type: str
    ttl: int
    value: Any
    """Meaning of the type: see :data:`fakemail.wire.dns_client.ClientRecord`."""


@dataclass(frozen=True, slots=True)
class ReceivedReply:
    """A reply as it came."""

    id: int
    name: str
    """The name in its question as a key."""
    type: str
    rcode: str
    truncated: bool
    authoritative: bool
    answer: tuple[ReceivedRecord, ...]
    authentic: bool = False
    """AD: the server has validated it (RFC 4035 §3.2.3)."""
    negative_ttl: int | None = None
    """Seconds for which a negative answer may be kept (RFC 2308 §5); ``None`` without an SOA record."""


def decode_reply(packet: bytes) -> ReceivedReply:
    """Read a reply, its answer section too unless it is truncated.

    Raises :class:`~fakemail.errors.ProtocolError` when it is malformed, or no reply to one question.
    """
    if len(packet) < 12:
        raise ProtocolError("a DNS message has at least 12 octets")
    id, flags, questions, answers, authorities, others = _HEADER.unpack_from(packet)
    if not flags & _QR or questions != 1:
        raise ProtocolError("not a reply to one question")
    buffer = DNSBuffer(packet)
    buffer.offset = 12
    try:
        name = labels_to_text(_take_name(buffer)).lower()
        rtype, _ = buffer.unpack("!HH")
        found = []
        extended = 0
        negative: int | None = None
        for place in range(0 if flags & _TC else answers + authorities + others):
            owner, number, _, ttl, start, end = _take_record(buffer)
            if number == _OPT:
                extended = ttl >> 24 << 4
            elif number == _SOA and answers <= place < answers + authorities and end - start >= _SOA_NUMBERS:
                negative = min(ttl, int.from_bytes(packet[end - 4 : end]))  # MINIMUM comes last
            elif place < answers:
                key = labels_to_text(owner).lower()
                found.append(
                    ReceivedRecord(key, type_name(number), ttl, _read_value(packet, number, start, end))
                )
    except ShortMessage as error:
        raise ProtocolError(f"a DNS message ends too early: {error}") from None
    truncated = bool(flags & _TC)
    rcode = rcode_name(flags & _RCODE | extended)
    return ReceivedReply(
        id,
        name,
        type_name(rtype),
        rcode,
        truncated,
        bool(flags & _AA),
        tuple(found),
        bool(flags & _AD),
        negative,
    )


# Reading


def _take_name(buffer: Any) -> Labels:
    """RFC 1035 §4.1.4. Raises :class:`ProtocolError` or :class:`ShortMessage`."""
    data: bytearray = buffer.data
    at, end_of_name, lowest = buffer.offset, -1, buffer.offset
    labels: list[bytes] = []
    room, jumps = 255, 0
    size = len(data)
    while True:
        if at >= size:
            raise ShortMessage("name")
        length = data[at]
        if length >= 0xC0:
            if at + 1 >= size:
                raise ShortMessage("pointer")
            if end_of_name < 0:
                end_of_name = at + 2
            at = (length & 0x3F) << 8 | data[at + 1]
            # A pointer is to a prior occurrence, so each goes further back and there is no loop.
            # A name has no use for more pointers than labels.
            jumps += 1
            if at >= lowest or jumps > 127:
                raise ProtocolError("a compression pointer does not point back, or there are too many")
            lowest = at
            continue
        if length > 63:
            raise ProtocolError("a label of a reserved kind")
        room -= length + 1
        if room < 0:
            raise ProtocolError("a name of more than 255 octets")
        if length == 0:
            break
        if at + 1 + length > size:
            raise ShortMessage("label")
        labels.append(bytes(data[at + 1 : at + 1 + length]))
        at += length + 1
    buffer.offset = end_of_name if end_of_name >= 0 else at + 1
    return tuple(labels)


def _take_record(buffer: Any) -> tuple[Labels, int, int, int, int, int]:
    """Owner, type, class, TTL, and where the data starts and ends."""
    owner = _take_name(buffer)
    rtype, rclass, ttl, length = buffer.unpack("!HHIH")
    start = buffer.offset
    buffer.get(length)
    return owner, rtype, rclass, ttl, start, start + length


def _take_edns(buffer: Any, packet: bytes) -> Edns | None:
    """The OPT record among what follows the question of a query."""
    _, _, _, answers, authorities, others = _HEADER.unpack_from(packet)
    edns: Edns | None = None
    for _ in range(answers + authorities + others):
        owner, rtype, size, ttl, _, _ = _take_record(buffer)
        if rtype == _OPT:
            # RFC 6891 §6.1.1: one, and its name is the root.
            if edns is not None or owner:
                raise ProtocolError("a second OPT record, or one with a name")
            edns = Edns(size, ttl >> 16 & 0xFF, bool(ttl & _DO))
    if buffer.remaining():
        raise ProtocolError("octets after the end of the message")
    return edns


def _read_value(packet: bytes, rtype: int, start: int, end: int) -> Any:
    """The data of one record. Raises :class:`ProtocolError` or :class:`ShortMessage` when it is malformed."""
    raw = packet[start:end]
    match type_name(rtype):
        case "A" if len(raw) == 4:
            return str(ipaddress.IPv4Address(raw))
        case "AAAA" if len(raw) == 16:
            return str(ipaddress.IPv6Address(raw))
        case "A" | "AAAA":
            raise ProtocolError(f"an address of {len(raw)} octets")
        case "CNAME" | "NS" | "PTR" | "DNAME":
            return _name_at(packet, start, end)
        case "MX" if len(raw) >= 3:
            return int.from_bytes(raw[:2]), _name_at(packet, start + 2, end)
        case "SRV" if len(raw) >= 7:
            return *struct.unpack("!HHH", raw[:6]), _name_at(packet, start + 6, end)
        case "MX" | "SRV":
            raise ProtocolError("record data ends too early")
        case "TXT" | "SPF":
            return b"".join(_strings(raw))
        case _:
            return raw


def _name_at(packet: bytes, start: int, end: int) -> str:
    buffer = DNSBuffer(packet)
    buffer.offset = start
    labels = _take_name(buffer)
    if buffer.offset != end:
        raise ProtocolError("a name does not end where its record ends")
    return labels_to_text(labels)


def _strings(raw: bytes) -> list[bytes]:
    strings, at = [], 0
    while at < len(raw):
        end = at + 1 + raw[at]
        if end > len(raw):
            raise ProtocolError("a character string ends too early")
        strings.append(raw[at + 1 : end])
        at = end
    return strings


# Writing


def _encode(question: DnsQuestion, answer: LookupAnswer, *, truncated: bool, limit: int) -> bytes:
    buffer = DNSBuffer()
    edns = question.edns
    rcode = RCODES[answer.rcode]
    flags = (
        _QR | question.opcode << 11 | _AA * answer.authoritative | _TC * truncated | _RD * question.recursion_desired
        | _RA | _CD * question.checking_disabled | rcode & _RCODE
    )  # fmt: skip
    # RFC 4035 §3.2.3, RFC 6840 §5.8: AD is for those who asked for it.
    if answer.authentic and (question.wants_authentic or (edns is not None and edns.dnssec_ok)):
        flags |= _AD
    sections = (answer.answer, answer.authority, answer.additional)
    counts = [len(section) for section in sections]
    buffer.append(_HEADER.pack(question.id, flags, 1, counts[0], counts[1], counts[2] + (edns is not None)))
    _put_question(buffer, question)
    for section in sections:
        for record in section:
            _put_record(buffer, record, question)
            if buffer.offset > limit:
                return bytes(buffer.data)  # too long already; the caller cuts it
    if edns is not None:
        _put_opt(buffer, Edns(OUR_UDP_SIZE, 0, edns.dnssec_ok), rcode)
    return bytes(buffer.data)


def _put_question(buffer: Any, question: DnsQuestion) -> None:
    buffer.encode_name(DNSLabel(question.labels))
    buffer.pack("!HH", type_number(question.type), question.qclass)


def _put_record(buffer: Any, record: Record, question: DnsQuestion) -> None:
    # An owner that was asked for has the case of the question; names in data keep their own.
    _put_name(buffer, question.labels if record.name == question.name else record.labels)
    buffer.pack("!HHIH", record.number, IN, record.ttl, 0)  # the length is put in when it is known
    start = buffer.offset
    for part in record.parts:
        if isinstance(part, bytes):
            buffer.append(part)
        else:
            _put_name(buffer, part)
    struct.pack_into("!H", buffer.data, start - 2, buffer.offset - start)


def _put_name(buffer: Any, labels: Labels) -> None:
    if buffer.offset < 0x3F00 or labels in buffer.names:
        buffer.encode_name(DNSLabel(labels))
    else:
        # A pointer has 14 bits (RFC 1035 §4.1.4): dnslib would remember places that none can reach.
        buffer.encode_name_nocompress(DNSLabel(labels))


def _put_opt(buffer: Any, edns: Edns, rcode: int) -> None:
    # RFC 6891 §6.1.3: the upper eight bits of the response code, the version, the flags.
    ttl = rcode >> 4 << 24 | edns.version << 16 | _DO * edns.dnssec_ok
    buffer.append(b"\0")
    buffer.pack("!HHIH", _OPT, edns.udp_size, ttl, 0)
