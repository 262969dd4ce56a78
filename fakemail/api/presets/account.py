"""Faults of one account, where its owner reads mail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fakemail.api.faults import Fault, Faults
from fakemail.api.presets.reading import ReadingPresets
from fakemail.faults.actions.action import FaultAction
from fakemail.faults.rule import FaultScope
from fakemail.types.stage import Stage

if TYPE_CHECKING:
    from fakemail.api.portal import Portal


class AccountPresets(ReadingPresets):
    """What goes wrong for one account by IMAP and POP3: the faults of its host with ``login`` given.

    They can strike where it is known who has logged in, or wants to: not in a banner, nor in the middle of SASL.
    """

    def __init__(self, portal: Portal, host: str, login: str) -> None:
        self._faults = Faults(portal, FaultScope(host))
        self._login = login

    def __repr__(self) -> str:
        return f"<Faults of {self._login}>"

    def add(self, stage: Stage, do: FaultAction, **where_and_when: Any) -> Fault:
        """Let something happen at a stage of IMAP or POP3; see :meth:`fakemail.api.faults.Faults.add`."""
        return self._faults.add(stage, do, **{**where_and_when, "login": self._login})

    def _at_login(
        self, stages: tuple[Stage, Stage], do: FaultAction, where_and_when: dict[str, Any]
    ) -> Fault:
        return self.add(stages[0], do, **where_and_when)
