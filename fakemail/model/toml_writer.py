"""A description of a fake internet to TOML text: the way back of :mod:`fakemail.model.toml`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from fakemail.model.account import AutoReply
from fakemail.model.description import (
    DEFAULT_RECORD_TTL,
    AccountEntry,
    Description,
    DomainEntry,
    HostEntry,
    ListEntry,
    RecordEntry,
    inside,
)
from fakemail.model.dkim import Dkim
from fakemail.model.domain import Routing
from fakemail.model.host import HostOptions
from fakemail.model.host_options import personality_keys
from fakemail.model.policy import SUBMISSION_POLICY
from fakemail.model.policy_schema import write as write_policy
from fakemail.model.toml_dkim import write_dkim
from fakemail.model.toml_security import write_mta_sts
from fakemail.model.toml_words import write_key, write_text
from fakemail.types.address import quote_local

_Pair = tuple[str, object]


def to_toml(description: Description) -> str:
    """The text of a description, passwords and tokens included. Read again, it gives an equal one.

    What is as usual is left out.
    """
    blocks: list[str] = []
    top = [("seed", description.seed), ("grease", description.grease), ("zone", description.zone)]
    blocks.append(_table("", [pair for pair in top if pair[1] not in (None, "")]))
    blocks += [_table(f"[domains.{write_key(each.name)}]", _domain(each)) for each in description.domains]
    blocks += [_table(f"[hosts.{write_key(each.name)}]", _host(each)) for each in description.hosts]
    blocks += [_table("[[accounts]]", _account(each)) for each in description.accounts]
    blocks += [
        _table(f"[lists.{write_key(str(each.mailing_list.address))}]", _list(each))
        for each in description.lists
    ]
    blocks += [
        _table(
            f"[zones.{write_key(each.name)}]",
            [("dnssec", each.dnssec)]
            + ([("allow_transfer", each.allow_transfer)] if each.allow_transfer else []),
        )
        for each in description.zones
    ]
    blocks += [_table("[[records]]", _record(each)) for each in description.records]
    blocks += [_table("[[faults]]", each.table.items()) for each in description.faults]
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
        case dict():
            return f"{{ {', '.join(f'{write_key(key)} = {_value(each)}' for key, each in value.items())} }}"
        case datetime():
            return value.isoformat()
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
    for key, value in write_policy(domain.policy).items():
        if key == "greylist":
            yield key, value
        else:
            yield from _dotted(f"policy.{key}", value)
    for key in ("spf", "dmarc"):
        if (value := getattr(domain, key)) is not None:
            yield key, value
    if domain.dkim != (Dkim(),):
        keys = [write_dkim(key) for key in domain.dkim]
        yield "dkim", keys if len(keys) > 1 else keys[0]
    if domain.dnssec is not False:
        yield "dnssec", domain.dnssec
    if domain.mta_sts is not None:
        yield "mta_sts", write_mta_sts(domain.mta_sts)
    if domain.broken:
        yield "add_auth_flaw", domain.broken
    if domain.ignore_dots:
        yield "ignore_dots", True
    if domain.behind:
        yield "behind", [_host_name(host, domain.name) for host in domain.behind]
    if domain.zone:
        yield "zone", domain.zone


def _dotted(key: str, value: object) -> Iterator[_Pair]:
    """A value, or each value of a table, under its dotted key."""
    if isinstance(value, Mapping):
        for name, each in value.items():
            yield from _dotted(f"{key}.{write_key(name)}", each)
    else:
        yield key, value


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
    for domain, onward in host.routes:
        yield f"routes.{write_key(domain)}", onward
    if host.relay_from:
        yield "relay_from", host.relay_from
    usual = HostOptions()
    for trait in personality_keys():
        if (value := getattr(host.personality, trait)) != getattr(usual, trait):
            yield trait, value
    if host.policy is not None:
        for key, value in write_policy(host.policy, usual=SUBMISSION_POLICY).items():
            yield from _dotted(f"policy.{key}", value)


def _account(account: AccountEntry) -> Iterator[_Pair]:
    yield "address", str(account.address)
    if account.password is not None:
        yield "password", account.password
    for key in ("may_send_as", "tokens"):
        if value := getattr(account, key):
            yield key, value
    if account.disabled:
        yield "disabled", True
    for key in ("quota", "quota_messages"):
        if (limit := getattr(account, key)) is not None:
            yield key, limit
    if account.sent_copy:
        yield "sent_copy", True
    if account.moved_to is not None:
        yield "moved_to", str(account.moved_to)
    if (reply := account.auto_reply) is not None:
        yield "auto_reply.text", reply.text
        if reply.subject is not None:
            yield "auto_reply.subject", reply.subject
        if reply.days != AutoReply("").days:
            yield "auto_reply.days", reply.days
    if (forward := account.forward) is not None:
        yield "forward.to", [str(each) for each in forward.to]
        if not forward.keep_copy:
            yield "forward.keep_copy", False
        if forward.srs:
            yield "forward.srs", True
        if forward.arc:
            yield "forward.arc", True


def _list(entry: ListEntry) -> Iterator[_Pair]:
    mailing_list = entry.mailing_list
    yield "members", [str(member) for member in mailing_list.members]
    if mailing_list.name:
        yield "name", mailing_list.name
    for key in ("prefix", "footer"):
        if (value := getattr(mailing_list, key)) is not None:
            yield key, value
    if mailing_list.verp:
        yield "verp", True
    if mailing_list.arc:
        yield "arc", True


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
