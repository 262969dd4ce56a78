"""From what a test says of a fault to a rule, or to an error that says what is possible."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from fakemail.api.fault_checks import require_sense
from fakemail.errors import DeclarationError, nearest
from fakemail.faults.actions.action import FaultAction
from fakemail.faults.actions.connections import UNCOUNTED
from fakemail.faults.actions.smtp import SendReply
from fakemail.faults.catalogue import WATCHED, rows
from fakemail.faults.context import CONDITIONS, Match
from fakemail.faults.rule import FaultRule, FaultScope
from fakemail.faults.schedule import PER, Schedule
from fakemail.model.host import SERVICES
from fakemail.types.address import address
from fakemail.types.stage import Stage
from fakemail.zones.zone_provisioning import NAME_SERVER

# How tests write the conditions of a rule.
_NAMES: Final = {name: name for name in CONDITIONS} | {"recipient": "to"}
# What can be said of those that strike whoever connects.
_FOR_ALL: Final = ("service", "since", "until")
_PATHS: Final = frozenset({"sender", "recipient"})
# The class of a positive reply, where the server always has one in whose place another can stand.
_POSITIVE: Final = {
    Stage.SMTP_BANNER: 2,
    Stage.SMTP_HELO: 2,
    Stage.SMTP_DATA: 3,
    Stage.SMTP_RSET: 2,
    Stage.SMTP_NOOP: 2,
    Stage.SMTP_VRFY: 2,
    Stage.SMTP_EXPN: 2,
    Stage.SMTP_HELP: 2,
    Stage.SMTP_QUIT: 2,
}


def read_rule(
    scope: FaultScope,
    stage: object,
    action: object,
    *,
    where: dict[str, Any],
    when: dict[str, Any],
    must_fire: bool = False,
) -> FaultRule:
    """A rule. Raises :class:`~fakemail.errors.DeclarationError` for one that could never strike, or means nothing."""
    known, action = _read_what(scope, stage, action)
    given = {name: value for name, value in where.items() if value is not None}
    for name in given:
        if name not in rows()[known].conditions:
            raise DeclarationError(
                f"{scope}: {_NAMES[name]}= cannot fit at {known}, where that is not known; "
                f"it can at {_where_known(name)}."
            )
    _require_place(scope, known)
    if isinstance(action, UNCOUNTED):
        _require_no_choice(
            scope, action, [*given, *(name for name, value in when.items() if value is not None)]
        )
    read = {name: _read_condition(scope, name, value) for name, value in given.items()}
    where_read = Match(**read)
    require_sense(scope, action, where_read)
    return FaultRule(known, action, where_read, _read_when(scope, known, when), scope, must_fire)


def _require_place(scope: FaultScope, stage: Stage) -> None:
    """DNS has one server, and it is no host."""
    if stage is Stage.DNS_QUERY and (scope.domain or scope.host not in ("", NAME_SERVER)):
        raise DeclarationError(
            f"{scope}: nobody asks it anything by DNS; faults at dns.query are those of mailnet.dns.faults, "
            "where query= says which names they are about."
        )


def _require_no_choice(scope: FaultScope, action: FaultAction, given: list[str]) -> None:
    """The system takes connections in, or does not, and asks nobody about the one at hand."""
    for name in given:
        if name not in _FOR_ALL:
            raise DeclarationError(
                f"{scope}: {action.name}() is the same for whoever connects, so it takes {', '.join(_FOR_ALL)}, "
                f"not {_NAMES.get(name, name)}. lift() ends it at any time, and faults.reset() or faults.drop() at "
                "Stage.CONNECT can choose."
            )


def _read_what(scope: FaultScope, stage: object, action: object) -> tuple[Stage, FaultAction]:
    if not isinstance(stage, Stage):
        raise DeclarationError(
            f"{scope}: the stage of a fault is one of Stage, such as Stage.SMTP_RCPT (smtp.rcpt), not {stage!r}."
        )
    if stage in WATCHED:
        raise DeclarationError(f"{scope}: no fault can strike at {stage}: {WATCHED[stage]}.")
    row = rows().get(stage)
    if row is None:
        raise DeclarationError(
            f"{scope}: no fault can strike at {stage}; it can at {', '.join(map(str, rows()))}."
        )
    if not isinstance(action, FaultAction):
        raise DeclarationError(
            f"{scope}: what a fault does is an action of fakemail.faults, such as faults.drop(), not {action!r}."
        )
    if type(action) not in row.actions:
        places = [str(each) for each, other in rows().items() if type(action) in other.actions]
        raise DeclarationError(
            f"{scope}: {action.name!r} is not possible at {stage}. Possible there: "
            f"{_kinds(row.actions)}. It is possible at {', '.join(places) or 'no stage'}."
        )
    if isinstance(action, SendReply) and action.reply.is_positive:
        _require_good_reply(scope, stage, action)
    return stage, action


def _require_good_reply(scope: FaultScope, stage: Stage, action: SendReply) -> None:
    """After a positive reply the client goes on, so it can only stand in place of one that the server has itself."""
    wanted = _POSITIVE.get(stage)
    if wanted == action.reply.code // 100:
        return
    allowed = f"4yz, 5yz or {wanted}yz" if wanted else "4yz or 5yz"
    raise DeclarationError(
        f"{scope}: a fault at {stage} answers {allowed}, not {action.reply}: to a positive reply the client goes on, "
        "and the server has nothing to go on with. To take what would be refused, declare it (an account, an "
        "alias, a catch-all); to say yes and lose the message there is faults.pretend_success()."
    )


def _kinds(actions: Iterable[type[FaultAction]]) -> str:
    return ", ".join(sorted(action.name for action in actions))


def _where_known(name: str) -> str:
    return ", ".join(str(stage) for stage, row in rows().items() if name in row.conditions)


def _read_condition(scope: FaultScope, name: str, value: Any) -> Any:
    if name == "service" and value not in SERVICES and "*" not in str(value):
        raise DeclarationError(f"{scope}: there is no service {value!r}; {nearest(str(value), SERVICES)}")
    if name in ("connection", "after"):
        return _require_count(scope, name, value, least=1)
    text = value if isinstance(value, str) else str(getattr(value, "address", None) or value)
    if name == "query":
        text = text.rstrip(".")
    if name == "client":
        text = value if isinstance(value, str) else str(getattr(value, "name", value))
    if name not in _PATHS or "*" in text or text == "<>":
        if not text:
            raise DeclarationError(
                f"{scope}: {_NAMES[name]} of a fault is empty; leave it out to mean everything."
            )
        return text
    try:
        address(f"x{text}" if text.startswith("@") else text)
    except DeclarationError:
        raise DeclarationError(
            f"{scope}: {_NAMES[name]} of a fault is an address, a domain such as '@example.org', "
            f"'<>' or a pattern with '*', not {text!r}."
        ) from None
    return text


def _read_when(scope: FaultScope, stage: Stage, given: dict[str, Any]) -> Schedule:
    when = {name: value for name, value in given.items() if value is not None}
    if (nth := when.pop("nth", None)) is not None:
        _require_count(scope, "nth", nth, least=1)
        if "skip" in when or "times" in when:
            raise DeclarationError(f"{scope}: nth={nth} of a fault says it all; leave skip and times out.")
        when |= {"skip": nth - 1, "times": 1}
    for name, least in (("skip", 0), ("every", 1), ("times", 1)):
        if name in when:
            _require_count(scope, name, when[name], least=least)
    probability = when.get("probability", 1.0)
    if not isinstance(probability, int | float) or isinstance(probability, bool) or not 0 < probability <= 1:
        raise DeclarationError(
            f"{scope}: probability of a fault is a number above 0 and up to 1, not {probability!r}."
        )
    per = when.get("once_per")
    if per is not None and per not in PER:
        raise DeclarationError(f"{scope}: once_per of a fault cannot be {per!r}; {nearest(str(per), PER)}")
    if per is not None and per not in rows()[stage].conditions:
        raise DeclarationError(
            f"{scope}: once_per={per!r} means nothing at {stage}, where that is not known; "
            f"it does at {_where_known(per)}."
        )
    for name in ("since", "until"):
        moment = when.get(name)
        if moment is not None and (not isinstance(moment, datetime) or moment.tzinfo is None):
            raise DeclarationError(
                f"{scope}: {name} of a fault is a time with its time zone, such as "
                f"mailnet.clock.now() + minutes(5), not {moment!r}."
            )
    if "since" in when and "until" in when and when["until"] <= when["since"]:
        raise DeclarationError(f"{scope}: a fault ends after it has begun, but until is not after since.")
    return Schedule(**when)


def _require_count(scope: FaultScope, name: str, count: object, *, least: int) -> int:
    if not isinstance(count, int) or isinstance(count, bool) or count < least:
        raise DeclarationError(
            f"{scope}: {name} of a fault is a whole number from {least} on, not {count!r}."
        )
    return count
