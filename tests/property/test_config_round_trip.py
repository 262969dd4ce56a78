"""What is printed can be read, and gives an equal description and an equal world."""

from __future__ import annotations

import tomllib
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from fakemail.errors import DeclarationError
from fakemail.model.account import AutoReply, ForwardTo
from fakemail.model.description import (
    AccountEntry,
    Description,
    DomainEntry,
    HostEntry,
    ListEntry,
    RecordEntry,
    ZoneEntry,
    declare,
    describe,
)
from fakemail.model.dkim import ALGORITHMS, CANONICALIZATIONS, Dkim
from fakemail.model.domain import Routing
from fakemail.model.host import BOUNCE_STYLES, SERVICES, HostOptions
from fakemail.model.mailing_list import MailingListSpec
from fakemail.model.policy import Policy
from fakemail.model.schema import Problems
from fakemail.model.toml import read_toml, to_toml
from fakemail.model.transport_security import DNSSEC_FLAWS, LONGEST_AGE, STS_FLAWS, STS_MODES, MtaSts
from fakemail.model.world import WorldSpec
from fakemail.types.address import Address, quote_local
from fakemail.types.domains import a_labels

# Anything that UTF-8 can carry, and what is hard for TOML more often than chance has it.
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.text(
    "\"'\\\n\r\t#=[]\x7f ", max_size=6
)
labels = st.sampled_from(["a", "b", "mx1", "x-y", "ünïcode", "123"])
domain_names = st.builds("{}.{}".format, labels, st.sampled_from(["test", "example"])).map(a_labels)
host_names = labels | st.builds("{}.{}".format, labels, domain_names)
locals_ = st.sampled_from(["ann", "bob", "Ann.Lee", "two words", 'q"u\\ote', "ö", "o'b"])
addresses = st.builds(Address, locals_, domain_names)
sets = st.frozensets(texts, max_size=3)
dkim_keys = st.builds(
    Dkim,
    st.sampled_from(["mail", "2026.eu", "_x"]),
    st.sampled_from(ALGORITHMS),
    st.booleans(),
    st.sampled_from(CANONICALIZATIONS),
    st.sampled_from([(), ("From", "X-Other")]),
    st.sampled_from([(), ("From",), ("From", "To")]),
    st.booleans(),
    st.none() | st.timedeltas(timedelta(), timedelta(days=99)),
)


@st.composite
def domain_entries(draw):
    name = draw(domain_names)
    targets = st.tuples(addresses) | st.tuples(addresses, addresses)
    aliases = draw(st.dictionaries(locals_, targets, max_size=2))
    routing = draw(st.sampled_from(Routing))
    return DomainEntry(
        name,
        routing,
        tuple(draw(st.lists(host_names, max_size=3))) if routing is Routing.MX else (),
        draw(st.none() | host_names),
        draw(st.sampled_from(["+", "-", ""])),
        tuple((Address(local, name), each) for local, each in aliases.items()),
        draw(st.none() | addresses),
        draw(st.none() | texts),
        draw(st.none() | texts),
        draw(texts),
        draw(st.booleans()),
        tuple(draw(st.lists(host_names, max_size=2))),
        Policy(greylist=draw(st.none() | st.timedeltas(timedelta(), timedelta(days=99)))),
        dkim=tuple(draw(st.lists(dkim_keys, min_size=1, max_size=2, unique_by=lambda key: key.selector))),
        mta_sts=draw(st.none() | policies),
        dnssec=draw(signed),
    )


signed = st.booleans() | st.sampled_from(DNSSEC_FLAWS)
policies = st.builds(
    MtaSts,
    st.sampled_from(STS_MODES),
    st.integers(0, LONGEST_AGE),
    st.none() | st.lists(host_names, min_size=1, max_size=2).map(tuple),
    st.none() | st.sampled_from(STS_FLAWS),
)
zone_entries = st.builds(ZoneEntry, domain_names, signed, allow_transfer=sets)
personalities = st.builds(
    HostOptions,
    hide=sets,
    max_recipients=st.integers(0, 10**12),
    idle_timeout=st.floats(0, allow_nan=False),
    require_tls=st.booleans(),
    bounces=st.sampled_from(BOUNCE_STYLES),
)
host_entries = st.builds(
    HostEntry,
    st.builds("{}.{}".format, labels, domain_names).map(a_labels),
    st.lists(st.sampled_from(list(SERVICES.values())), unique=True).map(tuple),
    st.none() | st.integers(1, 200).map("198.51.100.{}".format),
    st.none() | st.integers(1, 200).map("2001:db8::{:x}".format),
    sets,
    st.booleans(),
    personalities,
    st.dictionaries(domain_names | st.just("*"), domain_names, max_size=2).map(
        lambda each: tuple(each.items())
    ),
    sets,
)
limits = st.none() | st.integers(0, 10**9)
account_entries = st.builds(
    AccountEntry,
    addresses,
    st.none() | texts,
    sets,
    sets,
    st.booleans(),
    limits,
    limits,
    st.booleans(),
    st.none() | st.builds(AutoReply, texts, st.none() | texts, st.integers(0, 99)),
    st.none()
    | st.builds(
        ForwardTo, st.lists(addresses, min_size=1, max_size=2).map(tuple), st.booleans(), st.booleans()
    ),
)
list_entries = st.builds(
    ListEntry,
    st.builds(
        MailingListSpec,
        addresses,
        st.lists(addresses, max_size=2).map(tuple),
        texts,
        st.none() | texts,
        st.none() | texts,
        st.booleans(),
    ),
)
record_entries = st.builds(
    RecordEntry,
    texts,
    texts,
    st.lists(texts, min_size=1, max_size=3).map(tuple),
    st.integers(0, 2**31 - 1),
    st.booleans(),
)


