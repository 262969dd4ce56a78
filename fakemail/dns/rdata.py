"""Record data: from text to its one spelling, and from that spelling to wire form. No owner names, no zones.

The types that mail needs on every run are read here; every other type, and zone-file text, goes
through dnspython, whose only door this is. It is loaded when it is first needed, not before.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from fakemail.dns.names import Labels, read_name, text_to_labels
from fakemail.dns.rrtypes import META_TYPES, read_type, type_number
from fakemail.errors import DeclarationError

if TYPE_CHECKING:
    import dns.name
    import dns.rdata
    import dns.transaction

Part = bytes | Labels
"""A stretch of record data: bytes, or a name that may be compressed (RFC 3597 §4)."""

# RFC 1035 §5.1: <character-string> is quoted, or a run of characters without spaces.
_STRING = re.compile(r'\s*(?:"((?:[^"\\]|\\\d{3}|\\\D)*)"|((?:[^"\\\s;]|\\\d{3}|\\\D)+))\s*', re.DOTALL)
_ESCAPE = re.compile(r"\\(?:(\d{3})|(\D))", re.DOTALL)
# RFC 3597 §5: \# RDLENGTH hexadecimal words
_GENERIC = re.compile(r"\\#\s+(\d{1,5})((?:\s+[0-9A-Fa-f]+)*)\s*")
_IPV4 = re.compile(
    r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)){3}", re.ASCII
)
MOST_GENERATED: Final = 10_000
"""Limit of records that ``$GENERATE`` may make in one zone text; a million would take a minute."""
_ODD_OCTET = re.compile(rb'[^ -~]|["\\]')


def read_rdata(type: str, text: str) -> str:
    """The one spelling of the data of a type: names absolute, numbers plain, strings quoted.

    Names are taken as absolute with or without their final dot. The text of TXT (and SPF) that does not
    start with a quote is taken as it stands and split by :func:`txt`, for ``v=spf1 -all`` would be two
    strings without the space between them otherwise.
    Raises :class:`~fakemail.errors.DeclarationError` saying what is wrong; the caller knows the owner.
    """
    if text.startswith("\\#"):
        return bytes_to_text(_read_generic(text))
    if type in META_TYPES:
        raise DeclarationError(f"{type} is a type of question, not of data")
    reader = _READERS.get(type)
    if reader is not None:
        return reader(text)
    return _through_dnspython(type, text).to_text()


def rdata_parts(type: str, value: str) -> tuple[Part, ...]:
    """The wire form of data that :func:`read_rdata` returned."""
    if value.startswith("\\#"):
        return (_read_generic(value),)
    encoder = _ENCODERS.get(type)
    if encoder is not None:
        return encoder(value)
    return (_through_dnspython(type, value).to_wire() or b"",)


def bytes_to_text(raw: bytes) -> str:
    """Any bytes as record data (RFC 3597 §5)."""
    return f"\\# {len(raw)} {raw.hex()}" if raw else "\\# 0"


def txt(text: str) -> str:
    """The data of a TXT record that says ``text``, in UTF-8.

    A text of more than 255 bytes becomes several strings, which readers join without a space
    (RFC 7208 §3.3, RFC 6376 §3.6.2.2).
    """
    if len(text) <= 255 and text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    data = text.encode("utf-8", "surrogateescape")
    return strings_to_text([data[at : at + 255] for at in range(0, len(data), 255)] or [b""])


class ZoneLine(NamedTuple):
    """One record of a zone file, with the line on which it starts."""

    line: int
    name: str
    type: str
    ttl: int
    value: str


def read_zone_text(text: str, origin: str, ttl: int) -> list[ZoneLine]:
    """Read zone-file text (RFC 1035 §5, RFC 2308 §4 ``$TTL``); ``$INCLUDE`` is refused.

    ``origin`` completes relative names; ``ttl`` in seconds is for records before any that states one.
    Raises :class:`~fakemail.errors.DeclarationError` with the line.
    """
    import dns.exception
    import dns.name
    import dns.rdataclass
    import dns.tokenizer
    import dns.zonefile

    class Tokens(dns.tokenizer.Tokenizer):
        """Remembers on which line the present entry starts; by the time of an error it may have been left."""

        start = 1

        def get(self, want_leading: bool = False, want_comment: bool = False) -> dns.tokenizer.Token:
            if want_leading and want_comment:
                self.start = self.line_number
            return super().get(want_leading, want_comment)

    lines: list[ZoneLine] = []
    tokens = Tokens(text, "zone text", idna_codec=dns.name.IDNA_2008_Practical)
    collector = cast("dns.transaction.Transaction", _RecordTransaction(lines, lambda: tokens.start))
    reader = dns.zonefile.Reader(tokens, dns.rdataclass.IN, collector)
    reader.current_origin = reader.last_name = dns.name.Name((*text_to_labels(origin), b""))
    # RFC 1035 §5.1: an omitted TTL is the last one stated.
    reader.last_ttl, reader.last_ttl_known = ttl, True
    try:
        reader.read()
    except (dns.exception.DNSException, DeclarationError, ValueError) as error:
        problem = re.sub(r"^zone text:\d+: ", "", str(error)).rstrip(".") or type(error).__name__
        line = "".join(text.split("\n")[tokens.start - 1 : tokens.start])
        raise DeclarationError(f"zone text, line {tokens.start}: {problem} {_in_entry(line)}.") from None
    return lines


# What the data of a type looks like, for those who got it wrong.
_SAMPLES: Final = {
    "A": "192.0.2.1",
    "AAAA": "2001:db8::1",
    "CNAME": "www.example.org.",
    "MX": "10 mx1.example.org.",
    "NS": "ns1.example.org.",
    "PTR": "mx1.example.org.",
    "SOA": "ns1.example.org. hostmaster.example.org. 1 3600 600 86400 60",
    "SRV": "0 1 587 smtp.example.org.",
    "TLSA": "3 1 1 0123abcd",
    "TXT": '"v=spf1 -all"',
}


def _in_entry(line: str) -> str:
    """Place of a mistake: the line itself, and the right form of its type."""
    # RFC 1035 §5.1: what starts a line is the owner, whatever it looks like.
    words = line.split()[0 if line[:1].isspace() else 1 :]
    type = next((word.upper() for word in words if word.upper() in _SAMPLES), "")
    quoted = f"{line[:117]}..." if len(line) > 120 else line
    if not type or line.startswith("$"):
        return f"in {quoted!r}"
    return f"in the {type} record {quoted!r}; one is written such as '{type} {_SAMPLES[type]}'"


class _RecordTransaction:
    """Takes records from dnspython's reader in its transaction's stead, which scans all for each."""

    def __init__(self, lines: list[ZoneLine], line: Callable[[], int]) -> None:
        self._lines = lines
        self._line = line
        self._generated = 0
        self.manager = self

    def origin_information(self) -> tuple[dns.name.Name, bool, dns.name.Name]:
        import dns.name

        # The root, for otherwise names outside the origin were dropped without a word.
        return dns.name.root, False, dns.name.root

    def check_put_rdataset(self, _check: object) -> None:
        """Whether records go together is decided by the zones."""

    def _set_origin(self, _origin: object) -> None:
        """``$ORIGIN`` is the reader's affair."""

    def add_unicode(self, _codec: str) -> None:
        """So is ``$UNICODE``."""

    def add(self, name: dns.name.Name, ttl: int, rdata: dns.rdata.Rdata) -> None:
        type = read_type(f"TYPE{int(rdata.rdtype)}")
        owner = name.to_text(omit_final_dot=True) if name.labels != (b"",) else ""
        line = self._line()
        if self._lines and self._lines[-1].line == line:  # only $GENERATE makes several out of one line
            self._generated += 1
            if self._generated >= MOST_GENERATED:
                raise DeclarationError(f"$GENERATE may make {MOST_GENERATED} records, and these are more")
        self._lines.append(ZoneLine(line, owner, type, ttl, read_rdata(type, rdata.to_text())))


