"""Facts about a message that nobody has sent, for checks that look at its content."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from fakemail.dns.lookup import LookupAnswer, failure
from fakemail.dns.records import record
from fakemail.model.content_rules import ContentRules
from fakemail.policy.content.checks import find
from fakemail.policy.finding import AuthStatus, Finding
from fakemail.policy.transaction_facts import TransactionFacts
from fakemail.types.peer import Peer

NOW = datetime(2024, 5, 17, 10, 0, tzinfo=UTC)


def resolver(names: Mapping[str, str] | None = None):
    """A resolver that knows these names with one address each."""
    known = names or {}

    def resolve(name: str, type: str) -> LookupAnswer:
        if name not in known or type != "A":
            return failure("NXDOMAIN")
        return LookupAnswer("NOERROR", "NOERROR", (record(name, "A", known[name]),))

    return resolve


def facts(content: bytes, **more: Any) -> TransactionFacts:
    """The facts of a message at the end of data."""
    more.setdefault("resolve", resolver())
    return TransactionFacts("mx1.example.org", Peer("192.0.2.9", 4711, "app"), NOW, content=content, **more)


def findings(content: bytes, rules: ContentRules | None = None, **more: Any) -> dict[str, Finding]:
    """What every check finds, by its name."""
    return {each.check: each for each in find(facts(content, **more), rules or ContentRules())}


def flaws(content: bytes, rules: ContentRules | None = None, **more: Any) -> dict[str, str]:
    """What is wrong with a message, by the name of the check."""
    found = findings(content, rules, **more)
    return {name: each.sentence for name, each in found.items() if each.status is not AuthStatus.PASS}


def packed(files: Mapping[str, bytes], *, how: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip archive with these files."""
    octets = io.BytesIO()
    with zipfile.ZipFile(octets, "w", how) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return octets.getvalue()


def locked(archive: bytes) -> bytes:
    """The archive with the mark of encryption on its first file, in both of its headers."""
    octets = bytearray(archive)
    octets[octets.index(b"PK\x03\x04") + 6] |= 1
    octets[octets.index(b"PK\x01\x02") + 8] |= 1
    return bytes(octets)