def unique(entries, key):
    return st.lists(entries, max_size=3, unique_by=key).map(tuple)


descriptions = st.builds(
    Description,
    unique(domain_entries(), lambda each: each.name),
    unique(host_entries, lambda each: each.name),
    unique(account_entries, lambda each: each.address),
    st.lists(record_entries, max_size=2).map(tuple),
    texts,
    st.none() | st.integers(0, 10**9),
    unique(list_entries, lambda each: each.mailing_list.address),
    unique(zone_entries, lambda each: each.name),
)


def complete(description: Description) -> Description:
    """Hosts of a domain by their complete names: they may be printed without the domain."""

    def host(name: str, domain: str) -> str:
        return name if "." in name else f"{name}.{domain}"

    return replace(
        description,
        domains=tuple(
            replace(
                each,
                mx=tuple(host(name, each.name) for name in each.mx),
                submission=None if each.submission is None else host(each.submission, each.name),
                behind=tuple(host(name, each.name) for name in each.behind),
            )
            for each in description.domains
        ),
    )


@settings(max_examples=60, deadline=None)
@given(descriptions)
def test_a_description_survives_its_text(description):
    text = to_toml(description)
    tomllib.loads(text)
    assert complete(read_toml(text)) == complete(description)


def built(description: Description) -> WorldSpec:
    """A world with whatever of a description can be, made step by step as a test would."""
    world = WorldSpec()
    for host in description.hosts:
        with suppress(DeclarationError):
            world.add_host(
                host.name,
                services=host.services,
                ipv4=host.ipv4,
                ipv6=host.ipv6,
                options=host.options,
                open_relay_for=host.relay_for,
                smarthost=host.smarthost,
                routes=dict(host.routes),
                relay_from=host.relay_from,
            )
    for domain in description.domains:
        with suppress(DeclarationError):
            world.add_domain(
                domain.name,
                routing=domain.routing,
                mx=domain.mx,
                submission_host=domain.submission,
                detail_separator=domain.detail_separator,
                ignore_dots=domain.ignore_dots,
                behind=domain.behind,
            )
    for account in description.accounts:
        with suppress(DeclarationError):
            world.add_account(
                account.address,
                account.password or f"{quote_local(account.address.local)}!",
                may_send_as=account.may_send_as,
                tokens=account.tokens,
                disabled=account.disabled,
                quota=account.quota,
                quota_messages=account.quota_messages,
                sent_copy=account.sent_copy,
                auto_reply=account.auto_reply,
                forward=account.forward,
            )
    for each in description.lists:
        with suppress(DeclarationError):
            world.put_list(each.mailing_list)
    for domain in description.domains:
        with suppress(DeclarationError):
            world.set_catch_all(domain.name, domain.catch_all)
        for alias, targets in domain.aliases:
            with suppress(DeclarationError):
                world.add_alias(alias, targets)
    return world


@settings(max_examples=60, deadline=None)
@given(descriptions)
def test_a_world_survives_its_text(description):
    world = built(description)
    again, problems = WorldSpec(), Problems()
    declare(again, read_toml(to_toml(describe(world))), password=str, problems=problems)
    assert problems.lines == []
    assert again.hosts == world.hosts
    assert again.domains == world.domains
    assert again.lists == world.lists
    assert again.accounts == world.accounts


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=60) | st.text('[]"=.\n#ab1{},', max_size=40))
def test_garbage_is_refused_in_words(text):
    # Whatever else it raised would fail the test.
    with suppress(DeclarationError):
        read_toml(text)
