"""A DMARC record: from its text to what it says (RFC 9989 §4.7, RFC 7489 §6.3). No DNS, no message."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from fakemail.dkim.tag_list import read_lenient_tags

POLICIES: Final = ("none", "quarantine", "reject")
"""Policies that a domain can ask for, the mildest first."""

# RFC 9989 §4.8: dmarc-record = dmarc-version *(*WSP ";" *WSP dmarc-tag) [*WSP ";" *WSP];
# dmarc-version = "v" *WSP "=" *WSP %s"DMARC1": the version comes first, and its case counts.
_VERSION: Final = re.compile(r"[vV][ \t]*=[ \t]*DMARC1[ \t]*(?:;|\Z)")
_URI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:[!-~]+")


@dataclass(frozen=True, slots=True)
class DmarcRecord:
    """What a domain publishes about mail in its name."""

    text: str
    p: str = "none"
    """For the domain itself: ``none``, ``quarantine``, ``reject``."""
    sp: str = ""
    """For names below it; empty for the same as :attr:`p`."""
    np: str = ""
    """For names below it that do not exist; empty for the same as :attr:`sp`."""
    adkim: str = "r"
    """How DKIM has to be aligned: ``r`` relaxed, ``s`` strict."""
    aspf: str = "r"
    """How SPF has to be aligned."""
    pct: int = 100
    """To how many of a hundred messages the policy applies (RFC 7489 §6.3; gone in RFC 9989)."""
    t: bool = False
    """Whether the domain only tries its policy (RFC 9989 §4.7)."""
    psd: str = "u"
    """Whether the domain is a public suffix: ``y``, ``n``, or ``u`` for no word."""
    rua: tuple[str, ...] = ()
    """Where aggregate reports go, as URIs."""
    ruf: tuple[str, ...] = ()
    """Where failure reports go."""
    fo: str = "0"
    """For which failures reports are wanted."""
    ri: int = 86400
    """Seconds between aggregate reports (RFC 7489 §6.3; gone in RFC 9989)."""
    errors: tuple[str, ...] = ()
    """What in it is wrong, a sentence each; the default was taken in its place."""

    def policy_for(self, *, is_below: bool, exists: bool) -> str:
        """What it asks for: for the domain of the record, or for a name below it that exists or not."""
        if not is_below:
            return self.p
        if not exists and self.np:
            return self.np
        return self.sp or self.p


def is_dmarc_record(text: str) -> bool:
    """Whether a TXT record is meant to be one: others at the same name are none of DMARC's business."""
    return _VERSION.match(text) is not None


def read_dmarc_record(text: str) -> tuple[DmarcRecord | None, str]:
    """What a record says, or ``None`` and why it says nothing.

    Without a valid ``p=`` it counts as ``p=none`` where it has somewhere to send reports to, and else as no
    record at all (RFC 9989 §4.10.1, RFC 7489 §6.6.3). Every other tag that is wrong is passed over.
    """
    tags, errors = read_lenient_tags(text)
    rua, ruf = _uris(tags, "rua", errors), _uris(tags, "ruf", errors)
    p = _one_of(tags, "p", POLICIES, "", errors)
    if not p:
        if not rua:
            what = f"p={tags['p'][:40]}" if "p" in tags else "no p="
            return None, f"it has {what}, and names nobody who wants reports"
        p = "none"
    made = DmarcRecord(
        text=text,
        p=p,
        sp=_one_of(tags, "sp", POLICIES, "", errors),
        np=_one_of(tags, "np", POLICIES, "", errors),
        adkim=_one_of(tags, "adkim", ("r", "s"), "r", errors),
        aspf=_one_of(tags, "aspf", ("r", "s"), "r", errors),
        pct=_number(tags, "pct", 100, 100, errors),
        t=_one_of(tags, "t", ("y", "n"), "n", errors) == "y",
        psd=_one_of(tags, "psd", ("y", "n", "u"), "u", errors),
        rua=rua,
        ruf=ruf,
        fo=tags.get("fo", "0") or "0",
        ri=_number(tags, "ri", 86400, 2**32 - 1, errors),
        errors=tuple(errors),
    )
    return made, ""


def _one_of(
    tags: dict[str, str], name: str, allowed: tuple[str, ...], default: str, errors: list[str]
) -> str:
    value = tags.get(name)
    if value is None:
        return default
    if value.lower() in allowed:
        return value.lower()
    errors.append(f"{name}={value[:40]} is none of {', '.join(allowed)}")
    return default


def _number(tags: dict[str, str], name: str, default: int, most: int, errors: list[str]) -> int:
    value = tags.get(name)
    if value is None:
        return default
    if value.isascii() and value.isdigit() and len(value) <= 10 and int(value) <= most:
        return int(value)
    errors.append(f"{name}={value[:40]} is no number up to {most}")
    return default


def _uris(tags: dict[str, str], name: str, errors: list[str]) -> tuple[str, ...]:
    found = []
    for uri in tags.get(name, "").split(","):
        uri = uri.strip(" \t\r\n")
        if _URI.fullmatch(uri):
            found.append(uri)
        elif uri or name in tags:
            errors.append(f"{name}= has {uri[:40]!r}, which is no URI")
    return tuple(found)
