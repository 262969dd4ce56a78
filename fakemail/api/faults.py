"""Faults of a host as a test sets them: by plain names, counted, lifted at any time."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any

from fakemail.api.results import Results
from fakemail.errors import DeclarationError
from fakemail.faults.rule import Action, Drop, GiveReply, RefuseConnections, Rule, When, Where
from fakemail.terms.reply import Reply
from fakemail.terms.stage import Stage

if TYPE_CHECKING:
    from fakemail.api.accounts import BaseAccount
    from fakemail.api.hosts import Host


class Fault:
    """A fault in force. Use it in a ``with`` block to have it lifted at the end of the block."""

    def __init__(self, host: Host, rule: Rule) -> None:
        self._host = host
        self._rule = rule

    @property
    def fired(self) -> int:
        """How often it has struck. The system's refusal of a connection cannot be counted."""
        return self._rule.fired

    def lift(self) -> None:
        """End it."""
        self._host.faults.lift(self)

    def __enter__(self) -> Fault:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.lift()

    def __repr__(self) -> str:
        return f"<Fault of {self._host.name}: {self._rule}>"


class Faults:
    """What goes wrong at a host."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def refuse_connections(self) -> Fault:
        """Nobody can connect from now on; connections that exist go on."""
        return self._add(Stage.CONNECT, RefuseConnections())

    def reply(
        self,
        stage: Stage,
        reply: Reply,
        *,
        to: str | BaseAccount[Any] | None = None,
        sender: str | BaseAccount[Any] | None = None,
        skip: int = 0,
        times: int | None = None,
    ) -> Fault:
        """Answer so at a stage, whatever the server would have said.

        ``to`` and ``sender`` limit it to an address, a domain (``"@example.org"``) or a pattern with
        ``*``; the first ``skip`` fitting moments pass, and it strikes ``times`` times at most.
        Raises :class:`~fakemail.errors.DeclarationError` for a positive reply: the client would go on,
        and the server would not know what it has promised.
        """
        if reply.is_positive:
            raise DeclarationError(
                f"host {self._host.name!r}: a fault at {stage} answers 4yz or 5yz, not {reply}: to a positive "
                "reply the client goes on, and the server has nothing to go on with. To take what would be "
                "refused, declare it: an account, an alias, a catch-all."
            )
        return self._add(stage, GiveReply(reply), to=to, sender=sender, skip=skip, times=times)

    def drop(
        self,
        stage: Stage,
        *,
        to: str | BaseAccount[Any] | None = None,
        sender: str | BaseAccount[Any] | None = None,
        skip: int = 0,
        times: int | None = None,
    ) -> Fault:
        """End the connection instead of answering at a stage. See :meth:`reply`."""
        return self._add(stage, Drop(), to=to, sender=sender, skip=skip, times=times)

    def all(self) -> Results[Fault]:
        """The faults in force."""
        book = self._host.running.faults
        return Results(
            [Fault(self._host, rule) for rule in book.rules()], question=f"the faults of {self._host.name}"
        )

    def lift(self, *faults: Fault) -> None:
        """End these faults, or all if none is named."""
        book = self._host.running.faults
        rules = [fault._rule for fault in faults] or book.rules()

        async def lift() -> None:
            for rule in rules:
                book.lift(rule)
            await self._host.running.heed_faults()

        self._host.run(lift())

    def _add(
        self,
        stage: Stage,
        action: Action,
        *,
        to: object | None = None,
        sender: object | None = None,
        skip: int = 0,
        times: int | None = None,
    ) -> Fault:
        where = Where(None if sender is None else str(sender), None if to is None else str(to))
        rule = Rule(stage, action, where, When(skip, times))
        running = self._host.running

        async def add() -> None:
            running.faults.add(rule)
            await running.heed_faults()

        self._host.run(add())
        return Fault(self._host, rule)

    def __repr__(self) -> str:
        return f"<Faults of {self._host.name}: {len(self.all())}>"
