"""TOML text to a description of a fake internet and back. Pure: no files, and nothing is declared here.

What may stand where is in the tables ``DOMAIN_KEYS``, ``HOST_KEYS``... below; reading follows them, and
so does the test of the reference page.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, Final

from fakemail.errors import DeclarationError, nearest
from fakemail.model.account import AutoReply, ForwardTo
from fakemail.model.description import (
    DEFAULT_RECORD_TTL,
    AccountEntry,
    Description,
    DomainEntry,
    FaultEntry,
    HostEntry,
    ListEntry,
    Problems,
    RecordEntry,
    ZoneEntry,
)
from fakemail.model.dkim import Dkim
from fakemail.model.domain import Routing
from fakemail.model.host import SERVICES, HostOptions
from fakemail.model.host_options import (
    FLAG,
    NUMBER,
    TEXT,
    TEXTS,
    WHOLE,
    OptionKind,
    personality_keys,
    read_traits,
)
from fakemail.model.mailing_list import MailingListSpec
from fakemail.model.policy import SUBMISSION_POLICY, Policy
from fakemail.model.policy_schema import read as read_policy
from fakemail.model.toml_dkim import DKIM_KEYS, read_dkim
from fakemail.model.toml_lines import Lines, Path
from fakemail.model.toml_security import MTA_STS_KEYS, SIGNED, ZONE_KEYS, read_mta_sts
from fakemail.model.toml_words import header, in_words, place, syntax_error
from fakemail.model.transport_security import MtaSts, Signed, check_signed
from fakemail.types.address import Address, address, is_domain_name
from fakemail.types.domains import a_labels

TABLE: Final = OptionKind("a table", lambda value: isinstance(value, dict))
TABLES: Final = OptionKind(
    "an array of tables",
    lambda value: isinstance(value, list) and all(isinstance(each, dict) for each in value),
)
TABLE_OR_TABLES: Final = OptionKind(
    "a table, or an array of them", lambda value: TABLE.fits(value) or (TABLES.fits(value) and bool(value))
)

HYGIENE: Final = OptionKind(
    "true, false or 'retries'", lambda value: isinstance(value, bool) or value == "retries"
)

TOP_KEYS: Final[Mapping[str, OptionKind]] = {
    "seed": WHOLE,
    "grease": HYGIENE,
    "domains": TABLE,
    "hosts": TABLE,
    "accounts": TABLES,
    "lists": TABLE,
    "zones": TABLE,
    "records": TABLES,
    "faults": TABLES,
    "zone": TEXT,
}
DOMAIN_KEYS: Final[Mapping[str, OptionKind]] = {
    "accounts": TEXTS,
    "aliases": TABLE,
    "catch_all": TEXT,
    "mx": TEXTS,
    "routing": TEXT,
    "submission": TEXT,
    "detail_separator": TEXT,
    "ignore_dots": FLAG,
    "behind": TEXTS,
    "greylist": NUMBER,
    "policy": TABLE,
    "spf": TEXT,
    "dmarc": TEXT,
    "dkim": TABLE_OR_TABLES,
    "dnssec": SIGNED,
    "mta_sts": TABLE,
    "add_auth_flaw": TEXTS,
    "zone": TEXT,
}
HOST_KEYS: Final[Mapping[str, OptionKind]] = {
    "ipv4": TEXT,
    "ipv6": TEXT,
    "services": TEXTS,
    "relay_for": TEXTS,
    "smarthost": FLAG,
    "routes": TABLE,
    "relay_from": TEXTS,
    "policy": TABLE,
}
ACCOUNT_KEYS: Final[Mapping[str, OptionKind]] = {
    "address": TEXT,
    "password": TEXT,
    "may_send_as": TEXTS,
    "tokens": TEXTS,
    "disabled": FLAG,
    "quota": WHOLE,
    "quota_messages": WHOLE,
    "sent_copy": FLAG,
    "auto_reply": TABLE,
    "forward": TABLE,
    "moved_to": TEXT,
}
AUTO_REPLY_KEYS: Final[Mapping[str, OptionKind]] = {"text": TEXT, "subject": TEXT, "days": WHOLE}
FORWARD_KEYS: Final[Mapping[str, OptionKind]] = {"to": TEXTS, "keep_copy": FLAG, "srs": FLAG, "arc": FLAG}
LIST_KEYS: Final[Mapping[str, OptionKind]] = {
    "members": TEXTS,
    "name": TEXT,
    "prefix": TEXT,
    "footer": TEXT,
    "verp": FLAG,
    "arc": FLAG,
}
RECORD_KEYS: Final[Mapping[str, OptionKind]] = {
    "name": TEXT,
    "type": TEXT,
    "value": TEXT,
    "values": TEXTS,
    "ttl": WHOLE,
    "replace": FLAG,
}


@cache
def host_keys() -> Mapping[str, OptionKind]:
    """What may stand in the table of a host: what it is, and its traits."""
    return {**HOST_KEYS, **personality_keys()}


# Reading ---------------------------------------------------------------------------------------------


def read_toml(
    text: str, *, source: str = "", unknown_words: Callable[[str, Any], list[str]] = lambda _, __: []
) -> Description:
    """Read a description. ``source`` is the name of the file, for messages. ``unknown_words`` is given each trait of
    each host, and tells what is wrong with words that only the protocols know.

    Raises one :class:`~fakemail.errors.DeclarationError` that tells everything that is wrong with it,
    line by line. Whether the parts fit together is seen when the description is declared.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DeclarationError(syntax_error(str(error), text, source)) from None
    reader = _TomlReader(text, source, unknown_words)
    found = reader.description(data)
    reader.problems.raise_all()
    return found


