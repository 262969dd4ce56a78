"""Names and numbers of record types and response codes (IANA, "Domain Name System Parameters").

A table of its own, because asking a DNS library would load it for a few numbers.
"""

from __future__ import annotations

import re
from typing import Final

from fakemail.errors import DeclarationError, nearest

_NUMBERS: Final[dict[str, int]] = {
    "A": 1, "NS": 2, "MD": 3, "MF": 4, "CNAME": 5, "SOA": 6, "MB": 7, "MG": 8, "MR": 9, "NULL": 10, "WKS": 11,
    "PTR": 12, "HINFO": 13, "MINFO": 14, "MX": 15, "TXT": 16, "RP": 17, "AFSDB": 18, "X25": 19, "ISDN": 20,
    "RT": 21, "NSAP": 22, "NSAP-PTR": 23, "SIG": 24, "KEY": 25, "PX": 26, "GPOS": 27, "AAAA": 28, "LOC": 29,
    "NXT": 30, "SRV": 33, "NAPTR": 35, "KX": 36, "CERT": 37, "DNAME": 39, "OPT": 41, "APL": 42, "DS": 43,
    "SSHFP": 44, "IPSECKEY": 45, "RRSIG": 46, "NSEC": 47, "DNSKEY": 48, "DHCID": 49, "NSEC3": 50,
    "NSEC3PARAM": 51, "TLSA": 52, "SMIMEA": 53, "HIP": 55, "CDS": 59, "CDNSKEY": 60, "OPENPGPKEY": 61,
    "CSYNC": 62, "ZONEMD": 63, "SVCB": 64, "HTTPS": 65, "SPF": 99, "NID": 104, "L32": 105, "L64": 106, "LP": 107,
    "EUI48": 108, "EUI64": 109, "TKEY": 249, "TSIG": 250, "IXFR": 251, "AXFR": 252, "MAILB": 253, "MAILA": 254,
    "ANY": 255, "URI": 256, "CAA": 257, "AMTRELAY": 260, "RESINFO": 261,
}  # fmt: skip
_NAMES: Final = {number: name for name, number in _NUMBERS.items()}
# RFC 6891 §6.1.1, RFC 6895 §3.1: types that ask or say something about a message and are never data.
META_TYPES: Final = frozenset({"OPT", "TKEY", "TSIG", "IXFR", "AXFR", "MAILB", "MAILA", "ANY"})

_UNKNOWN = re.compile(r"TYPE(\d{1,5})")

RCODES: Final[dict[str, int]] = {
    "NOERROR": 0,
    "FORMERR": 1,
    "SERVFAIL": 2,
    "NXDOMAIN": 3,
    "NOTIMP": 4,
    "REFUSED": 5,
    "YXDOMAIN": 6,
    "YXRRSET": 7,
    "NXRRSET": 8,
    "NOTAUTH": 9,
    "NOTZONE": 10,
    "BADVERS": 16,
    "BADCOOKIE": 23,
}
_RCODE_NAMES: Final = {number: name for name, number in RCODES.items()}


def type_number(name: str) -> int:
    """The number of a type, ``MX`` or ``TYPE65280`` (RFC 3597 §5).

    Raises :class:`~fakemail.errors.DeclarationError` for a name that is none.
    """
    number = _NUMBERS.get(name)
    if number is not None:
        return number
    match = _UNKNOWN.fullmatch(name)
    if match is not None and int(match[1]) <= 0xFFFF:
        return int(match[1])
    raise DeclarationError(f"{name!r} is not a record type: {nearest(name, _NUMBERS)}")


def type_name(number: int) -> str:
    """The name of a type's number, ``TYPE`` and the number where it has none."""
    return _NAMES.get(number) or f"TYPE{number}"


def read_type(text: str) -> str:
    """The one spelling of a type that a person wrote: upper-case, and the name where it has one."""
    return text if text in _NUMBERS else type_name(type_number(text.upper()))


def rcode_name(number: int) -> str:
    """The name of a response code."""
    return _RCODE_NAMES.get(number) or f"RCODE{number}"
