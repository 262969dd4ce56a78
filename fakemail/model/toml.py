"""TOML text to a description of a fake internet and back. Pure: no files, and nothing is declared here.

The tables of :mod:`fakemail.model.schema` below say what may stand where: reading, writing and the reference page
go by them.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from fakemail.errors import DeclarationError
from fakemail.model.account import AutoReply, ForwardTo
from fakemail.model.description import (
    AccountEntry,
    Description,
    DomainEntry,
    FaultEntry,
    HostEntry,
    ListEntry,
    MessageEntry,
    RecordEntry,
    ZoneEntry,
)
from fakemail.model.dkim import Dkim
from fakemail.model.domain import Routing
from fakemail.model.host import HOST_OPTIONS, SERVICES
from fakemail.model.mailing_list import MailingListSpec
from fakemail.model.policy import Policy
from fakemail.model.policy_schema import DOMAIN_POLICY, HOST_POLICY
from fakemail.model.schema import (
    KINDS,
    SECONDS,
    TEXT,
    TEXTS,
    InvalidSentence,
    InvalidValue,
    Path,
    Place,
    Problems,
    Table,
    ValueKind,
    named_tables,
    one_of,
    plain,
    read_texts,
    read_word,
    require,
    tables,
)
from fakemail.model.toml_lines import Lines
from fakemail.model.transport_security import MtaSts, check_signed
from fakemail.types.address import Address, address, is_domain_name, quote_local
from fakemail.types.domains import a_labels

# Addresses and names of hosts, which are short inside the table of a domain -----------------------------------


def _address(text: str, at: Place) -> Address:
    if at.domain and ("@" not in text or text.endswith('"')):
        text = f"{text}@{at.domain}"
    try:
        return address(text)
    except DeclarationError as error:
        raise InvalidSentence(str(error)) from None


def _addresses(value: Any, at: Place) -> tuple[Address, ...]:
    found = []
    for text in read_texts(value):
        try:
            found.append(_address(text, at))
        except InvalidSentence as wrong:
            at.note(str(wrong))
    return tuple(found)


def _write_address(address: Address, domain: str) -> str:
    return quote_local(address.local) if address.domain == domain else str(address)


def _write_addresses(addresses: Iterable[Address], domain: str) -> list[str]:
    return [_write_address(each, domain) for each in addresses]


def _some_addresses(value: Any, at: Place) -> tuple[Address, ...]:
    require(value != [], "names no address.")
    return _addresses(value, at)


def _host_name(host: str, domain: str) -> str:
    """A host's name, without the domain where one label is left."""
    label, dot, rest = host.partition(".")
    return label if dot and rest == domain else host


ADDRESS: Final = ValueKind("a string", lambda value, at: _address(TEXT.read(value, at), at), _write_address)
ADDRESSES: Final = ValueKind("a list of strings", _addresses, _write_addresses)
HOST_NAME: Final = ValueKind("a string", TEXT.read, _host_name)
HOST_NAMES: Final = ValueKind(
    "a list of strings", TEXTS.read, lambda hosts, domain: [_host_name(host, domain) for host in hosts]
)
_KINDS: Final[Mapping[Any, Any]] = {**KINDS, Address: ADDRESS, tuple[Address, ...]: ADDRESSES}


# Domains ----------------------------------------------------------------------------------------------------


def _read_accounts(value: Any, at: Place) -> tuple[AccountEntry, ...]:
    entries = []
    for each in _addresses(value, at):
        if each.domain == at.domain:
            entries.append(AccountEntry(each, where=at.here))
        else:
            at.note(f"{str(each)!r} is not of this domain; give it an [[accounts]].")
    return tuple(entries)


def _read_aliases(value: Any, at: Place) -> tuple[tuple[Address, tuple[Address, ...]], ...]:
    require(isinstance(value, Mapping))
    # The keys are names of the user's own, and each takes addresses.
    inner = at.inside()
    found = []
    for key, given in value.items():
        here = inner.at(key)
        try:
            targets = _addresses(given, here)
            alias = _address(key, here)
        except InvalidSentence as wrong:
            here.note(str(wrong))
        except InvalidValue:
            here.note(f"{key!r} must be a list of strings, not {at.shown(given)}.")
        else:
            if alias.domain == at.domain:
                found.append((alias, targets))
            else:
                here.note(f"{key!r} is not of this domain.")
    return tuple(found)