class _TomlReader:
    """Reads parsed TOML, and takes note of all that is wrong."""

    def __init__(self, text: str, source: str, unknown_words: Callable[[str, Any], list[str]]) -> None:
        self._unknown_words = unknown_words
        self.problems = Problems(source)
        self._source = source
        self._lines = Lines(text)

    # Places

    def where(self, table: Path, *keys: str | int) -> str:
        """Where something is, for a person: the line of the key and the name of the table."""
        line = place(self._source, self._lines.of((*table, *keys)))
        return f"{line}: {header(table)}" if table else line

    def note(self, table: Path, key: str | None, text: str) -> None:
        """Take note of a mistake."""
        where = self.where(table) if key is None else self.where(table, key)
        self.problems.lines.append(f"{where}: {text}")

    # Tables

    def table(self, data: Mapping[str, Any], path: Path, keys: Mapping[str, OptionKind]) -> dict[str, Any]:
        """The values of a table that are what they should be; lone strings are made lists."""
        found: dict[str, Any] = {}
        for key, value in data.items():
            kind = keys.get(key)
            if kind is None:
                self.note(path, key, f"there is no key {key!r}; {nearest(key, keys)}")
            elif not kind.fits(value):
                self.note(path, key, f"{key!r} must be {kind.says}, not {in_words(value)}.")
            else:
                found[key] = [value] if kind is TEXTS and isinstance(value, str) else value
        return found

    def needs(self, data: Mapping[str, Any], path: Path, *keys: str) -> bool:
        """Whether keys are there that have to be."""
        missing = [repr(key) for key in keys if key not in data]
        if missing:
            words = f"key {missing[0]} is" if len(missing) == 1 else f"keys {' and '.join(missing)} are"
            self.note(path, None, f"the {words} missing.")
        return not missing

    def tables(self, data: Mapping[str, Any], key: str) -> Iterator[tuple[str, Path, Mapping[str, Any]]]:
        """The named tables in a table, such as those of ``[domains."example.org"]``."""
        for name, value in data.get(key, {}).items():
            if isinstance(value, dict):
                yield name, (key, name), value
            else:
                self.note((key,), name, f"{name!r} must be a table, not {in_words(value)}.")

    # The parts

    def description(self, data: Mapping[str, Any]) -> Description:
        top = self.table(data, (), TOP_KEYS)
        accounts: list[AccountEntry] = []
        domains = [self.domain(*each, accounts) for each in self.tables(top, "domains")]
        hosts = [self.host(*each) for each in self.tables(top, "hosts")]
        accounts += filter(
            None, (self.account(("accounts", n), each) for n, each in enumerate(top.get("accounts", [])))
        )
        lists = [self.mailing_list(*each) for each in self.tables(top, "lists")]
        zones = [self.zone(*each) for each in self.tables(top, "zones")]
        records = [self.record(("records", n), each) for n, each in enumerate(top.get("records", []))]
        return Description(
            tuple(filter(None, domains)),
            tuple(hosts),
            tuple(accounts),
            tuple(filter(None, records)),
            top.get("zone", ""),
            top.get("seed"),
            tuple(filter(None, lists)),
            tuple(zones),
            tuple(
                FaultEntry(dict(each), self.where(("faults", n)))
                for n, each in enumerate(top.get("faults", []))
            ),
            self._source,
            top.get("grease"),
        )

    def domain(
        self, name: str, path: Path, data: Mapping[str, Any], accounts: list[AccountEntry]
    ) -> DomainEntry | None:
        found = self.table(data, path, DOMAIN_KEYS)
        name = a_labels(name)
        if not is_domain_name(name):
            self.note(path, None, f"{name!r} is not a domain name.")
            return None
        for number, text in enumerate(found.get("accounts", ())):
            who = self.address(text, path, "accounts", domain=name)
            if who is not None and who.domain != name:
                self.note(path, "accounts", f"{text!r} is not of this domain; give it an [[accounts]].")
            elif who is not None:
                accounts.append(AccountEntry(who, where=self.where(path, "accounts", number)))
        aliases = []
        for key, value in found.get("aliases", {}).items():
            alias = self.address(key, (*path, "aliases"), key, domain=name)
            targets = self.table({key: value}, (*path, "aliases"), {key: TEXTS}).get(key, [])
            each = [self.address(target, (*path, "aliases"), key, domain=name) for target in targets]
            if alias is not None and alias.domain != name:
                self.note((*path, "aliases"), key, f"{key!r} is not of this domain.")
            elif alias is not None:
                aliases.append((alias, tuple(filter(None, each))))
        catch_all = found.get("catch_all")
        return DomainEntry(
            name,
            self.routing(found, path),
            tuple(found.get("mx", ())),
            found.get("submission"),
            found.get("detail_separator", "+"),
            tuple(aliases),
            None if catch_all is None else self.address(catch_all, path, "catch_all", domain=name),
            found.get("spf"),
            found.get("dmarc"),
            found.get("zone", ""),
            found.get("ignore_dots", False),
            tuple(found.get("behind", ())),
            self.policy(found, path),
            self.where(path),
            dkim=self.dkim(found, path),
            mta_sts=self.mta_sts(found, path),
            dnssec=self.signed(found, path),
            broken=tuple(found.get("add_auth_flaw", ())),
        )

    def dkim(self, found: Mapping[str, Any], path: Path) -> tuple[Dkim, ...]:
        if "dkim" not in found:
            return (Dkim(),)
        several = found["dkim"] if isinstance(found["dkim"], list) else [found["dkim"]]
        keys: dict[str, Dkim] = {}
        for each in several:
            table = self.table(each, (*path, "dkim"), DKIM_KEYS)
            with self.problems.at(self.where(path, "dkim")):
                key = read_dkim(table)
                if keys.setdefault(key.selector, key) is not key:
                    raise DeclarationError(f"dkim: two keys have the selector {key.selector!r}.")
        return tuple(keys.values())

    def mta_sts(self, found: Mapping[str, Any], path: Path) -> MtaSts | None:
        if "mta_sts" not in found:
            return None
        table = self.table(found["mta_sts"], (*path, "mta_sts"), MTA_STS_KEYS)
        policies: list[MtaSts] = []
        with self.problems.at(self.where(path, "mta_sts")):
            policies.append(read_mta_sts(table))
        return policies[0] if policies else None

    def signed(self, found: Mapping[str, Any], path: Path) -> Signed:
        signed: Signed = found.get("dnssec", False)
        with self.problems.at(self.where(path, "dnssec")):
            check_signed(signed)
        return signed

    def zone(self, name: str, path: Path, data: Mapping[str, Any]) -> ZoneEntry:
        found = self.table(data, path, ZONE_KEYS)
        return ZoneEntry(
            a_labels(name),
            self.signed(found, path),
            self.where(path),
            frozenset(found.get("allow_transfer", ())),
        )

    def policy(self, found: Mapping[str, Any], path: Path) -> Policy:
        """The table ``policy``, in which the key ``greylist`` of the domain itself stands as well."""
        table = dict(found.get("policy", {}))
        if "greylist" in found and "greylist" in table:
            self.note(
                path, "greylist", "'greylist' stands in the table 'policy' as well; leave one of them out."
            )
        table = {**{key: found[key] for key in ("greylist",) if key in found}, **table}
        policy, mistakes = read_policy(table)
        for key, text in mistakes.items():
            is_own = key == "greylist" and key in found
            self.note(path if is_own else (*path, "policy"), key, text)
        return policy

    def routing(self, found: Mapping[str, Any], path: Path) -> Routing:
        value = found.get("routing", Routing.MX.value)
        ways = [way.value for way in Routing]
        if value in ways:
            return Routing(value)
        self.note(path, "routing", f"there is no routing {value!r}; {nearest(value, ways)}")
        return Routing.MX

    def host(self, name: str, path: Path, data: Mapping[str, Any]) -> HostEntry:
        found = self.table(data, path, host_keys())
        for service in found.get("services", ()):
            if service not in SERVICES:
                self.note(path, "services", f"there is no service {service!r}; {nearest(service, SERVICES)}")
        traits: dict[str, Any] = {}
        for key in [key for key in found if key in personality_keys()]:
            trait, wrong = read_traits({key: found[key]})
            wrong += self._unknown_words(key, trait[key])
            for text in wrong:
                self.note(path, key, text)
            if not wrong:
                traits |= trait
        routes = found.get("routes", {})
        inner = (*path, "routes")
        return HostEntry(
            a_labels(name),
            tuple(SERVICES[each] for each in found.get("services", ()) if each in SERVICES),
            found.get("ipv4"),
            found.get("ipv6"),
            frozenset(found.get("relay_for", ())),
            found.get("smarthost", False),
            HostOptions(**traits),
            tuple(self.table(routes, inner, dict.fromkeys(routes, TEXT)).items()),
            frozenset(found.get("relay_from", ())),
            self.where(path),
            self.host_policy(found, path),
        )

    def host_policy(self, found: Mapping[str, Any], path: Path) -> Policy | None:
        if "policy" not in found:
            return None
        policy, mistakes = read_policy(found["policy"], usual=SUBMISSION_POLICY)
        for key, text in mistakes.items():
            self.note((*path, "policy"), key, text)
        return policy

    def account(self, path: Path, data: Mapping[str, Any]) -> AccountEntry | None:
        found = self.table(data, path, ACCOUNT_KEYS)
        if not self.needs(data, path, "address") or "address" not in found:
            return None
        who = self.address(found["address"], path, "address")
        if who is None:
            return None
        return AccountEntry(
            who,
            found.get("password"),
            frozenset(found.get("may_send_as", ())),
            frozenset(found.get("tokens", ())),
            found.get("disabled", False),
            found.get("quota"),
            found.get("quota_messages"),
            found.get("sent_copy", False),
            self.auto_reply(found, path),
            self.forward(found, path),
            self.address(found["moved_to"], path, "moved_to") if "moved_to" in found else None,
            self.where(path),
        )

    def auto_reply(self, found: Mapping[str, Any], path: Path) -> AutoReply | None:
        if "auto_reply" not in found:
            return None
        inner = (*path, "auto_reply")
        reply = self.table(found["auto_reply"], inner, AUTO_REPLY_KEYS)
        if "text" not in reply:
            if "text" not in found["auto_reply"]:
                self.note(path, "auto_reply", "'auto_reply' needs a 'text'.")
            return None
        return AutoReply(reply["text"], reply.get("subject"), reply.get("days", 7))

    def forward(self, found: Mapping[str, Any], path: Path) -> ForwardTo | None:
        if "forward" not in found:
            return None
        inner = (*path, "forward")
        forward = self.table(found["forward"], inner, FORWARD_KEYS)
        targets = [self.address(text, inner, "to") for text in forward.get("to", ())]
        if not forward.get("to"):
            if "to" not in found["forward"] or found["forward"]["to"] == []:
                self.note(path, "forward", "'forward' needs addresses in 'to'.")
            return None
        return ForwardTo(
            tuple(filter(None, targets)),
            forward.get("keep_copy", True),
            forward.get("srs", False),
            forward.get("arc", False),
        )

    def mailing_list(self, name: str, path: Path, data: Mapping[str, Any]) -> ListEntry | None:
        found = self.table(data, path, LIST_KEYS)
        who = self.address(name, path, name)
        members = [self.address(text, path, "members") for text in found.get("members", ())]
        if who is None:
            return None
        return ListEntry(
            MailingListSpec(
                who,
                tuple(filter(None, members)),
                found.get("name", ""),
                found.get("prefix"),
                found.get("footer"),
                found.get("verp", False),
                found.get("arc", False),
            ),
            self.where(path),
        )

    def record(self, path: Path, data: Mapping[str, Any]) -> RecordEntry | None:
        found = self.table(data, path, RECORD_KEYS)
        if "value" in data and "values" in data:
            self.note(path, "values", "'value' and 'values' are both there; one list will do.")
        # Nothing in place of what is there is something to say, nothing beside it is not.
        has_values = bool(data.get("values") or data.get("replace"))
        needed = ("name", "type") if has_values else ("name", "type", "value")
        if not self.needs(data, path, *needed) or not {"name", "type"} <= found.keys():
            return None
        values = [found["value"]] if "value" in found else found.get("values", [])
        return RecordEntry(
            found["name"],
            found["type"],
            tuple(values),
            found.get("ttl", DEFAULT_RECORD_TTL),
            found.get("replace", False),
            self.where(path),
        )

    def address(self, text: str, table: Path, key: str, *, domain: str = "") -> Address | None:
        """An address; inside a domain its local part is enough."""
        if domain and ("@" not in text or text.endswith('"')):
            text = f"{text}@{domain}"
        try:
            return address(text)
        except DeclarationError as error:
            self.note(table, key, str(error))
            return None
