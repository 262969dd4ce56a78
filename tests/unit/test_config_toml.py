"""Reading a description: what may be written, and the text of every mistake."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from textwrap import dedent

import pytest

from fakemail.errors import DeclarationError
from fakemail.model import toml
from fakemail.model.description import AccountEntry, RecordEntry
from fakemail.model.domain import Routing
from fakemail.model.host import HOST_OPTIONS, SMTP, SUBMISSION, HostOptions
from fakemail.model.toml import read_toml
from fakemail.types.address import Address


def mistakes(text: str, source: str = "world.toml") -> str:
    with pytest.raises(DeclarationError) as caught:
        read_toml(dedent(text), source=source)
    return str(caught.value)


def test_nothing_is_a_description():
    found = read_toml("")
    assert (found.domains, found.hosts, found.accounts, found.records, found.seed) == ((), (), (), (), None)


def test_a_domain():
    found = read_toml(
        dedent(
            """
            seed = 7
            [domains."Example.ORG"]
            mx = ["mx1", "mx2.example.org"]
            accounts = ["ann", "bob"]
            aliases.sales = ["bob", "x@else.test"]
            aliases."first last" = "ann"
            catch_all = "bob"
            detail_separator = "-"
            spf = ""
        """.replace('"first last"', "'\"first last\"'")
        )
    )
    (domain,) = found.domains
    assert found.seed == 7
    assert domain.name == "example.org"
    assert domain.mx == ("mx1", "mx2.example.org")
    assert domain.aliases == (
        (Address("sales", "example.org"), (Address("bob", "example.org"), Address("x", "else.test"))),
        (Address("first last", "example.org"), (Address("ann", "example.org"),)),
    )
    assert domain.catch_all == Address("bob", "example.org")
    assert (domain.detail_separator, domain.spf, domain.dmarc) == ("-", "", None)
    assert [str(each.address) for each in found.accounts] == ["ann@example.org", "bob@example.org"]
    assert [each.password for each in found.accounts] == [None, None]


@pytest.mark.parametrize("routing", list(Routing))
def test_every_routing(routing):
    found = read_toml(f'[domains."example.org"]\nrouting = "{routing.value}"')
    assert found.domains[0].routing is routing


def test_a_host():
    (host,) = read_toml(
        dedent("""
            [hosts."mx1.example.org"]
            ipv4 = "198.51.100.9"
            services = ["smtp", "submission"]
            relay_for = ["*"]
            hide = ["PIPELINING"]
            max_recipients = 3
            idle_timeout = 2
        """)
    ).hosts
    assert host.services == (SMTP, SUBMISSION)
    assert host.relay_for == {"*"}
    assert host.options == HostOptions(hide=frozenset({"PIPELINING"}), max_recipients=3, idle_timeout=2.0)


def test_every_option_of_a_host_can_be_written():
    assert set(HOST_OPTIONS.keys) == {field.name for field in fields(HostOptions)}


def test_accounts_and_records():
    found = read_toml(
        dedent("""
            [[accounts]]
            address = "hello@shop.test"
            password = "s3cret"
            may_send_as = "@shop.test"
            tokens = ["t"]
            disabled = true

            [[records]]
            name = "example.org"
            type = "TXT"
            values = ["a", "b"]
            ttl = 60
            replace = true
        """)
    )
    assert found.accounts == (
        AccountEntry(
            Address("hello", "shop.test"), "s3cret", frozenset({"@shop.test"}), frozenset({"t"}), True
        ),
    )
    assert found.records == (RecordEntry("example.org", "TXT", ("a", "b"), 60, True),)


def test_all_mistakes_of_a_text_are_told_at_once():
    assert mistakes(
        """
        sed = 7
        [domains."example.org"]
        mxs = ["mx1", "mx2"]
        accounts = ["ann", 3]
        catch_all = "b b"
        routing = "nul"
        [hosts."mx1.example.org"]
        max_recipients = "many"
        services = ["smpt"]
        [[accounts]]
        adress = "a@example.org"
        [[records]]
        name = "example.org"
        """
    ) == "\n".join(
        [
            "10 mistakes in world.toml:",
            "  world.toml:2: there is no key 'sed'; did you mean 'seed'?",
            "  world.toml:4: [domains.\"example.org\"]: there is no key 'mxs'; did you mean 'mx'?",
            "  world.toml:5: [domains.\"example.org\"]: 'accounts' must be a list of strings, "
            "not a list with the number 3 in it.",
            "  world.toml:6: [domains.\"example.org\"]: 'b b@example.org' is not an address: "
            "the part before '@' is 'b b'.",
            "  world.toml:7: [domains.\"example.org\"]: there is no routing 'nul'; did you mean 'null'?",
            "  world.toml:9: [hosts.\"mx1.example.org\"]: 'max_recipients' must be a whole number from 0 up, "
            "not the string 'many'.",
            "  world.toml:10: [hosts.\"mx1.example.org\"]: there is no service 'smpt'; did you mean 'smtp'?",
            "  world.toml:11: [[accounts]] number 1: the key 'address' is missing.",
            "  world.toml:12: [[accounts]] number 1: there is no key 'adress'; did you mean 'address'?",
            "  world.toml:13: [[records]] number 1: the keys 'type' and 'value' are missing.",
        ]
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("seed = true", "world.toml:1: 'seed' must be a whole number from 0 up, not true."),
        ("grease = 1", "world.toml:1: 'grease' must be true, false or 'retries', not the number 1."),
        ("seed = -1", "world.toml:1: 'seed' must be a whole number from 0 up, not the number -1."),
        ("seed = 1979-05-27",
         "world.toml:1: 'seed' must be a whole number from 0 up, not the date or time 1979-05-27."),
        ("domains = []", "world.toml:1: 'domains' must be a table, not a list."),
        ("[domains.a]\ngreylist = -1",
         "world.toml:2: [domains.a]: 'greylist' must be a number from 0 up, not the number -1."),
        ("[domains.a]\ngreylist = inf", "world.toml:2: [domains.a]: 'greylist' cannot be inf seconds."),
        ("[domains]\na = 1", "world.toml:2: [domains]: 'a' must be a table, not the number 1."),
        ("accounts = [3]", "world.toml:1: 'accounts' must be an array of tables, not a list with the number 3 in it."),
        ('[domains."a b"]', "world.toml:1: [domains.\"a b\"]: 'a b' is not a domain name."),
        (
            '[domains.a]\naccounts = ["x@b"]',
            "world.toml:2: [domains.a]: 'x@b' is not of this domain; give it an [[accounts]].",
        ),
        (
            '[domains.a]\naliases.x = 3',
            "world.toml:2: [domains.a.aliases]: 'x' must be a list of strings, not the number 3.",
        ),
        (
            '[domains.a.aliases]\n"x@b" = []',
            "world.toml:2: [domains.a.aliases]: 'x@b' is not of this domain.",
        ),
        ("[hosts.h]\nsmarthost = 1", "world.toml:2: [hosts.h]: 'smarthost' must be true or false, not the number 1."),
        (
            '[[records]]\nname = "a"\ntype = "A"\nvalue = "192.0.2.1"\nvalues = []',
            "world.toml:5: [[records]] number 1: 'value' and 'values' are both there; one list will do.",
        ),
    ],
)  # fmt: skip
def test_each_mistake_has_its_text(text, told):
    assert mistakes(text) == told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a = \n", "world.toml:1: not TOML: invalid value (column 5)"),
        ("\n[domains\n", "world.toml:2: not TOML: expected ']' at the end of a table declaration (column 9)"),
        ('x = "', "world.toml:1: not TOML: unterminated string at the end of the text"),
    ],
)
def test_bad_syntax_is_told_with_file_and_line(text, told):
    assert mistakes(text) == told


def test_a_text_without_a_file_is_told_by_line_only():
    assert mistakes("sed = 1", source="") == "line 1: there is no key 'sed'; did you mean 'seed'?"
    assert mistakes("a = 1\nb = 2", source="").startswith("2 mistakes in the configuration:\n  line 1: ")


@pytest.mark.parametrize(
    "table",
    [
        toml.WORLD,
        toml.DOMAIN,
        toml.HOST,
        toml.ACCOUNT,
        toml.LIST,
        toml.RECORD,
        toml.MTA_STS,
        toml.DKIM,
    ],
)
def test_every_key_is_in_the_reference(table):
    page = (Path(__file__).parents[2] / "docs" / "reference" / "config.md").read_text("utf-8")
    assert [key for key in table.keys if f"| `{key}` |" not in page and key not in HOST_OPTIONS.keys] == []
