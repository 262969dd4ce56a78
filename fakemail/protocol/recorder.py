"""Recorder of commands and answers, for all sessions but SMTP's (:meth:`fakemail.events.log.Log.smtp_recorder`)."""

from __future__ import annotations

from typing import Protocol

from fakemail.events.kinds import CommandCompleted
from fakemail.events.log import Log
from fakemail.types.reason import Reason
from fakemail.types.stage import Stage


class CommandRecorder(Protocol):
    """Records one command and the end of its answer."""

    def __call__(
        self,
        stage: Stage,
        line: str,
        status: str,
        code: str,
        text: str,
        responses: int,
        size: int,
        reason: Reason | None,
        /,
    ) -> None:
        """Add one :class:`~fakemail.events.kinds.CommandCompleted`."""
        ...


def recorder(log: Log, host: str, connection: int) -> CommandRecorder:
    """The recorder of one connection."""

    def record(
        stage: Stage,
        line: str,
        status: str,
        code: str,
        text: str,
        responses: int,
        size: int,
        reason: Reason | None,
    ) -> None:
        log.append(
            CommandCompleted(
                stage=stage,
                host=host,
                connection=connection,
                line=line,
                status=status,
                code=code,
                text=text,
                responses=responses,
                size=size,
                reason=reason,
            )
        )

    return record
