"""Declared faults: from what a test or a configuration says to a rule, and back to what a configuration says.

An action is a value of :mod:`fakemail.faults`. In a configuration it is its name (``"drop"``), or a table of the name
and what belongs to it: ``{reply = "452 4.2.2 full"}``, ``{delay = 5}``. Octets are text in Latin-1, durations seconds.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Final

from fakemail.errors import DeclarationError, nearest
from fakemail.faults.action import FIELD_KINDS, FaultAction, fields_of, read_field, require_count
from fakemail.faults.actions import ACTIONS, UNCOUNTED, reply
from fakemail.faults.catalogue import rows
from fakemail.faults.context import CONDITIONS, Match
from fakemail.faults.rule import PER, FaultRule, FaultScope, Schedule
from fakemail.faults.stages import CONDITIONS_AT, WATCHED
from fakemail.model.host import SERVICES
from fakemail.types.address import address
from fakemail.types.stage import Stage

OPTIONS: Final = tuple("to" if name == "recipient" else name for name in CONDITIONS)
"""The conditions, as tests and configurations write them."""
TIMES: Final = (
    *("skip", "nth", "every", "times", "probability", "once_per"),
    *("since", "until"),
)
"""The options that say when."""
# What can be said of faults that concern all connections.
_FOR_ALL: Final = ("service", "since", "until")
_PATHS: Final = frozenset({"sender", "recipient"})
# The class of a positive reply, where the server always has one in whose place another can stand.
_POSITIVE: Final = {Stage.SMTP_BANNER: 2, Stage.SMTP_HELO: 2, Stage.SMTP_DATA: 3} | dict.fromkeys(
    (
        *(Stage.SMTP_RSET, Stage.SMTP_NOOP, Stage.SMTP_VRFY, Stage.SMTP_EXPN),
        *(Stage.SMTP_HELP, Stage.SMTP_QUIT),
    ),
    2,
)


# Rules -----------------------------------------------------------------------------------------------


def read_rule(
    scope: FaultScope,
    stage: object,
    action: object,
    options: Mapping[str, Any],
    *,
    must_fire: bool = False,
) -> FaultRule:
    """A rule. Raises :class:`~fakemail.errors.DeclarationError` for one that could never fire, or means nothing."""
    try:
        return _read_rule(scope, stage, action, options, must_fire)
    except DeclarationError as error:
        raise DeclarationError(f"{scope}: {error}") from None


def _read_rule(
    scope: FaultScope, stage: object, action: object, options: Mapping[str, Any], must_fire: bool
) -> FaultRule:
    known, does = _read_what(stage, action)
    given = {name: value for name, value in options.items() if value is not None}
    conditions = {
        name: given[option] for name, option in zip(CONDITIONS, OPTIONS, strict=True) if option in given
    }
    for name in conditions:
        if name not in CONDITIONS_AT[known]:
            raise DeclarationError(
                f"{_option(name)}= cannot fit at {known}, where that is not known; it can at {_where_known(name)}."
            )
    if isinstance(does, UNCOUNTED):
        _require_no_choice(does, given)
    where = Match(**{name: _read_condition(name, value) for name, value in conditions.items()})
    does.check_match(where)
    when = _read_schedule(known, {name: given[name] for name in TIMES if name in given})
    return FaultRule(known, does, where, when, scope, must_fire)


def _require_no_choice(action: FaultAction, given: Collection[str]) -> None:
    """Refuse conditions and counts where the operating system decides, which knows neither."""
    for name in given:
        if name not in _FOR_ALL:
            raise DeclarationError(
                f"{action.name}() is the same for whoever connects, so it takes {', '.join(_FOR_ALL)}, "
                f"not {name}. remove() ends it at any time, and faults.reset() or faults.drop() at "
                "Stage.CONNECT can choose."
            )


def _read_what(stage: object, action: object) -> tuple[Stage, FaultAction]:
    if not isinstance(stage, Stage):
        raise DeclarationError(
            f"the stage of a fault is one of Stage, such as Stage.SMTP_RCPT (smtp.rcpt), not {stage!r}."
        )
    if stage in WATCHED:
        raise DeclarationError(f"no fault is possible at {stage}: {WATCHED[stage]}.")
    if not isinstance(action, FaultAction):
        raise DeclarationError(
            f"what a fault does is an action of fakemail.faults, such as faults.drop(), not {action!r}."
        )
    if stage not in action.at:
        possible = ", ".join(sorted(kind.name for kind in rows()[stage].actions))
        places = ", ".join(str(each) for each in CONDITIONS_AT if each in action.at)
        raise DeclarationError(
            f"{action.name!r} is not possible at {stage}. Possible there: {possible}. "
            f"It is possible at {places or 'no stage'}."
        )
    if isinstance(action, reply) and action.reply.is_positive:
        _require_good_reply(stage, action)
    return stage, action


def _require_good_reply(stage: Stage, action: reply) -> None:
    """After a positive reply the client goes on, so it can only stand in place of one that the server has itself."""
    wanted = _POSITIVE.get(stage)
    if wanted == action.reply.code // 100:
        return
    allowed = f"4yz, 5yz or {wanted}yz" if wanted else "4yz or 5yz"
    raise DeclarationError(
        f"a fault at {stage} answers {allowed}, not {action.reply}: to a positive reply the client goes on, "
        "and the server has nothing to go on with. To take what would be refused, declare it (an account, an "
        "alias, a catch-all); to say yes and lose the message there is faults.pretend_success()."
    )


def _option(condition: str) -> str:
    return "to" if condition == "recipient" else condition


def _where_known(condition: str) -> str:
    return ", ".join(str(stage) for stage, known in CONDITIONS_AT.items() if condition in known)


def _read_condition(name: str, value: Any) -> Any:
    if name == "service" and value not in SERVICES and "*" not in str(value):
        raise DeclarationError(f"there is no service {value!r}; {nearest(str(value), SERVICES)}")
    if name in ("connection", "after"):
        require_count(name, value, 1)
        return value
    text = value if isinstance(value, str) else str(getattr(value, "address", None) or value)
    if name == "query":
        text = text.rstrip(".")
    if name == "client":
        text = value if isinstance(value, str) else str(getattr(value, "name", value))
    if name not in _PATHS or "*" in text or text == "<>":
        if not text:
            raise DeclarationError(f"{_option(name)} of a fault is empty; leave it out to mean everything.")
        return text
    try:
        address(f"x{text}" if text.startswith("@") else text)
    except DeclarationError:
        raise DeclarationError(
            f"{_option(name)} of a fault is an address, a domain such as '@example.org', "
            f"'<>' or a pattern with '*', not {text!r}."
        ) from None
    return text


def _read_schedule(stage: Stage, when: dict[str, Any]) -> Schedule:
    if (nth := when.pop("nth", None)) is not None:
        require_count("nth", nth, 1)
        if "skip" in when or "times" in when:
            raise DeclarationError(f"nth={nth} of a fault says it all; leave skip and times out.")
        when |= {"skip": nth - 1, "times": 1}
    for name, least in (("skip", 0), ("every", 1), ("times", 1)):
        if name in when:
            require_count(name, when[name], least)
    probability = when.get("probability", 1.0)
    if not isinstance(probability, int | float) or isinstance(probability, bool) or not 0 < probability <= 1:
        raise DeclarationError(
            f"probability of a fault is a number above 0 and up to 1, not {probability!r}."
        )
    per = when.get("once_per")
    if per is not None and per not in PER:
        raise DeclarationError(f"once_per of a fault cannot be {per!r}; {nearest(str(per), PER)}")
    if per is not None and per not in CONDITIONS_AT[stage]:
        raise DeclarationError(
            f"once_per={per!r} means nothing at {stage}, where that is not known; "
            f"it does at {_where_known(per)}."
        )
    for name in ("since", "until"):
        moment = when.get(name)
        if moment is not None and (not isinstance(moment, datetime) or moment.tzinfo is None):
            raise DeclarationError(
                f"{name} of a fault is a time with its time zone, such as "
                f"mailnet.clock.now() + minutes(5), not {moment!r}."
            )
    if "since" in when and "until" in when and when["until"] <= when["since"]:
        raise DeclarationError("a fault ends after it has begun, but until is not after since.")
    return Schedule(**when)


# Plain values ----------------------------------------------------------------------------------------


def read_stage(given: object) -> Stage:
    """A stage, or the one of that name."""
    if isinstance(given, Stage):
        return given
    stages = {stage.value: stage for stage in Stage}
    if given not in stages:
        raise DeclarationError(f"there is no stage {given!r}; {nearest(str(given), stages)}")
    return stages[str(given)]


def read_action(given: object) -> FaultAction:
    """An action from plain values. Raises :class:`~fakemail.errors.DeclarationError` with what is wrong."""
    if isinstance(given, FaultAction):
        return given
    values: Mapping[str, Any] | None
    if isinstance(given, str):
        name, values = given, {}
    elif isinstance(given, Mapping) and len(given) == 1:
        [(name, value)] = given.items()
        values = value if isinstance(value, Mapping) else None
    else:
        raise DeclarationError(
            'what a fault does is a name such as "drop", or one with what belongs to it, such as '
            f'{{ reply = "452 4.2.2 full" }}, not {given!r}.'
        )
    kind = ACTIONS.get(name)
    if kind is None:
        raise DeclarationError(f"there is no action {name!r}; {nearest(str(name), ACTIONS)}")
    fields = fields_of(kind)
    if values is None:
        if len(fields) != 1:
            says = f"takes a table of {', '.join(fields)}" if fields else "takes nothing"
            raise DeclarationError(f"the action {name!r} {says}, not {value!r}.")
        values = {next(iter(fields)): value}
    for key in values:
        if key not in fields:
            raise DeclarationError(f"the action {name!r} has no {key!r}; {nearest(str(key), fields)}")
    missing = [
        key for key, field in fields.items() if field.default is dataclasses.MISSING and key not in values
    ]
    if missing:
        raise DeclarationError(f"the action {name!r} needs {' and '.join(missing)}: {{ {name} = ... }}.")
    return kind.of(**{key: read_field(name, fields[key], value) for key, value in values.items()})


def write_action(action: FaultAction) -> str | dict[str, object] | None:
    """The plain values of an action; ``None`` for one that cannot be written down."""
    values: dict[str, object] = {}
    fields = fields_of(type(action))
    for key, field in fields.items():
        kind = FIELD_KINDS.get(str(field.type))
        if kind is None:
            return None
        value = getattr(action, key)
        if value != field.default:
            values[key] = kind.write(value)
    if not values:
        return action.name
    return {action.name: next(iter(values.values())) if len(fields) == 1 else values}


def write_rule(rule: FaultRule) -> dict[str, object] | None:
    """The table of a rule; ``None`` for one that cannot be written down."""
    action = write_action(rule.action)
    if action is None:
        return None
    table: dict[str, object] = {}
    if rule.scope.host or rule.scope.domain:
        table["host" if rule.scope.host else "domain"] = rule.scope.host or rule.scope.domain
    table |= {"stage": rule.stage.value, "do": action}
    table |= {_option(name): getattr(rule.where, name) for name in rule.where.conditions}
    for field in dataclasses.fields(Schedule):
        if (value := getattr(rule.when, field.name)) != field.default:
            table[field.name] = value
    return table | ({"must_fire": True} if rule.must_fire else {})
