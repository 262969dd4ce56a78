"""Policies as people write them: plain words, numbers and tables to :class:`~fakemail.model.policy.Policy` and back.

Code and the configuration file go by one table, so that what can be written in one can be written in the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import timedelta
from ipaddress import ip_network
from typing import Any, Final

from fakemail.errors import nearest
from fakemail.model.content_rules import (
    BULK_PACKS,
    BULK_RULES,
    CONTENT_RULES,
    BulkSender,
    ContentRules,
    ScannerAddress,
    Thresholds,
    read_scanners,
    read_thresholds,
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
from fakemail.model.schema import (
    FLAG,
    SPAN,
    WHOLE,
    InvalidValue,
    Place,
    Problems,
    Table,
    ValueKind,
    plain,
    read_span,
    read_texts,
    require,
    write_span,
)
from fakemail.types.address import is_domain_name
from fakemail.types.domains import a_labels

OUTCOMES: Final = tuple(outcome.value for outcome in Disposition)


def read_policy(name: str, keywords: Mapping[str, Any], *, of: str = "domain") -> Policy:
    """The policy that code describes by keyword, of a domain or of a host.

    Raises one :class:`~fakemail.errors.DeclarationError` that tells all that is wrong with it.
    """
    table = DOMAIN_POLICY if of == "domain" else HOST_POLICY
    problems = Problems()
    given = {keyword: value for keyword, value in keywords.items() if value is not None}
    policy = table.read(given, Place(problems))
    problems.raise_all(f"{of} {name!r}: ", f"{of} {name!r}: {{count}} mistakes in its policy:")
    return policy or Policy()


# What follows from a check --------------------------------------------------------------------------------


def _check(asks: CheckSwitch) -> ValueKind:
    if asks.is_listed:
        says = "the zone of a list, several zones, or a table from zones to outcomes"
        return plain(says, _read_lists, _write_then)
    words = "".join(f"`{word}`, " for word in asks.words)
    says = f"{words}an outcome, or a table from {_or(asks.keys)} to outcomes"
    return plain(says, lambda value: _read_then(value, asks), _write_then)


def _read_then(value: Any, asks: CheckSwitch) -> DispositionMap:
    if isinstance(value, str):
        if value in asks.words:
            return asks.words[value]
        return DispositionMap((("fail", _outcome(value, (*asks.words, *OUTCOMES))),))
    if not isinstance(value, Mapping):
        raise InvalidValue(f"is a word such as 'refuse', or a table of such words, not {value!r}.")
    if not value:
        raise InvalidValue("is an empty table; leave it out for no check.")
    for key in value:
        if key not in asks.keys:
            raise InvalidValue(f"finds no {key!r}; {nearest(str(key), asks.keys)}")
    return DispositionMap(tuple((key, _outcome(each, OUTCOMES)) for key, each in value.items()))


def _read_lists(value: Any) -> DispositionMap:
    if isinstance(value, str):
        value = (value,)
    if isinstance(value, Mapping):
        pairs = [(_zone(name), _outcome(each, OUTCOMES)) for name, each in value.items()]
    elif isinstance(value, Iterable) and not isinstance(value, bytes):
        pairs = [(_zone(name), Disposition.REFUSE) for name in value]
    else:
        raise InvalidValue(f"names lists such as 'zen.example', not {value!r}.")
    if not pairs:
        raise InvalidValue("names no list; leave it out for none.")
    return DispositionMap(tuple(pairs), fails_open=True)


def _zone(name: Any) -> str:
    zone = a_labels(name) if isinstance(name, str) else ""
    if not is_domain_name(zone):
        raise InvalidValue(f"names lists by their zones, such as 'zen.example', not {name!r}.")
    return zone


def _outcome(word: Any, known: Sequence[str]) -> Disposition:
    if word not in OUTCOMES:
        raise InvalidValue(f"cannot be {word!r}; {nearest(str(word), known)}")
    return Disposition(word)


def _one_of(word: Any, known: Sequence[str]) -> Disposition:
    if word not in known:
        raise InvalidValue(f"cannot be {word!r}; {nearest(str(word), known)}")
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


def _read_rate(value: Any) -> RateLimit:
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) != 2:
        raise InvalidValue(f"is a number and a span, such as (100, hours(1)), not {value!r}.")
    most, span = _read_whole(value[0]), read_span(value[1])
    require(bool(span), "needs a span that is longer than nothing.")
    return RateLimit(most, span)


def _read_whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise InvalidValue(f"is a whole number from 0 up, not {value!r}.")
    return value


def _read_text(value: Any) -> str:
    if not isinstance(value, str) or "\n" in value or "\r" in value:
        raise InvalidValue(f"is a line of text, not {value!r}.")
    return value


def _read_texts(value: Any) -> tuple[str, ...]:
    return read_texts(value, f"is a text or a list of texts, not {value!r}.")


def _read_zones(value: Any) -> tuple[str, ...]:
    return tuple(_zone(each) for each in _read_texts(value))


def _read_clients(value: Any) -> tuple[str, ...]:
    """Addresses and networks of clients, addresses and domains of senders, and names of hosts."""
    texts = _read_texts(value)
    for each in texts:
        if not _is_network(each) and not is_domain_name(a_labels(each.rpartition("@")[2])):
            raise InvalidValue(f"names networks, addresses, domains or hosts; {each!r} is none of them.")
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
        raise InvalidValue(
            f"is one of {', '.join(map(repr, BULK_PACKS))}, or a table with 'like', not {value!r}."
        )
    if unknown := [key for key in table if key not in _BULK_KEYS]:
        raise InvalidValue(f"has no {unknown[0]!r}; {nearest(str(unknown[0]), _BULK_KEYS)}")
    if table["like"] not in BULK_PACKS:
        raise InvalidValue(f"knows nobody {table['like']!r}; {nearest(str(table['like']), BULK_PACKS)}")
    given = table.get("outcomes", {})
    if not isinstance(given, Mapping):
        raise InvalidValue(f"has outcomes by the names of rules, such as {{'tls': 'tag'}}, not {given!r}.")
    for rule in given:
        if rule not in BULK_RULES:
            raise InvalidValue(f"has no rule {rule!r}; {nearest(str(rule), BULK_RULES)}")
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
        table["rate"] = [bulk.rate[0], write_span(bulk.rate[1])]
    return table if len(table) > 1 else bulk.like


_BULK_KEYS: Final = ("like", "counts_from", "outcomes", "rate")


# The policies -------------------------------------------------------------------------------------------------

_TEXTS_SAY: Final = "a text or a list of texts"
_KINDS: Final[Mapping[Any, ValueKind | Table[Any]]] = {
    **{each.name: _check(each.metadata["asks"]) for each in fields(Policy) if "asks" in each.metadata},
    "dnswl": plain("the zone of a list, or several zones", _read_zones, list),
    "greylist_allow": plain(_TEXTS_SAY, _read_clients, list),
    timedelta: SPAN,
    RateLimit: plain(
        "a number and a span: `(100, hours(1))`",
        _read_rate,
        lambda rate: [rate.most, write_span(rate.span)],
    ),
    int: WHOLE,
    bool: FLAG,
    str: plain("a text", _read_text),
    tuple[str, ...]: plain(_TEXTS_SAY, _read_texts, list),
    Disposition: plain(
        "`refuse`, `bounce` or `discard`",
        lambda value: _one_of(value, ("refuse", "bounce", "discard")),
        lambda outcome: outcome.value,
    ),
    ContentRules: CONTENT_RULES,
    Thresholds: plain(
        'points by outcome, such as `{"tag": 5, "refuse": 15}`', read_thresholds, write_thresholds
    ),
    tuple[ScannerAddress, ...]: plain(
        'places by scanner, such as `{"clamav": "127.0.0.1:3310"}`', read_scanners, dict
    ),
    BulkSender: plain(_or(BULK_PACKS) + ", or a table", _read_bulk_sender, _write_bulk_sender),
}


def _policy(usual: Policy) -> Table[Policy]:
    return Table(
        Policy,
        _KINDS,
        usual=usual,
        unknown="there is no policy {key!r}; {hint}",
        wrong="{key!r} is {says}, not {value}.",
    )


DOMAIN_POLICY: Final = _policy(DEFAULT_POLICY)
"""Policy of a domain, for its mail hosts."""
HOST_POLICY: Final = _policy(SUBMISSION_POLICY)
"""Policy of a host, for mail that is submitted to it."""
