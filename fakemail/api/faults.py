"""Faults as a test sets them: at a host, a domain, an account, the name server, or everywhere."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, Unpack

from fakemail.api.handles import Handle, Results
from fakemail.dns.names import name_key
from fakemail.dns.rrtypes import read_type
from fakemail.errors import DeclarationError, nearest
from fakemail.faults.action import FIELD_KINDS, FaultAction
from fakemail.faults.actions import ACTIONS, UNCOUNTED, refuse_connections
from fakemail.faults.declaration import read_action, read_rule, read_stage
from fakemail.faults.presets import (
    CommonPresets,
    DnsFaultOptions,
    DnsPresets,
    FaultOptions,
    MailboxPresets,
    Preset,
    PresetTarget,
    SmtpPresets,
    TlsPresets,
    presets_of,
)
from fakemail.faults.rule import Fault, FaultRule, FaultScope
from fakemail.types.stage import Stage
from fakemail.types.suggestions import UnknownKeyword
from fakemail.zones.zone_provisioning import NAME_SERVER

if TYPE_CHECKING:
    from fakemail.api.portal import Portal
    from fakemail.dns.zones import Zones

_F = TypeVar("_F", bound=Callable[..., object])


def _with_options(options: type) -> Callable[[_F], _F]:
    """Spell a function's options out in its signature, for ``help()`` and the reference page."""

    def decorate(function: _F) -> _F:
        signature = inspect.signature(function)
        named = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)
            for name, kind in options.__annotations__.items()
        ]
        shown = [each for each in signature.parameters.values() if each.kind is not each.VAR_KEYWORD]
        function.__dict__["__signature__"] = signature.replace(parameters=[*shown, *named])
        return function

    return decorate


class _DeclaredFaults(Handle, PresetTarget):
    """The faults of one scope: declared, listed, removed. Iterate it for those that are in force."""

    def __init__(self, portal: Portal, scope: FaultScope) -> None:
        self._portal = portal
        self._scope = scope

    def all(self) -> Results[Fault]:
        """The faults in force that were declared here."""
        rules = self._portal.call(lambda: self._portal.simulation.faults.rules(self._scope))
        return Results([self._handle(rule) for rule in rules], question=f"the faults of {self._scope}")

    def clear(self, *faults: Fault) -> None:
        """End these faults, or all that were declared here if none is named."""
        remove_rules(self._portal, [rule for fault in faults or self.all() for rule in fault._rules])

    def _handle(self, rule: FaultRule) -> Fault:
        return Fault(rule, lambda rules: remove_rules(self._portal, rules))

    def _scope_of_faults(self) -> FaultScope:
        return self._scope

    def _declare(self, stage: Stage, action: FaultAction, options: Mapping[str, Any]) -> Fault:
        for name in options:
            if name not in FaultOptions.__annotations__:
                raise UnknownKeyword("add", name, self.option_names)
        wanted = options.get("must_fire")
        if wanted and isinstance(action, UNCOUNTED):
            raise DeclarationError(
                f"{self._scope}: nobody can count how often {action.name}() fires, since the system does it; "
                "leave must_fire out."
            )
        if stage is Stage.DNS_QUERY and (self._scope.domain or self._scope.host not in ("", NAME_SERVER)):
            raise DeclarationError(
                f"{self._scope}: nobody asks it anything by DNS; faults at dns.query are those of "
                "mailnet.dns.faults, where query= says which names they are about."
            )
        must_fire = self._portal.faults_must_fire if wanted is None else wanted
        rule = read_rule(
            self._scope,
            stage,
            action,
            options,
            must_fire=must_fire and not isinstance(action, UNCOUNTED),
        )
        return self._add_rule(rule)

    def _add_rule(self, rule: FaultRule) -> Fault:
        simulation = self._portal.simulation
        self._require_own(rule)

        async def add() -> None:
            simulation.faults.add(rule)
            await simulation.fault_updates.apply()

        self._portal.perform(add())
        return self._handle(rule)

    def _require_own(self, rule: FaultRule) -> None:
        """A real server that a test attached does what it wants."""
        name, simulation = self._scope.host, self._portal.simulation
        if not name or not simulation.network.is_foreign(name) or isinstance(rule.action, refuse_connections):
            return
        own = [
            each
            for each in simulation.hosts.running[name].ports
            if simulation.network.attached(name, each) is None
        ]
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


