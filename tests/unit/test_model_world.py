"""What can be declared, what cannot, with which words, and that nothing changes when it cannot."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace

import pytest

from fakemail.errors import DeclarationError, UnknownNameError
from fakemail.model.account import AccountSpec
from fakemail.model.addresses import APP_IPV4, APP_IPV6, IPV4_RANGES, AddressPlan
from fakemail.model.domain import DomainSpec, MxTarget, Routing
from fakemail.model.host import SMTP, SUBMISSION, SUBMISSIONS, HostOptions
from fakemail.model.world import WorldSpec
from fakemail.types.address import Address, address


def example() -> WorldSpec:
    world = WorldSpec()
    world.add_domain("example.org")
    world.add_account(address("bob@example.org"), "s3cret")
    world.add_alias(address("team@example.org"), [address("bob@example.org")])
    world.add_host("relay.test", ipv4="192.0.2.7", ipv6="2001:db8::7")
    return world


def picture(world: WorldSpec) -> object:
    """Everything that is declared, and what the next host would get."""
    plan = world.addresses
    return (
        dict(world.hosts),
        dict(world.domains),
        dict(world.accounts),
        dict(plan._taken),
        plan._serial,
    )


def add_account(local: str, password: str = "x") -> Callable[[WorldSpec], object]:
    return lambda world: world.add_account(Address(local, "example.org"), password)


RANGES = "198.51.100.0/24, 192.0.2.0/24, 203.0.113.0/24, 198.18.0.0/15, 2001:db8::/32"
NOT_A_NAME = (
    "not a domain name; labels of letters, digits and inner hyphens, 63 octets at most each, joined by dots."
)
MISTAKES: list[tuple[str, Callable[[WorldSpec], object], str]] = [
    # Hosts and their addresses
    (
        "two hosts of one name",
        lambda world: world.add_host("Relay.Test."),
        "host 'relay.test' is declared already; take it with mailnet.host('relay.test').",
    ),
    (
        "two hosts with one address",
        lambda world: world.add_host("other.test", ipv4="192.0.2.7"),
        "host 'other.test': 192.0.2.7 is the address of 'relay.test' already; "
        "leave the address out to get a free one.",
    ),
    (
        "two hosts with one IPv6 address in two spellings",
        lambda world: world.add_host("other.test", ipv6="2001:0DB8:0::7"),
        "host 'other.test': 2001:db8::7 is the address of 'relay.test' already; "
        "leave the address out to get a free one.",
    ),
    (
        "a good address, and then a bad one",
        lambda world: world.add_host("other.test", ipv4="192.0.2.8", ipv6="2001:db8::7"),
        "host 'other.test': 2001:db8::7 is the address of 'relay.test' already; "
        "leave the address out to get a free one.",
    ),
    (
        "the address of the program under test",
        lambda world: world.add_host("other.test", ipv4=APP_IPV4),
        f"host 'other.test': {APP_IPV4} is the address of 'app' already; "
        "leave the address out to get a free one.",
    ),
    (
        "an address of somebody else",
        lambda world: world.add_host("other.test", ipv4="8.8.8.8"),
        f"host 'other.test': 8.8.8.8 is outside the ranges of the fake internet, which are {RANGES}.",
    ),
    (
        "an address with a scope",
        lambda world: world.add_host("other.test", ipv6="2001:db8::7%eth0"),
        f"host 'other.test': 2001:db8::7%eth0 is outside the ranges of the fake internet, which are {RANGES}.",
    ),
    (
        "no address",
        lambda world: world.add_host("other.test", ipv4="192.0.2.300"),
        "host 'other.test': '192.0.2.300' is not an IP address.",
    ),
    (
        "an IPv6 address for an IPv4 address",
        lambda world: world.add_host("other.test", ipv4="2001:db8::9"),
        "host 'other.test': 2001:db8::9 is an IPv6 address; an IPv4 address is wanted.",
    ),
    (
        "an IPv4 address for an IPv6 address",
        lambda world: world.add_host("other.test", ipv6="192.0.2.9"),
        "host 'other.test': 192.0.2.9 is an IPv4 address; an IPv6 address is wanted.",
    ),
    *(
        (
            f"host name {name!r}",
            lambda world, name=name: world.add_host(name),
            f"host {name.lower().rstrip('.')!r}: {NOT_A_NAME}",
        )
        for name in (
            "",
            ".",
            "a..b",
            "-a.test",
            "a-.test",
            "a_b.test",
            "a b.test",
            "x" * 64 + ".test",
            "a.\n",
        )
    ),
    (
        "a host that nobody declared",
        lambda world: world.host("relai.test"),
        "no host 'relai.test' is declared; did you mean 'relay.test'?",
    ),
    (
        "a change of a host that nobody declared",
        lambda world: world.change_host(replace(world.host("relay.test"), name="x.test")),
        "no host 'x.test' is declared; did you mean 'relay.test'?",
    ),
    # Domains
    (
        "two domains of one name",
        lambda world: world.add_domain("EXAMPLE.org"),
        "domain 'example.org' is declared already; take it with mailnet.domain('example.org').",
    ),
    ("a bad domain name", lambda world: world.add_domain("a..b"), f"domain 'a..b': {NOT_A_NAME}"),
    (
        "a bad mail host name",
        lambda world: world.add_domain("new.test", mx=["a b"]),
        f"domain 'new.test': host 'a b.new.test': {NOT_A_NAME}",
    ),
    (
        "a bad submission host name",
        lambda world: world.add_domain("new.test", submission_host="-"),
        f"domain 'new.test': host '-.new.test': {NOT_A_NAME}",
    ),
    (
        "a mail host named twice",
        lambda world: world.add_domain("new.test", mx=["a", "b", "A.new.test."]),
        "domain 'new.test': a mail host is named twice in ['a', 'b', 'A.new.test.'].",
    ),
    (
        "an MX to nowhere",
        lambda world: world.add_domain("new.test", mx=["a", "mx.relay.test"]),
        "domain 'new.test': the host 'mx.relay.test' is not declared and not inside the domain, so mail would go "
        "nowhere; declare it with mailnet.host('mx.relay.test') first, or: did you mean 'relay.test'?",
    ),
    (
        "a submission host nowhere",
        lambda world: world.add_domain("new.test", submission_host="smtp.nowhere.test"),
        "domain 'new.test': the host 'smtp.nowhere.test' is not declared and not inside the domain, so mail "
        "would go nowhere; declare it with mailnet.host('smtp.nowhere.test') first, or: "
        "known: mx1.example.org, relay.test, smtp.example.org.",
    ),
    *(
        (
            f"mail hosts with routing {routing.value}",
            lambda world, routing=routing: world.add_domain("new.test", routing=routing, mx=["a"]),
            f"domain 'new.test': mail hosts are named, but its routing is {routing.value!r}.",
        )
        for routing in (Routing.NULL_MX, Routing.IMPLICIT, Routing.NONE)
    ),
    (
        "a change to mail hosts with a null MX",
        lambda world: world.route_domain("example.org", Routing.NULL_MX, ["a"]),
        "domain 'example.org': mail hosts are named, but its routing is 'null'.",
    ),
    (
        "a change to an MX to nowhere",
        lambda world: world.route_domain("example.org", Routing.MX, ["a", "mx.new.test"]),
        "domain 'example.org': the host 'mx.new.test' is not declared and not inside the domain, so mail would "
        "go nowhere; declare it with mailnet.host('mx.new.test') first, or: "
        "known: mx1.example.org, relay.test, smtp.example.org.",
    ),
    (
        "a change of a domain that nobody declared",
        lambda world: world.route_domain("exmaple.org", Routing.NULL_MX),
        "no domain 'exmaple.org' is declared; did you mean 'example.org'?",
    ),
    # Accounts
    (
        "two accounts of one address",
        add_account("BOB"),
        "account 'BOB@example.org' is declared already; take it with mailnet.account('BOB@example.org').",
    ),
    (
        "an account of a domain that nobody declared",
        lambda world: world.add_account(Address("ann", "example.net"), "x"),
        "no domain 'example.net' is declared; did you mean 'example.org'?",
    ),
    (
        "an account with the address of an alias",
        add_account("Team"),
        "account 'Team@example.org': an alias has that address already.",
    ),
    (
        "an account with a detail",
        add_account("ann+news"),
        "account 'ann+news@example.org': '+' separates the detail from the account in 'example.org' (RFC 5233), "
        "so mail for it would go to ann@example.org.",
    ),
    *(
        (
            f"a password with {word}",
            add_account("ann", f"a{sign}b"),
            f"account 'ann@example.org': the password has {word} in it, which no client can send.",
        )
        for sign, word in (("\n", "a line feed"), ("\r", "a carriage return"), ("\0", "a NUL"))
    ),
    ("no password", add_account("ann", ""), "account 'ann@example.org': the password is empty."),
    (
        "a change to a bad password",
        lambda world: world.change_account(AccountSpec(address("bob@example.org"), "a\nb")),
        "account 'bob@example.org': the password has a line feed in it, which no client can send.",
    ),
    (
        "a change of an account that nobody declared",
        lambda world: world.change_account(AccountSpec(address("bo@example.org"), "x")),
        "no account 'bo@example.org' is declared; did you mean 'bob@example.org'?",
    ),
    # Aliases and catch-all
    (
        "an alias of a domain that nobody declared",
        lambda world: world.add_alias(address("a@example.com"), [address("bob@example.org")]),
        "no domain 'example.com' is declared; did you mean 'example.org'?",
    ),
    (
        "an alias for nobody",
        lambda world: world.add_alias(address("a@example.org"), []),
        "alias 'a@example.org': it stands for no address; name at least one.",
    ),
    (
        "an alias with the address of an account",
        lambda world: world.add_alias(address("Bob@example.org"), [address("x@elsewhere.test")]),
        "alias 'Bob@example.org': an account has that address already.",
    ),
    (
        "an alias to an address that nobody has",
        lambda world: world.add_alias(
            address("a@example.org"), [address("bob@example.org"), address("bub@example.org")]
        ),
        "alias 'a@example.org': nobody has the address 'bub@example.org'; did you mean 'bob@example.org'?",
    ),
    (
        "an alias to itself",
        lambda world: world.add_alias(address("a@example.org"), [address("a@example.org")]),
        "alias 'a@example.org': nobody has the address 'a@example.org'; did you mean 'bob@example.org'?",
    ),
    (
        "a catch-all for an account that nobody declared",
        lambda world: world.set_catch_all("example.org", address("bub@example.org")),
        "no account 'bub@example.org' is declared; did you mean 'bob@example.org'?",
    ),
    (
        "a catch-all of a domain that nobody declared",
        lambda world: world.set_catch_all("example.com", None),
        "no domain 'example.com' is declared; did you mean 'example.org'?",
    ),
]


@pytest.mark.parametrize(
    ("make", "text"), [each[1:] for each in MISTAKES], ids=[each[0] for each in MISTAKES]
)
def test_mistake_is_told_and_changes_nothing(make: Callable[[WorldSpec], object], text: str) -> None:
    world = example()
    before = picture(world)
    with pytest.raises(DeclarationError) as raised:
        make(world)
    assert str(raised.value) == text
    assert picture(world) == before
    # The next host gets the address that it would have got.
    assert world.add_host("next.test") == example().add_host("next.test")


def test_unknown_names_are_lookup_errors() -> None:
    for look in (lambda: example().host("x"), lambda: example().domain("x"),
                 lambda: example().account(address("x@x.test"))):  # fmt: skip
        with pytest.raises(UnknownNameError) as raised:
            look()
        assert isinstance(raised.value, LookupError)
    with pytest.raises(UnknownNameError, match="none is declared"):
        WorldSpec().host("x")


# What can be declared ---------------------------------------------------------------------------------


def test_domain_brings_its_hosts() -> None:
    world = WorldSpec()
    domain = world.add_domain("Example.Org.")
    assert domain == DomainSpec(
        "example.org", Routing.MX, (MxTarget(10, "mx1.example.org"),), "smtp.example.org"
    )
    assert world.host("MX1.example.org.").services == (SMTP,)
    assert world.host("smtp.example.org").services == (SUBMISSION, SUBMISSIONS)
    assert [host.name for host in world.mail_hosts(domain)] == ["mx1.example.org"]
    assert world.domain("EXAMPLE.ORG") is domain


def test_domain_with_hosts_of_its_own_choice() -> None:
    world = WorldSpec()
    world.add_host("mx.provider.test", options=HostOptions(max_recipients=5))
    domain = world.add_domain("example.org", mx=["b", "mx.provider.test", "a"], submission_host="b")
    assert domain.mx == (
        MxTarget(10, "b.example.org"),
        MxTarget(20, "mx.provider.test"),
        MxTarget(30, "a.example.org"),
    )
    assert world.host("b.example.org").services == (SMTP, SUBMISSION, SUBMISSIONS)
    assert world.host("mx.provider.test").services == (SMTP,)
    assert world.host("mx.provider.test").options.max_recipients == 5


def test_routing_without_mx() -> None:
    world = WorldSpec()
    assert world.add_domain("a.test", routing=Routing.IMPLICIT).mail_hosts == ("a.test",)
    assert world.add_domain("b.test", routing=Routing.NULL_MX).mail_hosts == ()
    assert world.add_domain("c.test", routing=Routing.NONE).mail_hosts == ()
    assert world.host("a.test").services == (SMTP,)
    assert world.route_domain("b.test", Routing.MX, ["x", "y"]).mail_hosts == ("x.b.test", "y.b.test")
    assert world.route_domain("b.test", Routing.NULL_MX).mail_hosts == ()


def test_mail_hosts_come_in_order_of_preference() -> None:
    domain = DomainSpec("a.test", mx=(MxTarget(20, "b"), MxTarget(10, "c"), MxTarget(20, "a")))
    assert domain.mail_hosts == ("c", "b", "a")


def test_alias_to_detail_to_postmaster_to_elsewhere_and_to_an_alias() -> None:
    world = example()
    targets = [address(text) for text in
               ("bob+news@example.org", "postmaster@example.org", "x@elsewhere.test", "team@example.org")]  # fmt: skip
    domain = world.add_alias(address("All@example.org"), targets)
    assert domain.aliases["all"] == tuple(targets)


def test_alias_declared_again_goes_to_the_new_addresses() -> None:
    world = example()
    world.add_alias(address("TEAM@example.org"), [address("x@elsewhere.test")])
    assert world.domain("example.org").aliases == {"team": (address("x@elsewhere.test"),)}


def test_aliases_cannot_be_changed_from_outside() -> None:
    with pytest.raises(TypeError):
        example().domain("example.org").aliases["x"] = ()  # type: ignore[index]


def test_catch_all_comes_and_goes() -> None:
    world = example()
    assert world.set_catch_all("example.org", address("bob@example.org")).catch_all == address(
        "bob@example.org"
    )
    # Whoever gets everything gets what is sent to an alias's unknown target, too.
    world.add_alias(address("a@example.org"), [address("whoever@example.org")])
    assert world.set_catch_all("example.org", None).catch_all is None


def test_account_of_a_domain_without_details_may_have_a_plus() -> None:
    world = WorldSpec()
    world.add_domain("plain.test", detail_separator="")
    world.add_domain("dash.test", detail_separator="-")
    assert world.add_account(address("a+b@plain.test"), "x").address.local == "a+b"
    assert world.add_account(address("a+b@dash.test"), "x").address.local == "a+b"
    with pytest.raises(DeclarationError, match="'-' separates the detail"):
        world.add_account(address("a-b@dash.test"), "x")


def test_password_is_not_shown() -> None:
    account = example().add_account(address("ann@example.org"), "hunter2", tokens=["t0ken"])
    assert "hunter2" not in repr(account)
    assert "t0ken" not in repr(account)


@pytest.mark.parametrize(
    ("sender", "separator", "owned"),
    [
        ("bob@example.org", "+", True),
        ("BOB@example.org", "+", True),
        ("bob+news@example.org", "+", True),
        ("bob+a+b@example.org", "+", True),
        ("bobby@example.org", "+", False),
        ("bob@example.net", "+", False),
        ("bob-news@example.org", "+", False),
        ("bob-news@example.org", "-", True),
        ("bob+news@example.org", "-", False),
        ("bob+news@example.org", "", False),
        ("bob@example.org", "", True),
        ("anybody@shop.test", "+", True),
        ("Desk@example.net", "+", True),
        ("ann@example.net", "+", False),
    ],
)
def test_senders_that_an_account_owns(sender: str, separator: str, owned: bool) -> None:
    account = AccountSpec(address("bob@example.org"), "x", frozenset({"@shop.test", "desk@example.net"}))
    assert account.owns(address(sender), detail_separator=separator) is owned


def test_account_that_may_send_as_anybody() -> None:
    account = AccountSpec(address("bob@example.org"), "x", frozenset({"*"}))
    assert account.owns(address("ceo@elsewhere.test"))


# Addresses --------------------------------------------------------------------------------------------


def test_first_addresses() -> None:
    plan = AddressPlan()
    assert plan.assign("a") == ("198.51.100.1", "2001:db8::1")
    assert plan.assign("b", ipv4="198.51.100.2") == ("198.51.100.2", "2001:db8::2")
    assert plan.assign("c", ipv6="2001:DB8::3") == ("198.51.100.3", "2001:db8::3")
    # Nothing that was given away is given again, and nothing is left out.
    assert plan.assign("d") == ("198.51.100.4", "2001:db8::4")
    assert plan.owner("198.51.100.2") == "b"
    assert plan.owner("198.51.100.9") is None
    assert plan.owner(APP_IPV6) == "app"


def test_more_hosts_than_the_documentation_ranges_have() -> None:
    plan = AddressPlan()
    pairs = [plan.assign(f"h{number}") for number in range(1000)]
    assert len({ipv4 for ipv4, _ in pairs}) == len({ipv6 for _, ipv6 in pairs}) == 1000
    assert APP_IPV4 not in {ipv4 for ipv4, _ in pairs}
    small = 3 * 254 - 1  # 254 hosts in each, one of them the program under test
    assert [ipv4.startswith("198.18.") for ipv4, _ in pairs] == [False] * small + [True] * (1000 - small)
    assert pairs[small][0] == "198.18.0.1"


def test_no_address_left() -> None:
    plan = AddressPlan()
    plan._ipv4 = iter(list(IPV4_RANGES[0].hosts())[:1])
    plan.assign("a")
    before = copy.copy(plan._taken)
    with pytest.raises(DeclarationError, match=r"^host 'b': every address of the fake internet is taken\.$"):
        plan.assign("b", ipv6="2001:db8::99")
    assert plan._taken == before
