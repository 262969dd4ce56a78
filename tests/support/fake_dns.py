"""The DNS for tests of checks: zone text, names that fail, and what was asked."""

from __future__ import annotations

from datetime import UTC, datetime

from fakemail.dns.lookup import LookupAnswer, failure, lookup
from fakemail.dns.names import name_key
from fakemail.dns.zones import Zones
from fakemail.errors import DeclarationError
from fakemail.policy.transaction_facts import TransactionFacts
from fakemail.types.address import NULL_PATH, Path, address
from fakemail.types.peer import Peer

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class FakeDns:
    """A :data:`fakemail.policy.sender_facts.Resolve` over zone text."""

    def __init__(self, text: str = "") -> None:
        self.zones = Zones()
        for origin in ("", "test", "example", "arpa"):
            self.zones.add_zone(origin)
        self.failing: dict[tuple[str, str], str] = {}
        self.asked: list[tuple[str, str]] = []
        self.load(text)

    def load(self, text: str) -> None:
        """Add records."""
        self.zones.load_text(text, origin=".", unchecked=True)

    def fail(self, name: str, type: str = "*", kind: str = "SERVFAIL") -> None:
        """Let questions about a name end so."""
        self.failing[name, type] = kind

    def __call__(self, name: str, type: str) -> LookupAnswer:
        self.asked.append((name, type))
        try:
            key = name_key(name)
        except DeclarationError:
            return failure("NXDOMAIN")
        kind = self.failing.get((key, type)) or self.failing.get((key, "*"))
        return failure(kind) if kind else lookup(self.zones, key, type)

    def facts(
        self,
        *,
        client: str = "203.0.113.5",
        sender: str | None = "ann@shop.test",
        helo: str = "app.shop.test",
        content: bytes = b"",
        now: datetime = NOON,
        host: str = "mx.example",
    ) -> TransactionFacts:
        """A transaction whose host asks this DNS. Without a sender the reverse-path is null."""
        path: Path = NULL_PATH if sender is None else address(sender)
        return TransactionFacts(
            host, Peer(client, 0, "app"), now, self, helo=helo, sender=path, content=content
        )
