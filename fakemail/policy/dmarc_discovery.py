"""Discovery of DMARC records and of organizational domains.

Two ways: the tree walk of RFC 9989 §4.10, and the list of public suffixes of RFC 7489 §3.2.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from fakemail.dns.lookup import LookupAnswer
from fakemail.policy.dmarc_record import DmarcRecord, is_dmarc_record, read_dmarc_record
from fakemail.policy.sender_facts import Resolve
from fakemail.policy.txt import is_settled, texts

MAX_LABELS: Final = 8
"""A longer name is walked from its last seven labels after the first question (RFC 9989 §4.10)."""


class Method(StrEnum):
    """How the organizational domain is found."""

    TREE_WALK = "tree_walk"
    """RFC 9989, the standard of today: the DNS says it all, so that any name of a fake internet works."""
    PUBLIC_SUFFIX = "public_suffix"
    """RFC 7489, as receivers still do that have not changed: by a list of names."""


class DnsFailed(Exception):
    """The DNS had no answer; whoever asked may ask again later. Not for users."""


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
        if not is_settled(answer):
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
        """Where the record for mail in the name of a domain is, and the record. Raises :class:`DnsFailed`.

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
            if not is_settled(answer):
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
