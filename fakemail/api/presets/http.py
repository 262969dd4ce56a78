"""Faults of HTTPS by plain names, where an MTA-STS policy is served. ``argument`` is the path that is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fakemail.api.presets.adding import FaultTarget
from fakemail.faults.actions.http import HttpBody, HttpStatus
from fakemail.types.stage import Stage

if TYPE_CHECKING:
    from fakemail.api.faults import Fault


class HttpPresets(FaultTarget):
    """What goes wrong with a policy; for hangs and resets there are ``hang_at()`` and ``reset()``."""

    def http_status(self, status: int, **where_and_when: Any) -> Fault:
        """Answer with a status, such as 404, 500 or 503, and no document."""
        return self.add(Stage.HTTP_REQUEST, HttpStatus(status), **where_and_when)

    def http_body(self, body: str | bytes, **where_and_when: Any) -> Fault:
        """Answer with another document."""
        octets = body.encode() if isinstance(body, str) else body
        return self.add(Stage.HTTP_REQUEST, HttpBody(octets), **where_and_when)