def _through_dnspython(type: str, text: str) -> dns.rdata.Rdata:
    import dns.exception
    import dns.name
    import dns.rdata
    import dns.rdataclass
    import dns.rdatatype

    number = dns.rdatatype.RdataType.make(type_number(type))
    try:
        return dns.rdata.from_text(dns.rdataclass.IN, number, text, origin=dns.name.root, relativize=False)
    except (dns.exception.DNSException, ValueError) as error:
        if type.startswith("TYPE"):
            hint = f"data of {type} is written as '\\# LENGTH HEX' (RFC 3597), or given as bytes"
            raise DeclarationError(hint) from None
        raise DeclarationError(str(error) or error.__class__.__name__) from None


def _read_generic(text: str) -> bytes:
    match = _GENERIC.fullmatch(text)
    digits = "".join(match[2].split()) if match else "?"
    if match is None or len(digits) % 2:
        raise DeclarationError("generic data is written as '\\# LENGTH HEX' (RFC 3597)")
    raw = bytes.fromhex(digits)
    if len(raw) != int(match[1]):
        raise DeclarationError(f"the length says {match[1]} octets, but there are {len(raw)}")
    return raw


# Text to its one spelling


def _read_a(text: str) -> str:
    if _IPV4.fullmatch(text) is None:
        raise DeclarationError(f"{text!r} is not an IPv4 address")
    return text


def _read_aaaa(text: str) -> str:
    try:
        address = ipaddress.IPv6Address(text)
    except ValueError:
        raise DeclarationError(f"{text!r} is not an IPv6 address") from None
    if address.scope_id is not None:
        raise DeclarationError(f"{text!r} has a scope, which DNS cannot carry")
    # RFC 5952 §5: the mixed notation, which Python prints from 3.13 on only.
    return f"::ffff:{address.ipv4_mapped}" if address.ipv4_mapped else str(address)


def _read_target(text: str) -> str:
    return read_name(text.strip()) + "."


