"""What can happen to an answer of an HTTPS server."""

from __future__ import annotations

from dataclasses import dataclass

from fakemail.faults.actions.action import FaultAction


@dataclass(frozen=True, slots=True)
class HttpStatus(FaultAction):
    """Answer with this status, such as 404 or 503, and an empty document."""

    status: int


@dataclass(frozen=True, slots=True)
class HttpBody(FaultAction):
    """Answer with another document in place of the right one."""

    body: bytes
    content_type: str = "text/plain"