def _write_aliases(aliases: Any, domain: str) -> dict[str, list[str]]:
    return {quote_local(alias.local): _write_addresses(targets, domain) for alias, targets in aliases}


def _read_signed(value: Any) -> bool | str:
    require(isinstance(value, bool | str))
    try:
        check_signed(value)
    except DeclarationError as error:
        raise InvalidSentence(str(error)) from None
    signed: bool | str = value
    return signed


def _read_dkim(value: Any, at: Place) -> tuple[Dkim, ...]:
    keys: dict[str, Dkim] = {}
    for key in _DKIM_TABLES.read(value, at):
        if keys.setdefault(key.selector, key) is not key:
            at.note(f"dkim: two keys have the selector {key.selector!r}.")
    return tuple(keys.values())


def _finish_domain(found: dict[str, Any], data: Mapping[str, Any], at: Place) -> tuple[Any, ...]:
    """The domain, and the accounts that its table names."""
    accounts = found.pop("accounts", ())
    if "greylist" in found:
        greylist = found.pop("greylist")
        if "greylist" in data.get("policy", {}):
            at.at("greylist").note("'greylist' stands in the table 'policy' as well; leave one of them out.")
        else:
            found["policy"] = replace(found.get("policy", Policy()), greylist=greylist)
    return DomainEntry(**found), accounts


SIGNED: Final = plain("true, false or the name of a flaw", _read_signed)
DKIM: Final = Table(Dkim, KINDS, always=["selector"])
_DKIM_TABLES: Final = tables(DKIM, or_one=True)
MTA_STS: Final = Table(MtaSts, KINDS, always=["mode"])
DOMAIN: Final = Table(
    DomainEntry,
    {
        **_KINDS,
        "name": None,
        "mx": HOST_NAMES,
        "submission": HOST_NAME,
        "behind": HOST_NAMES,
        "aliases": ValueKind("a table", _read_aliases, _write_aliases),
        "dkim": ValueKind(_DKIM_TABLES.says, _read_dkim, _DKIM_TABLES.write),
        "dnssec": SIGNED,
        Routing: one_of("routing", {way.value: way for way in Routing}, lambda way: way.value),
        Policy: DOMAIN_POLICY,
        MtaSts: MTA_STS,
    },
    extra={
        "accounts": (
            ValueKind("a list of strings", _read_accounts),
            "Local parts of accounts with nothing particular about them.",
        ),
        "greylist": (
            SECONDS,
            "Greylisting (RFC 6647): an unknown sender is accepted when it comes back after that many seconds.",
        ),
    },
    finish=_finish_domain,
)


# Hosts, accounts, lists, zones, records -------------------------------------------------------------------------


def _read_services(value: Any, at: Place) -> tuple[Any, ...]:
    found = []
    for word in read_texts(value):
        try:
            found.append(read_word("service", SERVICES, word))
        except InvalidSentence as wrong:
            at.note(str(wrong))
    return tuple(found)


def _read_routes(value: Any, at: Place) -> tuple[tuple[str, str], ...]:
    require(isinstance(value, Mapping))
    for key, onward in value.items():
        if not isinstance(onward, str):
            at.inside().at(key).note(f"{key!r} must be a string, not {at.shown(onward)}.")
    return tuple((key, onward) for key, onward in value.items() if isinstance(onward, str))


def _finish_record(found: dict[str, Any], data: Mapping[str, Any], at: Place) -> RecordEntry:
    if "value" in data and "values" in data:
        at.at("values").note("'value' and 'values' are both there; one list will do.")
    if "value" in found:
        found["values"] = (found.pop("value"),)
    return RecordEntry(**found)


def _needed_of_record(data: Mapping[str, Any]) -> tuple[str, ...]:
    # Nothing in place of what is there is something to say, nothing beside it is not.
    is_full = data.get("value") or data.get("values") or data.get("replace")
    return ("name", "type") if is_full else ("name", "type", "value")


