"""What every preset is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fakemail.faults.actions.action import Action
from fakemail.terms.stage import Stage
from fakemail.terms.suggestions import Suggests

if TYPE_CHECKING:
    from fakemail.api.faults import Fault


class Adds(Suggests):
    """Somebody who can put a fault in force."""

    def add(self, stage: Stage, do: Action, **where_and_when: Any) -> Fault:
        """Put it in force."""
        raise NotImplementedError
