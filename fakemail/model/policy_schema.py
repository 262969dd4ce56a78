"""Policies as people write them: plain words, numbers and tables to :class:`~fakemail.model.policy.Policy` and back.

Code and the configuration file go by one table, so that what can be written in one can be written in the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, replace
from datetime import timedelta
from functools import cache
from ipaddress import ip_network
from types import MappingProxyType
from typing import Any, Final, NamedTuple, get_type_hints

from fakemail.errors import DeclarationError, nearest
from fakemail.model.content_rules import (
    BULK_PACKS,
    BULK_RULES,
    BulkSender,
    ContentRules,
    ScannerAddress,
    Thresholds,
    read_rules,
    read_scanners,
    read_thresholds,
    write_rules,
    write_thresholds,
)
from fakemail.model.policy import (
    DEFAULT_POLICY,
    SUBMISSION_POLICY,
    CheckSwitch,
    Disposition,
    DispositionMap,
    Policy,
    RateLimit,
)
from fakemail.types.address import is_domain_name
from fakemail.types.domains import a_labels

_LONGEST_SPAN: Final = timedelta(days=36_500)
"""A clock in which two of them follow each other does not run out of years."""
OUTCOMES: Final = tuple(outcome.value for outcome in Disposition)


class _InvalidValue(Exception):
    """A value is not what it has to be; the text goes on after the name of the keyword."""


class PolicyValueKind(NamedTuple):
    """What a value may be, and how it is read and written."""

    says: str
    read: Callable[[Any], Any]
    write: Callable[[Any], Any]
    """The same value as TOML has it."""


def read_policy(name: str, keywords: Mapping[str, Any], *, of: str = "domain") -> Policy:
    """The policy that code describes by keyword, of a domain or of a host.

    Raises one :class:`~fakemail.errors.DeclarationError` that tells all that is wrong with it.
    """
    policy, mistakes = read(keywords, usual=DEFAULT_POLICY if of == "domain" else SUBMISSION_POLICY)
    if mistakes:
        told = list(mistakes.values())
        if len(told) == 1:
            raise DeclarationError(f"{of} {name!r}: {told[0]}")
        lines = "".join(f"\n  {each}" for each in told)
        raise DeclarationError(f"{of} {name!r}: {len(told)} mistakes in its policy:{lines}")
    return policy


def read(keywords: Mapping[str, Any], *, usual: Policy = DEFAULT_POLICY) -> tuple[Policy, dict[str, str]]:
    """The policy, of what could be read, and a sentence for each keyword that could not."""
    kinds = policy_kinds()
    found: dict[str, Any] = {}
    mistakes: dict[str, str] = {}
    for name, value in keywords.items():
        kind = kinds.get(name)
        if kind is None:
            mistakes[name] = f"there is no policy {name!r}; {nearest(name, kinds)}"
            continue
        if value is None:
            continue  # as usual
        try:
            found[name] = kind.read(value)
        except _InvalidValue as wrong:
            mistakes[name] = f"{name!r} {wrong}"
        except DeclarationError as error:  # a value with rules of its own
            mistakes[name] = f"{name!r}: {error}"
    return replace(usual, **found), mistakes


def write(policy: Policy, *, usual: Policy = DEFAULT_POLICY) -> dict[str, Any]:
    """What of a policy is not as usual, as plain values."""
    return {
        name: kind.write(getattr(policy, name))
        for name, kind in policy_kinds().items()
        if getattr(policy, name) != getattr(usual, name)
    }


@cache
def policy_kinds() -> Mapping[str, PolicyValueKind]:
    """What each keyword may be."""
    hints = get_type_hints(Policy)
    found = {}
    for field in fields(Policy):
        asks = field.metadata.get("asks")
        if isinstance(asks, CheckSwitch):
            found[field.name] = _then(asks)
        else:
            found[field.name] = _NAMED_KINDS.get(field.name) or _KINDS[hints[field.name]]
    return MappingProxyType(found)


# What follows from a check --------------------------------------------------------------------------------


def _then(asks: CheckSwitch) -> PolicyValueKind:
    if asks.is_listed:
        says = "the zone of a list, several zones, or a table from zones to outcomes"
        return PolicyValueKind(says, _read_lists, _write_then)
    words = "".join(f"`{word}`, " for word in asks.words)
    says = f"{words}an outcome, or a table from {_or(asks.keys)} to outcomes"
    return PolicyValueKind(says, lambda value: _read_then(value, asks), _write_then)


def _read_then(value: Any, asks: CheckSwitch) -> DispositionMap:
    if isinstance(value, str):
        if value in asks.words:
            return asks.words[value]
        return DispositionMap((("fail", _outcome(value, (*asks.words, *OUTCOMES))),))
    if not isinstance(value, Mapping):
        raise _InvalidValue(f"is a word such as 'refuse', or a table of such words, not {value!r}.")
    if not value:
        raise _InvalidValue("is an empty table; leave it out for no check.")
    for key in value:
        if key not in asks.keys:
            raise _InvalidValue(f"finds no {key!r}; {nearest(str(key), asks.keys)}")
    return DispositionMap(tuple((key, _outcome(each, OUTCOMES)) for key, each in value.items()))


def _read_lists(value: Any) -> DispositionMap:
    if isinstance(value, str):
        value = (value,)
    if isinstance(value, Mapping):
        pairs = [(_zone(name), _outcome(each, OUTCOMES)) for name, each in value.items()]
    elif isinstance(value, Iterable) and not isinstance(value, bytes):
        pairs = [(_zone(name), Disposition.REFUSE) for name in value]
    else:
        raise _InvalidValue(f"names lists such as 'zen.example', not {value!r}.")
    if not pairs:
        raise _InvalidValue("names no list; leave it out for none.")
    return DispositionMap(tuple(pairs), fails_open=True)


def _zone(name: Any) -> str:
    zone = a_labels(name) if isinstance(name, str) else ""
    if not is_domain_name(zone):
        raise _InvalidValue(f"names lists by their zones, such as 'zen.example', not {name!r}.")
    return zone


def _outcome(word: Any, known: Sequence[str]) -> Disposition:
    if word not in OUTCOMES:
        raise _InvalidValue(f"cannot be {word!r}; {nearest(str(word), known)}")
    return Disposition(word)


def _one_of(word: Any, known: Sequence[str]) -> Disposition:
    if word not in known:
        raise _InvalidValue(f"cannot be {word!r}; {nearest(str(word), known)}")
    return Disposition(word)


def _write_then(then: DispositionMap | None) -> Any:
    if then is None:
        return "accept"
    if len(then.pairs) == 1 and then.pairs[0][0] == "fail":
        return then.pairs[0][1].value
    return {key: outcome.value for key, outcome in then.pairs}


def _or(words: Iterable[str]) -> str:
    quoted = [f"`{word}`" for word in words]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} or {quoted[-1]}"


# Numbers, spans, texts --------------------------------------------------------------------------------------


def _read_span(value: Any) -> timedelta:
    if _is_number(value):
        try:
            value = timedelta(seconds=value)
        except (OverflowError, ValueError):  # more than a calendar holds, or no number at all
            raise _InvalidValue(f"cannot be {value} seconds.") from None
    if not isinstance(value, timedelta):
        raise _InvalidValue(f"is a duration such as minutes(5), or a number of seconds, not {value!r}.")
    if value < timedelta():
        raise _InvalidValue(f"is a duration and cannot be negative: -{-value} (h:mm:ss).")
    if value > _LONGEST_SPAN:
        raise _InvalidValue(f"is a duration of {_LONGEST_SPAN.days} days at most, not {value}.")
    return value


def _write_span(span: timedelta) -> int | float:
    seconds = span.total_seconds()
    return int(seconds) if seconds.is_integer() else seconds


def _read_rate(value: Any) -> RateLimit:
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) != 2:
        raise _InvalidValue(f"is a number and a span, such as (100, hours(1)), not {value!r}.")
    most = _read_whole(value[0])
    span = _read_span(value[1])
    if not span:
        raise _InvalidValue("needs a span that is longer than nothing.")
    return RateLimit(most, span)


def _read_whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise _InvalidValue(f"is a whole number from 0 up, not {value!r}.")
    return value


def _read_flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _InvalidValue(f"is true or false, not {value!r}.")
    return value


def _read_text(value: Any) -> str:
    if not isinstance(value, str) or "\n" in value or "\r" in value:
        raise _InvalidValue(f"is a line of text, not {value!r}.")
    return value


def _read_texts(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        value = (value,)
    texts = tuple(value) if isinstance(value, Iterable) and not isinstance(value, bytes | Mapping) else None
    if texts is None or not all(isinstance(each, str) for each in texts):
        raise _InvalidValue(f"is a text or a list of texts, not {value!r}.")
    return texts


def _read_zones(value: Any) -> tuple[str, ...]:
    return tuple(_zone(each) for each in _read_texts(value))


def _read_clients(value: Any) -> tuple[str, ...]:
    """Addresses and networks of clients, addresses and domains of senders, and names of hosts."""
    texts = _read_texts(value)
    for each in texts:
        if not _is_network(each) and not is_domain_name(a_labels(each.rpartition("@")[2])):
            raise _InvalidValue(f"names networks, addresses, domains or hosts; {each!r} is none of them.")
    return texts


def _is_network(text: str) -> bool:
    try:
        ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _read_bulk_sender(value: Any) -> BulkSender:
    """The name of a pack, or ``{"like": ..., "counts_from": 5000, "outcomes": {"tls": "tag"}}``."""
    table = {"like": value} if isinstance(value, str) else value
    if not isinstance(table, Mapping) or "like" not in table:
        raise _InvalidValue(
            f"is one of {', '.join(map(repr, BULK_PACKS))}, or a table with 'like', not {value!r}."
        )
    if unknown := [key for key in table if key not in _BULK_KEYS]:
        raise _InvalidValue(f"has no {unknown[0]!r}; {nearest(str(unknown[0]), _BULK_KEYS)}")
    if table["like"] not in BULK_PACKS:
        raise _InvalidValue(f"knows nobody {table['like']!r}; {nearest(str(table['like']), BULK_PACKS)}")
    given = table.get("outcomes", {})
    if not isinstance(given, Mapping):
        raise _InvalidValue(f"has outcomes by the names of rules, such as {{'tls': 'tag'}}, not {given!r}.")
    for rule in given:
        if rule not in BULK_RULES:
            raise _InvalidValue(f"has no rule {rule!r}; {nearest(str(rule), BULK_RULES)}")
    outcomes = tuple((rule, _outcome(word, OUTCOMES).value) for rule, word in given.items())
    rate = _read_rate(table["rate"]) if "rate" in table else None
    return BulkSender(table["like"], _read_whole(table.get("counts_from", 0)), outcomes, rate)


def _write_bulk_sender(bulk: BulkSender) -> Any:
    table: dict[str, Any] = {"like": bulk.like}
    if bulk.counts_from:
        table["counts_from"] = bulk.counts_from
    if bulk.outcomes:
        table["outcomes"] = dict(bulk.outcomes)
    if bulk.rate:
        table["rate"] = [bulk.rate[0], _write_span(bulk.rate[1])]
    return table if len(table) > 1 else bulk.like


_BULK_KEYS: Final = ("like", "counts_from", "outcomes", "rate")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _same(value: Any) -> Any:
    return value


SPAN: Final = PolicyValueKind("a duration, or a number of seconds", _read_span, _write_span)
RATE: Final = PolicyValueKind(
    "a number and a span: `(100, hours(1))`",
    _read_rate,
    lambda rate: [rate.most, _write_span(rate.span)],
)
WHOLE: Final = PolicyValueKind("a whole number from 0 up", _read_whole, _same)
FLAG: Final = PolicyValueKind("true or false", _read_flag, _same)
TEXT: Final = PolicyValueKind("a text", _read_text, _same)
TEXTS: Final = PolicyValueKind("a text or a list of texts", _read_texts, list)
_NAMED_KINDS: Final[Mapping[str, PolicyValueKind]] = {
    "dnswl": PolicyValueKind("the zone of a list, or several zones", _read_zones, list),
    "greylist_allow": PolicyValueKind("a text or a list of texts", _read_clients, list),
}
OUTCOME: Final = PolicyValueKind(
    "`refuse`, `bounce` or `discard`",
    lambda value: _one_of(value, ("refuse", "bounce", "discard")),
    lambda outcome: outcome.value,
)

_KINDS: Final[Mapping[Any, PolicyValueKind]] = {
    timedelta: SPAN,
    timedelta | None: SPAN,
    RateLimit | None: RATE,
    int | None: WHOLE,
    bool: FLAG,
    str: TEXT,
    tuple[str, ...]: TEXTS,
    Disposition: OUTCOME,
    ContentRules: PolicyValueKind('a table of rules, such as `{"max_links": 10}`', read_rules, write_rules),
    Thresholds | None: PolicyValueKind(
        'points by outcome, such as `{"tag": 5, "refuse": 15}`', read_thresholds, write_thresholds
    ),
    tuple[ScannerAddress, ...]: PolicyValueKind(
        'places by scanner, such as `{"clamav": "127.0.0.1:3310"}`', read_scanners, dict
    ),
    BulkSender | None: PolicyValueKind(
        _or(BULK_PACKS) + ", or a table", _read_bulk_sender, _write_bulk_sender
    ),
}
