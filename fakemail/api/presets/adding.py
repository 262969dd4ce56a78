"""What every preset is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fakemail.faults.actions.action import FaultAction
from fakemail.types.stage import Stage
from fakemail.types.suggestions import Suggests

if TYPE_CHECKING:
    from fakemail.api.faults import Fault


class FaultTarget(Suggests):
    """Somebody who can put a fault in force."""

    def add(self, stage: Stage, do: FaultAction, **where_and_when: Any) -> Fault:
        """Put it in force."""
        raise NotImplementedError
