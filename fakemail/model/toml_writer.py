"""A description of a fake internet to TOML text: the way back of :mod:`fakemail.model.toml`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fakemail.model.description import (
    DEFAULT_RECORD_TTL,
    AccountEntry,
    Description,
    DomainEntry,
    HostEntry,
    RecordEntry,
    inside,
)
from fakemail.model.domain import Routing
from fakemail.model.host import Personality
from fakemail.model.toml import write_key, write_text
from fakemail.model.traits import personality_keys
from fakemail.terms.address import quote_local

_Pair = tuple[str, object]


def to_toml(description: Description) -> str:
    """The text of a description, passwords and tokens included. Read again, it gives an equal one.

    What is as usual is left out.
    """
    blocks: list[str] = []
    top = [("seed", description.seed), ("zone", description.zone)]
    blocks.append(_table("", [pair for pair in top if pair[1] not in (None, "")]))
    blocks += [_table(f"[domains.{write_key(each.name)}]", _domain(each)) for each in description.domains]
    blocks += [_table(f"[hosts.{write_key(each.name)}]", _host(each)) for each in description.hosts]
    blocks += [_table("[[accounts]]", _account(each)) for each in description.accounts]
    blocks += [_table("[[records]]", _record(each)) for each in description.records]
    return "\n".join(filter(None, blocks))


def _table(header: str, pairs: Iterable[_Pair]) -> str:
    lines = [*([header] if header else []), *(f"{key} = {_value(value)}" for key, value in pairs)]
    return "".join(f"{line}\n" for line in lines)


def _value(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str():
            return _long_text(value) if "\n" in value else write_text(value)
        case frozenset():
            return _value(sorted(value))
        case list() | tuple():
            return f"[{', '.join(_value(each) for each in value)}]"
        case _:
            return repr(value)


def _long_text(text: str) -> str:
    # A line feed after the opening quotes is not part of the text (TOML 1.0, "String").
    lines = (write_text(line)[1:-1].replace("\\u0009", "\t") for line in text.split("\n"))
    return '"""\n' + "\n".join(lines) + '"""'


def _domain(domain: DomainEntry) -> Iterator[_Pair]:
    if domain.routing is not Routing.MX:
        yield "routing", domain.routing.value
    if domain.mx:
        yield "mx", [_host_name(host, domain.name) for host in domain.mx]
    if domain.submission is not None:
        yield "submission", _host_name(domain.submission, domain.name)
    if domain.detail_separator != "+":
        yield "detail_separator", domain.detail_separator
    for alias, targets in domain.aliases:
        key = write_key(quote_local(alias.local))
        yield f"aliases.{key}", [inside(target, domain.name) for target in targets]
    if domain.catch_all is not None:
        yield "catch_all", inside(domain.catch_all, domain.name)
    for key in ("spf", "dmarc"):
        if (value := getattr(domain, key)) is not None:
            yield key, value
    if domain.zone:
        yield "zone", domain.zone


def _host_name(host: str, domain: str) -> str:
    """A host's name, without the domain where one label is left."""
    label, dot, rest = host.partition(".")
    return label if dot and rest == domain else host


def _host(host: HostEntry) -> Iterator[_Pair]:
    if host.ipv4 is not None:
        yield "ipv4", host.ipv4
    if host.ipv6 is not None:
        yield "ipv6", host.ipv6
    if host.services:
        yield "services", [service.name for service in host.services]
    if host.relay_for:
        yield "relay_for", host.relay_for
    if host.smarthost:
        yield "smarthost", True
    usual = Personality()
    for trait in personality_keys():
        if (value := getattr(host.personality, trait)) != getattr(usual, trait):
            yield trait, value


def _account(account: AccountEntry) -> Iterator[_Pair]:
    yield "address", str(account.address)
    if account.password is not None:
        yield "password", account.password
    for key in ("may_send_as", "tokens"):
        if value := getattr(account, key):
            yield key, value
    if account.disabled:
        yield "disabled", True


def _record(record: RecordEntry) -> Iterator[_Pair]:
    yield "name", record.name
    yield "type", record.type
    if len(record.values) == 1:
        yield "value", record.values[0]
    else:
        yield "values", list(record.values)
    if record.ttl != DEFAULT_RECORD_TTL:
        yield "ttl", record.ttl
    if record.replace:
        yield "replace", True
