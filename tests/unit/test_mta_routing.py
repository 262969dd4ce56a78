"""Where mail for a domain goes: RFC 5321 §5.1 and RFC 7505, rule by rule."""

from __future__ import annotations

import pytest

from fakemail.mta.outbound.mx_routing import (
    Addresses,
    DnsAnswer,
    DnsQuery,
    MailHost,
    Route,
    find_addresses,
    find_route,
)
from fakemail.types.reason import Reason
from fakemail.types.seeded_random import SeededRandom


def route(
    *values: tuple[int, str], kind: str = "NOERROR", domain: str = "example.org", own: str = "relay.test", seed: int = 1
) -> Route:  # fmt: skip
    questions = find_route(domain, own_name=own, chance=SeededRandom(seed))
    assert next(questions) == DnsQuery(domain, "MX")
    with pytest.raises(StopIteration) as end:
        questions.send(DnsAnswer(kind, values))
    found: Route = end.value.value
    return found


def names(found: Route) -> list[str]:
    return [host.name for host in found.hosts]


def test_lower_preferences_first() -> None:
    found = route((20, "b.test"), (10, "a.test"), (65535, "c.test"), (0, "z.test"))
    assert found == Route(
        (MailHost(0, "z.test"), MailHost(10, "a.test"), MailHost(20, "b.test"), MailHost(65535, "c.test")),
        by_mx=True,
    )


def shuffled(records: list[tuple[int, str]], seed: int) -> tuple[str, ...]:
    return tuple(names(route((5, "first.test"), *records, (20, "last.test"), seed=seed)))


def test_equal_preferences_are_shuffled_by_the_seed() -> None:
    records = [(10, f"m{number}.test") for number in range(6)]
    orders = [shuffled(records, seed) for seed in range(20)]
    assert orders == [shuffled(records, seed) for seed in range(20)]
    assert len(set(orders)) > 10
    for order in orders:
        assert (order[0], order[-1]) == ("first.test", "last.test")
        assert sorted(order[1:-1]) == [name for _, name in records]


def test_different_preferences_leave_chance_alone() -> None:
    chance = SeededRandom(1)
    questions = find_route("example.org", own_name="relay.test", chance=chance)
    next(questions)
    with pytest.raises(StopIteration):
        questions.send(DnsAnswer("NOERROR", ((1, "a.test"), (2, "b.test"))))
    assert chance.token() == SeededRandom(1).token()


@pytest.mark.parametrize("kind", ["NODATA", "NOERROR"])
def test_no_mx_means_the_domain_itself(kind: str) -> None:
    assert route(kind=kind) == Route((MailHost(0, "example.org"),))


def test_domain_that_does_not_exist() -> None:
    assert route(kind="NXDOMAIN") == Route(reason=Reason.NO_SUCH_DOMAIN, detail="example.org does not exist")


@pytest.mark.parametrize("kind", ["SERVFAIL", "TIMEOUT", "REFUSED", "FORMERR"])
def test_failing_dns_is_temporary(kind: str) -> None:
    assert route(kind=kind) == Route(reason=Reason.DNS_TEMPORARY, detail=f"MX of example.org: {kind}")


@pytest.mark.parametrize("root", ["", "."])
def test_null_mx(root: str) -> None:
    expected = Route(reason=Reason.NULL_MX, detail="example.org has a null MX")
    assert route((0, root)) == expected
    assert route((10, root)) == expected
    assert route((0, root), (5, root)) == expected


def test_null_mx_among_others_is_ignored() -> None:
    assert names(route((0, "."), (10, "a.test"))) == ["a.test"]


def test_own_host_and_all_that_are_less_preferred_are_left_out() -> None:
    records = [(5, "first.test"), (10, "Relay.Test."), (10, "peer.test"), (20, "last.test")]
    for seed in range(10):
        assert names(route(*records, seed=seed)) == ["first.test"]


def test_own_host_twice_counts_by_its_best_place() -> None:
    assert names(route((5, "first.test"), (10, "relay.test"), (15, "mid.test"), (20, "relay.test"))) == [
        "first.test"
    ]


@pytest.mark.parametrize(
    "records", [[(10, "relay.test"), (20, "b.test")], [(10, "b.test"), (10, "relay.test")]]
)
def test_own_host_is_the_best(records: list[tuple[int, str]]) -> None:
    assert route(*records) == Route(
        reason=Reason.MAIL_LOOP, detail="relay.test is the best mail host of example.org itself"
    )


