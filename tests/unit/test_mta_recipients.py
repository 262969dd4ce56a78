"""Who gets the mail for an address: aliases, details, catch-all, postmaster."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fakemail.errors import DeclarationError
from fakemail.model.account import AutoReply, ForwardTo
from fakemail.model.world import WorldSpec
from fakemail.mta.inbound.recipients import Resolution, resolve
from fakemail.types.address import Address, address
from fakemail.types.reason import Reason

NOBODY = Resolution(reason=Reason.NO_SUCH_USER)
DISABLED = Resolution(reason=Reason.MAILBOX_DISABLED)


def example(separator: str = "+") -> WorldSpec:
    world = WorldSpec()
    world.add_domain("example.org", detail_separator=separator)
    world.add_domain("shop.test")
    for text in ("bob@example.org", "ann@example.org", "bob@shop.test"):
        world.add_account(address(text), "x")
    return world


def alias(world: WorldSpec, name: str, *targets: str) -> None:
    """Declare an alias although its targets are not there yet, as a loop needs it."""
    world.add_alias(address(name), [address("x@elsewhere.test")])
    world.add_alias(address(name), [address(target) for target in targets])


def accounts(world: WorldSpec, text: str) -> list[str]:
    return [str(each) for each in resolve(world, address(text)).accounts]


@pytest.mark.parametrize(
    "text",
    ["bob@example.org", "BOB@example.org", "bob+news@example.org", "Bob+a+b@example.org", "bob+@example.org"],
)
def test_account_by_itself_and_with_a_detail(text: str) -> None:
    assert accounts(example(), text) == ["bob@example.org"]


@pytest.mark.parametrize(
    "text", ["gone@example.org", "+bob@example.org", "bo@example.org", "bob-x@example.org"]
)
def test_nobody(text: str) -> None:
    assert resolve(example(), address(text)) == NOBODY


def test_separator_of_the_domain() -> None:
    world = example("-")
    assert accounts(world, "bob-news@example.org") == ["bob@example.org"]
    assert resolve(world, address("bob+news@example.org")) == NOBODY
    assert accounts(world, "bob+news@shop.test") == ["bob@shop.test"]
    assert resolve(example(""), address("bob+news@example.org")) == NOBODY


def test_alias_in_order_and_each_account_once() -> None:
    world = example()
    alias(
        world, "team@example.org", "ann@example.org", "bob@example.org", "Ann@example.org", "x@elsewhere.test"
    )
    assert resolve(world, address("Team@example.org")) == Resolution(
        (address("ann@example.org"), address("bob@example.org")), (address("x@elsewhere.test"),)
    )
    assert accounts(world, "team+news@example.org") == ["ann@example.org", "bob@example.org"]


def test_alias_of_an_alias_in_another_domain() -> None:
    world = example()
    alias(world, "inner@shop.test", "bob@shop.test", "bob+x@example.org")
    alias(world, "outer@example.org", "inner@shop.test", "ann@example.org")
    assert accounts(world, "outer@example.org") == ["bob@shop.test", "bob@example.org", "ann@example.org"]


def test_alias_loops_end() -> None:
    world = example()
    alias(world, "b@shop.test", "x@elsewhere.test")
    alias(world, "a@example.org", "b@shop.test")
    alias(world, "b@shop.test", "a@example.org")
    assert resolve(world, address("a@example.org")) == NOBODY
    alias(world, "b@shop.test", "a@example.org", "bob@shop.test")
    assert accounts(world, "a@example.org") == ["bob@shop.test"]
    alias(world, "c@example.org", "c@example.org", "C@example.org")
    assert resolve(world, address("c@example.org")) == NOBODY


def test_growing_alias_loop_ends() -> None:
    # Each turn would add a detail if details were carried on.
    world = example()
    alias(world, "a@example.org", "a+x@example.org", "bob@example.org")
    assert accounts(world, "a@example.org") == ["bob@example.org"]


def test_many_aliases_cost_what_they_are() -> None:
    world = example()
    for number in range(2000, -1, -1):
        onward = [f"a{number + step}@shop.test" for step in (1, 2) if number < 1999]
        alias(world, f"a{number}@shop.test", *(onward or ["x@elsewhere.test"]))
    # Without a memory this would take 2**1000 steps.
    assert resolve(world, address("a0@shop.test")) == Resolution(onward=(address("x@elsewhere.test"),))


def test_catch_all() -> None:
    world = example()
    world.set_catch_all("example.org", address("bob@shop.test"))
    assert accounts(world, "whoever@example.org") == ["bob@shop.test"]
    assert accounts(world, "ann@example.org") == ["ann@example.org"]
    assert accounts(world, "postmaster@example.org") == ["bob@shop.test"]
    assert resolve(world, address("whoever@shop.test")) == NOBODY


@pytest.mark.parametrize("local", ["postmaster", "Postmaster", "POSTMASTER"])
def test_postmaster_is_always_there(local: str) -> None:
    assert resolve(example(), Address(local, "example.org")).accounts == (
        Address("postmaster", "example.org"),
    )


def test_postmaster_that_is_declared() -> None:
    world = example()
    alias(world, "postmaster@example.org", "bob@example.org")
    assert accounts(world, "Postmaster@example.org") == ["bob@example.org"]


def test_disabled_account_gets_nothing_and_neither_does_the_catch_all() -> None:
    world = example()
    world.set_catch_all("example.org", address("ann@example.org"))
    world.change_account(replace(world.account(address("bob@example.org")), disabled=True))
    assert resolve(world, address("bob@example.org")) == DISABLED
    assert resolve(world, address("bob+news@example.org")) == DISABLED
    world.change_account(replace(world.account(address("ann@example.org")), disabled=True))
    assert resolve(world, address("whoever@example.org")) == DISABLED
    alias(world, "team@example.org", "bob@example.org", "bob@shop.test")
    assert accounts(world, "team@example.org") == ["bob@shop.test"]


def test_who_has_moved_says_where_to() -> None:
    """RFC 5321 §3.4."""
    world = example()
    world.change_account(replace(world.account(address("bob@example.org")), moved_to=address("bob@new.test")))
    moved = Resolution(reason=Reason.MAILBOX_MOVED, detail="please try <bob@new.test>")
    assert resolve(world, address("bob+news@example.org")) == moved
    with pytest.raises(DeclarationError, match="moved to where it is"):
        world.change_account(
            replace(world.account(address("bob@example.org")), moved_to=address("bob@example.org"))
        )


def test_disabled_postmaster_gets_nothing() -> None:
    world = example()
    world.add_account(address("postmaster@example.org"), "x", disabled=True)
    assert resolve(world, address("postmaster@example.org")) == DISABLED


def test_address_elsewhere_is_onward() -> None:
    assert resolve(example(), address("x@elsewhere.test")) == Resolution(
        onward=(address("x@elsewhere.test"),)
    )


@pytest.mark.parametrize(
    "peculiarity",
    [
        {"quota": 1000},
        {"quota_messages": 0},
        {"auto_reply": AutoReply("away")},
        {"forward": ForwardTo((address("x@elsewhere.test"),))},
        {"disabled": True},
    ],
)
def test_only_an_account_without_peculiarities_is_plain(peculiarity: dict[str, Any]) -> None:
    world = example()
    assert resolve(world, address("bob@example.org")).is_plain
    world.change_account(replace(world.account(address("bob@example.org")), **peculiarity))
    assert not resolve(world, address("bob@example.org")).is_plain


def test_who_is_found_by_a_longer_way_is_not_plain() -> None:
    assert not resolve(example(), address("bob+news@example.org")).is_plain
    assert not resolve(example(), address("bob@example.org"), is_home=lambda _: False).is_plain
