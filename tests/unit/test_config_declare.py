"""A description declared in a world: order does not matter, and every mistake is told with its place."""

from __future__ import annotations

from textwrap import dedent

from fakemail.model.description import declare, describe
from fakemail.model.schema import Problems
from fakemail.model.toml import read_toml
from fakemail.model.world import WorldSpec
from fakemail.types.address import Address


def declared(text: str) -> tuple[WorldSpec, list[str]]:
    world, description = WorldSpec(), read_toml(dedent(text))
    problems = Problems()
    declare(world, description, password=lambda address: f"{address.local}!", problems=problems)
    return world, problems.lines


def test_parts_find_each_other_in_whatever_order_they_stand():
    world, wrong = declared("""
        [[accounts]]
        address = "ann@shop.test"
        [domains."one.test"]
        mx = ["mx9.two.test"]
        aliases.all = ["sales", "ann@shop.test"]
        aliases.sales = ["all", "bob@two.test"]
        [domains."two.test"]
        mx = ["mx9"]
        accounts = ["bob"]
        [hosts."mx9.two.test"]
        max_recipients = 4
        [hosts."early.test"]
        [hosts."late.test"]
        ipv4 = "198.51.100.1"
    """)
    assert wrong == []
    assert world.domains["one.test"].mail_hosts == ("mx9.two.test",)
    assert world.hosts["mx9.two.test"].options.max_recipients == 4
    assert world.hosts["late.test"].ipv4 == "198.51.100.1"
    assert world.domains["one.test"].aliases["sales"] == (
        Address("all", "one.test"),
        Address("bob", "two.test"),
    )
    assert "shop.test" in world.domains  # an account brings its domain
    assert {each.password for each in world.accounts.values()} == {"ann!", "bob!"}


def test_what_does_not_fit_together_is_told_with_its_place():
    _, wrong = declared("""
        [domains."one.test"]
        mx = ["mx1.elsewhere.test"]
        accounts = ["ann", "ann"]
        catch_all = "amm"
        aliases.x = ["nobody"]
        [domains."two.test"]
        accounts = ["bob"]
        catch_all = "bobb"
        aliases.x = ["nobody"]
        [hosts."h.test"]
        ipv4 = "2001:db8::1"
        [hosts."i.test"]
        ipv4 = "10.0.0.1"
        [[accounts]]
        address = "bob@two.test"
        [[accounts]]
        address = "c+d@three.test"
        [[accounts]]
        address = "e@three.test"
        password = ""
    """)
    assert wrong == [
        "line 11: [hosts.\"h.test\"]: host 'h.test': 2001:db8::1 is an IPv6 address; an IPv4 address is wanted.",
        "line 13: [hosts.\"i.test\"]: host 'i.test': 10.0.0.1 is outside the ranges of the fake internet, which are "
        "198.51.100.0/24, 192.0.2.0/24, 203.0.113.0/24, 198.18.0.0/15, 2001:db8::/32.",
        "line 2: [domains.\"one.test\"]: domain 'one.test': the host 'mx1.elsewhere.test' is not declared and "
        "not inside the domain, so mail would go nowhere; declare it as [hosts.\"mx1.elsewhere.test\"].",
        "line 15: [[accounts]] number 1: account 'bob@two.test' is declared twice.",
        "line 17: [[accounts]] number 2: account 'c+d@three.test': '+' separates the detail from the account in "
        "'three.test' (RFC 5233), so mail for it would go to c@three.test.",
        "line 19: [[accounts]] number 3: account 'e@three.test': the password is empty.",
        "line 7: [domains.\"two.test\"]: no account 'bobb@two.test' is declared; did you mean 'bob@two.test'?",
        "line 7: [domains.\"two.test\"]: alias 'x@two.test': nobody has the address 'nobody@two.test'; "
        "did you mean 'bob@two.test'?",
    ]  # fmt: skip


def test_a_world_described_and_declared_again_is_equal():
    world, _ = declared("""
        [domains."one.test"]
        mx = ["mx2", "mx1"]
        accounts = ["ann"]
        catch_all = "ann"
        [domains."two.test"]
        routing = "null"
        submission = "mx1.one.test"
    """)
    again = WorldSpec()
    problems = Problems()
    declare(again, describe(world), password=str, problems=problems)
    assert problems.lines == []
    assert (again.domains, again.hosts, again.accounts) == (world.domains, world.hosts, world.accounts)