@pytest.mark.parametrize("kind", ["NODATA", "NOERROR"])
def test_own_host_is_the_domain_without_mx(kind: str) -> None:
    assert route(kind=kind, own="example.org").reason is Reason.MAIL_LOOP


def test_address_literal_asks_nobody() -> None:
    with pytest.raises(StopIteration) as end:
        next(find_route("[192.0.2.1]", own_name="relay.test", chance=SeededRandom(1)))
    assert end.value.value == Route((MailHost(0, "[192.0.2.1]"),))


# Addresses --------------------------------------------------------------------------------------------


def addresses(host: str, **found: DnsAnswer) -> tuple[str, ...]:
    questions = find_addresses(host)
    try:
        ask = next(questions)
        while True:
            assert ask.name == host
            ask = questions.send(found.get(ask.type, DnsAnswer("NODATA")))
    except StopIteration as end:
        result: Addresses = end.value
        return result.found


def test_both_families_ipv4_first() -> None:
    assert addresses(
        "mx.test",
        AAAA=DnsAnswer("NOERROR", ("2001:db8::1",)),
        A=DnsAnswer("NOERROR", ("192.0.2.1", "192.0.2.2")),
    ) == ("192.0.2.1", "192.0.2.2", "2001:db8::1")


def test_name_behind_a_cname_counts() -> None:
    # RFC 5321 §5.1 allows it no more, everybody does it: DNS follows the CNAME, the addresses are there.
    assert addresses("alias.test", A=DnsAnswer("NOERROR", ("192.0.2.1",))) == ("192.0.2.1",)


@pytest.mark.parametrize("kind", ["NODATA", "NXDOMAIN", "SERVFAIL"])
def test_no_addresses(kind: str) -> None:
    assert addresses("mx.test", A=DnsAnswer(kind), AAAA=DnsAnswer(kind)) == ()


@pytest.mark.parametrize(("kind", "failed"), [("NODATA", False), ("NXDOMAIN", False), ("TIMEOUT", True)])
def test_dns_that_fails_is_told_apart_from_no_address(kind: str, failed: bool) -> None:
    questions = find_addresses("mx.test")
    next(questions)
    questions.send(DnsAnswer(kind))
    with pytest.raises(StopIteration) as end:
        questions.send(DnsAnswer("NODATA"))
    assert end.value.value == Addresses((), failed)


@pytest.mark.parametrize(
    ("literal", "found"),
    [
        ("[192.0.2.1]", ("192.0.2.1",)),
        ("[IPv6:2001:DB8:0:0::1]", ("2001:db8::1",)),
        ("[ipv6:2001:db8::1]", ("2001:db8::1",)),
        ("[x-other:1]", ()),
    ],
)
def test_literal(literal: str, found: tuple[str, ...]) -> None:
    assert addresses(literal) == found


@pytest.mark.parametrize("host", ["localhost", "LocalHost", "mx.localhost", "MX.LOCALHOST"])
def test_nobody_is_asked_for_localhost(host: str) -> None:
    """RFC 6761 §6.3."""
    with pytest.raises(StopIteration) as end:
        next(find_addresses(host))
    assert end.value.value.found == ("127.0.0.1", "::1")


@pytest.mark.parametrize(("v4", "v6"), [(True, True), (True, False), (False, True), (False, False)])
def test_addresses_are_authentic_if_both_answers_are(v4: bool, v6: bool) -> None:
    questions = find_addresses("mx.test")
    next(questions)
    questions.send(DnsAnswer("NOERROR", ("192.0.2.1",), authentic=v4))
    with pytest.raises(StopIteration) as end:
        questions.send(DnsAnswer("NODATA", authentic=v6))
    assert end.value.value.authentic is (v4 and v6)


@pytest.mark.parametrize("authentic", [True, False])
@pytest.mark.parametrize("remembered", [True, False])
def test_a_route_says_what_its_answer_is_worth(authentic: bool, remembered: bool) -> None:
    questions = find_route("example.org", own_name="relay.test", chance=SeededRandom(1))
    next(questions)
    with pytest.raises(StopIteration) as end:
        questions.send(DnsAnswer("NOERROR", ((10, "a.test"),), authentic=authentic, remembered=remembered))
    found: Route = end.value.value
    assert (found.authentic, bool(found.detail)) == (authentic, remembered)
