"""Texts and names in answers of the DNS, and whether an answer is final.

It knows the form of TXT data and nothing of what the texts say.
"""

from __future__ import annotations

from typing import Final

from fakemail.dns.lookup import LookupAnswer
from fakemail.dns.records import Record

_CONCLUSIVE: Final = frozenset({"NOERROR", "NODATA", "NXDOMAIN"})


def is_conclusive(answer: LookupAnswer) -> bool:
    """Whether the DNS has answered at all; anything else may be different at the next try."""
    return answer.kind in _CONCLUSIVE


def texts(answer: LookupAnswer) -> tuple[bytes, ...]:
    """The text of each TXT record, its strings joined without a space (RFC 7208 §3.3, RFC 6376 §3.6.2.2)."""
    return tuple(_joined(record.wire) for record in answer.answer if record.type == "TXT")


def joined(value: str) -> str:
    """TXT data in zone-file form as one string, still with its escapes: enough to search it for words."""
    return value.replace('" "', "")


def addresses(answer: LookupAnswer, type: str) -> tuple[str, ...]:
    """The values of the address records of that type."""
    return tuple(_plain(record) for record in answer.answer if record.type == type)


def names(answer: LookupAnswer, type: str) -> tuple[str, ...]:
    """The names that PTR or MX records point to, without the final dot; those that point nowhere left out."""
    found = []
    for record in answer.answer:
        if record.type == type and not record.value.startswith("\\#"):
            name = record.value.rpartition(" ")[2].rstrip(".")
            if name:
                found.append(name)
    return tuple(found)


def _plain(record: Record) -> str:
    # Data that was given as bytes is no address, and is not made one.
    return "" if record.value.startswith("\\#") else record.value


def _joined(wire: bytes) -> bytes:
    # RFC 1035 §3.3.14: TXT-DATA is one or more <character-string>s, each with its length before it.
    parts, at = [], 0
    while at < len(wire):
        parts.append(wire[at + 1 : at + 1 + wire[at]])
        at += 1 + wire[at]
    return b"".join(parts)