class Faults(_DeclaredFaults, SmtpPresets, MailboxPresets, TlsPresets):
    """The faults of a host, of the hosts of a domain, or of all hosts."""

    @_with_options(FaultOptions)
    def add(self, stage: Stage, do: FaultAction, **options: Unpack[FaultOptions]) -> Fault:
        """Let something happen at a stage: an action of :mod:`fakemail.faults`, such as ``faults.drop()``.

        *Whom* it concerns: ``to`` and ``sender`` are an address, a domain (``"@example.org"``), ``"<>"`` or a pattern
        with ``*``. ``client`` is a host or its address (``"app"`` for the program under test), ``login`` who has
        logged in, ``connection`` a number of the transcript, ``service`` ``"smtp"``, ``"submission"``...; ``argument``
        what stands behind the command, ``subject`` that of the message, ``message`` its number or UID, ``after`` the
        octets of it that must have come; ``query``, ``query_type`` and ``transport`` (``"udp"`` or ``"tcp"``) are what
        DNS is asked, and how. All that is given must fit, in whatever case it is written; all but the numbers may be
        patterns.

        *When*: the first ``skip`` fitting moments pass, of the others each ``every``-th counts; ``nth`` is a single
        one; it fires ``times`` times at most, with a ``probability`` from the seed of the fake internet, and
        ``once_per`` ``"recipient"``, ``"sender"``, ``"connection"``, ``"login"``, ``"client"`` or ``"query"``;
        ``since`` and ``until`` are times of the fake clock.

        ``must_fire``: a test that ends well though the fault never fired fails. That is so for those that a test
        declares itself while it runs, unless it says otherwise.

        Raises :class:`~fakemail.errors.DeclarationError` for what could never fire, and says what could.
        """
        return self._declare(stage, do, options)


class AccountFaults(CommonPresets, MailboxPresets):
    """The faults of one account by IMAP and POP3: those of its host with ``login`` given.

    They can fire where it is known who has logged in, or wants to: not in a banner, nor in the middle of SASL.
    """

    def __init__(self, portal: Portal, host: str, login: str) -> None:
        self._faults = Faults(portal, FaultScope(host))
        self._login = login

    def __repr__(self) -> str:
        return f"<Faults of {self._login}>"

    def add(self, stage: Stage, do: FaultAction, **options: Unpack[FaultOptions]) -> Fault:
        """Let something happen at a stage of IMAP or POP3; see :meth:`fakemail.api.faults.Faults.add`."""
        return self._declare(stage, do, options)

    def _scope_of_faults(self) -> FaultScope:
        return self._faults._scope_of_faults()

    def _apply(self, preset: Preset, args: tuple[Any, ...], keywords: Mapping[str, Any]) -> Fault:
        return super()._apply(preset, args, {**keywords, "login": self._login})

    def _declare(self, stage: Stage, action: FaultAction, options: Mapping[str, Any]) -> Fault:
        return self._faults._declare(stage, action, {**options, "login": self._login})


class DnsFaults(_DeclaredFaults, DnsPresets):
    """The faults of the name server.

    Each takes a name (``"example.org"``, a pattern with ``*``, or none for all names) and ``type``, and
    ``when`` and whom it concerns as :meth:`~fakemail.api.faults.Faults.add` has it: ``times=1``, ``client="app"``,
    ``transport="udp"``...
    """

    def __init__(self, portal: Portal) -> None:
        super().__init__(portal, FaultScope(NAME_SERVER))

    @_with_options(DnsFaultOptions)
    def add(self, do: FaultAction, name: str | None = None, **options: Unpack[DnsFaultOptions]) -> Fault:
        """Let something happen to answers: an action of :mod:`fakemail.faults` that is possible there."""
        return self._declare(Stage.DNS_QUERY, do, {"name": name, **options})

    def _declare(self, stage: Stage, action: FaultAction, options: Mapping[str, Any]) -> Fault:
        others = dict(options)
        name, asked = others.pop("name", None), others.pop("type", None)
        query = name if name is None or "*" in name else name_key(name)
        query_type = None if asked is None else read_type(asked)
        return super()._declare(stage, action, {"query": query, "query_type": query_type, **others})

    def _zones_now(self) -> Zones:
        return self._portal.call(lambda: self._portal.simulation.zones.copy())

    def _name(self) -> str:
        return "Faults of the name server"


