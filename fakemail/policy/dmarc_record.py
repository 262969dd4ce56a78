"""DMARC records: their tags, and their discovery in the DNS (RFC 7489 §6.3, §6.6.3; RFC 9989)."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import field
from enum import StrEnum
from typing import Final

from fakemail.dkim.tag_list import read_lenient_tags
from fakemail.dns.lookup import LookupAnswer
from fakemail.policy.sender_facts import Resolve
from fakemail.policy.txt import is_conclusive, texts
from fakemail.types.dataclass import dataclass

POLICIES: Final = ("none", "quarantine", "reject")
"""Policies that a domain can ask for, the mildest first."""

# RFC 9989 §4.8: dmarc-record = dmarc-version *(*WSP ";" *WSP dmarc-tag) [*WSP ";" *WSP];
# dmarc-version = "v" *WSP "=" *WSP %s"DMARC1": the version comes first, and its case counts.
_VERSION: Final = re.compile(r"[vV][ \t]*=[ \t]*DMARC1[ \t]*(?:;|\Z)")
_URI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:[!-~]+")


@dataclass(frozen=True, slots=True)
class DmarcRecord:
    """DMARC record of a domain."""

    text: str
    p: str = "none"
    """Policy for the domain itself: ``none``, ``quarantine``, ``reject``."""
    sp: str = ""
    """Policy for names below it; empty for the same as :attr:`p`."""
    np: str = ""
    """Policy for names below it that do not exist; empty for the same as :attr:`sp`."""
    adkim: str = "r"
    """Alignment mode of DKIM: ``r`` relaxed, ``s`` strict."""
    aspf: str = "r"
    """Alignment mode of SPF."""
    pct: int = 100
    """To how many of a hundred messages the policy applies (RFC 7489 §6.3; gone in RFC 9989)."""
    t: bool = False
    """Whether the domain only tries its policy (RFC 9989 §4.7)."""
    psd: str = "u"
    """Whether the domain is a public suffix: ``y``, ``n``, or ``u`` for no word."""
    rua: tuple[str, ...] = ()
    """Destinations of aggregate reports, as URIs."""
    ruf: tuple[str, ...] = ()
    """Destinations of failure reports."""
    fo: str = "0"
    """Failures for which reports are wanted."""
    ri: int = 86400
    """Seconds between aggregate reports (RFC 7489 §6.3; gone in RFC 9989)."""
    errors: tuple[str, ...] = ()
    """Mistakes in it, a sentence each; the default was taken in its place."""

    def policy_for(self, *, is_below: bool, exists: bool) -> str:
        """Policy: for the domain of the record, or for a name below it that exists or not."""
        if not is_below:
            return self.p
        if not exists and self.np:
            return self.np
        return self.sp or self.p


def is_dmarc_record(text: str) -> bool:
    """Whether a TXT record is meant to be one: others at the same name are none of DMARC's business."""
    return _VERSION.match(text) is not None


