"""Faults of a host as a test sets them: by plain names, counted, lifted at any time."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

from fakemail.api.results import Results
from fakemail.errors import DeclarationError
from fakemail.faults.rule import Action, Drop, GiveReply, RefuseConnections, Rule, When, Where
from fakemail.smtp.commands import COMMANDS
from fakemail.terms.address import address
from fakemail.terms.reply import Reply
from fakemail.terms.stage import Stage

if TYPE_CHECKING:
    from fakemail.api.accounts import BaseAccount
    from fakemail.api.hosts import Host

_STAGES: Final = (Stage.SMTP_BANNER, *dict.fromkeys(row.stage for row in COMMANDS.values()), Stage.SMTP_END)
"""Where a host asks whether something shall go wrong."""


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
        and the server would not know what it has promised. So it does for what could never strike, such as
        a stage outside SMTP.
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
        if not isinstance(action, RefuseConnections):
            self._require_stage(stage)
        self._require_count("skip", skip, least=0)
        if times is not None:
            self._require_count("times", times, least=1)
        where = Where(self._pattern("sender", sender), self._pattern("to", to))
        rule = Rule(stage, action, where, When(skip, times))
        running = self._host.running

        async def add() -> None:
            running.faults.add(rule)
            await running.heed_faults()

        self._host.run(add())
        return Fault(self._host, rule)

    def _require_stage(self, stage: object) -> None:
        internet = self._host.running.internet
        own = [
            name
            for name in self._host.running.sites
            if internet.network.attached(self._host.name, name) is None
        ]
        if internet.network.is_foreign(self._host.name) and not own:
            raise DeclarationError(
                f"host {self._host.name!r} is a real server that was attached, and its answers are its own; "
                "what works is refuse_connections(), for what our hosts send to it."
            )
        if stage not in _STAGES:
            known = ", ".join(each.name for each in _STAGES)
            hint = " To let nobody connect there is refuse_connections()." if stage is Stage.CONNECT else ""
            raise DeclarationError(
                f"host {self._host.name!r}: no fault can strike at {stage!s}; the stages that work are "
                f"{known}, each as Stage.NAME.{hint}"
            )

    def _require_count(self, name: str, count: object, *, least: int) -> None:
        if not isinstance(count, int) or isinstance(count, bool) or count < least:
            raise DeclarationError(
                f"host {self._host.name!r}: {name} of a fault is a whole number from {least} on, not {count!r}."
            )

    def _pattern(self, name: str, who: object | None) -> str | None:
        """Whom it is about, as text; an error for what fits nobody."""
        if who is None:
            return None
        text = str(who)
        if "*" in text or text == "<>":
            return text
        try:
            address(f"x{text}" if text.startswith("@") else text)
        except DeclarationError:
            raise DeclarationError(
                f"host {self._host.name!r}: {name} of a fault is an address, a domain such as '@example.org', "
                f"'<>' or a pattern with '*', not {text!r}."
            ) from None
        return text

    def __repr__(self) -> str:
        return f"<Faults of {self._host.name}: {len(self.all())}>"
