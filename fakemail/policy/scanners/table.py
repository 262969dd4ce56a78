"""The table of the scanners that can be asked, and where they may be."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Final, NamedTuple

from fakemail.policy.scanners import clamav, rspamd, spamassassin
from fakemail.policy.scanners.scan import ScanRequest, ScanResult


class ScannerKind(NamedTuple):
    """One kind of scanner."""

    name: str
    port: int
    """Where it listens unless it is told otherwise."""
    request: Callable[[ScanRequest], bytes]
    read: Callable[[bytes], ScanResult]


SCANNERS: Final = MappingProxyType(
    {
        each.NAME: ScannerKind(each.NAME, each.PORT, each.request, each.read)
        for each in (spamassassin, rspamd, clamav)
    }
)
"""The scanners by name."""