HOST: Final = Table(
    HostEntry,
    {
        **KINDS,
        "name": None,
        "services": ValueKind(
            "a list of strings", _read_services, lambda all, _: [each.name for each in all]
        ),
        "routes": ValueKind("a table", _read_routes, lambda routes, _: dict(routes)),
        Policy: HOST_POLICY,
    },
    flat={"options": HOST_OPTIONS},
)
ACCOUNT: Final = Table(
    AccountEntry,
    {
        **_KINDS,
        AutoReply: Table(AutoReply, KINDS),
        ForwardTo: Table(
            ForwardTo, {**_KINDS, "to": ValueKind(ADDRESSES.says, _some_addresses, _write_addresses)}
        ),
    },
)


def _read_moment(value: Any) -> datetime:
    require(isinstance(value, datetime) and value.utcoffset() is not None)
    moment: datetime = value
    return moment


def _finish_message(found: dict[str, Any], data: Mapping[str, Any], at: Place) -> MessageEntry:
    if ("text" in data) == ("file" in data):
        at.note("a message has either 'text' or 'file'.")
    return MessageEntry(**found)


MESSAGE: Final = Table(
    MessageEntry,
    {**_KINDS, datetime: plain("a date and time with a zone, such as 2024-02-29T12:30:00Z", _read_moment)},
    finish=_finish_message,
)
LIST: Final = Table(ListEntry, {}, flat={"mailing_list": Table(MailingListSpec, {**_KINDS, "address": None})})
ZONE: Final = Table(ZoneEntry, {**KINDS, "name": None, "dnssec": SIGNED}, always=["dnssec"])
RECORD: Final = Table(
    RecordEntry,
    KINDS,
    extra={
        "value": (
            TEXT,
            "The data in zone-file form, names absolute; the text of a TXT record as it is meant, however long.",
        )
    },
    finish=_finish_record,
    required=_needed_of_record,
)


# The whole ------------------------------------------------------------------------------------------------------


def _domain_name(text: str, at: Place) -> Mapping[str, Any] | None:
    name = a_labels(text)
    if is_domain_name(name):
        return {"name": name}
    at.inside().note(f"{name!r} is not a domain name.")
    return None


def _list_address(text: str, at: Place) -> Mapping[str, Any] | None:
    try:
        return {"address": _address(text, at)}
    except InvalidSentence as wrong:
        at.note(str(wrong))
        return None


def _read_faults(value: Any, at: Place) -> tuple[FaultEntry, ...]:
    require(isinstance(value, list) and all(isinstance(each, Mapping) for each in value))
    inner = at.inside()
    return tuple(FaultEntry(dict(each), inner.at(n).inside().here) for n, each in enumerate(value))


def _read_grease(value: Any) -> bool | str:
    require(isinstance(value, bool) or value == "retries")
    grease: bool | str = value
    return grease


def _finish(found: dict[str, Any], data: Mapping[str, Any], at: Place) -> Description:
    """The description; accounts that a domain names go before those with a table of their own."""
    domains = found.get("domains", ())
    found["domains"] = tuple(domain for domain, _ in domains)
    found["accounts"] = (*(each for _, named in domains for each in named), *found.get("accounts", ()))
    return Description(**found)


WORLD: Final = Table(
    Description,
    {
        "seed": KINDS[int],
        "sink": KINDS[bool],
        "grease": plain("true, false or 'retries'", _read_grease),
        "zone": TEXT,
        "domains": named_tables(DOMAIN, _domain_name, lambda domain: domain.name),
        "hosts": named_tables(HOST, lambda name, _: {"name": a_labels(name)}, lambda host: host.name),
        "accounts": tables(ACCOUNT),
        "messages": tables(MESSAGE),
        "lists": named_tables(LIST, _list_address, lambda entry: str(entry.mailing_list.address)),
        "zones": named_tables(ZONE, lambda name, _: {"name": a_labels(name)}, lambda zone: zone.name),
        "records": tables(RECORD),
        "faults": ValueKind("an array of tables", _read_faults, lambda all, _: [each.table for each in all]),
        "source": None,
    },
    finish=_finish,
)