def read_dmarc_record(text: str) -> tuple[DmarcRecord | None, str]:
    """Parsed record, or ``None`` and the reason.

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


MAX_LABELS: Final = 8
"""A longer name is walked from its last seven labels after the first question (RFC 9989 §4.10)."""


class Method(StrEnum):
    """Method of finding the organizational domain."""

    TREE_WALK = "tree_walk"
    """RFC 9989, the standard of today: the DNS says it all, so that any name of a fake internet works."""
    PUBLIC_SUFFIX = "public_suffix"
    """RFC 7489, as receivers still do that have not changed: by a list of names."""


class DnsFailed(Exception):
    """DNS without an answer, to be asked again later. Not for users."""


@dataclass
class Discovery:
    """The DMARC records that one check has seen. Each name is asked for once."""

    resolve: Resolve
    method: Method = Method.TREE_WALK
    own_suffixes: Collection[str] = ()
    """Public suffixes that the list does not know."""
    trace: list[str] = field(default_factory=list)
    broken: dict[str, str] = field(default_factory=dict)
    """Names whose record says nothing, and why."""
    _records: dict[str, DmarcRecord | None] = field(default_factory=dict)
    _organizations: dict[str, str] = field(default_factory=dict)

    def record_at(self, domain: str) -> DmarcRecord | None:
        """The record of exactly that name. Raises :class:`DnsFailed`."""
        if domain not in self._records:
            self._records[domain] = self._ask(domain)
        return self._records[domain]

    def _ask(self, domain: str) -> DmarcRecord | None:
        name = f"_dmarc.{domain}"
        answer = self.resolve(name, "TXT")
        if not is_conclusive(answer):
            self.trace.append(f"TXT {name}: {answer.kind}")
            raise DnsFailed(f"the question for TXT of {name} ended in {answer.kind}")
        every = [text.decode("utf-8", "replace") for text in texts(answer)]
        found = [text for text in every if is_dmarc_record(text)]
        self.trace.append(f"TXT {name}: {_shown(answer, every)}")
        if len(found) > 1:
            # RFC 9989 §4.10: of several records none counts.
            self.broken[domain] = f"there are {len(found)} of them"
        if len(found) != 1:
            return None
        record, why = read_dmarc_record(found[0])
        if record is None:
            self.broken[domain] = why
        else:
            self.trace.extend(f"  {error}" for error in record.errors)
        return record

    def policy_for(self, domain: str) -> tuple[str, DmarcRecord] | None:
        """Record for mail in the name of a domain, and its place. Raises :class:`DnsFailed`.

        RFC 9989 §4.10.1: at the domain itself, else at its organization, else at the public suffix above.
        """
        record = self.record_at(domain)
        if record is not None:
            return domain, record
        organization = self.organization(domain)
        record = self.record_at(organization)
        if record is not None:
            return organization, record
        above = organization.partition(".")[2]
        if self.method is Method.TREE_WALK and above:
            record = self.record_at(above)
            if record is not None and record.psd == "y":
                return above, record
        return None

    def organization(self, domain: str) -> str:
        """The organizational domain of a name. Raises :class:`DnsFailed`."""
        if domain not in self._organizations:
            if self.method is Method.TREE_WALK:
                found = self._walk(domain)
            else:
                from fakemail.policy.suffixes import organization

                found = organization(domain, own_suffixes=self.own_suffixes)
            self._organizations[domain] = found
        return self._organizations[domain]

    def _walk(self, domain: str) -> str:
        """RFC 9989 §4.10.2."""
        found = []
        for name in _steps(domain):
            record = self.record_at(name)
            if record is None:
                continue
            if record.psd == "n":
                return name
            if record.psd == "y" and name != domain:
                return _below(domain, name)
            found.append(name)
        return found[-1] if found else domain  # the one with the fewest labels

    def exists(self, domain: str) -> bool:
        """Whether a name exists, which ``np=`` asks (RFC 9989 §3.2.11). Raises :class:`DnsFailed`."""
        for type in ("A", "AAAA", "MX"):
            answer = self.resolve(domain, type)
            self.trace.append(f"{type} {domain}: {answer.kind}")
            if not is_conclusive(answer):
                raise DnsFailed(f"the question for {type} of {domain} ended in {answer.kind}")
            if answer.kind == "NXDOMAIN":
                return False
            if answer.kind == "NOERROR":
                return True
        return False


def _steps(domain: str) -> list[str]:
    """The names of a tree walk, the starting one first."""
    labels = domain.split(".")
    first = 1 if len(labels) <= MAX_LABELS else len(labels) - MAX_LABELS + 1
    return [domain, *(".".join(labels[at:]) for at in range(first, len(labels)))]


def _below(domain: str, suffix: str) -> str:
    """The name one label below a suffix, on the way to the domain."""
    label = domain[: -len(suffix) - 1].rpartition(".")[2]
    return f"{label}.{suffix}"


def _shown(answer: LookupAnswer, every: list[str]) -> str:
    return ", ".join(f'"{text}"' for text in every) or answer.kind