def remove_rules(portal: Portal, rules: Iterable[FaultRule]) -> None:
    """End these rules."""

    async def end() -> None:
        portal.simulation.faults.remove(*rules)
        await portal.simulation.fault_updates.apply()

    portal.perform(end())


# Tables of configurations and of the pytest mark ------------------------------------------------------

KEYS = ("host", "domain", "stage", "do", *FaultOptions.__annotations__)
"""Keys that a table may have."""


def declare(portal: Portal, table: Mapping[str, Any]) -> Fault:
    """Declare a fault. Raises :class:`~fakemail.errors.DeclarationError` for one that cannot be."""
    given = dict(table)
    for key in given:
        if key not in KEYS:
            raise DeclarationError(f"a fault has no {key!r}; {nearest(str(key), KEYS)}")
    if not isinstance(given.get("must_fire", False), bool):
        raise DeclarationError(f"must_fire of a fault is true or false, not {given['must_fire']!r}.")
    faults = Faults(portal, _read_scope(portal, given.pop("host", ""), given.pop("domain", "")))
    does = given.get("do")
    word = str(next(iter(does)) if isinstance(does, Mapping) and does else does)
    words = {
        name: (target, row)
        for target in (DnsFaults(portal), faults)
        for name, row in presets_of(type(target)).items()
        if row.knows_stage
    }
    if word in words and "stage" not in given:
        return _apply_word(*words[word], given)
    if "do" in given and isinstance(does, str | Mapping) and word not in ACTIONS:
        if word in words:
            raise DeclarationError(f"the fault {word!r} says itself at which stage it is; leave stage out.")
        raise DeclarationError(f"there is no action {word!r}; {nearest(word, {*ACTIONS, *words})}")
    missing = [key for key in ("stage", "do") if key not in given]
    if missing:
        raise DeclarationError(
            f"a fault needs {' and '.join(missing)}, such as stage = 'smtp.rcpt', do = 'drop'."
        )
    stage, action = read_stage(given.pop("stage")), read_action(given.pop("do"))
    return faults._declare(stage, action, given)


def _apply_word(target: Faults | DnsFaults, row: Preset, given: dict[str, Any]) -> Fault:
    """Declare a preset by its word, with what belongs to it as plain values."""
    do = given.pop("do")
    parameters = list(row.signature.parameters.values())[1:-1]
    own = {each.name: each for each in parameters if each.name not in ("stage", "to", "name", "type")}
    values = do[row.name] if isinstance(do, Mapping) else {}
    if not isinstance(values, Mapping):
        if not own:
            raise DeclarationError(f"the fault {row.name!r} takes nothing, not {values!r}.")
        values = {next(iter(own)): values}
    for name in values:
        if name not in own:
            raise DeclarationError(f"the fault {row.name!r} has no {name!r}; {nearest(str(name), own)}")
    if isinstance(target, DnsFaults):
        given = {{"query": "name", "query_type": "type"}.get(key, key): value for key, value in given.items()}
    keywords = given | {name: _plain(own[name], value) for name, value in values.items()}
    args: list[object] = []
    for at, parameter in enumerate(parameters):
        if parameter.kind is parameter.VAR_POSITIONAL and parameter.name in keywords:
            several = keywords.pop(parameter.name)
            args = [keywords.pop(each.name, each.default) for each in parameters[:at]]
            args += [several] if isinstance(several, str) else several
    return target._apply(row, tuple(args), keywords)


def _plain(parameter: inspect.Parameter, value: object) -> object:
    kind = FIELD_KINDS.get(parameter.annotation)
    return value if kind is None else kind.read(value)


def _read_scope(portal: Portal, host: object, domain: object) -> FaultScope:
    world = portal.simulation.world
    if host and domain:
        raise DeclarationError("a fault is of a 'host' or of a 'domain'; leave one of them out.")
    if host:
        return FaultScope(host=world.host(str(getattr(host, "name", host))).name)
    return (
        FaultScope(domain=world.domain(str(getattr(domain, "name", domain))).name) if domain else FaultScope()
    )
