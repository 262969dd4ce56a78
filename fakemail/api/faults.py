"""Faults as a test sets them: by plain names, counted, lifted at any time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING

from fakemail.api.fault_rules import read_rule
from fakemail.api.handles import Handle, Results
from fakemail.api.presets.adding import FaultTarget
from fakemail.api.presets.http import HttpPresets
from fakemail.api.presets.reading import ReadingPresets
from fakemail.api.presets.smtp import SmtpPresets
from fakemail.api.presets.tls import TlsPresets
from fakemail.errors import DeclarationError
from fakemail.faults.actions.action import FaultAction
from fakemail.faults.actions.connections import UNCOUNTED, RefuseConnections
from fakemail.faults.rule import FaultRule, FaultScope
from fakemail.types.stage import Stage
from fakemail.types.suggestions import Suggests

if TYPE_CHECKING:
    from fakemail.api.handles import HasName
    from fakemail.api.portal import Portal
    from fakemail.types.address import HasAddress


class Fault(Suggests):
    """A fault in force. Use it in a ``with`` block to have it lifted at the end of the block."""

    def __init__(self, portal: Portal, rule: FaultRule) -> None:
        self._portal = portal
        self._rule = rule
        self._others: list[Fault] = []

    def accompany(self, other: Fault) -> None:
        """Lift another together with this one, of which it is a part."""
        self._others.append(other)
        self._rule.allies.append(other._rule)
        other._rule.allies.append(self._rule)

    @property
    def fired(self) -> int:
        """How often it has struck. The system's refusal of a connection cannot be counted."""
        return self._rule.fired + sum(other.fired for other in self._others)

    @property
    def evaluated(self) -> int:
        """How often its stage was reached while it was in force, whether it struck or not."""
        return self._rule.evaluated

    def remove(self) -> None:
        """End it."""
        lift(self._portal, [self._rule, *(other._rule for other in self._others)])

    def __enter__(self) -> Fault:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()

    def __repr__(self) -> str:
        return f"<Fault of {self._rule.scope}: {self._rule}>"


class Faults(Handle, FaultTarget):
    """What goes wrong somewhere: put in force, listed, lifted. Iterate it for what is in force."""

    def __init__(self, portal: Portal, scope: FaultScope) -> None:
        self._portal = portal
        self._scope = scope

    def add(  # type: ignore[override]  # it names what presets pass on
        self,
        stage: Stage,
        do: FaultAction,
        *,
        to: str | HasAddress | None = None,
        sender: str | HasAddress | None = None,
        client: str | HasName | None = None,
        login: str | HasAddress | None = None,
        connection: int | None = None,
        service: str | None = None,
        argument: str | None = None,
        subject: str | None = None,
        message: str | None = None,
        after: int | None = None,
        query: str | None = None,
        query_type: str | None = None,
        transport: str | None = None,
        skip: int | None = None,
        nth: int | None = None,
        every: int | None = None,
        times: int | None = None,
        probability: float | None = None,
        once_per: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        must_fire: bool | None = None,
    ) -> Fault:
        """Let something happen at a stage: an action of :mod:`fakemail.faults`, such as ``faults.drop()``.

        *Whom* it concerns: ``to`` and ``sender`` are an address, a domain (``"@example.org"``), ``"<>"`` or a pattern
        with ``*``. ``client`` is a host or its address (``"app"`` for the program under test), ``login`` who has
        logged in, ``connection`` a number of the transcript, ``service`` ``"smtp"``, ``"submission"``...; ``argument``
        what stands behind the command, ``subject`` that of the message, ``message`` its number or UID, ``after`` the
        octets of it that must have come; ``query``, ``query_type`` and ``transport`` (``"udp"`` or ``"tcp"``) are what
        DNS is asked, and how. All that is given must fit, in whatever case it is written; all but the numbers may be
        patterns.

        *When*: the first ``skip`` fitting moments pass, of the others each ``every``-th counts; ``nth`` is a single
        one; it strikes ``times`` times at most, with a ``probability`` from the seed of the fake internet, and
        ``once_per`` ``"recipient"``, ``"sender"``, ``"connection"``, ``"login"``, ``"client"`` or ``"query"``;
        ``since`` and ``until`` are times of the fake clock.

        ``must_fire``: a test that ends well though the fault never struck fails. That is so for those that a test
        declares itself while it runs, unless it says otherwise.

        Raises :class:`~fakemail.errors.DeclarationError` for what could never strike, and says what could.
        """
        where = {
            "client": client,
            "connection": connection,
            "service": service,
            "login": login,
            "sender": sender,
            "recipient": to,
            "argument": argument,
            "subject": subject,
            "message": message,
            "after": after,
            "query": query,
            "query_type": query_type,
            "transport": transport,
        }
        when = {
            "skip": skip,
            "nth": nth,
            "every": every,
            "times": times,
            "probability": probability,
            "once_per": once_per,
            "since": since,
            "until": until,
        }
        rule = read_rule(
            self._scope, stage, do, where=where, when=when, must_fire=self._must_fire(must_fire, do)
        )
        return self._put_in_force(rule)

    def all(self) -> Results[Fault]:
        """The faults in force that were declared here."""
        rules = self._portal.call(lambda: self._portal.simulation.faults.rules(self._scope))
        return Results([Fault(self._portal, rule) for rule in rules], question=f"the faults of {self._scope}")

    def clear(self, *faults: Fault) -> None:
        """End these faults, or all that were declared here if none is named."""
        rules = [fault._rule for fault in faults]
        lift(self._portal, rules or [fault._rule for fault in self.all()])

    def _must_fire(self, wanted: bool | None, action: FaultAction) -> bool:
        if isinstance(action, UNCOUNTED):
            if wanted:
                raise DeclarationError(
                    f"{self._scope}: nobody can count how often {action.name}() strikes, since the system does it; "
                    "leave must_fire out."
                )
            return False
        return self._portal.faults_must_fire if wanted is None else wanted

    def _put_in_force(self, rule: FaultRule) -> Fault:
        internet = self._portal.simulation
        self._require_own(rule)

        async def add() -> None:
            internet.faults.add(rule)
            await internet.heed_faults()

        self._portal.perform(add())
        return Fault(self._portal, rule)

    def _require_own(self, rule: FaultRule) -> None:
        """A real server that a test attached does what it wants."""
        name, internet = self._scope.host, self._portal.simulation
        if not name or not internet.network.is_foreign(name) or isinstance(rule.action, RefuseConnections):
            return
        own = [each for each in internet.hosts[name].sites if internet.network.attached(name, each) is None]
        if not own:
            raise DeclarationError(
                f"host {name!r} is a real server that was attached, and its answers are its own; "
                "what works is refuse_connections(), for what our hosts send to it."
            )

    def __iter__(self) -> Iterator[Fault]:
        return iter(self.all())

    def __len__(self) -> int:
        return len(self.all())

    def _name(self) -> str:
        return f"Faults of {self._scope}"

    def _state(self) -> str:
        return f": {len(self)}"


class FaultPresets(Faults, SmtpPresets, ReadingPresets, TlsPresets, HttpPresets):
    """What goes wrong at a host, at the hosts of a domain, or everywhere."""


def lift(portal: Portal, rules: list[FaultRule]) -> None:
    """End these rules."""

    async def end() -> None:
        portal.simulation.faults.remove(*rules)
        await portal.simulation.heed_faults()

    portal.perform(end())