def read_toml(
    text: str, *, source: str = "", unknown_words: Callable[[str, Any], list[str]] = lambda _, __: []
) -> Description:
    """Read a description. ``source`` is the name of the file, for messages. ``unknown_words`` is given options of
    hosts, and tells what is wrong with words that only the protocols know.

    Raises one :class:`~fakemail.errors.DeclarationError` that tells everything that is wrong with it,
    line by line. Whether the parts fit together is seen when the description is declared.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DeclarationError(_syntax_error(str(error), text, source)) from None
    lines = Lines(text)

    def where(table: Path, key: str | int | None) -> str:
        line = _line(source, lines.of(table if key is None else (*table, key)))
        return f"{line}: {_header(table)}" if table else line

    problems = Problems(source)
    found = WORLD.read(data, Place(problems, where, _in_words, check=unknown_words))
    problems.raise_all()
    return replace(found or Description(), source=source)


def to_toml(description: Description) -> str:
    """The text of a description, passwords and tokens included. Read again, it gives an equal one.

    What is the default is left out.
    """
    top: list[tuple[str, Any]] = []
    blocks = []
    for key, value in WORLD.write(description).items():
        if isinstance(value, dict):
            blocks += [_block(f"[{key}.{write_key(name)}]", each.items()) for name, each in value.items()]
        elif isinstance(value, list):
            blocks += [_block(f"[[{key}]]", each.items()) for each in value]
        else:
            top.append((key, value))
    return "\n".join(filter(None, [_block("", top), *blocks]))


# The text -------------------------------------------------------------------------------------------------------

_SYNTAX: Final = re.compile(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", re.DOTALL)
_INLINE: Final = frozenset({"dkim", "do", "mta_sts"})
"""The tables that are written on one line."""
_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_TO_ESCAPE: Final = re.compile(r'[\x00-\x1f"\\\x7f]')


def _syntax_error(message: str, text: str, source: str) -> str:
    """Mistake in a text that is no TOML, in the words of :mod:`tomllib`, and where."""
    match = _SYNTAX.fullmatch(message)
    if match is None:
        return f"{source or 'the configuration'}: not TOML: {message}"
    what = match[1][:1].lower() + match[1][1:]
    line = int(match[2]) if match[2] else text.count("\n") + (not text.endswith("\n"))
    column = f" (column {match[3]})" if match[3] else " at the end of the text"
    return f"{_line(source, line)}: not TOML: {what}{column}"


def _line(source: str, line: int) -> str:
    return f"{source}:{line}" if source else f"line {line}"


def _header(path: Path) -> str:
    """The name of a table as it stands in the text."""
    names = ".".join(write_key(each) for each in path if isinstance(each, str))
    if len(path) > 1 and isinstance(path[1], int):
        return f"[[{names}]] number {path[1] + 1}"
    return f"[{names}]"


def _in_words(value: object) -> str:
    """Kind of a value, in words."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            return f"the string {value!r}"
        case int() | float():
            return f"the number {value}"
        case list():
            odd = next((each for each in value if not isinstance(each, str)), None)
            return "a list" if odd is None else f"a list with {_in_words(odd)} in it"
        case dict():
            return "a table"
        case _:
            return f"the date or time {value}"


def _block(header: str, pairs: Iterable[tuple[str, Any]]) -> str:
    lines = [*([header] if header else []), *(line for pair in pairs for line in _lines(*pair))]
    return "".join(f"{line}\n" for line in lines)


def _lines(key: str, value: Any) -> Iterator[str]:
    """A value, or each value of a table, under its dotted key."""
    if isinstance(value, Mapping) and value and key not in _INLINE:
        for name, each in value.items():
            yield from _lines(f"{key}.{write_key(name)}", each)
    else:
        yield f"{key} = {_value(value)}"


def _value(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str():
            return _long_text(value) if "\n" in value else _text(value)
        case dict():
            pairs = ", ".join(f"{write_key(key)} = {_value(each)}" for key, each in value.items())
            return f"{{ {pairs} }}"
        case datetime():
            return value.isoformat()
        case list() | tuple():
            return f"[{', '.join(_value(each) for each in value)}]"
        case _:
            return repr(value)


def write_key(key: str) -> str:
    """A key as TOML spells it: bare where that is allowed."""
    return key if _BARE.fullmatch(key) else _text(key)


def _text(text: str) -> str:
    return '"' + _TO_ESCAPE.sub(_escaped, text) + '"'


def _long_text(text: str) -> str:
    # A line feed after the opening quotes is not part of the text (TOML 1.0, "String").
    lines = (_text(line)[1:-1].replace("\\u0009", "\t") for line in text.split("\n"))
    return '"""\n' + "\n".join(lines) + '"""'


def _escaped(match: re.Match[str]) -> str:
    char = match[0]
    return f"\\{char}" if char in '"\\' else f"\\u{ord(char):04x}"