def _row(*kinds: str) -> Callable[[str], str]:
    """A reader of words in a row: ``n`` is a number of 16 bits, ``N`` of 32, ``.`` a name."""

    def read(text: str) -> str:
        words = text.split()
        if len(words) != len(kinds):
            raise DeclarationError(f"{text!r} has {len(words)} words, {len(kinds)} are needed")
        return " ".join([_read_word(kind, word) for kind, word in zip(kinds, words, strict=True)])

    return read


def _read_word(kind: str, word: str) -> str:
    if kind == ".":
        return read_name(word) + "."
    if not (word.isascii() and word.isdigit()) or int(word) > (0xFFFF if kind == "n" else 0xFFFFFFFF):
        raise DeclarationError(f"{word!r} is not a number from 0 to {0xFFFF if kind == 'n' else 0xFFFFFFFF}")
    return str(int(word))


def _read_strings(text: str) -> str:
    if not text.startswith('"'):
        return txt(text)
    return strings_to_text(_strings(text))


def _strings(text: str) -> list[bytes]:
    at, strings = 0, []
    while at < len(text):
        match = _STRING.match(text, at)
        if match is None:
            raise DeclarationError(f"bad quoting at character {at + 1} of {text!r}")
        string = _unescape(match[1] if match[1] is not None else match[2])
        if len(string) > 255:
            raise DeclarationError(f"a string has {len(string)} octets, 255 are allowed; txt() splits them")
        strings.append(string)
        at = match.end()
    return strings


def _unescape(text: str) -> bytes:
    if "\\" not in text:
        return text.encode("utf-8", "surrogateescape")
    data, at = bytearray(), 0
    for match in _ESCAPE.finditer(text):
        data += text[at : match.start()].encode("utf-8", "surrogateescape")
        if match[1] is None:
            data += match[2].encode("utf-8", "surrogateescape")
        elif int(match[1]) > 255:
            raise DeclarationError(f"bad escape {match[0]} in {text!r}")
        else:
            data.append(int(match[1]))
        at = match.end()
    data += text[at:].encode("utf-8", "surrogateescape")
    return bytes(data)


def strings_to_text(strings: list[bytes]) -> str:
    """The data of a TXT record that has these strings, in zone-file form."""
    return " ".join([f'"{_ODD_OCTET.sub(_escape, string).decode()}"' for string in strings])


def _escape(match: re.Match[bytes]) -> bytes:
    return b"\\" + match[0] if match[0] in b'"\\' else b"\\%03d" % match[0][0]


_SOA_ROW: Final = _row(".", ".", "N", "N", "N", "N", "N")


def _read_soa(text: str) -> str:
    # Times may be written with units (1h), which dnspython knows.
    if re.fullmatch(r"\S+\s+\S+(?:\s+\d+){5}", text):
        return _SOA_ROW(text)
    return _through_dnspython("SOA", text).to_text()


_READERS: Final[dict[str, Callable[[str], str]]] = {
    "A": _read_a,
    "AAAA": _read_aaaa,
    "MX": _row("n", "."),
    "TXT": _read_strings,
    "SPF": _read_strings,
    "CNAME": _read_target,
    "PTR": _read_target,
    "NS": _read_target,
    "SOA": _read_soa,
    "SRV": _row("n", "n", "n", "."),
}


# The one spelling to wire form


def _target_parts(value: str) -> tuple[Part, ...]:
    return (text_to_labels(value[:-1]),)


def _mx_parts(value: str) -> tuple[Part, ...]:
    preference, exchange = value.split(" ")
    return int(preference).to_bytes(2), text_to_labels(exchange[:-1])


def _soa_parts(value: str) -> tuple[Part, ...]:
    primary, contact, *numbers = value.split(" ")
    times = b"".join([int(number).to_bytes(4) for number in numbers])
    return text_to_labels(primary[:-1]), text_to_labels(contact[:-1]), times


def _srv_parts(value: str) -> tuple[Part, ...]:
    *numbers, target = value.split(" ")
    head = b"".join([int(number).to_bytes(2) for number in numbers])
    # RFC 2782: the target is not compressed.
    return (head + uncompressed(text_to_labels(target[:-1])),)


def _txt_parts(value: str) -> tuple[Part, ...]:
    return (b"".join([bytes([len(string)]) + string for string in _strings(value)]),)


_ENCODERS: Final[dict[str, Callable[[str], tuple[Part, ...]]]] = {
    "A": lambda value: (bytes(map(int, value.split("."))),),
    "AAAA": lambda value: (ipaddress.IPv6Address(value).packed,),
    "MX": _mx_parts,
    "TXT": _txt_parts,
    "SPF": _txt_parts,
    "CNAME": _target_parts,
    "PTR": _target_parts,
    "NS": _target_parts,
    "SOA": _soa_parts,
    "SRV": _srv_parts,
}


def uncompressed(labels: Labels) -> bytes:
    """A name in wire form, written out (RFC 1035 §3.1)."""
    return b"".join([bytes([len(label)]) + label for label in labels]) + b"\0"
